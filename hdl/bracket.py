"""The bracket of a neuron's equation: one circuit that serves all five populations, one after the other.

The ring turns by one place a clock, so that the neighbours of the population at its head are always at the same places:

::

    head
     0     1      2      3      4        at clock i: population i, child, prey, predator, mother
     |   child   prey  predator mother
     v
    b_i = K1_i x[4] - K1_{i+1} x[1] + K2_i x[2] - K2_{i-2} x[3]  - K3_i x[0] + drive

The mirrored ring of the reverse circuit runs through the same taps; its couplings are in mirrored order
(``docs/arithmetic.md``, Mirror). The bracket is wired, of adders, or programmable: K of each neuron comes from its memory and
goes through the multiplier (its clocks: ``hdl.half_step``).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from golden_model.network import POPULATIONS
from hdl.gate import gated, of_population
from hdl.layer_design import signed_digits, uniform
from hdl.narrow import clamp, half_up
from hdl.ring import shift_ring

CHILD, PREY, PREDATOR, MOTHER = 1, 2, 3, 4


def multiple(value: Value, factor: int) -> Value:
    """value * factor by shifts and adders, for factors of one or two signed powers of two."""
    terms = [(value << shift) if sign > 0 else -(value << shift) for shift, sign in signed_digits(factor)]
    if not terms:
        return Const(0, signed(1))
    return sum(terms[1:], terms[0])


def multiple_of_population(value: Value, factors: Sequence[int], population: Value | None) -> Value:
    """value times the factor of the population that is being computed; ``population`` is not looked at if all are equal."""
    if uniform(factors) or population is None:
        return multiple(value, factors[0])
    return of_population([multiple(value, factor) for factor in factors], population)


class WiredBracket:
    """The bracket circuit of kind ``shift``: adders only, two clocks.

    ::

        x[4], x[2] --> pair --> before --> - --> coupling --+       (K1 = K2; else two differences)
        x[0] --> self ------------------> rest -----+--> b
        broadcast register -------------> (drive, inputs, reverse signals)

    ``self_enable``, ``coupling_enable``: registers that are not enabled are zero, so that what comes through the broadcast
    register reaches operand B alone.
    """

    TAPPED = 2                            # where a point is in its ring when its mean with the step start is made

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.array, self.control = m, unit.array, unit.control
        one, neuron = self.array.formats.coupling.one, self.array.network.neuron
        self.K1, self.K2, self.K3 = ([round(value * one) for value in couplings]
                                     for couplings in (neuron.K1, neuron.K2, self.array.first.K3))
        self.bits = self.array.formats.displacement.bits

    def new_word(self, half_step: Value) -> Value:
        """What the ring of points takes in."""
        return half_step

    def own(self, point: list[Signal], drive: Signal) -> Value:
        """What comes to the broadcast register from the unit itself: the drive, for the population that it enters."""
        return gated(drive, self.control.drive_enable, self.array.broadcast_bits)

    def operand(self, x: list[Signal], broadcast: Signal, drive: Signal, product: Value) -> Value:
        """The bracket as the multiplier's operand, two clocks after ``x`` was tapped and one after ``broadcast``."""
        formats, control = self.array.formats, self.control
        scale = formats.coupling.fraction
        terms = self._coupled(x)
        own = Signal(signed(self.bits), reset_less=True, name="own")
        coupling = Signal(signed(len(terms)), reset_less=True, name="coupling")
        self.m.d.sync += [coupling.eq(Mux(control.coupling_enable, terms, 0)), own.eq(Mux(control.self_enable, x[0], 0))]

        in_common = _zeros_in_common([1 << scale, *self.K3])
        driven = (broadcast << (scale - in_common)) - self._limited(own, in_common)
        rest = Signal(signed(len(driven)), reset_less=True, name="rest")
        self.m.d.sync += rest.eq(driven)
        exact = coupling + (rest << in_common)
        if formats.bracket is None:
            return exact.as_signed()
        drop = formats.exact_bracket_fraction - formats.bracket_fraction
        if drop == 1:                                              # the half comes in as a carry: one adder, not two
            rounded = (Cat(Const(1, 1), coupling).as_signed() + Cat(Const(1, 1), rest << in_common).as_signed()) >> 2
        else:
            rounded = half_up(exact, drop)
        return clamp(rounded.as_signed(), formats.bracket.bits)

    def _coupled(self, x: list[Signal]) -> Value:
        """Generation and overcoming, a clock after they were tapped."""
        m = self.m
        if uniform([*self.K1, *self.K2]):
            # x[child] + x[predator] is what x[mother] + x[prey] was a clock ago; in phase 9 the new words are there already
            pair, before = (Signal(signed(self.bits + 1), reset_less=True, name=name) for name in ("pair", "pair_before"))
            sum_before: Value = Mux(self.control.clear, 0, x[MOTHER] + x[PREY])
            if self.array.recurrent:                              # between half steps the ring stands
                sum_before = Mux(self.control.state_shift, x[MOTHER] + x[PREY], x[CHILD] + x[PREDATOR])
            m.d.sync += [pair.eq(sum_before), before.eq(pair)]
            return multiple(pair - before, self.K1[0])
        if uniform(self.K1) and uniform(self.K2):
            differences = [x[MOTHER] - x[CHILD], x[PREY] - x[PREDATOR]]
        else:
            generated, overcome = (self._of_places(self.K1, lambda e: 1 - e), self._of_places(self.K2, lambda e: -e - 2))
            differences = [generated(x[MOTHER], 0) - generated(x[CHILD], 1), overcome(x[PREY], 0) - overcome(x[PREDATOR], -2)]
        registers = [Signal(signed(len(value)), reset_less=True, name=name)
                     for name, value in zip(("generation", "overcoming"), differences, strict=True)]
        m.d.sync += [register.eq(value) for register, value in zip(registers, differences, strict=True)]
        if uniform(self.K1) and uniform(self.K2):
            return multiple(registers[0], self.K1[0]) + multiple(registers[1], self.K2[0])
        return registers[0] + registers[1]

    def _of_places(self, couplings: list[int], mirror: Callable[[int], int]) -> Callable[[Value, int], Value]:
        """A value times the coupling of the population ``step`` places from the one that is computed, in both circuits."""
        def product(value: Value, step: int) -> Value:
            forward = [couplings[(e + step) % POPULATIONS] for e in range(POPULATIONS)]
            backward = [couplings[mirror((e + step) % POPULATIONS) % POPULATIONS] for e in range(POPULATIONS)]
            return self._in_both(value, forward, backward, getattr(self.control, "population_difference", None))
        return product

    def _limited(self, own: Value, in_common: int) -> Value:
        """Self-limitation, without the low bits that are zero in all K3."""
        K3 = [k >> in_common for k in self.K3]
        return self._in_both(own, K3, [K3[-e % POPULATIONS] for e in range(POPULATIONS)],
                             getattr(self.control, "population_self", None))

    def _in_both(self, value: Value, forward: list[int], backward: list[int], population: Value | None) -> Value:
        """A value times the coupling of its population, which may be another one in the reverse circuit."""
        there = multiple_of_population(value, forward, population)
        return there if forward == backward else Mux(
            self.control.reverse, multiple_of_population(value, backward, population), there)


class ProgrammableBracket:
    """Accumulates the five products of a population exactly, narrows once if the description says so.

    ::

        product --> +- --> accumulator --> narrow --> held --> operand B
        drive ------'
    """

    TAPPED = 1

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.array, self.control = m, unit.array, unit.control

    def new_word(self, half_step: Value) -> Value:
        """The results wait in a ring of their own, because the old points are needed to the end of the half step."""
        control = self.control
        result = shift_ring(self.m, "result", len(half_step), shift=control.result_shift, new=~control.transfer, word=half_step)
        return Mux(control.transfer, result[0], half_step)

    def own(self, point: list[Signal], drive: Signal) -> Value:
        """The point that is multiplied by K."""
        return gated(point[0], self.control.self_enable, self.array.broadcast_bits)

    def operand(self, x: list[Signal], broadcast: Signal, drive: Signal, product: Value) -> Value:
        """The bracket in its clock, what is broadcast in all others: two clocks later, as through a wired bracket."""
        m, array, formats, control = self.m, self.array, self.array.formats, self.control
        late = Signal.like(broadcast, name="broadcast_late")
        exact = Signal(signed(array.first.bracket_bits), name="bracket", reset_less=True)
        self.exact = exact
        term: Value = product[array.operand_scale:].as_signed()
        if array.own_K and array.first.K_split:
            term = Mux(control.bracket_high, term << array.first.K_split, term)
        driven = Mux(control.drive_enable, drive << formats.coupling.fraction, 0)
        before = Mux(control.bracket_first, driven, exact)
        m.d.sync += late.eq(broadcast)
        with m.If(control.bracket_add):
            m.d.sync += exact.eq(Mux(control.bracket_subtract, before - term, before + term))
        rounded: Value = exact
        if formats.bracket is not None:
            rounded = clamp(half_up(exact, formats.exact_bracket_fraction - formats.bracket_fraction), formats.bracket.bits)
        held = Signal(signed(len(rounded)), name="bracket_held", reset_less=True)
        with m.If(control.bracket_latch):
            m.d.sync += held.eq(rounded)
        return Mux(control.bracket_enable, held, late << array.operand_scale).as_signed()


BRACKETS: dict[str, type[WiredBracket | ProgrammableBracket]] = {"shift": WiredBracket, "programmable": ProgrammableBracket}


def _zeros_in_common(values: list[int]) -> int:
    """How many low bits are zero in all of them."""
    joined = 0
    for value in values:
        joined |= value
    return (joined & -joined).bit_length() - 1
