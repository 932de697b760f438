"""The pipeline of items: what a layer broadcasts one a clock, and the flags that follow it through the units."""
from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.control import control_latency, control_layout
from hdl.design import LayerDesign, rate_shift_bits
from hdl.operands import encoded, scaled

KINDS = ("link", "error", "tree", "update", "restore")
STAGES = 7                                # clocks from the issue of an item to its product, if no branch is on its way
DRAIN = 5                                 # clocks between the last item and the latch of its sum


def product_latency(layer: LayerDesign) -> int:
    """Clocks from the issue of an item to its product at the adder tree."""
    return STAGES - 2 + control_latency(layer)


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
        layer, control = self.layer, self.control
        stages = [Signal(self.issue.shape(), name=f"stage_{stage}") for stage in range(product_latency(layer))]
        m.d.sync += [late.eq(early) for early, late in zip([self.issue, *stages], stages, strict=False)]
        address = Signal(range(layer.depth + 1), reset_less=True, name="address")
        value = Signal.like(self.input.value, name="value")
        last = Signal(reset_less=True, name="last")
        m.d.sync += [address.eq(self.base + self.index), value.eq(self.input.value), last.eq(self.input.last)]

        first = stages[0]
        x = encoded(layer, value)
        with m.If(first.as_value().any()):
            m.d.comb += control.address.eq(address)
        with m.If(first.link):
            m.d.comb += control.broadcast_b.eq(Mux(last, Const(1 << layer.link_shift, signed(layer.broadcast_bits)), x))
        m.d.comb += [control.word_enable.eq(stages[1].link | stages[1].tree | stages[1].restore),
                     control.accumulate.eq(stages[4].link | stages[4].error)]
        if layer.saves_state:
            with m.If(first.restore):
                m.d.comb += control.broadcast_b.eq(layer.restore_value)
            with m.If(stages[5].restore):                 # reverse: what was clamped at -rest is not clamped again
                m.d.comb += [control.state_shift.eq(1), control.state_new.eq(1), control.reverse.eq(1)]
        if layer.learns:
            self._learning(m, stages, address, last, x)
        return m

    def _learning(self, m: Module, stages: list[Signal], address: Signal, last: Signal, x: Value) -> None:
        layer, control, first = self.layer, self.control, stages[0]
        links, bias = scaled(m, layer, x, self.links_rate_shift, self.bias_rate_shift)
        with m.If(first.error):
            m.d.comb += control.broadcast_b.eq(1 << layer.link_shift - layer.error_split)
        with m.If(first.update):
            m.d.comb += control.broadcast_a.eq(Mux(last, bias, links))
        errors = [Signal.like(self.error, name=f"error_{stage}") for stage in range(3)]
        addresses = [Signal.like(address, name=f"address_{stage}") for stage in range(2)]
        lasts = [Signal.like(last, name=f"last_{stage}") for stage in range(2)]
        for source, late in ((self.error, errors), (address, addresses), (last, lasts)):
            m.d.sync += [register.eq(before) for before, register in zip([source, *late], late, strict=False)]
        with m.If(stages[2].error):
            m.d.comb += control.broadcast_a.eq(errors[-1] << layer.error_split)
        with m.If(stages[2].update):
            m.d.comb += [control.write.eq(1), control.write_address.eq(addresses[-1]), control.bias_row.eq(lasts[-1])]
        m.d.comb += [control.accumulate_one.eq(stages[4].error), control.token_next.eq(stages[4].error),
                     self.tree_valid.eq(stages[-1].tree)]
