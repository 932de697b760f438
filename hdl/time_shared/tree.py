"""The way back of a time-shared array: sums of reverse links over units and folds, kept in a memory, and given out as
errors."""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hdl.array_design import ArrayDesign
from hdl.memory_ports import BLOCK, read_port, write_port
from hdl.narrow import clamp, half_up


class TimeSharedTree(wiring.Component):
    """Exact sums of the products of all units, one input a clock; narrowed once, when they are asked for.

    ::

        product 0 --+
                    + --> reg --+
        product 1 --+           + --> reg --> + --> memory of sums --> narrow --> errors
        product 2 --+           |             ^          |
                    + --> reg --+             '----------'
        product 3 --+

    Parameters
    ----------
    array : SharedDesign
        Of which some layer sends errors back.

    Members
    -------
    products : In(signed(weight bits + displacement bits)) of each unit
    begin : In(1), first : In(1), bank : In(1)
        Strobe before the first input of a fold; the fold is the layer's first one; which half of the memory the layer writes.
    valid : In(1)
        The products are those of the next input.
    ask : In(1), ask_bank : In(1)
        Strobe: the errors in this bank are wanted from the first one on.
    errors : Out(stream of signed(error bits))
        One in two clocks. ``ready`` not while sums are made.

    units - 1 adders and one; one memory with a word for each input, twice if errors go back through several layers.
    """

    def __init__(self, array: ArrayDesign) -> None:
        self.array = array
        formats = array.formats
        super().__init__({
            "products": In(signed(formats.weight.bits + formats.displacement.bits)).array(array.units),
            "begin": In(1), "first": In(1), "bank": In(1), "valid": In(1), "ask": In(1), "ask_bank": In(1),
            "errors": Out(stream.Signature(signed(formats.error.bits)))})

    @property
    def levels(self) -> int:
        """Clocks from products to their sum."""
        return ceil_log2(self.array.units)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, bits = self.array, self.array.reverse_sum_bits
        sums: list[Value] = list(self.products)
        valid: Value = self.valid
        for level in range(self.levels):
            pairs = [sums[place] + sums[place + 1] if place + 1 < len(sums) else sums[place]
                     for place in range(0, len(sums), 2)]
            registers = [Signal(signed(len(pair)), name=f"sum_{level}_{place}", reset_less=True)
                         for place, pair in enumerate(pairs)]
            valid_late = Signal(name=f"valid_{level}")
            m.d.sync += [*(register.eq(pair) for register, pair in zip(registers, pairs, strict=True)), valid_late.eq(valid)]
            sums, valid = list(registers), valid_late

        inputs = max(layer.inputs for layer in array.reversing())
        banked = len(array.reversing()) > 1
        half = 1 << ceil_log2(inputs)
        m.submodules.partial = partial = memory.Memory(shape=signed(bits), depth=2 * half if banked else inputs, init=[],
                                                       attrs=BLOCK)
        into, out_of = write_port(partial, "into"), read_port(partial, "out_of")
        row, row_late, place = (
            Signal(range(inputs + 1), name="row"), Signal(range(inputs), name="row_late"),
            Signal(range(inputs + 1), name="place"))
        total, adding, giving, taken = (
            Signal(signed(bits), reset_less=True, name="total"), Signal(name="adding"), Signal(name="giving"),
            Signal(name="taken"))
        m.d.sync += [total.eq(sums[0]), row_late.eq(row), adding.eq(valid), giving.eq(self.errors.ready & ~taken)]
        m.d.comb += [
            taken.eq(giving & self.errors.ready),
            out_of.addr.eq(Mux(self.errors.ready, self._address(place, self.ask_bank, banked),
                               self._address(row, self.bank, banked))),
            into.addr.eq(self._address(row_late, self.bank, banked)), into.en.eq(adding),
            into.data.eq(total + Mux(self.first, Const(0, signed(bits)), out_of.data)),
            self.errors.valid.eq(giving),
            self.errors.payload.eq(clamp(half_up(out_of.data, array.network.reverse_link_shift), array.formats.error.bits))]
        m.d.sync += [row.eq(Mux(self.begin, 0, row + valid)), place.eq(Mux(self.ask, 0, place + taken))]
        return m

    def _address(self, row: Value, bank: Value, banked: bool) -> Value:
        bits = max(1, ceil_log2(max(layer.inputs for layer in self.array.reversing())))
        return Cat(row[:bits], bank) if banked else row[:bits]
