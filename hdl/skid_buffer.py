"""Stream building blocks of the core: the 32-bit word, a register slice, and a short queue."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.errors import InputError

Word = data.StructLayout({"data": 32, "last": 1})      # one beat of an AXI4-Stream of words: tdata, tlast


class SkidBuffer(wiring.Component):
    """Register slice of a stream: everything that leaves it, in either direction, comes from a register.

    One item per clock passes. Items are neither dropped nor doubled nor reordered, and what is offered stays as it is
    until it is taken (proved in ``tests/test_skid_buffer.py``). In the clock after a reset nothing is accepted, so a
    sender that ignores the reset loses no item between the two sides of this buffer.

    ::

        i.payload --+--> spare --+
                    |            v
                    +---------> mux --> o.payload            o.ready low and o full: the item goes to spare,
        i.ready <-- ready (register)                         and ready falls one clock later

    Parameters
    ----------
    shape : shape-like
        Shape of the payload.

    Members
    -------
    i : In(stream of ``shape``)
    o : Out(stream of ``shape``)

    Latency one clock. No memory, no multiplier; two registers of the payload and three of one bit.
    """

    def __init__(self, shape: Any) -> None:
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})
        # one item more, and whether it is there
        self.spare, self.held = Signal(shape, reset_less=True, name="spare"), Signal(name="held")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ready = Signal(name="ready")
        m.d.comb += self.i.ready.eq(ready)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(self.held | (self.i.valid & ready)), self.held.eq(0), ready.eq(1)]
            with m.If(self.held):
                m.d.sync += self.o.payload.eq(self.spare)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        with m.Elif(self.i.valid & ready):
            m.d.sync += [self.held.eq(1), ready.eq(0)]
        with m.If(ready):
            m.d.sync += self.spare.eq(self.i.payload)
        return m


class ShiftQueue(wiring.Component):
    """First-in first-out queue of a few narrow items, one register after the other: its output is a register.

    ::

        i.payload --+------+------+
                    v      v      v
                 slot 2->slot 1->slot 0 --> o.payload        an item goes to the first free slot; when slot 0 is
                                                             taken, all move on by one

    Parameters
    ----------
    shape : shape-like
        Shape of the payload.
    depth : int
        Items that it holds, 1 or more.

    Members
    -------
    i : In(stream of ``shape``)
    o : Out(stream of ``shape``)

    Latency one clock when empty; one item per clock passes. No memory, no multiplier: one LUT and register per bit.

    Raises
    ------
    InputError
        If ``depth`` is not a whole number from 1.
    """

    def __init__(self, shape: Any, depth: int) -> None:
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise InputError(f"a queue must have a depth of 1 or more items, not {depth!r}")
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})
        self.slots = [Signal(shape, name=f"slot_{k}", reset_less=True) for k in range(depth)]
        self.filled = Signal(depth, name="filled")    # slot k holds an item: 0...01...1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        put, get = Signal(name="put"), Signal(name="get")
        m.d.comb += [
            self.i.ready.eq(~self.filled[-1]),
            self.o.valid.eq(self.filled[0]),
            self.o.payload.eq(self.slots[0]),
            put.eq(self.i.valid & self.i.ready),
            get.eq(self.o.valid & self.o.ready),
        ]
        with m.If(put & ~get):
            m.d.sync += self.filled.eq((self.filled << 1) | 1)
        with m.Elif(get & ~put):
            m.d.sync += self.filled.eq(self.filled >> 1)
        for k, slot in enumerate(self.slots):
            following = k + 1 < self.depth
            with m.If(get):
                if following:
                    with m.If(self.filled[k + 1]):
                        m.d.sync += slot.eq(self.slots[k + 1])
                    with m.Else():
                        m.d.sync += slot.eq(self.i.payload)
            with m.Elif(~self.filled[k]):
                m.d.sync += slot.eq(self.i.payload)
        return m
