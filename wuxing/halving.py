"""Successive halving: many settings for a few epochs, the best third of them for three times as many, and so on.

After K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016.
Learning rates are halved over the epochs of a training, however many these are, so that a short training is a whole one and
says what a long one of the same settings would be worth; it is not the beginning of that, which starts anew.

Optuna has this too, but what it tries depends on which process is done first, and its resources are the steps of one training.
Here the number of settings and epochs alone says what is tried: the same bits on one core, on many, and after an interruption.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from golden_model.errors import InputError

FACTOR = 3                                # settings that are given up for one that goes on, and epochs that it gets
MOST_RUNGS = 3
LEAST, MOST = 2, 10_000                   # settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """So many settings, each trained for so many epochs."""

    settings: int
    epochs: int


def plan(settings: int, epochs: int) -> list[Rung]:
    """The rungs for so many settings, of which the last are trained for so many epochs; at least two settings in each.

    Raises
    ------
    InputError
        If there are fewer than two settings, or too many.
    """
    if not LEAST <= settings <= MOST:
        raise InputError(f"settings to try must be {LEAST} to {MOST}, the usual ones among them, not {settings}")
    count = 1
    while count < MOST_RUNGS and FACTOR**count <= min(settings, epochs):
        count += 1
    return [Rung(settings=max(LEAST, -(-settings // FACTOR**rung)), epochs=-(-epochs // FACTOR**(count - 1 - rung)))
            for rung in range(count)]


def survivors(accuracies: Sequence[float], count: int) -> list[int]:
    """Which ``count`` settings go on, in their order: the best, earlier ones before equal ones, and always the first, which is
    what all others are compared with."""
    best = sorted(range(1, len(accuracies)), key=lambda place: -accuracies[place])
    return [0, *sorted(best[:count - 1])]
