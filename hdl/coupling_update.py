"""The memory of a neuron's K in a processing unit: K become operands of the bracket, and learn.

::

    memory --+-- upper bits | lower bits | displacement << places --> operand A
       ^     '--> K + sum of products >> shift --> updated --> fits, and not below the minimum? --+
       '------------------------------------------------------- data | displacement | updated ----'

Products r s of reverse and settled displacements are summed in the register of the bracket (``hdl.bracket``), as products K x
are; the table of ``hdl.program`` says which. Both ports are used in one clock, never for the same word.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from hdl.array_design import ArrayDesign
from hdl.gate import gated, wide
from hdl.narrow import fits


class CouplingUpdate:
    """Of a unit that has a memory of K.

    Members
    -------
    K_fetched, K_word : In(signed(K_bits))
        The word of that memory that was addressed one clock ago, and two clocks ago.
    K_data : Out(signed(K_bits)), K_enable : Out(1)
        To that memory.
    """

    def __init__(self, m: Module, unit: Any) -> None:
        self.m, self.unit, self.array, self.control = m, unit, unit.array, unit.control
        self.layer, self.coupling = self.array.first, self.array.formats.coupling

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        word = signed(array.first.K_bits)
        return {"K_fetched": In(word), "K_word": In(word), "K_data": Out(word), "K_enable": Out(1)} if array.own_K else {}

    def operand(self) -> Value:
        """Part of a K, or a displacement times the rate of K; zero in all other clocks."""
        array, control, layer, fetched = self.array, self.control, self.layer, self.unit.K_fetched
        bits, split = array.design.operand_bits, layer.K_split
        word = gated(fetched[split:self.coupling.bits].as_signed(), control.K_high, bits)
        if split:
            word = word | gated(fetched[:split], control.K_low, bits)
        if array.learns_K:
            shifted = fetched[:array.formats.displacement.bits].as_signed() << control.K_places
            word = word | gated(shifted[:bits].as_signed(), control.K_state, bits)
        operand = Signal(signed(bits), reset_less=True, name="K_operand")
        self.m.d.sync += operand.eq(word)
        return operand

    def write(self, exact: Value, selected: Value, displacement: Value) -> None:
        """``exact``: the sum of the products of a K. ``displacement``: at the head of the ring."""
        m, unit, control, bits = self.m, self.unit, self.control, self.layer.K_bits
        data, enable = control.load_data[:bits], control.K_load & selected
        if self.array.learns_K:
            updated, enough = self._updated(exact)
            data = Mux(control.K_judge, updated[:bits], Mux(control.K_keep, wide(displacement, bits), data))
            enable = enable | control.K_keep | (control.K_judge & enough)
        m.d.comb += [unit.K_data.eq(data), unit.K_enable.eq(enable)]

    def _updated(self, exact: Value) -> tuple[Signal, Value]:
        """The K that has learnt, and in the clock after whether it is written."""
        shift, word = self.layer.K_shift, self.unit.K_word[:self.coupling.bits].as_signed()
        updated_word = (Cat(Const(1, 1), word).as_signed() + exact[shift - 1:].as_signed()) >> 1
        updated = Signal(signed(max(len(updated_word), self.layer.K_bits)), reset_less=True, name="K_updated")
        with self.m.If(self.control.K_update):
            self.m.d.sync += updated.eq(updated_word)
        minimum = self.coupling.exact(self.array.network.learning.K3_minimum, "learning.K3_minimum")
        return updated, fits(updated, self.coupling.bits) & ~(self.control.K_third & (updated < minimum))

    def output(self) -> Value:
        return gated(self.unit.K_word[:self.coupling.bits].as_signed(), self.control.show_K, self.array.access_bits)
