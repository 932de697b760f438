# amaranth: UnusedElaboratable=no
"""Rings in memory: with the places of a cluster's control register they show what rings of registers show, clock by clock."""
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.network import POPULATIONS, Network
from hdl import control
from hdl.design import Design
from hdl.ring import memory_ring, shift_ring
from planted_bugs import planted

ARRAY = Design(network=Network(layers=(3, 2)), target="ecp5").arrays[0]
WORD = st.integers(-8, 7)
# a cleared ring of step starts turns any number of times; once new words enter, at least five do before it turns again
TURNS = st.lists(st.sampled_from([{}, {"start_shift": 1}]), max_size=12)
ENTERS = st.lists(WORD, min_size=POPULATIONS, max_size=9).map(
    lambda words: [{"start_shift": 1, "start_new": 1, "word": word} for word in words])
STEP = st.builds(lambda clear, before, words, after: [{"clear": 1}] * clear + before + words + after,
                 st.booleans(), TURNS, ENTERS, TURNS)
GATES = st.lists(st.builds(lambda shift, new, gate: {"gate_shift": shift, "gate_new": new, "gate": gate},
                           st.integers(0, 1), st.integers(0, 1), st.integers(0, 15)), max_size=60)


def compare(clocks, register_class=control.ControlRegister):
    """Rings of both kinds, side by side behind one control register, show the same in every clock."""
    m = Module()
    m.submodules.register = register = register_class(ARRAY)
    source, source_word, source_gate = register.control, Signal(signed(4)), Signal(4)
    word, gate = Signal(signed(4)), Signal(4)                      # as late as the control word
    m.d.sync += [word.eq(source_word), gate.eq(source_gate)]
    starts = shift_ring(m, "start", 4, shift=source.start_shift, new=source.start_new, word=word, clear=source.clear)
    gates = shift_ring(m, "gate", 4, shift=source.gate_shift, new=source.gate_new, word=gate, is_signed=False)
    start = Signal(signed(4))                                      # registered, as the units do
    m.d.sync += start.eq(memory_ring(m, "start", 4, write=source.start_write, place=source.start_place,
                                     write_place=source.start_written, word=word))
    last = memory_ring(m, "gate", 4, write=source.gate_write, place=source.gate_last, write_place=source.gate_place, word=gate,
                       is_signed=False)

    async def bench(ctx):
        for fields in [*clocks, {}, {}]:
            for name in ("start_shift", "start_new", "clear", "gate_shift", "gate_new"):
                ctx.set(getattr(register.source, name), fields.get(name, 0))
            ctx.set(source_word, fields.get("word", 0))
            ctx.set(source_gate, fields.get("gate", 0))
            await ctx.tick()
            assert ctx.get(starts[0]) == ctx.get(start), fields
            assert ctx.get(gates[-1]) == ctx.get(last), fields

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@given(steps=st.lists(STEP, min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_step_starts(steps):
    compare([clock for step in steps for clock in step])


@given(clocks=GATES)
@settings(deadline=None, max_examples=40)
def test_gates(clocks):
    compare(clocks)


BUGS = {
    "zeros too short": ("with m.If(fresh == POPULATIONS - 1):", "with m.If(fresh == POPULATIONS - 2):"),
    "not cleared": ("[fresh.eq(0), zero.eq(1)]", "[fresh.eq(0)]"),
    "six places": ("Mux(start == POPULATIONS - 1, 0, start + 1)", "Mux(start == POPULATIONS, 0, start + 1)"),
    "the gate before": ("last.eq(place)", "last.eq(Mux(place == 0, POPULATIONS - 1, place - 1))"),
    "written while it turns": ("gate_write.eq(source.gate_shift & source.gate_new)", "gate_write.eq(source.gate_shift)"),
}
LIFE = [{"clear": 1}] + [{"start_shift": 1}] * 5 + [
    {"start_shift": 1, "start_new": 1, "word": word, "gate_shift": 1, "gate_new": 1, "gate": word} for word in range(1, 8)
] + [{"start_shift": 1, "gate_shift": 1, "gate": 15}] * 7 + [{"clear": 1}] + [{"start_shift": 1}] * 5 + [
    {"start_shift": 1, "start_new": 1, "word": word} for word in range(-5, 0)]


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    compare(LIFE)
    with pytest.raises(AssertionError):
        compare(LIFE, planted("hdl.control", *BUGS[name]).ControlRegister)
