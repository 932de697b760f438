"""Convolution: local fields whose links are tied.

All neurons of a channel have links, bias and K in common; ``golden_model.wirings.window`` says what each of them sees. Weights
are (channels, taps).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from golden_model import links
from golden_model.wirings.protocol import Array, LayerState
from golden_model.wirings.window import Window

if TYPE_CHECKING:
    from golden_model.arithmetic import Arithmetic
    from golden_model.parameters import Layer


@dataclass(frozen=True)
class Convolution(Window):
    """Written ``convolution 5x5 stride 2 of 28x28x1``: see ``Window``."""

    example = "convolution 5x5 stride 2 of 28x28x1"
    word = "convolution"
    article = "a convolution"
    tied = True
    bears_dead_neurons = False

    @property
    def positions(self) -> int:
        return self.windows

    def shape(self, inputs: int, neurons: int) -> tuple[int, int]:
        return neurons // self.windows, self.taps

    def drive(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> Array:
        sums = links.exact_product(self.patches(x), parameters.weights.T).reshape(len(x), -1)
        return arithmetic.drive(sums, self.each_neuron(parameters.bias), layer)

    def error_before(self, arithmetic: Arithmetic, r: Array, parameters: Layer, layer: int) -> Array:
        signal = r[arithmetic.network.neuron.input_population]
        back = links.exact_product(signal.reshape(len(signal), self.positions, -1), parameters.weights)
        return arithmetic.error(self.gathered(back), layer - 1)

    def products(self, arithmetic: Arithmetic, state: LayerState, r: Array) -> tuple[Array, Array]:
        signal = r[arithmetic.network.neuron.input_population]
        of_links = links.exact_product(signal.reshape(len(signal) * self.positions, -1).T,
                                       self.patches(state.inputs).reshape(-1, self.taps))
        return of_links, self.over_positions(signal.sum(axis=0))

    def addressed(self, state: LayerState, erring: Array) -> Array:
        return (self.patches(state.inputs[erring]) != 0).any(axis=(0, 1))

    def each_neuron(self, parameters: Array) -> Array:
        return np.concatenate([parameters] * self.positions, axis=-1)

    def over_positions(self, values: Array) -> Array:
        return values.reshape(*values.shape[:-1], self.positions, -1).sum(axis=-2)
