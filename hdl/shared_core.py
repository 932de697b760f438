"""The core of a shared array: commands, one array for all layers, the lists between layers, the output unit."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdl import frames
from hdl.activation_list import ActivationList
from hdl.commands import Commands
from hdl.design import Design
from hdl.narrow import clamp, half_up
from hdl.output_unit import OutputUnit
from hdl.shared_array import SharedArray
from hdl.shared_design import SharedDesign


class SharedCore(wiring.Component):
    """A network that infers and, if the design says so, learns on one array; frames in, frames out (``docs/registers.md``).

    ::

        s_axis --> commands --image--+--> array --+--> list of layer 1, 2 ... --+
                                     ^    ^       '--> output unit --result--> commands --> m_axis
                                     |    '---errors, verdict---'               |
                                     '------------------------------------------'

    Parameters
    ----------
    design : Design
        Of arrangement ``shared``.
    initialised : bool
        Whether weight memories begin with the contents of files (``hdl.emit``).

    Members
    -------
    s_axis_tdata : In(32), s_axis_tvalid, s_axis_tlast : In(1), s_axis_tready : Out(1)
    m_axis_tdata : Out(32), m_axis_tvalid, m_axis_tlast : Out(1), m_axis_tready : In(1)
    """

    def __init__(self, design: Design, initialised: bool = False) -> None:
        self.design, self.initialised = design, initialised
        super().__init__({
            "s_axis_tdata": In(32), "s_axis_tvalid": In(1), "s_axis_tready": Out(1), "s_axis_tlast": In(1),
            "m_axis_tdata": Out(32), "m_axis_tvalid": Out(1), "m_axis_tready": In(1), "m_axis_tlast": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, network = self.design, self.design.network
        links, bias = (exponents or range(1) for exponents in (design.links_exponents(), design.bias_exponents()))
        m.submodules.commands = commands = Commands(
            network.layers, learns=design.learns, digest=frames.digest_word(network.digest), links_exponents=links,
            bias_exponents=bias, initial_links=links.start, initial_bias=bias.start, programmable=False)
        m.submodules.output_unit = output_unit = OutputUnit(design.layers[-1])
        m.submodules.array = array = SharedArray(SharedDesign(design), self.initialised)
        lists = [ActivationList(layer.inputs, layer.formats.displacement.bits) for layer in design.layers[1:]]
        m.d.comb += [
            commands.s_axis.payload.data.eq(self.s_axis_tdata), commands.s_axis.payload.last.eq(self.s_axis_tlast),
            commands.s_axis.valid.eq(self.s_axis_tvalid), self.s_axis_tready.eq(commands.s_axis.ready),
            self.m_axis_tdata.eq(commands.m_axis.payload.data), self.m_axis_tlast.eq(commands.m_axis.payload.last),
            self.m_axis_tvalid.eq(commands.m_axis.valid), commands.m_axis.ready.eq(self.m_axis_tready)]
        self._pass(m, commands.job, output_unit.job)
        self._pass(m, output_unit.result, commands.result)
        self._pass(m, output_unit.errors, array.errors)

        # inputs: the image for layer 0, the outputs of the layer before for the others
        sources: list[Any] = [commands, *lists]
        m.d.comb += [array.available.eq(commands.available), array.learn.eq(commands.learn),
                     array.links_exponent.eq(commands.links_exponent), array.bias_exponent.eq(commands.bias_exponent),
                     array.verdict.eq(output_unit.verdict), array.verdict_error.eq(output_unit.verdict_error),
                     array.outputs_free.eq(output_unit.outputs_free)]
        with m.Switch(array.layer):
            for number, source in enumerate(sources):
                with m.Case(number):
                    item, given = array.items.payload, source.items.payload
                    m.d.comb += [array.items.valid.eq(source.items.valid), source.items.ready.eq(array.items.ready),
                                 source.start.eq(array.start), item.last.eq(given.last), item.index.eq(given.index),
                                 item.value.eq(self._aligned(number, given.value))]
        for number, source in enumerate(sources):
            m.d.comb += source.release.eq(array.release)
            if number:
                m.submodules[f"list_{number}"] = source
                m.d.comb += [source.written.eq(array.outputs),
                             source.written_valid.eq(array.outputs_valid & (array.layer == number - 1))]
        m.d.comb += [output_unit.outputs.eq(array.outputs),
                     output_unit.outputs_valid.eq(array.outputs_valid & (array.layer == len(lists)))]

        # one register for the reply to an access; one access is under way at a time
        access, reply, asked = commands.access, commands.access_reply, array.access.payload
        answered = Signal()
        word = Signal(signed(32))
        m.d.comb += [reply.valid.eq(answered), reply.payload.eq(word), array.access.valid.eq(access.valid & ~answered),
                     asked.write.eq(access.payload.write), asked.layer.eq(access.payload.layer),
                     asked.neuron.eq(access.payload.neuron), asked.row.eq(access.payload.index),
                     asked.data.eq(access.payload.data), access.ready.eq(array.access_done)]
        with m.If(answered & reply.ready):
            m.d.sync += answered.eq(0)
        with m.If(array.access_done):
            m.d.sync += [answered.eq(1), word.eq(array.access_word)]
        m.d.comb += commands.idle.eq(output_unit.idle & ~commands.available & ~answered & array.idle)
        return m

    def _aligned(self, number: int, value: Value) -> Value:
        """An input of a layer in its format, its point where those of all layers are; a byte stands for byte / 256."""
        layer = self.design.layers[number]
        if number:
            return value.as_signed() << layer.alignment
        byte = Cat(value, Const(0, 1)).as_signed()
        drop = 8 - layer.formats.input.fraction
        word = byte << -drop if drop <= 0 else half_up(byte, drop)
        return clamp(word, layer.input_bits - layer.alignment) << layer.alignment

    @staticmethod
    def _pass(m: Module, giver: stream.Interface, taker: stream.Interface) -> None:
        m.d.comb += [taker.payload.eq(giver.payload), taker.valid.eq(giver.valid), giver.ready.eq(taker.ready)]
