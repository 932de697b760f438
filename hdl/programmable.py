"""The bracket circuit of programmable neurons: K of each neuron, read from its memory, through the multiplier.

Its clocks are in ``hdl.half_step``.
"""
from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data

from hdl.layer_design import LayerDesign
from hdl.narrow import clamp


class ProgrammableBracket:
    """Accumulates the five products of a population exactly, narrows once if the description says so.

    ::

        product --> +- --> accumulator --> narrow --> held --> operand B
        drive ------'
    """

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer

    def build(self, m: Module, broadcast: Signal, drive: Signal, product: Value, control: data.View) -> Value:
        """Operand B: the bracket in its clock, what is broadcast in all others."""
        layer, formats = self.layer, self.layer.formats
        bits = layer.network.widths(any_coupling=True)["bracket"]
        exact = Signal(signed(bits), name="bracket", reset_less=True)
        term = product[layer.operand_scale:].as_signed()
        driven = Mux(control.drive_enable, drive << formats.coupling.fraction, 0)
        before = Mux(control.bracket_first, driven, exact)
        with m.If(control.bracket_add):
            m.d.sync += exact.eq(Mux(control.bracket_subtract, before - term, before + term))
        rounded: Value = exact
        if formats.bracket is not None:
            drop = formats.exact_bracket_fraction - formats.bracket_fraction
            rounded = exact if drop == 0 else ((exact[drop - 1:].as_signed() + 1) >> 1)
            rounded = clamp(rounded.as_signed(), formats.bracket.bits)
        held = Signal(signed(len(rounded)), name="bracket_held", reset_less=True)
        with m.If(control.bracket_latch):
            m.d.sync += held.eq(rounded)
        return Mux(control.bracket_enable, held, broadcast << layer.operand_scale).as_signed()
