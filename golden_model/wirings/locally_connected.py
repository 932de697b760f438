"""Locally connected: local fields as those of a convolution, but every neuron has links of its own.

``golden_model.wirings.window`` says what each neuron sees. Weights are (neurons, taps); bias and K are those of each neuron.
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
class LocallyConnected(Window):
    """Written ``locally-connected 5x5 stride 2 of 28x28x1``: see ``Window``."""

    example = "locally-connected 5x5 stride 2 of 28x28x1"
    word = "locally-connected"
    article = "a locally connected layer"

    def shape(self, inputs: int, neurons: int) -> tuple[int, int]:
        return neurons, self.taps

    def sources(self, inputs: int, neurons: int) -> Array:
        inputs_at = self.bases()[:, None] + self.offsets()
        return np.repeat(inputs_at, neurons // self.windows, axis=0)

    def drive(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> Array:
        sums = links.exact_product(self.patches(x).swapaxes(0, 1), self._at_positions(parameters.weights).swapaxes(1, 2))
        return arithmetic.drive(sums.swapaxes(0, 1).reshape(len(x), -1), parameters.bias, layer)

    def error_before(self, arithmetic: Arithmetic, r: Array, parameters: Layer, layer: int) -> Array:
        back = links.exact_product(self._signal(arithmetic, r), self._at_positions(parameters.weights))
        return arithmetic.error(self.gathered(back.swapaxes(0, 1)), layer - 1)

    def products(self, arithmetic: Arithmetic, state: LayerState, r: Array) -> tuple[Array, Array]:
        signal = self._signal(arithmetic, r)
        of_links = links.exact_product(signal.swapaxes(1, 2), self.patches(state.inputs).swapaxes(0, 1))
        return of_links.reshape(-1, self.taps), signal.sum(axis=1).ravel()

    def addressed(self, state: LayerState, erring: Array) -> Array:
        heard = (self.patches(state.inputs[erring]) != 0).any(axis=0)
        return np.repeat(heard, state.outputs.shape[1] // self.windows, axis=0)

    def _at_positions(self, weights: Array) -> Array:
        """Weights (positions, channels, taps)."""
        return weights.reshape(self.windows, -1, self.taps)

    def _signal(self, arithmetic: Arithmetic, r: Array) -> Array:
        """What goes back over links and into products: (positions, images, channels)."""
        signal = r[arithmetic.network.neuron.input_population]
        return signal.reshape(len(signal), self.windows, -1).swapaxes(0, 1)
