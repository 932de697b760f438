"""Faults of a core's netlist are noticed by random frames; what is proven to show nothing is none that was noticed."""
import numpy as np
import pytest

from gates import AND, FALSE, MUX, TRUE, XOR, Gates
from lanes import SAME
from netlist_mutants import CORES, judged, mutated, score
from unseen import Machine


def test_gates_that_follow_from_constants_are_not_made():
    gates = Gates()
    one, other = gates.source(), gates.source()
    assert gates.gate(AND, one, one ^ 1) == gates.gate(XOR, other, other) == FALSE
    assert gates.gate(MUX, one ^ 1, other, one) == gates.gate(AND, one, other)
    assert gates.gate(MUX, other, one, one ^ 1) == gates.gate(XOR, one, other)
    assert gates.gate(XOR, one ^ 1, TRUE) == one
    assert len(gates.nodes) == 5


def test_what_no_state_that_is_reached_can_show_is_unseen_and_nothing_else():
    """Registers a and b are never both 1; c is read by d alone, which nobody reads."""
    gates = Gates()
    for name in ("rst", "s_axis_tvalid", "s_axis_tlast", "s_axis_tdata", "m_axis_tready", "mutant0", "mutant1", "mutant2"):
        gates.inputs[name] = [gates.source()]
    a, b, c, d = (gates.source() for _ in range(4))
    [valid], [both], [one], [lost] = (gates.inputs[name] for name in ("s_axis_tvalid", "mutant0", "mutant1", "mutant2"))
    gates.registers, gates.begins = [each >> 1 for each in (a, b, c, d)], [0] * 4
    gates.follows = [valid, gates.gate(AND, valid ^ 1, a), gates.gate(XOR, valid, lost), c]
    changed = gates.gate(XOR, gates.gate(AND, both, gates.gate(AND, a, b)), gates.gate(AND, one, b))
    gates.outputs = {"s_axis_tready": [TRUE], "m_axis_tvalid": [gates.gate(XOR, a, changed)], "m_axis_tlast": [FALSE],
                     "m_axis_tdata": [FALSE]}
    gates.nets = {"a": [a], "b": [b]}
    machine = Machine(gates)
    assert machine.small() == [0, 1]
    assert [machine.unseen(number) for number in range(3)] == [False, False, True]
    machine = Machine(gates)
    assert machine.learn([0, 1], np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.uint8)) == 1
    assert [machine.unseen(number) for number in range(3)] == [True, False, True]


def test_what_a_simulation_saw_is_not_taken_as_given_where_it_can_end():
    """Register a was always 0 while it was watched, but it follows an input."""
    gates = Gates()
    for name in ("rst", "s_axis_tvalid", "s_axis_tlast", "s_axis_tdata", "m_axis_tready", "mutant0"):
        gates.inputs[name] = [gates.source()]
    a = gates.source()
    gates.registers, gates.begins, gates.follows, gates.nets = [a >> 1], [0], [*gates.inputs["s_axis_tlast"]], {"a": [a]}
    gates.outputs = {"s_axis_tready": [TRUE], "m_axis_tvalid": [gates.gate(AND, a, gates.inputs["mutant0"][0])],
                     "m_axis_tlast": [FALSE], "m_axis_tdata": [FALSE]}
    machine = Machine(gates)
    assert machine.learn([0], np.zeros((9, 1), np.uint8)) == 0
    assert not machine.unseen(0)


def test_20_mutations_of_a_time_shared_core():
    """Its words without a mutation are those of the golden model, or ``judged`` says so."""
    gates, mutations = mutated(CORES["time-shared"], 20)
    assert len(mutations) >= 15
    verdicts = judged(CORES["time-shared"], gates, len(mutations), 3_000)
    assert (verdicts.how != SAME).sum() >= len(mutations) / 2


@pytest.mark.long
@pytest.mark.parametrize("core", CORES)
def test_200_mutations(core):
    result = score(CORES[core], 200, 100_000)
    assert result.caught > 0.8, result.survivors
