# amaranth: UnusedElaboratable=no
"""The serial line: every byte at many divisors, senders that are too fast or too slow, lines that are held low."""
import re

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from boards.uart import MOST_DIVISOR, UartReceiver, UartTransmitter
from golden_model.errors import InputError


def run(component, *benches):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


def bits_of(byte):
    return [0, *(byte >> k & 1 for k in range(8)), 1]


def received(divisor, waveform):
    """Bytes that a receiver takes from levels, one a clock."""
    receiver, result = UartReceiver(divisor), []

    async def bench(ctx):
        for level in [1] * 4 + waveform + [1] * 4:
            ctx.set(receiver.rx, level)
            await ctx.tick()
            if ctx.get(receiver.valid):
                result.append(ctx.get(receiver.data))

    run(receiver, bench)
    return result


def waveform(data, bit, gap=0):
    """Levels of bytes whose bits last ``bit`` clocks, which need not be whole."""
    levels, edges = [level for byte in data for level in bits_of(byte) + [1] * gap], []
    for index, level in enumerate(levels):
        edges += [level] * (round((index + 1) * bit) - round(index * bit))
    return edges


@pytest.mark.parametrize("divisor", [2, 3, 4, 5, 8, 24])
def test_what_is_sent_is_received(divisor):
    data = list(range(256)) if divisor == 4 else [0, 255, 0x55, 0xAA, 1, 128]
    m = Module()
    m.submodules.transmitter = transmitter = UartTransmitter(divisor)
    m.submodules.receiver = receiver = UartReceiver(divisor)
    m.d.comb += receiver.rx.eq(transmitter.tx)
    results = []

    async def send(ctx):
        for byte in data:
            ctx.set(transmitter.i.payload, byte)
            ctx.set(transmitter.i.valid, 1)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)
        await ctx.tick().repeat(11 * divisor)

    async def listen(ctx):
        for _ in range(len(data) * (10 * divisor + 1) + 5 * divisor):
            await ctx.tick()
            if ctx.get(receiver.valid):
                results.append(ctx.get(receiver.data))

    run(m, send, listen)
    assert results == data


def test_the_transmitter_holds_each_bit_for_the_divisor():
    transmitter, levels = UartTransmitter(5), []

    async def bench(ctx):
        ctx.set(transmitter.i.payload, 0xC5)
        ctx.set(transmitter.i.valid, 1)
        assert ctx.get(transmitter.tx) == 1
        await ctx.tick()
        ctx.set(transmitter.i.valid, 0)
        while not ctx.get(transmitter.i.ready):
            levels.append(ctx.get(transmitter.tx))
            await ctx.tick()
        assert ctx.get(transmitter.tx) == 1

    run(transmitter, bench)
    assert levels == [level for bit in bits_of(0xC5) for level in [bit] * 5]


@pytest.mark.parametrize("off", [0.96, 0.98, 1.02, 1.04])
def test_senders_may_be_off_by_four_percent(off):
    data = [0x00, 0xFF, 0x7F, 0x80, 0x55]
    assert received(24, waveform(data, 24 * off)) == data


@pytest.mark.parametrize("off", [0.9, 1.1])
def test_more_is_too_much(off):
    assert received(24, waveform([0x7F, 0x80], 24 * off)) != [0x7F, 0x80]


def test_gaps_between_bytes_of_any_length():
    for gap in range(3):
        assert received(8, waveform([1, 2, 3], 8, gap)) == [1, 2, 3]


def test_a_short_pulse_is_no_start_bit():
    assert received(8, [0] * 3 + [1] * 20 + waveform([0x5A], 8)) == [0x5A]


def test_a_line_held_low_gives_one_byte_and_then_waits_for_high():
    assert received(8, [0] * 500 + [1] * 8 + waveform([0x5A], 8)) == [0, 0x5A]


@pytest.mark.parametrize("divisor", [1, 0, -4, MOST_DIVISOR + 1, 8.0, True])
@pytest.mark.parametrize("part", [UartReceiver, UartTransmitter])
def test_divisors_that_cannot_be_are_refused(part, divisor):
    message = (f"divisor must be a whole number of clocks from 2 to 65536 for each bit of the serial line, not {divisor!r}; "
               f"choose another clock or baud rate")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        part(divisor)
