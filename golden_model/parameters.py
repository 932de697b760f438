"""What is learnt: links, biases and couplings K of every layer, as reals or as integers of the network's formats."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError
from golden_model.network import POPULATIONS, Network
from golden_model.sections import brief
from golden_model.wirings import masks

ARITHMETICS = ("float", "fixed")


@dataclass
class Layer:
    """Parameters of one layer of N neurons with M inputs.

    ``weights`` (N, M): links C[n, m], 0 where the wiring has none. ``bias`` (N,). ``coupling`` (3, 5, N): K1, K2, K3 of each
    population and neuron. N and M of a convolution are its channels and its taps; of a recurrent layer the
    M inputs are those of one frame and, behind them, its own N neurons. Reals (float64 or float32), or int64 in the
    formats ``weight``, ``drive`` and ``coupling``.
    """

    weights: npt.NDArray[Any]
    bias: npt.NDArray[Any]
    coupling: npt.NDArray[Any]

    def copy(self) -> Layer:
        return Layer(self.weights.copy(), self.bias.copy(), self.coupling.copy())


Parameters = list[Layer]


def layer_shapes(network: Network) -> list[dict[str, tuple[int, ...]]]:
    """The shapes of ``weights``, ``bias`` and ``coupling`` of every layer."""
    shapes: list[dict[str, tuple[int, ...]]] = []
    for wiring, inputs, neurons in zip(network.wirings, network.layers, network.layers[1:], strict=False):
        own, links = wiring.shape(inputs, neurons)
        shapes.append({"weights": (own, links), "bias": (own,), "coupling": (3, POPULATIONS, own)})
    return shapes


def initial(network: Network, arithmetic: str) -> Parameters:
    """Random links, constant biases, the description's K. Both arithmetics start from the same values.

    The links are rounded to the weight format in either case; ``network.seed`` alone decides them. Fewer links to a neuron
    start with greater weights: uniform in +-gain * sqrt(3 / links). In a recurrent layer ``input_gain`` is that of the links
    from a frame and ``gain`` that of the reciprocal links; its K3 is that of the wiring.
    """
    check_arithmetic(arithmetic)
    if arithmetic == "fixed":
        network.check_fixed()
    formats, start = network.formats, network.initialisation
    random = np.random.default_rng([network.seed, 0])
    parameters = []
    for index, (wiring, shapes, mask) in enumerate(zip(network.wirings, layer_shapes(network), masks(network), strict=True)):
        uniform = random.random(shapes["weights"]) * 2 - 1
        weights = formats.weight.quantise(wiring.scaled(uniform, start, index, network.layers[index]))
        if mask is not None:
            weights *= mask
        bias = np.full(shapes["bias"], start.bias)
        couplings = np.array([network.neuron.K1, network.neuron.K2, wiring.damping(network.neuron.K3)])
        coupling = np.repeat(couplings[:, :, None], shapes["bias"][0], axis=2)
        parameters.append(Layer(formats.weight.real(weights), bias, coupling))
    return parameters if arithmetic == "float" else quantised(network, parameters)


def to_real(network: Network, parameters: Parameters) -> Parameters:
    """Integers to the float64 they stand for (exact)."""
    formats = network.formats
    return [Layer(formats.weight.real(layer.weights), formats.drive.real(layer.bias),
                  formats.coupling.real(layer.coupling)) for layer in parameters]


def quantised(network: Network, parameters: Parameters) -> Parameters:
    """Reals to the nearest integers of the formats, saturated: post-training quantisation."""
    formats = network.formats
    return [Layer(formats.weight.quantise(layer.weights), formats.drive.quantise(layer.bias),
                  formats.coupling.quantise(layer.coupling)) for layer in parameters]


def check(network: Network, arithmetic: str, parameters: Parameters) -> None:
    """Raise an ``InputError`` that names the first array whose shape, type or values do not fit the network."""
    check_arithmetic(arithmetic)
    formats = network.formats
    if not isinstance(parameters, (list, tuple)) or not all(isinstance(layer, Layer) for layer in parameters):
        raise InputError(f"parameters must be a list of Layer, one for each layer of neurons, not {brief(parameters)}")
    if len(parameters) != len(network.layers) - 1:
        raise InputError(f"a network of sizes {network.layers} must have {len(network.layers) - 1} layers of parameters, "
                         f"not {len(parameters)}")
    wiring = masks(network)
    for index, (layer, shapes) in enumerate(zip(parameters, layer_shapes(network), strict=True)):
        for name, word in (("weights", formats.weight), ("bias", formats.drive), ("coupling", formats.coupling)):
            array, label = getattr(layer, name), f"{name} of layer {index}"
            if not isinstance(array, np.ndarray):
                raise InputError(f"{label} must be a NumPy array, not {type(array).__name__}")
            if array.shape != shapes[name]:
                raise InputError(f"{label} must have shape {shapes[name]}, not {array.shape}")
            if arithmetic == "fixed":
                word.check(array, label)
            elif array.dtype not in (np.float32, np.float64):
                raise InputError(f"{label} must be finite float32 or float64 numbers, not {array.dtype}")
            elif not np.isfinite(array).all():
                raise InputError(f"{label} must be finite float32 or float64 numbers, not {array.dtype} with NaN or infinite "
                                 "entries")
        mask = wiring[index]
        if mask is not None and (absent := layer.weights[~mask]).any():
            raise InputError(f"weights of layer {index} must be 0 where wiring.layers ({network.wiring.layers[index]}) has no "
                             f"link, but {np.count_nonzero(absent)} are not; use parameters of the same wiring and seed")


def check_arithmetic(arithmetic: str) -> None:
    if arithmetic not in ARITHMETICS:
        raise InputError(f"arithmetic must be float or fixed, not {arithmetic!r}")
