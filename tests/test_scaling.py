"""Scaling to bytes: the places of values between knots, ties and ends, and knots that every machine finds alike."""
from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.data import scaling

reals = st.floats(-1e6, 1e6, allow_subnormal=False)


def exact(value: float, knots: tuple[float, ...]) -> Fraction:
    """The place of a value in 0..255, without rounding."""
    clipped = min(max(Fraction(value), Fraction(knots[0])), Fraction(knots[-1]))
    i = max(i for i in range(len(knots) - 1) if Fraction(knots[i]) <= clipped)
    within = (clipped - Fraction(knots[i])) / (Fraction(knots[i + 1]) - Fraction(knots[i]))
    return 255 * (i + within) / (len(knots) - 1)


@given(st.lists(reals, min_size=2, max_size=6, unique=True).map(sorted), st.lists(reals, min_size=1, max_size=20))
def test_a_value_becomes_the_nearest_byte_to_its_exact_place(knots, values):
    for value, byte in zip(values, scaling.bytes_of(np.array(values), tuple(knots)).tolist(), strict=True):
        assert abs(exact(value, tuple(knots)) - byte) <= Fraction(1, 2) + Fraction(1, 10**9)


def test_bytes_between_bytes_are_exact_and_ties_go_up():
    """With whole numbers nothing but the division rounds; 255 (x - l) / (h - l) + 1/2 of 0..510 is a tie at each odd number."""
    assert scaling.bytes_of(np.arange(256.0), (0.0, 255.0)).tolist() == list(range(256))
    assert scaling.bytes_of(np.array([0.0, 1, 2, 3, 509, 510]), (0.0, 510.0)).tolist() == [0, 1, 1, 2, 255, 255]
    assert scaling.bytes_of(np.array([-3.0, 0, 63, 64]), (0.0, 63.0)).tolist() == [0, 0, 255, 255]
    assert scaling.bytes_of(np.array([5.0, 0, -5]), (5.0,)).tolist() == [0, 0, 0]             # constant in training
    assert scaling.bytes_of(np.array([0.0, 1, 2, 3, 6, 9]), (0.0, 2.0, 9.0)).tolist() == [0, 64, 128, 146, 200, 255]


def test_knots_of_the_words():
    values = np.array([4.0, 1.0, 1.0, 1.0, 3.0])
    assert scaling.limits(values) == (1.0, 4.0)
    assert scaling.standard(values) == pytest.approx((2 - 3 * math.sqrt(1.6), 2 + 3 * math.sqrt(1.6)))
    assert scaling.quantile(values) == (1.0, 3.0, 4.0)
    assert scaling.quantile(np.arange(33.0)) == tuple(float(2 * j) for j in range(17))
    assert scaling.median(values) == 1.0
    assert scaling.median(np.array([3.0, 1.0, 2.0, 4.0])) == 2.0
    for knots in (scaling.limits, scaling.standard, scaling.quantile):
        assert knots(np.full(7, 0.1)) == (0.1,)


@given(st.lists(st.floats(-2.0**500, 2.0**500), min_size=2, max_size=40), st.randoms())
def test_knots_do_not_depend_on_the_order_of_the_samples_and_bytes_on_no_neighbours(values, random):
    """Sums in another order, as wider vectors of another machine make them, would round otherwise; these are exact."""
    mixed = random.sample(values, len(values))
    for knots_of in scaling.OF_EACH.values():
        knots = knots_of(np.array(values))
        assert knots == knots_of(np.array(mixed))
        assert all(math.isfinite(knot) for knot in knots)
        together = scaling.bytes_of(np.array(values), knots)
        assert together.tolist() == [int(scaling.bytes_of(np.array([value]), knots)[0]) for value in values]
