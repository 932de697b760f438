"""Rings of five populations, and where those of step starts and gates are kept.

The ring of evaluation points turns by one place a clock, so that the neighbours of the population at its head are always at the
same places (``hdl.bracket``). What else a neuron has five words of goes round with it, in registers or in a memory.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import memory
from amaranth.lib.wiring import In

from golden_model.network import POPULATIONS
from hdl.array_design import SLOT, ArrayDesign
from hdl.gate import population_size, reverse_gate
from hdl.memory_ports import BLOCK, DISTRIBUTED, read_port, write_port

GATED = 3                                 # where a point of kind programmable is in its ring when its gate goes to operand A
ZEROS = SLOT                              # first of the words of the memory of step starts that stay zero


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
    """One word of a ring that stands still in a memory of LUTs while places go round (``hdl.control``): where a ring
    shifts, nothing moves, and only a new word is written. Words that were never written are 0.

    ``place`` is read in the same clock; with one bit more than ``write_place`` it also names words that are never written.
    """
    shape = signed(width) if is_signed else unsigned(width)
    kept = memory.Memory(shape=shape, depth=1 << len(place), init=[], attrs=DISTRIBUTED)
    m.submodules[f"{name}_ring"] = kept
    put, get = write_port(kept, "put"), read_port(kept, "get", "comb")
    m.d.comb += [put.addr.eq(write_place), put.data.eq(word), put.en.eq(write), get.addr.eq(place)]
    return get.data


class RegisterRings:
    """Rings of registers that shift. Without learning there is no ring of gates: each enters when it is needed."""

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.array, self.control, self.bits = m, unit.array, unit.control, unit.array.formats.displacement.bits

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {}

    def start(self, word: Value) -> Value:
        """The step start of the population whose mean is made, from a ring that takes in ``word``."""
        control = self.control
        return shift_ring(self.m, "start", self.bits, shift=control.start_shift, new=control.start_new, word=word,
                          clear=control.clear)[0]

    def gate(self, point: list[Signal]) -> Value:
        """The gate that entered last: of the point at the head a clock ago, or the one whose turn it is."""
        array, control, population = self.array, self.control, getattr(self.control, "population_gate", None)
        if array.learns:
            return self._gate_ring(reverse_gate(array, point[0], population, control.gate_floor))
        entering = Signal(self.bits + 1, reset_less=True, name="entering")
        gate = population_size(array, point[0], population)
        waits = array.design.kind == "programmable"                       # for its bracket
        self.m.d.sync += entering.eq(Mux(control.gate_shift, gate, entering) if waits else gate)
        return entering

    def _gate_ring(self, gate: Value) -> Value:
        control = self.control
        return shift_ring(self.m, "gate", self.bits + 1, shift=control.gate_shift, new=control.gate_new, word=gate,
                          is_signed=False)[-1]


class LutRings(RegisterRings):
    """Rings that stand still in memories of LUTs."""

    def start(self, word: Value) -> Value:
        control, start = self.control, Signal(signed(self.bits), reset_less=True, name="start")
        self.m.d.sync += start.eq(memory_ring(
            self.m, "start", self.bits, write=control.start_write, write_place=control.start_written,
            place=control.start_place, word=word))
        return start

    def _gate_ring(self, gate: Value) -> Value:
        control = self.control
        return memory_ring(self.m, "gate", self.bits + 1, write=control.gate_write, write_place=control.gate_place,
                           place=control.gate_last, word=gate, is_signed=False)


class BlockRings:
    """Block RAM: step starts in 16 words, of which eight stay zero (in LUTs where block RAMs are few); gates of every fold in
    words of their own, which stay there until the way back. A recurrent layer has states of each instant in place of gates, in
    its weight memory; ``kept`` is the word that was asked for a clock ago.

    Members
    -------
    slot : In(array.all_slots)
        Of the memory of gates, constant while a neuron settles.
    """

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.array, self.control, self.slot = m, unit.array, unit.control, unit.slot
        self.kept = unit.fetched[:unit.array.formats.displacement.bits].as_signed()

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {"slot": In(array.all_slots)}

    def start(self, word: Value) -> Value:
        """The step start of the population that was asked for a clock ago."""
        control, shape = self.control, signed(self.array.formats.displacement.bits)
        self.m.submodules.starts = starts = memory.Memory(shape=shape, depth=2 * SLOT, init=[],
                                                          attrs=BLOCK if self.array.starts_in_blocks else DISTRIBUTED)
        keep, show = write_port(starts, "keep"), read_port(starts, "show")
        self.m.d.comb += [show.addr.eq(control.start_read), keep.addr.eq(control.start_place), keep.data.eq(word),
                          keep.en.eq(control.start_write)]
        return show.data

    def gate(self, point: list[Signal]) -> Value:
        """The gate of the population that was tapped a clock ago: of the ring, or of the settled neuron."""
        array, control = self.array, self.control
        here = population_size(array, point[-1 if array.design.kind == "shift" else GATED])
        if not array.learns:
            return here
        if array.recurrent:
            return Mux(control.reverse, reverse_gate(array, self.kept), here)
        settled = reverse_gate(array, point[0])
        self.m.submodules.gates = gates = memory.Memory(shape=unsigned(len(settled)), depth=array.gate_words, init=[],
                                                        attrs=BLOCK)
        keep, show = write_port(gates, "keep"), read_port(gates, "show")
        address = Cat(control.gate_place, self.slot)[:len(show.addr)]
        kept, gate = {"addr": address, "data": settled, "en": control.gate_write}, show.data
        if array.windowed:                                            # the memory is large: registers before and behind it
            gate, late = Signal.like(show.data, name="gate_late", reset_less=True), {
                name: Signal.like(value, name=f"gate_{name}") for name, value in kept.items()}
            self.m.d.sync += [gate.eq(show.data), *(late[name].eq(value) for name, value in kept.items())]
            kept = late
        self.m.d.comb += [show.addr.eq(address), keep.addr.eq(kept["addr"]), keep.data.eq(kept["data"]), keep.en.eq(kept["en"])]
        return Mux(control.reverse, gate, here)


RINGS: dict[str, type[RegisterRings | BlockRings]] = {"registers": RegisterRings, "lut": LutRings, "block": BlockRings}
