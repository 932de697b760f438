"""Every neuron hears every input."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from golden_model import links
from golden_model.wirings.protocol import Array, LayerState, LayerWiring

if TYPE_CHECKING:
    from golden_model.arithmetic import Arithmetic
    from golden_model.parameters import Layer


@dataclass(frozen=True)
class Full(LayerWiring):
    """Written ``full``: one link from each input to each neuron. Sparse kinds are full ones of which some links are zero."""

    example = "full"

    @classmethod
    def parse(cls, words: str) -> Self | None:
        return cls() if words == "full" else None

    def __str__(self) -> str:
        return "full"

    def check(self, layer: int, inputs: int, neurons: int) -> None:
        pass                                                     # any sizes go together

    def fan_in(self, inputs: int) -> int:
        return inputs

    def fan_out(self, neurons: int) -> int:
        return neurons

    def shape(self, inputs: int, neurons: int) -> tuple[int, int]:
        return neurons, inputs

    def drive(self, arithmetic: Arithmetic, x: Array, parameters: Layer, layer: int) -> Array:
        return links.forward(arithmetic, x, parameters.weights, parameters.bias, layer)

    def error_before(self, arithmetic: Arithmetic, r: Array, parameters: Layer, layer: int) -> Array:
        return links.reverse(arithmetic, r[arithmetic.network.neuron.input_population], parameters.weights, layer - 1)

    def products(self, arithmetic: Arithmetic, state: LayerState, r: Array) -> tuple[Array, Array]:
        signal = r[arithmetic.network.neuron.input_population]
        return links.exact_product(signal.T, state.inputs), signal.sum(axis=0)

    def addressed(self, state: LayerState, erring: Array) -> Array:
        return (state.inputs[erring] != 0).any(axis=0)
