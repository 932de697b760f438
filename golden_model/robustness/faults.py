"""Faults of hardware: dead neurons, stuck bits of weights, bits of states that flip, K that differs from neuron to neuron.

``FaultyModel`` and ``FaultyCompiledModel`` are ``Model`` and ``CompiledModel`` in integers on hardware with ``Faults``; they
compute the same bits. docs/arithmetic.md has the integer semantics. With no faults they are the models themselves.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import parameters
from golden_model.arguments import lesson
from golden_model.arithmetic import Array, Fixed
from golden_model.circuits import MIRROR
from golden_model.compiling import COMPILES
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Network
from golden_model.parameters import Layer, Parameters
from golden_model.robustness import upsets
from golden_model.sections import brief, number, set_whole
from golden_model.wirings import masks

DEAD_STREAM, STUCK_STREAM, MISMATCH_STREAM = 11, 12, 13   # of the seed of the faults


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is broken, how much of it, and by ``seed`` which.

    Raises
    ------
    InputError
        If a share is not one, or the seed cannot be used.
    """

    dead: float = 0.0         # share of the neurons of each hidden layer that say nothing, forward or in reverse
    stuck: float = 0.0        # share of the bits of weights that are 0 or 1, whatever is written
    upsets: float = 0.0       # probability that a bit flips in a state word before a step
    mismatch: float = 0.0     # standard deviation of each K of each neuron, as a share of it
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("dead", "stuck", "upsets", "mismatch"):
            value = number(getattr(self, name), f"faults.{name}")
            object.__setattr__(self, name, value)
            if not 0 <= value <= 1:
                raise InputError(f"faults.{name} must lie between 0 and 1, not {brief(value)}")
        set_whole(self, "faults.seed", 0, 2**63 - 1)


@dataclass(frozen=True)
class Held:
    """What a memory makes of the weights of one layer: (w & ``kept``) | ``ones``. int64 (neurons, inputs)."""

    kept: Array
    ones: Array

    def of(self, weights: Array) -> Array:
        """The words that are read where these were written. ``weights`` (N, links), and so are they."""
        return weights & self.kept | self.ones


def held(network: Network, faults: Faults) -> list[Held | None]:
    """For each layer what dead neurons and stuck bits leave of its weights; None: all.

    A dead neuron is one whose links, in and out, read 0. A greater share has the same faults and more.
    """
    silent, wired = dead(network, faults), masks(network)
    result: list[Held | None] = []
    for layer, shapes in enumerate(parameters.layer_shapes(network)):
        kept, ones = np.full(shapes["weights"], -1), np.zeros(shapes["weights"], np.int64)
        if faults.stuck:
            bits = network.formats.weight.bits
            random = np.random.default_rng([faults.seed, STUCK_STREAM, layer])
            for bit in range(bits):
                draws = random.random(shapes["weights"])
                mask = -1 << bit if bit == bits - 1 else 1 << bit             # the sign reaches up to the end
                kept &= np.where(draws < faults.stuck, ~mask, -1)
                ones |= np.where(draws < faults.stuck / 2, mask, 0)
            if (mask_of := wired[layer]) is not None:                        # a link that is not there has no memory
                ones *= mask_of
        for array in (kept, ones):
            if layer in silent:
                array[np.isin(network.wirings[layer].sources(*network.layers[layer:layer + 2]), silent[layer])] = 0
            if layer + 1 in silent:
                array[silent[layer + 1]] = 0
        result.append(Held(kept, ones) if faults.stuck or layer in silent or layer + 1 in silent else None)
    return result


def dead(network: Network, faults: Faults) -> dict[int, Array]:
    """The neurons that are dead by their place in ``network.layers``, hidden layers only: the first of a random order."""
    neurons = {}
    for at, size in enumerate(network.layers[1:-1], start=1):
        if count := round(faults.dead * size):
            neurons[at] = np.random.default_rng([faults.seed, DEAD_STREAM, at]).permutation(size)[:count]
    return neurons


def mismatched(network: Network, values: Parameters, faults: Faults, coupling: Format) -> tuple[Network, Parameters]:
    """The network and its integer parameters with K that are off, in words of ``coupling`` that can tell.

    Each K of each neuron is multiplied by 1 + mismatch * z, z normal, then rounded; K3 is one step of its word at least. A K
    acts in both neighbours that it couples and in both ways, whatever its value, so energy still falls.
    """
    fine = replace(network, formats=replace(network.formats, coupling=coupling))
    result = []
    for index, layer in enumerate(parameters.to_real(network, values)):
        random = np.random.default_rng([faults.seed, MISMATCH_STREAM, index])
        K = layer.coupling * (1 + faults.mismatch * random.standard_normal(layer.coupling.shape))
        K[2] = np.maximum(K[2], 1 / coupling.one)
        result.append(Layer(layer.weights, layer.bias, K))
    return fine, parameters.quantised(fine, result)


class Struck(Fixed):
    """Integers whose state words are hit by upsets. ``first``: number of the first image of the batch that settles."""

    first = 0

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network)
        self.faults = faults
        self.erring: Array = np.zeros((0, 1), np.bool_)

    def output_error(self, difference: Array, layer: int) -> Array:
        """``difference`` (images, classes)."""
        error = super().output_error(difference, layer)
        self.erring = np.any(error, axis=1, keepdims=True)
        return error

    def disturbed(self, state: Array, name: str, step: int) -> Array:
        """Forward all images are hit, in reverse those that err: the circuit does not run for others.

        ``state`` (5, images, N).
        """
        signal, layer = name.rstrip("]").split("[")
        _, images, neurons = state.shape
        way = upsets.FORWARD if signal == "displacement" else upsets.REVERSE
        hits = upsets.masks(self.faults.seed, np.arange(self.first, self.first + images), way, int(layer), step, neurons,
                            self.faults.upsets, self.formats.displacement.bits)
        if way == upsets.FORWARD:
            return np.maximum(state ^ hits, self.low[:, None, None])
        return state ^ (hits * self.erring)[MIRROR]


class FaultyModel(Model):
    """``Model`` in integers on faulty hardware.

    Parameters
    ----------
    network, values
        As for ``Model``.
    faults : Faults
        Without ``mismatch``, which belongs into ``values``: see ``mismatched``.

    Raises
    ------
    InputError
        If the faults have a mismatch.
    """

    def __init__(self, network: Network, values: Parameters | None, faults: Faults) -> None:
        check(network, faults)
        super().__init__(network, "fixed", values)
        self.faults, self.settled, self._held = faults, 0, held(network, faults)
        if faults.upsets:
            self.arithmetic = Struck(network, faults)
        self._hold()

    def forward(self, images: npt.ArrayLike) -> Any:
        if isinstance(self.arithmetic, Struck):
            self.arithmetic.first = self.settled
        states = super().forward(images)
        self.settled += len(states[0].inputs)
        return states

    def _learn_batch(self, images: Array, labels: Array, epoch: int) -> Array:
        classes = super()._learn_batch(images, labels, epoch)
        self._hold()
        return classes

    def _hold(self) -> None:
        for layer, memory in zip(self.layers, self._held, strict=True):
            if memory is not None:
                layer.weights = memory.of(layer.weights)


class FaultyCompiledModel(CompiledModel):
    """``FaultyModel``, compiled: the same bits."""

    def __init__(self, network: Network, values: Parameters | None, faults: Faults) -> None:
        check(network, faults)
        super().__init__(network, "fixed", values, threads=1)      # in order: images are counted
        self.faults = faults
        self._held = [(layer, [self._as_stored(words.astype(self._store.weights.dtype), layer)
                               for words in (each.kept, each.ones)])
                      for layer, each in enumerate(held(network, faults)) if each is not None]
        if faults.upsets:
            self._store = self._store._replace(upsets=upsets.table(
                faults.seed, faults.upsets, network.formats.displacement.bits, network.neuron.input_population,
                int(self._const["output_row"])))
        self._hold()

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        if not self._held:
            return super().learn(images, labels, epoch)
        images, labels, epoch = lesson(self.network, images, labels, epoch)
        batch = self.network.learning.batch
        predictions = np.empty(len(labels), np.int64)
        for start in range(0, len(labels), batch):
            part = slice(start, start + batch)
            predictions[part] = super().learn(images[part], labels[part], epoch)
            self._hold()
        return predictions

    def _hold(self) -> None:
        for layer, (kept, ones) in self._held:
            weights = self._links(self._store.weights, layer)
            weights[:] = weights & kept | ones


if not COMPILES:
    FaultyCompiledModel = FaultyModel  # type: ignore[assignment, misc]


def check(network: Network, faults: Faults) -> None:
    """Raise an ``InputError`` if models cannot have these faults."""
    if faults.mismatch:
        raise InputError(f"faults of a model must have mismatch 0, not {faults.mismatch:g}: it belongs into parameters, "
                         "which faults.mismatched gives")
    for wiring in network.wirings:
        if faults.dead and not wiring.bears_dead_neurons:
            raise InputError(f"faults.dead must be 0 in a network with {wiring}, not {faults.dead:g}: its links serve several "
                             "neurons or frames, and cannot be cut for one")
