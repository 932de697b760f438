"""The core: commands, layers that work on successive images at the same time, and the output stage."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal, signed
from amaranth.lib import fifo, wiring

from hdl.activation_list import ActivationList
from hdl.array import ProcessingArray
from hdl.array_design import ArrayDesign
from hdl.core_ports import MEMBERS, commands_of, pass_on
from hdl.design import Design
from hdl.output_stage import OutputStage
from hdl.parts import RESET, Inside, Parts, ResetCopy
from hdl.skid_buffer import ShiftQueue

CENTRE = "centre"                         # clock domain of all that is in no layer


def domain(array: ArrayDesign) -> str:
    return f"layer_{array.first.index}"


def array_name(design: Design, array: ArrayDesign) -> str:
    """Of the array among the parts of the core: that of its first layer, unless it is the only one and time-shared."""
    return f"layer_{array.first.index}" if design.spread else "array"


class Core(wiring.Component):
    """A network that infers and, if the design says so, learns; frames in, frames out (``docs/registers.md``).

    ::

        s_axis --> commands --items--> layer 0 --> list --> layer 1 --> ... --> output stage --result--> commands --> m_axis
                                          ^                   |  ^                  | |
                                          +----- errors ------+  +----- errors -----+ '--verdict--> all layers

    Parameters
    ----------
    design : Design
    parts : Parts, optional
        In which form it has units, memories and copies of resets: by default inside, weights of zero.

    Members
    -------
    s_axis_tdata : In(32), s_axis_tvalid, s_axis_tlast : In(1), s_axis_tready : Out(1)
    m_axis_tdata : Out(32), m_axis_tvalid, m_axis_tlast : Out(1), m_axis_tready : In(1)

    A layer lies far from the rest: what passes between comes from registers, and each layer and the centre have a copy of the
    reset. All parts are reset in the same clock, one after the one at the port; in that clock no word passes at the ports.
    """

    def __init__(self, design: Design, parts: Parts | None = None) -> None:
        self.design, self.parts = design, parts or Inside()
        super().__init__(MEMBERS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, self.spread = self.design, self.design.spread
        for name in (CENTRE, *map(domain, design.arrays)) if self.spread else ():
            m.domains += ClockDomain(name)
            m.d.comb += ClockSignal(name).eq(ClockSignal())
            self.parts.place(m, f"reset_{name}", RESET, ResetCopy, {"source": ResetSignal()}, {"reset": ResetSignal(name)},
                             reset=False)
        self.centre = CENTRE if self.spread else "sync"
        self.commands = commands = commands_of(m, self, design, self.centre)
        self.output_unit = output_unit = OutputStage(design.layers[-1])
        m.submodules.output_unit = DomainRenamer(self.centre)(output_unit)
        self.arrays = [ProcessingArray(array, self.parts) for array in design.arrays]
        self.lists = [ActivationList(array.first.inputs, array.formats.displacement.bits) for array in design.arrays[1:]]
        if self.spread:
            job = ShiftQueue(commands.job.payload.shape(), 1)
            m.submodules.job = DomainRenamer(self.centre)(job)
            pass_on(m, commands.job, job.i)
            pass_on(m, job.o, output_unit.job)
        else:
            pass_on(m, commands.job, output_unit.job)
        pass_on(m, output_unit.result, commands.result)
        self.answered = Signal(name="answered")
        rests = self._late(m, output_unit.idle, "idle_late", self.centre) & ~commands.available & ~self.answered
        for number, array in enumerate(self.arrays):
            m.submodules[array_name(design, array.array)] = DomainRenamer(domain(array.array) if self.spread else "sync")(array)
            self._connect(m, number)
            source = self.lists[number - 1] if number else commands
            rests = rests & self._late(m, array.idle, f"idle_{number}", domain(array.array)) & ~source.available
        self._answer(m)
        m.d.comb += commands.idle.eq(rests)
        return m

    def _late(self, m: Module, value: Any, name: str, where: str) -> Any:
        """A register between two parts of a core that lie far from each other."""
        if not self.spread:
            return value
        register = Signal.like(value, name=name)
        m.d[where] += register.eq(value)
        return register

    def _connect(self, m: Module, number: int) -> None:
        """An array with its source of inputs, its receiver, and the way back."""
        array, commands, output_unit = self.arrays[number], self.commands, self.output_unit
        here, central = domain(array.array), DomainRenamer(self.centre)
        source = self.lists[number - 1] if number else commands
        release = self._late(m, array.release, f"release_{number}", here)
        waits = source.available & ~release if self.spread else source.available
        m.d.comb += [array.available.eq(waits), array.learn.eq(source.learn), source.start.eq(array.start),
                     source.release.eq(release), array.links_rate_shift.eq(commands.links_rate_shift),
                     array.bias_rate_shift.eq(commands.bias_rate_shift), array.verdict.eq(output_unit.verdict),
                     array.verdict_error.eq(output_unit.verdict_error)]
        if array.array.learns_K:
            m.d.comb += array.K_rate_shift.eq(commands.K_rate_shift)
        pass_on(m, source.items, array.items)
        if number < len(self.lists):
            sink = self.lists[number]
            m.submodules[f"list_{number + 1}"] = central(sink)
            free, valid, outputs = sink.free, sink.written_valid, sink.written
        else:
            free, valid, outputs = output_unit.outputs_free, output_unit.outputs_valid, output_unit.outputs
        m.d.comb += array.outputs_free.eq(self._late(m, free, f"free_{number}", here))
        m.d[here if self.spread else "comb"] += [valid.eq(array.outputs_valid), outputs.eq(array.outputs)]
        if not array.array.learns:
            return
        if number == len(self.arrays) - 1:
            pass_on(m, output_unit.errors, array.errors)
            return
        queue = fifo.SyncFIFOBuffered(width=array.array.formats.error.bits, depth=array.array.last.neurons + 2)
        m.submodules[f"errors_{number}"] = central(queue)
        after = self.arrays[number + 1]
        m.d.comb += [queue.w_data.eq(after.back), queue.w_en.eq(after.back_valid),
                     array.errors.payload.eq(queue.r_data.as_signed()), array.errors.valid.eq(queue.r_rdy),
                     queue.r_en.eq(array.errors.ready)]

    def _answer(self, m: Module) -> None:
        """One register for the reply to an access; one access is under way at a time."""
        access, reply, answered = self.commands.access, self.commands.access_reply, self.answered
        word = Signal(signed(32), name="word")
        request = self._late(m, access.payload, "request", self.centre)
        m.d.comb += [reply.valid.eq(answered), reply.payload.eq(word)]
        with m.If(answered & reply.ready):
            m.d[self.centre] += answered.eq(0)
        for number, array in enumerate(self.arrays):
            here, layers, port = domain(array.array), array.array.layers, array.access
            done = self._late(m, array.access_done, f"done_{number}", here)
            asks = access.valid & ~answered
            if self.spread:
                meant = Cat(access.payload.layer == layer.index for layer in layers).any()
                asks = asks & meant & ~array.access_done & ~done
            m.d.comb += [port.valid.eq(self._late(m, asks, f"asks_{number}", here)), port.payload.write.eq(request.write),
                         port.payload.neuron.eq(request.neuron), port.payload.row.eq(request.index),
                         port.payload.data.eq(request.data)]
            if array.array.time_shared:
                m.d.comb += port.payload.layer.eq(request.layer - layers[0].index)
            read = self._late(m, array.access_word, f"read_{number}", here)
            with m.If(done):
                m.d[self.centre] += [answered.eq(1), word.eq(read)]
            if not self.spread:
                m.d.comb += access.ready.eq(done)
        if self.spread:
            m.d.comb += access.ready.eq(answered)
