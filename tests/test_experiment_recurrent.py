"""Experiment ``recurrent``: its networks, the step that is short enough, a Hopfield net by hand, what is claimed."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.data import datasets
from wuxing.experiments import description, learner, recurrent


def test_the_networks_of_the_full_run(monkeypatch):
    digits = datasets.load("digits")
    monkeypatch.setattr(learner, "_whole", lambda *_: digits)
    settings = description.load("recurrent").settings
    tasks = recurrent.tasks(settings)
    assert {setting["kind"] for setting in tasks} == {"stability", "rows", "memory"}
    learnt, frozen = (recurrent.reader(settings, 1, flag) for flag in (0, 1))
    assert learnt.wiring.layers == ("recurrent 28 steps 1 K3 0.125", "full", "full")
    assert learnt.layers == (784, 96, 64, 10)
    assert (learnt.learning.frozen, frozen.learning.frozen) == (0, 1)
    assert learnt.with_learning(frozen=1) == frozen


@pytest.mark.parametrize("scale", [0.1, 1.0, 2.0])
def test_the_short_step_is_below_the_bound_and_its_double_is_not(scale):
    links = np.random.default_rng(0).uniform(-scale, scale, (12, 12))
    dt = recurrent.short_step(links)
    mother, prey = np.roll(np.eye(5), -1, axis=1), np.roll(np.eye(5), 2, axis=1)     # with K1 = K2 = 1/2
    ring = np.abs(np.linalg.eigvals((mother - mother.T + prey - prey.T) / 2)).max()
    frequency = 2 * (np.linalg.norm(links, 2) + ring)
    assert dt**3 * frequency**4 <= 8 < (2 * dt)**3 * frequency**4


def test_a_net_that_steps_too_far_gains_energy_and_stays_in_range():
    setting = {"kind": "stability", "seed": 0, "scale": 2.0, "fraction": 12, "short": False, "neurons": 6, "time": 4.0}
    far, near = recurrent.run(setting), recurrent.run(setting | {"short": True})
    assert far["rise"] > 0.01 > near["rise"]
    assert far["reach"] <= 1
    assert near["left"] < 0.1 < far["left"]


def test_a_hopfield_net_restores_one_pattern():
    pattern = np.random.default_rng(0).choice([-1, 1], (1, 16))
    cue = pattern.copy()
    cue[:, 8:] = 0
    np.testing.assert_array_equal(recurrent.hopfield(pattern, cue), pattern)


def test_claims():
    def holds(**changes):
        values = {"dataset": "mnist", "rows": {"fixed": {"learnt": 96.0, "frozen": 90.0}},
                  "stability": [{"fraction": None, "short": True, "rise": 0.0, "left": 0.0, "reach": 1.0},
                                {"fraction": 12, "short": True, "rise": 0.001, "left": 0.001, "reach": 1.0}],
                  "memory": {"float": {"4": 99.0, "16": 90.0}, "fixed": {"4": 98.0, "16": 90.0}, "hopfield": {}}} | changes
        return [claim.holds for claim in recurrent.check(values)]

    assert holds() == [True] * 7
    assert holds(rows={"fixed": {"learnt": 95.9, "frozen": 96.0}}) == [True, True, True, False, True, True, False]
    assert holds(dataset="digits") == [True] * 6
    grows = [{"fraction": None, "short": True, "rise": 1e-6, "left": 0.0, "reach": 1.1}]
    assert holds(stability=grows)[:3] == [False, True, False]
    assert holds(memory={"float": {"4": 94.0, "8": 95.0}, "fixed": {"4": 98.0, "8": 99.0}})[4:6] == [False, False]
