"""The core: commands, layers that work on successive images at the same time, and the output unit."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import fifo, wiring

from hdl.activation_list import ActivationList
from hdl.array import Layer
from hdl.core_ports import MEMBERS, commands_of, pass_on
from hdl.design import Design
from hdl.output_unit import OutputUnit


class Core(wiring.Component):
    """A network that infers and, if the design says so, learns; frames in, frames out (``docs/registers.md``).

    ::

        s_axis --> commands --items--> layer 0 --> list --> layer 1 --> ... --> output unit --result--> commands --> m_axis
                                          ^                   |  ^                  | |
                                          +----- errors ------+  +----- errors -----+ '--verdict--> all layers

    Parameters
    ----------
    design : Design
    initialised : bool
        Whether weight memories begin with the contents of files (``hdl.emit``).

    Members
    -------
    s_axis_tdata : In(32), s_axis_tvalid, s_axis_tlast : In(1), s_axis_tready : Out(1)
    m_axis_tdata : Out(32), m_axis_tvalid, m_axis_tlast : Out(1), m_axis_tready : In(1)
    """

    def __init__(self, design: Design, initialised: bool = False) -> None:
        self.design, self.initialised = design, initialised
        super().__init__(MEMBERS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self.design
        commands = commands_of(m, self, design)
        m.submodules.output_unit = output_unit = OutputUnit(design.layers[-1])
        layers = [Layer(layer, self.initialised) for layer in design.layers]
        lists = [ActivationList(layer.inputs, layer.formats.displacement.bits) for layer in design.layers[1:]]
        pass_on(m, commands.job, output_unit.job)
        pass_on(m, output_unit.result, commands.result)

        # one register for the reply to an access; one access is under way at a time, and is taken a clock after it is done
        access, reply = commands.access, commands.access_reply
        answered = Signal()
        word = Signal(signed(32))
        m.d.comb += [reply.valid.eq(answered), reply.payload.eq(word), access.ready.eq(answered)]
        with m.If(answered & reply.ready):
            m.d.sync += answered.eq(0)

        idle: Any = output_unit.idle & ~commands.available & ~answered
        for number, layer in enumerate(layers):
            m.submodules[f"layer_{number}"] = layer
            source = lists[number - 1] if number else commands
            m.d.comb += [layer.available.eq(source.available), layer.learn.eq(source.learn), source.start.eq(layer.start),
                         source.release.eq(layer.release), layer.links_exponent.eq(commands.links_exponent),
                         layer.bias_exponent.eq(commands.bias_exponent), layer.verdict.eq(output_unit.verdict),
                         layer.verdict_error.eq(output_unit.verdict_error)]
            pass_on(m, source.items, layer.items)
            if number < len(lists):
                m.submodules[f"list_{number + 1}"] = sink = lists[number]
                m.d.comb += [layer.outputs_free.eq(sink.free), sink.written_valid.eq(layer.outputs_valid),
                             sink.written.eq(layer.outputs)]
            else:
                m.d.comb += [layer.outputs_free.eq(output_unit.outputs_free),
                             output_unit.outputs_valid.eq(layer.outputs_valid), output_unit.outputs.eq(layer.outputs)]
            if layer.layer.learns:
                if number == len(layers) - 1:
                    pass_on(m, output_unit.errors, layer.errors)
                else:
                    m.submodules[f"errors_{number}"] = queue = fifo.SyncFIFOBuffered(
                        width=layer.layer.formats.error.bits, depth=layer.layer.neurons + 2)
                    after = layers[number + 1]
                    m.d.comb += [queue.w_data.eq(after.back), queue.w_en.eq(after.back_valid),
                                 layer.errors.payload.eq(queue.r_data.as_signed()), layer.errors.valid.eq(queue.r_rdy),
                                 queue.r_en.eq(layer.errors.ready)]
            asked = layer.access
            m.d.comb += [asked.valid.eq(access.valid & ~answered & (access.payload.layer == number)),
                         asked.payload.write.eq(access.payload.write), asked.payload.neuron.eq(access.payload.neuron),
                         asked.payload.row.eq(access.payload.index), asked.payload.data.eq(access.payload.data)]
            with m.If(layer.access_done):
                m.d.sync += [answered.eq(1), word.eq(layer.access_word)]
            idle = idle & layer.idle & ~source.available
        m.d.comb += commands.idle.eq(idle)
        return m
