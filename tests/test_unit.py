# amaranth: UnusedElaboratable=no
"""Processing unit: whole lives of neurons are those of the golden model, in every array; planted bugs are found."""
import re

import pytest

from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Learning, Network, Neuron
from hdl.design import Design
from hdl.unit import Unit
from planted_bugs import planted_unit
from testbenches.flat_ports import FlatPorts
from testbenches.run import Case, run_bench, verdicts

UNEQUAL = Neuron(K1=(0.5, -0.75, 0.25, 1.5, 0.0), K2=(0.5, 1.0, -0.25, 0.625, 0.5), K3=(1.0, 0.5, 0.0, 1.25, 0.75),
                 rest=(0.625, 0.75, 0.5, 1.0, 0.875), input_population=2, output_population=4)
SMALL = {"displacement": Format(9, 8), "drive": Format(13, 8), "error": Format(9, 8), "weight": Format(12, 10)}
THREE = Integration(dt=0.5, steps=3)
USUAL = {"network": Network(layers=(4, 3, 2), integration=THREE), "layer": 1, "units": (3, 2), "kind": "shift",
         "learns": True}
FORWARD = ["drive saturated", "extinct", "saturated"]
REVERSE = ["gate floor", "changed"]
ONE_EACH = Neuron(K1=(0.5,) * 5, K2=(-0.75,) * 5, K3=(0.625,) * 5, rest=(0.625,) * 5, input_population=2, output_population=4)
TIME_SHARED = "time-shared, folded"
HARDEST = "unequal K and rest, other places, rounded bracket, wide errors"
CONFIGURATIONS = {
    "usual": USUAL,
    "bytes come in": USUAL | {"layer": 0},
    "folded: state saved and restored": USUAL | {"units": (2, 1)},
    HARDEST: USUAL | {"network": Network(
        layers=(2, 3, 2), neuron=UNEQUAL, integration=THREE, learning=Learning(links=0.25, bias=0.5),
        formats=Formats(**SMALL | {"error": Format(11, 8)}, bracket=Format(14, 8), coupling=Format(5, 3)))},
    "unequal, folded, few learning rates": USUAL | {"units": (3, 1), "network": Network(
        layers=(2, 3, 2), neuron=UNEQUAL, integration=Integration(dt=0.25, steps=2),
        formats=Formats(**SMALL, coupling=Format(5, 3)), learning=Learning(links=2.0**-2, bias=2.0**-1, halvings=0))},
    "inference only": USUAL | {"learns": False},
    TIME_SHARED: USUAL | {"arrangement": "time-shared", "units": (2, 2), "network": Network(
        layers=(4, 5, 3), neuron=ONE_EACH, integration=THREE, learning=Learning(links=0.25, bias=0.5),
        formats=Formats(**SMALL | {"error": Format(11, 8)}, bracket=Format(14, 8), coupling=Format(5, 3)))},
    "time-shared, bytes come in": USUAL | {"arrangement": "time-shared", "units": (2, 2), "layer": 0},
    "time-shared, inference only": USUAL | {"arrangement": "time-shared", "units": (2, 2), "learns": False},
    "programmable": USUAL | {"kind": "programmable", "network": Network(
        layers=(2, 3, 2), neuron=Neuron(rest=(0.5, 0.75, 1.0, 0.625, 0.875), output_population=3),
        integration=Integration(dt=0.5, steps=2),
        formats=Formats(**SMALL, bracket=Format(14, 8), coupling=Format(6, 4)))},
    "programmable, folded": USUAL | {"kind": "programmable", "units": (3, 1), "network": Network(
        layers=(2, 3, 2), integration=Integration(dt=0.5, steps=2), formats=Formats(**SMALL, coupling=Format(4, 2)))},
}


def case(configuration, unit=Unit, neurons=40, coverage=()):
    network = configuration["network"]
    settings = {"target": "portable", "arrangement": "parallel"} | configuration
    design = Design(**{name: settings[name] for name in ("network", "units", "kind", "target", "learns", "arrangement")})
    array = next(array for array in design.arrays if design.layers[settings["layer"]] in array.layers)
    return Case(component=FlatPorts(unit(array)), settings=settings | {
        "network": network.to_json(), "neurons": neurons, "seed": 1, "coverage": coverage})


def right(name):
    coverage = FORWARD + (REVERSE if CONFIGURATIONS[name]["learns"] else [])
    if name in ("usual", HARDEST, TIME_SHARED):
        coverage += ["held"]
    if name == HARDEST:
        coverage += ["reverse saturated"]
    return case(CONFIGURATIONS[name], coverage=coverage)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    wrong = {name: case(CONFIGURATIONS[TIME_SHARED if name in OF_TIME_SHARED else HARDEST], planted_unit(*bug))
             for name, bug in (BUGS | OF_TIME_SHARED).items()}
    return verdicts(tmp_path_factory.mktemp("benches"), {name: right(name) for name in CONFIGURATIONS} | wrong, "unit_bench")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_neuron_is_that_of_the_golden_model(findings, name):
    assert not findings[name], findings[name]


def test_verilator_sees_the_same_unit(tmp_path):
    run_bench(tmp_path, case(CONFIGURATIONS[HARDEST], neurons=100), "unit_bench", simulator="verilator")


BUGS = {
    "overflow is written": ("hdl.word_update", "writes & enough", "writes"),
    "bias is held like a weight": ("hdl.word_update", "control.load | control.bias_row)", "control.load)"),
    "reverse gate without floor": ("hdl.ring", "population, control.gate_floor)", "population, control.gate_floor & 0)"),
    "extinct ones fall on": ("hdl.unit", "clamp(rounded, s.bits), control.reverse,", "clamp(rounded, s.bits), Const(1, 1),"),
    "half step is not rounded": ("hdl.unit", "Cat(Const(1, 1), change)", "Cat(Const(0, 1), change)"),
    "half step wraps": ("hdl.unit", "clamp(rounded, s.bits)", "rounded[:s.bits].as_signed()"),
    "predictor is gated like a corrector": ("hdl.unit", 'Cat(Const(0, 1), gates["predictor_gate"])', 'gates["predictor_gate"]'),
    "drive is not rounded": ("hdl.unit", "len(drive))), accumulator.eq(1 << shift >> 1)", "len(drive))), accumulator.eq(0)"),
    "update is cut off": ("hdl.word_update", "(Cat(Const(1, 1), word)", "(Cat(Const(0, 1), word)"),
    "all units write": ("hdl.word_update", "& (selected | ~control.write_one)", ""),
}


OF_TIME_SHARED = {
    "gates of all neurons in one place": ("hdl.ring", '"addr": address', '"addr": control.gate_place'),
    "gate of the forward circuit in both": ("hdl.ring", "Mux(control.reverse, gate, here)", "here"),
    "step starts written whenever they are read": ("hdl.ring", "keep.en.eq(control.start_write)", "keep.en.eq(1)"),
    "overflow of one port is written": ("hdl.word_update", "control.judge & enough", "control.judge"),
    "bias of one port is held like a link": ("hdl.word_update", "Mux(control.bias_row, fits", "Mux(0, fits"),
    "all units load": ("hdl.word_update", "control.load_one & selected", "control.load_one"),
    "all units take an error": ("hdl.selection", "control.accumulate_one & self.selected", "control.accumulate_one"),
}


@pytest.mark.parametrize("name", [*BUGS, *OF_TIME_SHARED])
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*(must be|must occur|writes|the token decides|the number decides)", findings[name])
