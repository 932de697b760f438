"""A serial line, 8 bits, no parity, one stop bit: receiver and transmitter."""
from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from golden_model.errors import InputError

LEAST_DIVISOR, MOST_DIVISOR = 2, 1 << 16
BITS = 10                                 # start, eight data bits, stop


class _LineEnd(wiring.Component):
    """One end of a serial line.

    Parameters
    ----------
    divisor : int
        Clocks of a bit, ``LEAST_DIVISOR`` to ``MOST_DIVISOR``. On a real line 4 or more: less leaves no margin.

    Raises
    ------
    InputError
        If the divisor is out of range.
    """

    def __init__(self, divisor: int, members: Mapping[str, In | Out]) -> None:
        self.divisor = checked_divisor(divisor)
        super().__init__(members)

    def _timer(self) -> tuple[Signal, Signal]:
        """Clocks that are left of a bit, and bits that are left of a byte."""
        return Signal(range(self.divisor), name="timer"), Signal(range(BITS + 1), name="left")


class UartReceiver(_LineEnd):
    """Samples every bit once, in its middle. A byte whose stop bit is wrong is handed on like any other: a CRC judges it.

    After such a byte, or while the line is held low, nothing starts before the line has been high again. Its argument is the
    divisor, see ``_LineEnd``.

    Members
    -------
    rx : In(1)
        The pin; it is synchronised here.
    data : Out(8), valid : Out(1)
        A byte, for one clock. There is no way to make it wait.

    Tolerates a sender whose bits are up to 4 % longer or shorter, less half a clock in a bit of few clocks.
    """

    def __init__(self, divisor: int) -> None:
        super().__init__(divisor, {"rx": In(1), "data": Out(8), "valid": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line, before = Signal(init=1, name="line"), Signal(name="before")
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        timer, left = self._timer()
        middle = Signal(name="middle")
        m.d.comb += middle.eq(timer == 0)
        m.d.sync += [before.eq(line), timer.eq(Mux(middle, self.divisor - 1, timer - 1)), self.valid.eq(0)]
        with m.If(left == 0):
            m.d.sync += timer.eq(max(self.divisor // 2 - 1, 0))
            with m.If(before & ~line):
                m.d.sync += left.eq(BITS)
        with m.Elif(middle):
            m.d.sync += left.eq(left - 1)
            with m.If((left == BITS) & line):                          # no start bit after all
                m.d.sync += left.eq(0)
            with m.If(left != 1):
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
            with m.Else():
                m.d.sync += self.valid.eq(1)
        return m


class UartTransmitter(_LineEnd):
    """Sends bytes one after the other, least bit first. Its argument is the divisor, see ``_LineEnd``.

    Members
    -------
    i : In(stream of 8 bits)
        Taken when the line is free.
    tx : Out(1)
        The pin, a register, high while idle.
    """

    def __init__(self, divisor: int) -> None:
        super().__init__(divisor, {"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer, left = self._timer()
        bits = Signal(8, name="bits")
        m.d.comb += self.i.ready.eq(left == 0)
        with m.If(left == 0):
            m.d.sync += timer.eq(self.divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += [bits.eq(self.i.payload), self.tx.eq(0), left.eq(BITS)]
        with m.Elif(timer == 0):
            m.d.sync += [timer.eq(self.divisor - 1), left.eq(left - 1), Cat(self.tx, bits).eq(Cat(bits, Const(1, 1)))]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m


def checked_divisor(divisor: int) -> int:
    """``divisor`` if a serial line can have it."""
    if isinstance(divisor, bool) or not isinstance(divisor, int) or not LEAST_DIVISOR <= divisor <= MOST_DIVISOR:
        raise InputError(f"divisor must be a whole number of clocks from {LEAST_DIVISOR} to {MOST_DIVISOR} for each bit of the "
                         f"serial line, not {divisor!r}; choose another clock or baud rate")
    return divisor
