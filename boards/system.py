"""What is on every board: the core and its host link, in one clock domain. Boards add a PLL and pins."""
from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.link import HostLink
from boards.reply_buffer import checked_slots
from boards.request_buffer import MOST_SIZE
from boards.uart import checked_divisor
from golden_model.network import Network
from hdl import emit, yosys
from hdl.design import Design
from hdl.verilog_text import readable

TOP = "wuxing_system"
SLOTS = {"ice40": 2, "ecp5": 8, "portable": 8}    # one block RAM each


class System(wiring.Component):
    """Core and host link. The core is an instance of the Verilog that ``core_verilog`` gives, which must be added to it.

    Parameters
    ----------
    design : Design
    divisor : int
        Clocks of a bit of the serial line.
    slots : int, optional
        Packets of replies that are kept until the host has them; see ``ReplyBuffer``. By default those of the target.

    Members
    -------
    rx : In(1), tx : Out(1)
        The serial line.
    """

    def __init__(self, design: Design, divisor: int, slots: int | None = None) -> None:
        self.design, self.divisor = design, checked_divisor(divisor)
        self.slots = checked_slots(SLOTS[design.target] if slots is None else slots)
        super().__init__({"rx": In(1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = HostLink(self.divisor, buffer_bytes(self.design.network), self.slots)
        m.domains += ClockDomain("link")                   # with a copy of the reset, for it may lie far from the core
        reset = Signal(reset_less=True, name="reset")
        m.d.sync += reset.eq(ResetSignal())
        m.d.comb += [ClockSignal("link").eq(ClockSignal()), ResetSignal("link").eq(reset)]
        m.submodules.link = DomainRenamer("link")(link)
        requests, replies = link.to_core, link.from_core
        m.submodules.core = Instance(
            emit.TOP, i_clk=ClockSignal(), i_rst=ResetSignal(),
            i_s_axis_tdata=requests.payload.data, i_s_axis_tlast=requests.payload.last, i_s_axis_tvalid=requests.valid,
            o_s_axis_tready=requests.ready,
            o_m_axis_tdata=replies.payload.data, o_m_axis_tlast=replies.payload.last, o_m_axis_tvalid=replies.valid,
            i_m_axis_tready=replies.ready)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


def core_verilog(design: Design, initialised: bool = False) -> str:
    """The core of a design with the ports and frames of ``docs/registers.md``, its top module ``emit.TOP``."""
    return emit.to_verilog(design, initialised)


def system_verilog(design: Design, divisor: int, core: str | None = None, slots: int | None = None) -> str:
    """Link and core as one text with the top module ``TOP``; ``core``: the core's Verilog, by default that of the design."""
    text, _ = yosys.converted(System(design, divisor, slots), TOP)
    return f"{readable(text, ('clk', 'rst', 'rx', 'tx'))}\n{core_verilog(design) if core is None else core}"


def buffer_bytes(network: Network) -> int:
    """Bytes of the buffer for requests: two images, so that one travels while the other waits for the core."""
    words = 1 + -(-network.layers[0] // 4)
    frame = 4 * words + -(-words // 32) + 16                   # the longest chunks and the CRC of its packet, generously
    return min(max(512, 1 << (2 * frame - 1).bit_length()), MOST_SIZE)
