"""Narrowing: the one place where bits are lost, as expressions and as a component that can be proved.

    narrow(v, k, format) = clamp((v + 2**(k-1)) >> k, format)          k = 0: nothing is added

The same function as ``golden_model.fixed_point.narrow`` with ``HALF_UP`` and ``SATURATE``.
"""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.errors import InputError
from golden_model.fixed_point import Format


def fits(value: Value, bits: int) -> Value:
    """Whether a signed value is a two's complement word of ``bits`` bits: its upper bits are all equal."""
    if len(value) <= bits:
        return Const(1, 1)
    top = value[bits - 1:]
    return ~top.any() | top.all()


def clamp(value: Value, bits: int) -> Value:
    """A signed value saturated to ``bits`` bits. Two levels of LUTs: the upper bits are looked at once for all."""
    if len(value) <= bits:
        return value.as_signed()
    sign = value[-1]
    limit = Cat((~sign).replicate(bits - 1), sign)
    return Mux(fits(value, bits), value[:bits], limit).as_signed()


def half_up(value: Value, shift: int) -> Value:
    """(value + half) >> shift of a signed value, exact: one bit wider than what is left, so that the carry has room."""
    if shift == 0:
        return value.as_signed()
    return (value[shift - 1:].as_signed() + 1) >> 1


def narrow(value: Value, shift: int, to: Format) -> Value:
    """A signed value rounded half up and saturated to a signed format."""
    return clamp(half_up(value, shift), to.bits)


class Narrow(wiring.Component):
    """``narrow`` as a circuit of its own.

    ::

        value --> + half --> >> shift --> upper bits equal? --> result
                                               '--no--> least / greatest

    Parameters
    ----------
    bits : int
        Width of the exact sum.
    shift : int
        Bits that are dropped, less than ``bits``.
    to : Format
        Signed.

    Members
    -------
    value : In(signed(bits))
    result : Out(signed(to.bits))

    No clock, no multiplier, no memory: an adder of bits - shift + 1 and two LUTs a result bit.
    """

    def __init__(self, bits: int, shift: int, to: Format) -> None:
        if not to.signed:
            raise InputError(f"Narrow must have a signed format, not {to}; write Qm.f without the U")
        if not 0 <= shift < bits:
            raise InputError(f"Narrow must drop 0 to {bits - 1} of {bits} bits, not {shift}")
        self.bits, self.shift, self.to = bits, shift, to
        super().__init__({"value": In(signed(bits)), "result": Out(signed(to.bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rounded = Signal(signed(self.bits - self.shift + 1), name="rounded")
        m.d.comb += [rounded.eq(half_up(self.value, self.shift)), self.result.eq(clamp(rounded, self.to.bits))]
        return m
