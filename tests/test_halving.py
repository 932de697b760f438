"""Successive halving: how many settings go how far, and which ones."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from wuxing.halving import FACTOR, LEAST, MOST_RUNGS, plan, survivors


@pytest.mark.parametrize(("settings", "epochs", "rungs"), [
    (27, 60, [(27, 7), (9, 20), (3, 60)]), (81, 9, [(81, 1), (27, 3), (9, 9)]), (5, 20, [(5, 7), (2, 20)]), (2, 60, [(2, 60)]),
    (27, 1, [(27, 1)]), (10, 60, [(10, 7), (4, 20), (2, 60)])])
def test_a_third_of_the_settings_gets_three_times_the_epochs(settings, epochs, rungs):
    assert [(rung.settings, rung.epochs) for rung in plan(settings, epochs)] == rungs


@given(st.integers(2, 10_000), st.integers(1, 10_000))
def test_no_rung_costs_more_than_about_the_first_one(settings, epochs):
    rungs = plan(settings, epochs)
    assert (rungs[0].settings, rungs[-1].epochs) == (settings, epochs)
    assert 1 <= len(rungs) <= MOST_RUNGS
    assert min(rung.settings for rung in rungs) >= LEAST
    for before, after in zip(rungs, rungs[1:], strict=False):
        assert after.settings < before.settings
        assert before.epochs < after.epochs <= FACTOR * before.epochs


@pytest.mark.parametrize("settings", [-1, 0, 1, 10_001])
def test_two_settings_are_the_least_that_can_be_compared(settings):
    with pytest.raises(InputError, match=f"^settings to try must be 2 to 10000, the usual ones among them, not {settings}$"):
        plan(settings, 60)


def test_the_best_go_on_and_always_the_first():
    assert survivors([50.0, 90.0, 70.0, 90.0, 80.0], 3) == [0, 1, 3]
    assert survivors([99.0, 90.0, 70.0, 95.0, 80.0], 3) == [0, 1, 3]
    assert survivors([50.0, 60.0, 60.0], 2) == [0, 1]             # of equal ones the earlier
