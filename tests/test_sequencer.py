# amaranth: UnusedElaboratable=no
"""Sequencer: the control of every clock is that which the units need, without pauses; it comes to rest; bugs are found."""
import re
from dataclasses import replace

import pytest

from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Learning, Network, Neuron
from hdl.array import output_latency
from hdl.design import Design
from hdl.sequencer import Sequencer
from planted_bugs import planted
from testbenches.flat_ports import FlatPorts
from testbenches.run import Case, verdicts

NETWORK = Network(layers=(5, 3, 4), integration=Integration(dt=0.5, steps=2), learning=Learning(links=0.25, bias=0.5))
USUAL = {"network": NETWORK, "layer": 1, "units": (3, 4), "kind": "shift", "learns": True, "stalls": 0.3, "accesses": 40}
PROGRAMMABLE = {"kind": "programmable", "network": Network(
    layers=(3, 2, 4), integration=Integration(dt=0.5, steps=2), learning=Learning(links=0.25, bias=0.5),
    formats=Formats(bracket=Format(18, 12)))}
CONFIGURATIONS = {
    "learns": USUAL,
    "learns, folded": USUAL | {"units": (3, 3)},
    "infers, no stalls": USUAL | {"learns": False, "stalls": 0, "accesses": 0},
    "infers, folded, no stalls": USUAL | {"learns": False, "units": (3, 2), "stalls": 0, "accesses": 0},
    "infers, folded": USUAL | {"learns": False, "units": (3, 2)},
    "programmable": USUAL | PROGRAMMABLE | {"units": (2, 4)},
    "programmable, folded": USUAL | PROGRAMMABLE | {"units": (2, 3)},
    "other places": USUAL | {"units": (3, 3), "network": replace(NETWORK,
                                                                 neuron=Neuron(input_population=2, output_population=4))},
}


def case(configuration, sequencer=Sequencer, images=9):
    design = Design(**{name: configuration[name] for name in ("network", "units", "kind", "learns")})
    layer = design.layers[configuration["layer"]]
    return Case(component=FlatPorts(sequencer(layer, output_latency(layer))),
                settings=configuration | {"network": configuration["network"].to_json(), "images": images, "seed": 3})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {name: case(configuration) for name, configuration in CONFIGURATIONS.items()}
    wrong = {name: case(CONFIGURATIONS["learns, folded"], planted("hdl.sequencer", *bug).Sequencer)
             for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "sequencer_bench")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_control_is_in_order_and_comes_to_rest(findings, name):
    assert not findings[name], findings[name]


BUGS = {
    "sum is latched too early": ("m.d.sync += drain.eq(DRAIN - 1)", "m.d.sync += drain.eq(1)"),
    "item amid the taps": ("{phase - 1 for phase in phases}", "{phase - 1 for phase in phases} | {phases[0] - 2}"),
    "released before its last fold": ("self.release.eq(last_fold & ~learn)", "self.release.eq(~learn)"),
    "parameter of the neuron before": ("neuron.eq(access.neuron), unit.eq(0), base.eq(0)",
                                       "neuron.eq(Mux(access.neuron == 0, 0, access.neuron - 1)), unit.eq(0), base.eq(0)"),
    "parameter of another fold": ("m.d.sync += [unit.eq(0), base.eq(base + layer.rows)]", "m.d.sync += unit.eq(0)"),
    "token of another neuron": ("sought & (sought_neuron == self.access.payload.neuron)", "sought"),
    "token that an image has moved": ("sought.eq(0), fold", "fold"),
    "saved one row further": ("(neuron.output_population + turn) % POPULATIONS for",
                              "(neuron.output_population + turn + 1) % POPULATIONS for"),
    "restored in the wrong order": ("order = [-turn % POPULATIONS for turn in range(POPULATIONS)]",
                                    "order = [turn % POPULATIONS for turn in range(POPULATIONS)]"),
    "never at rest": ("machine.ongoing(\"IDLE\") & self.links_idle & ~self.full", "self.full"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*(must|only an image)", findings[name])
