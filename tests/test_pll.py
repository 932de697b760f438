"""PLLs: dividers against icepll and ecppll, limits of the devices, sentences for clocks that cannot be made."""
from __future__ import annotations

import re
import subprocess
from fractions import Fraction

import pytest
from amaranth.hdl import Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from boards import platforms, pll
from golden_model.errors import InputError
from golden_model.storage.cache import environment


def icepll(reference, goal):
    output = subprocess.run(["yowasp-icepll", "-i", f"{reference}", "-o", f"{goal}"], capture_output=True, text=True,
                          env=environment(), check=True).stdout
    return {name: int(re.search(rf"{name}: +(\d+)", output)[1]) for name in ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")}


def ecppll(reference, goal, folder):
    output = subprocess.run(["yowasp-ecppll", "-i", f"{reference}", "-o", f"{goal}", "-f", "pll.v"], capture_output=True,
                          text=True, env=environment(), check=True, cwd=folder).stdout
    divisors = {name: int(re.search(rf"{name} divisor: (\d+)", output)[1]) for name in ("Refclk", "Feedback", "clkout0")}
    return divisors, (folder / "pll.v").read_text("utf-8")


# 27, 31 and 47 cannot be made exactly
@pytest.mark.parametrize(("reference", "goal"), [(12, 18), (12, 24), (12, 27), (12, 30), (12, 36), (12, 48), (48, 31),
                                                   (48, 47)])
def test_dividers_of_ice40_are_those_of_icepll(reference, goal):
    result = pll.solve("ice40", reference, goal)
    assert {"DIVR": result.divr, "DIVF": result.divf, "DIVQ": result.divq,
            "FILTER_RANGE": result.filter_range} == icepll(reference, goal)


@pytest.mark.parametrize(("reference", "goal"), [(25, 25), (25, 50), (25, 60), (25, 96), (25, 100), (25, 125), (25, 120),
                                                   (48, 100), (100, 100), (100, 125)])
def test_dividers_of_ecp5_are_those_of_ecppll(reference, goal, tmp_path):
    result = pll.solve("ecp5", reference, goal)
    divisors, _ = ecppll(reference, goal, tmp_path)
    assert {"Refclk": result.reference_divider, "Feedback": result.feedback_divider,
            "clkout0": result.output_divider} == divisors


def test_the_primitive_has_the_parameters_and_attributes_that_ecppll_writes(tmp_path):
    _, text = ecppll(25, 100, tmp_path)
    instance = pll.solve("ecp5", 25, 100).instance(Signal(), Signal(), Signal())
    theirs = {name: value.strip('"') for name, value in re.findall(r"\.([A-Z_]+)\((\"\w+\"|\d+)\)", text)}
    assert {name: str(value) for name, value in instance.parameters.items()} == theirs
    attributes = dict(re.findall(r'\(\* (\w+)="(\d+)" \*\)', text))
    assert {name: str(value) for name, value in instance.attrs.items()} == attributes


def test_every_board_gets_exactly_the_clock_that_it_declares():
    for platform in platforms.PLATFORMS.values():
        assert platform.pll().output == Fraction(platform.clock), platform.name


@settings(max_examples=60)
@given(st.integers(10, 60), st.integers(17, 120))
def test_frequencies_of_ice40_are_within_the_limits_of_the_device(reference, goal):
    result = pll.solve("ice40", reference, goal)
    assert 10 <= result.detector <= 133
    assert 533 <= result.oscillator <= 1066
    assert 16 <= result.output <= 275
    assert (0 <= result.divr < 16, 0 <= result.divf < 128, 1 <= result.divq < 7) == (True, True, True)
    assert abs(result.output - goal) <= Fraction(goal, 20)


@settings(max_examples=25)
@given(st.integers(12, 100), st.integers(60, 200))
def test_frequencies_of_ecp5_are_within_the_limits_of_the_device(reference, goal):
    result = pll.solve("ecp5", reference, goal)
    assert Fraction(25, 8) <= result.detector <= 400
    assert 400 <= result.oscillator <= 800
    assert (1 <= result.reference_divider <= 128, 1 <= result.feedback_divider <= 80,
            1 <= result.output_divider <= 128) == (True, True, True)
    assert abs(result.output - goal) <= Fraction(goal, 20)


@pytest.mark.parametrize(("target", "reference", "goal", "limits"), [
    ("ice40", 12, 8, "16 to 275"), ("ice40", 2, 24, "16 to 275"), ("ecp5", 25, 500, "10 to 400")])
def test_a_clock_that_cannot_be_made_is_refused(target, reference, goal, limits):
    text = (f"the clock must be {limits} MHz and near to what the PLL of {target} can make from {reference} MHz, not {goal}; "
            f"choose another --clock")
    with pytest.raises(InputError, match=re.escape(text)):
        pll.solve(target, reference, goal)
