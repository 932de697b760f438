# amaranth: UnusedElaboratable=no
"""A layer of processing units: infers, sends errors back and learns as the golden model does; planted bugs are found."""
import re

import pytest

from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Learning, Network, Neuron
from hdl import array, weights
from hdl.array import ProcessingArray, control_module, unit_module
from hdl.control import ControlRegister
from hdl.design import Design
from hdl.parts import Modules
from hdl.unit import Unit
from planted_bugs import planted
from testbenches.flat_ports import FlatPorts
from testbenches.run import Case, run_bench, verdicts

NO_STALLS = "no stalls"
TWO = Integration(dt=0.5, steps=2)
FAST = Learning(links=0.25, bias=0.5)
SMALL = {"displacement": Format(9, 8), "drive": Format(12, 8), "error": Format(9, 8), "weight": Format(12, 10)}
UNEQUAL = Neuron(K1=(0.5, -0.75, 0.25, 1.5, 0.0), K2=(0.5, 1.0, -0.25, 0.625, 0.5), K3=(1.0, 0.5, 0.0, 1.25, 0.75),
                 input_population=2, output_population=4)
USUAL = {"network": Network(layers=(5, 3, 4), integration=TWO, learning=FAST), "layer": 1, "units": (3, 4), "kind": "shift",
         "learns": True}
FOLDED = USUAL | {"units": (3, 3), "network": Network(
    layers=(2, 3, 4), neuron=UNEQUAL, integration=TWO, learning=FAST, formats=Formats(**SMALL, coupling=Format(5, 3)))}
CONFIGURATIONS = {
    "usual": USUAL,
    "folded, unequal units": FOLDED,
    "first layer, serial": USUAL | {"layer": 0, "units": (1, 4)},
    "inference only, folded": FOLDED | {"learns": False},
    "programmable, folded": USUAL | {"kind": "programmable", "units": (2, 2), "network": Network(
        layers=(2, 2, 4), integration=TWO, learning=FAST, formats=Formats(**SMALL, coupling=Format(4, 2)))},
}


def case(configuration, layer_class=ProcessingArray, unit=Unit, **options):
    design = Design(**{name: configuration[name] for name in ("network", "units", "kind", "learns")})
    served = design.arrays[configuration["layer"]]
    parts = {control_module(served): ControlRegister(served), unit_module(served): unit(served)}
    setup = configuration | {"network": configuration["network"].to_json(), "images": 6, "stalls": 0.3, "seed": 2} | options
    return Case(component=FlatPorts(layer_class(served, Modules())), settings=setup, parts=parts)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {name: case(configuration) for name, configuration in CONFIGURATIONS.items()}
    right[NO_STALLS] = case(FOLDED, images=12, stalls=0)
    wrong = {name: case(USUAL, planted("hdl.array", *bug).ProcessingArray) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "array_bench", memories=weights.verilog(2, "portable"))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_layer_is_that_of_the_golden_model(findings, name):
    assert not findings[name], findings[name]


@pytest.mark.long                         # compiling takes most of the time
def test_verilator_sees_the_same_layer(tmp_path):
    run_bench(tmp_path, case(FOLDED, images=30), "array_bench", simulator="verilator", memories=weights.verilog(2, "portable"))


def test_a_layer_keeps_up_with_sides_that_do_not_hesitate(findings):
    assert not findings[NO_STALLS], findings[NO_STALLS]


BUGS = {
    "every unit is the first": ('"first": Const(int(number == 0), 1)', '"first": Const(1, 1)'),
    "token comes from the wrong side": ("tokens[number - 1] if number else", "tokens[0] if number else"),
    "an output is left out": ("value = value | output", "value = value | (output if output is not outputs[0] else 0)"),
    "products in one place": ("tree.products[number].eq(product)", "tree.products[number].eq(products[0])"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*must be", findings[name])


def test_outputs_are_joined_eight_at_a_time():
    network = Network(layers=(2, 65))
    levels = [array.output_latency(Design(network=network, units=(units,)).layers[0]) for units in (1, 8, 9, 64, 65)]
    assert levels == [1, 1, 2, 2, 3]
