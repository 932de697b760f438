"""An array: processing units in parallel, their weight memories, their sequencer, and the way back."""
from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring

from hdl.activation_list import ActivationList
from hdl.adder_tree import AdderTree
from hdl.array_design import ArrayDesign
from hdl.control import BRANCH, CLUSTER, ControlBranch, ControlRegister, branches, control_layout
from hdl.image_buffer import item_layout
from hdl.layer_design import LayerDesign
from hdl.operands import encoded
from hdl.parts import Parts
from hdl.scan import output_layout
from hdl.sequencer import Sequencer
from hdl.unit import Unit
from hdl.window import ImagePoints, WindowList

JOINED = 8                                # outputs joined by one registered OR


def unit_module(array: ArrayDesign) -> str:
    """Name of the Verilog module of this array's units."""
    if array.time_shared:
        return "wuxing_time_shared_unit" + (f"_{array.index}" if array.index else "")
    return f"wuxing_unit_{array.first.index}"


def control_module(array: ArrayDesign) -> str:
    return f"wuxing_control_{array.first.index}"


def branch_module(array: ArrayDesign) -> str:
    return f"wuxing_branch_{array.first.index}"


def output_latency(layer: LayerDesign) -> int:
    """Clocks from a unit's output to the sequencer's ``word``: the levels of the OR tree."""
    levels, count = 1, -(-layer.units // JOINED)
    while count > 1:
        levels, count = levels + 1, -(-count // JOINED)
    return levels


class ProcessingArray(wiring.Component):
    """Processing units and one sequencer. An array that serves one layer::

        items --> sequencer --control--> register per branch, per cluster --> units --> OR tree --> outputs
                      ^                                             weights <--+--> adder tree --> errors of the layer before

    and a time-shared one::

        items --> sequencer --control--> units --> output of the selected one --> outputs
                      ^  |                  ^ |
                      |  '--address--> weights '--> tree --> errors of the layer before --+
                      '--------------------------------------------------------------------+-- errors of the last layer

    Parameters
    ----------
    array : ArrayDesign
    parts : Parts
        In which form it has units, memories and copies of the control word.

    Members
    -------
    Those of ``hdl.sequencer.Sequencer`` that are not between it and the units. Errors are those of the last layer.

    access_word : Out(signed(access_bits))
        There with ``access_done``.
    back_valid : Out(1), back : Out(signed(error bits))
        Of an array that serves one layer and sends errors back: those of the layer before, in the order of its neurons.
    """

    INNER = ("control", "word", "output", "of_K", "address", "slot", "ask", "ask_own", "back", "tree_begin", "tree_valid",
             "tree_first", "tree_last", "exchanged", "exchanged_valid", "point", "pointed")

    def __init__(self, array: ArrayDesign, parts: Parts) -> None:
        self.array, self.parts = array, parts
        self.sequencer = Sequencer(array, 0 if array.time_shared else output_latency(array.first))
        own = ("items", "start", "outputs", "outputs_valid", "layer") if array.time_shared else ()
        self.passed = [name for name in self.sequencer.signature.members if name not in (*self.INNER, *own)]
        members = {name: self.sequencer.signature.members[name] for name in self.passed}
        if array.time_shared:
            value = signed(array.formats.displacement.bits) if array.first.index else 8
            members |= {"access_word": wiring.Out(signed(array.access_bits)), "start": wiring.Out(1),
                        "outputs_valid": wiring.Out(1), "outputs": wiring.Out(output_layout(array.formats)),
                        "items": wiring.In(stream.Signature(item_layout(array.first.inputs, value)))}
        if array.first.reverses:
            members |= {"back_valid": wiring.Out(1), "back": wiring.Out(signed(array.formats.error.bits))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        for name in self.passed:
            inner, outer, member = getattr(sequencer, name), getattr(self, name), self.signature.members[name]
            if member.is_signature:
                m.d.comb += [inner.payload.eq(outer.payload), inner.valid.eq(outer.valid), outer.ready.eq(inner.ready)]
            else:
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        if self.array.time_shared:
            self._time_shared(m)
        else:
            self._parallel(m)
        return m

    def _unit(self, m: Module, number: int, control: Value, output: Signal, inputs: dict[str, Value], token: dict[str, Value],
              memory: dict[str, Value]) -> tuple[dict[str, Signal], Signal]:
        """A processing unit and its memories, of which that of weights has the ports ``memory`` beside those of the unit; the
        words that are fetched, and the product."""
        array, bits = self.array, self.array.word_bits
        fetched, data = (Signal(signed(bits), name=f"{name}_{number}") for name in ("fetched", "data"))
        there = fetched
        if array.windowed:                                            # a large memory is many blocks, far from one another
            there = Signal.like(fetched, name=f"fetched_late_{number}", reset_less=True)
            m.d.sync += there.eq(fetched)
        product = Signal(signed(array.formats.weight.bits + array.formats.displacement.bits), name=f"product_{number}")
        enable = Signal(name=f"write_enable_{number}")
        word = {"word": Signal(signed(bits), name=f"word_{number}")} if array.ports == 2 else {}
        K, written = self._memory_of_K(m, number, control) if array.own_K else ({}, {})
        self.parts.place(m, f"unit_{number}", unit_module(array), partial(Unit, array), {
            "control": control, **inputs, "fetched": there, **word, **K}, {
            **token, "write_data": data, "write_enable": enable, "output": output, "product": product, **written})
        self.parts.memory(m, f"weights_{number}", array.memories["weights"], array.memory_file(number), {
            **memory, "write_data": data, "write_enable": enable}, {"fetched": fetched, **word})
        return {"fetched": there, **K}, product

    def _memory_of_K(self, m: Module, number: int, control: Value) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """The memory of K of a unit; what the unit reads there, and what it writes."""
        array = self.array
        read = {name: Signal(signed(array.first.K_bits), name=f"{name}_{number}") for name in ("K_fetched", "K_word")}
        written = {"K_data": Signal(signed(array.first.K_bits), name=f"K_data_{number}"),
                   "K_enable": Signal(name=f"K_enable_{number}")}
        self.parts.memory(m, f"K_{number}", array.memories["K"], array.K_file(number), {
            "address": control.K_address, "write_address": control.K_write_address, "write_data": written["K_data"],
            "write_enable": written["K_enable"]}, {"fetched": read["K_fetched"], "word": read["K_word"]})
        return read, written

    def _tree(self, m: Module, products: list[Signal]) -> AdderTree:
        m.submodules.tree = tree = AdderTree(self.array)
        m.d.comb += [tree.products[number].eq(product) for number, product in enumerate(products)]
        m.d.comb += tree.valid.eq(self.sequencer.tree_valid)
        if not self.array.recurrent:
            m.d.comb += tree.first.eq(self.sequencer.tree_first)
        return tree

    # ------------------------------------------------------------- for one layer

    def _parallel(self, m: Module) -> None:
        array, sequencer = self.array, self.sequencer
        tokens = [Signal(name=f"token_{number}") for number in range(array.units)]
        outputs, products = [Signal(array.access_bits, name=f"output_{number}") for number in range(array.units)], []
        for number, control in enumerate(self._copies(m)):
            inputs = {"first": Const(int(number == 0), 1), "token_before": tokens[number - 1] if number else Const(0, 1)}
            _, product = self._unit(m, number, control, outputs[number], inputs, {"token": tokens[number]}, {
                "address": control.address, "write_address": control.write_address})
            products.append(product)
        m.d.comb += sequencer.word.eq(self._joined(m, outputs))
        if array.reverses:
            tree = self._tree(m, products)
            m.d.comb += [tree.last.eq(sequencer.tree_last), self.back_valid.eq(tree.error_valid), self.back.eq(tree.error)]

    def _copies(self, m: Module) -> list[Signal]:
        """The copy of the control word that each unit has."""
        array, layout = self.array, control_layout(self.array)
        sources = [self.sequencer.control]
        if branches(array):
            sources = [Signal(layout, name=f"branch_{number}") for number in range(branches(array))]
            for number, copy in enumerate(sources):
                self.parts.place(m, f"branch_{number}", branch_module(array), partial(ControlBranch, array),
                                 {"source": self.sequencer.control}, {"control": copy}, reset=False)
        copies = []
        for number in range(0, array.units, CLUSTER):
            cluster = number // CLUSTER
            control = Signal(layout, name=f"control_{cluster}")
            self.parts.place(m, f"cluster_{cluster}", control_module(array), partial(ControlRegister, array),
                             {"source": sources[cluster // BRANCH % len(sources)]}, {"control": control})
            copies += [control] * min(CLUSTER, array.units - number)
        return copies

    def _joined(self, m: Module, outputs: list[Signal]) -> Signal:
        """The OR of all."""
        for level in range(output_latency(self.array.first)):
            joined = []
            for place in range(0, len(outputs), JOINED):
                register = Signal(self.array.access_bits, name=f"joined_{level}_{place // JOINED}", reset_less=True)
                value: Value = Const(0, self.array.access_bits)
                for output in outputs[place:place + JOINED]:
                    value = value | output
                m.d.sync += register.eq(value)
                joined.append(register)
            outputs = joined
        return outputs[0]

    # ------------------------------------------------------------- for one layer after the other

    def _time_shared(self, m: Module) -> None:
        array, sequencer = self.array, self.sequencer
        control = Signal(control_layout(array), name="control")
        m.d.comb += control.eq(sequencer.control)
        self._lists(m)
        words, products = [], []
        outputs = [Signal(signed(array.formats.displacement.bits), name=f"output_{number}") for number in range(array.units)]
        for number in range(array.units):
            fetched, product = self._unit(m, number, control, outputs[number], {
                "slot": sequencer.slot, "number": Const(number, array.numbers)}, {}, {"address": sequencer.address})
            words.append(fetched)
            products.append(product)
        word: Value = Array([each["fetched"] for each in words])[control.unit]
        if array.own_K:
            bits = array.formats.coupling.bits
            K = Array([each["K_fetched"][:bits].as_signed() for each in words])[control.unit]
            word = Mux(sequencer.of_K, K, word).as_signed()
        m.d.comb += sequencer.output.eq(Array(outputs)[control.unit])
        m.d["sync" if array.windowed else "comb"] += self.access_word.eq(word)
        if array.recurrent:
            tree = self._tree(m, products)
            m.d.comb += [sequencer.exchanged.eq(tree.word), sequencer.exchanged_valid.eq(tree.word_valid)]
        if array.reverses:
            own, source = sequencer.errors, self.errors
            tree = self._tree(m, products)
            m.d.comb += [tree.begin.eq(sequencer.tree_begin), tree.ask.eq(sequencer.ask)]
            if array.windowed:
                m.d.comb += tree.place.eq(sequencer.tree_place)
            if len(array.layers) > 1:
                bank = sequencer.layer[0]
                m.d.comb += [tree.bank.eq(bank), tree.ask_bank.eq(Mux(sequencer.ask_own, bank, ~bank))]
            if array.mixes_reverse_shifts:
                m.d.comb += tree.sender.eq(Mux(sequencer.back, 0, sequencer.layer + 1))
            with m.If(sequencer.layer != len(array.layers) - 1):
                m.d.comb += [own.payload.eq(tree.errors.payload), own.valid.eq(tree.errors.valid),
                             tree.errors.ready.eq(own.ready), source.ready.eq(0)]
            if array.first.reverses:
                with m.If(sequencer.back):
                    m.d.comb += tree.errors.ready.eq(1)
                m.d.comb += [self.back_valid.eq(sequencer.back & tree.errors.valid), self.back.eq(tree.errors.payload)]

    def _lists(self, m: Module) -> None:
        """Inputs: what comes from outside for the first layer, the outputs of the layer before for the others."""
        array, sequencer = self.array, self.sequencer
        lists: list[Any] = [self._list(m, number, layer) for number, layer in enumerate(array.layers)]
        with m.Switch(sequencer.layer):
            for number, layer in enumerate(array.layers):
                with m.Case(number):
                    source = lists[number]
                    item, entry = sequencer.items.payload, source.items.payload
                    m.d.comb += [sequencer.items.valid.eq(source.items.valid), source.items.ready.eq(sequencer.items.ready),
                                 source.start.eq(sequencer.start), item.last.eq(entry.last), item.index.eq(entry.index),
                                 item.value.eq(encoded(layer, entry.value))]
                    if layer.recurrence is not None:
                        m.d.comb += [source.further.eq(sequencer.further), source.look.eq(sequencer.point),
                                     sequencer.pointed.eq(source.looked)]
                    if layer.window is not None:
                        m.d.comb += [source.further.eq(sequencer.further), source.dense.eq(sequencer.dense),
                                     sequencer.item_place.eq(source.place)]
        for source in lists:
            if isinstance(source, WindowList):                        # told a clock before the layer is this one
                m.d.comb += source.begin.eq(sequencer.begin)
        outputs, valid = sequencer.outputs, sequencer.outputs_valid
        comes = [valid & (sequencer.layer == number) for number in range(len(array.layers))]
        if array.windowed:                                            # units are far apart, and so are the lists
            late, there = Signal.like(outputs, name="outputs_late"), Signal(len(comes), name="outputs_there")
            m.d.sync += [late.eq(outputs), there.eq(Cat(comes))]
            outputs, comes = late, list(there)
        for number, source in enumerate(lists[1:]):
            m.submodules[f"list_{number + 1}"] = source
            if isinstance(source, WindowList):
                m.d.comb += [source.written.eq(outputs.value), source.written_last.eq(outputs.last)]
            else:
                m.d.comb += [source.release.eq(sequencer.release), source.written.eq(outputs)]
            m.d.comb += source.written_valid.eq(comes[number])
        m.d.comb += [self.outputs.eq(outputs), self.outputs_valid.eq(comes[-1])]

    def _list(self, m: Module, number: int, layer: LayerDesign) -> Any:
        """From which a layer takes its inputs."""
        if layer.walked is None:
            return ActivationList(layer.inputs, layer.formats.displacement.bits) if number else self
        window = WindowList(layer.walked, signed(layer.formats.displacement.bits) if layer.index else 8,
                            looks=layer.recurrence is not None)
        if number == 0:
            m.submodules.list_0 = window
            m.submodules.points = points = ImagePoints(layer.inputs)
            m.d.comb += [self.start.eq(self.sequencer.load), points.load.eq(self.sequencer.load),
                         points.items.payload.eq(self.items.payload), points.items.valid.eq(self.items.valid),
                         self.items.ready.eq(points.items.ready), window.written_valid.eq(points.written_valid),
                         window.written_last.eq(points.written_last), window.written.eq(points.written)]
        return window
