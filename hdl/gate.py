"""The gates of a neuron as expressions: its populations, their floor in the reverse circuit, and the limit of extinction.

Also how words are joined by OR in place of multiplexers: from registers that are zero when they are not selected.
"""
from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Mux, Value, signed

from hdl.array_design import ArrayDesign
from hdl.layer_design import uniform


def wide(value: Value, bits: int) -> Value:
    """Sign- or zero-extended, so that words can be joined by OR."""
    assert len(value) <= bits
    fill = value[-1] if value.shape().signed else Const(0, 1)
    return Cat(value, fill.replicate(bits - len(value)))


def gated(value: Value, enable: Value, bits: int) -> Value:
    """The value, widened, or zero."""
    return wide(value, bits) & enable.replicate(bits)


def of_population(choices: Sequence[Value], population: Value) -> Value:
    """One of five signed values, all widened to the widest."""
    width = max(len(choice) for choice in choices)
    return Array([wide(choice.as_signed(), width).as_signed() for choice in choices])[population].as_signed()


def population_size(array: ArrayDesign, word: Value, population: Value | None = None) -> Value:
    """rest + s, not negative. With the default rest value 1 and range -1..1 that is s with its top bit inverted.

    ``population`` tells which of five rest values; it is not looked at if all are equal.
    """
    s = array.formats.displacement
    rest = _rest(array)
    if uniform(rest) and rest[0] == -s.least:
        return word[:s.bits] ^ (1 << s.bits - 1)
    if uniform(rest) or population is None:
        return (word + rest[0])[:s.bits + 1]
    return (word + of_population([Const(value, signed(s.bits + 1)) for value in rest], population))[:s.bits + 1]


def reverse_gate(array: ArrayDesign, word: Value, population: Value | None = None, enable: Value | None = None) -> Value:
    """The gate of the reverse circuit: the population, but the floor where it is below that or ``word`` is the greatest.

    Without ``enable`` (of the floor) it is the plain population.
    """
    s = array.formats.displacement
    floor = s.exact(array.network.neuron.gate_floor, "neuron.gate_floor")
    there = population_size(array, word, population).as_unsigned()
    low = ~there[floor.bit_length() - 1:].any() if floor & floor - 1 == 0 else there < floor
    floored = low | (word == s.greatest)
    return Mux(floored if enable is None else floored & enable, floor, there)


def not_extinct(array: ArrayDesign, word: Value, reverse: Value, population: Value | None = None) -> Value:
    """Forward words are at least -rest, in a recurrent layer more by the floor; nothing to do where that is the least word."""
    s = array.formats.displacement
    floor = s.exact(array.network.neuron.gate_floor, "neuron.gate_floor") if array.recurrent else 0
    low = [floor - value for value in _rest(array)]
    if all(value == s.least for value in low):
        return word
    least = Const(low[0], signed(s.bits)) if uniform(low) or population is None else of_population(
        [Const(value, signed(s.bits)) for value in low], population)
    return Mux(~reverse & (word < least), least, word).as_signed()


def _rest(array: ArrayDesign) -> list[int]:
    s = array.formats.displacement
    return [s.exact(value, "neuron.rest") if value < 1 else round(value * s.one) for value in array.network.neuron.rest]
