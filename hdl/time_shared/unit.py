"""The processing unit of a time-shared array: one neuron at a time, the rings of step starts and gates in block RAM.

::

    fetched --&--+                           +--> >> k --> + step start + point --> clamp --> ring of points, step starts
      data ------+--> A +------------+       |
    gate -------------->| multiplier |-------+--> accumulator --> narrow --> drive
    broadcast --+       | (one DSP)  |       |
    bracket ----+--> B->|            |-------+--> product, to the adder tree
       ^                +------------+       '--> fetched + product >> shift --> updated word --> weight memory
       '-- ring of points, broadcast | drive | reverse signal

Clocks, counted from the one in which an item's ``broadcast_b`` is in the control word (1): operand A's word is enabled in 2,
the product is there in 5 and in the accumulator in 6. A word that is updated is fetched in 5, is in its register in 6, is
judged there, and its ``write_enable`` is there in 7. A half step taps population i in clock i and has its new word at the head
of the ring in clock 10 + i.
"""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.array_design import SLOT, ArrayDesign
from hdl.control import control_layout
from hdl.gate import gated, not_extinct, population_size, reverse_gate, wide
from hdl.memory_ports import read_port, write_port
from hdl.multiplier import Multiplier
from hdl.narrow import clamp, fits
from hdl.ring import Bracket, shift_ring

ZEROS = SLOT                              # first of the words of the memory of step starts that stay zero
BLOCK = {"ram_style": "block", "no_rw_check": 1}


class TimeSharedUnit(wiring.Component):
    """One processing unit of a time-shared array.

    Parameters
    ----------
    array : SharedDesign

    Members
    -------
    control : In(control_layout(array))
    number : In(array.numbers)
        Its own, constant.
    slot : In(array.all_slots)
        Slot of the memory of gates, constant while a neuron is worked on.
    fetched : In(signed(word_bits))
        The word of weight memory that was addressed one clock ago.
    write_data : Out(signed(word_bits)), write_enable : Out(1)
    output : Out(signed(displacement bits))
        Displacement of the output population, while the ring stands in its first position.
    product : Out(signed(weight bits + displacement bits))
        Weight times reverse signal, exact.

    One multiplier; two memories, of ``gate_words`` words of a gate and of 16 words of a displacement; the rest is flip-flops.
    """

    def __init__(self, array: ArrayDesign) -> None:
        self.array = array
        formats = array.formats
        super().__init__({
            "control": In(control_layout(array)), "number": In(array.numbers), "slot": In(array.all_slots),
            "fetched": In(signed(array.word_bits)), "write_data": Out(signed(array.word_bits)), "write_enable": Out(1),
            "output": Out(signed(formats.displacement.bits)),
            "product": Out(signed(formats.weight.bits + formats.displacement.bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, control, layer = self.array, self.control, self.array.first
        formats, network = array.formats, array.network
        s, scale, operand = formats.displacement, array.operand_scale, array.design.operand_bits
        multiplier = m.submodules.multiplier = Multiplier(operand, array.design.target)
        product = multiplier.product
        selected = Signal(name="selected")
        m.d.comb += selected.eq(control.unit == self.number)

        # ring of evaluation points; its new words come from the half step below
        half_step = Signal(signed(s.bits), name="half_step")
        point = shift_ring(m, "point", s.bits, shift=control.state_shift, new=control.state_new, word=half_step,
                           clear=control.clear)
        reverse_signal = point[-network.neuron.input_population % POPULATIONS]
        m.d.comb += self.output.eq(point[network.neuron.output_population])

        # accumulator of the links -> drive
        accumulator = Signal(signed(array.sum_bits), reset_less=True, name="accumulator")
        drive = Signal(signed(formats.drive.bits), reset_less=True, name="drive")
        half = 1 << array.link_shift >> 1
        with m.If(control.latch_drive):
            m.d.sync += [drive.eq(clamp(accumulator[array.link_shift:].as_signed(), formats.drive.bits)),
                         accumulator.eq(half)]
        with m.Elif(control.accumulate | (control.accumulate_one & selected)):
            m.d.sync += accumulator.eq(accumulator + product[scale:].as_signed())

        # operand B: bracket of the ring, or what is broadcast
        broadcast = Signal(signed(array.broadcast_bits), reset_less=True, name="broadcast")
        m.d.sync += broadcast.eq(gated(drive, control.drive_enable, array.broadcast_bits) | control.broadcast_b
                                 | gated(reverse_signal, control.reverse_enable, array.broadcast_bits))
        m.d.comb += multiplier.b.eq(Bracket(layer).build(m, point, broadcast, control))

        # operand A: gate, weight, or what is broadcast. A predictor's gate is doubled, so that both half steps shift alike.
        entering = self._gate(m, point)
        corrector_gate = Signal(s.bits + 1, reset_less=True, name="corrector_gate")
        predictor_gate = Signal(s.bits + 1, reset_less=True, name="predictor_gate")
        word = Signal(signed(operand), reset_less=True, name="word")
        m.d.sync += [corrector_gate.eq(Mux(control.corrector_gate, entering, 0)),
                     predictor_gate.eq(Mux(control.predictor_gate, entering, 0)),
                     word.eq(gated(self.fetched, control.word_enable, operand) | control.broadcast_a)]
        m.d.comb += multiplier.a.eq(wide(corrector_gate, operand) | wide(Cat(Const(0, 1), predictor_gate), operand) | word)

        # half step: narrow(((s + x) << k) + gate * B, k + 1) as (s + x + (gate * B >> k) + 1) >> 1, since floors nest
        mean = Signal(signed(s.bits + 1), reset_less=True, name="mean")
        m.d.sync += mean.eq(self._start(m, half_step) + point[2])
        change = product[:layer.product_bits][network.corrector_shift:].as_signed()
        rounded = Signal(signed(len(change) + 1), reset_less=True, name="rounded")
        m.d.sync += rounded.eq((Cat(Const(1, 1), mean).as_signed() + Cat(Const(1, 1), change).as_signed()) >> 2)
        m.d.comb += [half_step.eq(not_extinct(layer, clamp(rounded, s.bits), control.reverse)),
                     self.product.eq(product[scale:])]

        # update: fetched + narrow(product), dropped if it overflows
        if array.learns:
            shift = array.update_shift + scale
            exact = (Cat(Const(1, 1), self.fetched).as_signed() + product[shift - 1:].as_signed()) >> 1
        else:
            exact = self.fetched
        updated = Signal(signed(len(exact)), reset_less=True, name="updated")
        enough = fits(updated, formats.weight.bits)
        if formats.drive.bits != formats.weight.bits:
            enough = Mux(control.bias_row, fits(updated, formats.drive.bits), enough)
        with m.If(control.update):
            m.d.sync += updated.eq(exact)
        m.d.sync += self.write_enable.eq((control.judge & enough) | (control.load_one & selected))
        m.d.comb += self.write_data.eq(Mux(control.load, word[:array.word_bits], updated[:array.word_bits]))
        return m

    def _gate(self, m: Module, point: list[Signal]) -> Value:
        """The gate of the population that was tapped a clock ago: of the ring, or of the settled neuron."""
        array, control, layer = self.array, self.control, self.array.first
        here = population_size(layer, point[-1])
        if not array.learns:
            return here
        settled = reverse_gate(layer, point[0])
        m.submodules.gates = gates = memory.Memory(shape=unsigned(len(settled)), depth=array.gate_words, init=[], attrs=BLOCK)
        keep, show = write_port(gates, "keep"), read_port(gates, "show")
        address = Cat(control.gate_place, self.slot)[:len(show.addr)]
        m.d.comb += [show.addr.eq(address), keep.addr.eq(address), keep.data.eq(settled), keep.en.eq(control.gate_write)]
        return Mux(control.reverse, show.data, here)

    def _start(self, m: Module, half_step: Signal) -> Value:
        """The step start of the population that was asked for a clock ago."""
        control = self.control
        m.submodules.starts = starts = memory.Memory(shape=half_step.shape(), depth=2 * SLOT, init=[], attrs=BLOCK)
        keep, show = write_port(starts, "keep"), read_port(starts, "show")
        m.d.comb += [show.addr.eq(control.start_read), keep.addr.eq(control.start_place), keep.data.eq(half_step),
                     keep.en.eq(control.start_write)]
        return show.data
