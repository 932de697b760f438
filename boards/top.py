"""The top level of a bitstream: oscillator, PLL, reset, pins, and the system between them.

::

    oscillator --> PLL --+--> clock of everything
                         '--> locked --> Reset --> reset
    rx, tx <--> System: host link <--> wuxing_core

The system is that of the virtual board, and the core in it an instance of the module ``hdl.emit.TOP``: what is synthesised is
the text that was co-simulated.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Elaboratable, Module, ResetSignal, Signal

from boards.platforms import Platform
from boards.pll import Ice40Pll, Pll
from boards.reset import Reset
from hdl import yosys
from hdl.verilog_text import readable

TOP = "wuxing_board"
PLL_PADS = ("35",)                        # of the packages that boards here have: the pin that is wired to iCE40's PLL


class Top(Elaboratable):
    """Everything in the chip.

    Parameters
    ----------
    board : Board
    system : component with rx : In(1), tx : Out(1)
        What runs there, as ``boards.system.System``.
    pll : Pll
        Of its clock.
    """

    def __init__(self, platform: Platform, system: Any, pll: Pll) -> None:
        self.platform, self.system, self.pll = platform, system, pll
        self.oscillator, self.rx, self.tx = (Signal(name=name) for name in ("oscillator", "rx", "tx"))
        self.high = [Signal(name=f"high_{index}") for index in range(len(platform.high))]

    @property
    def ports(self) -> list[Signal]:
        return [self.oscillator, self.rx, self.tx, *self.high]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        clock, locked = Signal(name="clock"), Signal(name="locked")
        m.domains += [ClockDomain("sync"), ClockDomain("start", reset_less=True)]
        if isinstance(self.pll, Ice40Pll):
            pad = self.platform.pins["oscillator"].site in PLL_PADS
            m.submodules.pll = self.pll.instance(self.oscillator, clock, locked, pad=pad)
        else:
            m.submodules.pll = self.pll.instance(self.oscillator, clock, locked)
        reset = Reset()
        m.submodules.reset = DomainRenamer("start")(reset)
        m.submodules.system = self.system
        m.d.comb += [ClockSignal("sync").eq(clock), ClockSignal("start").eq(clock), reset.locked.eq(locked),
                     ResetSignal("sync").eq(reset.reset), self.system.rx.eq(self.rx), self.tx.eq(self.system.tx),
                     *(high.eq(1) for high in self.high)]
        return m


def to_verilog(top: Top) -> str:
    """The top level without the core. Equal boards, systems and clocks give equal texts."""
    text, banner = yosys.converted(top, TOP, top.ports)
    heading = f"// {TOP}: clock, reset and pins of {top.platform.title}, and the system there\n// {banner}\n"
    return heading + readable(text, [port.name for port in top.ports])
