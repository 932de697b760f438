"""Reservation tables: what follows from them is what the circuit was built by, and tables that cannot be are refused."""
from dataclasses import replace

import pytest

from hdl.half_step import HALF_STEPS, PROGRAMMABLE, SHIFT, Part, issue_phases
from hdl.operations import PARALLEL, TIME_SHARED, WINDOWED, At, Operand, Operation

# Literal copies, an expectation that does not follow from the tables: clock, field, what it is set to
LINK = {(1, "address", "ADDRESS"), (1, "broadcast_b", "INPUT"), (2, "word_enable", 1), (5, "accumulate", 1)}
UPDATE = {(1, "operand", "SCALED_INPUT"), (5, "update", 1), (6, "judge", 1), (6, "bias_row", "LAST")}
APPLY = {(3, "sum_read", "ADDRESS"), (5, "apply", 1), (6, "update", 1), (7, "judge", 1), (7, "bias_row", "LAST")}
SETTLES = {"self_enable": {0, 1, 2, 3, 4}, "gate_shift": {0, 1, 2, 3, 4}, "coupling_enable": {1, 2, 3, 4, 5},
           "mean_enable": {3, 4, 5, 6, 7}, "start_shift": {3, 4, 5, 6, 7}, "state_new": {5, 6, 7, 8, 9}}
TURNS = {"bracket_first": {4, 10, 16, 22, 28}, "bracket_latch": {9, 15, 21, 27, 33}, "gate_shift": {10, 16, 22, 28, 34},
         "bracket_enable": {13, 19, 25, 31, 37}, "mean_enable": {14, 20, 26, 32, 38},
         "result_shift": {16, 22, 28, 34, 40, 41, 42, 43, 44, 45}, "state_new": {41, 42, 43, 44, 45},
         "bracket_subtract": {4, 5, 7, 10, 11, 13, 16, 17, 19, 22, 23, 25, 28, 29, 31}}


def literal(operation):
    return {(at.clock, at.field, getattr(at.value, "name", at.value)) for at in operation.fields}


def test_tables_are_those_that_are_written_down_here():
    assert literal(PARALLEL["link"]) == LINK
    assert literal(TIME_SHARED["update"]) == UPDATE
    assert literal(WINDOWED["apply"]) == APPLY
    assert {field: SHIFT.when(field) for field in SHIFT.flags} == SETTLES
    assert {field: PROGRAMMABLE.when(field) for field in TURNS} == TURNS
    assert SHIFT.when("start_shift", Operand.CORRECTOR) == {5, 6, 7, 8, 9}


def test_what_follows_from_the_tables():
    assert (SHIFT.phases, PROGRAMMABLE.phases) == (10, 46)
    assert (PARALLEL.drain, TIME_SHARED.drain, WINDOWED.drain) == (5, 4, 5)
    assert (PARALLEL.drain_of_errors, TIME_SHARED.drain_of_errors, WINDOWED.drain_of_errors) == (6, 5, 5)
    assert (PARALLEL.product, TIME_SHARED.product, WINDOWED.product) == (5, 5, 6)
    assert (PARALLEL.update_to_read, TIME_SHARED.updated, WINDOWED.updated) == (3, 8, 10)
    assert PARALLEL["restore"].cycles == 6


@pytest.mark.parametrize(("path", "phases"), [
    (PARALLEL, range(4, 9)), (TIME_SHARED, range(5, 10)), (WINDOWED, range(4, 9))])
def test_items_are_issued_where_the_multiplier_idles(path, phases):
    assert issue_phases(path, SHIFT) == phases
    assert issue_phases(path, PROGRAMMABLE) == range(0)
    enters = path["link"].enters(path) - path.lead
    assert {(phase + enters) % SHIFT.phases for phase in phases} | SHIFT.multiplies == set(range(SHIFT.phases))


def test_phases_that_do_not_follow_one_another_are_refused():
    """Sequencers and timing count phases from the first to the last one."""
    spread = replace(SHIFT, parts=(Part(period=2, table=SHIFT.parts[0].table),))
    with pytest.raises(AssertionError, match=r"must follow one another, not be \[0, 2, 4, 6, 8, 9, 10, 11, 12\]"):
        issue_phases(PARALLEL, spread)


def test_words_that_would_be_fetched_in_the_clocks_of_writes_are_refused():
    with pytest.raises(AssertionError, match="words must be fetched in even clocks, also of the next fold, not after 9"):
        replace(TIME_SHARED, written=3).updated  # noqa: B018


@pytest.mark.parametrize("path", [PARALLEL, TIME_SHARED, WINDOWED])
def test_operands_of_every_operation_meet_at_the_multiplier(path):
    for operation in path.operations.values():
        if operation.name != "apply":                                 # which needs no multiplier
            assert operation.enters(path) >= 1
    late = Operation("late", (*path["link"].fields, At(4, "word_enable")))
    with pytest.raises(AssertionError, match="operands of late must meet at the multiplier in one clock"):
        late.enters(path)


def test_every_kind_of_neuron_has_its_half_step():
    assert set(HALF_STEPS) == {"shift", "programmable", "own K", "split K"}
    for table in HALF_STEPS.values():
        assert len(table.when("drive_enable", Operand.ENTRANCE)) == 5
        assert table.when("corrector_gate", Operand.CORRECTOR) == table.when("predictor_gate", Operand.PREDICTOR)
