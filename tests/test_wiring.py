"""Wiring: which links exist, that absent ones are zero for ever, in both engines, in checks and in model files."""
from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model import parameters, training
from golden_model.data.datasets import Dataset
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Learning, Network, Wiring
from golden_model.storage import model_file
from golden_model.wirings import masks


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_random_wiring_gives_each_neuron_its_number_of_inputs(inputs, neurons, data):
    fan_in = data.draw(st.integers(1, inputs))
    network = Network(layers=(inputs, neurons, 3), wiring=Wiring(layers=(f"random {fan_in}", "full")), seed=5)
    mask, full = masks(network)
    assert full is None
    assert mask.shape == (neurons, inputs)
    assert (mask.sum(axis=1) == fan_in).all()


def test_random_wiring_follows_the_seed_and_the_layer_alone():
    network = Network(layers=(20, 20, 20), wiring=Wiring(layers=("random 4", "random 4")))
    first, second = masks(network)
    assert (first != second).any()
    np.testing.assert_array_equal(masks(network.with_learning(links=0.5))[0], first)
    np.testing.assert_array_equal(masks(replace(network, wiring=Wiring(layers=("full", "random 4"))))[1], second)
    assert (masks(replace(network, seed=1))[0] != first).any()
    more = masks(replace(network, wiring=Wiring(layers=("random 5", "full"))))[0]
    assert (more >= first).all()                           # a greater fan-in adds links
    assert np.flatnonzero(first[0]).tolist() == [1, 5, 11, 12]


def test_every_input_is_drawn_about_equally_often():
    mask = masks(Network(layers=(10, 4000), wiring=Wiring(layers=("random 3",))))[0]
    np.testing.assert_allclose(mask.mean(axis=0), 0.3, atol=0.03)


def test_one_to_one_wiring_is_the_diagonal():
    network = Network(layers=(4, 4, 2), wiring=Wiring(layers=("one-to-one", "full")))
    np.testing.assert_array_equal(masks(network)[0], np.eye(4, dtype=bool))


def test_first_links_are_the_full_ones_of_the_seed_scaled_to_their_number():
    network = Network(layers=(400, 30, 2), wiring=Wiring(layers=("random 16", "full")))
    start, full = parameters.initial(network, "float"), parameters.initial(Network(layers=(400, 30, 2)), "float")
    mask = masks(network)[0]
    assert not start[0].weights[~mask].any()
    np.testing.assert_allclose(start[0].weights[mask], full[0].weights[mask] * 5, atol=2**-12)
    np.testing.assert_array_equal(start[1].weights, full[1].weights)


@pytest.mark.parametrize("engine", [Model, CompiledModel])
@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
@pytest.mark.parametrize("learning", [
    Learning(), Learning(batch=5), Learning(links=2**-9, links_instinct="sign", epochs=1, halvings=0),
    Learning(links_instinct="pid", links_gains=(1, 0.5, 1), batch=2)], ids=["plain", "batch", "sign", "pid"])
def test_absent_links_stay_zero_and_the_others_learn(engine, arithmetic, learning, blobs):
    images, labels = blobs[0][:100], blobs[1][:100]
    network = Network(layers=(30, 30, 12, 4), wiring=Wiring(layers=("one-to-one", "random 5", "full")), learning=learning)
    model = engine(network, arithmetic)
    before = model.parameters
    model.learn(images, labels)
    for mask, old, new in zip(masks(network), before, model.parameters, strict=True):
        moved = old.weights != new.weights
        assert moved.mean() > (0.01 if mask is not None else 0.5)
        if mask is not None:
            assert not new.weights[~mask].any()
            assert moved[mask].mean() > 0.4


def test_an_absent_link_carries_nothing_either_way(blobs):
    """A sparse network infers as the full one with those weights zero, and learns the same first biases below."""
    images, labels = blobs[0][:50], blobs[1][:50]
    sparse = Network(layers=(30, 12, 4), wiring=Wiring(layers=("random 6", "random 3")), learning=Learning(links=0.0))
    model = Model(sparse, "fixed")
    full = Model(replace(sparse, wiring=Wiring()), "fixed", model.parameters)
    np.testing.assert_array_equal(model.outputs(images), full.outputs(images))
    model.learn(images, labels)
    full.learn(images, labels)
    assert (model.layers[0].bias != model.layers[0].bias[0]).any()
    np.testing.assert_array_equal(model.layers[0].bias, full.layers[0].bias)


@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_parameters_with_a_link_that_does_not_exist_are_refused(arithmetic, tmp_path):
    network = Network(layers=(6, 4, 2), wiring=Wiring(layers=("random 2", "full")))
    start = parameters.initial(network, arithmetic)
    path = tmp_path / "sparse.npz"
    model_file.save(path, network, arithmetic, start, {})
    content = model_file.load(path)
    assert content.network == network
    np.testing.assert_array_equal(content.parameters[0].weights, start[0].weights)
    start[0].weights[~masks(network)[0]] = 1
    text = ("weights of layer 0 must be 0 where wiring.layers (random 2) has no link, but 16 are not; use parameters of the "
            "same wiring and seed")
    for use in (parameters.check, Model, CompiledModel, lambda *these: model_file.save(path, *these, {})):
        with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
            use(network, arithmetic, start)


def test_a_sparse_network_trains_with_dropout_and_averages(blobs):
    images, labels = blobs
    data = Dataset(name="blobs", train_images=images, train_labels=labels, test_images=images, test_labels=labels,
                   image_shape=(5, 6), classes=4, source="noise")
    network = Network(layers=(30, 24, 4), wiring=Wiring(layers=("random 6", "full")),
                      learning=Learning(epochs=6, halvings=2, average=3))
    trained = training.train(network, "fixed", data)
    assert not trained.parameters[0].weights[~masks(network)[0]].any()
    assert (CompiledModel(network, "fixed", trained.parameters).predict(images) == labels).mean() > 0.9


def test_sums_of_few_links_need_fewer_bits():
    full = Network(layers=(784, 784, 10)).widths()
    sparse = Network(layers=(784, 784, 10), wiring=Wiring(layers=("random 16", "full"))).widths()
    single = Network(layers=(784, 784, 10), wiring=Wiring(layers=("one-to-one", "full"))).widths()
    assert (full["link_sum[0]"], sparse["link_sum[0]"], single["link_sum[0]"]) == (34, 29, 27)
    assert (full["reverse_link_sum[0]"], sparse["reverse_link_sum[0]"], single["reverse_link_sum[0]"]) == (38, 38, 29)
