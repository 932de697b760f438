"""From the line to the core: packets are checked, kept until they are whole, and passed on once and in order."""
from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from boards import packets
from boards.bit_crc import BitCrc
from boards.packets import HostFlag
from golden_model.errors import InputError
from hdl.memory_ports import read_port, write_port
from hdl.skid_buffer import Word

LEAST_SIZE, MOST_SIZE = 256, 1 << 15
SHORTEST = packets.HOST_HEADER + packets.CHECK_BYTES


class RequestBuffer(wiring.Component):
    """A ring of bytes. What arrives is written behind its end and counts only when the packet's CRC was right.

    ::

        bytes --> CRC (one bit a clock)
              --> ring --------------> chunk --> 32-bit word --> to_core
                  ^ write ^ accepted   ^ read

    A packet is taken over if its sequence number is ``expected`` and the ring had room for it; otherwise it changes nothing
    but ``missing``. So each is taken over once, however often it is sent, and nothing that waits is ever overwritten.

    Parameters
    ----------
    size : int
        Bytes of the ring, a power of two from 256 to 32768.

    Members
    -------
    data : In(8), valid : In(1), end : In(1), intact : In(1)
        Packets, from a ``CobsDecoder``. After a byte nothing may come for eight clocks.
    to_core : Out(stream of Word)
        Frames.
    heard : Out(1)
        An intact packet has come. In that clock:
    ask, again, open : Out(1), number : Out(8)
        What it wants; see ``boards.packets``.
    expected, room, flags : Out(8)
        For the header of packets to the host. ``expected`` and ``room`` must be those of one clock.

    Memory: the ring. No multiplier.
    """

    def __init__(self, size: int) -> None:
        self.size = checked_size(size)
        super().__init__({
            "data": In(8), "valid": In(1), "end": In(1), "intact": In(1), "to_core": Out(stream.Signature(Word)),
            "heard": Out(1), "ask": Out(1), "again": Out(1), "open": Out(1), "number": Out(8),
            "expected": Out(8), "room": Out(8), "flags": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=8, depth=self.size, init=[], attrs={"no_rw_check": 1})
        put, get = write_port(ring, "put"), read_port(ring, "get")
        bits = self.size.bit_length() - 1
        accepted, write, read = (Signal(bits + 1, name=name) for name in ("accepted", "write", "read"))
        missing, missing_round, frame_open, last_round = (
            Signal(name="missing"), Signal(name="missing_round"), Signal(name="frame_open"), Signal(name="last_round"))
        free = Signal(bits, name="free")
        m.d.comb += [free.eq(read[:bits] + ~accepted[:bits]), self.room.eq(free[bits - 8:]),
                     self.flags.eq(Cat(missing, missing_round, frame_open, last_round) | bits << 4)]
        self._receive(m, put, accepted, write, read, missing, missing_round, last_round)
        self._deliver(m, get, accepted, read, frame_open)
        return m

    def _receive(self, m: Module, put: memory.WritePort, accepted: Signal, write: Signal, read: Signal, missing: Signal,
                 missing_round: Signal, last_round: Signal) -> None:
        bits = self.size.bit_length() - 1
        m.submodules.crc = crc = BitCrc()
        byte, to_check = Signal(8, name="byte"), Signal(range(9), name="to_check")    # the CRC takes a bit of it in each clock
        count = Signal(range(SHORTEST + 2), name="count")    # bytes so far, as far as it matters
        flags, known = Signal(4, name="flags"), Signal(name="known")    # of the first byte; its protocol is ours
        # sequence number right; ring overrun; ring full
        in_order, beyond, full = Signal(name="in_order"), Signal(name="beyond"), Signal(name="full")
        m.d.comb += [crc.data.eq(byte[0]), crc.valid.eq(to_check != 0), put.addr.eq(write[:bits]), put.data.eq(byte),
                     full.eq((write[:bits] == read[:bits]) & (write[bits] != read[bits])),
                     crc.start.eq(self.valid & (count == 0))]
        with m.If(to_check != 0):
            m.d.sync += [byte.eq(byte >> 1), to_check.eq(to_check - 1)]
        with m.If(self.valid):
            m.d.sync += [byte.eq(self.data), to_check.eq(8)]
        with m.If(to_check[3]):                                        # the byte is whole
            with m.If(count != SHORTEST + 1):
                m.d.sync += count.eq(count + 1)
            with m.Switch(count):
                with m.Case(0):
                    m.d.sync += [flags.eq(byte[:4]), known.eq(byte[4:] == packets.PROTOCOL), write.eq(accepted), beyond.eq(0)]
                with m.Case(1):
                    m.d.sync += self.number.eq(byte)
                with m.Case(2):
                    m.d.sync += in_order.eq(byte == self.expected)
                with m.Default():
                    m.d.comb += put.en.eq(~full & ~beyond)
                    m.d.sync += [write.eq(write + 1), beyond.eq(beyond | full)]
        with m.If(self.end):
            m.d.sync += count.eq(0)

        chunks, round_ = Signal(name="chunks"), Signal(name="round_")    # there are chunks in it
        m.d.comb += [
            self.heard.eq(self.end & self.intact & (count[3] | count[:3].all()) & crc.intact & known),
            chunks.eq(count == SHORTEST + 1), round_.eq((flags & HostFlag.ROUND).any()),
            self.ask.eq((flags & HostFlag.ASK).any()), self.again.eq((flags & HostFlag.AGAIN).any()),
            self.open.eq((flags & HostFlag.OPEN).any())]
        with m.If(self.heard):
            m.d.sync += last_round.eq(round_)
        with m.If(self.heard & chunks):
            with m.If(in_order & ~beyond):
                m.d.sync += [accepted.eq(write - packets.CHECK_BYTES), self.expected.eq(self.expected + 1), missing.eq(0)]
            with m.Else():                                             # says so once in a round
                with m.If(~missing | (missing_round != round_)):
                    m.d.comb += self.ask.eq(1)
                m.d.sync += [missing.eq(1), missing_round.eq(round_)]

    def _deliver(self, m: Module, get: memory.ReadPort, accepted: Signal, read: Signal, frame_open: Signal) -> None:
        bits = self.size.bit_length() - 1
        there = Signal(name="there")
        # inside: the core waits for the rest of a frame
        last, zeros, inside = Signal(name="last"), Signal(name="zeros"), Signal(name="inside")
        # words of the chunk, bytes of the word
        left, place = Signal(range(packets.MOST_COUNT + 1), name="left"), Signal(range(4), name="place")
        word = Signal(32, name="word")
        m.d.comb += [there.eq(read != accepted), get.addr.eq(read[:bits]), self.to_core.payload.data.eq(word),
                     self.to_core.payload.last.eq(last & (left == 1))]
        with m.FSM() as phase:
            with m.State("IDLE"), m.If(there):
                m.next = "CHUNK"
            with m.State("CHUNK"):
                m.d.sync += [Cat(left, zeros, last).eq(get.data), read.eq(read + 1), word.eq(0), place.eq(0)]
                m.next = "BEGIN"
            with m.State("BEGIN"):
                with m.If(left == 0):
                    m.next = "IDLE"
                with m.Elif(zeros):
                    m.next = "WORD"
                with m.Elif(there):
                    m.next = "BYTE"
            with m.State("BYTE"):
                m.d.sync += [word.eq(Cat(word[8:], get.data)), read.eq(read + 1), place.eq(place + 1)]
                m.next = "BEGIN"
                with m.If(place == 3):
                    m.next = "WORD"
            with m.State("WORD"):
                m.d.comb += self.to_core.valid.eq(1)
                with m.If(self.to_core.ready):
                    m.d.sync += [left.eq(left - 1), inside.eq(~self.to_core.payload.last)]
                    m.next = "BEGIN"
        m.d.comb += frame_open.eq(inside | ~phase.ongoing("IDLE"))


def checked_size(size: int) -> int:
    """``size`` if a ring can have it."""
    if isinstance(size, bool) or not isinstance(size, int) or not LEAST_SIZE <= size <= MOST_SIZE or size & (size - 1):
        raise InputError(f"the buffer for requests must be a power of two from {LEAST_SIZE} to {MOST_SIZE} bytes, not {size!r}")
    return size
