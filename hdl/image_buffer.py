"""The first layer's input list: two banks of nonzero image words, played byte by byte as often as the layer asks."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from golden_model.errors import InputError
from hdl.memory_ports import read_port, write_port

LATENCY = 3                               # clocks from a start strobe to its first valid item
MOST_INPUTS = (1 << 16) - 17              # parameter numbers of a neuron, M links to M + 15, have 16 bits


def item_layout(inputs: int, value: Any = 8) -> data.StructLayout:
    """One broadcast input of a layer: ``index`` (``inputs`` is the bias row), ``value``, ``last`` of the list."""
    return data.StructLayout({"index": range(inputs + 1), "value": value, "last": 1})


def source_ports(inputs: int, value: Any = 8) -> dict[str, Any]:
    """The ports by which a layer takes its inputs, as seen from the one that supplies them.

    available : Out(1)
        An image waits or is being played. From the clock after ``release`` on this speaks of the next image.
    learn : Out(1)
        Of that image: it is to be learnt.
    start : In(1)
        Strobe while ``available``: play its list from the beginning; any number of times, also amid a list.
    items : Out(stream of item_layout(inputs, value))
        The nonzero inputs in ascending index, then one final item with ``index`` = inputs, ``value`` = 0 and ``last``.
        After a start what was on offer is withdrawn; after the last item nothing is valid until the next start.
    release : In(1)
        Strobe while ``available``: this image is done. Not together with ``start``.
    """
    return {"available": Out(1), "learn": Out(1), "start": In(1),
            "items": Out(stream.Signature(item_layout(inputs, value))), "release": In(1)}


class ImageBuffer(wiring.Component):
    """Two banks: one image is received while the one before is played. Zero bytes cost no clock when played.

    An image arrives as ceil(inputs / 4) words in order, one per clock at most. A word that is not zero becomes an entry
    {number, which bytes are nonzero, bytes} of the bank. Played, an entry gives one item per nonzero byte::

        word --> zero? --> bank memory --> entry --> lowest byte left --> item --> items
                             ^ fetch        (register, bytes left)       (register)

    The memory gives one entry per clock, an entry gives one item or more: items follow one another without bubbles.
    From start to the first valid item: ``LATENCY`` clocks.

    Parameters
    ----------
    inputs : int
        Bytes of an image, 1 to ``MOST_INPUTS``.

    Members
    -------
    ready : Out(1)
        A bank is free: words may be written. Stays until ``commit``.
    write : In(1), number : In(range(words)), word : In(32)
        Strobe: word ``number`` of the image, bytes 4 number to 4 number + 3, least first. Bytes at ``inputs`` and beyond
        are ignored. Numbers must ascend, words may be left out (they are zeros).
    commit : In(1), committed_learn : In(1)
        Strobe, together with the last ``write`` or later: the image is complete, and is to be learnt or not.
    discard : In(1)
        Strobe, not together with ``write``: forget what was written since the last ``commit``.
    available, learn, start, items, release
        See ``source_ports``.

    One memory of 2 * 2**ceil(log2(words)) rows of 36 + ceil(log2(words)) bits, one write port, one synchronous read port
    that never reads the row being written. No multiplier.

    Raises
    ------
    InputError
        If ``inputs`` is not a whole number from 1 to ``MOST_INPUTS``.
    """

    def __init__(self, inputs: int) -> None:
        if isinstance(inputs, bool) or not isinstance(inputs, int) or not 1 <= inputs <= MOST_INPUTS:
            raise InputError(f"inputs must be a whole number from 1 to {MOST_INPUTS}, not {inputs!r}")
        self.inputs = inputs
        self.words = -(-inputs // 4)
        super().__init__({
            "ready": Out(1), "write": In(1), "number": In(range(self.words)), "word": In(32),
            "commit": In(1), "committed_learn": In(1), "discard": In(1), **source_ports(inputs)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = ceil_log2(self.words)
        entry = data.StructLayout({"number": bits, "nonzero": 4, "bytes": data.ArrayLayout(8, 4)})
        m.submodules.bank = bank = memory.Memory(shape=entry, depth=2 << bits, init=[], attrs={"no_rw_check": 1})
        into, out_of = write_port(bank, "into"), read_port(bank, "out_of")
        writing, playing, counts = self._banks(m)
        following = self._write(m, into, writing, bits)
        for k, count in enumerate(counts):
            with m.If(self.commit & (writing == k)):
                m.d.sync += count.eq(following)
        self._play(m, out_of, playing, Mux(playing, counts[1], counts[0]))
        return m

    def _banks(self, m: Module) -> tuple[Signal, Signal, list[Signal]]:
        """Which bank is written, which is played, and how many entries each has."""
        writing, playing = Signal(name="writing"), Signal(name="playing")
        waiting = Signal(2, name="waiting")    # committed, not released: 0, 1 or 2
        counts = [Signal(range(self.words + 1), name=f"count_{k}") for k in range(2)]
        learns = Signal(2, name="learns")
        m.d.comb += [self.ready.eq(waiting != 2), self.available.eq(waiting != 0), self.learn.eq(learns.bit_select(playing, 1))]
        with m.If(self.commit):
            m.d.sync += [writing.eq(~writing), learns.bit_select(writing, 1).eq(self.committed_learn)]
        with m.If(self.release):
            m.d.sync += playing.eq(~playing)
        with m.If(self.commit & ~self.release):
            m.d.sync += waiting.eq(waiting + 1)
        with m.Elif(self.release & ~self.commit):
            m.d.sync += waiting.eq(waiting - 1)
        return writing, playing, counts

    def _write(self, m: Module, into: memory.WritePort, writing: Signal, bits: int) -> Signal:
        """Words that are not zero become entries; how many there are after this clock."""
        entries, following = Signal(range(self.words + 1), name="entries"), Signal(range(self.words + 1), name="following")
        for k in range(4):
            beyond = 4 * (self.words - 1) + k >= self.inputs           # of the last word
            used = (self.number != self.words - 1) if beyond else 1
            m.d.comb += [into.data.nonzero[k].eq(self.word.word_select(k, 8).any() & used),
                         into.data.bytes[k].eq(self.word.word_select(k, 8))]
        m.d.comb += [
            into.addr.eq(Cat(entries[:bits], writing)),
            into.data.number.eq(self.number),
            into.en.eq(self.write & into.data.nonzero.any()),
            following.eq(entries + into.en),
        ]
        m.d.sync += entries.eq(Mux(self.commit | self.discard, 0, following))
        return following

    def _play(self, m: Module, out_of: memory.ReadPort, playing: Signal, count: Value) -> None:
        """Row on offer (memory output) -> entry being taken apart -> item."""
        bits, entry = len(out_of.addr) - 1, out_of.data.shape()
        row = Signal(range(self.words + 1), name="row")    # next one to fetch
        fetching, fetched, fetched_end = Signal(name="fetching"), Signal(name="fetched"), Signal(name="fetched_end")
        # an entry is there; it is the end of the list, whatever it says
        active, end = Signal(name="active"), Signal(name="end")
        # straight from the memory, whose output is late in the clock
        current = Signal(entry, reset_less=True, name="current")
        past, left, several = Signal(4, reset_less=True, name="past"), Signal(4, name="left"), Signal(name="several")
        move, final, advance, fetch = Signal(name="move"), Signal(name="final"), Signal(name="advance"), Signal(name="fetch")
        position = Signal.like(row, name="position")
        place = Cat(~left[0] & (left[1] | ~left[2]), ~left[0] & ~left[1])                # of the lowest byte left
        m.d.comb += [
            left.eq(current.nonzero & ~past),
            several.eq((left[0] & left[1:].any()) | (left[1] & left[2:].any()) | (left[2] & left[3])),
            move.eq(~self.items.valid | self.items.ready),
            final.eq(end | ~several),
            advance.eq(~active | (move & final)),
            fetch.eq(self.start | (fetching & (advance | ~fetched))),
            position.eq(Mux(self.start, 0, row)),
            out_of.addr.eq(Cat(position[:bits], playing)),
            out_of.en.eq(fetch),
        ]
        with m.If(fetch):
            at_end = position == count
            m.d.sync += [row.eq(position + 1), fetched.eq(1), fetched_end.eq(at_end), fetching.eq(~at_end)]
        with m.Elif(advance):
            m.d.sync += fetched.eq(0)
        with m.If(advance):
            m.d.sync += [active.eq(fetched), end.eq(fetched_end), current.eq(out_of.data), past.eq(0)]
        with m.Elif(move):
            m.d.sync += [past[k].eq(past[k] | ~left[:k].any()) for k in range(4)]            # the lowest, and all below
        item = self.items.payload
        with m.If(move):
            m.d.sync += [self.items.valid.eq(active), item.last.eq(end)]
            with m.If(end):
                m.d.sync += [item.index.eq(self.inputs), item.value.eq(0)]
            with m.Else():
                m.d.sync += [item.index.eq(Cat(place, current.number)), item.value.eq(current.bytes[place])]
        with m.If(self.start | self.release):
            m.d.sync += [active.eq(0), self.items.valid.eq(0)]
        with m.If(self.release):
            m.d.sync += [fetching.eq(0), fetched.eq(0)]
