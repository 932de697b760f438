"""From the core to the line: replies become packets, which are kept as they go over the line until the host has them."""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from boards.bit_crc import BitCrc
from boards.cobs_encoder import CobsEncoder
from golden_model.errors import InputError
from hdl.memory_ports import read_port, write_port
from hdl.skid_buffer import Word

# a packet of 240 bytes takes no further word: 5 + 4 + 1 more must fit into 256


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
        m.submodules.packets = kept = memory.Memory(shape=8, depth=256 * self.slots, init=[], attrs={"no_rw_check": 1})
        built = Signal(8, name="built")    # number of the packet that is built, or will be
        # oldest kept; sent now or next
        acknowledged, sending = Signal(slot_bits + 1, name="acknowledged"), Signal(slot_bits + 1, name="sending")
        waiting, free = Signal(slot_bits + 1, name="waiting"), Signal(name="free")    # packets kept; a slot is free
        transmits = Signal(name="transmits")
        m.d.comb += [waiting.eq(built - acknowledged), free.eq(
            ~waiting[-1] & ~(transmits & (sending[:slot_bits] == built[:slot_bits])))]
        self._build(m, write_port(kept, "put"), built, free)
        self._send(m, read_port(kept, "get"), built, acknowledged, sending, waiting, transmits)
        return m

    def _build(self, m: Module, put: memory.WritePort, built: Signal, free: Signal) -> None:
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.crc = crc = BitCrc()
        # within: the rest of a reply is to come
        session, request, within = Signal(8, name="session"), Signal(name="request"), Signal(name="within")
        # place: -1, 0 to 3; the CRC has none at -1
        byte, bit, place = Signal(8, name="byte"), Signal(3, name="bit"), Signal(3, name="place")
        word, check = Signal(name="word"), Signal(name="check")    # which part is written; neither: the header
        source = Signal(name="source")
        reply = self.from_core
        m.d.comb += [put.addr.eq(Cat(encoder.write_address, built[:len(put.addr) - 8])), put.en.eq(encoder.write_enable),
                     put.data.eq(encoder.write_data), encoder.data.eq(byte)]
        with m.If(self.heard & self.open):
            m.d.sync += session.eq(self.number)
        with m.If(self.heard & self.ask):
            m.d.sync += request.eq(1)

        expected, room = Signal(8, name="expected"), Signal(8, name="room")    # as they were when the packet was begun
        header = Cat(session, self.flags, expected, room)
        chunk = Cat(Const(1, 7), reply.payload.last)                   # one word
        at = Cat(bit, place[:2])
        m.d.comb += crc.data.eq(source)
        with m.If(check):                                              # fed with what it gives, a CRC shifts itself out
            m.d.comb += [source.eq(crc.crc[0]), crc.data.eq(~crc.crc[0])]
        with m.Elif(place[2]):
            m.d.comb += source.eq(Mux(word, chunk.bit_select(bit, 1), built.bit_select(bit, 1)))
        with m.Else():
            m.d.comb += source.eq(Mux(word, reply.payload.data.bit_select(at, 1), header.bit_select(at, 1)))

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [place.eq(-1), word.eq(0), check.eq(0)]
                with m.If(free & (request | reply.valid)):
                    m.d.comb += [encoder.start.eq(1), crc.start.eq(1)]
                    m.d.sync += [request.eq(self.heard & self.ask), expected.eq(self.expected), room.eq(self.room)]
                    m.next = "BITS"
            with m.State("BITS"):
                m.d.comb += crc.valid.eq(1)
                m.d.sync += [byte.eq(Cat(byte[1:], source)), bit.eq(bit + 1)]
                with m.If(bit == 7):
                    m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += encoder.put.eq(1)
                m.d.sync += place.eq(place + 1)
                m.next = "BITS"
                with m.If(place == 3):
                    m.next = "GATHER"
                    with m.If(check):
                        m.next = "CLOSE"
                    with m.Elif(word):
                        m.d.comb += reply.ready.eq(1)
                        m.d.sync += within.eq(~reply.payload.last)
            with m.State("GATHER"):
                m.d.sync += [place.eq(-1), word.eq(1)]
                with m.If(encoder.place[4:].all() | (~reply.valid & ~within)):
                    m.d.sync += [place.eq(0), check.eq(1)]
                    m.next = "BITS"
                with m.Elif(reply.valid):
                    m.next = "BITS"
            with m.State("CLOSE"):
                m.d.comb += encoder.close.eq(1)
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                m.d.comb += encoder.close.eq(1)
                m.d.sync += built.eq(built + 1)
                m.next = "IDLE"

    def _send(self, m: Module, get: memory.ReadPort, built: Signal, acknowledged: Signal, sending: Signal, waiting: Signal,
              transmits: Signal) -> None:
        bits = len(acknowledged)
        # how far the host says it is; packets still to send
        in_flight, ahead = Signal(bits, name="in_flight"), Signal(bits, name="ahead")
        # byte: what is sent; 0 is the delimiter
        repeat, at, byte = Signal(name="repeat"), Signal(8, name="at"), Signal(8, name="byte")
        m.d.comb += [in_flight.eq(self.number - acknowledged), ahead.eq(built - sending),
                     get.addr.eq(Cat(at, sending[:bits - 1])), self.o.payload.eq(byte)]
        with m.If(self.heard):
            with m.If(self.open):
                m.d.sync += acknowledged.eq(built)
            with m.Elif(in_flight <= waiting):
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
                m.next = "LOOK"
            with m.State("LOOK"):                                      # the memory alone takes half a clock at 100 MHz
                m.d.sync += byte.eq(get.data)
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += at.eq(at + 1)
                    m.next = "FETCH"
                    with m.If(byte == 0):
                        m.d.sync += sending.eq(sending + 1)
                        m.next = "IDLE"
        m.d.comb += transmits.eq(~phase.ongoing("IDLE"))


def checked_slots(slots: int) -> int:
    """``slots`` if there can be so many."""
    if isinstance(slots, bool) or not isinstance(slots, int) or not 2 <= slots <= 64 or slots & (slots - 1):
        raise InputError(f"slots for replies must be a power of two from 2 to 64, not {slots!r}")
    return slots
