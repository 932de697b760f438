"""Experiment ``depth``: signals measured layer by layer, dead neurons, what is claimed."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model import parameters
from golden_model.data import datasets
from golden_model.model import Model
from golden_model.network import Learning, Network
from wuxing.experiments import depth
from wuxing.experiments.reversibility import found_signals


@pytest.fixture(scope="module")
def small():
    """A network of two hidden layers with its images."""
    data = datasets.load("digits")
    network = Network(layers=(64, 7, 6, 10), seed=3, learning=Learning(batch=12))
    return network, parameters.initial(network, "float"), data.train_images[:12], data.train_labels[:12]


@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_signals_are_measured_layer_by_layer(small, arithmetic):
    network, learnt, images, labels = small
    values = learnt if arithmetic == "float" else parameters.quantised(network, learnt)
    result = depth.signals(network, arithmetic, values, images, labels)
    unit = 1 if arithmetic == "float" else 4096
    outputs = [state.displacement[1] / unit for state in Model(network, arithmetic, values).forward(images)]
    np.testing.assert_allclose(result["forward"], [np.sqrt(np.var(each, axis=0).mean()) for each in outputs])
    np.testing.assert_allclose(result["reverse"], [np.sqrt(np.mean(each**2)) for each in found_signals(
        network, arithmetic, learnt, images, labels)[0]])
    assert result["dead"] == [0, 0, 0]


def test_neurons_that_say_the_same_to_every_image_are_dead(small):
    network, learnt, images, labels = small
    deaf = [layer.copy() for layer in learnt]
    deaf[1].weights[:3] = 0
    result = depth.signals(network, "float", deaf, images, labels)
    assert result["dead"] == [0, 0.5, 0]


def values(accuracy, test):
    layers = {f"{when}_{kind}": [1.0, 0.4, 0.1, 0.1, 0.1] if kind == "forward" else [0.01, 0.1, 0.1, 0.1, 0.1]
              for when in ("before", "after") for kind in ("forward", "reverse", "dead")}
    return {"accuracy": accuracy, "test": test} | layers


def test_the_target_is_that_of_the_gain_which_held_out_images_chose():
    """The other gain is better on the test images, which must not matter."""
    both = {"1": {"4": values(98.5, 97.9)}, "2.8": {"4": values(98.4, 98.1)}}
    target = depth.check(both)[-1]
    assert target.full_only
    assert "98 %" in target.sentence
    assert not target.holds
    both["2.8"]["4"]["accuracy"] = 98.6
    assert depth.check(both)[-1].holds
