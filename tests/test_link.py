# amaranth: UnusedElaboratable=no
"""The gateware of the host link, byte by byte, with a small core behind it: what it answers, ignores, repeats and keeps."""
import random
import re

import pytest

from boards import packets, virtual
from boards.fit import network_for
from boards.link import HostLink
from boards.packets import ChipFlag, Frames, HostFlag
from boards.reply_buffer import ReplyBuffer
from boards.request_buffer import RequestBuffer
from boards.virtual_chip import VirtualChip
from golden_model.errors import InputError
from hdl import frames
from hdl.design import Design
from small_core import small_core

NETWORK = network_for("ice40", (6, 3))
BYTE = 40                                 # clocks of a byte at divisor 4
SLOTS, BUFFER = 2, 512
NONE = HostFlag(0)


@pytest.fixture(scope="module")
def library():
    return virtual.library(Design(network=NETWORK, target="ice40"), 4, small_core(NETWORK))


@pytest.fixture
def wire(library):
    return Wire(library)


class Wire:
    """A chip fresh from power-up, and the host's side of its line, without any cleverness."""

    def __init__(self, library):
        self.chip, self.number, self.left, self.frames = VirtualChip(library, 4), 0, b"", Frames()

    def raw(self, data, patience=2000):
        """Send bytes; returns the packets that come until nothing has come for a while."""
        self.chip.send(data)
        quiet = 0
        while quiet < patience:
            came = self.chip.run(BYTE)
            quiet = 0 if came or self.chip.waiting else quiet + BYTE
            self.left += came
        *lines, self.left = self.left.split(b"\0")
        packet = [packets.chip_packet(packets.from_line(line)) for line in lines]
        assert None not in packet
        return packet

    def packet(self, flags=NONE, sequence=0, *requests, number=None):
        """Send one packet, acknowledging what was seen unless told otherwise."""
        chunks = b"".join(chunk for request in requests for chunk in packets.chunks(request))
        result = self.raw(packets.host_packet(flags, self.number if number is None else number, sequence, chunks))
        if result and number is None:
            self.number = (result[-1].number + 1) % 256
        return result

    def replies(self, result):
        return [frames.parse(reply) for packet in result for reply in self.frames.feed(packet.chunks)]

    def learnt(self, sequence):
        reply, = self.replies(self.packet(NONE, sequence, frames.status()))
        return frames.status_report(reply).learnt


LEARN = [frames.header(frames.Opcode.LEARN, 0, 1), 0x01020304, 0]


def test_a_session_is_opened(wire):
    packet, = wire.packet(HostFlag.OPEN | HostFlag.ASK, number=77)
    assert (packet.number, packet.session, packet.flags, packet.expected, packet.room) == (0, 77, ChipFlag(0), 0, 255)
    assert (packet.buffer, packet.free, packet.chunks) == (BUFFER, 510, b"")


def test_a_frame_gets_its_reply(wire):
    packet, = wire.packet(NONE, 0, frames.status())
    assert (packet.number, packet.expected, packet.session) == (0, 1, 0)
    reply, = wire.replies([packet])
    assert frames.status_report(reply).digest == frames.digest_word(NETWORK.digest)


def test_without_being_asked_it_says_nothing_of_its_own(wire):
    assert wire.packet() == []
    assert len(wire.packet(HostFlag.ASK)) == 1


def test_what_comes_twice_is_done_once(wire):
    first = wire.packet(NONE, 0, LEARN)
    second = wire.packet(NONE, 0, LEARN)
    assert [packet.expected for packet in first + second] == [1, 1]
    assert len(wire.replies(first)) == 1
    assert (second[0].chunks, second[0].flags) == (b"", ChipFlag.MISSING)
    assert wire.learnt(1) == 1


def test_what_is_missing_is_said_once_in_a_round(wire):
    packet, = wire.packet(NONE, 3, LEARN)
    assert (packet.expected, packet.flags) == (0, ChipFlag.MISSING)
    assert wire.packet(NONE, 4, LEARN) == []
    packet, = wire.packet(HostFlag.ROUND, 4, LEARN)
    assert packet.flags == ChipFlag.MISSING | ChipFlag.MISSING_ROUND | ChipFlag.ROUND
    assert wire.packet(HostFlag.ROUND, 5, LEARN) == []
    packet, = wire.packet(HostFlag.ASK)
    assert packet.flags == ChipFlag.MISSING | ChipFlag.MISSING_ROUND      # the round of this packet, and of that one
    packet, = wire.packet(NONE, 0, LEARN)
    assert (packet.expected, packet.flags & ChipFlag.MISSING, len(wire.replies([packet]))) == (1, 0, 1)


def test_frames_in_pieces_and_several_in_a_packet(wire):
    chunks = b"".join(packets.chunks(LEARN, 1))
    wire.raw(packets.host_packet(NONE, 0, 0, chunks[:5]))
    packet, = wire.packet(HostFlag.ASK)
    assert packet.flags == ChipFlag.FRAME_OPEN
    packet = wire.raw(packets.host_packet(NONE, wire.number, 1, chunks[5:] + chunks + b"\0\x40\x80"))
    assert len(wire.replies(packet)) == 2
    wire.number = packet[-1].number + 1
    assert wire.learnt(2) == 2
    assert ChipFlag.FRAME_OPEN not in wire.packet(HostFlag.ASK)[0].flags


@pytest.mark.parametrize("line", [
    packets.host_packet(HostFlag.ASK, 0, 0, b"\x81\1\0\0\0")[:-3] + b"\x55\0",                # CRC
    packets.to_line(bytes([HostFlag.ASK | packets.PROTOCOL + 1 << 4, 0, 0])),                # another protocol
    packets.to_line(bytes([HostFlag.ASK | packets.PROTOCOL << 4, 0])),                       # too short
    packets.to_line(b""), b"\0\0\0", b"\x05\x01\0", b"\xff" * 700 + b"\0",
    packets.host_packet(HostFlag.ASK, 0)[:4] + b"\0"])
def test_what_is_not_a_packet_is_ignored(wire, line):
    assert wire.raw(line) == []
    assert len(wire.packet(HostFlag.ASK)) == 1


def test_replies_are_kept_until_they_are_acknowledged(wire):
    first = wire.packet(HostFlag.ASK, number=0)
    second = wire.packet(NONE, 0, frames.status(), number=0)
    assert wire.packet(NONE, 1, frames.status(), number=0) == []                     # both slots are taken
    assert wire.packet(HostFlag.AGAIN, number=0) == first + second
    third = wire.packet(NONE, number=1)                                              # one has come
    assert [packet.number for packet in third] == [2]
    assert wire.packet(HostFlag.AGAIN, number=1) == second + third
    assert wire.packet(HostFlag.AGAIN, number=3) == []
    assert wire.packet(HostFlag.AGAIN, number=3) == []


def test_acknowledgements_of_what_was_never_sent_are_ignored(wire):
    first = wire.packet(HostFlag.ASK, number=0)
    assert wire.packet(HostFlag.AGAIN, number=2) == first
    assert wire.packet(HostFlag.AGAIN, number=1) == []


def test_opening_drops_what_was_kept(wire):
    wire.packet(NONE, 0, frames.status(), number=0)
    packet, = wire.packet(HostFlag.OPEN | HostFlag.ASK | HostFlag.AGAIN, number=5)
    assert (packet.number, packet.session, packet.expected, packet.chunks) == (1, 5, 1, b"")


def test_numbers_go_round(wire):
    for count in range(300):
        packet, = wire.packet(NONE, count % 256, frames.reset())
        assert (packet.number, packet.expected) == (count % 256, (count + 1) % 256)


def test_nothing_that_waits_is_overwritten(wire):
    """A host that sends more than there is room for: what does not fit is refused as a whole, the rest is answered."""
    requests = [frames.read(0, 1, index % 5, 2) for index in range(10)]
    chunks = b"".join(chunk for request in requests for chunk in packets.chunks(request))
    results = [packet for sequence in range(20)
               for packet in wire.raw(packets.host_packet(NONE, 0, sequence, chunks), 400)]
    assert len(results) == SLOTS
    replies = wire.replies(results)
    while more := wire.packet(HostFlag.ASK, number=(results[-1].number + 1) % 256):
        results, replies = more, replies + wire.replies(more)
        if more[-1].room == 255 and not more[-1].chunks:
            break
    taken = results[-1].expected
    assert BUFFER // len(chunks) <= taken < 10
    assert [reply.argument for reply in replies] == [2] * taken * len(requests)
    assert results[-1].flags == ChipFlag.MISSING


def test_a_long_frame_passes_through_a_small_buffer(wire):
    """Longer than the buffer, so that it flows on while it arrives; the core refuses it, for it is too long."""
    frame = [*LEARN, *range(1, 301)]
    for sequence, chunk in enumerate(packets.chunks(frame)):
        replies = wire.raw(packets.host_packet(NONE, 0, sequence, chunk))
    reply, = wire.replies(replies)
    assert reply.status is frames.Status.LONG


def test_random_bytes_change_nothing(wire):
    chance = random.Random(5)
    wire.packet(NONE, 0, frames.write(0, 1, 0, range(1, 8)))
    assert wire.raw(chance.randbytes(20_000)) == []
    wire.raw(b"\0")
    packet, = wire.packet(NONE, 1, frames.read(0, 1, 0, 7))
    assert packet.expected == 2
    assert wire.replies([packet])[0].words == tuple(range(1, 8))
    assert wire.learnt(2) == 0


@pytest.mark.parametrize("buffer", [128, 300, 1 << 16, 512.0, True])
def test_buffers_that_cannot_be_are_refused(buffer):
    message = f"the buffer for requests must be a power of two from 256 to 32768 bytes, not {buffer!r}"
    for part in (lambda: RequestBuffer(buffer), lambda: HostLink(4, buffer)):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            part()


@pytest.mark.parametrize("slots", [1, 3, 128, 2.0, True])
def test_slots_that_cannot_be_are_refused(slots):
    message = f"slots for replies must be a power of two from 2 to 64, not {slots!r}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        ReplyBuffer(slots)
