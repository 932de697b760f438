"""Reciprocal links in a processing unit: what a neuron of a recurrent layer gains and loses, and what of it learns.

Of each link one end multiplies, in both directions (``docs/arithmetic.md``, Recurrent layer): the neuron that has the word
hears the others, one after the other (``gain``), and its products with its own state go to the adder tree, whose sums come back
to those others (``exchanged``). ::

    forward      gain + drive --> bracket of population a          - exchanged --> bracket of population b
    backward     - gain --------> bracket of population a            exchanged --> bracket of population b

If both are one population, it takes the sum of the two.

An error comes as ``exchanged``, too. States of all instants are in weight memory, behind the parameters: a slot of eight words
for each instant has s of the five populations, and what the reverse circuit had there of two.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux, Signal, Value, signed

from golden_model.network import POPULATIONS, Neuron
from hdl.gate import gated
from hdl.narrow import clamp


def reverse_words(neuron: Neuron) -> tuple[int, int]:
    """The words of a slot with r of the input and of the output population, which may be the same."""
    return POPULATIONS, POPULATIONS + (neuron.input_population != neuron.output_population)


def state_word(population: int) -> int:
    """The word of a slot with s of a population: slots are in the order of the reverse circuit, as those of gates."""
    return -population % POPULATIONS


class Exchange:
    """Of a unit of a recurrent layer.

    ``own``: x of population a, which is multiplied by its links. ``voice``: what others hear of it, x of population b, or
    the word of weight memory that was asked for a clock ago.
    """

    def __init__(self, m: Any, unit: Any, point: list[Signal], kept: Value) -> None:
        self.kept, self.m, self.unit, self.array, self.control = kept, m, unit, unit.array, unit.control
        neuron, reverse = self.array.network.neuron, self.control.reverse
        a, b = neuron.input_population, neuron.output_population
        self.alike = a == b
        self.own = Mux(reverse, point[-a % POPULATIONS], point[a]).as_signed()
        self.voice = Mux(reverse, point[-b % POPULATIONS], point[b]).as_signed()
        if self.array.learns:
            self.voice = Mux(self.control.kept_shown, kept, self.voice).as_signed()

    def entering(self, accumulator: Signal, drive: Signal) -> Value:
        """What comes to the broadcast register for the bracket."""
        m, control, array = self.m, self.control, self.array
        gain = Signal.like(drive, name="gain")
        exchanged = Signal(signed(array.first.exchanged_bits), reset_less=True, name="exchanged")
        of_a, of_b = (Signal(signed(array.first.entering_bits), reset_less=True, name=name) for name in ("of_a", "of_b"))
        with m.If(control.latch_gain):
            m.d.sync += gain.eq(clamp(accumulator[array.link_shift:].as_signed(), len(gain)))
        with m.If(control.exchange_set & (control.exchange_unit == self.unit.number)):
            m.d.sync += exchanged.eq(control.exchange_word)
        m.d.sync += of_b.eq(Mux(control.reverse, exchanged, -exchanged))
        if self.alike:
            m.d.sync += of_a.eq(Mux(control.reverse, exchanged - gain, drive + gain - exchanged))
        else:
            m.d.sync += of_a.eq(Mux(control.reverse, -gain, drive + gain))
        bits = array.broadcast_bits
        return gated(of_a, control.drive_enable, bits) | gated(of_b, control.exchange_enable, bits)

    def remembered(self) -> Value:
        """A state that was kept, for operand B, where the layer learns."""
        return gated(self.kept, self.control.kept_enable, self.array.broadcast_bits)
