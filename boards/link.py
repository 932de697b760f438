"""The host link: a serial line on one side, the two streams of a core on the other. ``docs/link.md`` describes it."""
from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.cobs_decoder import CobsDecoder
from boards.reply_buffer import ReplyBuffer, checked_slots
from boards.request_buffer import RequestBuffer, checked_size
from boards.uart import UartReceiver, UartTransmitter, checked_divisor
from hdl.skid_buffer import Word


class HostLink(wiring.Component):
    """Frames over a serial line that loses and changes bits: each is carried out once, each reply arrives once, in order.

    ::

        rx --> receiver --> COBS --> RequestBuffer --> to_core
                                       | heard, ask, again, number; expected, room
        tx <-- transmitter <-------- ReplyBuffer <-- from_core

    Parameters
    ----------
    divisor : int
        Clocks of a bit of the serial line.
    buffer : int
        Bytes for requests, a power of two.
    slots : int
        Packets of replies that are kept, a power of two.

    Members
    -------
    rx : In(1), tx : Out(1)
    to_core : Out(stream of Word), from_core : In(stream of Word)

    Memory: ``buffer`` and 256 x ``slots`` bytes, each one write port and one synchronous read port. No multiplier.

    Raises
    ------
    InputError
        For numbers that are out of range.
    """

    def __init__(self, divisor: int, buffer: int = 2048, slots: int = 2) -> None:
        self.divisor, self.buffer, self.slots = checked_divisor(divisor), checked_size(buffer), checked_slots(slots)
        super().__init__({"rx": In(1), "tx": Out(1, init=1), "to_core": Out(stream.Signature(Word)),
                          "from_core": In(stream.Signature(Word))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.requests = requests = RequestBuffer(self.buffer)
        m.submodules.replies = replies = ReplyBuffer(self.slots)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        m.d.comb += [
            receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx),
            decoder.data.eq(receiver.data), decoder.valid.eq(receiver.valid),
            requests.data.eq(decoder.decoded), requests.valid.eq(decoder.decoded_valid),
            requests.end.eq(decoder.end), requests.intact.eq(decoder.intact),
            self.to_core.payload.eq(requests.to_core.payload), self.to_core.valid.eq(requests.to_core.valid),
            requests.to_core.ready.eq(self.to_core.ready),
            replies.from_core.payload.eq(self.from_core.payload), replies.from_core.valid.eq(self.from_core.valid),
            self.from_core.ready.eq(replies.from_core.ready),
            transmitter.i.payload.eq(replies.o.payload), transmitter.i.valid.eq(replies.o.valid),
            replies.o.ready.eq(transmitter.i.ready)]
        m.d.comb += [getattr(replies, name).eq(getattr(requests, name))
                     for name in ("heard", "ask", "again", "open", "number", "expected", "room", "flags")]
        return m
