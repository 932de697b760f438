"""How one processing unit of an array is meant: by a token that it has, or by its number."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from hdl.array_design import ArrayDesign
from hdl.gate import wide


class Token:
    """The token wanders from unit to unit. A unit without it shows zeros, so that outputs are joined by OR.

    Members
    -------
    first : In(1)
        Whether it is the first unit, constant.
    token_before : In(1), token : Out(1)
    output : Out(signed(access_bits))
        Output register, or the word that was read; zero without the token.
    """

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.unit, self.selected = m, unit, unit.token
        with m.If(unit.control.token_first):
            m.d.sync += unit.token.eq(unit.first)
        with m.Elif(unit.control.token_next):
            m.d.sync += unit.token.eq(unit.token_before)

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {"first": In(1), "token_before": In(1), "token": Out(1), "output": Out(signed(array.access_bits))}

    def accumulates(self) -> Value:
        control = self.unit.control
        return control.accumulate & (self.selected | ~control.accumulate_one)

    def show(self, displacement: Value, word: Value) -> None:
        unit, bits = self.unit, self.unit.array.access_bits
        output = Signal(displacement.shape(), reset_less=True, name="output")
        with self.m.If(unit.control.latch_output):
            self.m.d.sync += output.eq(displacement)
        self.m.d.comb += unit.output.eq((wide(output, bits) | word) & self.selected.replicate(bits))


class Number:
    """The control word names a unit by its number; the array takes the output of the one that is meant.

    Members
    -------
    number : In(array.numbers)
        Its own, constant.
    output : Out(signed(displacement bits))
        Displacement of the output population, while the ring stands in its first position.
    """

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.unit = m, unit
        self.selected = Signal(name="selected")
        m.d.comb += self.selected.eq(unit.control.unit == unit.number)

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {"number": In(array.numbers), "output": Out(signed(array.formats.displacement.bits))}

    def accumulates(self) -> Value:
        control = self.unit.control
        return control.accumulate | (control.accumulate_one & self.selected)

    def show(self, displacement: Value, word: Value) -> None:
        self.m.d.comb += self.unit.output.eq(displacement)


SELECTIONS: dict[int, type[Token | Number]] = {2: Token, 1: Number}       # by ports of the weight memory
