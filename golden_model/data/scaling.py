"""Scaling of measured values to 0..255: knots, between which it is linear, and how they follow from training data.

The knots of a value are strictly increasing float64 numbers; the first stands for 0, the last for 255, the others lie at equal
distances between. A value with one knot was constant in training and is always 0, because no link has learnt of it.

Everything is so ordered that every machine gets the same bits. Elementwise operations are single operations of IEEE 754 in
float64, each rounded to nearest, ties to even, none fused with the next; sums are ``math.fsum``, rounded once.
"""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Knots = tuple[float, ...]

GREATEST = 255                            # of a byte
MOST_VALUE = 2.0**500                     # its square, summed over all samples there can be, is still a float64
DEVIATIONS = 3.0                          # of ``standard``, to either side of the mean
QUANTILES = 17                            # knots of ``quantile``, the least and the greatest value with them
MOST_KNOTS = 1 << 18                      # of all values of a sample together


def bytes_of(values: Reals, knots: Knots) -> npt.NDArray[np.uint8]:
    """Values as bytes, of any shape: floor(p + 1/2) of the place p in 0..255; what lies outside of the knots is clipped.

    With the knots k_0 .. k_m and the greatest i < m for which k_i <= v, after v has been clipped to k_0 .. k_m,
    p = (255 i + (255 (v - k_i)) / (k_(i+1) - k_i)) / m.
    """
    if len(knots) == 1:
        return np.zeros(values.shape, np.uint8)
    array = np.array(knots)
    clipped = np.clip(values, array[0], array[-1])
    if len(knots) == 2:                                       # as below with i = 0 and m = 1
        place = GREATEST * (clipped - array[0]) / (array[1] - array[0])
    else:
        segment = np.minimum(np.searchsorted(array, clipped, "right") - 1, len(knots) - 2)
        within = GREATEST * (clipped - array[segment]) / (array[segment + 1] - array[segment])
        place = (GREATEST * segment + within) / (len(knots) - 1)
    return np.floor(place + 0.5).astype(np.uint8)


def limits(values: Reals) -> Knots:
    """The least and the greatest of the values (n,); one knot if they are equal. ``values`` have no NaN, here and below."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low,)


def standard(values: Reals) -> Knots:
    """Mean minus and plus ``DEVIATIONS`` standard deviations (of the population) of the values (n,)."""
    if len(limits(values)) == 1:
        return limits(values)
    mean = math.fsum(values) / len(values)
    deviations = values - mean
    reach = DEVIATIONS * math.sqrt(math.fsum(deviations * deviations) / len(values))
    low, high = mean - reach, mean + reach
    return (low, high) if low < high else limits(values)      # a spread that float64 does not tell from nothing


def quantile(values: Reals) -> Knots:
    """Of the values (n,) in order the ones at floor(j (n - 1) / 16) for j = 0 .. 16, equal ones once."""
    ordered = np.sort(values)
    places = [j * (len(values) - 1) // (QUANTILES - 1) for j in range(QUANTILES)]
    return tuple(np.unique(ordered[places]).tolist())


def median(values: Reals) -> float:
    """Of the values (n,) in order the one at floor((n - 1) / 2)."""
    return float(np.sort(values)[(len(values) - 1) // 2])


OF_EACH: dict[str, Callable[[Reals], Knots]] = {"minmax": limits, "standard": standard, "quantile": quantile}
