"""The golden model behind the command set: what a core must answer to any frames, whatever they do to its parameters."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from command_model import CommandModel
from golden_model import learning
from golden_model.arithmetic import Array
from golden_model.model import Model
from golden_model.network import Network
from golden_model.parameters import Layer, Parameters
from golden_model.wirings import LayerState
from hdl import frames
from hdl.design import Design


class Watched(Model):
    """The golden model; ``states`` of its layers are those of the image that it was given last."""

    def forward(self, images: npt.ArrayLike) -> list[LayerState]:
        self.states = super().forward(images)
        return self.states


class GoldenBackend:
    """A ``command_model.Backend`` that computes.

    Parameters
    ----------
    network : Network
    values : Parameters
        To start from.

    Members
    -------
    layers : the present parameters; may be set.
    """

    def __init__(self, network: Network, values: Parameters) -> None:
        self.network = network
        self.layers = [layer.copy() for layer in values]
        self._models: dict[tuple[int, int, int | None], Watched] = {}

    def infer(self, image: bytes) -> tuple[int, list[int]]:
        outputs = self._model(0, 0, None).outputs(_row(image))[0]
        return int(outputs.argmax()), [int(word) for word in outputs]

    def learn(self, image: bytes, label: int, links_rate_shift: int, bias_rate_shift: int,
              K_rate_shift: int) -> tuple[int, list[int], bool]:
        model = self._model(links_rate_shift, bias_rate_shift, K_rate_shift)
        [winner] = model.learn(_row(image), np.array([label]))
        outputs = model.states[-1].outputs
        error = learning.output_error(model.arithmetic, outputs, np.array([label]), len(self.layers) - 1)
        self.layers = model.layers
        return int(winner), [int(word) for word in outputs[0]], bool(error.any())

    def write(self, layer: int, neuron: int, index: int, word: int) -> None:
        array, place, bits = self._parameter(layer, neuron, index)
        low = word & (1 << bits) - 1
        array[place] = low - (1 << bits) if low >> bits - 1 else low

    def read(self, layer: int, neuron: int, index: int) -> int:
        array, place, _ = self._parameter(layer, neuron, index)
        return int(array[place])

    def _parameter(self, layer: int, neuron: int, index: int) -> tuple[Array, tuple[int, ...], int]:
        """The array of a parameter, its place there, and its bits."""
        parameters, formats = self.layers[layer], self.network.formats
        inputs = parameters.weights.shape[1]
        if index < inputs:
            return parameters.weights, (neuron, index), formats.weight.bits
        if index == inputs:
            return parameters.bias, (neuron,), formats.drive.bits
        return parameters.coupling, (*divmod(index - inputs - 1, 5), neuron), formats.coupling.bits

    def _model(self, links_rate_shift: int, bias_rate_shift: int, K_rate_shift: int | None) -> Watched:
        """The golden model with these rates, of K1, K2 and K3 the fastest one or None for all, and the present parameters."""
        key = links_rate_shift, bias_rate_shift, K_rate_shift
        if key not in self._models:
            rates = self.network.learning.rate_shifts(0)
            of_K = {name: rate_shift for name in ("K1", "K2", "K3") if (rate_shift := rates[name]) is not None}
            learning_rates = {name: 0.0 if rates[name] is None else 2.0**-exponent
                              for name, exponent in (("links", links_rate_shift), ("bias", bias_rate_shift))}
            for name, rate_shift in of_K.items():
                slower = rate_shift - min(of_K.values())
                learning_rates[name] = 0.0 if K_rate_shift is None else 2.0**-(K_rate_shift + slower)
            self._models[key] = Watched(self.network.with_learning(**learning_rates, epochs=1, halvings=0), "fixed",
                                        self.layers)
        self._models[key].layers = self.layers
        return self._models[key]


def command_model(design: Design, values: Parameters) -> CommandModel:
    """What the core of a design must answer, if it starts from these parameters."""
    links, bias = design.links_rate_shifts(), design.bias_rate_shifts()
    K = design.K_rate_shifts()
    return CommandModel(layers=design.network.layers, backend=GoldenBackend(design.network, values),
                        digest=frames.digest_word(design.network.digest), links_rate_shifts=links, bias_rate_shifts=bias,
                        initial_links=links.start if links else None, initial_bias=bias.start if bias else None,
                        learns=design.learns, programmable=design.kind == "programmable",
                        shapes=[layer.weights.shape for layer in values], K_rate_shifts=K, initial_K=K.start if K else None)


def snapshot(layers: Sequence[Layer]) -> Array:
    """All parameters in one array."""
    return np.concatenate([array.reshape(-1) for layer in layers for array in (layer.weights, layer.bias, layer.coupling)])


def _row(image: bytes) -> Array:
    return np.frombuffer(image, np.uint8)[None]
