"""What memories hold: the parameters of a network, neuron by neuron."""
from __future__ import annotations

from typing import Any

import numpy as np

from golden_model.errors import InputError
from golden_model.network import POPULATIONS
from golden_model.parameters import Layer, Parameters, check
from hdl.choices import remedy_of_wired_K
from hdl.design import Design
from hdl.layer_design import LayerDesign


def words(design: Design, parameters: Parameters) -> dict[str, Any]:
    """The words of every memory of weights, and of K where there are, by the name of its file.

    Raises
    ------
    InputError
        If the parameters are not integers of the network's formats, or bring a K that kind ``shift`` does not have.
    """
    check(design.network, "fixed", parameters)
    for layer, values in zip(design.layers, parameters, strict=True):
        if design.kind == "shift":
            _check_wired(design, layer, values.coupling)
    return {name: np.concatenate([of_layer(layer, unit, parameters[layer.index]) for layer in array.layers])
            for array in design.arrays for unit in range(array.units)
            for name, of_layer in ((array.memory_file(unit), _memory), *([(array.K_file(unit), _K)] if array.own_K else []))}


def _memory(layer: LayerDesign, unit: int, values: Layer) -> Any:
    """The words of a layer in the memory of one unit, which may have no neuron of it."""
    words = np.zeros(layer.depth, np.int64)
    for fold in range(layer.folds if unit < layer.units else 0):
        neuron = fold * layer.units + unit
        if neuron < layer.channels:
            own = [values.weights[neuron], values.bias[neuron:neuron + 1]]
            if layer.design.kind == "programmable" and not layer.own_K:
                own.append(values.coupling[:, :, neuron].reshape(3 * POPULATIONS))
            joined = np.concatenate(own)
            words[fold * layer.rows:][:len(joined)] = joined
    return words


def _K(layer: LayerDesign, unit: int, values: Layer) -> Any:
    """Likewise in its memory of K."""
    words = np.zeros(layer.folds * layer.K_rows, np.int64)
    for fold in range(layer.folds if unit < layer.units else 0):
        neuron = fold * layer.units + unit
        if neuron < layer.neurons:
            words[fold * layer.K_rows:][:3 * POPULATIONS] = values.coupling[:, :, neuron].reshape(3 * POPULATIONS)
    return words


def _check_wired(design: Design, layer: LayerDesign, coupling: Any) -> None:
    neuron, word = layer.network.neuron, layer.formats.coupling
    wired = word.quantise(np.array([neuron.K1, neuron.K2, layer.K3]))
    if not np.array_equal(coupling, np.broadcast_to(wired[:, :, None], coupling.shape)):
        raise InputError(f"coupling of layer {layer.index} must be that of the description, because kind shift has its K "
                         f"wired, but the model brings K of its own; "
                         f"{remedy_of_wired_K(design.network) or design.programmable('')}")
