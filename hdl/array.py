"""A layer: processing units in parallel, their weight memories, their sequencer, and the way back."""
from __future__ import annotations

from functools import partial

from amaranth.hdl import Const, Module, Signal, Value, signed
from amaranth.lib import wiring

from hdl.adder_tree import AdderTree
from hdl.array_design import ArrayDesign
from hdl.control import BRANCH, CLUSTER, ControlBranch, ControlRegister, branches, control_layout
from hdl.layer_design import LayerDesign
from hdl.parts import Parts
from hdl.sequencer import Sequencer
from hdl.unit import Unit

JOINED = 8                                # outputs joined by one registered OR


def unit_module(layer: LayerDesign) -> str:
    """Name of the Verilog module of this layer's units."""
    return f"wuxing_unit_{layer.index}"


def control_module(layer: LayerDesign) -> str:
    return f"wuxing_control_{layer.index}"


def branch_module(layer: LayerDesign) -> str:
    return f"wuxing_branch_{layer.index}"


def output_latency(layer: LayerDesign) -> int:
    """Clocks from a unit's output to the sequencer's ``word``: the levels of the OR tree."""
    levels, count = 1, -(-layer.units // JOINED)
    while count > 1:
        levels, count = levels + 1, -(-count // JOINED)
    return levels


class Layer(wiring.Component):
    """``layer.units`` processing units and one sequencer.

    ::

        items --> sequencer --control--> register per branch, per cluster --> units --> OR tree --> outputs
                      ^                                             weights <--+--> adder tree --> errors of the layer before

    Parameters
    ----------
    array : ArrayDesign
        Of one layer.
    parts : Parts
        In which form it has units, memories and copies of the control word.

    Members
    -------
    Those of ``hdl.sequencer.Sequencer`` but for control, word and tree; and ``back_valid``, ``back``: Out, errors of the
    layer before, in the order of its neurons.
    """

    def __init__(self, array: ArrayDesign, parts: Parts) -> None:
        self.array, self.layer, self.parts = array, array.first, parts
        layer = self.layer
        self.sequencer = Sequencer(array, output_latency(layer))
        inner = {"control", "word", "tree_valid", "tree_first", "tree_last"}
        members = {name: member for name, member in self.sequencer.signature.members.items() if name not in inner}
        if layer.reverses:
            members |= {"back_valid": wiring.Out(1), "back": wiring.Out(signed(layer.formats.error.bits))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, layer, sequencer, parts = self.array, self.layer, self.sequencer, self.parts
        m.submodules.sequencer = sequencer
        for name, member in self.signature.members.items():
            if name.startswith("back"):
                continue
            inner, outer = getattr(sequencer, name), getattr(self, name)
            if member.is_signature:
                forward, backward = (outer, inner) if member.flow == wiring.In else (inner, outer)
                m.d.comb += [backward.payload.eq(forward.payload), backward.valid.eq(forward.valid),
                             forward.ready.eq(backward.ready)]
            else:
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)

        layout = control_layout(layer)
        tokens = [Signal(name=f"token_{number}") for number in range(layer.units)]
        outputs: list[Value] = []
        products = []
        sources = [sequencer.control]
        if branches(layer):
            sources = [Signal(layout, name=f"branch_{number}") for number in range(branches(layer))]
            for number, copy in enumerate(sources):
                parts.place(m, f"branch_{number}", branch_module(layer), partial(ControlBranch, array),
                            {"source": sequencer.control}, {"control": copy}, reset=False)
        control = Signal(layout, name="control")
        for number in range(layer.units):
            if number % CLUSTER == 0:
                control = Signal(layout, name=f"control_{number // CLUSTER}")
                parts.place(m, f"cluster_{number // CLUSTER}", control_module(layer), partial(ControlRegister, array),
                            {"source": sources[number // CLUSTER // BRANCH % len(sources)]}, {"control": control})
            word, write_data = (Signal(signed(layer.word_bits), name=f"{name}_{number}") for name in ("word", "data"))
            fetched = Signal(signed(layer.word_bits), name=f"fetched_{number}")
            output = Signal(layer.word_bits, name=f"output_{number}")
            write_enable = Signal(name=f"write_enable_{number}")
            product = Signal(signed(layer.formats.weight.bits + layer.formats.displacement.bits), name=f"product_{number}")
            parts.place(m, f"unit_{number}", unit_module(layer), partial(Unit, array), {
                "control": control, "first": Const(int(number == 0), 1),
                "token_before": tokens[number - 1] if number else Const(0, 1), "fetched": fetched, "word": word}, {
                "token": tokens[number], "write_data": write_data, "write_enable": write_enable, "output": output,
                "product": product})
            parts.memory(m, f"weights_{number}", array, number, {
                "address": control.address, "write_address": control.write_address, "write_data": write_data,
                "write_enable": write_enable}, {"fetched": fetched, "word": word})
            outputs.append(output)
            products.append(product)

        for level in range(output_latency(layer)):
            joined = []
            for place in range(0, len(outputs), JOINED):
                register = Signal(layer.word_bits, name=f"joined_{level}_{place // JOINED}", reset_less=True)
                value: Value = Const(0, layer.word_bits)
                for output in outputs[place:place + JOINED]:
                    value = value | output
                m.d.sync += register.eq(value)
                joined.append(register)
            outputs = list(joined)
        m.d.comb += sequencer.word.eq(outputs[0])

        if layer.reverses:
            m.submodules.tree = tree = AdderTree(self.array)
            m.d.comb += [tree.products[number].eq(product) for number, product in enumerate(products)]
            m.d.comb += [tree.valid.eq(sequencer.tree_valid), tree.first.eq(sequencer.tree_first),
                         tree.last.eq(sequencer.tree_last), self.back_valid.eq(tree.error_valid), self.back.eq(tree.error)]
        return m
