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

Clocks, counted from the one in which an address or a broadcast operand is in the control word: the word is there in 2, the
multiplier takes its operands at the end of 2, its product is there in 4 and in the accumulator in 5. A half step taps
population i in clock i and has its new word at the head of the ring in clock 10 + i.
"""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.control import control_layout
from hdl.gate import gated, not_extinct, population_size, reverse_gate, wide
from hdl.layer_design import LayerDesign
from hdl.multiplier import Multiplier
from hdl.narrow import clamp, fits
from hdl.programmable import ProgrammableBracket
from hdl.ring import Bracket, memory_ring, shift_ring


class Unit(wiring.Component):
    """One processing unit of kind ``shift``.

    Parameters
    ----------
    layer : LayerDesign

    Members
    -------
    control : In(control_layout(layer))
        What to do in this clock.
    first, token_before : In(1); token : Out(1)
        The token wanders from unit to unit; who has it is the one that ``write_one``, ``accumulate_one`` and the
        output mean. ``first`` is constant.
    fetched, word : In(signed(word_bits))
        The word of weight memory that was addressed one clock ago, and two clocks ago.
    write_data : Out(signed(word_bits))
    write_enable : Out(1)
        To weight memory, a clock after the control that asked for it.
    output : Out(signed(word_bits))
        Output register, or the word that was read; zero without the token.
    product : Out(signed(reverse product))
        Weight times reverse signal, exact, for the adder tree.

    One multiplier; no memory of its own; rings, accumulator and pipeline are flip-flops.
    """

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        formats = layer.formats
        super().__init__({
            "control": In(control_layout(layer)), "first": In(1), "token_before": In(1),
            "token": Out(1), "fetched": In(signed(layer.word_bits)), "word": In(signed(layer.word_bits)),
            "write_data": Out(signed(layer.word_bits)), "write_enable": Out(1), "output": Out(signed(layer.word_bits)),
            "product": Out(signed(formats.weight.bits + formats.displacement.bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer, control = self.layer, self.control
        formats, network = layer.formats, layer.network
        s, scale, operand = formats.displacement, layer.operand_scale, layer.design.operand_bits
        multiplier = m.submodules.multiplier = Multiplier(operand, layer.design.target)
        product = multiplier.product

        with m.If(control.token_first):
            m.d.sync += self.token.eq(self.first)
        with m.Elif(control.token_next):
            m.d.sync += self.token.eq(self.token_before)

        # ring of evaluation points; its new words come from the half step below
        half_step = Signal(signed(s.bits), name="half_step")
        programmable = layer.design.kind == "programmable"
        new_word: Value = half_step
        if programmable:                           # the old points are needed to the end of the half step
            result = shift_ring(m, "result", s.bits, shift=control.result_shift, new=~control.transfer, word=half_step)
            new_word = Mux(control.transfer, result[0], half_step)
        point = shift_ring(m, "point", s.bits, shift=control.state_shift, new=control.state_new, word=new_word,
                           clear=control.clear)
        if layer.rings == "lut":
            start = Signal(signed(s.bits), reset_less=True, name="start")
            m.d.sync += start.eq(memory_ring(m, "start", s.bits, write=control.start_write, write_place=control.start_written,
                                             place=control.start_place, word=new_word))
        else:
            start = shift_ring(m, "start", s.bits, shift=control.start_shift, new=control.start_new, word=new_word,
                               clear=control.clear)[0]
        reverse_signal = point[-network.neuron.input_population % POPULATIONS]

        # accumulator of the links -> drive
        accumulator = Signal(signed(layer.sum_bits), reset_less=True, name="accumulator")
        drive = Signal(signed(formats.drive.bits), reset_less=True, name="drive")
        half = 1 << layer.link_shift >> 1
        with m.If(control.latch_drive):
            m.d.sync += [drive.eq(clamp(accumulator[layer.link_shift:].as_signed(), formats.drive.bits)), accumulator.eq(half)]
        with m.Elif(control.accumulate & (self.token | ~control.accumulate_one)):
            m.d.sync += accumulator.eq(accumulator + product[scale:].as_signed())

        # operand B: bracket of the ring, or what is broadcast
        broadcast = Signal(signed(layer.broadcast_bits), reset_less=True, name="broadcast")
        own = (point[0], control.self_enable) if programmable else (drive, control.drive_enable)
        joined = (gated(*own, layer.broadcast_bits) | control.broadcast_b
                  | gated(reverse_signal, control.reverse_enable, layer.broadcast_bits))
        m.d.sync += broadcast.eq(joined)
        if programmable:
            # two clocks to the multiplier, as through the bracket circuit
            broadcast_late = Signal.like(broadcast, name="broadcast_late")
            m.d.sync += broadcast_late.eq(broadcast)
            m.d.comb += multiplier.b.eq(ProgrammableBracket(layer).build(m, broadcast_late, drive, product, control))
        else:
            m.d.comb += multiplier.b.eq(Bracket(layer).build(m, point, broadcast, control))

        # operand A: gate, weight, or what is broadcast. A predictor's gate is doubled, so that both half steps shift alike.
        population = getattr(control, "population_gate", None)
        if layer.learns:
            gate = reverse_gate(layer, point[0], population, control.gate_floor)
            entering: Value
            if layer.rings == "lut":
                entering = memory_ring(m, "gate", s.bits + 1, write=control.gate_write, write_place=control.gate_place,
                                       place=control.gate_last, word=gate, is_signed=False)
            else:
                entering = shift_ring(m, "gate", s.bits + 1, shift=control.gate_shift, new=control.gate_new, word=gate,
                                      is_signed=False)[-1]
        else:
            entering = Signal(s.bits + 1, reset_less=True, name="entering")
            gate = population_size(layer, point[0], population)
            # it waits for its bracket
            m.d.sync += entering.eq(Mux(control.gate_shift, gate, entering) if programmable else gate)
        corrector_gate = Signal(s.bits + 1, reset_less=True, name="corrector_gate")
        predictor_gate = Signal(s.bits + 1, reset_less=True, name="predictor_gate")
        weight = Signal(signed(layer.word_bits), reset_less=True, name="weight")
        m.d.sync += [corrector_gate.eq(Mux(control.corrector_gate, entering, 0)),
                     predictor_gate.eq(Mux(control.predictor_gate, entering, 0)),
                     weight.eq(Mux(control.word_enable, self.fetched, 0))]
        m.d.comb += multiplier.a.eq(wide(corrector_gate, operand) | wide(Cat(Const(0, 1), predictor_gate), operand)
                                    | wide(weight, operand) | control.broadcast_a)

        # half step: narrow(((s + x) << k) + gate * B, k + 1) as (s + x + (gate * B >> k) + 1) >> 1, since floors nest
        mean = Signal(signed(s.bits + 1), reset_less=True, name="mean")
        m.d.sync += mean.eq(Mux(control.mean_enable, start + point[1 if programmable else 2], 0))
        exact = product[:layer.product_bits]
        change = exact[network.corrector_shift:].as_signed()
        rounded = Signal(signed(len(change) + 1), reset_less=True, name="rounded")
        m.d.sync += rounded.eq((Cat(Const(1, 1), mean).as_signed() + Cat(Const(1, 1), change).as_signed()) >> 2)
        m.d.comb += half_step.eq(not_extinct(
            layer, clamp(rounded, s.bits), control.reverse, getattr(control, "population_clamp", None)))

        # update: word + narrow(product), dropped if it overflows
        if layer.learns:
            shift = layer.update_shift + scale
            updated = (Cat(Const(1, 1), self.word).as_signed() + product[shift - 1:].as_signed()) >> 1
            if formats.drive.bits == formats.weight.bits:
                enough = self._fitted(m, updated, formats.weight.bits, control.load)
            else:
                enough = (self._fitted(m, updated, formats.weight.bits, control.load | control.bias_row)
                          & self._fitted(m, updated, formats.drive.bits, control.load | ~control.bias_row))
        else:
            updated, enough = self.word, Signal(name="enough")
            m.d.sync += enough.eq(control.load)
        output_word = point[network.neuron.output_population]
        loaded: Value = control.load_data
        if layer.saves_state:
            loaded = loaded | wide(output_word, layer.word_bits)
        writes, written = Signal(name="writes"), Signal(signed(layer.word_bits), reset_less=True, name="written")
        m.d.sync += [written.eq(Mux(control.load, loaded, updated[:layer.word_bits])),
                     writes.eq(control.write & (self.token | ~control.write_one))]
        m.d.comb += [self.write_data.eq(written), self.write_enable.eq(writes & enough), self.product.eq(product[scale:])]

        # output
        output = Signal(signed(s.bits), reset_less=True, name="output")
        with m.If(control.latch_output):
            m.d.sync += output.eq(output_word)
        word_output = gated(self.word, control.show_word, layer.word_bits)
        m.d.comb += self.output.eq((wide(output, layer.word_bits) | word_output) & self.token.replicate(layer.word_bits))
        return m

    @staticmethod
    def _fitted(m: Module, value: Value, bits: int, anyway: Value) -> Value:
        """``fits(value, bits)``, or ``anyway``, of a clock ago. Only one LUT lies between the value and the registers."""
        top = value[bits - 1:]
        equal = [fits(top[place:place + 4].as_signed(), 1) for place in range(0, len(top) - 1, 3)]
        if not equal:
            return Const(1, 1)
        fitted = Signal(len(equal), reset_less=True, name="fitted")
        m.d.sync += fitted.eq(Mux(anyway, -1, Cat(equal)))
        return fitted.all()
