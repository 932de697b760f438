"""Each neuron hears a few inputs, which the seed of the network draws."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from golden_model.errors import InputError
from golden_model.wirings.full import Full
from golden_model.wirings.protocol import Mask

STREAM = 4                                # of the seed; 0 draws the initial links, 1 to 3 belong to training
_WORDS = re.compile(r"random ([1-9][0-9]{0,6})")


@dataclass(frozen=True)
class Random(Full):
    """Written ``random 16``: so many inputs for each neuron."""

    links: int

    example = "random 16"
    drawn = True

    @classmethod
    def parse(cls, words: str) -> Self | None:
        match = _WORDS.fullmatch(words)
        return None if match is None else cls(int(match[1]))

    def __str__(self) -> str:
        return f"random {self.links}"

    def check(self, layer: int, inputs: int, neurons: int) -> None:
        if self.links > inputs:
            raise InputError(f'layer {layer} has {inputs} inputs, so its wiring must be at most "random {inputs}", not '
                             f"'{self}'")

    def fan_in(self, inputs: int) -> int:
        return self.links

    def mask(self, inputs: int, neurons: int, seed: int, layer: int) -> Mask:
        """Draw the inputs of each neuron without repetition: the least, the first of equals, of one number per input.

        The numbers are those of ``default_rng([seed, 4, layer])``, row by row. Other layers and other settings change nothing.
        """
        random = np.random.default_rng([seed, STREAM, layer])
        choice = random.random((neurons, inputs)).argsort(axis=1, kind="stable")[:, :self.links]
        mask = np.zeros((neurons, inputs), np.bool_)
        np.put_along_axis(mask, choice, True, axis=1)
        return mask
