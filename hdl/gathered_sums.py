"""Products of the links of a convolution, summed up over all its positions in a processing unit.

What the images of a batch are to a link, the positions of an image are to one that a channel has in common: the exact sum of
the products is narrowed once (``docs/arithmetic.md``).
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory

from hdl.memory_ports import BLOCK, read_port, write_port


class GatheredSums:
    """A memory of sums beside the weights, at their addresses; a sum is read, added to and written back in four clocks.

    ::

        sum_read --> memory --> held --+--> + --> total --> memory (sum_write)
                                       |    product
                                       '--> narrowed, in place of the product (``apply``)
    """

    def __init__(self, m: Module, unit: Any, product: Value) -> None:
        array, control = unit.array, unit.control
        self.control, self.product, self.scale = control, product, array.operand_scale
        m.submodules.sums = sums = memory.Memory(shape=signed(array.gathered_bits), depth=array.gathered_words, init=[],
                                                 attrs=BLOCK)
        into, out_of = write_port(sums, "into"), read_port(sums, "out_of")
        self.held, total = (Signal(signed(array.gathered_bits), reset_less=True, name=name) for name in ("held", "gathered"))
        gathers = Signal(name="gathers")
        before = Mux(control.gather_first, Const(0, self.held.shape()), self.held)
        m.d.comb += [out_of.addr.eq(control.sum_read), into.addr.eq(control.sum_write), into.data.eq(total),
                     into.en.eq(gathers)]
        m.d.sync += [self.held.eq(out_of.data), total.eq(before + product[self.scale:].as_signed()),
                     gathers.eq(control.gather)]

    def change(self) -> Value:
        """What is narrowed and joins the fetched word: the sum or the product."""
        return Mux(self.control.apply, Cat(Const(0, self.scale), self.held).as_signed(), self.product).as_signed()
