"""Learning: every parameter sees only the forward and the reverse displacement at its own two ends.

    dC_nm = eta r_n,a x_m     dbias_n = eta r_n,a
    dK1_i = eta (r_i s_{i-1} - r_{i-1} s_i)    dK2_i = eta (r_i s_{i+2} - r_{i+2} s_i)    dK3_i = -eta r_i s_i

A batch adds its products exactly, and so do the positions of a convolution, whose neurons have parameters in common; an
instinct turns the sum into a change, which is narrowed once. A batch of one image is the hardware's order.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from golden_model.arithmetic import Arithmetic, Array
from golden_model.instincts import Memory, changes
from golden_model.parameters import Layer
from golden_model.ring import MOTHER, PREY
from golden_model.wirings import LayerState, LayerWiring, Mask


def output_error(arithmetic: Arithmetic, outputs: Array, labels: Array, layer: int) -> Array:
    """Hinge error of outputs (images, N): what is missing to the margin, zero for an output that is right by it."""
    margin = arithmetic.margin
    error = np.minimum(0, -margin - outputs)
    image = np.arange(len(labels))
    error[image, labels] = np.maximum(0, margin - outputs[image, labels])
    return arithmetic.output_error(error, layer)


def coupling_products(r: Array, s: Array) -> Array:
    """The local products of K1, K2, K3, summed over images: (3, 5, neurons) from r and s of (5, images, neurons)."""
    return np.stack([r * s[MOTHER] - r[MOTHER] * s, r * s[PREY] - r[PREY] * s, -r * s]).sum(axis=2)


def update(arithmetic: Arithmetic, wiring: LayerWiring, parameters: Layer, state: LayerState, r: Any, layer: int, epoch: int,
           memory: dict[str, Memory], mask: Mask | None, erring: Array) -> Layer:
    """The parameters of a layer after one batch.

    Parameters
    ----------
    wiring : LayerWiring
        That of the layer, which sums its local products.
    state, r
        What ``wiring.settle`` and ``wiring.settle_reverse`` returned.
    memory : dict
        What its pid instincts remember, brought up to date in place.
    mask : bool array in the shape of the weights, or None
        Which links exist.
    erring : bool array (images,)
        Which images had an error at the outputs.
    """
    always = np.array(erring.any())

    def change(name: str, products: Array, addressed: Array = always) -> Array:
        return changes(arithmetic, name, products, layer, memory, addressed)

    coupling = parameters.coupling
    if arithmetic.network.learning.trains_K:
        products = wiring.over_positions(coupling_products(r, state.displacement))
        coupling = np.stack([arithmetic.updated_coupling(coupling[k], change(name, products[k]), name, layer, epoch)
                             for k, name in enumerate(("K1", "K2", "K3"))])
    of_links, of_biases = wiring.products(arithmetic, state, r)
    if mask is not None:
        of_links = of_links * mask
    weights = change("links", of_links, wiring.addressed(state, erring))
    return Layer(arithmetic.updated_weights(parameters.weights, weights, layer, epoch),
                 arithmetic.updated_bias(parameters.bias, change("bias", of_biases), layer, epoch), coupling)
