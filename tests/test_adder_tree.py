# amaranth: UnusedElaboratable=no
"""Adder tree: every error is that of the golden model and comes when it is due, folded or not; planted bugs are found."""
import re

import pytest

from golden_model.fixed_point import Format
from golden_model.network import Formats, Network
from hdl.adder_tree import AdderTree
from hdl.design import Design
from planted_bugs import planted
from testbenches.run import Case, verdicts
from testbenches.side_by_side import SideBySide

RIGHT = "unchanged"
SMALL = Formats(displacement=Format(7, 6), drive=Format(9, 6), error=Format(8, 6), weight=Format(8, 6))
COARSE = Formats(error=Format(14, 12))
SHAPES = {                                # inputs, neurons, units, formats
    "one": (1, 1, 1, Formats()), "two": (3, 2, 2, SMALL), "five": (4, 5, 5, COARSE), "eight": (5, 8, 8, Formats()),
    "two_folds": (4, 5, 3, SMALL), "serial": (3, 4, 1, Formats()), "three_folds": (2, 8, 3, COARSE),
    "serial_one_input": (1, 3, 1, SMALL),
}


def case(names, tree=AdderTree, passes=25):
    settings, trees = {}, {}
    for name in names:
        inputs, neurons, units, formats = SHAPES[name]
        network = Network(layers=(1, inputs, neurons), formats=formats)
        settings[name] = {"network": network.to_json(), "layer": 1, "units": (1, units)}
        trees[name] = tree(Design(network=network, units=(1, units)).layers[1])
    return Case(component=SideBySide(trees), settings={"trees": settings, "passes": passes, "seed": 1})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    wrong = {name: case(["two_folds", "two"], planted("hdl.adder_tree", *bug).AdderTree) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), {RIGHT: case(SHAPES)} | wrong, "adder_tree_bench")


def test_every_error_is_that_of_the_golden_model(findings):
    assert not findings[RIGHT], findings[RIGHT]


BUGS = {
    "odd one is lost": ("if place + 1 < len(sums) else sums[place]", "if place + 1 < len(sums) else sums[place] & 0"),
    "not rounded": ("(whole[shift - 1:].as_signed() + 1) >> 1", "whole[shift:].as_signed()"),
    "wraps": ("clamp(rounded, layer.formats.error.bits)", "rounded[:layer.formats.error.bits]"),
    "sum of the image before": ("Mux(first, Const(0, signed(layer.reverse_sum_bits)), out_of.data)", "out_of.data"),
    "every fold gives an error": ("self.error_valid.eq(valid & last)", "self.error_valid.eq(valid)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*must be", findings[name])
