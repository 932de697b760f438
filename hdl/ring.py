"""The ring of five populations, rotating, and the one bracket circuit that serves all five populations.

The ring turns by one place a clock, so that the neighbours of the population at its head are always at the same places:

::

    head
     0     1      2      3      4        at clock i: population i, child, prey, predator, mother
     |   child   prey  predator mother
     v
    b_i = K1_i x[4] - K1_{i+1} x[1] + K2_i x[2] - K2_{i-2} x[3]  - K3_i x[0] + drive

The mirrored ring of the reverse circuit runs through the same taps; its couplings are in mirrored order
(``docs/arithmetic.md``, Mirror).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory

from golden_model.network import POPULATIONS
from hdl.layer_design import LayerDesign, signed_digits, uniform
from hdl.memory_ports import read_port, write_port
from hdl.narrow import clamp, half_up

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


def of_population(choices: Sequence[Value], population: Value) -> Value:
    """One of five signed values, all widened to the widest."""
    width = max(len(choice) for choice in choices)
    widened = []
    for choice in choices:
        wide = choice.as_signed()
        widened.append(Cat(wide, wide[-1].replicate(width - len(wide))).as_signed() if len(wide) < width else wide)
    return Array(widened)[population].as_signed()


def shift_ring(m: Module, name: str, width: int, *, shift: Value, new: Value, word: Value, clear: Value | None = None,
               is_signed: bool = True) -> list[Signal]:
    """Five registers; ``shift`` moves every word one place towards the head, the last place takes the head or, with
    ``new``, the new word. ``clear`` wins over both."""
    shape = signed(width) if is_signed else width
    places = [Signal(shape, name=f"{name}_{place}", reset_less=True) for place in range(POPULATIONS)]
    with m.If(shift):
        m.d.sync += [places[place].eq(places[place + 1]) for place in range(POPULATIONS - 1)]
        m.d.sync += places[-1].eq(Mux(new, word, places[0]))
    if clear is not None:
        with m.If(clear):
            m.d.sync += [place.eq(0) for place in places]
    return places


def memory_ring(m: Module, name: str, width: int, *, write: Value, write_place: Value, place: Value, word: Value,
                is_signed: bool = True) -> Value:
    """One word of a ring that stands still in a memory of LUTs while places go round (``hdl.control.Places``): where a ring
    shifts, nothing moves, and only a new word is written. Words that were never written are 0.

    ``place`` is read in the same clock; with one bit more than ``write_place`` it also names words that are never written.
    """
    shape = signed(width) if is_signed else unsigned(width)
    kept = memory.Memory(shape=shape, depth=1 << len(place), init=[], attrs={"ram_style": "distributed"})
    m.submodules[f"{name}_ring"] = kept
    put, get = write_port(kept, "put"), read_port(kept, "get", "comb")
    m.d.comb += [put.addr.eq(write_place), put.data.eq(word), put.en.eq(write), get.addr.eq(place)]
    return get.data


class Bracket:
    """The bracket circuit of kind ``shift``: adders only, two clocks.

    ::

        x[4], x[2] --> pair --> before --> - --> coupling --+       (K1 = K2; else two differences)
        x[0] --> self ------------------> rest -----+--> b
        broadcast register -------------> (drive, inputs, reverse signals)

    ``self_enable``, ``coupling_enable``: registers that are not enabled are zero, so that what comes through the broadcast
    register reaches operand B alone.
    """

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        one = layer.formats.coupling.one
        neuron = layer.network.neuron
        self.K1, self.K2, self.K3 = ([round(value * one) for value in couplings]
                                     for couplings in (neuron.K1, neuron.K2, neuron.K3))

    def build(self, m: Module, x: list[Signal], broadcast: Signal, control: data.View) -> Value:
        """The bracket as the multiplier's operand, two clocks after ``x`` was tapped and one after ``broadcast``."""
        formats, width = self.layer.formats, self.layer.formats.displacement.bits
        scale = formats.coupling.fraction
        population = getattr(control, "population_difference", None) if not self._same_coupling else None
        mirrored = [(1 - e) % POPULATIONS for e in range(POPULATIONS)], [(-e - 2) % POPULATIONS for e in range(POPULATIONS)]
        own = Signal(signed(width), reset_less=True, name="own")
        coupling_enable, self_population = control.coupling_enable, getattr(control, "population_self", None)
        if self._one_rate:
            # x[child] + x[predator] is what x[mother] + x[prey] was a clock ago; in phase 9 the new words are there already
            pair = Signal(signed(width + 1), reset_less=True, name="pair")
            pair_before = Signal(signed(width + 1), reset_less=True, name="pair_before")
            m.d.sync += [pair.eq(Mux(control.clear, 0, x[MOTHER] + x[PREY])), pair_before.eq(pair)]
            terms = multiple(pair - pair_before, self.K1[0])
        elif self._same_coupling:
            generation = Signal(signed(width + 1), reset_less=True, name="generation")
            overcoming = Signal(signed(width + 1), reset_less=True, name="overcoming")
            m.d.sync += [generation.eq(x[MOTHER] - x[CHILD]), overcoming.eq(x[PREY] - x[PREDATOR])]
            terms = multiple(generation, self.K1[0]) + multiple(overcoming, self.K2[0])
        else:
            def couplings(values: list[int], order: list[int], step: int) -> Callable[[Value], Value]:
                forward = [values[(e + step) % POPULATIONS] for e in range(POPULATIONS)]
                backward = [values[order[(e + step) % POPULATIONS]] for e in range(POPULATIONS)]
                return lambda value: (multiple_of_population(value, forward, population) if forward == backward else Mux(
                    control.reverse, multiple_of_population(value, backward, population),
                    multiple_of_population(value, forward, population)))
            generated = couplings(self.K1, mirrored[0], 0)(x[MOTHER]) - couplings(self.K1, mirrored[0], 1)(x[CHILD])
            overcome = couplings(self.K2, mirrored[1], 0)(x[PREY]) - couplings(self.K2, mirrored[1], -2)(x[PREDATOR])
            generation = Signal(signed(len(generated)), reset_less=True, name="generation")
            overcoming = Signal(signed(len(overcome)), reset_less=True, name="overcoming")
            m.d.sync += [generation.eq(generated), overcoming.eq(overcome)]
            terms = generation + overcoming
        coupling = Signal(signed(len(terms)), reset_less=True, name="coupling")
        m.d.sync += [coupling.eq(Mux(coupling_enable, terms, 0)), own.eq(Mux(control.self_enable, x[0], 0))]

        common = _common_shift([1 << scale, *self.K3])
        backward = [self.K3[-e % POPULATIONS] for e in range(POPULATIONS)]
        limited = multiple_of_population(own, [k >> common for k in self.K3], self_population)
        if backward != self.K3:
            limited = Mux(control.reverse, multiple_of_population(own, [k >> common for k in backward], self_population),
                          limited)
        driven = (broadcast << (scale - common)) - limited
        rest = Signal(signed(len(driven)), reset_less=True, name="rest")
        m.d.sync += rest.eq(driven)
        exact = coupling + (rest << common)
        if formats.bracket is None:
            return exact.as_signed()
        drop = formats.exact_bracket_fraction - formats.bracket_fraction
        if drop == 1:                                              # the half comes in as a carry: one adder, not two
            rounded = (Cat(Const(1, 1), coupling).as_signed() + Cat(Const(1, 1), rest << common).as_signed()) >> 2
        else:
            rounded = half_up(exact, drop)
        return clamp(rounded.as_signed(), formats.bracket.bits)

    @property
    def _one_rate(self) -> bool:
        return uniform([*self.K1, *self.K2])

    @property
    def _same_coupling(self) -> bool:
        return uniform(self.K1) and uniform(self.K2)


def _common_shift(values: list[int]) -> int:
    """How many low bits are zero in all of them."""
    joined = 0
    for value in values:
        joined |= value
    return (joined & -joined).bit_length() - 1
