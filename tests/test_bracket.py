# amaranth: UnusedElaboratable=no
"""Wired bracket circuits: every bracket is that of the golden circuits; their parts; planted bugs are found."""
import re

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from golden_model.fixed_point import Format
from golden_model.network import Formats, Network, Neuron
from hdl.bracket import WiredBracket, multiple
from hdl.design import Design
from hdl.layer_design import signed_digits
from planted_bugs import planted
from testbenches.bracket_circuit import BracketCircuit
from testbenches.run import Case, verdicts
from testbenches.side_by_side import SideBySide

RIGHT = "unchanged"
UNEQUAL = {"K1": (0.5, -0.75, 0.25, 1.5, 0.0), "K2": (0.5, 1.0, -0.25, 0.625, 0.5), "K3": (1.0, 0.5, 0.0, 1.25, 0.75)}
NEURONS = {
    "uniform": Neuron(),
    "uniform_two_rates": Neuron(K1=(0.5,) * 5, K2=(-0.75,) * 5, K3=(0.25,) * 5, input_population=3, output_population=2),
    "no_coupling": Neuron(K1=(0.0,) * 5, K2=(0.0,) * 5, K3=(0.0,) * 5),
    "unequal": Neuron(**UNEQUAL, input_population=2, output_population=4),
    "unequal_self_limitation": Neuron(K3=(1.0, 0.5, 0.25, 0.0, 1.5)),
    "unequal_overcoming": Neuron(K2=(0.0, 0.5, 0.5, 1.0, 0.5), input_population=4, output_population=0),
}
FORMATS = {
    "usual": Formats(),
    "narrow": Formats(displacement=Format(7, 6), drive=Format(9, 6), error=Format(7, 6), weight=Format(8, 6)),
    "rounded": Formats(bracket=Format(16, 12)),
    "coarse": Formats(displacement=Format(10, 9), drive=Format(12, 9), error=Format(10, 9), weight=Format(13, 11),
                      bracket=Format(12, 9)),
    "finer": Formats(displacement=Format(7, 6), drive=Format(10, 6), error=Format(7, 6), weight=Format(8, 6),
                     bracket=Format(11, 7)),
}


PAIRS = [("uniform", "usual"), *[(neuron, formats) for neuron in NEURONS for formats in FORMATS if formats != "usual"]]


def network(neuron, formats):
    coupling = Format(3, 1) if formats == "usual" else Format(5, 3)
    word = FORMATS[formats]
    entries = {name: getattr(word, name) for name in ("displacement", "drive", "error", "weight", "bracket")}
    return Network(layers=(3, 2), neuron=NEURONS[neuron], formats=Formats(**entries, coupling=coupling))


def case(pairs, bracket=WiredBracket, rings=60):
    networks = {f"{neuron}_{formats}": network(neuron, formats) for neuron, formats in pairs}
    top = SideBySide({name: BracketCircuit(Design(network=options).arrays[0], bracket) for name, options in networks.items()})
    units = {name: {"network": options.to_json(), "layer": 0} for name, options in networks.items()}
    return Case(component=top, settings={"units": units, "rings": rings, "seed": 1})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    wrong = {name: case([("unequal", "rounded")], planted("hdl.bracket", *bug).WiredBracket) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), {RIGHT: case(PAIRS)} | wrong, "bracket_bench")


def test_every_bracket_is_that_of_the_golden_circuits(findings):
    assert not findings[RIGHT], findings[RIGHT]


BUGS = {
    "swapped direction": ("generated(x[CHILD], 1)", "generated(x[CHILD], 0)"),
    "mirror of K2": ("lambda e: -e - 2", "lambda e: -e + 2"),
    "mirror of K3": ("K3[-e % POPULATIONS]", "K3[e]"),
    "bracket is cut off": ("half_up(exact, drop)", "exact >> drop"),
    "bracket wraps": ("return clamp(rounded.as_signed(), formats.bracket.bits)",
                      "return rounded[:formats.bracket.bits].as_signed()"),
    "coupling is not gated": ("coupling.eq(Mux(control.coupling_enable, terms, 0))", "coupling.eq(terms)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match(r"AssertionError: .*operand in phase \d must be", findings[name])


@given(factor=st.integers(-300, 300))
def test_signed_digits_add_up_and_no_two_are_neighbours(factor):
    digits = signed_digits(factor)
    assert sum(sign << shift for shift, sign in digits) == factor
    assert all(later - earlier > 1 for (earlier, _), (later, _) in zip(digits, digits[1:], strict=False))


@pytest.mark.parametrize("factor", [-12, -3, -1, 0, 1, 2, 3, 5, 7, 10])
def test_a_multiple_by_shifts_is_exact_for_every_word(factor):
    m, value = Module(), Signal(signed(5))
    product = Signal(signed(10))
    m.d.comb += product.eq(multiple(value, factor))

    async def bench(ctx):
        for number in range(-16, 16):
            ctx.set(value, number)
            assert ctx.get(product) == number * factor

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
