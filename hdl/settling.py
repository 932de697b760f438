"""The control word by clocks that are counted: of a half step by its phase, of other states by tables of ``hdl.program``."""
from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from golden_model.network import POPULATIONS
from hdl.array_design import ArrayDesign
from hdl.control import needs_populations
from hdl.coupling_rows import CouplingRows
from hdl.half_step import HalfStep, coupling_row
from hdl.layer_design import LayerDesign
from hdl.operations import Operand, Operation
from hdl.ring import ZEROS

# Of programmable neurons: whether a product is issued, and how far it is; by registers, not by comparing the phase
BY_REGISTERS = ("self_enable", "word_enable", "bracket_add")


def during(phase: Value, phases: set[int], count: int) -> Value:
    """Whether the phase, of ``count``, is one of these."""
    first, last = min(phases), max(phases)
    if len(phases) != last - first + 1:
        return Cat(phase == each for each in sorted(phases)).any()
    if first == 0:
        return phase < last + 1
    if last == count - 1:
        return phase >= first
    return (phase >= first) & (phase <= last)


def counted(m: Module, fields: Mapping[str, Value], table: Operation, count: Signal) -> None:
    """The fields of a table, where ``count`` tells the clock; those that ``fields`` lacks are left out."""
    for name in sorted({at.field for at in table.fields} & fields.keys()):
        values = {at.clock: at.value for at in table.fields if at.field == name}
        if set(values.values()) == {1}:
            m.d.comb += fields[name].eq(during(count, set(values), table.cycles + 1))
        else:
            numbers = [value for clock in range(table.cycles + 1) if isinstance(value := values.get(clock, 0), int)]
            m.d.comb += fields[name].eq(Array([Const(number, len(fields[name])) for number in numbers])[count])


def settle(m: Module, array: ArrayDesign, control: data.View, *, phase: Signal, half_step: Signal, reverse: Value,
           base: Value, coupling_rows: CouplingRows | None) -> None:
    """The fields of one half step. ``base``: first word of the memory of the neurons that settle. ``coupling_rows``:
    words of the memory of K, if there is one."""
    layer, corrector = array.first, half_step[0]
    table, neuron = layer.half_step, layer.network.neuron
    programmable, fields = layer.design.kind == "programmable", set(control.shape().members)

    def when(field: str, value: int | Operand = 1) -> Value:
        if layer.own_K:
            return _at(phase, table.when(field, value))
        parts = [phases for part in table.parts if (phases := part.phases(field, value))]
        joined = during(phase, parts[0], table.phases)
        for phases in parts[1:]:
            joined = joined | during(phase, phases, table.phases)
        return joined

    entrances = sorted(table.when("drive_enable", Operand.ENTRANCE))
    forward, backward = entrances[neuron.input_population], entrances[-neuron.output_population % POPULATIONS]
    m.d.comb += [
        control.state_shift.eq(1), control.reverse.eq(reverse),
        control.drive_enable.eq(phase == Mux(reverse, backward, forward)),
        control.corrector_gate.eq(when("corrector_gate", Operand.CORRECTOR) & corrector),
        control.predictor_gate.eq(when("predictor_gate", Operand.PREDICTOR) & ~corrector)]
    for field in table.flags:
        if field in fields and field != "start_shift" and not (programmable and not layer.own_K and field in BY_REGISTERS):
            m.d.comb += control[field].eq(when(field))
    if "start_shift" in fields:
        at_end = table.when("start_shift", Operand.CORRECTOR) - table.when("start_shift")
        m.d.comb += [control.start_shift.eq(when("start_shift") | (corrector & during(phase, at_end, table.phases))),
                     control.gate_new.eq(~reverse)]
        if not programmable:
            m.d.comb += control.start_new.eq(corrector)
    if programmable:
        if coupling_rows is None:
            _products(m, layer, control, table, phase=phase, reverse=reverse, base=base)
        else:
            coupling_rows.settle(m, table, phase=phase, reverse=reverse)
    if array.time_shared and programmable:
        _places(m, control, table, phase=phase, half_step=half_step)
    elif array.time_shared:                                           # rings are in memories
        place = phase if not array.windowed else Mux(phase[3], 0, phase + 1)        # for a register behind the memory
        m.d.comb += [
            control.gate_place.eq(place), control.start_place.eq(phase - POPULATIONS),
            control.start_write.eq(when("state_new") & corrector),
            control.start_read.eq(Mux(half_step[1:].any(), 0, ZEROS) | (phase - 2)[:3])]
    if needs_populations(layer):
        for field, clock in table.populations.items():
            m.d.comb += control[field].eq(_population(phase, clock, table))


def _products(m: Module, layer: LayerDesign, control: data.View, table: HalfStep, *, phase: Value, reverse: Value,
              base: Value) -> None:
    """30 products K x: the word of each, and the flags that follow it."""
    period, products = table.period, table.period * POPULATIONS
    issued = (phase < products) & ~during(phase, set(range(products)) - table.when("self_enable"), table.phases)
    rows = [layer.coupling_row + coupling_row(product // period, min(product % period, POPULATIONS - 1), mirrored)
            for mirrored in (False, True) for product in range(products)]
    row = Array([Const(value, range(layer.rows)) for value in rows])[
        Mux(phase < products, phase, 0) + Mux(reverse, products, 0)]
    late = {field: min(table.when(field)) for field in BY_REGISTERS}
    terms = [Signal(name=f"term_{stage}") for stage in range(max(late.values()))]
    m.d.sync += [terms[0].eq(issued), *(after.eq(before) for before, after in zip(terms, terms[1:], strict=False))]
    m.d.comb += [control.address.eq(base + row),
                 *(control[field].eq([issued, *terms][clocks]) for field, clocks in late.items())]


def _places(m: Module, control: data.View, table: HalfStep, *, phase: Signal, half_step: Signal) -> None:
    """Of step starts and gates in memories, which are addressed a clock before they are used."""
    enters = sorted(table.when("state_new"))
    starts, gates = (sorted(phase - early for phase in table.when(field, value)) for field, value, early in (
        ("mean_enable", 1, 1), ("corrector_gate", Operand.CORRECTOR, 1)))
    m.d.comb += [
        control.start_read.eq(Mux(half_step[1:].any(), 0, ZEROS) | _number(phase, starts)),
        control.gate_place.eq(_number(phase, gates)), control.start_place.eq(phase - enters[0]),
        control.start_write.eq(during(phase, set(enters), table.phases) & half_step[0])]


def _at(phase: Value, phases: set[int]) -> Value:
    """Whether the phase is one of these, which may lie apart."""
    return Array([Const(int(number in phases), 1) for number in range(max(phases) + 2)])[phase]


def _number(phase: Value, phases: list[int]) -> Value:
    """How many of these phases but the first have begun."""
    return sum(((phase >= number) for number in phases[1:]), Const(0, 1))[:3]


def _population(phase: Value, clock: int, table: HalfStep) -> Value:
    """Which population does in this phase what each does ``clock`` clocks after its beginning."""
    period = table.parts[0].period
    if period == 1:
        return Array([Const((number - clock) % POPULATIONS, 3) for number in range(table.phases)])[phase]
    return sum((Mux(phase >= period * number + clock, 1, 0) for number in range(1, POPULATIONS)), Const(0, 1))
