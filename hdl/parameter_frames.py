"""All parameters of a network as frames of a core, and back: for whatever talks to cores."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from golden_model.errors import DeviceError, InputError
from golden_model.network import POPULATIONS, Network
from golden_model.parameters import Layer, Parameters, check, initial, layer_shapes
from hdl import frames
from hdl.choices import COUPLINGS, remedy_of_wired_K
from hdl.frames import Opcode, Reply, Status, StatusReport


def check_revision(report: StatusReport) -> None:
    """Raise an ``InputError`` if a core speaks another revision of the frames than this program."""
    if report.revision != frames.REVISION:
        raise InputError(f"the core must speak revision {frames.REVISION} of the frames, not {report.revision}; build it again "
                         f"with this version of wuxing")


def writes(network: Network, values: Parameters, programmable: bool) -> list[list[int]]:
    """Frames that write all parameters.

    Raises
    ------
    InputError
        If they are not integers of the network's formats, or bring a K that the core has wired otherwise.
    """
    check(network, "fixed", values)
    if not programmable:
        for index, (layer, fixed) in enumerate(zip(values, initial(network, "fixed"), strict=True)):
            if not np.array_equal(layer.coupling, fixed.coupling):
                remedy = remedy_of_wired_K(network) or "emit it with programmable neurons"
                raise InputError(f"coupling of layer {index} must be that of the description, because this core has its "
                                 f"K wired; {remedy}")
    return [frames.write(index, neuron, start, words[start:start + frames.MOST_COUNT])
            for index, layer in enumerate(values) for neuron, words in enumerate(_rows(layer, programmable))
            for start in range(0, len(words), frames.MOST_COUNT)]


def least_of_K(rate_shifts: Mapping[str, int | None]) -> int | None:
    """The rate shift of the fastest of K1, K2 and K3, which stands for all of them in ``RATE``; None if none is learnt."""
    return min((n for name in COUPLINGS if (n := rate_shifts[name]) is not None), default=None)


def rate_shifts(network: Network, epoch: int) -> list[int]:
    """The frame that brings the rates of an epoch of the description's rate schedule into force."""
    shifts = network.learning.rate_shifts(epoch)
    return frames.rate_shifts(shifts["links"], shifts["bias"], least_of_K(shifts))


def reads(network: Network, programmable: bool) -> list[list[int]]:
    """Frames whose replies ``parameters`` takes."""
    return [frames.read(index, neuron, start, min(frames.MOST_COUNT, count - start))
            for index, (neurons, _, count) in enumerate(_sizes(network, programmable)) for neuron in range(neurons)
            for start in range(0, count, frames.MOST_COUNT)]


def parameters(network: Network, replies: Sequence[Reply], programmable: bool) -> Parameters:
    """All parameters from the replies to ``reads``; K that is wired is the description's."""
    fixed = initial(network, "fixed")
    words = np.array([word for reply in replies for word in reply.words], np.uint32).view(np.int32).astype(np.int64)
    values, at = [], 0
    for index, (neurons, inputs, count) in enumerate(_sizes(network, programmable)):
        table = words[at:at + neurons * count].reshape(neurons, count)
        at += neurons * count
        coupling = table[:, inputs + 1:].T.reshape(3, POPULATIONS, neurons) if programmable else fixed[index].coupling
        values.append(Layer(table[:, :inputs].copy(), table[:, inputs].copy(), coupling.copy()))
    return values


def accepted(requests: Sequence[Sequence[int]], replies: Sequence[Reply]) -> Sequence[Reply]:
    """The replies, if the core refused none of these frames, which it has no reason to."""
    for request, reply in zip(requests, replies, strict=True):
        if reply.status is not Status.OK or reply.opcode != request[0] & 0xFF:
            raise DeviceError(f"{Opcode(request[0] & 0xFF).name} must be accepted by the core, but it answered "
                              f"{_name(reply.opcode)} with status {reply.status.name}; see docs/registers.md")
    return replies


def _name(opcode: int) -> str:
    return Opcode(opcode).name if opcode in tuple(Opcode) else f"opcode {opcode}"


def _sizes(network: Network, programmable: bool) -> list[tuple[int, int, int]]:
    """Of each layer: neurons, inputs, parameters of a neuron."""
    shapes = [shape["weights"] for shape in layer_shapes(network)]
    return [(neurons, inputs, inputs + 1 + (3 * POPULATIONS if programmable else 0)) for neurons, inputs in shapes]


def _rows(layer: Layer, programmable: bool) -> Any:
    """The parameters of each neuron in the order of their addresses."""
    parts = [layer.weights, layer.bias[:, None]]
    if programmable:
        parts.append(layer.coupling.reshape(3 * POPULATIONS, -1).T)
    return np.concatenate(parts, axis=1).tolist()
