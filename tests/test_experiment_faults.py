"""Experiment ``faults``: what is measured on broken hardware, the peer and its faults, how the rate is chosen, claims."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.data import datasets
from golden_model.engine import CompiledModel
from golden_model.fixed_point import Format
from golden_model.network import Network
from golden_model.robustness.faults import Faults, FaultyCompiledModel
from golden_model.training import accuracy
from wuxing.experiments import description, faults, learner
from wuxing.experiments.summary import Run


@pytest.fixture(scope="module")
def peer():
    data = datasets.load("digits").first(train=600)
    return faults.Peer(Network(layers=(64, 16, 10)), data, 100, 0), data


def test_learning_in_place_starts_from_what_was_learnt_and_on_images_that_were_not():
    settings = description.load("faults", quick=True).settings | {
        "hidden": 8, "epochs": 2, "train_images": 300, "repair": 40, "peer_epochs": 2, "dead": [0.5], "stuck": [0.01],
        "upsets": [0.01], "mismatch": [0.2]}
    setting = faults.tasks(settings)[0]
    result = faults.run(setting)
    network, training, data, model = learner.learnt(setting)
    whole, held = datasets.load("digits"), datasets.load("digits").hold_out(settings["hold_out"], learner.HOLD_OUT_SEED)
    assert result["sound"]["ours"] == accuracy(model, whole.test_images, whole.test_labels)
    constant = network.with_learning(links=2**-3, bias=2**-3, epochs=1, halvings=0)
    for kind in ("dead", "stuck", "upsets"):
        [each] = result["faults"][kind]
        broken = FaultyCompiledModel(constant, training.parameters, Faults(**{kind: each["rate"]}, seed=0))
        assert each["before"] == accuracy(broken, whole.test_images, whole.test_labels)
        broken.learn(held.train_images[300:340], held.train_labels[300:340])
        assert each["after"] == accuracy(broken, whole.test_images, whole.test_labels)
        assert each["held"] == accuracy(broken, data.test_images, data.test_labels)


def test_a_mismatch_goes_into_parameters():
    network = Network(layers=(64, 8, 10))
    values = CompiledModel(network, "fixed").parameters
    broken = faults.broken_model(network, values, Faults(mismatch=0.1, dead=0.5))
    assert str(broken.network.formats.coupling) == "Q2.10"
    assert len(np.unique(broken.parameters[0].coupling[0])) > 5
    assert broken.faults == Faults(dead=0.5)


def test_the_peer_without_faults_tells_digits_in_words_that_hold_it(peer):
    peer, data = peer
    assert np.mean(peer.predict(data.test_images, Faults()) == data.test_labels) > 0.85
    assert (peer.weight.bits, peer.signal.bits) == (16, 13)
    greatest = max(np.abs(each).max() for each in peer.weights)
    assert peer.weight.greatest / 2 < greatest < peer.weight.greatest            # no bit is wasted, none is missing


def test_faults_of_the_peer(peer):
    peer, data = peer
    images = data.test_images[:50]
    whole = peer._signals(images, Faults())
    gone = peer._signals(images, Faults(dead=0.5))
    assert (gone[0] == 0).all(axis=0).sum() >= 8
    assert len(np.flatnonzero((gone[0] != whole[0]).any(axis=0))) <= 8
    sloped = peer._signals(images, Faults(mismatch=0.1))[0]
    alive = (whole[0] > 0).any(axis=0)
    ratio = (sloped[:, alive].sum(axis=0) / whole[0][:, alive].sum(axis=0))
    assert 0.02 < ratio.std() < 0.25
    stuck = peer._signals(images, Faults(stuck=0.05))[0]
    assert (stuck != whole[0]).mean() > 0.3
    hit = peer._signals(images, Faults(upsets=0.2))[0]
    words = peer.signal.quantise(np.maximum(whole[0], 0))
    assert (peer.signal.quantise(hit) != words).mean() == pytest.approx(0.2, abs=0.06)


def test_a_flip_changes_one_bit_of_a_word():
    to, random = Format.parse("Q1.12"), np.random.default_rng(0)
    words = random.integers(to.least, to.greatest, 5000, endpoint=True)
    variant = faults.flipped(words, to, 0.5, random)
    assert variant.min() >= to.least
    assert variant.max() <= to.greatest
    bits = ((variant ^ words)[:, None] >> np.arange(13) & 1).sum(axis=1)
    assert set(bits.tolist()) == {0, 1}
    assert bits.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("greatest", "text"), [
    (0.9, "Q1.15"), (1.0, "Q2.14"), (1.1, "Q2.14"), (5.0, "Q4.12"), (0.1, "Q1.15")])
def test_the_finest_word_that_holds_a_value(greatest, text):
    assert str(faults.word_for(greatest, 16)) == text


def run_of(rate_shift, held, after=90.0, before=50.0, peer=40.0):
    each = [{"rate": 0.1, "before": before, "after": after, "held": held, "peer": peer}]
    setting = {"rate_shift": rate_shift, "repair": 100, "dataset": "digits", "network": {"layers": [64, 10]}}
    return Run(setting, {"sound": {"ours": 95.0, "peer": 96.0}, "faults": dict.fromkeys(faults.KINDS, each)})


def test_the_rate_is_chosen_on_held_out_images():
    summary = faults.summarise([run_of(4, 80.0, after=99.0), run_of(5, 85.0, after=70.0), run_of(5, 86.0, after=74.0)])
    assert summary.values["rate_shift"] == 5
    assert summary.values["dead"][0]["after"] == 72
    assert len(summary.tables[0].rows) == 5


def test_claims_compare_what_was_lost_and_what_came_back():
    def holds(**figures):
        return [claim.holds for claim in faults.check(faults.summarise([run_of(4, 80.0, **figures)]).values)]

    assert holds(before=94.5, after=94.9, peer=50.0) == [True] * 5
    assert holds(before=50.0, after=60.0, peer=70.0) == [False] * 5
