"""The pipeline of items: what a layer broadcasts one a clock, and the flags that follow it through the units."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.control import control_latency, control_layout
from hdl.layer_design import LayerDesign, rate_shift_bits
from hdl.operands import encoded, scaled
from hdl.operations import PARALLEL, Operand, Operation

KINDS = tuple(PARALLEL.operations)


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


class ItemPipeline(wiring.Component):
    """Address and operands of an issued item, and later, when the units need them, its flags.

    ============  =================================================================================================
    ``link``      operand A: the addressed weight, B: the input; the product is accumulated
    ``error``     an error times a power of two is accumulated by the unit with the token, which goes on
    ``tree``      operand A: the addressed weight, B: the reverse signal; the product goes to the adder tree
    ``update``    operand A: the input times the rate, B: the reverse signal; the product is added to the addressed weight
    ``restore``   operand A: the addressed displacement, B: a power of two; the half step puts it into the ring
    ============  =================================================================================================

    ::

        clock        0        1          2        3         4           5           6          7         8
        item      issued   register   control  cluster   fetched      word      (multiplier)  product   sum
                                               address   broadcast   operand A

    Members
    -------
    issue : In({kind: 1})
        At most one in a clock.
    base, index : In
        Their sum is the address.
    input : In({value, last: 1}), error : In
        Of this clock. The last input is the bias.
    links_rate_shift, bias_rate_shift : In
    control : Out(control_layout(layer))
        Its fields; zero in all others, so that control words can be joined by OR.
    tree_valid : Out(1)
        The units' products are those of a tree item.
    """

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        super().__init__({
            "issue": In(data.StructLayout(dict.fromkeys(KINDS, 1))), "base": In(range(layer.depth + 1)),
            "index": In(range(layer.rows + 1)), "input": In(data.StructLayout({
                "value": signed(layer.formats.displacement.bits) if layer.index else 8, "last": 1})),
            "error": In(signed(layer.formats.error.bits)),
            "links_rate_shift": In(rate_shift_bits(layer.design.links_rate_shifts())),
            "bias_rate_shift": In(rate_shift_bits(layer.design.bias_rate_shifts())),
            "control": Out(control_layout(layer)), "tree_valid": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer, issue = self.layer, self.issue
        stages = [Signal(issue.shape(), name=f"stage_{stage}") for stage in range(product_latency(layer))]
        m.d.sync += [late.eq(early) for early, late in zip([issue, *stages], stages, strict=False)]
        used = ["link", *["error", "tree", "update"] * layer.learns, *["restore"] * layer.saves_state]
        control = {name: self.control[name] for name in self.control.shape().members}
        align(m, control, [PARALLEL[kind] for kind in used], stages, self._operands(m))
        if layer.learns:
            m.d.comb += self.tree_valid.eq(stages[-1].tree)
        return m

    def _operands(self, m: Module) -> dict[Operand, Source]:
        layer = self.layer
        address = Signal(range(layer.depth + 1), reset_less=True, name="address")
        value = Signal.like(self.input.value, name="value")
        last = Signal(reset_less=True, name="last")
        m.d.sync += [address.eq(self.base + self.index), value.eq(self.input.value), last.eq(self.input.last)]
        x = encoded(layer, value)
        sources = {
            Operand.ADDRESS: Source(address, name="address"), Operand.LAST: Source(last, name="last"),
            Operand.INPUT: Source(Mux(last, Const(1 << layer.link_shift, signed(layer.broadcast_bits)), x)),
            Operand.RESTORE: Source(Const(layer.restore_value))}
        if layer.learns:
            links, bias = scaled(m, layer, x, self.links_rate_shift, self.bias_rate_shift)
            sources |= {Operand.POWER: Source(Const(1 << layer.link_shift - layer.error_split)),
                        Operand.ERROR: Source(self.error, clock=0, name="error", reset=True,
                                              form=lambda error: error << layer.error_split),
                        Operand.SCALED_INPUT: Source(Mux(last, bias, links))}
        return sources
