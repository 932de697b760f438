"""Convolution: which input each shared link of a layer meets at each of its positions.

An image of ``height`` x ``width`` points with ``depth`` channels each is seen through a window of ``kernel`` that moves by
``stride``; it does not leave the image, and what is left over at the right and lower edges is not seen. At every position
stands one neuron for each channel of the layer. All neurons of a channel share their links, bias and K.

Order, of inputs and of neurons alike: rows of points, points of a row, channels of a point. Taps, the inputs of one window,
have the same order.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]

_NUMBER = "([1-9][0-9]{0,4})"
_WORD = re.compile(rf"convolution {_NUMBER}x{_NUMBER} stride {_NUMBER} of {_NUMBER}x{_NUMBER}x{_NUMBER}")


@dataclass(frozen=True)
class Convolution:
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

    def __post_init__(self) -> None:
        if self.kernel[0] > self.height or self.kernel[1] > self.width:
            raise InputError(f"the kernel of a convolution must be at most {self.height}x{self.width}, the size of its image, "
                             f"not {self.kernel[0]}x{self.kernel[1]}")

    @classmethod
    def parse(cls, word: str) -> Convolution | None:
        """What a word of ``wiring.layers`` says; None if it says something else."""
        match = _WORD.fullmatch(word)
        if match is None:
            return None
        kernel_height, kernel_width, stride, height, width, depth = map(int, match.groups())
        return cls((kernel_height, kernel_width), stride, height, width, depth)

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

    @property
    def fan_out(self) -> int:
        """Positions at most that see one input."""
        seen = (min(-(-side // self.stride), steps) for side, steps in zip(self.kernel, (self.rows, self.columns), strict=True))
        return int(np.prod(list(seen)))

    def bases(self) -> Places:
        """The input at the first tap of each position (positions,)."""
        row, column = np.divmod(np.arange(self.positions), self.columns)
        return (row * self.width + column) * self.stride * self.depth

    def offsets(self) -> Places:
        """How far behind the first each tap's input is (taps,)."""
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
