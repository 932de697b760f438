"""The sequencer of a layer: what its processing units do in every clock. The units have no control of their own.

Three machines share the units:

- *links*: plays the list of the layer's inputs, once for each fold, into the accumulators. It works ahead: while the neurons
  of one fold settle, the links of the next fold, or of the next image, use the clocks in which the multiplier idles (5 of 10).
- *main*: latches complete accumulators as drives and settles; when an image is learnt, also gates, errors, the reverse
  circuit, the reverse links and the updates.
- *scan*: sends the settled outputs on, one a clock, while the next fold settles.

An image that is learnt holds the layer until it is finished, so that the next one finds the new parameters.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.control import control_latency, control_layout, needs_populations
from hdl.half_step import HALF_STEPS, issue_phases
from hdl.image_buffer import item_layout
from hdl.items import ItemPipeline, product_latency
from hdl.layer_design import LayerDesign, rate_shift_bits
from hdl.operations import PARALLEL
from hdl.settling import during, settle

GATE_CLOCKS = 4 * (POPULATIONS - 1) + 1   # every fourth word of a turning ring: five words in mirrored order
WORD_LATENCY = 2                          # of weight memory
DRAIN = PARALLEL.drain                    # clocks between the last item and the latch of its sum
RESTORED = POPULATIONS + PARALLEL["restore"].cycles      # clocks until all displacements are in the ring again
WRITE_LATENCY = PARALLEL.update_to_read   # clocks after its last update in which a layer does not read
SCAN_REST = 2                             # clocks after a scan until ``outputs_free`` tells of its outputs
Enter = Callable[[str], None]             # go to a state of the main machine


def output_layout(layer: LayerDesign) -> data.StructLayout:
    """One output of a layer. ``learn``: the image is to be learnt. ``last``: no more of this image."""
    return data.StructLayout({"value": signed(layer.formats.displacement.bits), "last": 1, "learn": 1})


def access_layout(layer: LayerDesign) -> data.StructLayout:
    """A parameter to read or write: neuron, row of its memory, word."""
    return data.StructLayout({"write": 1, "neuron": range(layer.neurons), "row": range(layer.parameter_rows),
                              "data": signed(layer.word_bits)})


class Sequencer(wiring.Component):
    """Control of one layer.

    Parameters
    ----------
    layer : LayerDesign
    output_latency : int
        Clocks from a unit's output to ``word``.

    Members
    -------
    available, learn : In(1)
        The source has an image; it is to be learnt.
    start, release : Out(1)
        Play its list (again); it is done with.
    items : In(stream of hdl.image_buffer.item_layout)
    outputs : Out(output_layout(layer)), outputs_valid : Out(1), outputs_free : In(1)
        One output a clock, without pause within a fold; the first one only while the receiver is free for an image, which
        it may tell ``SCAN_REST`` clocks late.
    verdict : In(1), verdict_error : In(1)
        Strobe: the image in learning had an error, or had none.
    errors : In(stream of signed(error bits))
        One for each neuron, in their order.
    links_rate_shift, bias_rate_shift : In
    access : In(stream of access_layout(layer)), access_word : Out(signed(word_bits)), access_done : Out(1)
    word : In(signed(word_bits))
        Output of the unit with the token.
    control : Out(control_layout(layer))
    tree_valid, tree_first, tree_last : Out(1)
        The units' products are reverse links, of the first and of the last fold.
    idle : Out(1)
    watch : Out
        What a simulator looks at: after each whole step ``step`` is high for the clock in which the rings hold the new state.
    """

    def __init__(self, layer: LayerDesign, output_latency: int) -> None:
        self.layer, self.output_latency = layer, output_latency
        self.programmable = layer.design.kind == "programmable"
        value = signed(layer.formats.displacement.bits) if layer.index else 8
        super().__init__({
            "available": In(1), "learn": In(1), "start": Out(1), "release": Out(1),
            "items": In(stream.Signature(item_layout(layer.inputs, value))),
            "outputs": Out(output_layout(layer)), "outputs_valid": Out(1), "outputs_free": In(1),
            "verdict": In(1), "verdict_error": In(1), "errors": In(stream.Signature(signed(layer.formats.error.bits))),
            "links_rate_shift": In(rate_shift_bits(layer.design.links_rate_shifts())),
            "bias_rate_shift": In(rate_shift_bits(layer.design.bias_rate_shifts())),
            "access": In(stream.Signature(access_layout(layer))), "access_word": Out(signed(layer.word_bits)),
            "access_done": Out(1), "word": In(signed(layer.word_bits)), "control": Out(control_layout(layer)),
            "tree_valid": Out(1), "tree_first": Out(1), "tree_last": Out(1), "idle": Out(1),
            "watch": Out(data.StructLayout({"step": 1}))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        self.inside: dict[str, Any] = {}           # machines and counters by name, for proofs
        self.next = next_control = Signal(control_layout(layer), name="next_control")
        control = Signal(control_layout(layer), name="control")
        m.submodules.pipeline = self.pipeline = pipeline = ItemPipeline(layer)
        m.d.sync += control.eq(next_control.as_value() | pipeline.control.as_value())
        m.d.comb += [self.control.eq(control), pipeline.input.value.eq(self.items.payload.value),
                     pipeline.input.last.eq(self.items.payload.last), pipeline.error.eq(self.errors.payload),
                     pipeline.links_rate_shift.eq(self.links_rate_shift), pipeline.bias_rate_shift.eq(self.bias_rate_shift),
                     self.tree_valid.eq(pipeline.tree_valid)]
        self.latch, self.learnt, self.full, self.settling = (
            Signal(name=name) for name in ("latch", "learnt", "full", "settling"))
        self.phase = Signal(range(layer.phases), name="phase")
        self.scan_busy, self.scan_go, self.scan_ready = (Signal(name=f"scan_{name}") for name in ("busy", "go", "ready"))
        self.start_links, self.start_main, self.ready_links = (
            Signal(name=name) for name in ("start_links", "start_main", "ready_links"))
        m.d.comb += [self.start.eq(self.start_links | self.start_main),
                     self.items.ready.eq(self.ready_links | self.pipeline.issue.update)]
        fresh = Signal(init=1, name="fresh")    # accumulators begin with the half that rounds, after any reset
        m.d.sync += fresh.eq(0)
        with m.If(fresh):
            m.d.comb += next_control.latch_drive.eq(1)
        self._links(m)
        self._main(m)
        self._scan(m)
        return m

    # ------------------------------------------------------------- links

    def _links(self, m: Module) -> None:
        """Forward links: runs ahead of the main machine by one fold."""
        layer = self.layer
        fold = Signal(range(max(2, layer.folds)), name="links_fold")
        base = Signal(range(layer.depth + 1), name="links_base")
        drain = Signal(range(DRAIN + 1), name="links_drain")
        learn, learn_flag = (Signal(name=f"links_{name}") for name in ("learn", "learn_flag"))
        last_fold = Signal(name="links_last_fold")
        allowed = Signal(name="allowed")
        self.pass_learn, self.pass_learn_flag, self.pass_fold, self.pass_base = learn, learn_flag, fold, base
        issue_phase = Signal(name="issue_phase")
        if phases := issue_phases(PARALLEL, HALF_STEPS[layer.design.kind]):
            m.d.sync += issue_phase.eq(during(self.phase, {phase - 1 for phase in phases}, layer.phases))
        m.d.comb += [last_fold.eq(layer.folds == 1 or fold == layer.folds - 1), allowed.eq(~self.settling | issue_phase)]
        with m.FSM(name="links") as machine:
            with m.State("IDLE"), m.If(self.available):
                m.d.comb += self.start_links.eq(1)
                m.d.sync += [fold.eq(0), base.eq(0), learn.eq(self.learn & layer.learns), learn_flag.eq(self.learn)]
                m.next = "RUN"
            with m.State("RUN"), m.If(allowed):
                m.d.comb += self.ready_links.eq(1)
                with m.If(self.items.valid):
                    m.d.comb += [self.pipeline.issue.link.eq(1), self.pipeline.index.eq(self.items.payload.index),
                                 self.pipeline.base.eq(base)]
                    with m.If(self.items.payload.last):
                        m.d.comb += self.release.eq(last_fold & ~learn)
                        m.d.sync += drain.eq(DRAIN - 1)
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.sync += drain.eq(drain - 1)
                with m.If(drain == 0):
                    m.next = "FULL"
            with m.State("FULL"):
                m.d.comb += self.full.eq(1)
                with m.If(self.latch):
                    with m.If(~last_fold):
                        m.d.comb += self.start_links.eq(1)
                        m.d.sync += [fold.eq(fold + 1), base.eq(base + layer.rows)]
                        m.next = "RUN"
                    with m.Elif(learn):
                        m.next = "LEARN"
                    with m.Else():
                        m.next = "IDLE"
            with m.State("LEARN"), m.If(self.learnt):
                m.d.comb += self.release.eq(1)
                m.next = "IDLE"
        self.links_idle = machine.ongoing("IDLE") & ~self.available
        self.inside |= {"links": machine, "drain": drain, "allowed": allowed}

    # ------------------------------------------------------------- main

    def _main(self, m: Module) -> None:
        """Settling, and what follows it when the image is learnt."""
        layer, network, next_control = self.layer, self.layer.network, self.next
        half_steps = 2 * network.integration.steps
        fold = Signal(range(max(2, layer.folds)), name="main_fold")
        base = Signal(range(layer.depth + 1), name="main_base")
        learn, learn_flag = (Signal(name=f"main_{name}") for name in ("learn", "learn_flag"))
        reverse = Signal(name="reverse")
        half_step = Signal(range(half_steps), name="half_step")
        wait = Signal(range(GATE_CLOCKS + POPULATIONS), name="wait")
        row = Signal(range(max(layer.rows, layer.units, POPULATIONS) + 1), name="row")
        last_fold = Signal(name="main_last_fold")
        last_phase = Signal(name="last_phase")
        settled = Signal(name="settled")
        m.d.comb += [last_fold.eq(layer.folds == 1 or fold == layer.folds - 1), last_phase.eq(self.phase == layer.phases - 1),
                     settled.eq(last_phase & (half_step == half_steps - 1))]
        self.main_fold, self.main_learn_flag = fold, learn_flag
        verdict = Signal(name="main_verdict")
        verdict_error = Signal(name="main_verdict_error")
        with m.If(self.verdict):
            m.d.sync += [verdict.eq(1), verdict_error.eq(self.verdict_error)]

        def latch(state: str) -> None:
            m.d.comb += [next_control.latch_drive.eq(1), next_control.clear.eq(1)]
            m.d.sync += [half_step.eq(0), self.phase.eq(0)]
            m.next = state

        def fold_finished(then: str) -> None:
            """The next fold of the same machine, or the end of the image."""
            with m.If(last_fold):
                m.d.comb += self.learnt.eq(1)
                m.next = "IDLE"
            if layer.folds > 1:
                with m.Else():
                    m.d.sync += [fold.eq(fold + 1), base.eq(base + layer.rows)]
                    m.next = then

        sought = Signal(name="sought")
        sought_neuron = Signal(range(layer.neurons), name="sought_neuron")
        with m.FSM(name="main") as machine:
            with m.State("IDLE"):
                with m.If(self.full):
                    m.d.comb += self.latch.eq(1)
                    m.d.sync += [sought.eq(0), fold.eq(self.pass_fold), base.eq(self.pass_base), learn.eq(self.pass_learn),
                                 learn_flag.eq(self.pass_learn_flag), reverse.eq(0)]
                    latch("SETTLE")
                with m.Elif(self.access.valid & self.links_idle & ~self.scan_busy):
                    m.d.comb += next_control.clear.eq(1)
                    m.d.sync += [wait.eq(0), sought.eq(1), sought_neuron.eq(self.access.payload.neuron)]
                    m.next = "SEEK"
                    with m.If(sought & (sought_neuron == self.access.payload.neuron)):
                        m.next = "ACCESS"              # the token is there already
            with m.State("SETTLE"):
                m.d.comb += self.settling.eq(1)
                m.d.sync += self.phase.eq(Mux(last_phase, 0, self.phase + 1))
                with m.If(last_phase):
                    m.d.sync += half_step.eq(half_step + 1)
                with m.If(settled):
                    m.next = "SETTLED"
                settle(m, layer, next_control, phase=self.phase, reverse=reverse, corrector=half_step[0], base=base)
            with m.State("SETTLED"):
                m.d.sync += [wait.eq(0), row.eq(0)]
                with m.If(~reverse), m.If(self.scan_ready):
                    m.d.comb += self.scan_go.eq(1)
                    if not layer.learns:
                        m.next = "IDLE"
                    else:
                        with m.If(learn):
                            m.next = "SAVE" if layer.saves_state else "GATES"
                        with m.Else():
                            m.next = "IDLE"
                if layer.learns:
                    with m.Else():
                        m.next = "TREE" if layer.reverses else "UPDATE_START"
            if layer.learns:
                self._learning_states(m, fold, base, wait, row, last_fold, verdict, verdict_error, latch, fold_finished,
                                      reverse)
            self._access_states(m, base, row, wait)
        m.d.comb += self.idle.eq(machine.ongoing("IDLE") & self.links_idle & ~self.full & ~self.scan_busy & ~self.access.valid)

        stepped = [Signal(name=f"stepped_{stage}") for stage in range(control_latency(layer) + 1)]
        m.d.sync += [stepped[0].eq(self.settling & last_phase & half_step[0]),
                     *(late.eq(early) for early, late in zip(stepped, stepped[1:], strict=False))]
        m.d.comb += self.watch.step.eq(stepped[-1])
        self.inside |= {"main": machine, "learn": learn, "reverse": reverse, "half_step": half_step, "wait": wait, "row": row,
                        "verdict": verdict}

    def _learning_states(self, m: Module, fold: Signal, base: Signal, wait: Signal, row: Signal, last_fold: Signal,
                         verdict: Signal, verdict_error: Signal, latch: Enter, fold_finished: Enter,
                         reverse: Signal) -> None:
        layer, next_control = self.layer, self.next
        neuron = layer.network.neuron
        if layer.saves_state:
            with m.State("SAVE"):
                order = [(neuron.output_population + turn) % POPULATIONS for turn in range(POPULATIONS)]
                population = Array([Const(layer.state_row + e, range(layer.rows)) for e in order])[wait]
                m.d.comb += [next_control.state_shift.eq(1), next_control.load.eq(1), next_control.write.eq(1),
                             next_control.write_address.eq(base + population)]
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == POPULATIONS - 1):
                    m.next = "IDLE"
                    with m.If(last_fold):
                        m.next = "VERDICT"
            with m.State("RESTORE"):
                order = [-turn % POPULATIONS for turn in range(POPULATIONS)]
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait < POPULATIONS):
                    m.d.comb += [self.pipeline.issue.restore.eq(1), self.pipeline.base.eq(base), self.pipeline.index.eq(
                        Array([Const(layer.state_row + e, range(layer.rows)) for e in order])[wait])]
                with m.If(wait == RESTORED - 1):
                    m.d.sync += wait.eq(0)
                    m.next = "RESTORE_GATES"
            with m.State("RESTORE_GATES"):
                m.d.comb += [next_control.state_shift.eq(1), next_control.gate_shift.eq(1), next_control.gate_new.eq(1),
                             next_control.gate_floor.eq(1)]
                if needs_populations(layer):
                    m.d.comb += next_control.population_gate.eq(Array([Const(e, 3) for e in order])[wait])
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == POPULATIONS - 1):
                    m.d.sync += row.eq(0)
                    m.d.comb += next_control.token_first.eq(1)
                    m.next = "ERRORS"
        else:
            with m.State("GATES"):
                sample = wait[:2] == 0
                m.d.comb += [next_control.state_shift.eq(1), next_control.gate_shift.eq(sample), next_control.gate_new.eq(1),
                             next_control.gate_floor.eq(1)]
                if needs_populations(layer):
                    m.d.comb += next_control.population_gate.eq(
                        Array([Const(-(turn >> 2) % POPULATIONS, 3) for turn in range(GATE_CLOCKS)])[wait])
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == GATE_CLOCKS - 1):
                    m.next = "VERDICT"
        with m.State("VERDICT"), m.If(verdict):
            m.d.sync += [verdict.eq(0), wait.eq(0), row.eq(0), fold.eq(0), base.eq(0)]
            with m.If(verdict_error):
                if layer.saves_state:
                    m.next = "RESTORE"
                else:
                    m.d.comb += next_control.token_first.eq(1)
                    m.next = "ERRORS"
            with m.Else():
                m.d.comb += self.learnt.eq(1)
                m.next = "IDLE"
        with m.State("ERRORS"):
            m.d.comb += self.errors.ready.eq(1)
            size = Mux(last_fold, layer.fold_size(layer.folds - 1), layer.units)
            with m.If(self.errors.valid):
                m.d.comb += self.pipeline.issue.error.eq(1)
                m.d.sync += row.eq(row + 1)
                with m.If(row == size - 1):
                    m.d.sync += wait.eq(0)
                    m.next = "ERRORS_DRAIN"
        with m.State("ERRORS_DRAIN"):
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait == DRAIN):
                m.d.sync += reverse.eq(1)
                latch("SETTLE")
        if layer.reverses:
            with m.State("TREE"):
                m.d.comb += [next_control.reverse_enable.eq(1), self.pipeline.issue.tree.eq(1), self.pipeline.index.eq(row),
                             self.pipeline.base.eq(base)]
                m.d.sync += row.eq(row + 1)
                with m.If(row == layer.inputs - 1):
                    m.next = "UPDATE_START"
            first_fold, last_folds = ([Signal(name=f"tree_{name}_{stage}") for stage in range(product_latency(layer))]
                                      for name in ("first", "last"))
            for stages, flag in ((first_fold, fold == 0), (last_folds, last_fold)):
                m.d.sync += [stages[0].eq(flag), *(late.eq(early) for early, late in zip(stages, stages[1:], strict=False))]
            m.d.comb += [self.tree_first.eq(first_fold[-1]), self.tree_last.eq(last_folds[-1])]
        with m.State("UPDATE_START"):
            m.d.comb += [next_control.reverse_enable.eq(1), self.start_main.eq(1)]
            m.next = "UPDATE"
        with m.State("UPDATE"):
            m.d.comb += next_control.reverse_enable.eq(1)
            with m.If(self.items.valid):
                m.d.comb += [self.pipeline.issue.update.eq(1), self.pipeline.index.eq(self.items.payload.index),
                             self.pipeline.base.eq(base)]
                with m.If(self.items.payload.last):
                    m.d.sync += [wait.eq(0), row.eq(0)]
                    m.next = "UPDATED"
        with m.State("UPDATED"):                       # no word is read before it has been written
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait == WRITE_LATENCY - 1):
                m.d.sync += wait.eq(0)
                fold_finished("RESTORE")

    # ------------------------------------------------------------- access to parameters

    def _access_states(self, m: Module, base: Signal, row: Signal, wait: Signal) -> None:
        """One parameter of one neuron, while nothing else happens: the token walks to its unit, fold by fold."""
        layer, next_control = self.layer, self.next
        access = self.access.payload
        neuron = Signal(range(layer.neurons + 1), name="access_neuron")
        unit = Signal(range(layer.units + 1), name="access_unit")
        self.inside["neuron"] = neuron
        with m.State("SEEK"):
            m.d.comb += [next_control.latch_output.eq(1), next_control.token_first.eq(1)]
            m.d.sync += [neuron.eq(access.neuron), unit.eq(0), base.eq(0), wait.eq(0)]
            m.next = "WALK"
        with m.State("WALK"):
            with m.If(neuron == 0):
                m.next = "ACCESS"
            with m.Else():
                m.d.sync += neuron.eq(neuron - 1)
                with m.If(unit == layer.units - 1):
                    m.d.comb += next_control.token_first.eq(1)
                    m.d.sync += [unit.eq(0), base.eq(base + layer.rows)]
                with m.Else():
                    m.d.comb += next_control.token_next.eq(1)
                    m.d.sync += unit.eq(unit + 1)
        with m.State("ACCESS"):
            m.d.comb += [next_control.address.eq(base + access.row), next_control.write_address.eq(base + access.row)]
            with m.If(access.write):
                m.d.comb += [next_control.load.eq(1), next_control.load_data.eq(access.data), next_control.write.eq(1),
                             next_control.write_one.eq(1)]
            m.next = "ACCESS_WAIT"
        with m.State("ACCESS_WAIT"):
            latency = control_latency(layer) + WORD_LATENCY + self.output_latency
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait == WORD_LATENCY - 1):
                m.d.comb += next_control.show_word.eq(1)
            with m.If(wait == latency - 1):
                m.d.comb += [self.access_done.eq(1), self.access.ready.eq(1)]
                m.next = "IDLE"
        m.d.comb += self.access_word.eq(self.word)

    # ------------------------------------------------------------- scan

    def _scan(self, m: Module) -> None:
        """Sends the latched outputs of a fold, one a clock, in the order of the neurons."""
        layer, next_control = self.layer, self.next
        place = Signal(range(layer.units + 1), name="scan_place")
        size = Signal(range(layer.units + 1), name="scan_size")
        last_fold = Signal(name="scan_last_fold")
        learn = Signal(name="scan_learn")
        scanning = Signal(name="scanning")
        self.inside |= {"scanning": scanning, "place": place, "size": size}
        m.d.comb += self.scan_ready.eq(~self.scan_busy & ((self.main_fold != 0) | self.outputs_free))
        with m.If(self.scan_go):
            m.d.comb += [next_control.latch_output.eq(1), next_control.token_first.eq(1)]
            is_last = self.main_fold == layer.folds - 1
            m.d.sync += [scanning.eq(1), place.eq(0), last_fold.eq(is_last), learn.eq(self.main_learn_flag),
                         size.eq(Mux(is_last, layer.fold_size(layer.folds - 1), layer.units))]
        ending = Signal(name="ending")
        m.d.comb += ending.eq(scanning & (place == size - 1))
        with m.If(scanning):
            m.d.comb += next_control.token_next.eq(1)
            m.d.sync += place.eq(place + 1)
            with m.If(ending):
                m.d.sync += scanning.eq(0)
        latency = control_latency(layer) + self.output_latency
        valid, last = scanning, ending & last_fold
        pending: Value = scanning
        for stage in range(latency):
            valid_stage, last_stage = (Signal(name=f"scan_{name}_{stage}") for name in ("valid", "last"))
            m.d.sync += [valid_stage.eq(valid), last_stage.eq(last)]
            valid, last = valid_stage, last_stage
            pending = pending | valid_stage
        rest = Signal(range(SCAN_REST + 1), name="scan_rest")
        with m.If(valid):
            m.d.sync += rest.eq(SCAN_REST)
        with m.Elif(rest != 0):
            m.d.sync += rest.eq(rest - 1)
        pending = pending | (rest != 0)
        m.d.comb += [self.scan_busy.eq(pending), self.outputs_valid.eq(valid), self.outputs.last.eq(last),
                     self.outputs.learn.eq(learn), self.outputs.value.eq(self.word)]
