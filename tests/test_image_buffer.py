# amaranth: UnusedElaboratable=no
"""Image buffer: every play of every image is its list of nonzero bytes, without bubbles, whatever the stalls."""
import random
import re

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.errors import InputError
from hdl.image_buffer import LATENCY, MOST_INPUTS, ImageBuffer
from hdl.yosys import converted
from planted_bugs import planted


def listed(image):
    """What a play of ``image`` must give: (index, value, last)."""
    return [(k, byte, 0) for k, byte in enumerate(image) if byte] + [(len(image), 0, 1)]


def padded_words(image, filling):
    """The image as 32-bit words, the last one filled with ``filling``."""
    whole = bytes(image) + bytes([filling] * (-len(image) % 4))
    return [int.from_bytes(whole[k:k + 4], "little") for k in range(0, len(whole), 4)]


async def until(ctx, flag):
    for _ in range(5_000):
        if ctx.get(flag):
            return
        await ctx.tick()
    raise AssertionError(f"{flag.name} never comes")


async def write_image(ctx, dut, image, learn, pauses, filling=0xA5, commit=True):
    """Write word by word; ``pauses()`` idles; commit with the last word or after it, or discard."""
    await until(ctx, dut.ready)
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
        assert clock < 5_000, "the list does not end"
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


def play_all(images, seed, slow, buffer=ImageBuffer):
    """Write and play ``images``: some are discarded first, plays are repeated or broken off, both sides pause at random."""
    dut = buffer(len(images[0]))
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
            await until(ctx, dut.available)
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
            if chance.random() < 0.5:                     # together with the commit of the next image, if it comes
                for _ in range(15):
                    if ctx.get(dut.commit):
                        break
                    await ctx.tick()
            ctx.set(dut.release, 1)
            await ctx.tick()
            ctx.set(dut.release, 0)
        assert not ctx.get(dut.available)

    simulate(dut, writer, player)


@given(images=images_of_any_size, seed=st.integers(0, 2**32), slow=st.sampled_from([0, 0.3, 0.8]))
@settings(max_examples=60)
def test_every_play_is_the_list_of_its_image_without_bubbles(images, seed, slow):
    play_all(images, seed, slow)


def play_many(buffer):
    chance = random.Random(5)
    for seed in range(30):
        images = [[chance.choice([0, 0, 1, 255]) for _ in range(10)] for _ in range(5)]
        play_all(images, seed, slow=(seed % 3) / 4, buffer=buffer)


BUGS = {
    "beyond the inputs": ("beyond = 4 * (self.words - 1) + k >= self.inputs", "beyond = 0"),
    "discard forgets nothing": ("Mux(self.commit | self.discard, 0, following)", "Mux(self.commit, 0, following)"),
    "last entry is not counted": ("following.eq(entries + into.en)", "following.eq(entries + (into.en & ~self.commit))"),
    "one bank": ("m.d.sync += [writing.eq(~writing),", "m.d.sync += ["),
    "flag of the other bank": ("self.learn.eq(learns.bit_select(playing, 1))", "self.learn.eq(learns[0])"),
    "a third image is let in": ("self.ready.eq(waiting != 2)", "self.ready.eq(1)"),
    "release and commit at once": ("with m.If(self.commit & ~self.release):", "with m.If(self.commit):"),
    "restart goes on": ("position.eq(Mux(self.start, 0, row))", "position.eq(row)"),
    "offer stays after a restart": ("active.eq(0), self.items.valid.eq(0)", "active.eq(0)"),
    "bubble": ("final.eq(end | ~several)", "final.eq(end | ~left.any())"),
    "fetches only when empty": ("fetching & (advance | ~fetched)", "fetching & ~fetched"),
    "item changes while it waits": ("move.eq(~self.items.valid | self.items.ready)", "move.eq(1)"),
    "bytes in the wrong order": ("~left[0] & (left[1] | ~left[2])", "~left[0] & (left[1] & ~left[2])"),
    "one of two bytes is lost": ("(left[2] & left[3])", "0"),
    "end has a value": ("item.index.eq(self.inputs), item.value.eq(0)", "item.index.eq(self.inputs)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    wrong = planted("hdl.image_buffer", *BUGS[name]).ImageBuffer
    with pytest.raises(AssertionError):
        play_many(wrong)


@pytest.mark.parametrize("inputs", [0, -3, 65_520, 2.0, True, "784"])
def test_a_number_of_inputs_that_frames_cannot_address_is_refused(inputs):
    message = f"inputs must be a whole number from 1 to {MOST_INPUTS}, not {inputs!r}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        ImageBuffer(inputs)


def test_memory_has_a_row_for_every_word_of_two_images():
    """784 inputs: 196 words, so 2 x 256 rows of number (8 bits), nonzero bytes (4), bytes (32)."""
    text = converted(ImageBuffer(784), "image_buffer")[0]
    assert re.search(r"reg \[43:0\] bank\b.* \[511:0\]", text)
