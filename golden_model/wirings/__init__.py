"""How the neurons of a layer are linked to what they hear: one class for each kind, all with one protocol."""
from __future__ import annotations

from typing import TYPE_CHECKING

from golden_model.wirings.convolution import Convolution
from golden_model.wirings.full import Full
from golden_model.wirings.locally_connected import LocallyConnected
from golden_model.wirings.one_to_one import OneToOne
from golden_model.wirings.protocol import LayerState, LayerWiring, Mask
from golden_model.wirings.random import Random
from golden_model.wirings.recurrent import Recurrent

if TYPE_CHECKING:
    from golden_model.network import Network

__all__ = ["EXAMPLES", "KINDS", "Convolution", "Full", "LayerState", "LayerWiring", "LocallyConnected", "Mask", "OneToOne",
           "Random", "Recurrent", "masks", "parse"]

KINDS: tuple[type[LayerWiring], ...] = (Full, Random, OneToOne, Convolution, LocallyConnected, Recurrent)

_PLAIN, _NUMBERED = ([f'"{kind.example}"' for kind in KINDS if any(map(str.isdigit, kind.example)) is numbered]
                     for numbered in (False, True))
EXAMPLES = f"{', '.join(_PLAIN)} or like {', '.join(_NUMBERED[:-1])} or {_NUMBERED[-1]}"      # as sentences list them


def parse(words: str) -> LayerWiring | None:
    """The wiring that words of ``wiring.layers`` describe; None if they describe none.

    Raises
    ------
    InputError
        If they contradict one another.
    """
    return next((wiring for kind in KINDS if (wiring := kind.parse(words)) is not None), None)


def masks(network: Network) -> list[Mask | None]:
    """For each layer of neurons which links exist, in the shape of its weights; None: all that a layer of its kind has."""
    return [wiring.mask(network.layers[layer], network.layers[layer + 1], network.seed, layer)
            for layer, wiring in enumerate(network.wirings)]
