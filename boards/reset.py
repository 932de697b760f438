"""The reset of a board: held until the PLL has locked, and some clocks longer."""
from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

CLOCKS = 1023                             # block RAMs of iCE40 read as zero for about 3 us after configuration


class Reset(wiring.Component):
    """Counts ``CLOCKS`` clocks of its domain, which has no reset, from the lock of a PLL on; again if the lock is lost.

    Members
    -------
    locked : In(1)
        Of the PLL, at any time.
    reset : Out(1)
        High from configuration on.
    """

    def __init__(self) -> None:
        super().__init__({"locked": In(1), "reset": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steady, waited = Signal(name="steady"), Signal(range(CLOCKS + 1), name="waited")
        m.submodules.synchronizer = FFSynchronizer(self.locked, steady)
        m.d.sync += self.reset.eq(waited != CLOCKS)
        with m.If(~steady):
            m.d.sync += [waited.eq(0), self.reset.eq(1)]
        with m.Elif(waited != CLOCKS):
            m.d.sync += waited.eq(waited + 1)
        return m
