"""Neuron n hears input n alone."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from golden_model.errors import InputError
from golden_model.wirings.full import Full
from golden_model.wirings.protocol import Mask


@dataclass(frozen=True)
class OneToOne(Full):
    """Written ``one-to-one``: as many neurons as inputs, one link for each pair."""

    example = "one-to-one"

    @classmethod
    def parse(cls, words: str) -> Self | None:
        return cls() if words == "one-to-one" else None

    def __str__(self) -> str:
        return "one-to-one"

    def check(self, layer: int, inputs: int, neurons: int) -> None:
        if inputs != neurons:
            raise InputError(f"a one-to-one layer must have as many neurons as inputs, but layer {layer} has {neurons} for "
                             f"{inputs}; choose a random wiring")

    def fan_in(self, inputs: int) -> int:
        return 1

    def fan_out(self, neurons: int) -> int:
        return 1

    def mask(self, inputs: int, neurons: int, seed: int, layer: int) -> Mask:
        return np.eye(neurons, dtype=np.bool_)
