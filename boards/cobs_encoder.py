"""COBS, from bytes of a packet to a memory that holds it as it goes over the line."""
from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

MOST_BYTES = 253                          # of a packet: one code byte more, and the zero at its end, make 255


class CobsEncoder(wiring.Component):
    """Writes a packet of up to ``MOST_BYTES`` into 256 bytes of memory, byte by byte; code bytes are filled in afterwards.

    ::

        code 1st 2nd 3rd code 5th ... 0            a byte zero leaves its place to the next code, and then the code before
          ^                ^        ^ place        it is known: the distance between the two
          code before      code

    Members
    -------
    start, put, close : In(1)
        One at a time: begin a packet; append ``data``; end it. A packet is a start, puts, and two closes: the first writes the
        last code, the second the zero.
    data : In(8)
    place : Out(8)
        Where the next byte goes: bytes so far, and one for the first code.
    write_enable : Out(1), write_address : Out(8), write_data : Out(8)
        Of the memory, in the clock of the strobe.
    """

    def __init__(self) -> None:
        super().__init__({"start": In(1), "put": In(1), "close": In(1), "data": In(8), "place": Out(8),
                          "write_enable": Out(1), "write_address": Out(8), "write_data": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        other = Signal(8, name="other")    # complement of where this block's code goes: iCE40 would invert it outside its adder
        zero, ends = Signal(name="zero"), Signal(name="ends")
        m.d.comb += [
            zero.eq(self.data == 0), ends.eq(self.close | (self.put & zero)),
            self.write_enable.eq(self.put | self.close),
            self.write_address.eq(Mux(ends, ~other, self.place)),
            self.write_data.eq(Mux(ends, self.place + other + 1, self.data))]
        with m.If(self.start):
            m.d.sync += [other.eq(-1), self.place.eq(1)]
        with m.If(self.put):
            m.d.sync += self.place.eq(self.place + 1)
        with m.If(ends):
            m.d.sync += other.eq(~self.place)                  # a second close: the distance is 0, which ends the packet
        return m
