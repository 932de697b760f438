"""Experiment ``what-learns``: only the set is trained, falls, what is claimed."""
from __future__ import annotations

from wuxing.experiments import description, what_learns


def test_the_greatest_fall_is_from_any_epoch_to_a_later_one():
    assert what_learns.fall([50.0, 90.0, 70.0, 80.0, 60.0]) == 30
    assert what_learns.fall([10.0, 20.0, 30.0]) == 0


def test_only_the_set_is_trained():
    settings = description.load("what-learns", quick=True).settings
    tasks = [setting for setting in what_learns.tasks(settings) if setting["seed"] == 0 and setting["rate_shift"] == 8]
    rates = {setting["set"]: {name: setting["network"]["learning"][name] for name in ("links", "bias", "K1", "K2", "K3")}
             for setting in tasks}
    r, usual = 2**-8, 2**-4
    assert {name: list(each.values()) for name, each in rates.items()} == {
        "K3": [0, 0, 0, 0, r], "K1, K2, K3": [0, 0, r, r, r], "bias": [0, r, 0, 0, 0], "K and bias": [0, r, r, r, r],
        "C": [r, 0, 0, 0, 0], "everything, one rate": [r] * 5, "everything, own rates": [usual, usual, r, r, r]}


def outcome(accuracy, fell=0.0):
    return {"best": 4, "accuracy": {4: accuracy, 8: accuracy - 1}, "fell": {4: fell, 8: 0.0}}


def test_one_rate_is_unstable_if_it_ends_lower_or_falls_at_the_best_rate_of_links():
    claims = {}
    for name, everything in {"lower": outcome(80.0), "falls": outcome(90.0, 1.0), "stable": outcome(90.0)}.items():
        values = {"16": dict.fromkeys(what_learns.SETS, outcome(30.0)) | {
            "C": outcome(91.0), "everything, one rate": everything, "everything, own rates": outcome(91.0)}}
        claims[name] = what_learns.check(values)[-1]
    assert claims["stable"].full_only
    assert {name: claim.holds for name, claim in claims.items()} == {"lower": True, "falls": True, "stable": False}
