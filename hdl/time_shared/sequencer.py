"""The sequencer of a time-shared array: layer after layer, fold after fold, what the processing units do in every clock.

Two machines share the units: *links* plays the list of inputs of a fold into the accumulators, ahead of its time while the
fold before it settles; *main* latches the drives, settles, sends the outputs on, keeps the gates of an image that is learnt,
and then goes through the layers backwards: errors, reverse circuit, reverse links, updates. One image at a time.

Weight memories have one port, so an update takes two clocks: a word is fetched in the even ones, and the word of three items
before is written in the odd ones.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.array_design import ArrayDesign
from hdl.control import control_layout
from hdl.half_step import SHIFT, issue_phases
from hdl.image_buffer import item_layout
from hdl.items import Source, align
from hdl.layer_design import rate_shift_bits
from hdl.operands import scaled
from hdl.operations import TIME_SHARED, Operand
from hdl.settling import during, settle
from hdl.time_shared.unit import ZEROS

KINDS = tuple(TIME_SHARED.operations)
DRAIN = TIME_SHARED.drain                 # clocks between the last item and the latch of its sum
UPDATED = TIME_SHARED["update"].clock("judge") + TIME_SHARED.written    # clocks from the last update to the next read
ACCESS = 7                                # clocks of an access after its unit was found
ISSUE_PHASES = issue_phases(TIME_SHARED, SHIFT)


def output_layout(array: ArrayDesign) -> data.StructLayout:
    """One output of a layer. ``learn``: the image is to be learnt. ``last``: no more of this image."""
    return data.StructLayout({"value": signed(array.formats.displacement.bits), "last": 1, "learn": 1})


def access_layout(array: ArrayDesign) -> data.StructLayout:
    """A parameter to read or write."""
    return data.StructLayout({"write": 1, "layer": range(len(array.layers)), "neuron": range(max(
        layer.neurons for layer in array.layers)), "row": range(array.rows), "data": signed(array.word_bits)})


class TimeSharedSequencer(wiring.Component):
    """Control of a time-shared array.

    Parameters
    ----------
    array : SharedDesign

    Members
    -------
    available, learn : In(1)
        There is an image, and it is to be learnt.
    layer : Out(range(layers))
        Whose inputs, outputs and errors are meant.
    start, release : Out(1)
        Play the list of this layer's inputs (again); the image is done with, in all layers.
    items : In(stream of hdl.image_buffer.item_layout)
        Values aligned (``LayerDesign.alignment``).
    outputs : Out(output_layout(array)), outputs_valid : Out(1), outputs_free : In(1)
        One output a clock; the first one of the last layer only while the receiver is free for an image.
    output : In(signed(displacement bits))
        Of the selected unit.
    verdict : In(1), verdict_error : In(1)
        Strobe: the image in learning had an error, or had none.
    errors : In(stream of signed(error bits)), ask : Out(1)
        One for each neuron of the layer, in their order; strobe before the first one.
    links_rate_shift, bias_rate_shift : In
    access : In(stream of access_layout(array)), access_done : Out(1)
        In the clock of ``access_done`` the selected unit's word is there.
    control : Out(control_layout(array)), address : Out, slot : Out
        To units and weight memories.
    tree_begin, tree_first, tree_valid : Out(1)
        As ``TimeSharedTree`` takes them.
    idle : Out(1)
    trace : Out
        What a simulator looks at: in ``step_<layer>`` a strobe for the clock in which the rings hold the state after a step.
    """

    def __init__(self, array: ArrayDesign) -> None:
        self.array = array
        formats = array.formats
        super().__init__({
            "available": In(1), "learn": In(1), "layer": Out(range(len(array.layers))), "start": Out(1), "release": Out(1),
            "items": In(stream.Signature(item_layout(array.most_inputs, signed(array.input_bits)))),
            "outputs": Out(output_layout(array)), "outputs_valid": Out(1), "outputs_free": In(1),
            "output": In(signed(formats.displacement.bits)), "verdict": In(1), "verdict_error": In(1),
            "errors": In(stream.Signature(signed(formats.error.bits))), "ask": Out(1),
            "links_rate_shift": In(rate_shift_bits(array.design.links_rate_shifts())),
            "bias_rate_shift": In(rate_shift_bits(array.design.bias_rate_shifts())),
            "access": In(stream.Signature(access_layout(array))), "access_done": Out(1),
            "control": Out(control_layout(array)), "address": Out(range(array.depth)), "slot": Out(array.all_slots),
            "tree_begin": Out(1), "tree_first": Out(1), "tree_valid": Out(1), "idle": Out(1),
            "trace": Out(data.StructLayout({f"step_{layer.index}": 1 for layer in array.layers}))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array = self.array
        self.next = Signal(control_layout(array), name="next_control")    # of the next clock
        self.issue = Signal(data.StructLayout(dict.fromkeys(KINDS, 1)), name="issue")
        self.index = Signal(range(array.rows), name="index")
        self.fold = Signal(range(max(2, *(layer.folds for layer in array.layers))), name="fold")
        self.base = Signal(range(array.depth + 1), name="base")    # first word of the fold that main is at
        self.links_base = Signal(range(array.depth + 1), name="links_base")
        self.place = Signal(range(array.folds), name="place")    # its slot
        self.learns = Signal(name="learns")    # the image that is worked on is learnt
        self.chosen = Signal(range(array.units), name="chosen")       # a unit
        self.phase = Signal(range(array.phases), name="phase")
        self.half_step = Signal(range(array.half_steps), name="half_step")
        self.reverse = Signal(name="reverse")
        self.settling = Signal(name="settling")
        self.updating = Signal(name="updating")    # weight memories fetch and write in turn
        self.odd = Signal(name="odd")
        self.full = Signal(name="full")    # the accumulators hold the sums of the next fold
        self.go = Signal(name="go")    # play the inputs of the fold at links_base
        self.inside: dict[str, Any] = {}                    # machines and counters by name, for proofs
        self.last_fold = Signal(name="last_fold")
        m.d.comb += self.last_fold.eq(self.fold == self._of_layer([layer.folds - 1 for layer in array.layers]))
        fresh = Signal(init=1, name="fresh")    # accumulators begin with the half that rounds, after any reset
        m.d.sync += fresh.eq(0)
        with m.If(fresh):
            m.d.comb += self.next.latch_drive.eq(1)
        self._pipeline(m)
        self._links(m)
        self._main(m)
        self._settle(m)
        return m

    def _of_layer(self, values: Sequence[int]) -> Value:
        """A constant that each layer has its own of."""
        if len(set(values)) == 1:
            return Const(values[0])
        return Array([Const(value, range(max(values) + 1)) for value in values])[self.layer]

    # ------------------------------------------------------------- items

    def _pipeline(self, m: Module) -> None:
        """Address, operands and flags of what is issued, when memories and units need them."""
        array, control = self.array, self.control
        stages = [Signal(self.issue.shape(), name=f"stage_{stage}") for stage in range(6)]
        m.d.sync += [late.eq(early) for early, late in zip([self.issue, *stages], stages, strict=False)]
        following = Signal.like(self.next, name="following")
        m.d.sync += [following.eq(self.next), self.slot.eq(self.place)]
        m.d.comb += control.eq(following)

        addresses = [Signal(range(array.depth), name=f"address_{stage}") for stage in range(4)]
        base = Mux(self.issue.link, self.links_base, self.base)
        with m.If(~self.updating | ~self.odd):
            m.d.sync += addresses[0].eq(base + self.index)
        if array.learns:
            with m.If(~self.odd):
                m.d.sync += [late.eq(early) for early, late in zip(addresses, addresses[1:], strict=False)]
            m.d.comb += self.address.eq(Mux(self.updating, Mux(self.odd, addresses[3], addresses[1]), addresses[0]))
        else:
            m.d.comb += self.address.eq(addresses[0])

        value, last = Signal.like(self.items.payload.value, name="value"), Signal(reset_less=True, name="last")
        m.d.sync += [value.eq(self.items.payload.value), last.eq(self.items.payload.last)]
        operand = Signal.like(control.broadcast_a, name="operand")    # zero when unused
        next_operand = Signal.like(operand, name="next_operand")
        m.d.sync += operand.eq(next_operand)
        m.d.comb += control.broadcast_a.eq(operand)
        with m.If(control.load):
            m.d.comb += next_operand.eq(self.access.payload.data)
        sources = {Operand.INPUT: Source(Mux(last, Const(1 << array.link_shift, signed(array.broadcast_bits)), value)),
                   Operand.LAST: Source(last, name="last", always=True, reset=True)}
        if array.learns:
            links, bias = scaled(m, array.first, value, self.links_rate_shift, self.bias_rate_shift)
            sources |= {Operand.POWER: Source(Const(1 << array.link_shift - array.error_split)),
                        Operand.ERROR: Source(self.errors.payload, clock=0, name="error", reset=True,
                                              form=lambda error: error << array.error_split),
                        Operand.SCALED_INPUT: Source(Mux(last, bias, links))}
            m.d.comb += self.tree_valid.eq(stages[TIME_SHARED.product - 1].tree)
            with m.If(stages[TIME_SHARED["error"].clock("accumulate_one") - 1].error):
                m.d.sync += self.chosen.eq(self.chosen + 1)
        fields = {**{name: control[name] for name in control.shape().members}, "operand": next_operand}
        used = KINDS if array.learns else ("link", "tree")
        align(m, fields, [TIME_SHARED[kind] for kind in used], stages, sources)
        m.d.comb += control.unit.eq(self.chosen)

    # ------------------------------------------------------------- links

    def _links(self, m: Module) -> None:
        """Forward links of one fold, whenever the multiplier has time."""
        drain = Signal(range(DRAIN), name="drain")
        allowed = Signal(name="allowed")
        self.latched = Signal(name="latched")
        m.d.comb += allowed.eq(~self.settling | during(self.phase, set(ISSUE_PHASES), self.array.phases))
        with m.FSM(name="links") as machine:
            with m.State("IDLE"), m.If(self.go):
                m.d.comb += self.start.eq(1)
                m.next = "RUN"
            with m.State("RUN"), m.If(allowed & self.items.valid):
                m.d.comb += [self.items.ready.eq(1), self.issue.link.eq(1), self.index.eq(self.items.payload.index)]
                with m.If(self.items.payload.last):
                    m.d.sync += drain.eq(DRAIN - 1)
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.sync += drain.eq(drain - 1)
                with m.If(drain == 0):
                    m.next = "FULL"
            with m.State("FULL"):
                m.d.comb += self.full.eq(1)
                with m.If(self.latched):
                    m.next = "IDLE"
                    with m.If(self.go):
                        m.d.comb += self.start.eq(1)
                        m.next = "RUN"
        self.inside |= {"links": machine, "drain": drain}

    # ------------------------------------------------------------- main

    def _main(self, m: Module) -> None:
        array, nxt = self.array, self.next
        rows = self._of_layer([layer.rows for layer in array.layers])
        neurons = max(layer.neurons for layer in array.layers)
        count = Signal(range(max(array.rows, neurons, ACCESS + 1, UPDATED + 1)), name="count")
        size = Mux(self.last_fold, self._of_layer([layer.fold_size(layer.folds - 1) for layer in array.layers]),
                   self._of_layer([layer.units for layer in array.layers]))
        last_layer = self.layer == len(array.layers) - 1
        following = Signal.like(self.base, name="following")    # first word of the next fold, or of the next layer
        m.d.comb += following.eq(self.base + rows)
        self.judged, self.erred = Signal(name="judged"), Signal(name="erred")    # the verdict, until main looks at it
        with m.If(self.verdict):
            m.d.sync += [self.judged.eq(1), self.erred.eq(self.verdict_error)]
        m.d.comb += self.tree_first.eq(self.fold == 0)
        with m.FSM(name="main") as machine:
            with m.State("IDLE"):
                m.d.sync += [self.layer.eq(0), self.fold.eq(0), self.base.eq(0), self.links_base.eq(0), self.place.eq(0),
                             self.reverse.eq(0)]
                with m.If(self.available):
                    m.d.sync += self.learns.eq(self.learn)
                    m.next = "START"
                with m.Elif(self.access.valid):
                    m.d.sync += [self.layer.eq(self.access.payload.layer), count.eq(self.access.payload.neuron)]
                    m.next = "SEEK"
            with m.State("START"):
                m.d.comb += self.go.eq(1)
                m.next = "LINKS"
            with m.State("LINKS"), m.If(self.full):
                m.d.comb += [self.latched.eq(1), self.go.eq(~self.last_fold)]
                m.d.sync += self.links_base.eq(following)
                self._latch(m, "SETTLE")
            with m.State("SETTLE"):
                m.d.comb += self.settling.eq(1)
                with m.If(self._settled()):
                    m.next = "SETTLED"
            with m.State("SETTLED"):
                m.d.sync += [count.eq(0), self.chosen.eq(0)]
                with m.If(self.reverse):
                    if array.learns:
                        self._after_reverse(m)
                with m.Elif(~last_layer | (self.fold != 0) | self.outputs_free):
                    m.next = "SCAN"
            with m.State("SCAN"):
                ending = count == size - 1
                m.d.comb += [self.outputs_valid.eq(1), self.outputs.value.eq(self.output), self.outputs.learn.eq(self.learns),
                             self.outputs.last.eq(ending & self.last_fold)]
                m.d.sync += [count.eq(count + 1), self.chosen.eq(self.chosen + 1)]
                with m.If(ending):
                    m.d.sync += count.eq(0)
                    if array.learns:
                        with m.If(self.learns):
                            m.next = "SAVE"
                        with m.Else():
                            self._forward(m, following, last_layer)
                    else:
                        self._forward(m, following, last_layer)
            if array.learns:
                with m.State("SAVE"):
                    m.d.comb += [nxt.gate_write.eq(1), nxt.state_shift.eq(1),
                                 nxt.gate_place.eq(Mux(count == 0, 0, POPULATIONS - count))]
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == POPULATIONS - 1):
                        self._forward(m, following, last_layer)
                self._learning(m, count, size, following)
            self._access(m, count, rows)
        m.d.comb += self.idle.eq(machine.ongoing("IDLE") & ~self.available & ~self.access.valid)
        self.inside |= {"main": machine, "count": count}

    def _latch(self, m: Module, state: str) -> None:
        m.d.comb += [self.next.latch_drive.eq(1), self.next.clear.eq(1)]
        m.d.sync += [self.half_step.eq(0), self.phase.eq(0)]
        m.next = state

    def _forward(self, m: Module, following: Signal, last_layer: Value) -> None:
        """After a fold: the next one, the next layer, or the end of the image."""
        with m.If(~self.last_fold):
            m.d.sync += [self.fold.eq(self.fold + 1), self.base.eq(following), self.place.eq(self.place + 1)]
            m.next = "LINKS"
        with m.Elif(~last_layer):
            m.d.sync += [self.fold.eq(0), self.base.eq(following), self.links_base.eq(following),
                         self.place.eq(self.place + 1), self.layer.eq(self.layer + 1)]
            m.next = "START"
        with m.Else():
            m.d.comb += self.release.eq(~self.learns | (not self.array.learns))
            m.next = "IDLE"
            if self.array.learns:
                with m.If(self.learns):
                    m.next = "VERDICT"

    # ------------------------------------------------------------- settling

    def _settled(self) -> Value:
        """The last clock of the last half step."""
        return (self.phase == self.array.phases - 1) & (self.half_step == self.array.half_steps - 1)

    def _settle(self, m: Module) -> None:
        """Population i is tapped in phase i; its new word is taken in phase 5 + i."""
        array, nxt, phase, corrector = self.array, self.next, self.phase, self.half_step[0]
        results = during(phase, SHIFT.when("state_new"), array.phases)
        last_phase = phase == array.phases - 1
        with m.If(self.settling):
            m.d.sync += phase.eq(Mux(last_phase, 0, phase + 1))
            with m.If(last_phase):
                m.d.sync += self.half_step.eq(self.half_step + 1)
            settle(m, array.first, nxt, phase=phase, reverse=self.reverse, corrector=corrector, base=self.base)
            m.d.comb += [
                nxt.gate_place.eq(phase), nxt.start_write.eq(results & corrector), nxt.start_place.eq(phase - POPULATIONS),
                nxt.start_read.eq(Mux(self.half_step[1:].any(), 0, ZEROS) | (phase - 2)[:3])]
        stepped = Signal(name="stepped")
        m.d.sync += stepped.eq(self.settling & last_phase & corrector)
        for layer in array.layers:
            step = Signal(name=f"step_{layer.index}")
            m.d.sync += step.eq(stepped & (self.layer == layer.index))
            m.d.comb += self.trace[f"step_{layer.index}"].eq(step)

    # ------------------------------------------------------------- learning

    def _after_reverse(self, m: Module) -> None:
        array = self.array
        reverses = [layer.reverses for layer in array.layers]
        if any(reverses):                              # the first layer never does
            with m.If(self._of_layer([int(value) for value in reverses])):
                m.next = "TREE_START"
            with m.Else():
                m.next = "UPDATE_START"
        else:
            m.next = "UPDATE_START"

    def _learning(self, m: Module, count: Signal, size: Value, following: Signal) -> None:
        array, nxt = self.array, self.next
        verdict, verdict_error = self.judged, self.erred
        last = len(array.layers) - 1
        with m.State("VERDICT"), m.If(verdict):
            m.d.sync += [verdict.eq(0), count.eq(0), self.chosen.eq(0), self.fold.eq(0), self.base.eq(array.bases[last]),
                         self.place.eq(array.slots[last]), self.reverse.eq(1)]
            with m.If(verdict_error):
                m.d.comb += self.ask.eq(1)
                m.next = "ERRORS"
            with m.Else():
                m.d.comb += self.release.eq(1)
                m.next = "IDLE"
        with m.State("ERRORS"):
            m.d.comb += self.errors.ready.eq(1)
            with m.If(self.errors.valid):
                m.d.comb += self.issue.error.eq(1)
                m.d.sync += count.eq(count + 1)
                with m.If(count == size - 1):
                    m.d.sync += count.eq(0)
                    m.next = "ERRORS_DRAIN"
        with m.State("ERRORS_DRAIN"):
            m.d.sync += count.eq(count + 1)
            with m.If(count == DRAIN):
                self._latch(m, "SETTLE")
        if array.reverses:
            with m.State("TREE_START"):
                m.d.comb += [self.tree_begin.eq(1), nxt.reverse_enable.eq(1)]
                m.next = "TREE"
            with m.State("TREE"):
                m.d.comb += [nxt.reverse_enable.eq(1), self.issue.tree.eq(1), self.index.eq(count)]
                m.d.sync += count.eq(count + 1)
                with m.If(count == self._of_layer([layer.inputs - 1 for layer in array.layers])):
                    m.next = "UPDATE_START"
        with m.State("UPDATE_START"):
            m.d.comb += [nxt.reverse_enable.eq(1), self.start.eq(1)]
            m.d.sync += self.odd.eq(0)
            m.next = "UPDATE"
        with m.State("UPDATE"):
            m.d.comb += [nxt.reverse_enable.eq(1), self.updating.eq(1)]
            m.d.sync += self.odd.eq(~self.odd)
            with m.If(~self.odd & self.items.valid):
                m.d.comb += [self.items.ready.eq(1), self.issue.update.eq(1), self.index.eq(self.items.payload.index)]
                with m.If(self.items.payload.last):
                    m.d.sync += count.eq(0)
                    m.next = "UPDATED"
        with m.State("UPDATED"):                       # no word is fetched before it has been written
            m.d.comb += self.updating.eq(1)
            m.d.sync += [self.odd.eq(~self.odd), count.eq(count + 1), self.chosen.eq(0)]
            with m.If(count == UPDATED - 1):
                m.d.sync += [count.eq(0), self.odd.eq(0), self.fold.eq(self.fold + 1), self.base.eq(following),
                             self.place.eq(self.place + 1)]
                m.next = "ERRORS"
                with m.If(self.last_fold):
                    self._layer_before(m)

    def _layer_before(self, m: Module) -> None:
        """After the last fold of a layer: the layer before it, or the end of the image."""
        array = self.array
        lowest = min(layer.index for layer in array.layers if layer.learns)
        with m.If(self.layer == lowest):
            m.d.comb += self.release.eq(1)
            m.next = "IDLE"
        for layer in array.layers[lowest:-1]:
            with m.Elif(self.layer == layer.index + 1):
                m.d.comb += self.ask.eq(1)
                m.d.sync += [self.layer.eq(layer.index), self.fold.eq(0), self.base.eq(array.bases[layer.index]),
                             self.place.eq(array.slots[layer.index])]

    # ------------------------------------------------------------- access to parameters

    def _access(self, m: Module, count: Signal, rows: Value) -> None:
        """One parameter of one neuron, while nothing else happens."""
        array, nxt, access = self.array, self.next, self.access.payload
        with m.State("SEEK"):
            m.d.sync += self.base.eq(self._of_layer(array.bases))
            m.next = "WALK"
        with m.State("WALK"):
            with m.If(count < array.units):
                m.d.sync += [self.chosen.eq(count), count.eq(0)]
                m.next = "ACCESS"
            with m.Else():
                m.d.sync += [count.eq(count - array.units), self.base.eq(self.base + rows)]
        with m.State("ACCESS"):
            m.d.comb += [self.index.eq(access.row), nxt.load.eq(access.write), nxt.load_one.eq(access.write & (count == 3))]
            m.d.sync += count.eq(count + 1)
            with m.If(count == ACCESS - 1):
                m.d.comb += [self.access_done.eq(1), self.access.ready.eq(1)]
                m.next = "IDLE"
