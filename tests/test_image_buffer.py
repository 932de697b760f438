"""Image buffer: every play of every image is its list of nonzero bytes, without bubbles, whatever the stalls."""
import random

from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hdl.image_buffer import LATENCY, ImageBuffer


def listed(image):
    """What a play of ``image`` must give: (index, value, last)."""
    return [(k, byte, 0) for k, byte in enumerate(image) if byte] + [(len(image), 0, 1)]


def padded_words(image, filling):
    """The image as 32-bit words, the last one filled with ``filling``."""
    whole = bytes(image) + bytes([filling] * (-len(image) % 4))
    return [int.from_bytes(whole[k:k + 4], "little") for k in range(0, len(whole), 4)]


async def write_image(ctx, dut, image, learn, pauses, filling=0xA5, commit=True):
    """Write word by word; ``pauses()`` idles; commit with the last word or after it, or discard."""
    while not ctx.get(dut.ready):
        await ctx.tick()
    words = padded_words(image, filling)
    late = pauses()
    for number, word in enumerate(words):
        while pauses():
            await ctx.tick()
        ctx.set(dut.write, 1)
        ctx.set(dut.number, number)
        ctx.set(dut.word, word)
        if commit and not late and number == len(words) - 1:
            ctx.set(dut.commit, 1)
            ctx.set(dut.committed_learn, learn)
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.commit, 0)
    if late or not commit:
        ctx.set(dut.commit if commit else dut.discard, 1)
        ctx.set(dut.committed_learn, learn)
        await ctx.tick()
        ctx.set(dut.commit, 0)
        ctx.set(dut.discard, 0)


async def start_play(ctx, dut):
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


async def take_items(ctx, dut, stalls, limit=None):
    """Items until ``last`` (or ``limit`` of them), with the clock of each, counted from the start strobe."""
    taken, clock = [], 1
    while not (taken and taken[-1][0][2]) and (limit is None or len(taken) < limit):
        ready = not stalls()
        ctx.set(dut.items.ready, ready)
        item = dut.items.payload
        if ready and ctx.get(dut.items.valid):
            taken.append(((ctx.get(item.index), ctx.get(item.value), ctx.get(item.last)), clock))
        await ctx.tick()
        clock += 1
        assert clock < 100_000, "the list does not end"
    ctx.set(dut.items.ready, 0)
    return taken


def simulate(dut, *benches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


images_of_any_size = st.integers(1, 21).flatmap(lambda size: st.lists(
    st.lists(st.sampled_from([0, 0, 0, 1, 2, 128, 255]), min_size=size, max_size=size), min_size=1, max_size=5))


@given(images=images_of_any_size, seed=st.integers(0, 2**32), slow=st.sampled_from([0, 0.3, 0.8]))
@settings(max_examples=60)
def test_every_play_is_the_list_of_its_image_without_bubbles(images, seed, slow):
    """Discarded images leave no trace, plays are repeated or broken off and restarted, both sides pause at random."""
    dut = ImageBuffer(len(images[0]))
    chance = random.Random(seed)

    def pause():
        return chance.random() < slow

    async def writer(ctx):
        for number, image in enumerate(images):
            if chance.random() < 0.3:
                await write_image(ctx, dut, image[::-1], 1, pause, commit=False)
            await write_image(ctx, dut, image, number % 2, pause)

    async def player(ctx):
        for number, image in enumerate(images):
            while not ctx.get(dut.available):
                await ctx.tick()
            for _ in range(chance.randrange(1, 4)):
                assert ctx.get(dut.learn) == number % 2
                if chance.random() < 0.5:
                    await start_play(ctx, dut)
                    broken_off = await take_items(ctx, dut, pause, limit=chance.randrange(4))
                    assert [item for item, _ in broken_off] == listed(image)[:len(broken_off)]
                await start_play(ctx, dut)
                taken = await take_items(ctx, dut, pause)
                assert [item for item, _ in taken] == listed(image)
                if not slow:
                    assert [clock for _, clock in taken] == [LATENCY + k for k in range(len(taken))]
                for _ in range(chance.randrange(3)):
                    assert not ctx.get(dut.items.valid), "an item after the last one"
                    await ctx.tick()
                assert ctx.get(dut.available)
            ctx.set(dut.release, 1)
            await ctx.tick()
            ctx.set(dut.release, 0)
        assert not ctx.get(dut.available)

    simulate(dut, writer, player)
