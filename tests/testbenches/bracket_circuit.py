"""The bracket circuit of kind ``shift`` with a ring of points in front of it, as a component that can be driven alone."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.control import control_layout
from hdl.layer_design import LayerDesign
from hdl.ring import Bracket, shift_ring


class BracketCircuit(wiring.Component):
    """Ring and bracket circuit of a processing unit, wired as in ``hdl.unit``.

    Members
    -------
    control : In(control_layout(layer))
    word : In(signed(displacement bits))
        What a shift of the ring with ``state_new`` takes in.
    broadcast : In(signed(broadcast_bits))
        In a unit a register: drive, input or reverse signal.
    operand : Out(signed(multiplier bits))
    """

    def __init__(self, layer: LayerDesign, bracket: Any = Bracket) -> None:
        self.layer, self.bracket = layer, bracket
        super().__init__({
            "control": In(control_layout(layer)), "word": In(signed(layer.formats.displacement.bits)),
            "broadcast": In(signed(layer.broadcast_bits)), "operand": Out(signed(layer.design.operand_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = self.control
        point = shift_ring(m, "point", self.layer.formats.displacement.bits, shift=control.state_shift,
                           new=control.state_new, word=self.word, clear=control.clear)
        m.d.comb += self.operand.eq(self.bracket(self.layer).build(m, point, self.broadcast, control))
        return m
