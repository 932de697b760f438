"""Experiment ``ladder``: what the peers learn from, costs counted another way, choice of rates, claims.

Where PyTorch is not installed, the peers must say so in one sentence; where it is, they must learn what NumPy says.
"""
from __future__ import annotations

import re
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from golden_model.data import datasets
from golden_model.errors import ToolError
from golden_model.network import Learning
from wuxing.experiments import description, ladder, peers
from wuxing.experiments.summary import Run

MISSING = "the peers of this experiment must find PyTorch, which is not installed; pip install 'wuxing[bench]'"
LAYERS = (64, 9, 7, 10)


def peer_of(method, layers=LAYERS):
    """The peer, or None where there is no PyTorch and that was said."""
    if find_spec("torch") is not None:
        return peers.Peer(method, layers, 3)
    with pytest.raises(ToolError, match=f"^{re.escape(MISSING)}$"):
        peers.Peer(method, layers, 3)
    return None


def test_without_pytorch_the_peers_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match=f"^{re.escape(MISSING)}$"):
        peers.Peer("backpropagation", LAYERS, 0)


def carried_back(method, weights, feedback, error, sums):
    """Signals of all layers, by the formulas of the three papers."""
    if method == "direct feedback alignment":
        return [*((error @ back) * (z > 0) for back, z in zip(feedback, sums, strict=False)), error]
    signals = [error]
    ways = weights[1:] if method == "backpropagation" else feedback
    for way, z in zip(reversed(ways), reversed(sums[:-1]), strict=True):
        signals.insert(0, signals[0] @ way * (z > 0))
    return signals


@pytest.mark.parametrize("method", peers.METHODS)
def test_a_peer_learns_from_what_its_paper_says(method):
    peer = peer_of(method)
    if peer is None:
        return
    data = datasets.load("digits")
    x, labels = data.train_images[:20].astype(np.float32) / 256, data.train_labels[:20]
    peer.gradients(peer.torch.from_numpy(x), peer.torch.from_numpy(labels))
    weights = [each.detach().numpy() for each in peer.weights]
    signals, sums = [x], []
    for weight in weights:
        sums.append(signals[-1] @ weight.T)
        signals.append(np.maximum(sums[-1], 0))
    likely = np.exp(sums[-1] - sums[-1].max(axis=1, keepdims=True))
    error = (likely / likely.sum(axis=1, keepdims=True) - np.eye(10)[labels]) / 20
    feedback = [each.numpy() for each in peer.feedback]
    back = carried_back("backpropagation" if method == "last layer only" else method, weights, feedback, error, sums)
    layers = range(3) if method != "last layer only" else [2]
    for layer in layers:
        np.testing.assert_allclose(peer.weights[layer].grad.numpy(), back[layer].T @ signals[layer], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(peer.biases[layer].grad.numpy(), back[layer].sum(axis=0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", peers.METHODS)
def test_a_peer_learns_digits(method):
    peer = peer_of(method, (64, 32, 10))
    if peer is None:
        return
    data = datasets.load("digits").hold_out(240, 7)
    first = peer.weights[0].detach().clone()
    course = peer.learn(data, 0.2, Learning(epochs=4, halvings=1, dropout=0.0), every=1197)
    assert len(course) == 4
    assert course[-1][1] == peer.accuracy(data.test_images, data.test_labels) > 70
    assert bool((peer.weights[0] == first).all()) == (method == "last layer only")


def test_both_alignments_are_the_same_run_with_one_hidden_layer():
    runs = [peer_of(method, (64, 12, 10)) for method in ("feedback alignment", "direct feedback alignment")]
    if None in runs:
        return
    data = datasets.load("digits").first(train=100)
    for peer in runs:
        peer.learn(data, 0.1, Learning(epochs=2, halvings=1))
    for one, other in zip(runs[0].weights, runs[1].weights, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_costs_are_counted_link_by_link():
    """784-256-128-10 with 100 inputs that are not 0."""
    layers, first, later = (784, 256, 128, 10), 100 * 256, 256 * 128 + 128 * 10
    result = {method: ladder.costs(method, layers, 100) for method in ladder.KNOWS}
    assert {method: each["reverse"] for method, each in result.items()} == {
        "backpropagation": later, "feedback alignment": later, "direct feedback alignment": 10 * (256 + 128),
        "last layer only": 0, "ours": later, "ours, last layer only": 0}
    assert {each["forward"] for each in result.values()} == {first + later}
    assert result["last layer only"]["update"] == result["ours, last layer only"]["update"] == 1280
    assert result["ours"]["neurons"] == 2 * (256 + 128 + 10) * 8 * 2 * 5     # ways, neurons, steps, half steps, populations
    assert result["backpropagation"]["neurons"] == 0
    assert result["ours"]["traffic"] == 16 * (first + later + later + 2 * (first + later))
    assert result["feedback alignment"]["extra"] == 32 * later
    assert result["direct feedback alignment"]["extra"] == 32 * 3840
    assert result["backpropagation"]["extra"] == result["ours"]["extra"] == 0


def test_only_the_last_layer_of_ours_learns_where_that_is_meant():
    settings = description.load("ladder", quick=True).settings
    frozen = {setting["method"]: setting["network"]["learning"]["frozen"] for setting in ladder.tasks(settings)}
    assert frozen == {"ours": 0, "ours, last layer only": 1}
    deep = ladder.tasks(settings | {"networks": ["32-16"], "methods": list(ladder.KNOWS)})
    assert {setting["method"]: setting["network"]["learning"]["frozen"] for setting in deep} == dict.fromkeys(
        ladder.KNOWS, 0) | {"ours, last layer only": 2}


def test_images_that_are_content_are_those_without_error():
    setting = ladder.tasks(description.load("ladder", quick=True).settings | {"epochs": 12, "train_images": 200})[0]
    result = ladder.run(setting)
    assert 0 < result["erring"] < 1
    network, _, data, model = ladder.learner.learnt(setting)
    before = model.parameters
    errs = 0
    for image, label in zip(data.train_images, data.train_labels, strict=True):
        model.learn(image[None], label[None], 0)
        errs += any((old.bias != new.bias).any() for old, new in zip(before, model.parameters, strict=True))
        model = ladder.learner.CompiledModel(network, "fixed", before, threads=1)
    assert result["erring"] == pytest.approx(errs / 200, abs=0.02)           # a small error may round to no change


def run(method, rate, accuracy, test):
    setting = {"name": "256", "method": method, "rate": rate, "levels": [95.0], "dataset": "digits",
               "network": {"layers": [64, 256, 10], "learning": {"epochs": 2}, "integration": {"steps": 8}}}
    return Run(setting, {"accuracy": accuracy, "test": test, "erring": 0.5, "course": [[1.0, accuracy]]})


def test_rates_are_chosen_on_held_out_images():
    summary = ladder.summarise([run("ours", 0.5, 96.0, 90.0), run("ours", 0.25, 95.0, 99.0)])
    assert summary.values["256"]["ours"]["rate"] == 0.5
    assert summary.values["256"]["ours"]["test"] == 90


def test_what_compares_with_the_peers_is_claimed_where_there_are_peers():
    def holds(**tests):
        values = {"256": {method: {"accuracy": test, "test": test} for method, test in tests.items()}}
        return [claim.holds for claim in ladder.check(values)]

    ours = {ladder.OURS: 98.0, ladder.OURS_LAST: 90.0}
    assert holds(**ours) == [True]
    peer = dict.fromkeys(peers.METHODS, 98.1) | {"last layer only": 89.0}
    assert holds(**ours, **peer) == [True] * 4
    assert holds(**ours | {ladder.OURS_LAST: 97.5}, **dict.fromkeys(peers.METHODS, 99.1)) == [False] * 4
