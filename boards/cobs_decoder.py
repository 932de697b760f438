"""COBS, from bytes of a line to bytes of packets (S. Cheshire, M. Baker: Consistent Overhead Byte Stuffing, 1999)."""
from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class CobsDecoder(wiring.Component):
    """One byte in, at most one byte out, in the same clock: nothing is stored.

    A packet is blocks of a code byte n and n - 1 bytes that are not zero; between two blocks a zero is meant, unless n is
    255. A zero on the line ends the packet. Zeros that follow one another end nothing.

    Members
    -------
    data : In(8), valid : In(1)
        Bytes of the line.
    decoded : Out(8), decoded_valid : Out(1)
        Bytes of a packet.
    end : Out(1), intact : Out(1)
        A packet that began is over; ``intact``: its last block was complete.
    """

    def __init__(self) -> None:
        super().__init__({"data": In(8), "valid": In(1), "decoded": Out(8), "decoded_valid": Out(1), "end": Out(1),
                          "intact": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(8, name="left")    # bytes of this block still to come
        begun, full = Signal(name="begun"), Signal(name="full")    # within a packet; no zero is meant after this block
        code = Signal(name="code")
        m.d.comb += [code.eq(left == 0), self.intact.eq(code), self.decoded.eq(Mux(code, 0, self.data))]
        with m.If(self.valid):
            m.d.sync += left.eq(Mux(code, self.data, left) - 1)
            with m.If(code):
                m.d.sync += full.eq(self.data == 255)
            with m.If(self.data == 0):
                m.d.comb += self.end.eq(begun)
                m.d.sync += [begun.eq(0), left.eq(0)]
            with m.Else():
                m.d.comb += self.decoded_valid.eq(~code | (begun & ~full))
                m.d.sync += begun.eq(1)
        return m
