# amaranth: UnusedElaboratable=no
"""Sequencer: the control of every clock is that which the units need, without pauses; it comes to rest; bugs are found."""
import re
from dataclasses import replace

import pytest

from golden_model.fixed_point import Format
from golden_model.network import POPULATIONS, Formats, Integration, Learning, Network, Neuron
from hdl.array import output_latency
from hdl.design import Design
from hdl.program import Do, If, Tell
from hdl.sequencer import Sequencer
from planted_bugs import altered, planted_sequencer
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


def case(configuration, sequencer=Sequencer, change=None, images=9):
    """``change`` (``altered``) is made to the programs."""
    design = Design(**{name: configuration[name] for name in ("network", "units", "kind", "learns")})
    array = design.arrays[configuration["layer"]]
    component = sequencer(array, output_latency(array.first))
    if change is not None:
        component.texts = {name: altered(text, change) for name, text in component.texts.items()}
    return Case(component=FlatPorts(component),
                settings=configuration | {"network": configuration["network"].to_json(), "images": images, "seed": 3})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {name: case(configuration) for name, configuration in CONFIGURATIONS.items()}
    wrong = {name: case(CONFIGURATIONS["learns, folded"], **({"change": bug} if callable(bug) else {
        "sequencer": planted_sequencer(*bug)})) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "sequencer_bench")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_control_is_in_order_and_comes_to_rest(findings, name):
    assert not findings[name], findings[name]


def with_table(state, change):
    """For ``altered``: a state whose table has ``change(number of turn)`` in place of each row."""
    def changed(node):
        if getattr(node, "state", "") != state:
            return (node,)
        rows = tuple(replace(at, value=change(at.value)) if at.field == "row" else at for at in node.table.fields)
        return (replace(node, table=replace(node.table, fields=rows)),)
    return changed


RELEASE = If("last fold", (If("learn", (), (Tell("release"),)),))
LAYER = Design(network=NETWORK, units=(3, 3)).layers[1]
BUGS = {
    "sum is latched too early": lambda node: (Do("DRAIN", 2),) if getattr(node, "state", "") == "DRAIN" else (node,),
    "item amid the taps": ("hdl.sequencer", "{phase - 1 for phase in phases}",
                           "{phase - 1 for phase in phases} | {phases[0] - 2}"),
    "released before its last fold": lambda node: node.then if node == RELEASE else (node,),
    "parameter of the neuron before": ("hdl.parameter_access", "self.neuron.eq(access.neuron), self.unit.eq(0), base.eq(0)",
                                       "self.neuron.eq(access.neuron - (access.neuron != 0)), self.unit.eq(0), base.eq(0)"),
    "parameter of another fold": ("hdl.parameter_access", "m.d.sync += [self.unit.eq(0), base.eq(base + layer.rows)]",
                                  "m.d.sync += self.unit.eq(0)"),
    "token of another neuron": ("hdl.parameter_access", "self.sought & (self.sought_neuron == access.payload.neuron)",
                                "self.sought"),
    "token that an image has moved": ("hdl.parameter_access", "m.d.sync += self.sought.eq(0)", "pass"),
    "saved one row further": with_table("SAVE", lambda row: LAYER.state_row + (row - LAYER.state_row + 1) % POPULATIONS),
    "restored in the wrong order": with_table("RESTORE", lambda row: LAYER.state_row + (LAYER.state_row - row) % POPULATIONS),
    "never at rest": ("hdl.sequencer", "self.idle.eq(main.during(\"IDLE\") & rests", "self.idle.eq(Const(0) & rests"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*(must|only an image)", findings[name])
