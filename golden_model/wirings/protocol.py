"""``LayerWiring``: all that one layer does in a way of its own. Each kind of layer is one class, in one file of this folder.

The model, the learning rule, the analysis of widths and the engine ask a layer's wiring and never which kind it is. A new kind
implements what is abstract here, and replaces what else it does otherwise.

Arrays, for M inputs and N neurons: inputs (images, M), signals (5, images, N), drives and errors (images, N).
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from golden_model import circuits
from golden_model.fixed_point import Array

if TYPE_CHECKING:                         # a description is read before there is anything that computes
    from golden_model.arithmetic import Arithmetic
    from golden_model.parameters import Layer
    from golden_model.sections import Formats, Initialisation

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass
class LayerState:
    """What one layer knows of a batch: its inputs, its settled displacements, and what it passes on (images, N)."""

    inputs: Array
    displacement: Array
    outputs: Array


@dataclass(frozen=True)
class LayerWiring(ABC):
    """Which links a layer has, and what goes over them. ``str`` gives the words of the description."""

    # ------------------------------------------------------------- the description

    @classmethod
    @abstractmethod
    def parse(cls, words: str) -> LayerWiring | None:
        """The wiring that these words describe; None if they are those of another kind, or of none.

        Raises
        ------
        InputError
            If they are of this kind and contradict one another.
        """

    @abstractmethod
    def check(self, layer: int, inputs: int, neurons: int) -> None:
        """Raise an ``InputError`` if a layer of these sizes cannot be wired so. ``layer``: 0 is the first with neurons."""

    def check_words(self, formats: Formats) -> None:
        """Raise an ``InputError`` if a constant of this wiring has no word, or its inputs cannot be brought to theirs."""
        return                            # most kinds have no constants of their own

    example = ""                          # words of it, as a refusal names them
    drawn = False                         # whether links are drawn by the seed of the network
    tied = False                          # whether neurons have links in common
    reciprocal = False                    # whether what a neuron gains over a link another loses
    learns_K = True
    bears_dead_neurons = True             # whether each link joins one input and one neuron, and can be cut for that pair

    @property
    def answers(self) -> bool:
        """Whether its outputs can be classes, one for each."""
        return True

    # ------------------------------------------------------------- sizes

    @abstractmethod
    def fan_in(self, inputs: int) -> int:
        """Links of each neuron to the inputs of the layer."""

    @abstractmethod
    def fan_out(self, neurons: int) -> int:
        """Links that an input can have at most."""

    @abstractmethod
    def shape(self, inputs: int, neurons: int) -> tuple[int, int]:
        """Of the weights: neurons that have parameters of their own, and links of each."""

    def mask(self, inputs: int, neurons: int, seed: int, layer: int) -> Mask | None:
        """Which links exist, in the shape of the weights; None: all. ``seed``: that of the network."""
        return None

    def bases(self) -> Places:
        """The input at the first link of each position (positions,); a layer that sees all its inputs has one position."""
        return np.zeros(1, np.int64)

    def offsets(self, inputs: int) -> Places:
        """How far behind the first each link's input is (links,)."""
        return np.arange(inputs)

    def sources(self, inputs: int, neurons: int) -> Places:
        """The input of each link, in the shape of the weights, of a kind that bears dead neurons."""
        return np.broadcast_to(np.arange(inputs), (neurons, inputs))

    @property
    def positions(self) -> int:
        """Neurons that have the same parameters."""
        return 1

    @property
    def uses(self) -> int:
        """Local products that a parameter has for one image: one for each position, or each step."""
        return self.positions

    @property
    def held(self) -> int:
        """Reverse signals that are added up over each link for the error of the layer before: one, or one for each step."""
        return 1

    @property
    def dwell(self) -> int:
        """d, where the learning rates of the layer are divided by 2**d."""
        return 0

    # ------------------------------------------------------------- parameters to start from

    def scaled(self, uniform: Array, start: Initialisation, layer: int, inputs: int) -> Array:
        """First weights from random numbers in [-1, 1), in the shape of the weights: uniform in +-gain * sqrt(3 / links).

        ``uniform`` (N, links).
        """
        gain = start.gain if layer else start.input_gain
        return uniform * (gain * np.sqrt(3 / self.fan_in(inputs)))

    def damping(self, K3: tuple[float, ...]) -> tuple[float, ...]:
        """K3 of the five populations of its neurons, where the description of a neuron says ``K3``."""
        return K3

    # ------------------------------------------------------------- there

    @abstractmethod
    def drive(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> Array:
        """Drives of the neurons from the inputs. ``x`` (images, inputs); drives (images, N)."""

    def settle(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> LayerState:
        """The layer from rest until it passes its outputs on. ``x`` (images, inputs)."""
        drive = self.drive(arithmetic, x, parameters, layer)
        s = circuits.settle(arithmetic, drive, self.each_neuron(parameters.coupling), layer)
        return LayerState(x, s, s[arithmetic.network.neuron.output_population])

    # ------------------------------------------------------------- and back

    def settle_reverse(self, arithmetic: Arithmetic, state: Any, error: Array, parameters: Layer, layer: int) -> Any:
        """Reverse signals (5, images, N) from the error of what the layer passed on."""
        return circuits.settle_reverse(arithmetic, state.displacement, error, self.each_neuron(parameters.coupling), layer)

    @abstractmethod
    def error_before(self, arithmetic: Arithmetic, r: Any, parameters: Layer, layer: int) -> Array:
        """The error of the layer before, from the reverse signals of this one.

        ``r`` (5, images, N), or a list of them; errors (images, inputs).
        """

    # ------------------------------------------------------------- learning

    @abstractmethod
    def products(self, arithmetic: Arithmetic, state: Any, r: Any) -> tuple[Array, Array]:
        """The exact sums of the local products of every link, in the shape of the weights, and of every bias.

        ``r`` (5, images, N), or a list of them.
        """

    @abstractmethod
    def addressed(self, state: Any, erring: Array) -> Array:
        """Which links a pid instinct addresses, bools that broadcast to the weights; ``erring`` (images,): had an error."""

    def each_neuron(self, parameters: Array) -> Array:
        """Parameters of the last axis as every neuron has them. ``parameters`` (..., own) to (..., N)."""
        return parameters

    def over_positions(self, values: Array) -> Array:
        """Values of every neuron, in the last axis, summed for those that have a parameter in common.

        ``values`` (..., N) to (..., own).
        """
        return values
