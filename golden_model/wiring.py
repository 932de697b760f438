"""Which links exist: masks that follow from a description and its seed alone."""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden_model.network import Network

STREAM = 4                                # of the seed; 0 draws the initial links, 1 to 3 belong to training

Mask = npt.NDArray[np.bool_]


def masks(network: Network) -> list[Mask | None]:
    """For each layer of neurons which links exist, (neurons, inputs); None: all that a layer of its kind has.

    ``random K`` draws the K inputs of each neuron without repetition: the K least, the first of equals, of one number per
    input from ``default_rng([seed, 4, layer])``. Other layers and other settings change nothing of it.
    """
    if not network.wiring.layers:
        return [None] * (len(network.layers) - 1)
    return [_mask(network, layer, word) for layer, word in enumerate(network.wiring.layers)]


def _mask(network: Network, layer: int, word: str) -> Mask | None:
    inputs, neurons = network.layers[layer], network.layers[layer + 1]
    if word == "full" or network.wiring.convolution(layer) or (layer == 0 and network.wiring.recurrence):
        return None
    if word == "one-to-one":
        return np.eye(neurons, dtype=np.bool_)
    random = np.random.default_rng([network.seed, STREAM, layer])
    chosen = random.random((neurons, inputs)).argsort(axis=1, kind="stable")[:, :network.wiring.fan_in(layer, inputs)]
    mask = np.zeros((neurons, inputs), np.bool_)
    np.put_along_axis(mask, chosen, True, axis=1)
    return mask
