"""Links: one weight per wire, used both ways.

Forward u_n = sum_m C_nm x_m + bias_n, reverse e_m = sum_n C_nm r_n. Signals (images, M) and (images, N), weights (N, M). Whose
links are not all there, or tied, is in ``golden_model.wirings``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from golden_model.arithmetic import Arithmetic, Array

EXACT = 2.0**53                               # float64 adds integers below this without rounding
FEW = 10_000                                  # products that are summed in less time than their words are looked at


def exact_product(a: Array, b: Array) -> Array:
    """``a @ b``, exact for integers: through float64 BLAS where that pays and no partial sum can reach 2**53, else in int64.

    ``a`` (..., n), ``b`` (n, m), which may be ``prepared``.
    """
    if a.dtype.kind == "i" and b.dtype.kind == "f":
        return (a.astype(np.float64) @ b).astype(np.int64)
    if a.dtype.kind == "f" or a.size * b.shape[-1] < FEW:
        return a @ b
    bound = float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0)) * a.shape[-1]
    if bound < EXACT:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b


def prepared(b: Array, greatest: int) -> Array:
    """``b`` (n, m) as ``exact_product`` takes it without looking at all its words again, for many ``a`` of magnitude up to
    ``greatest``: as float64 if no partial sum can reach 2**53, else as it is."""
    if b.dtype.kind == "i" and float(greatest) * float(np.abs(b).max(initial=0)) * len(b) < EXACT:
        return b.astype(np.float64)
    return b


def forward(arithmetic: Arithmetic, x: Array, weights: Array, bias: Array, layer: int) -> Array:
    """Drives (images, N) of ``layer`` from its inputs (images, M)."""
    return arithmetic.drive(exact_product(x, weights.T), bias, layer)


def reverse(arithmetic: Arithmetic, r: Array, weights: Array, layer: int) -> Array:
    """Errors (images, M) of ``layer`` from the reverse signals (images, N) of the layer after it."""
    return arithmetic.error(exact_product(r, weights), layer)
