# amaranth: UnusedElaboratable=no
"""Adder trees: every error is that of the golden model and comes when it is due, or when it is asked for; planted bugs are
found."""
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
SHAPES = {                                # sizes of layers, units of the last one, formats
    "one": ((1, 1, 1), 1, Formats()), "two": ((1, 3, 2), 2, SMALL), "five": ((1, 4, 5), 5, COARSE),
    "eight": ((1, 5, 8), 8, Formats()), "two_folds": ((1, 4, 5), 3, SMALL), "serial": ((1, 3, 4), 1, Formats()),
    "three_folds": ((1, 2, 8), 3, COARSE), "serial_one_input": ((1, 1, 3), 1, SMALL),
}
TIME_SHARED = {                           # sizes of layers, units of the array, formats
    "banks": ((1, 5, 4, 3), 2, SMALL), "one_bank": ((2, 3, 8), 3, COARSE), "one_input": ((1, 1, 3), 1, Formats()),
    "one_input_in_banks": ((1, 1, 1, 3), 1, Formats()),
}


def case(names, tree=AdderTree, passes=25):
    settings, trees = {}, {}
    for name in names:
        layers, units, formats = (SHAPES | TIME_SHARED)[name]
        network, before = Network(layers=layers, formats=formats), len(layers) - 2
        arrangement = "time-shared" if name in TIME_SHARED else "parallel"
        counts = (units if name in TIME_SHARED else 1,) * before + (units,)
        settings[name] = {"network": network.to_json(), "units": counts, "arrangement": arrangement}
        trees[name] = tree(Design(network=network, units=counts, arrangement=arrangement).arrays[-1])
    return Case(component=SideBySide(trees), settings={"trees": settings, "passes": passes, "seed": 1})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    wrong = {name: case(["two_folds", "two"], planted("hdl.adder_tree", *bug).AdderTree) for name, bug in BUGS.items()}
    wrong |= {name: case(["banks"], planted("hdl.adder_tree", *bug).AdderTree) for name, bug in OF_TIME_SHARED.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), {RIGHT: case([*SHAPES, *TIME_SHARED])} | wrong, "adder_tree_bench")


def test_every_error_is_that_of_the_golden_model(findings):
    assert not findings[RIGHT], findings[RIGHT]


BUGS = {
    "odd one is lost": ("if place + 1 < len(sums) else sums[place]", "if place + 1 < len(sums) else sums[place] & 0"),
    "not rounded": ("half_up(whole, layer.reverse_shift)", "(whole >> layer.reverse_shift)"),
    "wraps": ("clamp(half_up(whole, layer.reverse_shift), array.formats.error.bits)",
              "half_up(whole, layer.reverse_shift)[:array.formats.error.bits]"),
    "sum of the image before": ("Mux(first, Const(0, total.shape()), before)", "before"),
    "every fold gives an error": ("self.tree.error_valid.eq(valid & last)", "self.tree.error_valid.eq(valid)"),
}
OF_TIME_SHARED = {
    "one bank for all layers": ("Cat(number, bank)", "Cat(number, Const(0, 1))"),
    "a fold goes on behind the one before": ("row.eq(Mux(tree.begin, 0, row + ahead[0]))", "row.eq(row + ahead[0])"),
    "errors go on behind the ones before": ("place.eq(Mux(tree.ask, 0, place + taken))", "place.eq(place + taken)"),
    "the first error for all": ("place.eq(Mux(tree.ask, 0, place + taken))", "place.eq(0)"),
    "only the last fold counts": ("into.data.eq(over_folds(total, tree.first, out_of.data))", "into.data.eq(total)"),
}


@pytest.mark.parametrize("name", [*BUGS, *OF_TIME_SHARED])
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*must be", findings[name])
