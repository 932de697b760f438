"""The processing unit: one neuron at a time, a datapath without control.

::

    word --&--+                        +--> >> k --> + step start + point --> clamp --> ring of points / of step starts
              |   A  +------------+    |
    gate -----+----->| multiplier |----+--> accumulator --> narrow --> drive
    broadcast +   B  | (one DSP)  |    |
    bracket -------->|            |----+--> adder tree (reverse links)
      ^              +------------+    '--> word + product >> shift --> weight memory
      '-- ring of points, broadcast | drive | reverse signal

Operands are joined by OR from registers that are zero when they are not selected, in place of multiplexers: one LUT a bit.

Four things differ from array to array, and are handed in: how a unit is selected (``hdl.selection``), how step starts and gates
are kept (``hdl.ring``), which bracket it has (``hdl.bracket``), and how many ports its weight memory has
(``hdl.word_update``). Some have a second memory, of K (``hdl.coupling_update``).

Clocks, counted from the one in which an input is in the control word as ``broadcast_b``: with a ``word_enable`` in 1, the
multiplier takes its operands at the end of 2, its product is there in 4, and in the accumulator in 5. A half step taps
population i in clock i and has its new word at the head of the ring in clock 10 + i.
"""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.array_design import ArrayDesign
from hdl.bracket import BRACKETS, ProgrammableBracket
from hdl.control import control_layout
from hdl.coupling_update import CouplingUpdate
from hdl.exchange import Exchange
from hdl.gate import gated, not_extinct, wide
from hdl.gathered_sums import GatheredSums
from hdl.multiplier import Multiplier
from hdl.narrow import clamp
from hdl.operands import sign_of
from hdl.ring import RINGS, BlockRings, shift_ring
from hdl.selection import SELECTIONS
from hdl.word_update import WORD_UPDATES


class Unit(wiring.Component):
    """One processing unit of an array.

    Parameters
    ----------
    array : ArrayDesign

    Members
    -------
    control : In(control_layout(array))
        What to do in this clock.
    fetched : In(signed(word_bits))
        The word of weight memory that was addressed one clock ago.
    write_data : Out(signed(word_bits)), write_enable : Out(1)
        To weight memory.
    product : Out(signed(weight bits + displacement bits))
        Weight times reverse signal, exact, for the adder tree.
    Others, among them the output, are those of its selection, its rings and the ports of its memory.

    One multiplier; rings in memories and sums over positions are its only memories; the rest is flip-flops.
    """

    def __init__(self, array: ArrayDesign) -> None:
        self.array, formats = array, array.formats
        self.selection, self.rings = SELECTIONS[array.ports], RINGS[array.rings]
        self.bracket, self.word_update = BRACKETS[array.design.kind], WORD_UPDATES[array.ports]
        super().__init__({
            "control": In(control_layout(array)), **self.selection.members(array), **self.rings.members(array),
            "fetched": In(signed(array.word_bits)), **self.word_update.members(array),
            "write_data": Out(signed(array.word_bits)), "write_enable": Out(1),
            "product": Out(signed(formats.weight.bits + formats.displacement.bits)), **CouplingUpdate.members(array)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, control, neuron, s = self.array, self.control, self.array.network.neuron, self.array.formats.displacement
        multiplier = m.submodules.multiplier = Multiplier(array.design.operand_bits, array.design.target)
        product = multiplier.product
        selection, rings = self.selection(m, self), self.rings(m, self)
        bracket, word_update = self.bracket(m, self), self.word_update(m, self)

        half_step = Signal(signed(s.bits), name="half_step")
        new_word = bracket.new_word(half_step)
        point = shift_ring(m, "point", s.bits, shift=control.state_shift, new=control.state_new, word=new_word,
                           clear=control.clear)
        output, reverse_signal = point[neuron.output_population], point[-neuron.input_population % POPULATIONS]
        drive = self._drive(m, product, selection.accumulates())
        entering = bracket.own(point, drive)
        if array.recurrent:
            assert isinstance(rings, BlockRings)
            exchange = Exchange(m, self, point, rings.kept)
            output, reverse_signal = exchange.voice, exchange.own
            entering = exchange.entering(self.accumulator, drive)
            if array.learns:
                entering = entering | exchange.remembered()

        if array.learns and array.design.signs:
            half = sign_of(reverse_signal).shift_left(array.design.sign_shift)
            reverse_signal = Mux(control.reverse_sign, half, reverse_signal)
        broadcast = Signal(signed(array.broadcast_bits), reset_less=True, name="broadcast")
        m.d.sync += broadcast.eq(entering | control.broadcast_b
                                 | gated(reverse_signal, control.reverse_enable, array.broadcast_bits))
        operand, word = self._gate(m, rings.gate(point)) | word_update.operand(), word_update.output()
        if array.own_K:
            coupling_update = CouplingUpdate(m, self)
            operand = operand | coupling_update.operand()
        m.d.comb += [multiplier.a.eq(operand),
                     multiplier.b.eq(bracket.operand(point, broadcast, drive, product)),
                     half_step.eq(self._half_step(m, rings.start(new_word), point[bracket.TAPPED], product)),
                     self.product.eq(product[array.operand_scale:])]
        change: Value = GatheredSums(m, self, product).change() if array.gathers else product
        if array.recurrent:
            change = Cat(Const(0, array.operand_scale), self.accumulator).as_signed()
        word_update.write(change, selection.selected, point[0] if array.recurrent else output)
        if array.own_K:
            assert isinstance(bracket, ProgrammableBracket)
            coupling_update.write(bracket.exact, selection.selected, point[0])
            if array.ports == 2:
                word = word | coupling_update.output()
        selection.show(output, word)
        return m

    def _drive(self, m: Module, product: Value, accumulates: Value) -> Signal:
        """The sum of the links, narrowed when it is latched; the next one begins with the half that rounds."""
        array, shift = self.array, self.array.link_shift
        accumulator = Signal(signed(array.sum_bits), reset_less=True, name="accumulator")
        drive = Signal(signed(array.formats.drive.bits), reset_less=True, name="drive")
        term, control, self.accumulator = product[array.operand_scale:].as_signed(), self.control, accumulator
        with m.If(control.latch_drive):
            m.d.sync += [drive.eq(clamp(accumulator[shift:].as_signed(), len(drive))), accumulator.eq(1 << shift >> 1)]
        if array.recurrent:
            with m.Elif(control.latch_gain):
                m.d.sync += accumulator.eq(1 << shift >> 1)
        if array.recurrent and array.learns:
            with m.Elif(control.begin_sum):
                m.d.sync += accumulator.eq(0)
            with m.Elif(accumulates & control.subtract):
                m.d.sync += accumulator.eq(accumulator - term)
        with m.Elif(accumulates):
            m.d.sync += accumulator.eq(accumulator + term)
        return drive

    def _gate(self, m: Module, entering: Value) -> Value:
        """Operand A of a half step. A predictor's gate is doubled, so that both half steps shift alike."""
        operand, bits = self.array.design.operand_bits, self.array.formats.displacement.bits + 1
        gates = {name: Signal(bits, reset_less=True, name=name) for name in ("corrector_gate", "predictor_gate")}
        m.d.sync += [gate.eq(Mux(self.control[name], entering, 0)) for name, gate in gates.items()]
        return wide(gates["corrector_gate"], operand) | wide(Cat(Const(0, 1), gates["predictor_gate"]), operand)

    def _half_step(self, m: Module, start: Value, tapped: Value, product: Value) -> Value:
        """narrow(((s + x) << k) + gate * B, k + 1) as (s + x + (gate * B >> k) + 1) >> 1, since floors nest."""
        array, control, s = self.array, self.control, self.array.formats.displacement
        mean = Signal(signed(s.bits + 1), reset_less=True, name="mean")
        enable = getattr(control, "mean_enable", None)
        m.d.sync += mean.eq(start + tapped if enable is None else Mux(enable, start + tapped, 0))
        change = product[:array.product_bits][array.network.corrector_shift:].as_signed()
        rounded = Signal(signed(len(change) + 1), reset_less=True, name="rounded")
        m.d.sync += rounded.eq((Cat(Const(1, 1), mean).as_signed() + Cat(Const(1, 1), change).as_signed()) >> 2)
        return not_extinct(array, clamp(rounded, s.bits), control.reverse, getattr(control, "population_clamp", None))
