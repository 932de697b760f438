# amaranth: UnusedElaboratable=no
"""Narrowing unit: every value of every small shape, corners of wide ones; planted bugs are found."""
import re

import pytest

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from hdl.narrow import Narrow
from planted_bugs import planted
from testbenches.run import Case, verdicts
from testbenches.side_by_side import SideBySide

SMALL = [(bits, shift, result) for bits in range(1, 6) for shift in range(bits) for result in range(1, 6)] + [
    (10, 0, 7), (10, 3, 4), (10, 9, 2), (10, 4, 10)]
WIDE = [(37, 14, 16), (31, 12, 13), (44, 0, 18), (36, 35, 3), (61, 20, 50)]
SHAPES = {"every value of small ones": SMALL, "wide": WIDE}


def case(shapes, unit=Narrow):
    units = [(f"unit_{number}", *shape) for number, shape in enumerate(shapes)]
    top = SideBySide({name: unit(bits, shift, Format(result, 0)) for name, bits, shift, result in units})
    return Case(component=top, settings={"units": units, "exhaustive": 10, "samples": 400, "seed": 1})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {name: case(shapes) for name, shapes in SHAPES.items()}
    wrong = {name: case([(6, 2, 3), (5, 2, 3), (4, 1, 4)], planted("hdl.narrow", *bug).Narrow) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "narrow_bench")


@pytest.mark.parametrize("name", SHAPES)
def test_every_result_is_that_of_the_golden_model(findings, name):
    assert not findings[name], findings[name]


BUGS = {
    "half is not added": ("(value[shift - 1:].as_signed() + 1) >> 1", "value[shift:].as_signed()"),
    "wraps instead of saturating": ("Mux(fits(value, bits), value[:bits], limit)", "value[:bits]"),
    "sign is not looked at": ("top = value[bits - 1:]", "top = value[bits:]"),
    "carry has no room": ("rounded = Signal(signed(self.bits - self.shift + 1), ",
                          "rounded = Signal(signed(self.bits - self.shift), "),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match(r"AssertionError: narrow\(-?\d+, \d+\) of \d+ to \d+ bits must be", findings[name])


@pytest.mark.parametrize(("bits", "shift", "to", "message"), [
    (8, 2, "UQ4.0", "Narrow must have a signed format, not UQ4.0; write Qm.f without the U"),
    (8, 8, "Q4.0", "Narrow must drop 0 to 7 of 8 bits, not 8"),
    (8, -1, "Q4.0", "Narrow must drop 0 to 7 of 8 bits, not -1"),
])
def test_shapes_that_are_no_narrowing_are_refused(bits, shift, to, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Narrow(bits, shift, Format.parse(to))
