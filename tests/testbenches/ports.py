"""Ports of a design under test as integers, its clock, and structures packed into one port."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, Timer

PERIOD = 10                               # ns


class Ports:
    """The ports of a component that has one clock.

    Everything in one clock: ``set`` its inputs, ``await settled()``, ``get`` its outputs, ``await tick()``. Fields that have
    no bits in some configurations have no port there: ``optional`` names them, any other port must exist.
    """

    def __init__(self, dut: Any, optional: Iterable[str] = ()) -> None:
        self.dut, self.optional = dut, frozenset(optional)
        self.clocks = 0
        self._handles: dict[str, Any] = {}
        self._inputs: dict[str, int] = {}

    async def start(self, **inputs: int) -> None:
        """Start the clock with these inputs, after two clocks of reset; every input must be among them."""
        self.set(rst=1, **inputs)
        await Timer(1, "ns")                                               # no register takes in what is not yet driven
        Clock(self.dut.clk, PERIOD, "ns").start()
        for _ in range(2):
            await RisingEdge(self.dut.clk)
        self.set(rst=0)

    def set(self, **inputs: int) -> None:
        """Give inputs their values; negative ones in two's complement."""
        for name, value in inputs.items():
            port = self._port(name)
            if port is not None and self._inputs.get(name) != value:        # to set it again takes as long
                port.value = value & (1 << len(port)) - 1
                self._inputs[name] = value

    def get(self, name: str) -> int:
        """The unsigned value of a port. Only after ``settled``."""
        port = self._port(name)
        return 0 if port is None else int(port.value)

    def signed(self, name: str) -> int:
        """The value of a port in two's complement."""
        port = self._port(name)
        return 0 if port is None else two_complement(int(port.value), len(port))

    async def settled(self) -> None:
        await ReadOnly()

    async def tick(self, clocks: int = 1) -> None:
        for _ in range(clocks):
            await RisingEdge(self.dut.clk)
            self.clocks += 1

    def _port(self, name: str) -> Any:
        if name not in self._handles:
            absent = name in self.optional and not hasattr(self.dut, name)
            self._handles[name] = None if absent else getattr(self.dut, name)
        return self._handles[name]


class Packing:
    """Where the fields of a structure lie in the port that carries it."""

    def __init__(self, layout: data.StructLayout) -> None:
        self.fields = {str(name): (field.offset, Shape.cast(field.shape)) for name, field in layout}
        self.bits = layout.size

    def pack(self, values: Mapping[str, int]) -> int:
        """The word with these fields, all others zero."""
        word = 0
        for name, value in values.items():
            offset, shape = self.fields[name]
            least = -(1 << shape.width - 1) if shape.signed else 0
            assert least <= value < least + (1 << shape.width), f"{name} has {shape.width} bits, too few for {value}"
            word |= (value & (1 << shape.width) - 1) << offset
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """All fields of a word, signed ones in two's complement."""
        values = {}
        for name, (offset, shape) in self.fields.items():
            value = word >> offset & (1 << shape.width) - 1
            values[name] = two_complement(value, shape.width) if shape.signed else value
        return values


def two_complement(word: int, bits: int) -> int:
    return word - (1 << bits) if bits and word >> bits - 1 else word
