"""Experiment ``images``: the networks that it makes, its claims, and any folder of images of its size."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model import parameters
from golden_model.data import datasets
from golden_model.network import Network
from wuxing.experiments import description, images, learner


@pytest.fixture
def settings(monkeypatch):
    digits = datasets.load("digits")
    monkeypatch.setattr(learner, "_whole", lambda *_: digits)
    return description.load("images").settings


def test_the_networks_of_the_full_run(settings):
    tasks = images.tasks(settings)
    assert len(tasks) == 3 * 2 * len(settings["arithmetics"])
    networks = {setting["kind"]: Network.from_dict(setting["network"]) for setting in tasks}
    assert networks["convolutions"].layers == (784, 2304, 512, 128, 10)
    assert networks["convolutions"].wiring.layers == (
        "convolution 5x5 stride 2 of 28x28x1", "convolution 5x5 stride 2 of 12x12x16", "full", "full")
    assert networks["full"].layers == (784, 256, 128, 10)
    assert networks["full"].wiring.layers == ()
    assert images.products(networks["full"]) == 784 * 256 + 256 * 128 + 128 * 10
    assert images.products(networks["convolutions"]) == 2304 * 25 + 512 * 400 + 512 * 128 + 1280
    shapes = parameters.layer_shapes(networks["convolutions"])
    assert [shape["weights"] for shape in shapes] == [(16, 25), (32, 400), (128, 512), (10, 128)]


def test_any_folder_of_images_of_that_size(settings, tmp_path, monkeypatch):
    """The four files of a data set of 28x28 points, written here; the setting is its path."""
    monkeypatch.undo()
    random = np.random.default_rng(0)
    for name, count in (("train", 30), ("t10k", 20)):
        pixels = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = np.arange(count).astype(np.uint8) % 3
        for kind, array, code in (("images-idx3", pixels, 3), ("labels-idx1", labels, 1)):
            head = bytes([0, 0, 8, code]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            (tmp_path / f"{name}-{kind}-ubyte").write_bytes(head + array.tobytes())
    variant = settings | {"dataset": str(tmp_path), "epochs": 1, "halvings": 0, "arithmetics": ["fixed"], "channels": [2, 2]}
    setting = images.tasks(variant)[0]
    assert setting["network"]["layers"] == [784, 288, 32, 128, 3]
    assert 0 <= images.run(setting)["accuracy"] <= 100


def test_claims_ask_for_more_accuracy_with_fewer_parameters_and_for_what_was_wanted():
    def claims(reached, of, dataset="mnist"):
        return [claim.holds for claim in images.check({
            "dataset": dataset, "convolutions, fixed": {"accuracy": reached, "parameters": of},
            "full, fixed": {"accuracy": 98.9, "parameters": 100}})]

    assert claims(99.0, 99) == [True, True]
    assert claims(98.99, 99) == [True, False]
    assert claims(98.9, 99) == [False, False]
    assert claims(99.5, 100) == [False, True]
    assert claims(50, 1, "fashion") == [False]
