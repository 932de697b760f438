"""The walker of a convolution's window: every play is what the golden model says the window sees, in the clock that is told."""
import random
from collections import Counter

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden_model.wirings.convolution import Convolution
from hdl.window import LATENCY, ImagePoints, WindowList
from planted_bugs import planted

WINDOWS = ["convolution 2x3 stride 1 of 4x5x1", "convolution 3x2 stride 2 of 6x5x3", "convolution 1x1 stride 1 of 2x2x1",
           "convolution 2x2 stride 3 of 5x6x2", "convolution 3x4 stride 1 of 3x4x1", "convolution 1x1 stride 1 of 1x1x1",
           "convolution 2x1 stride 2 of 7x4x4"]


def every_window(most):
    """All of at most so many rows, columns and channels."""
    sides = range(1, most + 1)
    return [Convolution((a, b), stride, height, width, depth) for height in sides for width in sides for depth in sides
            for a in range(1, height + 1) for b in range(1, width + 1) for stride in range(1, max(height, width) + 1)]


def plays(window, image, stalls, list_class=WindowList, seed=0):
    """The items of each position and whether zeros are played, with their clocks and places: two walks over all positions."""
    chance, played = random.Random(seed), []
    dut = list_class(window, 8)

    async def bench(ctx):
        async def clock(**values):
            for name, value in values.items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
        for number, value in enumerate(image):
            await clock(written_valid=1, written=int(value), written_last=number == len(image) - 1)
        ctx.set(dut.written_valid, 0)
        for _ in range(2):
            for position in range(window.positions):
                for again in range(1 + (position == 1)):                  # a play may be broken off and begun anew
                    dense = chance.randrange(2)
                    ctx.set(dut.dense, dense)
                    await clock(start=1, begin=position == 0 and not again, further=position > 0 and not again)
                    ctx.set(dut.start, 0), ctx.set(dut.begin, 0), ctx.set(dut.further, 0)
                    items, now = [], 1
                    while not items or not items[-1][2]:
                        assert now < 4 * (window.taps + 1) * (1 + 100 * (stalls > 0)) + 20, "a play must end"
                        ready = chance.random() >= stalls
                        ctx.set(dut.items.ready, ready)
                        if ctx.get(dut.items.valid) and ready:
                            payload = dut.items.payload
                            items.append((ctx.get(payload.index), ctx.get(payload.value), ctx.get(payload.last),
                                          ctx.get(dut.place), now))
                        await ctx.tick()
                        now += 1
                        if again == 0 and position == 1 and len(items) == 1:
                            break                                          # what was on offer is withdrawn
                    else:
                        played.append((position, dense, items))
                    ctx.set(dut.items.ready, 0)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return played


def compared(window, stalls=0.0, list_class=WindowList, seed=0):
    """Counts of what was met; an assertion fails where a play is not what the window sees."""
    image = np.random.default_rng(seed).integers(0, 256, window.inputs) * (np.random.default_rng(seed + 1).random(
        window.inputs) < 0.6)
    patches, places = window.patches(image[None])[0], window.bases()[:, None] + window.offsets()
    met = Counter()
    for position, dense, items in plays(window, image.tolist(), stalls, list_class, seed):
        taps = [tap for tap in range(window.taps) if dense or patches[position, tap]]
        assert [item[:3] for item in items[:-1]] == [(tap, patches[position, tap], 0) for tap in taps], "taps must be right"
        assert items[-1][:3] == (window.taps, 0, 1), "the bias must come last"
        assert [item[3] for item in items[:-1]] == [places[position, tap] for tap in taps], "places must be those of the inputs"
        if not stalls:
            assert [item[4] for item in items] == [LATENCY + tap for tap in [*taps, window.taps]], "a tap must take a clock"
        met[f"dense {dense}"] += 1
        met["zeros left out"] += len(taps) < window.taps
    return met


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("words", WINDOWS)
def test_every_play_is_what_the_window_sees(words, stalls):
    met = Counter()
    for seed in range(2):
        met += compared(Convolution.parse(words), stalls, seed=seed)
    assert min(met["dense 0"], met["dense 1"]) > 0


def test_no_window_of_few_rows_columns_and_channels_is_read_outside_its_image():
    windows = every_window(2)
    assert len(windows) == 34
    for window in windows:
        compared(window)


@pytest.mark.long
def test_no_window_of_up_to_four_rows_columns_and_channels_is_read_outside_its_image():
    for window in every_window(4):
        compared(window)


BUGS = {
    "the window goes on by a point": ("step = window.stride * window.depth", "step = window.depth"),
    "the last column is left out": ("column == window.columns - 1", "column == max(window.columns - 2, 0)"),
    "rows of the window follow one another": ("place.eq(place + (down - across + 1))", "place.eq(place + 1)"),
    "zeros are played": ("value.any() | self.dense", "1"),
    "zeros are never played": ("value.any() | self.dense |", "value.any() |"),
    "an item changes while it waits": ("go.eq(~items.valid | items.ready)", "go.eq(1)"),
    "offer stays after a restart": ("active.eq(0), items.valid.eq(0), *(", "active.eq(0), *("),
    "what was fetched stays after a restart": ("*(flag.eq(0) for flag in there)", ""),
    "the bias has a value": ("items.payload.value.eq(Mux(taps[1] == window.taps, 0, value))", "items.payload.value.eq(value)"),
    "the first position is the last one": ("with m.If(begins):", "with m.If(0):"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    bugged = planted("hdl.window", *BUGS[name]).WindowList

    def all_compared():
        for words in WINDOWS[:2]:
            for stalls in (0.0, 0.5):
                compared(Convolution.parse(words), stalls, bugged)
    with pytest.raises(AssertionError, match="must"):
        all_compared()


@pytest.mark.parametrize("image", [[0] * 6, [5] * 6, [0, 7, 0, 0, 255, 0], [1, 0, 0, 0, 0, 2], [3]])
def test_points_of_an_image_come_one_a_clock_from_its_list(image):
    dut, played = ImagePoints(len(image)), []
    entries = [(index, value) for index, value in enumerate(image) if value] + [(len(image), 0)]

    async def bench(ctx):
        for _ in range(2):
            left = list(entries)
            ctx.set(dut.load, 1)
            await ctx.tick()
            ctx.set(dut.load, 0)
            await ctx.tick().repeat(2)
            for _ in range(len(image) + 3):
                ctx.set(dut.items.valid, 1)
                ctx.set(dut.items.payload, {"index": left[0][0], "value": left[0][1], "last": len(left) == 1})
                if ctx.get(dut.written_valid):
                    played.append((ctx.get(dut.written), ctx.get(dut.written_last)))
                if ctx.get(dut.items.ready):
                    left.pop(0)
                await ctx.tick()
            ctx.set(dut.items.valid, 0)
            assert left == entries[-1:], "the end of the list stays"
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert played == 2 * [(value, place == len(image) - 1) for place, value in enumerate(image)]
