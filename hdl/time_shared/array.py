"""A time-shared array: processing units in parallel, their weight memories, the sequencer, and the way back."""
from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, Const, Module, Signal, signed
from amaranth.lib import wiring

from hdl.adder_tree import AdderTree
from hdl.array_design import ArrayDesign
from hdl.control import control_layout
from hdl.parts import Parts
from hdl.sequencer import Sequencer
from hdl.unit import Unit

UNIT_MODULE = "wuxing_time_shared_unit"


class TimeSharedArray(wiring.Component):
    """All processing units of a core, which do one layer after the other.

    ::

        items --> sequencer --control--> units --> output of the selected one --> outputs
                      ^  |                  ^ |
                      |  '--address--> weights '--> tree --> errors of the layer before --+
                      '--------------------------------------------------------------------+-- errors of the last layer

    Parameters
    ----------
    array : SharedDesign
    parts : Parts
        In which form it has units and memories.

    Members
    -------
    Those of ``Sequencer`` that are not between it and the units; ``errors``: of the last layer alone; and
    ``access_word``: Out(signed(word_bits)), which is there with ``access_done``.
    """

    INNER = ("control", "address", "slot", "output", "tree_begin", "tree_first", "tree_valid", "ask")

    def __init__(self, array: ArrayDesign, parts: Parts) -> None:
        self.array, self.parts = array, parts
        self.sequencer = Sequencer(array)
        members = {name: member for name, member in self.sequencer.signature.members.items() if name not in self.INNER}
        super().__init__(members | {"access_word": wiring.Out(signed(array.word_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, sequencer = self.array, self.sequencer
        m.submodules.sequencer = sequencer
        for name, member in sequencer.signature.members.items():
            if name in self.INNER or name == "errors":
                continue
            inner, outer = getattr(sequencer, name), getattr(self, name)
            if member.is_signature:
                m.d.comb += [inner.payload.eq(outer.payload), inner.valid.eq(outer.valid), outer.ready.eq(inner.ready)]
            else:
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)

        control = Signal(control_layout(array), name="control")
        m.d.comb += control.eq(sequencer.control)
        outputs, words, products = [], [], []
        for number in range(array.units):
            fetched, data = (Signal(signed(array.word_bits), name=f"{name}_{number}") for name in ("fetched", "data"))
            output = Signal(signed(array.formats.displacement.bits), name=f"output_{number}")
            product = Signal(signed(array.formats.weight.bits + array.formats.displacement.bits), name=f"product_{number}")
            write_enable = Signal(name=f"write_enable_{number}")
            self.parts.place(m, f"unit_{number}", UNIT_MODULE, partial(Unit, array), {
                "control": control, "slot": sequencer.slot, "number": Const(number, array.numbers), "fetched": fetched}, {
                "write_data": data, "write_enable": write_enable, "output": output, "product": product})
            self.parts.memory(m, f"weights_{number}", array, number, {
                "address": sequencer.address, "write_data": data, "write_enable": write_enable}, {"fetched": fetched})
            outputs.append(output)
            words.append(fetched)
            products.append(product)
        m.d.comb += [sequencer.output.eq(Array(outputs)[control.unit]), self.access_word.eq(Array(words)[control.unit])]

        own, source = sequencer.errors, self.errors
        m.d.comb += [own.payload.eq(source.payload), own.valid.eq(source.valid), source.ready.eq(own.ready)]
        if array.reverses:
            m.submodules.tree = tree = AdderTree(array)
            m.d.comb += [tree.products[number].eq(product) for number, product in enumerate(products)]
            m.d.comb += [tree.begin.eq(sequencer.tree_begin), tree.first.eq(sequencer.tree_first),
                         tree.valid.eq(sequencer.tree_valid), tree.bank.eq(sequencer.layer[0]), tree.ask.eq(sequencer.ask),
                         tree.ask_bank.eq(~sequencer.layer[0])]
            with m.If(sequencer.layer != array.last.index):
                m.d.comb += [own.payload.eq(tree.errors.payload), own.valid.eq(tree.errors.valid),
                             tree.errors.ready.eq(own.ready), source.ready.eq(0)]
        return m
