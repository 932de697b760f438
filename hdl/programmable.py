"""The bracket circuit of programmable neurons: K of each neuron, read from its memory, through the multiplier.

Six clocks for a population: five products K x, then one for the gate of a population before. The ring turns in every clock, so
that in clock 6 i + j its head is x[i + j]: no multiplexer chooses among the five.
"""
from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data

from golden_model.network import POPULATIONS
from hdl.design import LayerDesign
from hdl.narrow import clamp

PERIOD = 6                                # clocks of a population
PRODUCTS = PERIOD * POPULATIONS           # clocks in which operands of the brackets are issued
LATCH = 9                                 # clock, counted from a population's first, in which its bracket is complete
GATE = 10                                 # in which its gate enters the gate ring
OPERAND = 13                              # in which gate and bracket enter the multiplier
RESULT = 16                               # in which its new word is there
TRANSFER = PERIOD * (POPULATIONS - 1) + RESULT + 1  # first of five clocks in which the new words enter the ring
PHASES = TRANSFER + POPULATIONS           # clocks of a half step

# For product j = 0..4 of population i: which K (row of its table, relative population), and its sign
TERMS = ((2, 0, -1), (0, 1, -1), (1, 0, +1), (1, -2, -1), (0, 0, +1))


def coupling_row(population: int, term: int, mirrored: bool) -> int:
    """The word among a neuron's 15 K that product ``term`` of a population needs; K1, K2, K3 one after the other."""
    kind, relative, _ = TERMS[term]
    e = (population + relative) % POPULATIONS
    if mirrored:
        e = ((1 - e), (-e - 2), -e)[kind] % POPULATIONS
    return kind * POPULATIONS + e


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
