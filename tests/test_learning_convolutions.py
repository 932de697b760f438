"""Convolutions that learn, through the RTL: two in a row, folded, errors back through both; planted bugs are noticed."""
import numpy as np
import pytest

import hdl.array
from golden_model.network import Integration, Learning, Network, Wiring
from golden_model.parameters import Layer, initial
from hdl import emit
from hdl.design import Design
from planted_bugs import planted, planted_sequencer
from sim.cosim import cosim

WORDS = ("convolution 2x3 stride 1 of 4x5x1", "convolution 2x2 stride 1 of 3x3x3", "full")
NETWORK = Network(layers=(20, 27, 8, 3), seed=1, integration=Integration(dt=0.5, steps=3), wiring=Wiring(layers=WORDS),
                  learning=Learning(epochs=2, halvings=1, dropout=0.0))
DESIGN = Design(network=NETWORK, units=(2, 2, 2))


def compared():
    """Images with zeros, inferred and learnt, all states of all neurons, the parameters afterwards."""
    chance, formats = np.random.default_rng(3), NETWORK.formats
    values = [Layer(np.clip(2 * layer.weights, formats.weight.least, formats.weight.greatest),
                    chance.integers(-200, 200, layer.bias.shape), layer.coupling) for layer in initial(NETWORK, "fixed")]
    images = (chance.integers(0, 256, (8, 20)) * (chance.random((8, 20)) < 0.5)).astype(np.uint8)
    return cosim(DESIGN, values, images[:2], images, chance.integers(0, 3, 8), states=8, idle=0.1, stall=0.1)


def test_two_convolutions_learn_as_the_golden_model():
    report = compared()
    assert (report.mismatches, report.learnt) == (0, 8)
    assert all(layer.gathers for layer in DESIGN.layers[:2])
    assert DESIGN.layers[1].clears
    assert DESIGN.layers[0].folds == 2


BUGS = {
    "sums of reverse links are not cleared": ("hdl.positions", "return Mux(self.window, ~cleared, first_fold)",
                                              "return Mux(self.window, 0, first_fold)"),
    "they begin anew with the first fold": ("hdl.positions", "return Mux(self.window, ~cleared, first_fold)",
                                            "return first_fold"),
    "zeros of the first position leave old sums": ("hdl.positions", '(main.during("GATHER") & (self.number == 0))', "0"),
    "every position begins the sums": ("hdl.positions", "sequencer.next.gather_first.eq(self.number == 0)",
                                       "sequencer.next.gather_first.eq(1)"),
    "reverse links of one input go to the next": ("hdl.adder_tree", "places[1].eq(places[0])", "places[1].eq(flags[1])"),
    "zeros have no reverse link": ("hdl.positions", "sequencer.dense.eq(sees | ", "sequencer.dense.eq("),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_noticed(name, monkeypatch):
    module, right, wrong = BUGS[name]
    monkeypatch.setattr(emit, "to_verilog", emit.to_verilog.__wrapped__)                # nothing that was kept before
    if module == "hdl.adder_tree":
        monkeypatch.setattr(hdl.array, "AdderTree", planted(module, right, wrong).AdderTree)
    else:
        monkeypatch.setattr(hdl.array, "Sequencer", planted_sequencer(module, right, wrong))
    assert compared().mismatches > 0
