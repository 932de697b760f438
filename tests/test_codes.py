"""Codes: several inputs of one value, in integers."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.data.codes import coded

ALL = np.arange(256, dtype=np.uint8)[:, None]


def test_literal_codes_of_two_values():
    values = np.array([[0, 255], [100, 200]], np.uint8)
    assert coded(values, "value", 1) is values
    assert coded(values, "thermometer", 3).tolist() == [[0, 0, 0, 255, 255, 255], [255, 45, 0, 255, 255, 90]]
    assert coded(values, "population", 3).tolist() == [[255, 0, 0, 0, 0, 255], [55, 200, 0, 0, 110, 145]]


@pytest.mark.parametrize("levels", [2, 3, 8, 64])
def test_a_thermometer_fills_from_below_and_a_population_sums_to_one(levels):
    thermometer = coded(ALL, "thermometer", levels).astype(int)
    assert thermometer.sum(axis=1).tolist() == [levels * byte for byte in range(256)]
    assert np.all(np.diff(thermometer, axis=1) <= 0)
    population = coded(ALL, "population", levels).astype(int)
    assert np.all(population.sum(axis=1) == 255)
    assert np.all((population > 0).sum(axis=1) <= 2)
