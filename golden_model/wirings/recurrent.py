"""A recurrent layer: inputs in frames, one after the other, and reciprocal links between its neurons.

``golden_model.reciprocal`` has the dynamics. Weights are (neurons, inputs of a frame + neurons): the links from a frame, and
behind them the reciprocal links.
"""
from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from golden_model import links, reciprocal
from golden_model.errors import InputError
from golden_model.ring import POPULATIONS
from golden_model.wirings.convolution import Convolution
from golden_model.wirings.protocol import Array, LayerState, LayerWiring
from golden_model.wirings.window import Window

if TYPE_CHECKING:
    from golden_model.arithmetic import Arithmetic
    from golden_model.parameters import Layer
    from golden_model.sections import Formats, Initialisation

_WORDS = re.compile(r"recurrent ([1-9][0-9]{0,4}) steps ([1-9][0-9]{0,4}) K3 ([0-9]{1,4}(?:\.[0-9]{1,12})?)( every frame)?")


@dataclass
class RecurrentState(LayerState):
    """As any layer's at the end of the last frame, ``outputs`` as the layer passes them on; ``course``: how it came there."""

    course: reciprocal.Course


@dataclass(frozen=True)
class Recurrent(LayerWiring):
    """Written ``recurrent 28 steps 2 K3 0.0625``: frames, integration steps for each, and K3 of the layer's neurons.

    It passes on what its neurons say after the last frame; with ``every frame`` behind these words what they say after each,
    one frame after the other, so that the size of the layer is frames * neurons.

    Raises
    ------
    InputError
        If K3 is 0: a net without damping forgets nothing, and need not settle.
    """

    frames: int
    steps: int
    K3: float
    every_frame: bool = False

    example = "recurrent 28 steps 2 K3 0.0625"
    reciprocal = True
    learns_K = False
    bears_dead_neurons = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.K3) and self.K3 > 0):
            raise InputError(f"K3 of a recurrent layer must be positive, or it has no rest to return to, not {self.K3:g}")

    @classmethod
    def parse(cls, words: str) -> Self | None:
        match = _WORDS.fullmatch(words)
        return None if match is None else cls(int(match[1]), int(match[2]), float(match[3]), bool(match[4]))

    def __str__(self) -> str:
        K3 = f"{self.K3:.12f}".rstrip("0").rstrip(".")
        return f"recurrent {self.frames} steps {self.steps} K3 {K3}{' every frame' if self.every_frame else ''}"

    def check(self, layer: int, inputs: int, neurons: int) -> None:
        if inputs % self.frames:
            raise InputError(f"a recurrent layer of {self.frames} frames must have a multiple of as many inputs, not {inputs}")
        if neurons % self.emissions:
            raise InputError(f"layer {layer} must have a multiple of {self.frames} outputs, one of each neuron for every "
                             f"frame, not {neurons}")

    def check_words(self, formats: Formats) -> None:
        formats.coupling.exact(self.K3, "K3 of the recurrent layer")
        if formats.input.fraction > formats.displacement.fraction:
            raise InputError(f"formats.input must have at most the {formats.displacement.fraction} fraction bits of a "
                             f"displacement for a recurrent layer, not {formats.input.fraction}")

    # ------------------------------------------------------------- sizes

    @property
    def emissions(self) -> int:
        """How often the layer passes on what its neurons say."""
        return self.frames if self.every_frame else 1

    @property
    def answers(self) -> bool:
        return not self.every_frame

    def fan_in(self, inputs: int) -> int:
        return inputs // self.frames

    def fan_out(self, neurons: int) -> int:
        return neurons // self.emissions

    def shape(self, inputs: int, neurons: int) -> tuple[int, int]:
        own = neurons // self.emissions
        return own, inputs // self.frames + own

    def window(self, inputs: int) -> Window:
        """What it sees of its inputs, frame after frame, as if a window moved over the rows of an image."""
        return Convolution((1, 1), 1, self.frames, 1, inputs // self.frames)

    @property
    def instants(self) -> int:
        """Steps over all frames."""
        return self.frames * self.steps

    @property
    def uses(self) -> int:
        return self.instants

    @property
    def held(self) -> int:
        return self.steps

    @property
    def dwell(self) -> int:
        """For 2**d the least power of two that is not less than the steps: the sum over them becomes about a mean."""
        return (self.instants - 1).bit_length()

    # ------------------------------------------------------------- parameters to start from

    def scaled(self, uniform: Array, start: Initialisation, layer: int, inputs: int) -> Array:
        """As for any layer for links from a frame; ``initialisation.gain`` is that of the reciprocal links.

        ``uniform`` (N, links).
        """
        from_frame = self.fan_in(inputs)
        return np.concatenate([super().scaled(uniform[:, :from_frame], start, layer, inputs),
                               uniform[:, from_frame:] * (start.gain * np.sqrt(3 / len(uniform)))], axis=1)

    def damping(self, K3: tuple[float, ...]) -> tuple[float, ...]:
        return (self.K3,) * POPULATIONS

    # ------------------------------------------------------------- signals

    def drive(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> Array:
        """Drives of one frame (images, N) from its inputs."""
        return links.forward(arithmetic, x, parameters.weights[:, :-len(parameters.bias)], parameters.bias, layer)

    def settle(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> RecurrentState:
        """The layer from rest through all frames of the images. ``x`` (images, inputs)."""
        x = arithmetic.as_displacements(x, layer)
        frames = np.split(x, self.frames, axis=1)
        drives = [self.drive(arithmetic, frame, parameters, layer) for frame in frames]
        course = reciprocal.run(arithmetic, self, drives, frames, parameters.coupling, _mutual(parameters), layer)
        answers = [s[arithmetic.network.neuron.output_population] for s in course.states[self.steps::self.steps]]
        return RecurrentState(x, course.states[-1], np.concatenate(answers[-self.emissions:], axis=1), course)

    def settle_reverse(self, arithmetic: Arithmetic, state: RecurrentState, error: Array, parameters: Layer,
                       layer: int) -> list[Array]:
        """Reverse signals (5, images, N) at every instant."""
        errors = np.split(error, self.emissions, axis=1)
        return reciprocal.run_reverse(arithmetic, self.steps, state.course, errors, parameters.coupling, _mutual(parameters),
                                      layer)

    def error_before(self, arithmetic: Arithmetic, r: list[Array], parameters: Layer, layer: int) -> Array:
        """An input is held for the steps of its frame, so its error is the integral of what comes back in each of them.

        Each of ``r`` (5, images, N); errors (images, inputs).
        """
        a, weights = arithmetic.network.neuron.input_population, parameters.weights[:, :-len(parameters.bias)]
        of_frames = [sum(signal[a] for signal in r[1 + start:1 + start + self.steps])
                     for start in range(0, self.instants, self.steps)]
        sums = np.concatenate([links.exact_product(np.asarray(signal), weights) for signal in of_frames], axis=1)
        return arithmetic.error(sums, layer - 1, arithmetic.network.integration.exponent)

    def products(self, arithmetic: Arithmetic, state: RecurrentState, r: list[Array]) -> tuple[Array, Array]:
        return reciprocal.products(arithmetic, self, state.course, r)

    def addressed(self, state: RecurrentState, erring: Array) -> Array:
        """An input link by an image with an input in some frame, a reciprocal link by every image with an error.

        ``erring`` (images,), bool.
        """
        heard = np.any([(x[erring] != 0).any(axis=0) for x in state.course.frames], axis=0)
        return np.concatenate([heard, np.full(state.displacement.shape[2], bool(erring.any()))])


def _mutual(parameters: Layer) -> Array:
    """The reciprocal links (N, N)."""
    return parameters.weights[:, -len(parameters.bias):]
