"""Words of weight memory in a processing unit: one that was fetched becomes an operand, or is updated and written back.

An update is word + narrow(product), dropped if it overflows.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In

from hdl.array_design import ArrayDesign
from hdl.gate import gated, wide
from hdl.narrow import fits


def updated_word(array: ArrayDesign, word: Value, product: Value) -> Value:
    """The sum, wide enough not to overflow."""
    if not array.learns:
        return word
    shift = array.update_shift + array.operand_scale
    return (Cat(Const(1, 1), word).as_signed() + product[shift - 1:].as_signed()) >> 1


class TwoPorts:
    """A word is read and another one written in the same clock: an updated word is judged in pieces and written a clock after
    the control word that asked for it.

    Members
    -------
    word : In(signed(word_bits))
        The word of weight memory that was addressed two clocks ago.
    """

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.unit, self.array, self.control = m, unit, unit.array, unit.control

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {"word": In(signed(array.word_bits))}

    def operand(self) -> Value:
        weight = Signal(signed(self.array.word_bits), reset_less=True, name="weight")
        self.m.d.sync += weight.eq(Mux(self.control.word_enable, self.unit.fetched, 0))
        return wide(weight, self.array.design.operand_bits) | self.control.broadcast_a

    def write(self, product: Value, selected: Value, displacement: Value) -> None:
        """What is updated, or loaded: data, or the displacement where states are saved."""
        m, array, control, bits = self.m, self.array, self.control, self.array.word_bits
        updated = updated_word(array, self.unit.word, product)
        enough = self._enough(updated)
        data = control.load_data[:bits]
        loaded = data | wide(displacement, bits) if array.saves_state else data
        writes, written = Signal(name="writes"), Signal(signed(bits), reset_less=True, name="written")
        m.d.sync += [written.eq(Mux(control.load, loaded, updated[:bits])),
                     writes.eq(control.write & (selected | ~control.write_one))]
        m.d.comb += [self.unit.write_data.eq(written), self.unit.write_enable.eq(writes & enough)]

    def output(self) -> Value:
        return gated(self.unit.word, self.control.show_word, self.array.access_bits)

    def _enough(self, updated: Value) -> Value:
        """Whether the word of a clock ago may be written."""
        control, link, bias = self.control, self.array.formats.weight.bits, self.array.formats.drive.bits
        if not self.array.learns:
            enough = Signal(name="enough")
            self.m.d.sync += enough.eq(control.load)
            return enough
        if link == bias:
            return self._fitted(updated, link, control.load)
        return (self._fitted(updated, link, control.load | control.bias_row)
                & self._fitted(updated, bias, control.load | ~control.bias_row))

    def _fitted(self, value: Value, bits: int, anyway: Value) -> Value:
        """``fits(value, bits)``, or ``anyway``, of a clock ago. Only one LUT lies between the value and the registers."""
        top = value[bits - 1:]
        equal = [fits(top[place:place + 4].as_signed(), 1) for place in range(0, len(top) - 1, 3)]
        if not equal:
            return Const(1, 1)
        fitted = Signal(len(equal), reset_less=True, name="fitted")
        self.m.d.sync += fitted.eq(Mux(anyway, -1, Cat(equal)))
        return fitted.all()


class OnePort:
    """A word is read or written: an updated word is kept in a register, judged there, and written a clock later. What is loaded
    comes out of the register of operand A."""

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.unit, self.array, self.control = m, unit, unit.array, unit.control
        self.word = Signal(signed(unit.array.design.operand_bits), reset_less=True, name="word")

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {}

    def operand(self) -> Value:
        self.m.d.sync += self.word.eq(gated(self.unit.fetched, self.control.word_enable, len(self.word))
                                      | self.control.broadcast_a)
        return self.word

    def write(self, product: Value, selected: Value, displacement: Value) -> None:
        m, control, bits, formats = self.m, self.control, self.array.word_bits, self.array.formats
        exact = updated_word(self.array, self.unit.fetched, self._waiting(product))
        updated = Signal(signed(len(exact)), reset_less=True, name="updated")
        enough = fits(updated, formats.weight.bits)
        if formats.drive.bits != formats.weight.bits:
            enough = Mux(control.bias_row, fits(updated, formats.drive.bits), enough)
        with m.If(control.update):
            m.d.sync += updated.eq(exact)
        writes = (control.judge & enough) | (control.load_one & selected)
        data = Mux(control.load, self.word[:bits], updated[:bits])
        if self.array.windowed:                                           # the way to a memory of many blocks has a clock
            written, late = Signal(signed(bits), reset_less=True, name="written"), Signal(name="writes")
            m.d.sync += [late.eq(writes), self.unit.write_enable.eq(late), written.eq(data)]
            m.d.comb += self.unit.write_data.eq(written)
            return
        if not self.array.keeps_instants:
            m.d.sync += self.unit.write_enable.eq(writes)
            m.d.comb += self.unit.write_data.eq(data)
            return
        late = Signal(name="writes")                                      # states are written at once
        m.d.sync += late.eq(writes)
        m.d.comb += [self.unit.write_enable.eq(late | control.gate_write),
                     self.unit.write_data.eq(Mux(control.gate_write, wide(displacement, bits), data))]

    def _waiting(self, product: Value) -> Value:
        """For its word, which in a large memory is fetched a clock later."""
        if not (self.array.windowed and self.array.learns):
            return product
        change = Signal(product.shape(), reset_less=True, name="change")
        self.m.d.sync += change.eq(product)
        return change

    def output(self) -> Value:
        return Const(0, self.array.word_bits)                             # the array itself shows what it fetched


WORD_UPDATES: dict[int, type[TwoPorts | OnePort]] = {2: TwoPorts, 1: OnePort}     # by ports
