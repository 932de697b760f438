"""The core: commands, layers that work on successive images at the same time, and the output stage."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal, signed
from amaranth.lib import fifo, wiring

from hdl.activation_list import ActivationList
from hdl.array import ProcessingArray
from hdl.core_ports import MEMBERS, commands_of, pass_on
from hdl.design import Design
from hdl.layer_design import LayerDesign
from hdl.output_stage import OutputStage
from hdl.parts import RESET, Inside, Parts, ResetCopy
from hdl.skid_buffer import ShiftQueue
from hdl.time_shared.core import connect

CENTRE = "centre"                         # clock domain of all that is in no layer


def layer_domain(layer: LayerDesign) -> str:
    return f"layer_{layer.index}"


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
        design = self.design
        if design.arrangement == "time-shared":
            connect(m, self, design, self.parts)
            return m
        for name in (CENTRE, *map(layer_domain, design.layers)):
            m.domains += ClockDomain(name)
            m.d.comb += ClockSignal(name).eq(ClockSignal())
            self.parts.place(m, f"reset_{name}", RESET, ResetCopy, {"source": ResetSignal()}, {"reset": ResetSignal(name)},
                             reset=False)
        central = DomainRenamer(CENTRE)
        commands = commands_of(m, self, design, CENTRE)
        output_unit = OutputStage(design.layers[-1])
        m.submodules.output_unit = central(output_unit)
        layers = [ProcessingArray(array, self.parts) for array in design.arrays]
        lists = [ActivationList(layer.inputs, layer.formats.displacement.bits) for layer in design.layers[1:]]
        job = ShiftQueue(commands.job.payload.shape(), 1)
        m.submodules.job = central(job)
        pass_on(m, commands.job, job.i)
        pass_on(m, job.o, output_unit.job)
        pass_on(m, output_unit.result, commands.result)

        # one register for the reply to an access; one access is under way at a time, and is taken when it has been done
        access, reply = commands.access, commands.access_reply
        answered = Signal(name="answered")
        word = Signal(signed(32), name="word")
        m.d.comb += [reply.valid.eq(answered), reply.payload.eq(word), access.ready.eq(answered)]
        with m.If(answered & reply.ready):
            m.d[CENTRE] += answered.eq(0)

        request = Signal.like(access.payload, name="request")
        m.d[CENTRE] += request.eq(access.payload)
        idle_late = Signal(name="idle_late")
        m.d[CENTRE] += idle_late.eq(output_unit.idle)
        idle: Any = idle_late & ~commands.available & ~answered
        for number, layer in enumerate(layers):
            here = layer_domain(layer.array.first)
            m.submodules[f"layer_{number}"] = DomainRenamer(here)(layer)

            def late(value: Any, name: str, number: int = number, here: str = here) -> Signal:
                register = Signal.like(value, name=f"{name}_{number}")
                m.d[here] += register.eq(value)
                return register

            source = lists[number - 1] if number else commands
            release = late(layer.release, "release")
            m.d.comb += [layer.available.eq(source.available & ~release), layer.learn.eq(source.learn),
                         source.start.eq(layer.start), source.release.eq(release),
                         layer.links_rate_shift.eq(commands.links_rate_shift),
                         layer.bias_rate_shift.eq(commands.bias_rate_shift), layer.verdict.eq(output_unit.verdict),
                         layer.verdict_error.eq(output_unit.verdict_error)]
            pass_on(m, source.items, layer.items)
            if number < len(lists):
                sink = lists[number]
                m.submodules[f"list_{number + 1}"] = central(sink)
                free, valid, outputs = sink.free, sink.written_valid, sink.written
            else:
                free, valid, outputs = output_unit.outputs_free, output_unit.outputs_valid, output_unit.outputs
            m.d.comb += layer.outputs_free.eq(late(free, "free"))
            m.d[here] += [valid.eq(layer.outputs_valid), outputs.eq(layer.outputs)]
            if layer.array.first.learns:
                if number == len(layers) - 1:
                    pass_on(m, output_unit.errors, layer.errors)
                else:
                    queue = fifo.SyncFIFOBuffered(width=layer.array.formats.error.bits, depth=layer.array.last.neurons + 2)
                    m.submodules[f"errors_{number}"] = central(queue)
                    after = layers[number + 1]
                    m.d.comb += [queue.w_data.eq(after.back), queue.w_en.eq(after.back_valid),
                                 layer.errors.payload.eq(queue.r_data.as_signed()), layer.errors.valid.eq(queue.r_rdy),
                                 queue.r_en.eq(layer.errors.ready)]
            port, done = layer.access, late(layer.access_done, "done")
            asks = access.valid & (access.payload.layer == number) & ~layer.access_done & ~done & ~answered
            m.d.comb += [port.valid.eq(late(asks, "asks")), port.payload.write.eq(request.write),
                         port.payload.neuron.eq(request.neuron), port.payload.row.eq(request.index),
                         port.payload.data.eq(request.data)]
            read = late(layer.access_word, "read")
            with m.If(done):
                m.d[CENTRE] += [answered.eq(1), word.eq(read)]
            idle = idle & late(layer.idle, "idle") & ~source.available
        m.d.comb += commands.idle.eq(idle)
        return m
