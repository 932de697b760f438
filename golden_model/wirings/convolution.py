"""Convolution: local fields whose links are tied, and which input each of them meets at each position.

An image of ``height`` x ``width`` points with ``depth`` channels each is seen through a window of ``kernel`` that moves by
``stride``; it does not leave the image, and what is left over at the right and lower edges is not seen. At every position
stands one neuron for each channel of the layer. All neurons of a channel have links, bias and K in common.

Order, of inputs and of neurons alike: rows of points, points of a row, channels of a point. Taps, the inputs of one window,
have the same order. Weights are (channels, taps).
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from golden_model import links
from golden_model.errors import InputError
from golden_model.wirings.protocol import Array, LayerState, LayerWiring, Places

if TYPE_CHECKING:
    from golden_model.arithmetic import Arithmetic
    from golden_model.parameters import Layer

_NUMBER = "([1-9][0-9]{0,4})"
_WORDS = re.compile(rf"convolution {_NUMBER}x{_NUMBER} stride {_NUMBER} of {_NUMBER}x{_NUMBER}x{_NUMBER}")


@dataclass(frozen=True)
class Convolution(LayerWiring):
    """Written ``convolution 5x5 stride 2 of 28x28x1``: kernel height x width, stride, image height x width x channels.

    Raises
    ------
    InputError
        If the kernel is larger than the image.
    """

    kernel: tuple[int, int]
    stride: int
    height: int
    width: int
    depth: int

    example = "convolution 5x5 stride 2 of 28x28x1"
    tied = True
    bears_faults = False

    def __post_init__(self) -> None:
        if self.kernel[0] > self.height or self.kernel[1] > self.width:
            raise InputError(f"the kernel of a convolution must be at most {self.height}x{self.width}, the size of its image, "
                             f"not {self.kernel[0]}x{self.kernel[1]}")

    @classmethod
    def parse(cls, words: str) -> Self | None:
        match = _WORDS.fullmatch(words)
        if match is None:
            return None
        kernel_height, kernel_width, stride, height, width, depth = map(int, match.groups())
        return cls((kernel_height, kernel_width), stride, height, width, depth)

    def __str__(self) -> str:
        return (f"convolution {self.kernel[0]}x{self.kernel[1]} stride {self.stride} of "
                f"{self.height}x{self.width}x{self.depth}")

    def check(self, layer: int, inputs: int, neurons: int) -> None:
        if self.inputs != inputs:
            raise InputError(f"layer {layer} has {inputs} inputs, but its wiring is a convolution of {self.inputs} "
                             f"({self.height}x{self.width}x{self.depth}); give it the size of what it sees")
        if neurons % self.positions:
            raise InputError(f"layer {layer} must have a multiple of {self.positions} neurons, one of each channel "
                             f"at each of its {self.rows}x{self.columns} positions, not {neurons}")

    # ------------------------------------------------------------- sizes

    @property
    def inputs(self) -> int:
        return self.height * self.width * self.depth

    @property
    def taps(self) -> int:
        """Links of a neuron."""
        return self.kernel[0] * self.kernel[1] * self.depth

    @property
    def rows(self) -> int:
        return (self.height - self.kernel[0]) // self.stride + 1

    @property
    def columns(self) -> int:
        return (self.width - self.kernel[1]) // self.stride + 1

    @property
    def positions(self) -> int:
        return self.rows * self.columns

    def fan_in(self, inputs: int) -> int:
        return self.taps

    def fan_out(self, neurons: int) -> int:
        """Links of one input: one for each channel at each of the positions that see it."""
        seen = (min(-(-side // self.stride), steps) for side, steps in zip(self.kernel, (self.rows, self.columns), strict=True))
        return int(np.prod(list(seen))) * (neurons // self.positions)

    def shape(self, inputs: int, neurons: int) -> tuple[int, int]:
        return neurons // self.positions, self.taps

    def bases(self) -> Places:
        row, column = np.divmod(np.arange(self.positions), self.columns)
        return (row * self.width + column) * self.stride * self.depth

    def offsets(self, inputs: int = 0) -> Places:
        row, rest = np.divmod(np.arange(self.taps), self.kernel[1] * self.depth)
        return row * self.width * self.depth + rest

    # ------------------------------------------------------------- signals

    def patches(self, x: Array) -> Array:
        """What each position sees, (images, positions, taps), of inputs (images, inputs)."""
        return x[:, self.bases()[:, None] + self.offsets()]

    def gathered(self, patches: Array) -> Array:
        """The sum for each input (images, inputs) of what comes back to it by (images, positions, taps)."""
        total = np.zeros((len(patches), self.inputs), patches.dtype)
        for position, base in enumerate(self.bases()):
            total[:, base + self.offsets()] += patches[:, position]
        return total

    def drive(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> Array:
        sums = links.exact_product(self.patches(x), parameters.weights.T).reshape(len(x), -1)
        return arithmetic.drive(sums, self.each_neuron(parameters.bias), layer)

    def error_before(self, arithmetic: Arithmetic, r: Array, parameters: Layer, layer: int) -> Array:
        signal = r[arithmetic.network.neuron.input_element]
        back = links.exact_product(signal.reshape(len(signal), self.positions, -1), parameters.weights)
        return arithmetic.error(self.gathered(back), layer - 1)

    def products(self, arithmetic: Arithmetic, state: LayerState, r: Array) -> tuple[Array, Array]:
        signal = r[arithmetic.network.neuron.input_element]
        of_links = links.exact_product(signal.reshape(len(signal) * self.positions, -1).T,
                                       self.patches(state.inputs).reshape(-1, self.taps))
        return of_links, self.over_positions(signal.sum(axis=0))

    def addressed(self, state: LayerState, erring: Array) -> Array:
        return (self.patches(state.inputs[erring]) != 0).any(axis=(0, 1))

    def each_neuron(self, parameters: Array) -> Array:
        return np.concatenate([parameters] * self.positions, axis=-1)

    def over_positions(self, values: Array) -> Array:
        return values.reshape(*values.shape[:-1], self.positions, -1).sum(axis=-2)
