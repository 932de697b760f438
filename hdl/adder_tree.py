"""The way back: the sum over all processing units of one input's reverse links, and its narrowing to an error."""
from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hdl.layer_design import LayerDesign
from hdl.memory_ports import read_port, write_port
from hdl.narrow import clamp


def levels(units: int) -> int:
    """Registered levels of the tree."""
    return ceil_log2(units)


class AdderTree(wiring.Component):
    """Exact sum of the products of all units, one input a clock, over all folds, narrowed once.

    ::

        product 0 --+
                    + --> reg --+
        product 1 --+           + --> reg --> ... --> + --> narrow --> error
        product 2 ----> reg ----+                     |
                                            memory of partial sums (folded layers only)

    Parameters
    ----------
    layer : LayerDesign
        That sends errors back.

    Members
    -------
    products : In(signed(weight bits + displacement bits)) of each unit
    valid, first, last : In(1)
        The products are the next input's, of the first and of the last fold.
    error_valid : Out(1), error : Out(signed(error bits))
        ceil(log2(units)) + 2 clocks after the products of the last fold.

    units - 1 adders; folded layers have one memory of ``inputs`` words.
    """

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        formats = layer.formats
        super().__init__({
            "products": In(signed(formats.weight.bits + formats.displacement.bits)).array(layer.units),
            "valid": In(1), "first": In(1), "last": In(1),
            "error_valid": Out(1), "error": Out(signed(formats.error.bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        sums: list[Value] = list(self.products)
        flags: list[Value] = [self.valid, self.first, self.last]

        def late(values: list[Value], name: str) -> list[Value]:
            registers: list[Value] = [Signal.like(value, name=f"{name}_{place}") for place, value in enumerate(values)]
            m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
            return registers

        for level in range(levels(layer.units)):
            pairs = [sums[place] + sums[place + 1] if place + 1 < len(sums) else sums[place]
                     for place in range(0, len(sums), 2)]
            registers = [Signal(signed(len(pair)), name=f"sum_{level}_{place}", reset_less=True)
                         for place, pair in enumerate(pairs)]
            m.d.sync += [register.eq(pair) for register, pair in zip(registers, pairs, strict=True)]
            sums, flags = list(registers), late(flags, f"flags_{level}")

        total = Signal(signed(layer.reverse_sum_bits), reset_less=True, name="total")
        valid, first, last = flags
        if layer.folds == 1:
            m.d.sync += total.eq(sums[0])
            valid, first, last = late(flags, "flags")
            whole: Value = total
        else:
            m.submodules.partial = partial = memory.Memory(shape=signed(layer.reverse_sum_bits), depth=layer.inputs, init=[],
                                                           attrs={"no_rw_check": 1})
            index = Signal(range(layer.inputs), name="index")
            index_late = Signal(range(layer.inputs), name="index_late")
            into, out_of = write_port(partial, "into"), read_port(partial, "out_of")
            with m.If(valid):
                m.d.sync += index.eq(Mux(index == layer.inputs - 1, 0, index + 1))
            m.d.sync += [total.eq(sums[0]), index_late.eq(index)]
            m.d.comb += out_of.addr.eq(index)
            valid, first, last = late(flags, "flags")
            whole = Signal(signed(layer.reverse_sum_bits), name="whole")
            m.d.comb += [whole.eq(total + Mux(first, Const(0, signed(layer.reverse_sum_bits)), out_of.data)),
                         into.addr.eq(index_late), into.data.eq(whole), into.en.eq(valid & ~last)]
        shift = layer.network.reverse_link_shift
        rounded = whole if shift == 0 else (whole[shift - 1:].as_signed() + 1) >> 1
        m.d.sync += [self.error.eq(clamp(rounded, layer.formats.error.bits)), self.error_valid.eq(valid & last)]
        return m
