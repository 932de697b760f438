"""Recurrent layers through the RTL: inferred and learnt with all states of all instants; planted bugs are noticed."""
import numpy as np
import pytest

import hdl.array
import hdl.emit
from golden_model.network import Formats, Integration, Learning, Network, Neuron, Wiring
from golden_model.parameters import Layer, initial
from hdl import emit
from hdl.design import Design
from planted_bugs import planted, planted_sequencer, planted_unit
from sim.cosim import cosim

NETWORK = Network(layers=(12, 6, 4, 3), seed=1, integration=Integration(dt=0.5, steps=3), formats=Formats(bracket="Q6.12"),
                  neuron=Neuron(input_population=3, output_population=1),
                  wiring=Wiring(layers=("recurrent 3 steps 2 K3 0.5", "full", "full")),
                  learning=Learning(epochs=2, halvings=1, dropout=0.0))
DESIGN = Design(network=NETWORK)


def compared():
    """Images with zeros, inferred and learnt, all states of all neurons, the parameters afterwards."""
    chance, formats = np.random.default_rng(3), NETWORK.formats
    values = [Layer(np.clip(4 * layer.weights, formats.weight.least, formats.weight.greatest),
                    chance.integers(-200, 200, layer.bias.shape), layer.coupling) for layer in initial(NETWORK, "fixed")]
    images = (chance.integers(0, 256, (8, 12)) * (chance.random((8, 12)) < 0.5)).astype(np.uint8)
    return cosim(DESIGN, values, images[:2], images, chance.integers(0, 3, 8), states=8, idle=0.1, stall=0.1)


def test_a_recurrent_layer_learns_as_the_golden_model():
    report = compared()
    assert (report.mismatches, report.learnt) == (0, 8)
    assert [(array.recurrent, array.units) for array in DESIGN.arrays] == [(True, 6), (False, 4)]


def test_its_memories_have_a_slot_for_each_instant_and_room_for_both_directions():
    array = DESIGN.arrays[0]
    assert array.gate_words == 0
    assert array.depth == 4 + 6 + 1 + 8 * (3 * 2 + 1)             # links of a frame, reciprocal links, the bias, states


BUGS = {
    "a frame is heard again": ("hdl.recurrence", "sequencer.further.eq(start & ~first)", "sequencer.further.eq(0)"),
    "u is that of the first frame": ("hdl.sequencer", 'latches = latches | main.strobe("latch frame")', "latches = latches"),
    "every image begins where the last one ended": ("hdl.recurrence", "half_step.eq(Cat(~half_step[0], half_step.any()))",
                                                    "half_step.eq(Cat(~half_step[0], 1))"),
    "an error meets a predictor": ("hdl.sequencer", "m.d.sync += self.half_step.eq(1) ", "m.d.sync += self.half_step.eq(0) "),
    "what was gained last meets the error": ("hdl.recurrence", "enters[0] & ~kick", "enters[0]"),
    "gates of the way back are an instant late": ("hdl.recurrence", 'with m.If(main.strobe("next point back"))',
                                                  'with m.If(main.strobe("next instant back"))'),
    "errors come to the next neuron": ("hdl.recurrence", "control.exchange_unit.eq(sequencer.count),",
                                       "control.exchange_unit.eq(sequencer.count + 1),"),
    "what is heard meets the next link": ("hdl.recurrence", "sequencer.index.eq(self.inputs + speaker)",
                                          "sequencer.index.eq(self.inputs + count)"),
    "the other end does not learn": ("hdl.recurrence", '("subtract", (self.quarter == 1) & reciprocal)',
                                     '("subtract", (self.quarter == 1) & 0)'),
    "r and s are of one instant": ("hdl.recurrence", "self.ahead.eq((self.quarter == 1) | (self.quarter == 2))",
                                   "self.ahead.eq(0)"),
    "an input is that of the first frame": ("hdl.recurrence", "point.eq(point + self.inputs)", "point.eq(point)"),
    "a sum begins with that of the word before": ("hdl.unit", "m.d.sync += accumulator.eq(0)",
                                                  "m.d.sync += accumulator.eq(accumulator)"),
    "what is gained is taken": ("hdl.exchange", "Mux(control.reverse, -gain, drive + gain)",
                                "Mux(control.reverse, gain, drive - gain)"),
    "gains grow where they are lost": ("hdl.exchange", "Mux(control.reverse, exchanged, -exchanged)",
                                       "Mux(control.reverse, exchanged, exchanged)"),
    "sums of reciprocal links are cut": ("hdl.adder_tree", "clamp(half_up(total, self.array.link_shift),",
                                         "clamp((total >> self.array.link_shift).as_signed(),"),
    "populations die": ("hdl.gate", "if array.recurrent else 0", "if False else 0"),
    "a ring that stands is taken for one that turns": (
        "hdl.bracket", "Mux(self.control.state_shift, x[MOTHER] + x[PREY], x[CHILD] + x[PREDATOR])", "x[MOTHER] + x[PREY]"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_noticed(name, monkeypatch):
    module, right, wrong = BUGS[name]
    monkeypatch.setattr(emit, "to_verilog", emit.to_verilog.__wrapped__)                # nothing that was kept before
    if module in ("hdl.recurrence", "hdl.sequencer"):
        monkeypatch.setattr(hdl.array, "Sequencer", planted_sequencer(module, right, wrong))
    elif module == "hdl.adder_tree":
        monkeypatch.setattr(hdl.array, "AdderTree", planted(module, right, wrong).AdderTree)
    else:
        unit = planted_unit(module, right, wrong)
        monkeypatch.setattr(hdl.emit, "Unit", unit)
        monkeypatch.setattr(hdl.array, "Unit", unit)
    assert compared().mismatches > 0
