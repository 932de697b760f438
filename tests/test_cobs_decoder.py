"""The COBS decoder against the ``cobs`` package: packets of every kind, blocks of 254, damage."""
import random

from amaranth.sim import Simulator
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.cobs_decoder import CobsDecoder


def decoded(line, seed=0):
    """(bytes, intact) of each packet that ends in ``line``, with random pauses."""
    decoder, packets, packet, chance = CobsDecoder(), [], bytearray(), random.Random(seed)

    async def bench(ctx):
        nonlocal packet
        for byte in line:
            ctx.set(decoder.data, byte)
            ctx.set(decoder.valid, 1)
            if ctx.get(decoder.decoded_valid):
                packet.append(ctx.get(decoder.decoded))
            if ctx.get(decoder.end):
                packets.append((bytes(packet), bool(ctx.get(decoder.intact))))
                packet = bytearray()
            await ctx.tick()
            if chance.random() < 0.2:
                ctx.set(decoder.valid, 0)
                ctx.set(decoder.data, chance.randrange(256))
                assert not ctx.get(decoder.decoded_valid | decoder.end)
                await ctx.tick()

    simulator = Simulator(decoder)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return packets


def test_blocks_of_254_and_more_and_zeros_around_them():
    packets = [bytes(count * [7]) + end for count in (252, 253, 254, 255, 508, 509) for end in (b"", b"\0", b"\0\1", b"\1\0")]
    assert decoded(b"".join(cobs.encode(packet) + b"\0" for packet in packets)) == [(packet, True) for packet in packets]


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from([0, 0, 1, 2, 255]), max_size=20).map(bytes), max_size=8), st.integers(0, 9))
def test_packets_of_any_kind(packets, seed):
    line = b"\0\0" + b"".join(cobs.encode(packet) + b"\0" for packet in packets)
    assert decoded(line, seed) == [(packet, True) for packet in packets]


@settings(max_examples=60)
@given(st.binary(max_size=40))
def test_it_agrees_with_the_package_on_what_is_intact(line):
    expected = []
    for part in (line + b"\0").split(b"\0")[:-1]:
        if part:
            try:
                expected.append(cobs.decode(part))
            except cobs.DecodeError:
                expected.append(None)
    assert [packet if intact else None for packet, intact in decoded(line + b"\0")] == expected


def test_after_a_cut_packet_the_next_one_is_whole():
    assert decoded(cobs.encode(b"12345")[:3] + b"\0" + cobs.encode(b"67") + b"\0")[1] == (b"67", True)
