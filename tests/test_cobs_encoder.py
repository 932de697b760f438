"""The COBS encoder against the ``cobs`` package, as it lies in memory."""
from amaranth.sim import Simulator
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.cobs_encoder import MOST_BYTES, CobsEncoder


def encoded(packets):
    """What lies in the memory after each of the packets, up to its zero."""
    encoder, memory, line = CobsEncoder(), bytearray(b"\xEE" * 256), []

    async def strobe(ctx, name, data=0):
        ctx.set(encoder.data, data)
        ctx.set(getattr(encoder, name), 1)
        if ctx.get(encoder.write_enable):
            memory[ctx.get(encoder.write_address)] = ctx.get(encoder.write_data)
        await ctx.tick()
        ctx.set(getattr(encoder, name), 0)

    async def bench(ctx):
        for packet in packets:
            await strobe(ctx, "start")
            for count, byte in enumerate(packet, 1):
                await strobe(ctx, "put", byte)
                assert ctx.get(encoder.place) == count + 1
            await strobe(ctx, "close")
            await strobe(ctx, "close")
            line.append(bytes(memory[:memory.index(0) + 1]))

    simulator = Simulator(encoder)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return line


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from([0, 0, 1, 2, 255]), max_size=20).map(bytes), max_size=5))
def test_packets_of_any_kind(packets):
    assert encoded(packets) == [cobs.encode(packet) + b"\0" for packet in packets]


def test_the_longest_packets():
    packets = [bytes(MOST_BYTES * [7]), bytes(MOST_BYTES), bytes([0, *(MOST_BYTES - 2) * [1], 0]), b""]
    assert encoded(packets) == [cobs.encode(packet) + b"\0" for packet in packets]
