"""The ports of every core: two AXI4-Streams of 32-bit words, requests in and replies out (``docs/registers.md``)."""
from __future__ import annotations

from amaranth.hdl import DomainRenamer, Module, ResetSignal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdl import frames
from hdl.commands import Commands
from hdl.design import Design

MEMBERS = {
    "s_axis_tdata": In(32), "s_axis_tvalid": In(1), "s_axis_tready": Out(1), "s_axis_tlast": In(1),
    "m_axis_tdata": Out(32), "m_axis_tvalid": Out(1), "m_axis_tready": In(1), "m_axis_tlast": Out(1)}


def commands_of(m: Module, core: wiring.Component, design: Design, domain: str = "sync") -> Commands:
    """The command decoder of a design, in a clock domain of its core and connected to the core's ports.

    A domain whose reset comes later than that of the ports hides what its registers still say in the clock of its reset.
    """
    links, bias, formats = design.links_rate_shifts(), design.bias_rate_shifts(), design.network.formats
    K = design.K_rate_shifts()
    commands = Commands(
        design.network.layers, learns=design.learns, digest=frames.digest_word(design.network.digest), links_rate_shifts=links,
        bias_rate_shifts=bias, initial_links=links.start if links else None, initial_bias=bias.start if bias else None,
        programmable=design.kind == "programmable",
        parameter_bits=(formats.weight.bits, formats.drive.bits, formats.coupling.bits),
        shapes=[(layer.channels, layer.links) for layer in design.layers], K_rate_shifts=K, initial_K=K.start if K else None)
    m.submodules.commands = DomainRenamer(domain)(commands)
    ready, valid = commands.s_axis.ready, commands.m_axis.valid
    if domain != "sync":
        ready, valid = ready & ~ResetSignal(domain), valid & ~ResetSignal(domain)
    m.d.comb += [
        commands.s_axis.payload.data.eq(core.s_axis_tdata), commands.s_axis.payload.last.eq(core.s_axis_tlast),
        commands.s_axis.valid.eq(core.s_axis_tvalid), core.s_axis_tready.eq(ready),
        core.m_axis_tdata.eq(commands.m_axis.payload.data), core.m_axis_tlast.eq(commands.m_axis.payload.last),
        core.m_axis_tvalid.eq(valid), commands.m_axis.ready.eq(core.m_axis_tready)]
    return commands


def pass_on(m: Module, giver: stream.Interface, taker: stream.Interface) -> None:
    """Connect two ends of a stream that are ports of submodules."""
    m.d.comb += [taker.payload.eq(giver.payload), taker.valid.eq(giver.valid), giver.ready.eq(taker.ready)]
