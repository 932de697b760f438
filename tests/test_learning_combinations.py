"""Designs whose K, convolutions or recurrent layer learn are compared with the golden model word for word, states included."""
import pytest

from design_combinations import drawn, pairs
from learning_combinations import OPTIONS, SUBJECTS, covering, design_of, first_of_each_subject
from test_design_combinations import compared

REST = [number for number in range(len(covering())) if covering()[number] not in first_of_each_subject()]


def agrees(choice, seed):
    case = drawn(design_of(choice), choice[0][1].startswith("K"), seed)
    report = compared(case)
    assert report.mismatches == 0, f"{report.first.sentence}: {choice}"
    assert (report.images, report.learnt) == (len(case.images), len(case.taught))


def test_the_first_designs_have_every_subject_and_every_value():
    assert [choice[0][1] for choice in first_of_each_subject()] == list(SUBJECTS)
    values = {pair for choice in first_of_each_subject() for pair in choice}
    assert values == {(option, value) for option, own in OPTIONS.items() for value in own}


def test_all_designs_together_have_every_pair():
    values = {option: set(own) for option, own in OPTIONS.items()}
    met = {pair for choice in covering() for pair in pairs(choice)}
    assert len(met) == sum(len(values[one]) * len(values[other]) for place, one in enumerate(values)
                           for other in list(values)[place + 1:])


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_learns_equals_the_golden_model(subject):
    agrees(first_of_each_subject()[list(SUBJECTS).index(subject)], 1)


@pytest.mark.long
@pytest.mark.parametrize("number", REST)
def test_what_learns_equals_the_golden_model_whatever_else_there_is(number):
    agrees(covering()[number], number)
