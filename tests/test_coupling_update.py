# amaranth: UnusedElaboratable=no
"""The operation with which K learn: its table, driven clock by clock into the datapath, against the golden model."""
import random

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from golden_model.arithmetic import Fixed
from golden_model.learning import coupling_products
from golden_model.network import POPULATIONS, Formats, Learning, Network
from hdl.bracket import ProgrammableBracket
from hdl.choices import COUPLINGS
from hdl.control import control_layout
from hdl.coupling_update import CouplingUpdate
from hdl.design import Design
from hdl.layer_design import K_STATES
from hdl.multiplier import Multiplier
from hdl.program import update_of_K
from planted_bugs import planted

LONG = Formats(bracket="Q6.12", coupling="Q2.22")
NETWORKS = {
    "all, 24 bits": Network(layers=(2, 1), formats=LONG, learning=Learning(K1=2.0**-5, K2=2.0**-5, K3=2.0**-5, halvings=4)),
    "each at its own rate": Network(layers=(2, 1), formats=LONG, learning=Learning(
        K1=2.0**-6, K2=2.0**-4, K3=2.0**-7, halvings=2, K3_minimum=0.75)),
    "K3 alone, short words": Network(layers=(2, 1), formats=Formats(bracket="Q6.12", coupling="Q2.7"), learning=Learning(
        K3=0.5, halvings=0)),
    "K2 alone": Network(layers=(2, 1), formats=Formats(bracket="Q6.12", coupling="Q2.15"),
                        learning=Learning(K2=0.25, halvings=1)),
    "sums are not shifted at all": Network(layers=(2, 1), formats=Formats(
        displacement="Q1.6", drive="Q3.6", error="Q1.6", bracket="Q6.6", coupling="Q2.12"),
        learning=Learning(K1=1.0, halvings=0)),
}


class Datapath(wiring.Component):
    """Multiplier, bracket and update of one unit, its ring in the hands of the bench."""

    def __init__(self, design, update=CouplingUpdate):
        self.array, self.update = design.arrays[0], update
        s, word = signed(self.array.formats.displacement.bits), signed(self.array.first.K_bits)
        super().__init__({"control": In(control_layout(self.array)), **{f"head_{n}": In(s) for n in range(POPULATIONS)},
                          "fetched": In(signed(self.array.word_bits)), "K_fetched": In(word), "K_word": In(word),
                          "K_data": Out(word), "K_enable": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier = multiplier = Multiplier(self.array.design.operand_bits)
        bracket, update = ProgrammableBracket(m, self), self.update(m, self)
        ring = [getattr(self, f"head_{place}") for place in range(POPULATIONS)]
        broadcast = Signal(signed(self.array.broadcast_bits))
        m.d.sync += broadcast.eq(bracket.own(ring, Signal(signed(4))))
        m.d.comb += [multiplier.a.eq(update.operand()), multiplier.b.eq(bracket.operand(
            ring, broadcast, Signal(signed(4)), multiplier.product))]
        update.write(bracket.exact, 1, ring[0])
        return m


def words(chance, to, shape, extreme):
    choices = [to.least, to.least + 1, 0, to.greatest - 1, to.greatest]
    return np.vectorize(lambda _: chance.choice(choices) if extreme else chance.randint(to.least, to.greatest))(np.zeros(shape))


def learnt_by_table(network, cases, table, update=CouplingUpdate):
    """The words of K that a unit is left with: for each case r, s, K and a rate shift of the fastest K."""
    design = Design(network=network, kind="programmable")
    layer, dut = design.layers[0], Datapath(design, update)
    rate_shifts = network.learning.rate_shifts(0)
    of_control = {at.field for at in table.fields} & set(control_layout(design.arrays[0]).members)
    controls = [{at.field: at.value for at in table.fields if at.clock == clock} for clock in range(table.cycles + 2)]
    results = []

    async def bench(ctx):
        for r, s, K, rate_shift in cases:
            memory = dict(enumerate([*K.reshape(-1).tolist(), *s.tolist()]))
            fetched = word = turned = 0
            for now in controls:
                ctx.set(dut.K_fetched, fetched)
                ctx.set(dut.K_word, word)
                for place in range(POPULATIONS):
                    ctx.set(getattr(dut, f"head_{place}"), int(r[-(turned + place) % POPULATIONS]))
                slower = (rate_shifts[COUPLINGS[now.get("K_kind", 0)]] or 0) - design.K_rate_shifts().start
                places = layer.K_shift - layer.K_places - rate_shift - slower if now.get("K_state") else 0
                ctx.set(dut.control, {name: now.get(name, 0) for name in of_control} | {"K_places": places})
                if ctx.get(dut.K_enable):
                    memory[now["K_written"]] = ctx.get(dut.K_data)
                word, fetched = fetched, memory[now.get("K_row", 0)]
                turned += now.get("state_shift", 0)
                await ctx.tick()
            assert [memory[K_STATES + place] for place in range(POPULATIONS)] == s.tolist()
            results.append(np.array([memory[place] for place in range(K_STATES)]).reshape(3, POPULATIONS))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def learnt_by_definition(network, r, s, K, rate_shift):
    slower = rate_shift - min(n for name in COUPLINGS if (n := network.learning.rate_shifts(0)[name]) is not None)
    learning = {name: getattr(network.learning, name) * 2.0**-slower for name in COUPLINGS}
    arithmetic = Fixed(network.with_learning(**learning, halvings=0))
    products = coupling_products(r[:, None, None], s[:, None, None])
    return np.stack([arithmetic.updated_coupling(K[k][:, None], products[k], name, 0, 0)
                     for k, name in enumerate(COUPLINGS)])[:, :, 0]


def cases(network, count, seed=1):
    chance, formats = random.Random(seed), network.formats
    minimum, rates = round(network.learning.K3_minimum * formats.coupling.one), Design(
        network=network, kind="programmable").K_rate_shifts()
    result = []
    for _ in range(count):
        r, s = (words(chance, formats.displacement, POPULATIONS, chance.random() < 0.4) for _ in range(2))
        K = words(chance, formats.coupling, (3, POPULATIONS), chance.random() < 0.4)
        rate_shift, one = chance.choice(rates), formats.coupling.one
        change = learnt_by_definition(network, r, s, np.full_like(K, one), rate_shift)[2] - one     # 0 where it does not fit
        K[2] = [chance.choice([int(word), min(max(minimum - step - chance.choice([0, 1]), formats.coupling.least),
                                              formats.coupling.greatest)]) for word, step in zip(K[2], change, strict=True)]
        result.append((r, s, K, rate_shift))
    return result


@pytest.mark.parametrize("name", NETWORKS)
def test_every_K_learns_as_in_the_golden_model(name):
    network = NETWORKS[name]
    drawn, held, below, changed = cases(network, 40), 0, 0, 0
    results = learnt_by_table(network, drawn, update_of_K(network.learning))
    for (r, s, K, rate_shift), result in zip(drawn, results, strict=True):
        right = learnt_by_definition(network, r, s, K, rate_shift)
        assert result.tolist() == right.tolist()
        free = learnt_by_definition(network, r, s, np.zeros_like(K) + round(network.learning.K3_minimum), rate_shift)
        for k, coupling in enumerate(COUPLINGS):
            if getattr(network.learning, coupling):
                changed += int((right[k] != K[k]).sum())
                ends = np.abs(K[k]) > network.formats.coupling.greatest - 2
                held += int((ends & (right[k] == K[k]) & (free[k] != 0)).sum())
        below += int((right[2] == round(network.learning.K3_minimum * network.formats.coupling.one)).sum())
    assert changed > 50
    assert held > 0
    assert below > 5 or not network.learning.K3


def test_the_ring_and_the_memory_are_used_once_a_clock():
    for network in NETWORKS.values():
        table = update_of_K(network.learning)
        used = [(at.clock, at.field) for at in table.fields]
        assert len(used) == len(set(used))
        written = [at for at in table.fields if at.field == "K_written"]
        assert len(written) == POPULATIONS * sum(getattr(network.learning, name) > 0 for name in COUPLINGS)


def altered(table, change):
    return type(table)(table.name, tuple(change(at) for at in table.fields))


BUGS = {
    "sum is cut off": ("Cat(Const(1, 1), word)", "Cat(Const(0, 1), word)"),
    "overflow is written": ("updated, fits(updated, self.coupling.bits) &", "updated, Const(1, 1) &"),
    "minimum is one step too low": ("(updated < minimum)", "(updated < minimum - 1)"),
    "minimum is one step too high": ("(updated < minimum)", "(updated <= minimum)"),
    "every K has a minimum": ("self.control.K_third & (updated", "(updated"),
    "no K has a minimum": ("self.control.K_third & (updated", "0 & (updated"),
    "rate is not applied": ("<< control.K_places", "<< 0"),
    "low half of a displacement alone": ("fetched[:array.formats.displacement.bits].as_signed()",
                                         "fetched[:array.formats.displacement.bits - 1].as_signed()"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    network = NETWORKS["each at its own rate"]
    drawn = cases(network, 25)
    update = planted("hdl.coupling_update", *BUGS[name]).CouplingUpdate
    results = learnt_by_table(network, drawn, update_of_K(network.learning), update)
    assert any((result != learnt_by_definition(network, *case)).any() for case, result in zip(drawn, results, strict=True))


WRONG_TABLES = {
    "the other end of a coupling": lambda at: type(at)(at.clock, at.field, K_STATES + (at.value - K_STATES + 1) % POPULATIONS)
    if at.field == "K_row" and at.value >= K_STATES else at,
    "a product too early": lambda at: type(at)(at.clock - 1, at.field, at.value)
    if at.field == "self_enable" and at.clock else at,
    "everything is added": lambda at: type(at)(at.clock, at.field, 0) if at.field == "bracket_subtract" else at,
    "the sum goes on": lambda at: type(at)(at.clock, at.field, 0) if at.field == "bracket_first" and at.clock > 20 else at,
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_a_wrong_table_is_found(name):
    network = NETWORKS["all, 24 bits"]
    drawn = cases(network, 5)
    results = learnt_by_table(network, drawn, altered(update_of_K(network.learning), WRONG_TABLES[name]))
    assert any((result != learnt_by_definition(network, *case)).any() for case, result in zip(drawn, results, strict=True))
