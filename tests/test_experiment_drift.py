"""Experiment ``drift``: streams, what is measured on them, how the rate is chosen, what is claimed."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.data import datasets, transforms
from golden_model.engine import CompiledModel
from golden_model.training import accuracy, train
from wuxing.experiments import description, drift, learner
from wuxing.experiments.summary import Run

SETTING = {"pixels": 1, "degrees": 45.0}


@pytest.fixture(scope="module")
def done():
    """A small task and its result."""
    settings = description.load("drift", quick=True).settings | {"epochs": 2, "hidden": 8, "stream": 300, "window": 100}
    setting = drift.tasks(settings)[0]
    return setting, drift.run(setting)


def test_streams_are_transforms_of_the_images():
    data = datasets.load("digits")
    images, shape = data.test_images[:40], data.image_shape
    assert np.array_equal(drift.changed(images, shape, "none", SETTING), images)
    assert np.array_equal(drift.changed(images, shape, "inverted", SETTING), 255 - images)
    assert np.array_equal(drift.changed(images, shape, "shifted", SETTING), transforms.moved(images, shape, 1, 1))
    assert np.array_equal(drift.changed(images, shape, "rotated", SETTING), transforms.rotated(images, shape, 45))
    rotating = drift.changed(images, shape, "rotating", SETTING)
    assert np.array_equal(rotating[19], transforms.rotated(images[19:20], shape, 45)[0])
    assert np.array_equal(rotating[39], transforms.rotated(images[39:], shape, 90)[0])
    assert np.array_equal(drift.changed(images, shape, "rotating", SETTING, at_the_end=True)[0],
                          transforms.rotated(images[:1], shape, 90)[0])


def test_the_stream_is_learnt_in_order_from_images_that_were_held_out(done):
    setting, result = done
    network, training, data, _ = learner.learnt(setting)
    model = CompiledModel(network.with_learning(links=0.5, bias=0.5, epochs=1, halvings=0), "fixed", training.parameters)
    right = model.learn(transforms.inverted(data.test_images), data.test_labels) == data.test_labels
    assert result["drifts"]["inverted"]["online"] == pytest.approx(
        [100 * right[start:start + 100].mean() for start in (0, 100, 200)])
    whole = datasets.load("digits")
    assert result["drifts"]["inverted"]["plain"] == accuracy(model, whole.test_images, whole.test_labels)
    assert result["drifts"]["inverted"]["after"] == accuracy(model, 255 - whole.test_images, whole.test_labels)
    assert result["drifts"]["none"]["after"] == result["drifts"]["none"]["plain"]


def test_who_does_not_learn_stays_as_he_was(done):
    setting, result = done
    data = learner.images(setting)
    training = train(drift.Network.from_dict(setting["network"]), "fixed", data)
    model = CompiledModel(drift.Network.from_dict(setting["network"]), "fixed", training.parameters)
    right = model.predict(data.test_images) == data.test_labels
    assert result["drifts"]["none"]["frozen"] == pytest.approx(
        [100 * right[start:start + 100].mean() for start in (0, 100, 200)])
    whole = datasets.load("digits")
    assert result["drifts"]["none"]["before"] == result["undrifted"] == accuracy(model, whole.test_images, whole.test_labels)


def test_recovery_is_counted_to_the_end_of_the_first_window_that_is_near():
    assert drift.recovered([50.0, 89.0, 90.0, 95.0], 90.0, 500) == 1500
    assert drift.recovered([50.0, 89.0], 90.0, 500) is None


def run_of(rate_shift, online, test=99.0):
    each = {"online": online, "frozen": [10.0] * len(online), "before": 10.0, "after": test, "plain": 90.0}
    setting = {"rate_shift": rate_shift, "window": 500, "hold_out": 1000, "dataset": "digits", "network": {"layers": [64, 10]}}
    return Run(setting, {"undrifted": 95.0, "drifts": dict.fromkeys(drift.DRIFTS, each)})


def test_the_rate_is_chosen_on_the_stream_and_not_on_the_test_images():
    summary = drift.summarise([run_of(4, [60.0, 80.0]), run_of(5, [70.0, 91.0], test=20.0), run_of(5, [60.0, 89.0], test=20.0)])
    assert summary.values["rate_shift"] == 5
    assert summary.values["rotated"]["recovered"] is None              # one of the two seeds did not
    assert summary.tables[0].rows[0][:5] == ("none", "65.0", "1,000 (1 of 2 seeds)", "90.0", "10.0")


def test_claims_count_what_learning_brings_back():
    summary = drift.summarise([run_of(4, [90.0, 95.0], test=94.0)])
    assert [claim.holds for claim in drift.check(summary.values)] == [True] * 6
    lost = drift.summarise([run_of(4, [30.0, 40.0], test=40.0)])
    assert [claim.holds for claim in drift.check(lost.values)] == [True, False, False, False, False, True]
