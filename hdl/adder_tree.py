"""The way back: sums over all processing units of one input's reverse links, and their narrowing to errors."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hdl.array_design import ArrayDesign
from hdl.memory_ports import BLOCK, read_port, write_port
from hdl.narrow import clamp, half_up


def levels(units: int) -> int:
    """Registered levels of the tree."""
    return ceil_log2(units)


class AdderTree(wiring.Component):
    """Exact sum of the products of all units, one input a clock, over all folds, narrowed once.

    ::

        product 0 --+
                    + --> reg --+
        product 1 --+           + --> reg --> ... --> total --> + --> narrow --> errors
        product 2 ----> reg ----+                               |
                                                  memory of sums over folds

    Parameters
    ----------
    array : ArrayDesign
        Of which some layer sends errors back, or is recurrent.

    Members
    -------
    products : In(signed(weight bits + displacement bits)) of each unit
    valid : In(1)
        The products are the next input's.
    Others are those of what becomes of the totals: ``AtOnce``, or in a time-shared array ``OnRequest``, ``AtPlaces`` or
    ``Exchanged``.

    units - 1 adders, one more where there are folds.
    """

    def __init__(self, array: ArrayDesign) -> None:
        self.array, formats = array, array.formats
        self.result: type[AtOnce | OnRequest | Exchanged] = (
            Exchanged if array.recurrent else AtPlaces if array.windowed else OnRequest if array.time_shared else AtOnce)
        super().__init__({
            "products": In(signed(formats.weight.bits + formats.displacement.bits)).array(array.units), "valid": In(1),
            **self.result.members(array)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sums: list[Value] = list(self.products)
        flags: list[Value] = [getattr(self, name) for name in self.result.flags(self.array)]

        def late(values: list[Value], name: str) -> list[Value]:
            registers: list[Value] = [Signal.like(value, name=f"{name}_{place}") for place, value in enumerate(values)]
            m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
            return registers

        for level in range(levels(self.array.units)):
            pairs = [sums[place] + sums[place + 1] if place + 1 < len(sums) else sums[place]
                     for place in range(0, len(sums), 2)]
            registers = [Signal(signed(len(pair)), name=f"sum_{level}_{place}", reset_less=True)
                         for place, pair in enumerate(pairs)]
            m.d.sync += [register.eq(pair) for register, pair in zip(registers, pairs, strict=True)]
            sums, flags = list(registers), late(flags, f"flags_{level}")

        total = Signal(signed(self.array.reverse_sum_bits), reset_less=True, name="total")
        m.d.sync += total.eq(sums[0])
        self.result(m, self).build(total, flags, late(flags, "flags"))
        return m


def over_folds(total: Value, first: Value, before: Value) -> Value:
    """The sum so far, of which the first fold has nothing ``before`` it."""
    return total + Mux(first, Const(0, total.shape()), before)


def error_of(array: ArrayDesign, whole: Value, sender: Value | int = 0) -> Value:
    """What the layer at place ``sender`` of the array sends back: sums of layers with magnified errors drop other bits."""
    errors = [clamp(half_up(whole, layer.reverse_shift), array.formats.error.bits) for layer in array.layers]
    return Array(errors)[sender] if array.mixes_reverse_shifts else errors[-1]


class AtOnce:
    """Errors come as soon as the last fold's totals are there: ceil(log2(units)) + 2 clocks after its products.

    Members
    -------
    first, last : In(1)
        The products are those of the first and of the last fold.
    error_valid : Out(1), error : Out(signed(error bits))

    Folded layers have one memory of ``inputs`` words, in which the inputs follow one another.
    """

    def __init__(self, m: Module, tree: Any) -> None:
        self.m, self.tree, self.array = m, tree, tree.array

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {"first": In(1), "last": In(1), "error_valid": Out(1), "error": Out(signed(array.formats.error.bits))}

    @staticmethod
    def flags(array: ArrayDesign) -> tuple[str, ...]:
        """Members that go with the sums through the tree."""
        return "valid", "first", "last"

    def build(self, total: Signal, ahead: list[Value], flags: list[Value]) -> None:
        """``flags``: those of the total; ``ahead``: those of the total of the next clock."""
        m, comes, (valid, first, last) = self.m, ahead[0], flags
        whole: Value = total
        if self.array.folds > 1:
            inputs = self.array.most_errors
            m.submodules.partial = partial = memory.Memory(shape=total.shape(), depth=self.array.reverse_words, init=[],
                                                           attrs={"no_rw_check": 1})
            into, out_of = write_port(partial, "into"), read_port(partial, "out_of")
            index, late = Signal(range(inputs), name="index"), Signal(range(inputs), name="index_late")
            whole = Signal(total.shape(), name="whole")
            with m.If(comes):
                m.d.sync += index.eq(Mux(index == inputs - 1, 0, index + 1))
            m.d.sync += late.eq(index)
            m.d.comb += [out_of.addr.eq(index), whole.eq(over_folds(total, first, out_of.data)), into.addr.eq(late),
                         into.data.eq(whole), into.en.eq(valid & ~last)]
        m.d.sync += [self.tree.error.eq(error_of(self.array, whole)), self.tree.error_valid.eq(valid & last)]


class OnRequest:
    """Sums are kept in a block RAM, and narrowed when they are asked for.

    Members
    -------
    begin : In(1), first : In(1), bank : In(1)
        Strobe before the first input of a fold; the fold is the layer's first one; which half of the memory the layer writes.
    ask : In(1), ask_bank : In(1)
        Strobe: the errors in this bank are wanted from the first one on.
    sender : In(range(layers))
        The layer, by its place in the array, whose errors those are; where layers drop different bits.
    errors : Out(stream of signed(error bits))
        One in two clocks. ``ready`` not while sums are made.

    One memory with a word for each input, twice if errors go back through several layers.
    """

    def __init__(self, m: Module, tree: Any) -> None:
        self.m, self.tree, self.array = m, tree, tree.array
        self.banked = len(self.array.reversing()) > 1

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        sender = {"sender": In(range(len(array.layers)))} if array.mixes_reverse_shifts else {}
        return {"begin": In(1), "first": In(1), "bank": In(1), "ask": In(1), "ask_bank": In(1), **sender,
                "errors": Out(stream.Signature(signed(array.formats.error.bits)))}

    @staticmethod
    def flags(array: ArrayDesign) -> tuple[str, ...]:
        return ("valid",)

    def build(self, total: Signal, ahead: list[Value], flags: list[Value]) -> None:
        m, tree, inputs = self.m, self.tree, self.array.most_errors
        m.submodules.partial = partial = memory.Memory(
            shape=total.shape(), depth=self.array.reverse_words, init=[], attrs=BLOCK)
        into, out_of = write_port(partial, "into"), read_port(partial, "out_of")
        row, row_late, place = (
            Signal(range(inputs + 1), name="row"), Signal(range(inputs), name="row_late"),
            Signal(range(inputs + 1), name="place"))
        giving, taken = Signal(name="giving"), Signal(name="taken")
        m.d.sync += [row.eq(Mux(tree.begin, 0, row + ahead[0])), row_late.eq(row), giving.eq(tree.errors.ready & ~taken),
                     place.eq(Mux(tree.ask, 0, place + taken))]
        m.d.comb += [
            taken.eq(giving & tree.errors.ready),
            out_of.addr.eq(Mux(tree.errors.ready, self._address(place, tree.ask_bank), self._address(row, tree.bank))),
            into.addr.eq(self._address(row_late, tree.bank)), into.en.eq(flags[0]),
            into.data.eq(over_folds(total, tree.first, out_of.data)),
            tree.errors.valid.eq(giving), tree.errors.payload.eq(error_of(self.array, out_of.data, getattr(tree, "sender", 0)))]

    def _address(self, row: Value, bank: Value) -> Value:
        bits = self._place_bits
        number = Cat(row, Const(0, bits))[:bits]                      # a single input's may have no bits
        return Cat(number, bank) if self.banked else number

    @property
    def _place_bits(self) -> int:
        return max(1, ceil_log2(self.array.most_errors))


EACH = 3                                  # clocks for an error that lies at its place


class AtPlaces(OnRequest):
    """The same where some layer is a convolution: products say to which input they belong, and its block RAM is so large that
    registers lie behind it: there is an error in each of ``EACH`` clocks.

    Members
    -------
    place : In(range(inputs))
        The input, with its products. ``begin`` is not looked at.
    """

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return OnRequest.members(array) | {"place": In(range(array.most_inputs))}

    @staticmethod
    def flags(array: ArrayDesign) -> tuple[str, ...]:
        return "valid", "place"

    def build(self, total: Signal, ahead: list[Value], flags: list[Value]) -> None:
        m, tree, inputs = self.m, self.tree, self.array.most_errors
        m.submodules.partial = partial = memory.Memory(
            shape=total.shape(), depth=self.array.reverse_words, init=[], attrs=BLOCK)
        into, out_of = write_port(partial, "into"), read_port(partial, "out_of")
        before, late, whole = (Signal.like(total, name=name) for name in ("before", "total_late", "whole"))
        places = [Signal(range(inputs), reset_less=True, name=f"place_{stage}") for stage in range(2)]
        valid, row = Signal(2, name="valid_late"), Signal(range(inputs + 1), name="row")
        giving, fetched, kept = Signal(name="giving"), Signal(name="fetched"), Signal(name="kept")
        m.d.sync += [
            before.eq(out_of.data), late.eq(total), whole.eq(over_folds(late, tree.first, before)),
            places[0].eq(flags[1]), places[1].eq(places[0]), valid.eq(Cat(flags[0], valid[0])),
            giving.eq(tree.errors.ready & ~giving & ~kept), row.eq(Mux(tree.ask, 0, row + fetched)),
            kept.eq(fetched), tree.errors.valid.eq(kept),
            tree.errors.payload.eq(error_of(self.array, before, getattr(tree, "sender", 0)))]
        m.d.comb += [
            fetched.eq(giving & tree.errors.ready),
            out_of.addr.eq(Mux(tree.errors.ready, self._address(row, tree.ask_bank), self._address(ahead[1], tree.bank))),
            into.addr.eq(self._address(places[1], tree.bank)), into.en.eq(valid[1]), into.data.eq(whole)]


class Exchanged:
    """Sums of reciprocal links come as soon as they are there, narrowed like drives.

    Members
    -------
    word_valid : Out(1), word : Out(signed(drive bits))
        ceil(log2(units)) + 2 clocks after their products.
    """

    def __init__(self, m: Module, tree: Any) -> None:
        self.m, self.tree, self.array = m, tree, tree.array

    @staticmethod
    def members(array: ArrayDesign) -> dict[str, Any]:
        return {"word_valid": Out(1), "word": Out(signed(array.formats.drive.bits))}

    @staticmethod
    def flags(array: ArrayDesign) -> tuple[str, ...]:
        return ("valid",)

    def build(self, total: Signal, ahead: list[Value], flags: list[Value]) -> None:
        word = clamp(half_up(total, self.array.link_shift), self.array.formats.drive.bits)
        self.m.d.sync += [self.tree.word.eq(word), self.tree.word_valid.eq(flags[0])]
