"""Kinds of networks for which the largest that a board takes is stated: how one of each size is described.

Words and rates are those of ``examples``: with others, more or less fits.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boards import fit
from boards.platforms import Platform
from golden_model.errors import InputError
from golden_model.network import Network
from hdl.design import Design

POSITIONS = 144                           # of a first convolution 5x5 stride 2 of 28x28
RECURRENT = {"coupling": "Q2.3", "bracket": "Q4.14"}
SHORT = {"displacement": "Q1.11", "error": "Q1.11", "drive": "Q2.11", "weight": "Q2.11", "bracket": "Q6.11",
         "coupling": "Q2.22"}
K_ALONE = {"links": 0.0, "bias": 0.0, "K1": 1.0, "K2": 1.0, "K3": 1.0, "halvings": 2}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Networks of one kind, of any size.

    ``title``: with the letter of the size in it. ``described``: of a size, all of the description that decides what it takes.
    ``per_size``: neurons of the first layer for each. ``neurons``: kind of neurons in hardware.
    """

    title: str
    described: Callable[[int], Mapping[str, Any]]
    per_size: int = 1
    neurons: str = "shift"

    def size(self, layers: Sequence[int]) -> int:
        """Of the network with these layers."""
        return layers[1] // self.per_size

    def network(self, target: str, size: int) -> Network:
        """With words that the multipliers of this target take, where the kind does not say which."""
        description = dict(self.described(size))
        needed = fit.NEEDS[target]
        return Network.from_dict(description | {section: entries | description.get(section, {})
                                                for section, entries in needed.items()})


def _convolutions(channels: int) -> Mapping[str, Any]:
    layers = [784, POSITIONS * channels, 16 * 2 * channels, 128, 10]
    return {"layers": layers, "learning": {"halvings": 4}, "wiring": {"layers": [
        "convolution 5x5 stride 2 of 28x28x1", f"convolution 5x5 stride 2 of 12x12x{channels}", "full", "full"]}}


def _recurrent(hidden: int) -> Mapping[str, Any]:
    return {"layers": [784, hidden, 64, 10], "integration": {"dt": 0.25}, "formats": RECURRENT, "learning": {"halvings": 3},
            "wiring": {"layers": ["recurrent 28 steps 1 K3 0.125", "full", "full"]}}


def _K_alone(hidden: int) -> Mapping[str, Any]:
    return {"layers": [784, hidden, 10], "formats": SHORT, "learning": K_ALONE}


KINDS = {
    "convolutions": Kind(title="28x28, 5x5/2 x C, 5x5/2 x 2C, 128, 10", described=_convolutions, per_size=POSITIONS),
    "recurrent": Kind(title="28 rows of 28, H with reciprocal links, 64, 10", described=_recurrent),
    "K_alone": Kind(title="784-H-10 of which K alone learns", described=_K_alone, neurons="programmable"),
}


def largest(platform: Platform, kind: Kind, learns: bool = True) -> Design | None:
    """The design of the largest network of a kind that a board takes, by estimate; None if it takes none, because the words of
    the kind are too wide for its multipliers or one channel or neuron is too much."""
    def fitting(size: int) -> Design | None:
        try:
            design = fit.chosen(platform, kind.network(platform.target, size), kind=kind.neurons, learns=learns)
        except InputError:                                    # its words have no operand
            return None
        return design if fit.fit(platform, design).fits else None
    return fit.greatest(fitting)
