"""``LayerDesign``: what one layer of a design is made of: widths, shifts, memory map.

Everything about a layer that generator, documents and estimates must agree on is derived here.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from golden_model.bounds import Interval, words_of_formats
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import PARAMETER_SETS, POPULATIONS
from golden_model.wirings.recurrent import Recurrent
from golden_model.wirings.window import Window
from hdl.choices import COUPLINGS, Choices
from hdl.half_step import HALF_STEPS, HalfStep
from hdl.operand_remedies import remedy

K_STATES = 3 * POPULATIONS                # row of the first displacement in the memory of K
SLOT = 8                                  # words that a neuron has in the memory of gates: a power of two from POPULATIONS on
MOST_K_BITS = 32                          # a word of a frame


class LayerDesign:
    """What one layer is made of. Widths in bits, all words signed unless said otherwise.

    Parameters
    ----------
    design : Choices
    index : int
    units : int
        Processing units that it uses.
    time_shared : bool
        Whether its array does other layers too, and keeps all that a neuron has in memories.
    alignment : int
        Bits by which inputs are shifted left: in a time-shared array the products of all layers have their point at one place.
    most_slowed : int
        Greatest ``slowed`` of the layers of its array, which all drop the same bits of a product.
    """

    def __init__(self, design: Choices, index: int, units: int, *, time_shared: bool = False, alignment: int = 0,
                 most_slowed: int = 0) -> None:
        self.design, self.index, self.units = design, index, units
        self.time_shared, self.alignment, self.most_slowed = time_shared, alignment, most_slowed
        network = design.network
        self.network, self.formats = network, network.formats
        self.inputs, self.neurons = network.layers[index], network.layers[index + 1]
        self.wiring = network.wirings[index]
        self.channels, self.links = self.wiring.shape(self.inputs, self.neurons)
        self.folds = -(-self.channels // self.units)
        self.learns = design.learns and index >= network.learning.frozen and len(self._rates()) > 0
        self.reverses = self.learns and index > network.learning.frozen      # sends errors to the layer before it
        self.last = index == len(network.layers) - 2

    @property
    def window(self) -> Window | None:
        """Through which a convolution sees its inputs, position by position."""
        return self.wiring if isinstance(self.wiring, Window) and self.wiring.tied else None

    @property
    def recurrence(self) -> Recurrent | None:
        """Of a layer that takes its inputs frame by frame, and has reciprocal links between its neurons."""
        return self.wiring if isinstance(self.wiring, Recurrent) else None

    @cached_property
    def walked(self) -> Window | None:
        """How a layer goes through inputs that it does not see all at once: by positions, or by frames."""
        return self.window if self.recurrence is None else self.recurrence.window(self.inputs)

    @property
    def slots(self) -> int:
        """Of a unit in the memory of gates: one for each fold of each position, or one for each instant."""
        return self.folds * self.positions if self.recurrence is None else self.recurrence.instants + 1

    @property
    def K3(self) -> tuple[float, ...]:
        """Of the description, or the damping of a recurrent layer."""
        return self.wiring.damping(self.network.neuron.K3)

    @property
    def positions(self) -> int:
        """Neurons of a channel, which have their parameters in common: one, but in a convolution."""
        return self.wiring.positions

    @property
    def gathers(self) -> bool:
        """Sums up the products of all positions before a word is updated."""
        return self.learns and self.window is not None

    @property
    def clears(self) -> bool:
        """Adds reverse links of several positions to the sum of one input."""
        return self.reverses and self.window is not None

    @property
    def rings(self) -> str:
        """Where step starts and gates are kept: "block" RAM, with room for the gates of all folds; "lut": memories of LUTs,
        which save ECP5 a quarter of the flip-flops and which iCE40 does not have; "registers" that shift."""
        return "block" if self.time_shared else "lut" if self.design.target == "ecp5" else "registers"

    @property
    def ports(self) -> int:
        """Of a weight memory: with 2 a word is read and another one written in a clock."""
        return 1 if self.time_shared else 2

    def _rates(self) -> list[str]:
        rate_shifts = self.network.learning.rate_shifts(0)
        return [name for name in PARAMETER_SETS if rate_shifts[name] is not None]

    @property
    def learns_K(self) -> bool:
        return self.learns and self.design.learns_K

    # ------------------------------------------------------------- memory map

    @property
    def bias_row(self) -> int:
        return self.links

    @property
    def coupling_row(self) -> int:
        """First of 15 K, which only programmable neurons have, among what a host can address."""
        return self.links + 1

    @property
    def parameter_rows(self) -> int:
        """Words of one neuron that a host can address."""
        return self.links + 1 + (3 * POPULATIONS if self.design.kind == "programmable" else 0)

    @property
    def own_K(self) -> bool:
        """Whether K are in a memory of their own: where they learn, where they are wider than the multiplier's operand, and
        beside weight memories of one port."""
        design = self.design
        wide = self.formats.coupling.bits > design.operand_bits
        return design.kind == "programmable" and (self.time_shared or design.learns_K or wide)

    @property
    def K_split(self) -> int:
        """Low bits of a K that have a product of their own, because the multiplier's operand has no room for them."""
        return max(0, self.formats.coupling.bits - self.design.operand_bits)

    @property
    def K_rows(self) -> int:
        """Words of one neuron in the memory of K: 15 of K, and where they learn five settled displacements."""
        return K_STATES + (POPULATIONS if self.design.learns_K else 0)

    @property
    def K_bits(self) -> int:
        """Bits of a word of that memory."""
        return max(self.formats.coupling.bits, self.formats.displacement.bits if self.design.learns_K else 0)

    @property
    def access_bits(self) -> int:
        """Bits of a word that a host reads or writes."""
        return max(self.word_bits, self.formats.coupling.bits) if self.own_K else self.word_bits

    @property
    def saves_state(self) -> bool:
        """A folded layer keeps the settled displacements of its neurons between forward and reverse, in its weight memory."""
        return self.learns and self.folds > 1 and not self.time_shared

    @property
    def state_row(self) -> int:
        """First of 5 rows of settled displacements."""
        return self.links + 1 if self.own_K else self.parameter_rows

    @property
    def rows(self) -> int:
        """Words of weight memory for one neuron."""
        return self.state_row + (POPULATIONS if self.saves_state else 0)

    @property
    def keeps_instants(self) -> bool:
        """A recurrent layer keeps the states of all instants behind its parameters, in weight memory."""
        return self.learns and self.recurrence is not None

    @property
    def depth(self) -> int:
        """Words of weight memory of one processing unit."""
        return self.folds * self.rows + (SLOT * self.slots if self.keeps_instants else 0)

    @cached_property
    def word_bits(self) -> int:
        """Bits of a word of weight memory: links, biases, and what else is kept there."""
        formats = self.formats
        bits = [formats.weight.bits, formats.drive.bits]
        if self.saves_state or self.keeps_instants:
            bits.append(formats.displacement.bits)
        if self.design.kind == "programmable" and not self.own_K:
            bits.append(formats.coupling.bits)
        return max(bits)

    def fold_size(self, fold: int) -> int:
        """Neurons of a fold: all units, but in the last fold what is left."""
        return min(self.units, self.channels - fold * self.units)

    # ------------------------------------------------------------- widths

    @property
    def link_shift(self) -> int:
        """Bits that a sum of links drops to become a drive."""
        return self.network.link_shift(self.index) + self.alignment

    @property
    def input_word(self) -> Format:
        """The format of a value that comes in over the links."""
        return self.formats.displacement if self.index else self.formats.input

    @property
    def input_bits(self) -> int:
        """Signed bits of such a value."""
        word = self.input_word
        bits = word.bits + (not word.signed) + self.network.input_shift(self.index) + self.alignment
        return bits if self.recurrence is None else max(bits, self.formats.displacement.bits)     # of which it hears, too

    @property
    def operand_scale(self) -> int:
        """Fraction bits of the multiplier's operand B beyond those of a displacement."""
        return self.formats.bracket_fraction - self.formats.displacement.fraction

    @property
    def restore_value(self) -> int:
        """Operand with which a half step from zero gives back the other operand: 2**(corrector_shift + 1 - scale)."""
        return 1 << (self.network.corrector_shift + 1 - self.operand_scale)

    @cached_property
    def error_split(self) -> int:
        """Of the link_shift bits by which an error is shifted into the accumulator, those on operand A."""
        return max(0, min(self.link_shift, self.design.operand_bits - self.formats.error.bits))

    @cached_property
    def passing_bits(self) -> int:
        """Bits of what comes to operand B as it is: inputs, reverse signals and powers of two."""
        bits = [self.formats.displacement.bits, self.input_bits, self.link_shift + 2]
        if self.learns:
            bits.append(self.link_shift - self.error_split + 2 if self.recurrence is None else
                        self.formats.error.bits + self.kick_shift)
        if self.saves_state:
            bits.append(self.restore_value.bit_length() + 1)
        return max(bits)

    @property
    def broadcast_bits(self) -> int:
        """Bits of the register through which that and the drive come to operand B."""
        if self.recurrence is not None:
            return max(self.entering_bits, self.passing_bits)
        return max(self.formats.drive.bits, self.passing_bits)

    @property
    def exchanged_bits(self) -> int:
        """Of what comes to a neuron of a recurrent layer over reciprocal links, or as an error."""
        return max(self.formats.drive.bits, self.formats.error.bits + self.kick_shift if self.learns else 0)

    @property
    def entering_bits(self) -> int:
        """Of what comes to the bracket of one population: a drive and what is gained, and what is lost if it is the same."""
        return self.exchanged_bits + 1 + (self.network.neuron.input_population == self.network.neuron.output_population)

    @property
    def kick_shift(self) -> int:
        """Bits by which an error is shifted left to be a bracket, so that a corrector adds it, gated, to a state."""
        return self.network.corrector_shift + 1 - self.formats.error.fraction - self.operand_scale

    @cached_property
    def exact_widths(self) -> dict[str, int]:
        """Bits of exact sums, for the K that this kind of neuron can have."""
        return self.network.widths(any_coupling=self.design.kind == "programmable")

    @cached_property
    def operand_bits_needed(self) -> dict[str, int]:
        """Bits that the multiplier's operands need, by what they carry."""
        formats = self.formats
        gate = formats.displacement.bits + 2                            # not negative, doubled for the predictor
        bracket = self.exact_widths["bracket"] if formats.bracket is None else formats.bracket.bits
        needed = {"formats.weight": formats.weight.bits, "formats.drive (bias)": formats.drive.bits,
                  "formats.displacement (gate)": gate, "the bracket": bracket,
                  "the inputs": (self.broadcast_bits if self.recurrence is None else self.passing_bits) + self.operand_scale}
        if self.learns:
            needed["formats.error"] = formats.error.bits
            needed["inputs times rate"] = self.update_operand_bits
            if self.design.learns_K:
                needed["displacements times rate of K"] = formats.displacement.bits + self.K_most_places
        return needed

    @property
    def sum_bits(self) -> int:
        """Accumulator of links and bias, with room for the half that rounds. Links that are not there count, too."""
        words = words_of_formats(self.network)
        if self.recurrence is not None:
            x = words.input << self.network.input_shift(self.index)
            links = (x * words.weight).times(self.links - self.channels) + (words.drive << self.link_shift)
            links = (links | (words.displacement[0] * words.weight).times(self.channels)) + Interval.of(1 << self.link_shift)
            return max(links.bits, self.summed_bits if self.learns else 0)
        links = ((words.displacement[0] if self.index else words.input) * words.weight).times(self.links) << self.alignment
        return (links + (words.drive << self.link_shift) + Interval.of(1 << self.link_shift)).bits

    @property
    def phases(self) -> int:
        """Clocks of a half step."""
        return self.half_step.phases

    @property
    def half_step(self) -> HalfStep:
        if not self.own_K:
            return HALF_STEPS[self.design.kind]
        return HALF_STEPS["split K" if self.K_split else "own K"]

    @property
    def product_bits(self) -> int:
        """Bits of gate times bracket that matter, the gate doubled."""
        return min(self.exact_widths["product"] + 1, 2 * self.design.operand_bits)

    # ------------------------------------------------------------- learning

    @cached_property
    def update_shift(self) -> int:
        """Bits that the product of an update drops, at every rate: slower rates shift the other operand less."""
        greatest_rate_shifts = self.network.learning.greatest_rate_shifts()
        links = greatest_rate_shifts["links"]
        bias = greatest_rate_shifts["bias"]
        shifts = [self.design.sign_shift if self.design.signs else 1]
        if links is not None and not self.design.by_sign("links"):
            shifts.append(self.network.update_shift(self.index, links + self.most_slowed) + self.alignment)
        if bias is not None and not self.design.by_sign("bias"):
            shifts.append(bias + self.most_slowed)
        return max(shifts)

    def step_shift(self, name: str) -> int:
        """Bits by which a sign is shifted on operand A so that what is left of the product is 1, at learning rate 1."""
        word = self.formats.weight if name == "links" else self.formats.drive
        return word.fraction + self.update_shift - self.design.sign_shift

    @cached_property
    def update_operand_bits(self) -> int:
        rate_shifts = self.network.learning.rate_shifts(0)
        bits = [2]
        bits += [2 + self.step_shift(name) - (rate_shifts[name] or 0) for name in rate_shifts if self.design.by_sign(name)]
        if rate_shifts["links"] is not None and not self.design.by_sign("links"):
            bits.append(self.input_bits + self.update_shift - self.alignment
                        - self.network.update_shift(self.index, rate_shifts["links"] + self.slowed))
        if rate_shifts["bias"] is not None and not self.design.by_sign("bias"):
            bits.append(2 + self.update_shift - rate_shifts["bias"] - self.slowed)
        return max(bits)

    @cached_property
    def K_shift(self) -> int:
        """Bits that the products of a K drop, at every rate: slower rates shift a displacement less."""
        greatest = self.network.learning.greatest_rate_shifts()
        return max(1, self.K_places + max(n for name in COUPLINGS if (n := greatest[name]) is not None))

    @property
    def K_places(self) -> int:
        """Bits that the products of a K drop at learning rate 1."""
        return 2 * self.formats.displacement.fraction - self.formats.coupling.fraction

    @property
    def K_most_places(self) -> int:
        """Bits by which a displacement is shifted left at the fastest rate."""
        return self.K_shift - self.K_places - self.design.K_rate_shifts().start

    @cached_property
    def bracket_bits(self) -> int:
        """Of the register of kind programmable in which products are summed: of a bracket, or of a K that learns."""
        bits = self.network.widths(any_coupling=True)["bracket"]
        if self.design.learns_K:
            words = words_of_formats(self.network)
            product = (words.displacement[0] << self.K_most_places) * words.reverse
            bits = max(bits, (product + -product).bits)
        return bits

    @property
    def gathered_bits(self) -> int:
        """The exact sum of the products of an update over all positions."""
        return self.formats.displacement.bits + self.update_operand_bits + (self.positions - 1).bit_length()

    @property
    def summed_bits(self) -> int:
        """The exact sum of the products of an update over all steps, of a link used both ways two in each."""
        assert self.recurrence is not None
        return self.formats.displacement.bits + self.update_operand_bits + (2 * self.recurrence.instants - 1).bit_length()

    @property
    def slowed(self) -> int:
        """Bits by which rates are less than those of the description: its errors are magnified, or its steps many."""
        return self.network.learning.magnified(self.index) + self.network.dwell(self.index)

    @property
    def reverse_shift(self) -> int:
        """Bits that a sum of reverse links drops to become an error of the layer before."""
        return self.network.reverse_shift(max(self.index - 1, 0))

    @property
    def reverse_sum_bits(self) -> int:
        """The sum of all reverse links of one input, with room for the half that rounds; of reciprocal links likewise."""
        words = words_of_formats(self.network)
        if self.recurrence is not None:
            return ((words.reverse * words.weight).times(self.channels) + Interval.of(1 << self.link_shift)).bits
        links = (words.reverse * words.weight).times(self.wiring.fan_out(self.neurons))
        return (links + Interval.of(1 << self.reverse_shift)).bits

    def check(self) -> None:
        """Raise an ``InputError`` if the multiplier cannot take the network's words."""
        available = self.design.operand_bits
        if self.own_K and self.formats.coupling.bits > (most := min(MOST_K_BITS, 2 * available - 1)):
            raise InputError(f"formats.coupling must have at most {most} bits for the two products of a K of target "
                             f"{self.design.target}, not {self.formats.coupling.bits}; set formats.coupling = "
                             f'"{Format(most, self.formats.coupling.fraction - self.formats.coupling.bits + most)}"')
        for name, bits in self.operand_bits_needed.items():
            if bits > available:
                raise InputError(f"{name} must fit the {available}-bit operand of target {self.design.target}, but layer "
                                 f"{self.index} needs {bits} bits; {remedy(self.design)}")
        if self.design.kind == "shift" and (bracket := self.formats.bracket) is not None:
            bits = self.passing_bits + self.operand_scale
            if bracket.bits < bits:
                raise InputError(f"formats.bracket must have at least {bits} bits in layer {self.index}, because inputs of "
                                 f"kind shift pass through it, not {bracket.bits}; {remedy(self.design)}")


def signed_digits(value: int) -> list[tuple[int, int]]:
    """The canonical signed digits of an integer: (shift, sign) with value = sum of sign * 2**shift, as few as can be."""
    digits, shift = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((shift, sign))
            value -= sign
        value >>= 1
        shift += 1
    return digits


def uniform(values: Sequence[float]) -> bool:
    return len(set(values)) == 1
