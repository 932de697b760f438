"""What becomes of the last layer's outputs: the class, the error of each output, and whether there is anything to learn."""
from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.commands import Result, job_layout
from hdl.layer_design import LayerDesign
from hdl.memory_ports import read_port, write_port
from hdl.narrow import clamp


class OutputStage(wiring.Component):
    """Greatest output, hinge error, verdict.

    ::

        outputs --+--> greatest so far --------------------> class   --+
                  +--> memory (if asked for) ----------------> outputs -+--> result
                  '--> margin - s | -margin - s --> clamp --> FIFO --> errors
                                                      '--> any? --> verdict

    Parameters
    ----------
    layer : LayerDesign
        The last one.

    Members
    -------
    job : In(stream of job_layout)
    outputs_free : Out(1), outputs_valid : In(1), outputs : In({value, last, learn})
    result : Out(stream of Result)
    verdict, verdict_error : Out(1)
        Strobe after the last output of an image that is learnt.
    errors : Out(stream of signed(error bits))
        Of an image that has any.
    idle : Out(1)
    """

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        formats = layer.formats
        super().__init__({
            "job": In(stream.Signature(job_layout(layer.neurons))),
            "outputs_free": Out(1), "outputs_valid": In(1),
            "outputs": In(data.StructLayout({"value": signed(formats.displacement.bits), "last": 1, "learn": 1})),
            "result": Out(stream.Signature(Result)), "verdict": Out(1), "verdict_error": Out(1),
            "errors": Out(stream.Signature(signed(formats.error.bits))), "idle": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        neurons, word = self.layer.neurons, signed(self.layer.formats.displacement.bits)
        self.index = index = Signal(range(neurons), name="index")
        self.error_valid, self.answering, begun = Signal(name="error_valid"), Signal(name="answering"), Signal(name="begun")
        best = Signal(range(neurons), name="best")
        m.submodules.kept = kept = memory.Memory(shape=word, depth=neurons, init=[], attrs={"no_rw_check": 1})
        keep, show = write_port(kept, "keep"), read_port(kept, "show")
        m.d.comb += [keep.addr.eq(index), keep.data.eq(self.outputs.value), keep.en.eq(self.outputs_valid),
                     self.outputs_free.eq(~self.answering & ~begun & ~self.error_valid & self.job.valid)]
        self.following = following = Signal.like(index, name="following")
        m.d.comb += following.eq(index)
        m.d.sync += index.eq(following)
        with m.If(self.outputs_valid):
            m.d.comb += following.eq(Mux(self.outputs.last, 0, index + 1))
            m.d.sync += begun.eq(~self.outputs.last)
        self._compare(m, best)
        self.last, self.learning = Signal(name="last"), Signal(name="learning")
        self.judged = Signal(name="judged")
        m.d.comb += self.judged.eq(self.error_valid & self.last)
        m.d.sync += [self.error_valid.eq(self.outputs_valid), self.last.eq(self.outputs.last),
                     self.learning.eq(self.job.payload.learn)]
        busy = self._errors(m) if self.layer.design.learns else Signal(name="busy")
        self._answer(m, show, best)
        m.d.comb += self.idle.eq(~self.answering & ~begun & ~self.error_valid & ~busy)
        return m

    def _compare(self, m: Module, best: Signal) -> None:
        """``best``: the place of the greatest output, two clocks after it came."""
        word = self.outputs.value.shape()
        greatest, first = Signal(word, name="greatest"), Signal(name="first")
        candidate, place_late = Signal(word, reset_less=True, name="candidate"), Signal.like(self.index, name="place_late")
        m.d.sync += [first.eq(self.index == 0), candidate.eq(self.outputs.value), place_late.eq(self.index)]
        with m.If(self.error_valid & (first | (candidate > greatest))):
            m.d.sync += [best.eq(place_late), greatest.eq(candidate)]

    def _errors(self, m: Module) -> Signal:
        """The error of each output, a clock after it came, and the verdict; while the list of an image without error is
        dropped, what is returned is high."""
        formats, neurons = self.layer.formats, self.layer.neurons
        error, any_error = Signal(signed(formats.error.bits), name="error"), Signal(name="any_error")
        margin = formats.displacement.exact(self.layer.network.learning.margin, "learning.margin")
        is_label = Signal(name="wanted")                               # whether index is the label: known a clock ahead
        missing = Signal(signed(formats.displacement.bits + 2), name="missing")   # to the margin on the side where it is to be
        m.d.sync += is_label.eq(self.job.payload.label == self.following)
        m.d.comb += missing.eq(Mux(is_label, margin, -margin) - self.outputs.value)
        m.d.sync += error.eq(Mux(is_label ^ missing[-1], clamp(missing, formats.error.bits), 0))
        flush, drop = Signal(name="flush"), Signal(name="drop")
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=formats.error.bits, depth=neurons + 2)
        m.d.comb += [queue.w_data.eq(error), queue.w_en.eq(self.error_valid & self.learning),
                     self.errors.valid.eq(queue.r_rdy & ~flush), self.errors.payload.eq(queue.r_data.as_signed()),
                     drop.eq(flush & queue.r_rdy), queue.r_en.eq(Mux(flush, drop, self.errors.ready & self.errors.valid)),
                     self.verdict_error.eq(any_error | (error != 0)), self.verdict.eq(self.judged & self.learning)]
        dropped = Signal(range(neurons + 1), name="dropped")
        with m.If(self.error_valid):
            m.d.sync += any_error.eq(Mux(self.last, 0, any_error | (error != 0)))
        with m.If(self.verdict):
            m.d.sync += [flush.eq(~self.verdict_error), dropped.eq(0)]
        with m.Elif(drop):
            m.d.sync += dropped.eq(dropped + 1)
            with m.If(dropped == neurons - 1):
                m.d.sync += flush.eq(0)
        return flush

    def _answer(self, m: Module, show: memory.ReadPort, best: Signal) -> None:
        """The class, and if they are asked for all outputs, one in two clocks."""
        job, payload, answering = self.job.payload, self.result.payload, self.answering
        place = Signal(range(self.layer.neurons + 1), name="place")
        want, changed = Signal(name="want"), Signal(name="changed")
        class_sent, loaded = Signal(name="class_sent"), Signal(name="loaded")
        with m.If(self.judged):
            m.d.sync += [answering.eq(1), want.eq(job.want_outputs), changed.eq(self.verdict & self.verdict_error),
                         class_sent.eq(0), place.eq(0), loaded.eq(0)]
            m.d.comb += self.job.ready.eq(1)
        m.d.comb += [show.addr.eq(place), self.result.valid.eq(answering & (~class_sent | loaded)),
                     payload.first.eq(~class_sent), payload.changed.eq(changed),
                     payload.value.eq(Mux(class_sent, show.data, best)),
                     payload.last.eq(Mux(class_sent, place == self.layer.neurons - 1, ~want))]
        with m.If(answering):
            m.d.sync += loaded.eq(class_sent)                          # the memory needs a clock for each place
            with m.If(self.result.valid & self.result.ready):
                m.d.sync += [class_sent.eq(1), loaded.eq(0)]
                with m.If(class_sent):
                    m.d.sync += place.eq(place + 1)
                with m.If(payload.last):
                    m.d.sync += answering.eq(0)
