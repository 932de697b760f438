"""Sums over positions: products are added exactly at their addresses; a first product begins a sum; a sum can be applied."""
import random
from types import SimpleNamespace

import pytest
from amaranth.hdl import Elaboratable, Module, Signal, signed
from amaranth.lib import data
from amaranth.sim import Simulator

from hdl.gathered_sums import GatheredSums
from planted_bugs import planted

WORDS, BITS, SCALE, ADDRESS = 6, 20, 3, 3
READ, ADDED, WRITTEN = 3, 5, 6            # clocks from an item's issue, as its table has them


class Gathering(Elaboratable):
    """A unit as far as these sums see it."""

    def __init__(self, sums_class):
        self.array = SimpleNamespace(operand_scale=SCALE, gathered_bits=BITS, gathered_words=WORDS)
        self.control = Signal(data.StructLayout({"sum_read": ADDRESS, "sum_write": ADDRESS, "gather": 1, "gather_first": 1,
                                                 "apply": 1}))
        self.product, self.change, self.sums_class = Signal(signed(BITS)), Signal(signed(BITS + SCALE)), sums_class

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.change.eq(self.sums_class(m, self, self.product).change())
        return m


def sums_differ(sums_class=GatheredSums, seed=0, clocks=400):
    """Products at random addresses, none twice in ``WRITTEN`` clocks, and sums read in between, beside a list in Python."""
    chance, unit, sums = random.Random(seed), Gathering(sums_class), [None] * WORDS
    issued, wrong = [None] * (WRITTEN + 1), []

    async def bench(ctx):
        for _ in range(clocks):
            busy = {item[1] for item in issued if item}
            free = [place for place in range(WORDS) if place not in busy]
            item, draw = None, chance.random()
            if free and draw < 0.8:
                place, first = chance.choice(free), chance.random() < 0.2
                if first or sums[place] is not None:
                    product = chance.choice([-1 << 12, (1 << 12) - 1, chance.randrange(-1 << 12, 1 << 12)])
                    item = ("apply", place, 0, 0) if draw < 0.2 and not first else ("gather", place, product, first)
            issued.insert(0, item)
            issued.pop()
            read, added, written = issued[READ], issued[ADDED], issued[WRITTEN]
            ctx.set(unit.control, {
                "sum_read": read[1] if read else chance.randrange(WORDS), "sum_write": written[1] if written else 0,
                "gather": bool(added) and added[0] == "gather", "gather_first": bool(added) and bool(added[3]),
                "apply": bool(added) and added[0] == "apply"})
            ctx.set(unit.product, added[2] << SCALE if added else chance.randrange(-1 << 14, 1 << 14))
            if added and added[0] == "apply" and ctx.get(unit.change) != sums[added[1]] << SCALE:
                wrong.append(added)
            if added and added[0] == "gather":
                if ctx.get(unit.change) != added[2] << SCALE:
                    wrong.append(added)
                sums[added[1]] = added[2] + (0 if added[3] else sums[added[1]])
            await ctx.tick()
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return wrong


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_exact(seed):
    assert sums_differ(seed=seed) == []


BUGS = {
    "a first product joins what was there": ("Mux(control.gather_first, Const(0, self.held.shape()), self.held)", "self.held"),
    "every product is a first one": ("Mux(control.gather_first, Const(0, self.held.shape()), self.held)",
                                     "Const(0, self.held.shape())"),
    "written a clock early": ("into.en.eq(gathers)", "into.en.eq(control.gather)"),
    "written where the next one is read": ("into.addr.eq(control.sum_write)", "into.addr.eq(control.sum_read)"),
    "bits of the scale stay": ("product[self.scale:]", "product[self.scale - 1:]"),
    "always applied": ("Mux(self.control.apply, Cat", "Mux(1, Cat"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    assert sums_differ(planted("hdl.gathered_sums", *BUGS[name]).GatheredSums) != []
