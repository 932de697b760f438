"""Packets and chunks on the host's side: there and back, and damage that is noticed."""
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boards import packets
from boards.packets import ChipFlag, Frames, HostFlag
from golden_model.errors import InputError

WORDS = st.lists(st.one_of(st.just(0), st.integers(0, 2**32 - 1)), min_size=1, max_size=200)


@settings(max_examples=50)
@given(st.lists(WORDS, max_size=4), st.integers(1, 63), st.randoms(use_true_random=False))
def test_frames_become_chunks_and_frames_again_however_they_are_cut(requests, most, chance):
    data = b"".join(chunk for request in requests for chunk in packets.chunks(request, most))
    frames, result = Frames(), []
    while data:
        count = chance.randint(1, 40)
        result += frames.feed(data[:count])
        data = data[count:]
    assert result == requests


def test_zeros_are_not_sent():
    assert packets.chunks([7, *[0] * 70, 9]) == [b"\x01\x07\0\0\0", b"\x7f", b"\x47", b"\x81\x09\0\0\0"]
    assert packets.chunks([0]) == [b"\xc1"]
    assert Frames().feed(b"\0\0\x40\x80\xc1") == [[0]]           # chunks of no words mean nothing


def test_a_frame_of_nothing_is_refused():
    with pytest.raises(InputError, match=f"^{re.escape('a frame must have one word or more, not none')}$"):
        packets.chunks([])


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=300))
def test_what_goes_over_the_line_has_no_zero_before_its_end(content):
    line = packets.to_line(content)
    assert line.index(0) == len(line) - 1
    assert packets.from_line(line[:-1]) == content


def test_every_single_changed_bit_is_noticed():
    line = packets.host_packet(HostFlag.ASK, 3, 4, b"\x01\x02\x03\x04\0")[:-1]
    for bit in range(8 * len(line)):
        variant = bytearray(line)
        variant[bit // 8] ^= 1 << bit % 8
        assert all(packets.from_line(part) is None for part in bytes(variant).split(b"\0"))


def test_noise_is_no_packet():
    chance = random.Random(1)
    assert not any(packets.from_line(chance.randbytes(chance.randrange(40))) for _ in range(20_000))


def test_a_packet_from_the_chip():
    packet = packets.chip_packet(bytes([9, 77, ChipFlag.MISSING | ChipFlag.ROUND | 11 << 4, 5, 128, 1, 2]))
    assert (packet.number, packet.session, packet.expected, packet.chunks) == (9, 77, 5, b"\1\2")
    assert packet.flags == ChipFlag.MISSING | ChipFlag.ROUND
    assert (packet.buffer, packet.free) == (2048, 1024)
    assert packets.chip_packet(b"1234") is None
