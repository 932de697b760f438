"""Associative memory: a reciprocal net that restores a pattern from a part of it.

Reciprocal links cannot make attractors: for constant drives the net has one equilibrium, which it reaches from everywhere.
So a pattern is not stored as a state of rest but as a constraint. Visible neurons are driven by what is known of a pattern;
hidden neurons hear them, and what a hidden neuron gains the visible ones lose: whatever makes a hidden neuron speak is
pushed down. Each link learns by the local product of its own two ends, against the sign,

    dC_nm = -eta s_n,a s_m,b

until the hidden neurons are silent for what is stored, as T. Kohonen's novelty filter (Self-Organization and Associative
Memory, Springer 1984). What was not stored still meets their resistance; of all ways to complete a part the stored one meets
least.
"""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden_model.arithmetic import Array
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.links import exact_product
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Integration, Learning, Network, Wiring
from golden_model.parameters import Layer
from golden_model.wirings.recurrent import Recurrent, RecurrentState

ORDER_STREAM = 5                          # of the seed; others draw links, wiring and what belongs to a training
BYTES = np.array([0, 128, 255], np.uint8)  # what drives a neuron down, not at all, up


def description(visible: int, hidden: int, *, steps: int = 64, dt: float = 2**-3, K3: float = 1.0, amplitude: float = 0.4,
                gain: float = 2.0, learning_rate: float = 1.0, batch: int = 1, seed: int = 0) -> Network:
    """A recurrent layer of ``visible`` + ``hidden`` neurons that settles for one frame of ``steps`` steps.

    ``batch``: patterns between two updates. ``amplitude``: drive of a visible neuron whose sign is known. ``gain``: of the
    random links, whose greatest singular value is about gain (1 + sqrt(hidden / visible)); times dt it must stay below 1, or
    the steps feed what the damping takes.
    """
    return Network(layers=(visible, visible + hidden), seed=seed, formats=Formats(coupling=Format.parse("Q2.4")),
                   wiring=Wiring(layers=(f"recurrent 1 steps {steps} K3 {K3:.12f}".rstrip("0").rstrip("."),)),
                   integration=Integration(dt=dt),
                   learning=Learning(links=learning_rate, bias=0.0, dropout=0.0, halvings=0, batch=batch),
                   initialisation=Initialisation(input_gain=amplitude, gain=gain, bias=0.0))


class AssociativeMemory:
    """Stores patterns of signs, and restores them from parts.

    Parameters
    ----------
    network : Network
        As ``description`` makes it.
    arithmetic : "float" or "fixed"
    values : Layer, optional
        Its parameters, for example from a model file; by default those of a memory that holds nothing.

    Patterns are integer arrays (patterns, visible) of -1 and 1; cues may have 0 for what is not known.
    """

    def __init__(self, network: Network, arithmetic: str, values: Layer | None = None) -> None:
        wiring = network.wirings[0]
        if not isinstance(wiring, Recurrent) or len(network.layers) != 2 or wiring.frames != 1:
            raise InputError("an associative memory must be one recurrent layer of one frame, not another network; make it "
                             "with association.description")
        self.network, self.arithmetic, self._wiring = network, arithmetic, wiring
        self.visible, self.neurons = network.layers
        self._model = Model(network, arithmetic, [empty(network, arithmetic) if values is None else values])
        self._learnt = 0

    @property
    def parameters(self) -> Layer:
        """A copy of what was learnt."""
        return self._model.parameters[0]

    def learn(self, patterns: npt.ArrayLike, epochs: int) -> None:
        """Store patterns, ``learning.batch`` between updates, in a random order that follows from the seed.

        ``patterns`` (patterns, visible), each -1 or 1.
        """
        words, batch = self._bytes(patterns), self.network.learning.batch
        for _ in range(epochs):
            order = np.random.default_rng([self.network.seed, ORDER_STREAM, self._learnt]).permutation(len(words))
            for start in range(0, len(words), batch):
                self._learn(words[order[start:start + batch]])
            self._learnt += 1

    def _learn(self, words: Array) -> None:
        model = self._model
        state = model.forward(words)[0]
        assert isinstance(state, RecurrentState)
        neuron, visible, layer = self.network.neuron, self.visible, model.layers[0]
        course = np.stack(state.course.states)
        after = course[1:, neuron.input_population, :, visible:].reshape(-1, self.neurons - visible)
        before = course[:-1, neuron.output_population, :, :visible].reshape(-1, visible)
        changes = np.zeros_like(layer.weights)                # of links that are not there, too
        changes[visible:, visible:2 * visible] = -exact_product(after.T, before)          # of all images and steps
        model.layers[0] = Layer(model.arithmetic.updated_weights(layer.weights, changes, 0, 0), layer.bias, layer.coupling)

    def recall(self, cues: npt.ArrayLike, rounds: int = 1) -> npt.NDArray[np.int64]:
        """The signs (cues, visible) at which the visible neurons settle; what a cue knows is kept as it is.

        In each further round the signs found in the one before are the cue of what was not known.
        """
        known = np.asarray(cues, np.int64)
        model = CompiledModel(self.network, self.arithmetic, [self.parameters], threads=1)
        pattern = known
        for _ in range(rounds):
            outputs = model.outputs(self._bytes(pattern))[:, :self.visible]
            pattern = np.where(known == 0, np.where(outputs < 0, -1, 1), known)
        return pattern

    def _bytes(self, patterns: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        signs = np.asarray(patterns)
        if signs.ndim != 2 or signs.shape[1] != self.visible or not np.isin(signs, (-1, 0, 1)).all():
            raise InputError(f"patterns must be arrays (patterns, {self.visible}) of -1, 1 and, where nothing is known, 0, not "
                             f"{signs.dtype} of shape {signs.shape}")
        return BYTES[signs.astype(np.int64) + 1]


def empty(network: Network, arithmetic: str) -> Layer:
    """Parameters of a memory that holds nothing: its links from visible to hidden neurons are random, others zero.

    Input m drives visible neuron m alone, by ``initialisation.input_gain`` for a byte of 255 and minus that for 0.
    """
    visible, neurons = network.layers
    random, start = np.random.default_rng([network.seed, 0]), network.initialisation
    weights = np.zeros((neurons, visible + neurons))
    weights[np.arange(visible), np.arange(visible)] = 2 * start.input_gain
    weights[visible:, visible:2 * visible] = (random.random((neurons - visible, visible)) * 2 - 1) * (
        start.gain * np.sqrt(3 / visible))
    bias = np.where(np.arange(neurons) < visible, -start.input_gain, 0.0)
    couplings = np.array([network.neuron.K1, network.neuron.K2, network.wirings[0].damping(network.neuron.K3)])
    coupling = np.repeat(couplings[:, :, None], neurons, axis=2)
    formats = network.formats
    words = formats.weight.quantise(weights), formats.drive.quantise(bias), formats.coupling.quantise(coupling)
    if arithmetic == "fixed":
        return Layer(*words)
    return Layer(formats.weight.real(words[0]), formats.drive.real(words[1]), coupling)
