"""Windows: what a layer of local fields sees of an image, and where.

An image of ``height`` x ``width`` points with ``depth`` channels each is seen through a window of ``kernel`` that moves by
``stride``; it does not leave the image, and what is left over at the right and lower edges is not seen. At every position
stands one neuron for each channel of the layer.

Order, of inputs and of neurons alike: rows of points, points of a row, channels of a point. Taps, the inputs of one window,
have the same order. Whether the neurons of a channel have their links in common is a matter of the kinds that stand on this.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from golden_model.errors import InputError
from golden_model.wirings.protocol import Array, LayerWiring, Places

_NUMBER = "([1-9][0-9]{0,4})"
_WORDS = re.compile(rf"([a-z-]+) {_NUMBER}x{_NUMBER} stride {_NUMBER} of {_NUMBER}x{_NUMBER}x{_NUMBER}")


@dataclass(frozen=True)
class Window(LayerWiring):
    """Written like ``convolution 5x5 stride 2 of 28x28x1``: kernel height x width, stride, image height x width x channels.

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

    word: ClassVar[str]                   # that begins the description
    article: ClassVar[str]                # the kind in a sentence

    def __post_init__(self) -> None:
        if self.kernel[0] > self.height or self.kernel[1] > self.width:
            raise InputError(f"the kernel of {self.article} must be at most {self.height}x{self.width}, the size of its image, "
                             f"not {self.kernel[0]}x{self.kernel[1]}")

    @classmethod
    def parse(cls, words: str) -> Self | None:
        match = _WORDS.fullmatch(words)
        if match is None or match[1] != cls.word:
            return None
        kernel_height, kernel_width, stride, height, width, depth = map(int, match.groups()[1:])
        return cls((kernel_height, kernel_width), stride, height, width, depth)

    def __str__(self) -> str:
        return (f"{self.word} {self.kernel[0]}x{self.kernel[1]} stride {self.stride} of "
                f"{self.height}x{self.width}x{self.depth}")

    def check(self, layer: int, inputs: int, neurons: int) -> None:
        if self.inputs != inputs:
            raise InputError(f"layer {layer} has {inputs} inputs, but its wiring is {self.article} of {self.inputs} "
                             f"({self.height}x{self.width}x{self.depth}); give it the size of what it sees")
        if neurons % self.windows:
            raise InputError(f"layer {layer} must have a multiple of {self.windows} neurons, one of each channel "
                             f"at each of its {self.rows}x{self.columns} positions, not {neurons}")

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
    def windows(self) -> int:
        """Positions of the window."""
        return self.rows * self.columns

    def fan_in(self, inputs: int) -> int:
        return self.taps

    def fan_out(self, neurons: int) -> int:
        """Links of one input: one for each channel at each of the positions that see it."""
        span = (min(-(-side // self.stride), steps) for side, steps in zip(self.kernel, (self.rows, self.columns), strict=True))
        return int(np.prod(list(span))) * (neurons // self.windows)

    def bases(self) -> Places:
        row, column = np.divmod(np.arange(self.windows), self.columns)
        return (row * self.width + column) * self.stride * self.depth

    def offsets(self, inputs: int = 0) -> Places:
        row, rest = np.divmod(np.arange(self.taps), self.kernel[1] * self.depth)
        return row * self.width * self.depth + rest

    def patches(self, x: Array) -> Array:
        """What each position sees, (images, positions, taps), of inputs (images, inputs)."""
        return x[:, self.bases()[:, None] + self.offsets()]

    def gathered(self, patches: Array) -> Array:
        """The sum for each input (images, inputs) of what comes back to it by (images, positions, taps)."""
        total = np.zeros((len(patches), self.inputs), patches.dtype)
        for position, base in enumerate(self.bases()):
            total[:, base + self.offsets()] += patches[:, position]
        return total
