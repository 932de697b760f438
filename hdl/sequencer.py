"""The sequencer of an array: what its processing units do in every clock. The units have no control of their own.

Its machines carry out the programs of ``hdl.program``; here is what their states and strobes mean: fields of the control word,
addresses, and what other parts of the core are told.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl import image_buffer
from hdl.array_design import ArrayDesign
from hdl.choices import rate_shift_bits
from hdl.control import control_latency, control_layout
from hdl.coupling_rows import CouplingRows
from hdl.half_step import issue_phases
from hdl.image_buffer import item_layout
from hdl.items import Items, rate_shifts_of_layer, weight_addresses
from hdl.machine import Machine, Sides
from hdl.parameter_access import ACCESS, NumberAccess, TokenAccess, access_layout
from hdl.positions import Positions
from hdl.program import Count, Do, datapath, nodes_of, programs
from hdl.recurrence import Recurrence
from hdl.scan import Scan, output_layout, scan_of_main
from hdl.settling import counted, during, settle

IDLE = Machine("idle", (), 1)             # in place of one that an array lacks


class Sequencer(wiring.Component):
    """Control of one array.

    Parameters
    ----------
    array : ArrayDesign
    output_latency : int
        Clocks from a unit's output to ``word``.

    Members
    -------
    available, learn : In(1)
        The source has an image; it is to be learnt.
    start, release : Out(1)
        Play its list (again); it is done with, in all layers.
    items : In(stream of hdl.image_buffer.item_layout)
        Of a time-shared array aligned (``LayerDesign.alignment``).
    outputs : Out(output_layout(array.formats)), outputs_valid : Out(1), outputs_free : In(1)
        One output a clock, without pause within a fold; the first one of the last layer only while the receiver is free for an
        image, which it may tell ``SCAN_REST`` clocks late if the array serves one layer.
    verdict : In(1), verdict_error : In(1)
        Strobe: the image in learning had an error, or had none.
    errors : In(stream of signed(error bits))
        One for each neuron of the layer, in their order.
    links_rate_shift, bias_rate_shift : In
    K_rate_shift : In
        If the array learns K.
    access : In(stream of hdl.parameter_access.access_layout(array)), access_done : Out(1)
    control : Out(control_layout(array))
    tree_valid, tree_first : Out(1)
        The units' products are reverse links; of the first fold.
    idle : Out(1)

    Of an array that serves one layer also

    word : In(signed(access_bits))
        Output of the unit with the token.
    access_word : Out(signed(access_bits))
    tree_last : Out(1)
        Reverse links are of the last fold.
    watch : Out
        What a simulator looks at: after each whole step ``step`` is high for the clock in which the rings hold the new state.

    and of a time-shared array

    layer : Out(range(layers))
        Whose inputs, outputs and errors are meant; of a recurrent one a bit that stays 0, which provers can name.
    output : In(signed(displacement bits))
        Of the selected unit, whose word is there in the clock of ``access_done``.
    of_K : Out(1)
        It is the one of the memory of K, where there is one.
    ask : Out(1)
        Strobe before the first error of a layer.
    load : Out(1)
        Strobe, if the first layer is a convolution: it takes the points of an image.
    begin, further, dense : Out(1), item_place : In(range(inputs)), tree_place : Out
        If some layer is a convolution: its window goes to the first position, to the next one, shows zeros, too; the input that
        an item is, and a product of reverse links.
    load, begin, further : Out(1), exchanged_valid : In(1), exchanged : In(signed(drive bits))
        If the layer is recurrent: it takes the points of an image; goes to the first frame, to the next one; what the tree says
        of reciprocal links.
    point : Out(range(inputs)), pointed : In(8)
        Likewise: the input that is looked up, and its value a clock later.
    address, slot : Out
        To weight memories and units.
    tree_begin : Out(1)
        Strobe before the reverse links of a fold.
    trace : Out
        In ``step_<layer>`` a strobe for the clock in which the rings hold the state after a step.
    """

    def __init__(self, array: ArrayDesign, output_latency: int = 0) -> None:
        self.array, self.output_latency, self.texts = array, output_latency, programs(array)
        self.layout = control_layout(array)
        displacement, error = signed(array.formats.displacement.bits), signed(array.formats.error.bits)
        value = signed(array.input_bits) if array.time_shared else displacement if array.first.index else 8
        members: dict[str, Any] = {
            "available": In(1), "learn": In(1), "start": Out(1), "release": Out(1),
            "items": In(stream.Signature(item_layout(array.most_inputs, value))), "outputs": Out(output_layout(array.formats)),
            "outputs_valid": Out(1), "outputs_free": In(1), "verdict": In(1), "verdict_error": In(1),
            "errors": In(stream.Signature(error)),
            "links_rate_shift": In(rate_shift_bits(array.design.links_rate_shifts())),
            "bias_rate_shift": In(rate_shift_bits(array.design.bias_rate_shifts())),
            "access": In(stream.Signature(access_layout(array))), "access_done": Out(1), "control": Out(self.layout),
            "tree_valid": Out(1), "tree_first": Out(1), "idle": Out(1)}
        if array.time_shared and array.own_K:
            members["of_K"] = Out(1)
        if array.time_shared:
            members |= {"layer": Out(range(len(array.layers) + array.recurrent)), "output": In(displacement), "ask": Out(1),
                        "ask_own": Out(1), "back": Out(1), "address": Out(range(array.depth)), "slot": Out(array.all_slots),
                        "tree_begin": Out(1),
                        "trace": Out(data.StructLayout({f"step_{layer.index}": 1 for layer in array.layers}))}
            if array.windowed:
                places = range(array.most_inputs)
                members |= {"load": Out(1), "begin": Out(1), "further": Out(1), "dense": Out(1), "item_place": In(places),
                            "tree_place": Out(places)}
            if array.recurrent:
                members |= {"load": Out(1), "begin": Out(1), "further": Out(1), "exchanged_valid": In(1),
                            "exchanged": In(signed(array.formats.drive.bits)), "point": Out(range(array.first.inputs)),
                            "pointed": In(8)}
        else:
            word = signed(array.access_bits)
            members |= {"word": In(word), "access_word": Out(word), "tree_last": Out(1),
                        "watch": Out(data.StructLayout({"step": 1}))}
        if array.learns_K:
            members["K_rate_shift"] = In(rate_shift_bits(array.design.K_rate_shifts()))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, texts = self.array, self.texts
        lasting = [node.clocks for text in texts.values() for node in nodes_of(text) if isinstance(node, Do)]
        longest = max(array.rows, array.parameter_rows, array.units, 2 * array.first.inputs * array.first.reverses, ACCESS,
                      *(layer.channels for layer in array.layers), *(clocks for clocks in lasting if isinstance(clocks, int)),
                      *(layer.inputs + image_buffer.LATENCY for layer in array.layers if layer.walked is not None),
                      2 * array.rows * array.gathers, *(4 * (layer.slots - 1) for layer in array.layers if array.recurrent))
        most = {"links": datapath(array).drain, "main": longest, "scan": max(array.units, self.output_latency + 8)}
        self.machines = {name: Machine(name, text, most[name] + 1) for name, text in texts.items()}
        self.main, self.links = (self.machines.get(name, IDLE) for name in ("main", "links"))
        self.coupling_rows: CouplingRows | None = None
        self.scan: Scan | None = None
        self.positions: Positions | None = None
        self.recurrence: Recurrence | None = None
        self.next = Signal(self.layout, name="next_control")          # of the next clock
        self.count, self.settling, self.reverse = self.main.count, Signal(name="settling"), Signal(name="reverse")
        self.phase = Signal(range(array.phases), name="phase")
        self.half_step = Signal(range(array.half_steps), name="half_step")
        m.d.comb += [self.settling.eq(self.main.during("SETTLE", "SETTLE_BACK", "HALF", "HALF_BACK", "KICK")),
                     self.reverse.eq(self.main.during("SETTLE_BACK"))]
        self._places(m)
        if array.own_K:
            self.coupling_rows = CouplingRows(m, self)
        self._settle(m)
        self._items(m)
        self._outputs(m)
        self._states(m)
        self._build(m)
        self._control(m)
        return m

    # ------------------------------------------------------------- where machines are

    def _places(self, m: Module) -> None:
        """Folds and layers, and the first words of their neurons."""
        array, main, links = self.array, self.main, self.links
        folds = range(max(2, *(layer.folds for layer in array.layers)))
        self.fold, self.links_fold = Signal(folds, name="main_fold"), Signal(folds, name="links_fold")
        self.base, self.links_base, self.following = (
            Signal(range(array.depth + 1), name=name) for name in ("main_base", "links_base", "following"))
        m.d.comb += self.following.eq(self.base + self.of_layer([layer.rows for layer in array.layers]))
        forward, begins = [self.fold.eq(self.fold + 1), self.base.eq(self.following)], [self.fold.eq(0)]
        if array.windowed:
            begins.append(self.base.eq(self.of_layer(array.bases)))
        if array.time_shared:
            self.place = Signal(range(array.folds), name="place")     # its slot in the memory of gates
            self.chosen = Signal(range(array.units), name="chosen")   # a unit
            m.d.sync += self.slot.eq(self.place)
            forward.append(self.place.eq(self.place + 1))
        else:
            begins.append(self.base.eq(0))
        with m.If(main.strobe("next fold")):
            m.d.sync += forward
        with m.If(main.strobe("first fold")):
            m.d.sync += begins
        if array.time_shared:
            self._layers(m)
            return
        with m.If(links.strobe("next fold")):
            m.d.sync += [self.links_fold.eq(self.links_fold + 1), self.links_base.eq(self.links_base + array.first.rows)]
        with m.If(links.strobe("first fold")):
            m.d.sync += [self.links_fold.eq(0), self.links_base.eq(0)]
        with m.If(main.strobe("latch")):
            m.d.sync += [self.fold.eq(self.links_fold), self.base.eq(self.links_base)]

    def _layers(self, m: Module) -> None:
        """Of a time-shared array."""
        array, main, links = self.array, self.main, self.links
        if links is not IDLE:
            with m.If(links.strobe("first fold")):                     # main is at the words of this fold
                m.d.sync += self.links_base.eq(self.of_layer(array.bases) if array.windowed else self.base)
            with m.If(links.strobe("next fold")):
                m.d.sync += self.links_base.eq(self.following)
        with m.If(main.strobe("first layer")):
            m.d.sync += [self.layer.eq(0), self.base.eq(0), self.place.eq(0)]
        with m.If(main.strobe("next layer")):
            m.d.sync += [self.layer.eq(self.layer + 1), self.base.eq(self.following), self.place.eq(self.place + 1)]
        for number, layer in enumerate(array.layers):
            from_behind = main.strobe("next layer backwards") & (self.layer == number + 1)
            with m.If(main.strobe("first layer backwards") if layer is array.last else from_behind):
                m.d.sync += [self.layer.eq(number), self.base.eq(array.bases[number]), self.place.eq(array.slots[number])]

        if array.windowed:
            self.positions = Positions(m, self)
        if array.recurrent:
            self.recurrence = Recurrence(m, self)

    def of_layer(self, values: Sequence[int]) -> Value:
        """A constant that each layer has its own of."""
        if len(set(values)) == 1:
            return Const(values[0])
        return Array([Const(value, range(max(values) + 1)) for value in values])[self.layer]

    # ------------------------------------------------------------- settling

    def _settle(self, m: Module) -> None:
        array, main = self.array, self.main
        last_phase, stepped = Signal(name="last_phase"), Signal(name="stepped")
        m.d.comb += [last_phase.eq(self.phase == array.phases - 1), stepped.eq(self.settling & last_phase & self.half_step[0])]
        self.settled = last_phase & (self.half_step == array.half_steps - 1)
        with m.If(self.settling):
            m.d.sync += self.phase.eq(Mux(last_phase, 0, self.phase + 1))
            with m.If(last_phase):
                m.d.sync += self.half_step.eq(self.half_step + 1)
            settle(m, array, self.next, phase=self.phase, half_step=self.half_step, reverse=self.reverse, base=self.base,
                   coupling_rows=self.coupling_rows)
            if self.recurrence is not None:
                self.recurrence.settle(last_phase)
        fresh = Signal(init=1, name="fresh")
        m.d.sync += fresh.eq(0)
        latches = main.strobe("latch") | main.strobe("latch back")
        with m.If(latches):
            m.d.comb += self.next.clear.eq(1)
            m.d.sync += [self.half_step.eq(0), self.phase.eq(0)]
        if self.recurrence is not None:
            with m.If(main.strobe("latch back")):
                m.d.sync += self.half_step.eq(1)                      # an error is added to a state as a corrector adds
            latches = latches | main.strobe("latch frame")
        m.d.comb += self.next.latch_drive.eq(latches | fresh)         # accumulators begin with the half that rounds
        depth = 1 if array.time_shared else control_latency(array.first) + 1
        stages = [Signal(name=f"stepped_{stage}") for stage in range(depth)]
        m.d.sync += [late.eq(early) for early, late in zip([stepped, *stages], stages, strict=False)]
        if not array.time_shared:
            m.d.comb += self.watch.step.eq(stages[-1])
            return
        for number, layer in enumerate(array.layers):
            step = Signal(name=f"step_{layer.index}")
            m.d.sync += step.eq(stages[-1] & (self.layer == number))
            m.d.comb += self.trace[f"step_{layer.index}"].eq(step)

    # ------------------------------------------------------------- inputs and errors

    def _items(self, m: Module) -> None:
        array, main, item = self.array, self.main, self.items.payload
        phases, issue_phase = issue_phases(datapath(array), array.first.half_step), Signal(name="issue_phase")
        if phases:
            m.d.sync += issue_phase.eq(during(self.phase, {phase - 1 for phase in phases}, array.phases))
        self.allowed = Signal(name="allowed")
        m.d.comb += self.allowed.eq(~self.settling | issue_phase)
        self.index = Signal(range(array.rows + 1), name="index")
        self.row = Signal(range(array.rows + 1), name="row")          # of those of the states of a neuron
        m.d.comb += self.index.eq(item.index)
        base = Signal.like(self.base, name="base")
        self.last = Signal(name="last_item") if array.gathers or array.recurrent else item.last
        self.value = Signal.like(item.value, name="value") if array.recurrent else item.value
        self.pipeline = items = Items(array, base=base, index=self.index, value=self.value, last=self.last,
                                      error=self.errors.payload, rate_shifts=rate_shifts_of_layer(self))
        updates = main.during("UPDATE")
        if array.time_shared:                                         # words are fetched in even clocks, written in odd ones
            self.odd, self.updating = Signal(name="odd"), main.during("UPDATE", "UPDATED", "APPLY", "APPLIED")
            m.d.sync += self.odd.eq(self.updating & ~self.odd)
            updates = updates & ~self.odd
        plays, issue = self.links.during("RUN") & self.allowed, items.issue
        if self.recurrence is not None:
            plays = main.during("FRAME")
        m.d.comb += [
            base.eq(Mux(issue.link, self.links_base, self.base)),
            self.start.eq(self.links.strobe("start") | main.strobe("start")),
            self.items.ready.eq(plays | updates if self.positions is None else plays | updates | self.positions.taken),
            issue.link.eq(plays & self.items.valid), issue.update.eq(updates & self.items.valid),
            self.errors.ready.eq(main.during("ERRORS")), issue.error.eq(self.errors.ready & self.errors.valid),
            issue.tree.eq(main.during("TREE"))]
        with m.If(issue.tree if self.positions is None else main.during("TREE")):
            m.d.comb += self.index.eq(self.count)
        if self.positions is not None:
            self.positions.items(m)
        if self.recurrence is not None:
            self.recurrence.items()
        self.size = self.of_layer([layer.units for layer in array.layers])     # neurons of this fold
        self.last_fold = Signal(name="main_last_fold")
        m.d.comb += self.last_fold.eq(self.fold == self.of_layer([layer.folds - 1 for layer in array.layers]))
        sizes = [layer.fold_size(layer.folds - 1) for layer in array.layers]
        if sizes != [layer.units for layer in array.layers]:
            self.size = Mux(self.last_fold, self.of_layer(sizes), self.size)

    # ------------------------------------------------------------- outputs

    def _outputs(self, m: Module) -> None:
        """One a clock, in the order of the neurons."""
        array, main = self.array, self.main
        self.learns, learn = Signal(name="main_learn"), Signal(name="main_learn_flag")     # the latter where none learns, too
        if array.time_shared:
            with m.If(main.strobe("first layer")):
                m.d.sync += [self.learns.eq(self.learn & array.learns), learn.eq(self.learn)]
            scan_of_main(m, self, learn)
            return
        links_learn, links_flag = Signal(name="links_learn"), Signal(name="links_learn_flag")
        self.links_learns = links_learn
        with m.If(self.links.during("IDLE")):
            m.d.sync += [links_learn.eq(self.learn & array.learns), links_flag.eq(self.learn)]
        with m.If(main.strobe("latch")):
            m.d.sync += [self.learns.eq(links_learn), learn.eq(links_flag)]
        self.scan = Scan(m, self, self.machines["scan"], learn)

    # ------------------------------------------------------------- states and what they are told

    def _states(self, m: Module) -> None:
        """Fields of the control word in states that are counted, and what others are told."""
        array, main = self.array, self.main
        fields = {name: self.next[name] for name in self.layout.members} | {
            "row": self.row, "restore": self.pipeline.issue.restore if not array.time_shared else Signal(name="restore")}
        if self.coupling_rows is not None:
            fields |= self.coupling_rows.fields
        for node in nodes_of(main.text):
            if isinstance(node, Do) and node.table is not None:
                with m.If(main.during(node.state)):
                    counted(m, fields, node.table, self.count)
        if not array.time_shared:
            with m.If(main.during("SAVE")):
                m.d.comb += self.next.write_address.eq(self.base + self.row)
            with m.If(main.during("RESTORE")):
                m.d.comb += self.index.eq(self.row)
        still = ("UPDATED",) if array.design.signs else ()               # the sign is needed later than the whole signal
        signals = ("TREE_START", "TREE", "WINDOW_TREE", "TREE_DRAIN", "UPDATE_START", "UPDATE", "GATHER", "TELL", "TELL_BACK")
        with m.If(main.during(*signals, *still)):
            m.d.comb += self.next.reverse_enable.eq(1)
        self.judged, self.erred = Signal(name="judged"), Signal(name="erred")    # the verdict, until main looks at it
        with m.If(self.verdict):
            m.d.sync += [self.judged.eq(1), self.erred.eq(self.verdict_error)]
        with m.If(main.during("VERDICT") & self.judged):
            m.d.sync += self.judged.eq(0)
        if array.time_shared:
            m.d.comb += [self.release.eq(main.strobe("release")), self.ask.eq(main.strobe("ask") | main.strobe("ask back")),
                         self.back.eq(main.during("BACK")), self.ask_own.eq(main.strobe("ask back") | main.during("BACK")),
                         self.tree_begin.eq(main.during("TREE_START"))]
            first = self.fold == 0
            m.d.comb += self.tree_first.eq(first if self.positions is None else self.positions.begins_sum(m, first))
            rests: Value = ~self.available
        else:
            assert self.scan is not None
            m.d.comb += self.release.eq(self.links.strobe("release"))
            rests = self.links.during("IDLE") & ~self.available & self.scan.rests
            for port, flag in ((self.tree_first, self.fold == 0), (self.tree_last, self.last_fold)):
                stages = [Signal(name=f"{port.name}_{stage}") for stage in range(self.pipeline.latency)]
                m.d.sync += [late.eq(early) for early, late in zip([flag, *stages], stages, strict=False)]
                m.d.comb += port.eq(stages[-1])
        m.d.comb += [self.tree_valid.eq(self.pipeline.ago("tree", self.pipeline.latency)),
                     self.idle.eq(main.during("IDLE") & rests & ~self.access.valid)]

    def _build(self, m: Module) -> None:
        """The machines, with what they wait for and decide by."""
        array, main, links, item = self.array, self.main, self.links, self.items.payload
        self.access_of = access = NumberAccess(m, self) if array.time_shared else TokenAccess(m, self)
        full = links.during("FULL")
        free = (self.fold != 0) | self.outputs_free
        if self.positions is not None:
            free = free | (self.positions.number != 0)
        ends = {Count.SETTLING: self.settled, Count.UNITS: self.count == self.size - 1,
                Count.BACK: self.count == 2 * array.first.inputs - 1,
                Count.INPUTS: self.count == self.of_layer([layer.inputs - 1 for layer in array.layers]),
                Count.LOADING: self.count == array.first.inputs + image_buffer.LATENCY - 2,
                Count.PARAMETERS: self.count == self.of_layer([2 * layer.links + 1 for layer in array.layers]),
                Count.STEPS: self.count == 4 * (array.first.slots - 1) - 1}
        flags: dict[str, Value | bool] = {
            "learn": self.learns, "error": self.erred,
            "last fold": self.last_fold if any(layer.folds > 1 for layer in array.layers) else True}
        if array.time_shared:
            learning = [number for number, layer in enumerate(array.layers) if layer.learns]
            last_layer = self.layer == len(array.layers) - 1
            flags |= {"reverses": self.of_layer([int(layer.reverses) for layer in array.layers]).bool(),
                      "last layer": last_layer, "last layer backwards": self.layer == min(learning, default=0)}
            if self.positions is not None:
                flags |= self.positions.flags
            if self.recurrence is not None:
                flags |= self.recurrence.flags
            events = {"image": self.available, "full": full, "receiver": ~last_layer | free, "verdict": self.judged}
            of_links = Sides(events={"go": main.strobe("go"), "latch": main.strobe("latch")},
                             flags={"last fold": flags["last fold"]} | {"last position": flags.get("last position", True)})
        else:
            assert self.scan is not None
            events = {"full": full, "receiver": self.scan.rests & free, "verdict": self.judged}
            of_links = Sides(
                events={"image": self.available, "latch": main.strobe("latch"), "learnt": main.strobe("learnt")},
                flags={"learn": self.links_learns if array.learns else False,
                       "last fold": array.first.folds == 1 or self.links_fold == array.first.folds - 1})
            self.scan.build(m)
        issue = self.pipeline.issue
        of_links.played = {"RUN": (issue.link, item.last)}
        if links is not IDLE:
            links.build(m, of_links)
        main.build(m, Sides(events=events, flags=flags, last=ends, otherwise={"IDLE": access.begin}, played={
            "UPDATE": (issue.update, item.last), "GATHER": (self.items.valid, item.last),
            "FRAME": (issue.link, item.last), "WINDOW_TREE": (self.items.valid, item.last),
            "ERRORS": (issue.error, self.count == self.size - 1)}), access.states)

    # ------------------------------------------------------------- the control word

    def _control(self, m: Module) -> None:
        """What is decided, and what items need, joined by OR."""
        array, items = self.array, Signal(self.layout, name="items_control")
        fields: dict[str, Value] = {name: items[name] for name in self.layout.members}
        decided = Signal(self.layout, name="decided")
        m.d.sync += decided.eq(self.next.as_value() | (0 if array.time_shared else items.as_value()))
        if not array.time_shared:
            self.pipeline.build(m, fields)
            m.d.comb += self.control.eq(decided)
            return
        operand = Signal.like(self.control.broadcast_a, name="operand")    # zero when unused
        next_operand = Signal.like(operand, name="next_operand")
        self.pipeline.build(m, fields | {"operand": next_operand})
        m.d.sync += operand.eq(next_operand)
        m.d.comb += [self.control.eq(decided.as_value() | items.as_value()), self.control.broadcast_a.eq(operand),
                     self.control.unit.eq(self.chosen)]
        with m.If(self.control.load):
            m.d.comb += next_operand.eq(self.access.payload.data)
        weight_addresses(m, self)
