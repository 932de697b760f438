"""From the core to the line: replies become packets, which are kept as they go over the line until the host has them."""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from boards import packets
from boards.bit_crc import BitCrc
from boards.cobs_encoder import CobsEncoder
from golden_model.errors import InputError
from hdl.skid_buffer import Word

FULL = 240                                # a packet of so many bytes takes no further word: 5 + 4 + 1 more must fit into 256


class ReplyBuffer(wiring.Component):
    """Slots of 256 bytes, each a packet in COBS. They are filled in turn, sent in turn, and sent again when the host asks.

    A packet ends when a reply is over and no other waits, or when it is full. It is built without words when the host asks.

    Parameters
    ----------
    slots : int
        A power of two from 2 to 64.

    Members
    -------
    from_core : In(stream of Word)
        Replies. Not ready while all slots wait for the host.
    heard, ask, again, open : In(1), number : In(8), expected, room, flags : In(8)
        From the ``RequestBuffer``.
    o : Out(stream of 8 bits)
        To the line.

    Memory: 256 bytes a slot. No multiplier.

    Raises
    ------
    InputError
        For another number of slots.
    """

    def __init__(self, slots: int) -> None:
        self.slots = checked_slots(slots)
        super().__init__({
            "from_core": In(stream.Signature(Word)), "heard": In(1), "ask": In(1), "again": In(1), "open": In(1),
            "number": In(8), "expected": In(8), "room": In(8), "flags": In(8), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slot_bits = self.slots.bit_length() - 1
        m.submodules.packets = kept = memory.Memory(shape=8, depth=256 * self.slots, init=[])
        built = Signal(8)                                              # number of the packet that is built, or will be
        acknowledged, sending = Signal(slot_bits + 1), Signal(slot_bits + 1)   # oldest kept; sent now or next
        waiting, free = Signal(slot_bits + 1), Signal()                # packets kept; a slot is free
        transmits = Signal()
        m.d.comb += [waiting.eq(built - acknowledged), free.eq(
            ~waiting[-1] & ~(transmits & (sending[:slot_bits] == built[:slot_bits])))]
        self._build(m, kept.write_port(), built, free)
        self._send(m, kept.read_port(), built, acknowledged, sending, waiting, transmits)
        return m

    def _build(self, m: Module, put: memory.WritePort, built: Signal, free: Signal) -> None:
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.crc = crc = BitCrc()
        session, asked, within = Signal(8), Signal(), Signal()         # within: the rest of a reply is to come
        byte, bit, place = Signal(8), Signal(3), Signal(3)
        word, check = Signal(), Signal()                               # which part is written; neither: the header
        source = Signal(8)
        reply = self.from_core
        m.d.comb += [put.addr.eq(Cat(encoder.write_address, built[:len(put.addr) - 8])), put.en.eq(encoder.write_enable),
                     put.data.eq(encoder.write_data), encoder.data.eq(byte), crc.data.eq(byte[0])]
        with m.If(self.heard & self.open):
            m.d.sync += session.eq(self.number)
        with m.If(self.heard & self.ask):
            m.d.sync += asked.eq(1)

        header = [built, session, self.flags, self.expected, self.room]
        data = reply.payload.data
        with m.If(word), m.Switch(place):
            with m.Case(0):
                m.d.comb += source.eq(Cat(Const(1, 7), reply.payload.last))        # a chunk of one word
            for number in range(4):
                with m.Case(number + 1):
                    m.d.comb += source.eq(data[8 * number:8 * number + 8])
        with m.Elif(check), m.Switch(place):
            for number in range(4):
                with m.Case(number):
                    m.d.comb += source.eq(crc.crc[8 * number:8 * number + 8])
        with m.Else(), m.Switch(place):
            for number, entry in enumerate(header):
                with m.Case(number):
                    m.d.comb += source.eq(entry)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [place.eq(0), word.eq(0), check.eq(0)]
                with m.If(free & (asked | reply.valid)):
                    m.d.comb += [encoder.start.eq(1), crc.start.eq(1)]
                    m.d.sync += asked.eq(self.heard & self.ask)
                    m.next = "BYTE"
            with m.State("BYTE"):
                m.d.sync += byte.eq(source)
                m.next = "CHECK"
            with m.State("CHECK"):                                     # eight clocks, after which the byte is as it was
                m.d.comb += crc.valid.eq(~check)
                m.d.sync += [byte.eq(Cat(byte[1:], byte[0])), bit.eq(bit + 1)]
                with m.If(bit == 7):
                    m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += encoder.put.eq(1)
                m.d.sync += place.eq(place + 1)
                m.next = "BYTE"
                with m.If(check & (place == packets.CHECK_BYTES - 1)):
                    m.next = "CLOSE"
                with m.Elif(~check & (place == 4)):                    # header and word have five bytes each
                    m.next = "GATHER"
                    m.d.comb += reply.ready.eq(word)
                    with m.If(word):
                        m.d.sync += within.eq(~reply.payload.last)
            with m.State("GATHER"):
                m.d.sync += [place.eq(0), word.eq(1)]
                with m.If((encoder.place >= FULL) | (~reply.valid & ~within)):
                    m.d.sync += [word.eq(0), check.eq(1)]
                    m.next = "BYTE"
                with m.Elif(reply.valid):
                    m.next = "BYTE"
            with m.State("CLOSE"):
                m.d.comb += encoder.close.eq(1)
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                m.d.comb += encoder.delimit.eq(1)
                m.d.sync += built.eq(built + 1)
                m.next = "IDLE"

    def _send(self, m: Module, get: memory.ReadPort, built: Signal, acknowledged: Signal, sending: Signal, waiting: Signal,
              transmits: Signal) -> None:
        bits = len(acknowledged)
        given, ahead = Signal(bits), Signal(bits)                      # how far the host says it is; packets still to send
        repeat, at = Signal(), Signal(8)
        m.d.comb += [given.eq(self.number - acknowledged), ahead.eq(built - sending), get.addr.eq(Cat(at, sending[:bits - 1])),
                     self.o.payload.eq(get.data)]
        with m.If(self.heard):
            with m.If(self.open):
                m.d.sync += acknowledged.eq(built)
            with m.Elif(given <= waiting):
                m.d.sync += acknowledged.eq(self.number)
            with m.If(self.again):
                m.d.sync += repeat.eq(1)
        with m.FSM() as phase:
            with m.State("IDLE"):
                m.d.sync += at.eq(0)
                with m.If(repeat | (ahead > waiting)):                 # ahead: the host acknowledged what was to be sent again
                    m.d.sync += [sending.eq(acknowledged), repeat.eq(self.heard & self.again)]
                with m.Elif(ahead != 0):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += at.eq(at + 1)
                    m.next = "FETCH"
                    with m.If(get.data == 0):
                        m.d.sync += sending.eq(sending + 1)
                        m.next = "IDLE"
        m.d.comb += transmits.eq(~phase.ongoing("IDLE"))


def checked_slots(slots: int) -> int:
    """``slots`` if there can be so many."""
    if isinstance(slots, bool) or not isinstance(slots, int) or not 2 <= slots <= 64 or slots & (slots - 1):
        raise InputError(f"slots for replies must be a power of two from 2 to 64, not {slots!r}")
    return slots
