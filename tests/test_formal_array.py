# amaranth: UnusedElaboratable=no
"""Proofs about parts of the array: narrowing equals its specification, lists keep their offers, sequencers come to rest."""
import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from formal import check
from golden_model.fixed_point import Format
from hdl.activation_list import ActivationList
from hdl.narrow import Narrow
from planted_bugs import planted


class NarrowProof(wiring.Component):
    """For every value the result is the nearest word, ties upwards, or the limit on its side: said without shifting."""

    def __init__(self, bits, shift, result, unit=Narrow):
        self.dut, self.bits, self.shift, self.to = unit(bits, shift, Format(result, 0)), bits, shift, Format(result, 0)
        super().__init__({"value": In(signed(bits))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        step, wide = 1 << self.shift, self.bits + self.to.bits + self.shift + 3
        doubled, result = Signal(signed(wide)), Signal(signed(wide))        # 2 value, and the result
        m.d.comb += [dut.value.eq(self.value), doubled.eq(2 * self.value), result.eq(dut.result)]
        low, high = (2 * result - 1) * step, (2 * result + 1) * step       # what rounds to result: low <= 2 value < high
        m.d.comb += [
            Assert((low <= doubled) | (result == self.to.least), "not too great"),
            Assert((doubled < high) | (result == self.to.greatest), "not too small")]
        return m


@pytest.mark.parametrize(("bits", "shift", "result"), [(8, 3, 4), (31, 12, 13), (18, 0, 13), (20, 19, 3), (6, 2, 9)])
def test_narrowing_is_its_specification_for_every_value(bits, shift, result):
    verdict = check(NarrowProof(bits, shift, result), depth=1)
    assert (verdict.status, verdict.failed) == ("PASS", ())


@pytest.mark.parametrize(("right", "wrong"), [
    ("(value[shift - 1:].as_signed() + 1) >> 1", "value[shift:].as_signed()"),
    ("Mux(fits(value, bits), value[:bits], limit)", "value[:bits]"),
])
def test_a_narrowing_with_a_planted_bug_is_refuted(right, wrong):
    verdict = check(NarrowProof(12, 4, 5, planted("hdl.narrow", right, wrong).Narrow), depth=1)
    assert verdict.status == "FAIL"
    assert verdict.failed in {("not too small",), ("not too great",), ("not too great", "not too small")}


class ListProof(wiring.Component):
    """A list whose two sides keep the rules and are otherwise free, beside a model of its two banks.

    Every play gives the nonzero displacements of its image in their order, each once, none that was not written, and the last
    item when all of them were given; what is on offer stays until it is taken, or a start or release withdraws it.
    """

    def __init__(self, list_class=ActivationList, inputs=2, bits=1):
        self.dut, self.inputs, self.bits = list_class(inputs, bits), inputs, bits
        super().__init__({"value": In(signed(bits)), "written": In(1), "learn": In(1), "start": In(1), "release": In(1),
                          "ready": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        item, ready = dut.items.payload, self.ready
        content, writing, playing = Signal(range(self.inputs + 1)), Signal(), Signal()
        words = [[Signal(signed(self.bits), name=f"word_{bank}_{k}") for k in range(self.inputs)] for bank in range(2)]
        whole, played, active = Signal(2), Signal(), Signal()
        m.d.comb += [dut.written_valid.eq(self.written), dut.written.value.eq(self.value), dut.written.learn.eq(self.learn),
                     dut.written.last.eq(content == self.inputs - 1), dut.start.eq(self.start), dut.release.eq(self.release),
                     dut.items.ready.eq(ready)]
        ended = dut.items.valid & ready & item.last
        # the rules that both sides keep
        m.d.comb += [Assume(~self.written | (content != 0) | dut.free), Assume(~self.start | dut.available),
                     Assume(~self.release | (dut.available & (played | ended))), Assume(~(self.start & self.release))]
        with m.If(self.written):
            m.d.sync += content.eq(Mux(dut.written.last, 0, content + 1))
            for bank in range(2):
                for k, word in enumerate(words[bank]):
                    with m.If((writing == bank) & (content == k)):
                        m.d.sync += word.eq(self.value)
            with m.If(dut.written.last):
                m.d.sync += [writing.eq(~writing), whole.bit_select(writing, 1).eq(1)]
        mask = Signal(self.inputs)
        with m.If(dut.items.valid & ready):
            m.d.sync += mask.bit_select(item.index, 1).eq(1)
            with m.If(item.last):
                m.d.sync += [active.eq(0), played.eq(1)]
        with m.If(self.start):
            m.d.sync += [mask.eq(0), active.eq(1), played.eq(0)]
        with m.If(self.release):
            m.d.sync += [playing.eq(~playing), played.eq(0), active.eq(0), whole.bit_select(playing, 1).eq(0)]
        now = [Mux(playing, second, first) for first, second in zip(*words, strict=True)]
        nonzero = Signal(self.inputs)
        m.d.comb += nonzero.eq(Cat(word != 0 for word in now))
        with m.If(dut.items.valid & ~self.start):
            m.d.comb += Assert(active, "nothing is on offer before a start or after the last item")
            with m.If(item.last):
                m.d.comb += [Assert(whole.bit_select(playing, 1), "the last item comes after the last displacement"),
                             Assert(mask == nonzero, "none is dropped"),
                             Assert((item.index == self.inputs) & (item.value == 0), "the last item is the bias")]
            with m.Else():
                right = Mux(item.index == 0, now[0], now[1])
                m.d.comb += [Assert((item.value == right) & (item.value != 0), "each is what was written"),
                             Assert((mask >> item.index) == 0, "ascending, each once")]
        offered, before = Signal(), Signal.like(Value.cast(item))
        m.d.sync += [offered.eq(dut.items.valid & ~ready & ~self.start & ~self.release), before.eq(item)]
        with m.If(offered):
            m.d.comb += [Assert(dut.items.valid, "what waits stays"),
                         Assert(Value.cast(item) == before, "what waits stays the same")]
        m.d.comb += Cover(played & whole.all(), "both banks are used")
        return m


def test_lists_give_what_was_written_and_keep_what_they_offer():
    verdict = check(ListProof(), mode="bmc", depth=9)
    assert (verdict.status, verdict.failed) == ("PASS", ())
    assert check(ListProof(), mode="cover", depth=10).passed


# Where ``failed`` is empty several properties break, and the solver names any of them
@pytest.mark.parametrize(("right", "wrong", "failed"), [
    ("move.eq(~valid | self.items.ready)", "move.eq(1)", "what waits stays"),
    ("self.written.value.any())]", "1)]", "each is what was written"),
    ("self.free.eq(~begun.bit_select(writing, 1))", "self.free.eq(1)", ""),
    ("with m.Elif(active & closed.bit_select(playing, 1)):", "with m.Elif(active):", ""),
])
def test_a_list_with_a_planted_bug_is_refuted(right, wrong, failed):
    verdict = check(ListProof(planted("hdl.activation_list", right, wrong).ActivationList), mode="bmc", depth=9)
    assert verdict.status == "FAIL"
    assert any(message.startswith(failed) for message in verdict.failed)
