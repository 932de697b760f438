"""The core of a time-shared array: commands, one array for all layers, the lists between layers, the output stage."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring

from hdl.activation_list import ActivationList
from hdl.array import ProcessingArray
from hdl.core_ports import commands_of, pass_on
from hdl.design import Design
from hdl.operands import encoded
from hdl.output_stage import OutputStage
from hdl.parts import Parts


def connect(m: Module, core: wiring.Component, design: Design, parts: Parts) -> None:
    """The parts of a core of one time-shared array, connected to the core's ports. ::

        s_axis --> commands --image--+--> array --+--> list of layer 1, 2 ... --+
                                     ^    ^       '--> output stage --result--> commands --> m_axis
                                     |    '---errors, verdict---'               |
                                     '------------------------------------------'
    """
    commands = commands_of(m, core, design)
    m.submodules.output_unit = output_unit = OutputStage(design.layers[-1])
    m.submodules.array = array = ProcessingArray(design.arrays[0], parts)
    lists = [ActivationList(layer.inputs, layer.formats.displacement.bits) for layer in design.layers[1:]]
    pass_on(m, commands.job, output_unit.job)
    pass_on(m, output_unit.result, commands.result)
    pass_on(m, output_unit.errors, array.errors)

    # inputs: the image for layer 0, the outputs of the layer before for the others
    sources: list[Any] = [commands, *lists]
    m.d.comb += [array.available.eq(commands.available), array.learn.eq(commands.learn),
                 array.links_rate_shift.eq(commands.links_rate_shift), array.bias_rate_shift.eq(commands.bias_rate_shift),
                 array.verdict.eq(output_unit.verdict), array.verdict_error.eq(output_unit.verdict_error),
                 array.outputs_free.eq(output_unit.outputs_free)]
    with m.Switch(array.layer):
        for number, source in enumerate(sources):
            with m.Case(number):
                item, entry = array.items.payload, source.items.payload
                m.d.comb += [array.items.valid.eq(source.items.valid), source.items.ready.eq(array.items.ready),
                             source.start.eq(array.start), item.last.eq(entry.last), item.index.eq(entry.index),
                             item.value.eq(encoded(design.layers[number], entry.value))]
    for number, source in enumerate(sources):
        m.d.comb += source.release.eq(array.release)
        if number:
            m.submodules[f"list_{number}"] = source
            m.d.comb += [source.written.eq(array.outputs),
                         source.written_valid.eq(array.outputs_valid & (array.layer == number - 1))]
    m.d.comb += [output_unit.outputs.eq(array.outputs),
                 output_unit.outputs_valid.eq(array.outputs_valid & (array.layer == len(lists)))]

    # one register for the reply to an access; one access is under way at a time
    access, reply, request = commands.access, commands.access_reply, array.access.payload
    answered = Signal(name="answered")
    word = Signal(signed(32), name="word")
    m.d.comb += [reply.valid.eq(answered), reply.payload.eq(word), array.access.valid.eq(access.valid & ~answered),
                 request.write.eq(access.payload.write), request.layer.eq(access.payload.layer),
                 request.neuron.eq(access.payload.neuron), request.row.eq(access.payload.index),
                 request.data.eq(access.payload.data), access.ready.eq(array.access_done)]
    with m.If(answered & reply.ready):
        m.d.sync += answered.eq(0)
    with m.If(array.access_done):
        m.d.sync += [answered.eq(1), word.eq(array.access_word)]
    m.d.comb += commands.idle.eq(output_unit.idle & ~commands.available & ~answered & array.idle)
