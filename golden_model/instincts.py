"""Instincts: how the sum of the local products of a parameter becomes a change of it, before the rate and the one narrowing.

    proportional   g                      g: the exact sum of the products over the images of a batch
    sign           1, 0 or -1
    pid            P g + I i + D (q - q')   q: g as a word; i = i - leak i + q, clamped; q' the q before

A pid instinct remembers i and q of each parameter. Its time are the updates at which its parameter is addressed: a link whose
input was zero in all images of the batch that had an error, and everything after a batch without errors, is left as it is.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from golden_model.arithmetic import Arithmetic, Array
from golden_model.network import PARAMETER_SETS, Network
from golden_model.parameters import layer_shapes


@dataclass
class Memory:
    """What a pid instinct remembers of the parameters of one set in one layer, in arrays of their shape.

    ``integral`` i, in ``formats.integral``, and ``previous`` q, in ``formats.local_product``.
    """

    integral: Array
    previous: Array

    def copy(self) -> Memory:
        return Memory(self.integral.copy(), self.previous.copy())


Memories = list[dict[str, Memory]]        # for each layer, of the parameter sets that learn by pid


def fresh(network: Network, dtype: npt.DTypeLike) -> Memories:
    """The memory of a network that has learnt nothing: zero, which is the q before the first."""
    learning = network.learning
    names = [name for name in PARAMETER_SETS if getattr(learning, name) and learning.instinct(name) == "pid"]

    def zeros(name: str, shapes: dict[str, tuple[int, ...]]) -> Array:
        return np.zeros({"links": shapes["weights"], "bias": shapes["bias"]}.get(name, shapes["coupling"][1:]), dtype)

    return [{name: Memory(zeros(name, shapes), zeros(name, shapes)) for name in names} for shapes in layer_shapes(network)]


def changes(arithmetic: Arithmetic, name: str, products: Array, layer: int, memory: dict[str, Memory],
            addressed: Array) -> Array:
    """What the instinct of set ``name`` makes of the exact sums ``products``.

    ``memory``, that of the layer, is brought up to date in place where ``addressed``, bools that broadcast to the products.
    ``products`` has the shape of the parameters, and so have the changes: links (N, M), bias (N,), K1, K2 and K3 (5, N).
    """
    learning, formats = arithmetic.network.learning, arithmetic.network.formats
    if name == "links" and learning.links:
        arithmetic.observe(f"update[{layer}]", products, None)
    if learning.instinct(name) == "sign":
        return np.sign(products)
    if name not in memory:                                        # proportional, or not trained at all
        return products
    state = memory[name]
    word = arithmetic.local_product(products, name, layer)
    integral = arithmetic.integral(state.integral, word, name, layer)
    proportional, integrating, differencing = arithmetic.gains(name, layer)
    total = proportional * products + integrating * integral + differencing * (word - state.previous)
    memory[name] = Memory(np.where(addressed, integral, state.integral), np.where(addressed, word, state.previous))
    arithmetic.observe(f"{name}_integral[{layer}]", memory[name].integral, formats.integral)
    arithmetic.observe(f"{name}_local_product[{layer}]", memory[name].previous, formats.local_product)
    return np.where(addressed, total, np.zeros_like(total))
