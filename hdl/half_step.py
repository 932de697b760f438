"""When what happens in a half step: the control of the populations by its phase, for both kinds of neurons."""
from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from golden_model.network import POPULATIONS
from hdl import programmable
from hdl.control import needs_populations
from hdl.design import LayerDesign


def shift_phases(m: Module, layer: LayerDesign, control: data.View, *, phase: Value, reverse: Value, corrector: Value,
                 base: Value) -> None:
    """The control of one half step by its phase: population i is tapped in phase i, its new word is taken in phase 5 + i."""
    neuron = layer.network.neuron
    taps, results = phase < POPULATIONS, phase >= POPULATIONS
    second = (phase >= 1) & (phase <= POPULATIONS)
    fourth = (phase >= 3) & (phase <= 7)
    entrance = Mux(reverse, -neuron.output_population % POPULATIONS, neuron.input_population)
    m.d.comb += [
        control.state_shift.eq(1), control.state_new.eq(results),
        control.self_enable.eq(taps), control.drive_enable.eq(phase == entrance),
        control.coupling_enable.eq(second), control.gate_shift.eq(taps), control.gate_new.eq(~reverse),
        control.corrector_gate.eq(second & corrector), control.predictor_gate.eq(second & ~corrector),
        control.reverse.eq(reverse),
        control.mean_enable.eq(fourth), control.start_shift.eq(fourth | (corrector & (phase >= 8))),
        control.start_new.eq(corrector)]
    if needs_populations(layer):
        def population(late: int) -> Value:
            return Array([Const((number - late) % POPULATIONS, 3) for number in range(layer.phases)])[phase]
        m.d.comb += [control.population_difference.eq(population(0)), control.population_self.eq(population(1)),
                     control.population_gate.eq(population(0)), control.population_clamp.eq(population(5))]


def programmable_phases(m: Module, layer: LayerDesign, control: data.View, *, phase: Value, reverse: Value, corrector: Value,
                        base: Value) -> None:
    """The same for programmable neurons: 30 products K x, five gates in between, then the results enter the ring."""
    neuron = layer.network.neuron

    def at(clock: int) -> Value:
        """Whether something happens that each population does ``clock`` clocks after its first product was issued."""
        return Cat(phase == programmable.PERIOD * population + clock for population in range(POPULATIONS)).any()

    rows = [[layer.coupling_row + programmable.coupling_row(product // programmable.PERIOD,
                                                                 min(product % programmable.PERIOD, POPULATIONS - 1), mirrored)
             for product in range(programmable.PRODUCTS)] for mirrored in (False, True)]
    issued = (phase < programmable.PRODUCTS) & ~at(POPULATIONS)
    row = Array([Const(value, range(layer.rows)) for value in rows[0] + rows[1]])[
        Mux(phase < programmable.PRODUCTS, phase, 0) + Mux(reverse, programmable.PRODUCTS, 0)]
    entrance = Mux(reverse, -neuron.output_population % POPULATIONS, neuron.input_population)
    first = programmable.PERIOD * entrance + 4
    transfer = phase >= programmable.TRANSFER
    terms = [Signal(name=f"term_{stage}") for stage in range(4)]
    m.d.sync += [terms[0].eq(issued), *(late.eq(early) for early, late in zip(terms, terms[1:], strict=False))]
    subtracted = [term for term, (_, _, sign) in enumerate(programmable.TERMS) if sign < 0]
    m.d.comb += [
        control.address.eq(base + row), control.self_enable.eq(issued), control.word_enable.eq(terms[0]),
        control.bracket_add.eq(terms[3]), control.bracket_first.eq(at(4)),
        control.bracket_subtract.eq(Cat(at(4 + term) for term in subtracted).any()),
        control.drive_enable.eq(phase == first),
        control.bracket_latch.eq(at(programmable.LATCH)), control.bracket_enable.eq(at(programmable.OPERAND)),
        control.gate_shift.eq(at(programmable.GATE)), control.gate_new.eq(~reverse),
        control.corrector_gate.eq(at(programmable.OPERAND - 1) & corrector),
        control.predictor_gate.eq(at(programmable.OPERAND - 1) & ~corrector),
        control.mean_enable.eq(at(programmable.OPERAND + 1)),
        control.start_shift.eq(at(programmable.OPERAND + 1) | (transfer & corrector)),
        control.start_new.eq(transfer), control.result_shift.eq(at(programmable.RESULT) | transfer),
        control.transfer.eq(transfer), control.state_shift.eq(1), control.state_new.eq(transfer),
        control.reverse.eq(reverse)]
    if needs_populations(layer):
        def population(clock: int) -> Value:
            return sum((Mux(phase >= programmable.PERIOD * number + clock, 1, 0) for number in range(1, POPULATIONS)),
                       Const(0, 1))
        m.d.comb += [control.population_gate.eq(population(programmable.GATE)),
                     control.population_clamp.eq(population(programmable.RESULT))]
