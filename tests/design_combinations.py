"""Designs in which every pair of options meets: a covering array of all that ``Design`` can be told, but for what it refuses.

An option has a few values. ``covering`` chooses, always in the same way, designs so that each two values of two options are
together in one of them; or else ``refused`` gives the sentence with which ``Design`` refuses the two, whatever the others are.
"""
from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from itertools import combinations, product
from typing import Any

import numpy as np

from golden_model.errors import InputError
from golden_model.network import Formats, Integration, Learning, Network, Neuron, Wiring
from golden_model.parameters import Layer, initial, masks
from hdl.design import Design
from random_designs import Case

Choice = tuple[tuple[str, str], ...]      # of each option its value, by name

UNEQUAL_K = {"K1": (0.5, 1.0, -0.5, 1.5, 0.0), "K2": (0.5, -1.0, 0.5, 0.5, 1.0), "K3": (1.0, 0.5, 0.0, 1.5, 0.5)}
# what the widest sum of this kind of neuron needs; words of one width, of three, and the narrowest
FORMATS = {
    "usual": {"bracket": "Q4.12"}, "exact bracket": {"displacement": "Q1.10", "weight": "Q2.12", "drive": "Q3.10",
                                                      "error": "Q1.10"},
    "three widths": {"displacement": "Q1.10", "weight": "Q2.8", "drive": "Q4.10", "coupling": "Q2.3", "error": "Q1.10",
                     "bracket": "Q5.10"},
    "narrow": {"displacement": "Q1.6", "drive": "Q3.6", "error": "Q2.6", "weight": "Q2.8", "input": "Q2.8", "bracket": "Q6.6"}}
# of a convolution in place of the first layer, and of the next: words, inputs, channels, positions
CONVOLUTIONS = (("convolution 2x3 stride 1 of 4x5x1", 20, 2, 9), ("convolution 2x2 stride 1 of 3x3x2", 18, 3, 4))
OPTIONS: dict[str, dict[str, Any]] = {
    "kind": {"shift": "shift", "programmable": "programmable"},
    "arrangement": {"parallel": lambda layers: "parallel", "time-shared": lambda layers: "time-shared",
                    "time-shared first": lambda layers: f"time-shared 0-{max(layers - 2, 0)}",
                    "time-shared last": lambda layers: f"time-shared {min(1, layers - 1)}-{layers - 1}"},
    "learns": {"learns": True, "infers": False},
    "target": {"portable": "portable", "ecp5": "ecp5", "ice40": "ice40"},
    "units": {"one": 1, "two": 2, "all": 0},
    "depth": {"one layer": (5, 4), "two layers": (6, 5, 3), "three layers": (5, 4, 3, 4), "ones": (1, 1, 1)},
    "formats": FORMATS,
    "rest": {"one": (1.0,) * 5, "all lower": (0.75,) * 5, "unequal": (0.5, 0.75, 1.0, 1.0, 0.75)},
    "K": {"default": {}, "oscillator": {"K3": (0.0,) * 5}, "unequal": UNEQUAL_K, "of the model": {}},
    "rates": {"both": (0.0625, 0.125), "links": (0.25, 0.0), "bias": (0.0, 0.5), "none": (0.0, 0.0)},
    "frozen": {"none": 0, "first": 1},
    "instincts": {"proportional": {}, "sign": {"links_instinct": "sign", "bias_instinct": "sign"},
                  "links by sign": {"links_instinct": "sign"}, "biases by sign": {"bias_instinct": "sign"}},
    "magnification": {"none": lambda hidden: (), "more in front": lambda hidden: tuple(range(1 + 2 * hidden, 1, -2))},
    "wiring": {"full": "full", "random": "random 1", "convolution": 1, "convolutions": 2},
    "populations": {"default": {}, "others": {"input_population": 3, "output_population": 0}},
    "settling": {"three steps": (0.5, 3), "one whole step": (1.0, 1), "two of a quarter": (0.25, 2)},
}

ONE_K = "a time-shared array must have one neuron.K1 for all five populations"
OWN_K = "coupling of layer 0 must be that of the description, because kind shift"
REFUSED = {
    (("learns", "learns"), ("wiring", "random")): "a core that learns must have full wiring",
    (("kind", "shift"), ("K", "of the model")): OWN_K,
}
for convolutions in ("convolution", "convolutions"):
    REFUSED[("arrangement", "parallel"), ("wiring", convolutions)] = "convolutions must be served by one time-shared array"
    REFUSED[("kind", "programmable"), ("wiring", convolutions)] = "convolutions must be served by one time-shared array"
for arrangement in ("time-shared", "time-shared first", "time-shared last"):
    REFUSED |= {
        (("kind", "programmable"), ("arrangement", arrangement)): "a time-shared array must be of kind shift",
        (("arrangement", arrangement), ("rest", "unequal")): "a time-shared array must have one neuron.rest for all five "
                                                             "populations",
        (("arrangement", arrangement), ("K", "unequal")): ONE_K,
        (("arrangement", arrangement), ("K", "of the model")): OWN_K}      # for it is of kind shift
for convolutions in ("convolution", "convolutions"):                      # which must be in such an array
    REFUSED |= {(pair, ("wiring", convolutions)): REFUSED[("arrangement", "time-shared"), pair]
                for pair in (("rest", "unequal"), ("K", "unequal"), ("K", "of the model"))}


def design_of(choice: Choice) -> Design:
    """The design; ``InputError`` if it is refused."""
    at = {option: OPTIONS[option][value] for option, value in choice}
    layers, wiring = at["depth"], at["wiring"]
    words: tuple[str, ...] = () if wiring == "full" else (wiring,) * (len(layers) - 1) if isinstance(wiring, str) else ()
    sizes = list(layers[1:])                                          # neurons with parameters of their own
    if isinstance(wiring, int):
        front = CONVOLUTIONS[:min(wiring, len(sizes))]
        words = (*(each[0] for each in front), *("full",) * (len(sizes) - len(front)))
        sizes[:len(front)] = [channels for _, _, channels, _ in front]
        layers = (front[0][1], *(channels * positions for _, _, channels, positions in front), *layers[1 + len(front):])
    links, bias = at["rates"]
    network = Network(
        layers=layers, seed=1, formats=Formats(**at["formats"]),
        neuron=Neuron(rest=at["rest"], **at["K"], **at["populations"]),
        integration=Integration(dt=at["settling"][0], steps=at["settling"][1]),
        wiring=Wiring(layers=words),
        learning=Learning(links=links, bias=bias, epochs=2, halvings=1, frozen=at["frozen"], dropout=0.0,
                          magnification=at["magnification"](len(layers) - 2), **at["instincts"]))
    return Design(network=network, units=tuple(min(at["units"] or size, size) for size in sizes), kind=at["kind"],
                  target=at["target"], learns=at["learns"], arrangement=at["arrangement"](len(layers) - 1))


def pairs(choice: Choice) -> set[Choice]:
    return set(combinations(choice, 2))


def all_pairs(options: Mapping[str, Mapping[str, Any]] = OPTIONS) -> set[Choice]:
    return {((one, a), (other, b)) for one, other in combinations(options, 2) for a, b in product(options[one], options[other])}


@functools.cache
def covering() -> tuple[Choice, ...]:
    return covering_of(OPTIONS, REFUSED, built)


def covering_of(options: Mapping[str, Mapping[str, Any]], refused: Mapping[Choice, str],
                is_built: Callable[[Choice], bool]) -> tuple[Choice, ...]:
    """Choices in which every pair of ``options`` occurs that is not ``refused``.

    Raises
    ------
    AssertionError
        If a pair is neither in a design that can be built nor refused.
    """
    chance = random.Random(1)
    left, chosen = all_pairs(options) - set(refused), []
    while left:
        pair = min(left)
        results = [choice for _ in range(40) if (choice := _around(options, refused, pair, left, chance)) is not None]
        results.sort(key=lambda choice: len(pairs(choice) & left), reverse=True)
        best, tries = next(filter(is_built, results), None), 0
        while best is None and tries < 400:
            choice, tries = _around(options, refused, pair, set(), chance), tries + 1
            best = choice if choice is not None and is_built(choice) else None
        assert best is not None, f"{pair} must be built in some design, or be in REFUSED"
        left -= pairs(best)
        chosen.append(best)
    return tuple(chosen)


def _around(options: Mapping[str, Mapping[str, Any]], refused: Mapping[Choice, str], start: Choice, left: set[Choice],
            chance: random.Random) -> Choice | None:
    """A choice with these two values, the others one by one as they meet most pairs that are left; None if one is refused."""
    values = dict(start)
    for option in chance.sample(list(options), len(options)):
        if option not in values:
            def met(value: str, option: str = option) -> int:
                own = [(name, values.get(name) if name != option else value) for name in options]
                there = tuple((name, chosen) for name, chosen in own if chosen is not None)
                together = {pair for pair in combinations(there, 2) if (option, value) in pair}
                return -1_000 if together & set(refused) else len(together & left)
            values[option] = max(chance.sample(list(options[option]), len(options[option])), key=met)
    choice = tuple((option, values[option]) for option in options)
    return None if pairs(choice) & set(refused) else choice


def built(choice: Choice) -> bool:
    """Whether there is such a design."""
    try:
        design_of(choice)
    except InputError:
        return False
    return True


def case_of(choice: Choice, seed: int, count: int = 6) -> Case:
    """The design with parameters from small to their formats' limits, K of each neuron if the model brings its own, images."""
    return drawn(design_of(choice), dict(choice)["K"] == "of the model", seed, count)


def drawn(design: Design, own_K: bool, seed: int, count: int = 6) -> Case:
    """``case_of`` of any design. ``own_K``: the model brings K of each neuron."""
    chance = np.random.default_rng(seed)
    network, formats = design.network, design.network.formats
    values = []
    for layer, mask in zip(initial(network, "fixed"), masks(network), strict=True):
        weights, bias = (np.where(chance.random(shape) < 0.3, chance.choice([word.least, word.greatest], shape),
                                  chance.integers(word.least // 4, word.greatest // 4, shape, endpoint=True))
                         for word, shape in ((formats.weight, layer.weights.shape), (formats.drive, layer.bias.shape)))
        coupling = layer.coupling
        if own_K:
            one = formats.coupling.one
            coupling = chance.integers([[[-one]], [[-one]], [[0]]], 2 * one, coupling.shape)
        values.append(Layer(weights * (1 if mask is None else mask), bias, coupling))

    def images(number: int) -> Any:
        shape, share = (number, network.layers[0]), chance.choice([0, 0.5, 1], (number, 1))
        return (chance.integers(0, 256, shape) * (chance.random(shape) < share)).astype(np.uint8)
    learnt = count if design.learns else 0
    return Case(design, values, images(count), images(learnt), chance.integers(0, network.layers[-1], learnt))
