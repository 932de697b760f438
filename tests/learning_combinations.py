"""Designs of what seldom learns: K, links of convolutions, a recurrent layer. Each meets each value of the other options.

``design_combinations`` has what all designs can be told; few of its designs have a layer of these kinds that learns, because
most other options refuse them. Here all pairs can be built.
"""
from __future__ import annotations

import functools
from typing import Any

from design_combinations import Choice, covering_of
from golden_model.errors import InputError
from golden_model.network import Formats, Integration, Learning, Network, Neuron, Wiring
from hdl.design import Design

K_RATES = {"K1": 2.0**-4, "K2": 2.0**-5, "K3": 2.0**-4}
CONVOLUTION = "convolution 2x2 stride 1 of 3x4x1"                    # 2 channels of 2x3 positions
BEHIND = "convolution 2x2 stride 1 of 2x3x2"                         # 3 channels of 1x2
# Layers, neurons with parameters of their own, words of the wiring, arrangement, rates of K
SUBJECTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...], str, dict[str, float]]] = {
    "K": ((6, 5, 3), (5, 3), (), "parallel", K_RATES),
    "K, time-shared": ((6, 5, 3), (5, 3), (), "time-shared", K_RATES),
    "convolution": ((12, 12, 3), (2, 3), (CONVOLUTION, "full"), "time-shared", {}),
    "convolution behind another": ((12, 12, 6, 3), (2, 3, 3), (CONVOLUTION, BEHIND, "full"), "time-shared", {}),
    "recurrent": ((6, 5, 4, 3), (5, 4, 3), ("recurrent 2 steps 2 K3 0.5", "full", "full"), "", {})}
OPTIONS: dict[str, dict[str, Any]] = {
    "subject": SUBJECTS,
    "rates": {"both": (0.0625, 0.125), "links": (0.25, 0.0)},
    "units": {"one": 1, "two": 2, "all": 0},
    "target": {"portable": "portable", "ecp5": "ecp5"},
    "formats": {"usual": {"bracket": "Q6.12"},
                "narrow": {"displacement": "Q1.8", "drive": "Q3.8", "error": "Q2.8", "weight": "Q2.8", "bracket": "Q6.8"}},
    "populations": {"default": {}, "others": {"input_population": 3, "output_population": 0}},
    "settling": {"three steps": (0.5, 3), "one whole step": (1.0, 1), "two of a quarter": (0.25, 2)}}


def design_of(choice: Choice) -> Design:
    at = {option: OPTIONS[option][value] for option, value in choice}
    layers, neurons, words, arrangement, of_K = at["subject"]
    links, bias = at["rates"]
    coupling = {"coupling": "Q2.14"} if of_K else {"coupling": "Q2.2"}
    network = Network(layers=layers, seed=1, formats=Formats(**at["formats"] | coupling), neuron=Neuron(**at["populations"]),
                      integration=Integration(dt=at["settling"][0], steps=at["settling"][1]), wiring=Wiring(layers=words),
                      learning=Learning(links=links, bias=bias, epochs=2, halvings=1, dropout=0.0, **of_K))
    units = tuple(min(at["units"] or size, size) for size in neurons)
    if arrangement == "":                                            # a recurrent layer has a unit for each neuron
        units = (neurons[0], *units[1:])
    return Design(network=network, units=units, kind="programmable" if of_K else "shift", target=at["target"],
                  arrangement=arrangement)


def built(choice: Choice) -> bool:
    try:
        design_of(choice)
    except InputError:
        return False
    return True


@functools.cache
def covering() -> tuple[Choice, ...]:
    return covering_of(OPTIONS, {}, built)


@functools.cache
def first_of_each_subject() -> tuple[Choice, ...]:
    """Few designs that are quickly compared, in the order of ``SUBJECTS``; they have every value of every option."""
    return tuple(next(choice for choice in covering() if dict(choice)["subject"] == subject) for subject in SUBJECTS)
