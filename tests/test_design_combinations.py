# amaranth: UnusedElaboratable=no
"""Each two options of a design meet in one that is compared with the golden model word for word, or a sentence refuses them."""
import random
from collections import Counter

import pytest

from design_combinations import OPTIONS, REFUSED, all_pairs, case_of, covering, design_of, pairs
from golden_model.errors import InputError
from hdl import emit
from planted_bugs import planted_unit
from sim.cosim import cosim

DESIGNS = 32


def compared(case, **options):
    """Inferred, learnt if it learns, parameters read back at the end, all states of all neurons."""
    return cosim(case.design, case.values, case.images, case.taught, case.labels, states=len(case.images), idle=0.1, stall=0.1,
                 **options)


def test_every_pair_of_options_is_met_or_refused():
    assert len(covering()) == DESIGNS
    met = Counter(pair for choice in covering() for pair in pairs(choice))
    assert set(met) | set(REFUSED) == all_pairs()
    assert not set(met) & set(REFUSED)
    assert {option: {value for choice in covering() for name, value in choice if name == option} for option in OPTIONS} == {
        option: set(values) for option, values in OPTIONS.items()}


@pytest.mark.parametrize("pair", REFUSED, ids=lambda pair: " with ".join(value for _, value in pair))
def test_what_is_refused_is_refused_in_its_sentence_whatever_the_others_are(pair):
    """Every other option is drawn; none of them makes it a design, and the pair's own sentence is among those that are said."""
    chance, counts = random.Random(1), Counter()
    for _ in range(300):
        choice = tuple((option, dict(pair).get(option) or chance.choice(list(values))) for option, values in OPTIONS.items())
        inside = pairs(choice) & set(REFUSED)
        try:
            design = design_of(choice)
            emit.memory_files(design, case_of(choice, 1, 0).values)
        except InputError as error:
            counts.update([other for other in inside if str(error).startswith(REFUSED[other])] or [str(error)])
        else:
            raise AssertionError(f"{choice} was not refused")
    assert counts[pair] > 0, counts


@pytest.mark.parametrize("number", range(DESIGNS))
def test_a_design_of_the_covering_array_equals_the_golden_model(number):
    case = case_of(covering()[number], number)
    report = compared(case)
    assert report.mismatches == 0, f"{report.first.sentence}: {covering()[number]}"
    assert (report.images, report.learnt) == (len(case.images), len(case.taught))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_more_designs_of_drawn_options_equal_the_golden_model(seed):
    chance, count = random.Random(seed), 0
    while count < 25:
        choice = tuple((option, chance.choice(list(values))) for option, values in OPTIONS.items())
        if pairs(choice) & set(REFUSED):
            continue
        try:
            design_of(choice)
        except InputError:
            continue
        report = compared(case_of(choice, count))
        assert report.mismatches == 0, f"{report.first.sentence}: {choice}"
        count += 1


def test_a_gate_that_does_not_wait_for_its_bracket_is_noticed(monkeypatch):
    """Programmable neurons without learning once computed each gate with the next population's."""
    right = "Mux(control.gate_shift, gate, entering) if waits else gate"
    monkeypatch.setattr(emit, "to_verilog", emit.to_verilog.__wrapped__)     # nothing that was kept before
    monkeypatch.setattr(emit, "Unit", planted_unit("hdl.ring", right, "gate"))
    choice = next(choice for choice in covering() if {("kind", "programmable"), ("learns", "infers")} <= set(choice))
    assert compared(case_of(choice, 0)).mismatches > 0
