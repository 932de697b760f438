"""Experiment ``pictures``: MNIST and Fashion-MNIST, full networks and convolutions, beside what somebody would use instead.

What must be reached was written down before it was tried; ``benchmarks`` has the rest.
"""
from __future__ import annotations

from wuxing.experiments import benchmarks
from wuxing.experiments.summary import Claim, Plain

VERSION = 1
ENTRIES = benchmarks.ENTRIES
GOALS = {                                 # per cent of the test images: must, aim
    "fashion-mnist": [("full", 88.7), ("full", 89.5), ("convolutions", 91.0), ("convolutions", 92.5)],
    "mnist": [("full", 98.6), ("full", 98.7), ("convolutions", 99.3), ("convolutions", 99.45)],
    "digits": [("full", 90.0)]}

tasks, run, summarise = benchmarks.tasks, benchmarks.run, benchmarks.summarise


def check(values: Plain) -> list[Claim]:
    return benchmarks.claims(values, GOALS, {})
