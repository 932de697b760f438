"""Experiment ``instincts``: candidates, what learns by which rule, how a candidate is chosen, what is claimed."""
from __future__ import annotations

import pytest

from golden_model.network import Learning
from wuxing.experiments import description, instincts
from wuxing.experiments.summary import Run

SETTINGS = {"rate_shifts": [3], "sign_rate_shifts": [9, 10], "pid_rate_shifts": [4, 5], "integral_gains": [0.0, 0.25],
            "derivative_gains": [0.0, 0.5]}


def run(instinct, rate_shift, accuracy, course, subject="C", gains=(1.0, 0.0, 0.0)):
    setting = {"subject": subject, "instinct": instinct, "rate_shift": rate_shift, "gains": list(gains), "levels": [90.0],
               "arithmetic": "fixed", "dataset": "digits", "train_images": None, "network": {"layers": [64, 10]}}
    return Run(setting, {"accuracy": accuracy, "test": accuracy - 1, "course": course})


def test_pid_is_tried_with_every_gain_but_those_of_the_proportional_instinct():
    result = instincts.candidates(SETTINGS, "")
    assert [(name, rate_shift) for name, rate_shift, _ in result] == [
        ("proportional", 3), ("sign", 9), ("sign", 10), *[("pid", 4)] * 3, *[("pid", 5)] * 3]
    assert [gains for name, rate_shift, gains in result if (name, rate_shift) == ("pid", 4)] == [
        (1.0, 0.0, 0.5), (1.0, 0.25, 0.0), (1.0, 0.25, 0.5)]


@pytest.mark.parametrize(("subject", "instinct", "trained"), [
    ("C", "proportional", {"links": 2**-3, "bias": 2**-3}),
    ("C", "sign", {"links": 2**-3, "bias": 2**-4}),
    ("K", "pid", {"K1": 2**-3, "K2": 2**-3, "K3": 2**-3}),
    ("K beside C", "sign", {"links": 2**-4, "bias": 2**-4, "K1": 2**-3, "K2": 2**-3, "K3": 2**-3})])
def test_only_the_subject_learns_by_the_instinct(subject, instinct, trained):
    gains = (1.0, 0.25, 0.5) if instinct == "pid" else (1.0, 0.0, 0.0)
    learning = Learning(**instincts.rules(subject, instinct, 3, gains, 2**-4))
    rates = {name: getattr(learning, name) for name in ("links", "bias", "K1", "K2", "K3")}
    assert {name: rate for name, rate in rates.items() if rate} == trained
    own = "links" if subject == "C" else "K1"
    assert learning.instinct(own) == instinct
    assert learning.gains(own) == gains
    assert learning.instinct("K1" if subject == "C" else "links") == "proportional"


def test_each_instinct_is_tried_in_every_subject_and_seed():
    settings = description.load("instincts", quick=True).settings
    tasks = instincts.tasks(settings)
    for own, subjects in (("", ["C"]), ("K_", ["K", "K beside C"])):
        for subject in subjects:
            assert len([each for each in tasks if each["subject"] == subject]) == 3 * len(instincts.candidates(settings, own))


def test_the_candidate_with_the_best_held_out_accuracy_is_taken():
    late, soon = [[1.0, 80.0], [2.0, 91.0]], [[1.0, 92.0], [2.0, 85.0]]
    runs = [run("proportional", 3, accuracy, late) for accuracy in (90.0, 92.0)]
    runs += [run("proportional", 4, accuracy, soon) for accuracy in (95.0, 89.0)]
    runs += [run("pid", 4, 80.0, [[1.0, 80.0]], gains=(1.0, 0.25, 0.0)), run("pid", 4, 81.0, late, gains=(1.0, 0.25, 0.0))]
    summary = instincts.summarise(runs)
    proportional, pid = summary.values["C"]["proportional"], summary.values["C"]["pid"]
    assert proportional["setting"] == "2^-4"
    assert proportional["accuracy"] == 92
    assert proportional["test"] == 91
    assert proportional["epochs"] == {"90": 1.0}
    assert proportional["fall"] == 7
    assert proportional["candidates"] == {"2^-3": 91, "2^-4": 92}
    assert pid["setting"] == "2^-4, I 0.25, D 0"
    assert pid["epochs"] == {"90": None}                         # not in every seed
    assert [row[2] for row in summary.tables[0].rows] == ["1.0 ± 0.0", "2.0 ± 0.0 (1 of 2 seeds)"]


def test_pid_helps_if_it_is_sooner_and_better_by_more_than_seeds_may_do():
    def claims(pid, plain):
        values = {subject: {name: {"accuracy": accuracy, "epochs": {"97": epochs}} for name, (accuracy, epochs) in {
            "proportional": plain, "sign": plain, "pid": pid}.items()} for subject in instincts.SUBJECTS}
        values["K"] = {name: {"accuracy": each["accuracy"] - 50, "epochs": {}} for name, each in values["C"].items()}
        return [claim.holds for claim in instincts.check(values)]

    assert claims((98.2, 4.0), (97.0, 5.0)) == [True] * 6
    assert claims((97.1, 4.8), (97.0, 5.0)) == [True, True, False, False, False, False]
    assert claims((97.1, None), (97.0, 5.0))[2] is False
    assert claims((97.1, 7.0), (97.0, None))[2] is True
