"""The input list of every layer but the first: two banks of nonzero displacements, played as often as the layer asks."""
from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hdl.image_buffer import source_ports
from hdl.memory_ports import read_port, write_port

LATENCY = 3                               # clocks from a start strobe to its first valid item, if it is there by then
THROUGH = 3                               # clocks from a displacement to its item, if all before it are taken


class ActivationList(wiring.Component):
    """Collects the outputs of one layer and plays them to the next: the same interface as ``hdl.image_buffer``.

    A list can be played while it is still being written: items follow as they come. A block memory's word comes late in the
    clock, so it goes into a register before it is looked at. ::

        written --> zero? --> bank memory --> fetched (the memory's output) --> items (register)
                                ^ fetch

    Parameters
    ----------
    inputs : int
        Displacements of an image.
    bits : int
        Signed width of one.

    Members
    -------
    free : Out(1)
        A bank is free for the next image.
    written_valid : In(1), written : In({value: signed(bits), last, learn})
        The next displacement; the first one of an image only while ``free``.
    available, learn, start, items, release
        See ``hdl.image_buffer.source_ports``; ``available`` from the first displacement on.

    One memory of 2 * 2**ceil(log2(inputs)) words of ``bits`` + ceil(log2(inputs + 1)) bits, one write port, one read port.
    """

    def __init__(self, inputs: int, bits: int) -> None:
        self.inputs, self.bits = inputs, bits
        written = data.StructLayout({"value": signed(bits), "last": 1, "learn": 1})
        super().__init__({"free": Out(1), "written_valid": In(1), "written": In(written),
                          **source_ports(inputs, signed(bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address_bits = ceil_log2(self.inputs)
        entry = data.StructLayout({"index": range(self.inputs + 1), "value": signed(self.bits)})
        m.submodules.bank = bank = memory.Memory(shape=entry, depth=2 << address_bits, init=[], attrs={"no_rw_check": 1})
        into, out_of = write_port(bank, "into"), read_port(bank, "out_of")

        writing = Signal(name="writing")
        playing = Signal(name="playing")
        begun = Signal(2, name="begun")
        closed = Signal(2, name="closed")
        learns = Signal(2, name="learns")
        counts = [Signal(range(self.inputs + 1), name=f"count_{number}") for number in range(2)]
        index = Signal(range(self.inputs + 1), name="index")
        count_written, count = Mux(writing, counts[1], counts[0]), Mux(playing, counts[1], counts[0])
        m.d.comb += [
            self.free.eq(~begun.bit_select(writing, 1)), self.available.eq(begun.bit_select(playing, 1)),
            self.learn.eq(learns.bit_select(playing, 1)),
            into.addr.eq(Cat(count_written[:address_bits], writing)), into.data.index.eq(index),
            into.data.value.eq(self.written.value), into.en.eq(self.written_valid & self.written.value.any())]
        with m.If(self.written_valid):
            m.d.sync += [index.eq(Mux(self.written.last, 0, index + 1)), begun.bit_select(writing, 1).eq(1),
                         learns.bit_select(writing, 1).eq(self.written.learn)]
            for number, held in enumerate(counts):
                with m.If(into.en & (writing == number)):
                    m.d.sync += held.eq(held + 1)
            with m.If(self.written.last):
                m.d.sync += [writing.eq(~writing), closed.bit_select(writing, 1).eq(1)]
        with m.If(self.release):
            m.d.sync += [playing.eq(~playing), begun.bit_select(playing, 1).eq(0), closed.bit_select(playing, 1).eq(0)]
            for number, held in enumerate(counts):
                with m.If(playing == number):
                    m.d.sync += held.eq(0)

        active = Signal(name="active")
        fetch = Signal(range(self.inputs + 1), name="fetch")
        fetched, fetched_last = Signal(name="fetched"), Signal(name="fetched_last")
        valid, last, item = Signal(name="valid"), Signal(name="last"), Signal(entry, reset_less=True, name="item")
        advance, move, more = Signal(name="advance"), Signal(name="move"), Signal(name="more")
        m.d.comb += [
            move.eq(~valid | self.items.ready), advance.eq(~fetched | move), more.eq(active & (fetch != count)),
            out_of.en.eq(advance), out_of.addr.eq(Cat(fetch[:address_bits], playing)),
            self.items.valid.eq(valid), self.items.payload.last.eq(last),
            self.items.payload.index.eq(Mux(last, self.inputs, item.index)),
            self.items.payload.value.eq(Mux(last, 0, item.value))]
        with m.If(advance):
            m.d.sync += [fetched.eq(more), fetched_last.eq(0)]
            with m.If(more):
                m.d.sync += fetch.eq(fetch + 1)
            with m.Elif(active & closed.bit_select(playing, 1)):
                m.d.sync += [fetched.eq(1), fetched_last.eq(1), active.eq(0)]
        with m.If(move):
            m.d.sync += [valid.eq(fetched), last.eq(fetched_last), item.eq(out_of.data)]
        with m.If(self.start):
            m.d.sync += [active.eq(1), fetched.eq(0), valid.eq(0), last.eq(0), fetch.eq(0)]
        return m
