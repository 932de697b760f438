"""``ArrayDesign``: an array of processing units and the layers that it serves: widths and memory maps."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hdl.choices import Choices
from hdl.layer_design import SLOT, LayerDesign


@dataclass(frozen=True)
class MemoryShape:
    """Of a unit's memory of weights or of K: with one port a word is read or written in a clock, with two both."""

    ports: int
    word_bits: int
    depth: int


class ArrayDesign:
    """What an array is made of: as wide as the widest of its layers.

    Words of a weight memory, the same addresses in every unit: for each layer, for each fold, the links of one neuron and
    its bias. Layers follow one another without gaps, so that the next fold's words begin where those of this one end.

    Parameters
    ----------
    design : Choices
    index : int
        Of the array.
    layers : sequence of int
        That it serves, one after the other.
    units : sequence of int
        Processing units that each of them uses.
    time_shared : bool
        Whether it has memories of one port, and rings in memories; else it serves one layer.
    """

    def __init__(self, design: Choices, index: int, layers: Sequence[int], units: Sequence[int], *, time_shared: bool) -> None:
        self.design, self.network, self.formats = design, design.network, design.network.formats
        self.index, self.time_shared = index, time_shared
        fractions = [design.network.input_fraction(layer) for layer in layers]
        slowed = max(design.network.learning.magnified(layer) + design.network.dwell(layer) for layer in layers)
        self.layers = tuple(
            LayerDesign(design, layer, count, time_shared=time_shared, alignment=max(fractions) - fraction,
                        most_slowed=slowed)
            for layer, count, fraction in zip(layers, units, fractions, strict=True))
        self.first, self.last = self.layers[0], self.layers[-1]

    @property
    def units(self) -> int:
        return max(layer.units for layer in self.layers)

    @property
    def learns(self) -> bool:
        return any(layer.learns for layer in self.layers)

    @property
    def saves_state(self) -> bool:
        return any(layer.saves_state for layer in self.layers)

    @property
    def reverses(self) -> bool:
        """Errors go back from some layer to the one before it."""
        return any(layer.reverses for layer in self.layers)

    @property
    def windowed(self) -> bool:
        """Some layer is a convolution."""
        return any(layer.window is not None for layer in self.layers)

    @property
    def recurrent(self) -> bool:
        """It serves a recurrent layer, and no other."""
        return self.first.recurrence is not None

    @property
    def keeps_instants(self) -> bool:
        return self.first.keeps_instants

    @property
    def gathers(self) -> bool:
        return any(layer.gathers for layer in self.layers)

    @property
    def rings(self) -> str:
        return self.first.rings

    @property
    def starts_in_blocks(self) -> bool:
        """Of rings in block RAM: whether step starts are there, too. Where block RAMs are few, 16 words take none."""
        return not ((self.windowed or self.recurrent or self.own_K) and self.design.target == "ecp5")

    @property
    def ports(self) -> int:
        return self.first.ports

    # ------------------------------------------------------------- memory map

    @cached_property
    def bases(self) -> tuple[int, ...]:
        """First word of each layer, by its place in the array."""
        return tuple(sum(layer.depth for layer in self.layers[:index]) for index in range(len(self.layers)))

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """First slot of each layer in the memory of gates."""
        return tuple(sum(layer.slots for layer in self.layers[:index]) for index in range(len(self.layers)))

    @property
    def folds(self) -> int:
        """Of all positions, or instants, of all layers together."""
        return sum(layer.slots for layer in self.layers)

    @property
    def numbers(self) -> range:
        """Shape of a unit's number; not without bits, because Verilog has no such port."""
        return range(max(2, self.units))

    @property
    def all_slots(self) -> range:
        """Shape of a slot's number, likewise."""
        return range(max(2, self.folds))

    @property
    def depth(self) -> int:
        """Words of weight memory of one unit."""
        return sum(layer.depth for layer in self.layers)

    @property
    def rows(self) -> int:
        """Words of the neuron that has most."""
        return max(layer.rows for layer in self.layers)

    @property
    def parameter_rows(self) -> int:
        """Words of the neuron of which a host can address most."""
        return self._widest("parameter_rows")

    @property
    def most_inputs(self) -> int:
        return max(layer.inputs for layer in self.layers)

    def memory_file(self, unit: int) -> str:
        """Name of the file with the initial words of one unit's memory."""
        return f"weights_{self.index}_{unit}.hex"

    def K_file(self, unit: int) -> str:
        """Likewise of its memory of K."""
        return f"couplings_{self.index}_{unit}.hex"

    @property
    def own_K(self) -> bool:
        return self.first.own_K

    @property
    def learns_K(self) -> bool:
        return any(layer.learns_K for layer in self.layers)

    @property
    def K_depth(self) -> int:
        """Words of the memory of K of one unit: those of each fold of each layer, one after the other."""
        return self.folds * self.first.K_rows

    @property
    def memories(self) -> dict[str, MemoryShape]:
        """Of one unit, by what is in them."""
        weights = MemoryShape(self.ports, self.word_bits, self.depth)
        return {"weights": weights} | ({"K": MemoryShape(2, self.first.K_bits, self.K_depth)} if self.own_K else {})

    @property
    def gathered_words(self) -> int:
        """Words in which a unit sums up products: at the addresses of the weights of all convolutions."""
        return max(base + layer.depth for base, layer in zip(self.bases, self.layers, strict=True) if layer.gathers)

    @property
    def gate_words(self) -> int:
        """Of the memory of gates; none where states are kept in weight memory."""
        return 0 if self.keeps_instants else SLOT * self.folds

    # ------------------------------------------------------------- widths

    def _widest(self, name: str) -> int:
        return max(int(getattr(layer, name)) for layer in self.layers)

    @property
    def word_bits(self) -> int:
        return self._widest("word_bits")

    @property
    def access_bits(self) -> int:
        return self._widest("access_bits")

    @property
    def sum_bits(self) -> int:
        return self._widest("sum_bits")

    @property
    def broadcast_bits(self) -> int:
        return self._widest("broadcast_bits")

    @property
    def input_bits(self) -> int:
        """Signed bits of an aligned input."""
        return self._widest("input_bits")

    @property
    def link_shift(self) -> int:
        return self.first.link_shift                  # alignment makes them equal

    @property
    def error_split(self) -> int:
        return self.first.error_split

    @property
    def operand_scale(self) -> int:
        return self.first.operand_scale

    @property
    def product_bits(self) -> int:
        return self.first.product_bits                # which kind of neurons it has makes them equal

    @property
    def update_shift(self) -> int:
        return self._widest("update_shift")

    @property
    def gathered_bits(self) -> int:
        return max(layer.gathered_bits for layer in self.layers if layer.gathers)

    @property
    def reverse_sum_bits(self) -> int:
        return max(layer.reverse_sum_bits for layer in self.layers)

    @property
    def mixes_reverse_shifts(self) -> bool:
        """Layers with differently magnified errors drop different bits of their sums of reverse links."""
        return len({layer.reverse_shift for layer in self.reversing()}) > 1

    @property
    def half_steps(self) -> int:
        """That are counted: all, or of a recurrent layer those of the first step and of any other."""
        return 4 if self.recurrent else 2 * self.network.integration.steps

    @property
    def phases(self) -> int:
        """Clocks of a half step."""
        return self.first.phases

    @property
    def most_errors(self) -> int:
        """Inputs of the layer that sends back most errors."""
        return max(layer.inputs for layer in self.reversing())

    @property
    def reverse_words(self) -> int:
        """Words in which sums of reverse links are kept over folds or positions, or until they are asked for; 0 where they pass
        at once. A time-shared array has two banks if errors go back through several of its layers."""
        if not self.reverses or not (self.time_shared or self.first.folds > 1):
            return 0
        banked = self.time_shared and len(self.reversing()) > 1
        return 2 << max(1, (self.most_errors - 1).bit_length()) if banked else self.most_errors

    def reversing(self) -> list[LayerDesign]:
        return [layer for layer in self.layers if layer.reverses]
