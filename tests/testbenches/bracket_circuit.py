"""A wired bracket circuit with a ring of points in front of it, as a component that can be driven alone."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.array_design import ArrayDesign
from hdl.bracket import WiredBracket
from hdl.control import control_layout
from hdl.ring import shift_ring


class BracketCircuit(wiring.Component):
    """Ring and bracket circuit of a processing unit, wired as in ``hdl.unit``.

    Members
    -------
    control : In(control_layout(array))
    word : In(signed(displacement bits))
        What a shift of the ring with ``state_new`` takes in.
    broadcast : In(signed(broadcast_bits))
        In a unit a register: drive, input or reverse signal.
    operand : Out(signed(multiplier bits))
    """

    def __init__(self, array: ArrayDesign, bracket: Any = WiredBracket) -> None:
        self.array, self.bracket = array, bracket
        super().__init__({
            "control": In(control_layout(array)), "word": In(signed(array.formats.displacement.bits)),
            "broadcast": In(signed(array.broadcast_bits)), "operand": Out(signed(array.design.operand_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = self.control
        point = shift_ring(m, "point", self.array.formats.displacement.bits, shift=control.state_shift,
                           new=control.state_new, word=self.word, clear=control.clear)
        m.d.comb += self.operand.eq(self.bracket(m, self).operand(point, self.broadcast, self.broadcast, self.broadcast))
        return m
