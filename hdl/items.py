"""Items: what an array broadcasts one a clock, the flags that follow it through the units, and the addresses of its words."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from hdl.array_design import ArrayDesign
from hdl.control import control_latency
from hdl.layer_design import LayerDesign
from hdl.operands import encoded, scaled
from hdl.operations import PARALLEL, Operand, Operation
from hdl.program import datapath


def product_latency(layer: LayerDesign) -> int:
    """Clocks from the issue of an item to its product at the adder tree."""
    return PARALLEL.product + control_latency(layer)


def identity(value: Value) -> Value:
    return value


@dataclass(frozen=True)
class Source:
    """Where an operand comes from: ``value``, called ``name``, is there ``clock`` clocks after the issue. A field gets ``form``
    of it, which is applied where it is used, behind the registers that keep it until then. ``always``: the field is looked at
    with another one alone, so that it may have the operand in every clock. ``reset``: those registers are reset.
    """

    value: Value
    clock: int = 1
    name: str = ""
    form: Callable[[Value], Value] = identity
    always: bool = False
    reset: bool = False


def align(m: Module, control: Mapping[str, Value], operations: Sequence[Operation], stages: Sequence[data.View],
          operands: Mapping[Operand, Source]) -> None:
    """The fields of the control word in the clocks that the operations' tables name.

    ``stages``: for each clock from 1 on, a flag for each operation, that it was issued so many clocks ago. Operands that are
    used later than they are there are kept in registers. No two operations set a field in one clock to different operands.
    """
    flags: dict[str, list[Value]] = {}
    sums: dict[tuple[str, int, int | Operand], list[Value]] = {}
    for operation in operations:
        for at in operation.fields:
            issued = stages[at.clock - 1][operation.name]
            if at.value == 1:
                flags.setdefault(at.field, []).append(issued)
            else:
                sums.setdefault((at.field, at.clock, at.value), []).append(issued)
    late = {operand: _kept(m, source, max((clock for _, clock, value in sums if value is operand), default=0))
            for operand, source in operands.items()}
    for field, when in flags.items():
        m.d.comb += control[field].eq(_any(when))
    for (field, clock, operand), when in sums.items():
        assert isinstance(operand, Operand)
        source = operands[operand]
        with nullcontext() if source.always else m.If(_any(when)):
            m.d.comb += control[field].eq(source.form(late[operand][clock - source.clock]))


def _kept(m: Module, source: Source, until: int) -> list[Value]:
    """The operand, and its registers up to a clock."""
    values = [source.value]
    for stage in range(until - source.clock):
        register = Signal.like(source.value, name=f"{source.name}_{stage}", reset_less=not source.reset)
        m.d.sync += register.eq(values[-1])
        values.append(register)
    return values


def _any(flags: Sequence[Value]) -> Value:
    joined = flags[0]
    for flag in flags[1:]:
        joined = joined | flag
    return joined


class Items:
    """Issued items: address and operands, and later, when the units need them, their flags.

    ============  =================================================================================================
    ``link``      operand A: the addressed weight, B: the input; the product is accumulated
    ``error``     an error times a power of two is accumulated by the unit that it is for
    ``tree``      operand A: the addressed weight, B: the reverse signal; the product goes to the adder tree
    ``update``    operand A: the input times the rate, B: the reverse signal; the product is added to the addressed weight
    ``gather``    the same operands; the product is added to the addressed sum over positions
    ``apply``     that sum is added to the addressed weight
    ``add``       operand A: what is heard times the rate, B: a state that was kept; the product is accumulated
    ``subtract``  the same operands; it is taken off
    ``restore``   operand A: the addressed displacement, B: a power of two; the half step puts it into the ring
    ============  =================================================================================================

    ::

        clock        0        1          2        3         4           5           6          7         8
        item      issued   register   control  cluster   fetched      word      (multiplier)  product   sum
                                               address   broadcast   operand A

    That is of an array that serves one layer; in a time-shared one control is a clock earlier, and there are no clusters.
    ``issue``: at most one in a clock. ``base``, ``index``: their sum is the address. ``value``, ``last``, ``error``: of this
    clock; the last input is the bias.
    """

    def __init__(self, array: ArrayDesign, *, base: Value, index: Value, value: Value, last: Value, error: Value,
                 rate_shifts: tuple[Value, Value]) -> None:
        self.array, self.base, self.index, self.path = array, base, index, datapath(array)
        self.value, self.last, self.error, self.rate_shifts = value, last, error, rate_shifts
        self.issue = Signal(data.StructLayout(dict.fromkeys(self.path.operations, 1)), name="issue")
        layer = array.first
        self.latency = self.path.product + (0 if array.time_shared else control_latency(layer))
        used = ["link", *["error", "tree", "update"] * array.learns, *["restore"] * layer.saves_state,
                *["gather", "apply"] * array.gathers]
        if array.recurrent:
            used = ["link", "tree", *["add", "subtract", "apply"] * array.learns]
        self.operations = [self.path[name] for name in used]
        depth = max(self.latency, *(operation.cycles for operation in self.operations))
        self.stages = [Signal(self.issue.shape(), name=f"stage_{stage}") for stage in range(depth)]

    def ago(self, kind: str, clocks: int) -> Value:
        """Whether one of this kind was issued so many clocks ago."""
        return self.stages[clocks - 1][kind]

    def build(self, m: Module, fields: Mapping[str, Value]) -> None:
        """The fields of the control word that items set, in the clocks of their tables."""
        m.d.sync += [late.eq(early) for early, late in zip([self.issue, *self.stages], self.stages, strict=False)]
        align(m, fields, self.operations, self.stages, self._operands(m))

    def _operands(self, m: Module) -> dict[Operand, Source]:
        array, layer, ahead = self.array, self.array.first, not self.array.time_shared
        value = Signal.like(self.value, name="value")
        last = Signal(reset_less=True, name="last")
        m.d.sync += [value.eq(self.value), last.eq(self.last)]
        x = encoded(layer, value) if ahead else value
        one = Const(1 << array.link_shift, signed(array.broadcast_bits))
        sources = {Operand.INPUT: Source(Mux(last, one, x)),
                   Operand.LAST: Source(last, name="last", always=not ahead, reset=not ahead)}
        if ahead or array.gathers:
            address = Signal(range(array.depth + 1), reset_less=True, name="address")
            m.d.sync += address.eq(self.base + self.index)
            sources[Operand.ADDRESS] = Source(address, name="address")
        if ahead:
            sources[Operand.RESTORE] = Source(Const(layer.restore_value))
        if array.learns:
            links, bias = scaled(m, array, x, *self.rate_shifts)
            sources |= {Operand.POWER: Source(Const(1 << array.link_shift - array.error_split)),
                        Operand.ERROR: Source(self.error, clock=0, name="error", reset=True,
                                              form=lambda error: error << array.error_split),
                        Operand.SCALED_INPUT: Source(Mux(last, bias, links), name="scaled_input"),
                        Operand.BY_SIGN: Source(Mux(last, *(int(array.design.by_sign(name)) for name in ("bias", "links"))))}
        return sources


def rate_shifts_of_layer(sequencer: Any) -> tuple[Value, Value]:
    """Of links and biases of the layer that learns, whose errors may be magnified, or whose steps are many."""
    slowed = [layer.slowed for layer in sequencer.array.layers]
    links, bias = sequencer.links_rate_shift, sequencer.bias_rate_shift
    if not any(slowed):
        return links, bias
    return links + sequencer.of_layer(slowed), bias + sequencer.of_layer(slowed)


def weight_addresses(m: Module, sequencer: Any) -> None:
    """Where items of a time-shared array find their words, in a memory of one port.

    A word that is only multiplied is asked for in the clock after it was named, by ``pipeline.base`` and ``index``. A word that
    learns is asked for in an even clock and written in an odd one, when what it became is there; meanwhile its address goes
    down a chain of one stage for each two clocks.
    """
    array = sequencer.array
    named, updating, odd = sequencer.pipeline.base + sequencer.index, sequencer.updating, sequencer.odd
    stages = range(datapath(array).updated // 2)                      # of two clocks each, to the write of an updated word
    addresses = [Signal(range(array.depth), name=f"address_{stage}") for stage in stages]
    m.d.comb += sequencer.address.eq(addresses[0])
    if not array.learns:
        m.d.sync += addresses[0].eq(named)
        return
    with m.If(~updating | ~odd):
        m.d.sync += addresses[0].eq(named)
    if sequencer.recurrence is not None:
        sequencer.recurrence.addresses(addresses[0])
    with m.If(~odd):
        m.d.sync += [late.eq(early) for early, late in zip(addresses, addresses[1:], strict=False)]
    if array.windowed:                                                # a clock late: no word is asked for in those clocks
        late_updating = Signal(name="updating_late")
        m.d.sync += late_updating.eq(updating)
        updating = late_updating
    with m.If(updating):
        m.d.comb += sequencer.address.eq(Mux(odd, addresses[-1], addresses[1]))
