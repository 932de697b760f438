"""Links: one weight per wire, used both ways.

Forward u_n = sum_m C_nm x_m + bias_n, reverse e_m = sum_n C_nm r_n. Signals (images, M) and (images, N), weights (N, M).

The links of a convolution are shared: weights (channels, taps), and every neuron of a channel has them at its own position.
"""
from __future__ import annotations

import numpy as np

from golden_model.arithmetic import Arithmetic, Array

EXACT = 2.0**53                               # float64 adds integers below this without rounding


def exact_product(a: Array, b: Array) -> Array:
    """``a @ b``, exact for integers: through float64 BLAS where no partial sum can reach 2**53, else in int64."""
    if a.dtype.kind == "f":
        return a @ b
    bound = float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0)) * a.shape[-1]
    if bound < EXACT:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b


def forward(arithmetic: Arithmetic, x: Array, weights: Array, bias: Array, layer: int) -> Array:
    """Drives (images, N) of a layer from its inputs (images, M)."""
    shared = arithmetic.network.wiring.convolution(layer)
    if shared is None:
        return arithmetic.drive(exact_product(x, weights.T), bias, layer)
    sums = exact_product(shared.patches(x), weights.T).reshape(len(x), -1)
    return arithmetic.drive(sums, each_neuron(arithmetic, bias, layer), layer)


def reverse(arithmetic: Arithmetic, r: Array, weights: Array, layer: int) -> Array:
    """Errors (images, M) of ``layer`` from the reverse signals (images, N) of the layer after it."""
    shared = arithmetic.network.wiring.convolution(layer + 1)
    if shared is None:
        return arithmetic.error(exact_product(r, weights), layer)
    back = exact_product(r.reshape(len(r), shared.positions, -1), weights)
    return arithmetic.error(shared.gathered(back), layer)


def products(arithmetic: Arithmetic, r: Array, x: Array, layer: int) -> Array:
    """The sums over images, and over positions, of r_n x_m, in the shape of the weights."""
    shared = arithmetic.network.wiring.convolution(layer)
    if shared is None:
        return exact_product(r.T, x)
    return exact_product(r.reshape(len(r) * shared.positions, -1).T, shared.patches(x).reshape(-1, shared.taps))


def addressed(arithmetic: Arithmetic, x: Array, layer: int) -> Array:
    """Which inputs of each set of links (M,) were not zero in any image, at any position."""
    shared = arithmetic.network.wiring.convolution(layer)
    if shared is None:
        return (x != 0).any(axis=0)
    return (shared.patches(x) != 0).any(axis=(0, 1))


def each_neuron(arithmetic: Arithmetic, parameters: Array, layer: int) -> Array:
    """Parameters (..., channels) as every neuron has them (..., neurons)."""
    positions = arithmetic.network.wiring.positions(layer)
    return parameters if positions == 1 else np.concatenate([parameters] * positions, axis=-1)


def over_positions(arithmetic: Arithmetic, values: Array, layer: int) -> Array:
    """Values of every neuron (..., neurons) summed for those that share them (..., channels)."""
    positions = arithmetic.network.wiring.positions(layer)
    return values if positions == 1 else values.reshape(*values.shape[:-1], positions, -1).sum(axis=-2)
