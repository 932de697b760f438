"""Learning: every parameter sees only the forward and the reverse displacement at its own two ends.

    dC_nm = eta r_n,a x_m     dbias_n = eta r_n,a
    dK1_i = eta (r_i s_{i-1} - r_{i-1} s_i)    dK2_i = eta (r_i s_{i+2} - r_{i+2} s_i)    dK3_i = -eta r_i s_i

A batch adds its products exactly, and so do the positions of a convolution, whose neurons share their parameters; an instinct
turns the sum into a change, which is narrowed once. A batch of one image is the hardware's order.
"""
from __future__ import annotations

import numpy as np

from golden_model import links, reciprocal
from golden_model.arithmetic import Arithmetic, Array
from golden_model.instincts import Memory, changes
from golden_model.parameters import Layer
from golden_model.wiring import Mask


def output_error(arithmetic: Arithmetic, outputs: Array, labels: Array, layer: int) -> Array:
    """Hinge error of outputs (images, N): what is missing to the margin, zero for an output that is right by it."""
    margin = arithmetic.margin
    error = np.minimum(0, -margin - outputs)
    image = np.arange(len(labels))
    error[image, labels] = np.maximum(0, margin - outputs[image, labels])
    return arithmetic.output_error(error, layer)


def coupling_products(r: Array, s: Array) -> Array:
    """The local products of K1, K2, K3, summed over images: (3, 5, neurons) from r and s of (5, images, neurons)."""
    mother, prey = np.roll(np.arange(5), 1), np.roll(np.arange(5), -2)
    return np.stack([r * s[mother] - r[mother] * s, r * s[prey] - r[prey] * s, -r * s]).sum(axis=2)


def update(arithmetic: Arithmetic, parameters: Layer, x: Array, s: Array, r: Array, layer: int, epoch: int,
           memory: dict[str, Memory], mask: Mask | None, erring: Array) -> Layer:
    """The parameters of a layer after one batch.

    Parameters
    ----------
    x : array (images, M)
        What the links carried.
    s, r : arrays (5, images, N)
        Forward and reverse displacements.
    memory : dict
        What its pid instincts remember, brought up to date in place.
    mask : bool array (N, M), or None
        Which links exist.
    erring : bool array (images,)
        Which images had an error at the outputs.
    """
    signal = r[arithmetic.network.neuron.input_element]
    always = np.array(erring.any())

    def change(name: str, products: Array, addressed: Array = always) -> Array:
        return changes(arithmetic, name, products, layer, memory, addressed)

    coupling = parameters.coupling
    if arithmetic.network.learning.trains_K:
        products = links.over_positions(arithmetic, coupling_products(r, s), layer)
        coupling = np.stack([arithmetic.updated_coupling(coupling[k], change(name, products[k]), name, layer, epoch)
                             for k, name in enumerate(("K1", "K2", "K3"))])
    products = links.products(arithmetic, signal, x, layer)
    if mask is not None:
        products = products * mask
    heard = links.addressed(arithmetic, x[erring], layer)
    return Layer(arithmetic.updated_weights(parameters.weights, change("links", products, heard), layer, epoch),
                 arithmetic.updated_bias(parameters.bias, change("bias", links.over_positions(
                     arithmetic, signal.sum(axis=0), layer)), layer, epoch), coupling)


def update_recurrent(arithmetic: Arithmetic, parameters: Layer, course: reciprocal.Course, signals: list[Array], epoch: int,
                     memory: dict[str, Memory], erring: Array) -> Layer:
    """The parameters of a recurrent first layer after one batch; see ``update``.

    ``course``: states and inputs of every step; ``signals``: the reverse signals of the same instants.
    """
    recurrence = arithmetic.network.wiring.recurrence
    assert recurrence is not None
    products, of_bias = reciprocal.products(arithmetic, recurrence, course, signals)
    always = np.array(erring.any())
    heard = np.any([(x[erring] != 0).any(axis=0) for x in course.frames], axis=0)
    addressed = np.concatenate([heard, np.full(len(parameters.bias), bool(always))])
    weights = changes(arithmetic, "links", products, 0, memory, addressed)
    bias = changes(arithmetic, "bias", of_bias, 0, memory, always)
    return Layer(arithmetic.updated_weights(parameters.weights, weights, 0, epoch),
                 arithmetic.updated_bias(parameters.bias, bias, 0, epoch), parameters.coupling)
