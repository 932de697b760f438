"""Recurrence: how a layer reads its inputs in frames, one after the other, and how its neurons are damped meanwhile.

The dynamics are in ``golden_model.reciprocal``; this is what a word of ``wiring.layers`` says about them.
"""
from __future__ import annotations

import math
import re
from dataclasses import dataclass

from golden_model.errors import InputError

_WORD = re.compile(r"recurrent ([1-9][0-9]{0,4}) steps ([1-9][0-9]{0,4}) K3 ([0-9]{1,4}(?:\.[0-9]{1,12})?)")


@dataclass(frozen=True)
class Recurrence:
    """Written ``recurrent 28 steps 2 K3 0.0625``: frames, integration steps for each, and K3 of the layer's neurons.

    Raises
    ------
    InputError
        If K3 is 0: a net without damping forgets nothing, and need not settle.
    """

    frames: int
    steps: int
    K3: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.K3) and self.K3 > 0):
            raise InputError(f"K3 of a recurrent layer must be positive, or it has no rest to return to, not {self.K3:g}")

    @classmethod
    def parse(cls, word: str) -> Recurrence | None:
        """What a word of ``wiring.layers`` says; None if it says something else."""
        match = _WORD.fullmatch(word)
        return None if match is None else cls(int(match[1]), int(match[2]), float(match[3]))

    @property
    def instants(self) -> int:
        """Steps over all frames."""
        return self.frames * self.steps
