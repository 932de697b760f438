"""Experiment ``recordings``: sound and movement, beside what somebody would use instead.

What must be reached was written down before it was tried; ``benchmarks`` has the rest.
"""
from __future__ import annotations

from wuxing.experiments import benchmarks
from wuxing.experiments.summary import Claim, Plain

VERSION = 1
ENTRIES = benchmarks.ENTRIES
ON_MEANS = "logistic regression on means"
AHEAD = {                                 # points by which a network must be better than a method; negative: may be worse
    "build/recordings/spoken-digits.npz": [("frames", ON_MEANS, 5.0), ("frames", f"frames: {benchmarks.GRU}", -3.0)],
    "build/recordings/watch-exercises.npz": [("frames", "logistic regression", 0.0), ("frames", "gradient boosting", -3.0)],
    "digits": [("frames", ON_MEANS, 5.0)]}

tasks, run, summarise = benchmarks.tasks, benchmarks.run, benchmarks.summarise


def check(values: Plain) -> list[Claim]:
    return benchmarks.claims(values, {}, AHEAD)
