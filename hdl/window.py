"""The input of a convolution: all points of an image in a memory, and a walker that plays what the window sees of them."""
from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.wirings.window import Window
from hdl.image_buffer import item_layout
from hdl.memory_ports import BLOCK, read_port, write_port

LATENCY = 5                               # clocks from a start strobe to the first tap


class WindowList(wiring.Component):
    """Plays the taps of one position of the window, as often as the layer asks, as ``hdl.activation_list`` plays inputs.

    ::

        written --> memory of points --> register --> zero? --> items
                       ^ corner + tap

    Points, taps and positions are numbered alike (``golden_model.wirings.window``), so that a tap's input lies behind that of
    the tap before it, but at the end of a row of the window. One tap is looked at in a clock, whether it is zero or not; while
    an item waits to be taken, the walker stands.

    Parameters
    ----------
    window : Window
    value : int or Shape
        Of a point: 8 bits of an image, or a signed displacement.
    looks : bool
        Whether points are looked up, too, while nothing is played.

    Members
    -------
    written_valid, written_last : In(1), written : In(value)
        The next point, all of them in their order; whether it is the last one.
    begin, further : In(1)
        Strobe: at the first position; at the next one, row by row. With ``start`` at the earliest.
    start : In(1)
        Strobe: play the taps of this position.
    dense : In(1)
        Play taps that are zero, too. Constant from the start to the last item.
    items : Out(stream of item_layout(taps, value))
        Taps that are not zero in ascending order, then one final item with ``index`` = taps, ``value`` = 0 and ``last``.
    place : Out(range(inputs))
        The input that an item is.
    look : In(range(inputs)), looked : Out(value)
        With ``looks``: a point, and its value a clock later, from the second clock after the last item on.

    One memory of a word for each point.
    """

    def __init__(self, window: Window, value: int | signed, *, looks: bool = False) -> None:
        self.window, self.value, self.looks = window, value, looks
        looking = {"look": In(range(window.inputs)), "looked": Out(value)} if looks else {}
        super().__init__({
            "written_valid": In(1), "written_last": In(1), "written": In(value), "begin": In(1), "further": In(1),
            "start": In(1), "dense": In(1), "items": Out(stream.Signature(item_layout(window.taps, value))),
            "place": Out(range(window.inputs)), **looking})

    def elaborate(self, platform: object) -> Module:
        m, window = Module(), self.window
        m.submodules.points = points = memory.Memory(shape=self.value, depth=window.inputs, init=[], attrs=BLOCK)
        into, out_of = write_port(points, "into"), read_port(points, "out_of")
        row = Signal(range(max(2, window.inputs)), name="row")
        m.d.comb += [into.addr.eq(row), into.data.eq(self.written), into.en.eq(self.written_valid)]
        with m.If(self.written_valid):
            m.d.sync += row.eq(Mux(self.written_last, 0, row + 1))
        self._walk(m, out_of, self._corner(m))
        return m

    def _corner(self, m: Module) -> Signal:
        """The input at the first tap of the position, in the clock after it was told."""
        window = self.window
        corner, kept, left = (Signal(range(window.inputs), name=name) for name in ("corner", "corner_kept", "left"))
        column = Signal(range(max(2, window.columns)), name="column")
        begins, goes_on = Signal(name="begins"), Signal(name="goes_on")
        step = window.stride * window.depth
        m.d.comb += corner.eq(kept)
        m.d.sync += [begins.eq(self.begin), goes_on.eq(self.further)]     # strobes come late in their clock
        with m.If(begins):
            m.d.comb += corner.eq(0)
            m.d.sync += [left.eq(0), column.eq(0)]
        with m.Elif(goes_on):
            with m.If(column == window.columns - 1):
                m.d.comb += corner.eq(left + step * window.width)
                m.d.sync += [left.eq(corner), column.eq(0)]
            with m.Else():
                m.d.comb += corner.eq(kept + step)
                m.d.sync += column.eq(column + 1)
        m.d.sync += kept.eq(corner)
        return corner

    def _walk(self, m: Module, out_of: memory.ReadPort, corner: Signal) -> None:
        """Address -> memory -> register -> item; all of them stand while an item waits."""
        window, items = self.window, self.items
        across, down = window.kernel[1] * window.depth, window.width * window.depth
        active = Signal(name="active")
        place = Signal(range(window.inputs + down), name="address")
        tap, run = Signal(range(window.taps + 1), name="tap"), Signal(range(max(2, across)), name="run")
        there = [Signal(name=f"there_{stage}") for stage in range(2)]     # a tap is in this register
        taps = [Signal(range(window.taps + 1), reset_less=True, name=f"tap_{stage}") for stage in range(3)]
        places = [Signal(range(window.inputs), reset_less=True, name=f"place_{stage}") for stage in range(3)]
        value, go = Signal(self.value, reset_less=True, name="value"), Signal(name="go")
        ends, starts = Signal(name="ends"), Signal(name="starts")
        m.d.sync += starts.eq(self.start)
        m.d.comb += [
            ends.eq(tap == window.taps), go.eq(~items.valid | items.ready), out_of.en.eq(go),
            out_of.addr.eq(Mux(active, place, self.look) if self.looks else place),
            items.payload.index.eq(taps[2]), self.place.eq(places[2])]
        if self.looks:
            m.d.comb += self.looked.eq(out_of.data)
        with m.If(go):
            m.d.sync += [
                *(late.eq(early) for early, late in zip([active, *there], there, strict=False)),
                *(late.eq(early) for early, late in zip([tap, *taps], taps, strict=False)),
                *(late.eq(early) for early, late in zip([place, *places], places, strict=False)),
                value.eq(out_of.data), items.payload.value.eq(Mux(taps[1] == window.taps, 0, value)),
                items.payload.last.eq(taps[1] == window.taps),
                items.valid.eq(there[1] & (value.any() | self.dense | (taps[1] == window.taps)))]
            with m.If(active):
                m.d.sync += [tap.eq(tap + 1), run.eq(run + 1), place.eq(place + 1), active.eq(~ends)]
                with m.If(run == across - 1):
                    m.d.sync += [run.eq(0), place.eq(place + (down - across + 1))]
        with m.If(self.start):
            m.d.sync += [active.eq(0), items.valid.eq(0), *(flag.eq(0) for flag in there)]
        with m.Elif(starts):
            m.d.sync += [active.eq(1), tap.eq(0), run.eq(0), place.eq(corner)]


class ImagePoints(wiring.Component):
    """All points of an image, one a clock, from the list of those that are not zero.

    Parameters
    ----------
    inputs : int

    Members
    -------
    load : In(1)
        Strobe: an image's list was started.
    items : In(stream of item_layout(inputs))
        Without pause from its first item on; the last one stays where it is.
    written_valid, written_last : Out(1), written : Out(8)
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        super().__init__({"load": In(1), "items": In(stream.Signature(item_layout(inputs))), "written_valid": Out(1),
                          "written_last": Out(1), "written": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m, items = Module(), self.items
        loading, row = Signal(name="loading"), Signal.like(items.payload.index, name="row")
        m.d.comb += [
            self.written_valid.eq(loading & items.valid), self.written_last.eq(row == self.inputs - 1),
            items.ready.eq(loading & (items.payload.index == row)), self.written.eq(Mux(items.ready, items.payload.value, 0))]
        with m.If(self.written_valid):
            m.d.sync += [row.eq(row + 1), loading.eq(~self.written_last)]
        with m.If(self.load):
            m.d.sync += [row.eq(0), loading.eq(1)]
        return m
