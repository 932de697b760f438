"""The top level of a bitstream: oscillator, PLL, reset, host link, and the core as its Verilog says it.

::

    oscillator --> PLL --+--> clock of everything
                         '--> locked --> reset, until RESET_CLOCKS after it
    rx, tx <--> System: host link <--> wuxing_core

The system is that of the virtual board, and the core in it an instance of the module ``hdl.emit.TOP``: what is synthesised is
the text that was co-simulated.
"""
from __future__ import annotations

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.lib.cdc import FFSynchronizer

from boards.platforms import Board
from boards.pll import Ice40Pll, Pll
from boards.system import System
from hdl import emit
from hdl.design import Design
from hdl.verilog_text import readable, without_banner

TOP = "wuxing_board"
RESET_CLOCKS = 1023                       # block RAMs of iCE40 read as zero for about 3 us after configuration
PLL_PADS = ("35",)                        # of the packages that boards here have: the pin that is wired to iCE40's PLL


class Top(Elaboratable):
    """Everything in the chip.

    Parameters
    ----------
    board : Board
    design : Design
    pll : Pll
        Of the core's clock.
    divisor : int
        Clocks of a bit of the serial line.
    """

    def __init__(self, board: Board, design: Design, pll: Pll, divisor: int) -> None:
        self.board, self.design, self.pll, self.divisor = board, design, pll, divisor
        self.oscillator, self.rx, self.tx = (Signal(name=name) for name in ("oscillator", "rx", "tx"))
        self.high = [Signal(name=f"high_{index}") for index in range(len(board.high))]

    @property
    def ports(self) -> list[Signal]:
        return [self.oscillator, self.rx, self.tx, *self.high]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        clock, locked, steady = Signal(name="clock"), Signal(name="locked"), Signal(name="steady")
        reset, waited = Signal(name="reset", init=1), Signal(range(RESET_CLOCKS + 1), name="waited")
        m.domains += [ClockDomain("sync"), ClockDomain("start", reset_less=True)]
        if isinstance(self.pll, Ice40Pll):
            pad = self.board.pins["oscillator"].site in PLL_PADS
            m.submodules.pll = self.pll.instance(self.oscillator, clock, locked, pad=pad)
        else:
            m.submodules.pll = self.pll.instance(self.oscillator, clock, locked)
        m.submodules.locked = FFSynchronizer(locked, steady, o_domain="start")
        m.d.comb += [ClockSignal("sync").eq(clock), ClockSignal("start").eq(clock), ResetSignal("sync").eq(reset),
                     *(high.eq(1) for high in self.high)]
        m.d.start += reset.eq(waited != RESET_CLOCKS)
        with m.If(~steady):
            m.d.start += waited.eq(0)
        with m.Elif(waited != RESET_CLOCKS):
            m.d.start += waited.eq(waited + 1)

        m.submodules.system = system = System(self.design, self.divisor)
        m.d.comb += [system.rx.eq(self.rx), self.tx.eq(system.tx)]
        return m


def to_verilog(top: Top) -> str:
    """The top level without the core. Equal boards and clocks give equal texts."""
    text, banner = without_banner(verilog.convert(top, name=TOP, ports=top.ports, emit_src=False, strip_internal_attrs=True))
    heading = f"// {TOP}: {emit.TOP} with clock, reset and host link for {top.board.title}\n// {banner}\n"
    return heading + readable(text, [port.name for port in top.ports])
