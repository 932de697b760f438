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
        layer, formats = self.layer, self.layer.formats
        s = formats.displacement
        neurons, job, value = layer.neurons, self.job.payload, self.outputs.value

        index = Signal(range(neurons), name="index")
        best = Signal(range(neurons), name="best")
        error_valid = Signal(name="error_valid")
        greatest = Signal(signed(s.bits), name="greatest")
        begun = Signal(name="begun")
        answering = Signal(name="answering")
        m.submodules.kept = kept = memory.Memory(shape=signed(s.bits), depth=neurons, init=[], attrs={"no_rw_check": 1})
        keep, show = write_port(kept, "keep"), read_port(kept, "show")
        m.d.comb += [keep.addr.eq(index), keep.data.eq(value), keep.en.eq(self.outputs_valid),
                     self.outputs_free.eq(~answering & ~begun & ~error_valid & self.job.valid)]
        following = Signal.like(index, name="following")
        m.d.comb += following.eq(index)
        m.d.sync += index.eq(following)
        with m.If(self.outputs_valid):
            m.d.comb += following.eq(Mux(self.outputs.last, 0, index + 1))
            m.d.sync += begun.eq(~self.outputs.last)

        # the greatest, a clock later
        first, candidate, place_late = (
            Signal(name="first"), Signal(signed(s.bits), reset_less=True, name="candidate"),
            Signal.like(index, name="place_late"))
        m.d.sync += [first.eq(index == 0), candidate.eq(value), place_late.eq(index)]
        with m.If(error_valid & (first | (candidate > greatest))):
            m.d.sync += [best.eq(place_late), greatest.eq(candidate)]

        # errors, a clock later
        last = Signal(name="last")
        learning = Signal(name="learning")
        any_error = Signal(name="any_error")
        judged = Signal(name="judged")
        changed = Signal(name="changed")
        error = Signal(signed(formats.error.bits), name="error")
        m.d.comb += judged.eq(error_valid & last)
        m.d.sync += [error_valid.eq(self.outputs_valid), last.eq(self.outputs.last), learning.eq(job.learn)]
        if layer.design.learns:
            margin = s.exact(self.layer.network.learning.margin, "learning.margin")
            is_label = Signal(name="wanted")    # whether index is the label: known a clock ahead
            missing = Signal(signed(s.bits + 2), name="missing")    # to the margin on the side where it is to be
            m.d.sync += is_label.eq(job.label == following)
            m.d.comb += missing.eq(Mux(is_label, margin, -margin) - value)
            m.d.sync += error.eq(Mux(is_label ^ missing[-1], clamp(missing, formats.error.bits), 0))
            # the list of an image without error is dropped
            flush = Signal(name="flush")
            queue = fifo.SyncFIFOBuffered(width=formats.error.bits, depth=neurons + 2)
            drop = Signal(name="drop")
            m.submodules.queue = queue
            m.d.comb += [queue.w_data.eq(error), queue.w_en.eq(error_valid & learning),
                         self.errors.valid.eq(queue.r_rdy & ~flush), self.errors.payload.eq(queue.r_data.as_signed()),
                         drop.eq(flush & queue.r_rdy), queue.r_en.eq(Mux(flush, drop, self.errors.ready & self.errors.valid)),
                         self.verdict_error.eq(any_error | (error != 0)), self.verdict.eq(judged & learning)]
            dropped = Signal(range(neurons + 1), name="dropped")
            with m.If(error_valid):
                m.d.sync += any_error.eq(Mux(last, 0, any_error | (error != 0)))
            with m.If(self.verdict):
                m.d.sync += [flush.eq(~self.verdict_error), dropped.eq(0)]
            with m.Elif(drop):
                m.d.sync += dropped.eq(dropped + 1)
                with m.If(dropped == neurons - 1):
                    m.d.sync += flush.eq(0)
            busy = flush
        else:
            busy = Signal(name="busy")

        # the answer
        place = Signal(range(neurons + 1), name="place")
        want = Signal(name="want")
        class_sent = Signal(name="class_sent")
        loaded = Signal(name="loaded")
        with m.If(judged):
            m.d.sync += [answering.eq(1), want.eq(job.want_outputs), changed.eq(self.verdict & self.verdict_error),
                         class_sent.eq(0), place.eq(0), loaded.eq(0)]
            m.d.comb += self.job.ready.eq(1)
        payload = self.result.payload
        m.d.comb += [show.addr.eq(place), self.result.valid.eq(answering & (~class_sent | loaded)),
                     payload.first.eq(~class_sent), payload.changed.eq(changed),
                     payload.value.eq(Mux(class_sent, show.data, best)),
                     payload.last.eq(Mux(class_sent, place == neurons - 1, ~want))]
        with m.If(answering):
            m.d.sync += loaded.eq(class_sent)                          # the memory needs a clock for each place
            with m.If(self.result.valid & self.result.ready):
                m.d.sync += [class_sent.eq(1), loaded.eq(0)]
                with m.If(class_sent):
                    m.d.sync += place.eq(place + 1)
                with m.If(payload.last):
                    m.d.sync += answering.eq(0)
        m.d.comb += self.idle.eq(~answering & ~begun & ~error_valid & ~busy)
        return m
