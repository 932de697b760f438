"""Links, learning and whole networks in the definition."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model import learning, links
from golden_model.arithmetic import Fixed, Float, create_arithmetic
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Learning, Network
from random_networks import cases

NETWORK = Network(layers=(6, 4, 3))


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_exact_product_is_exact_on_either_side_of_float64(inner, seed, bits):
    random = np.random.default_rng(seed)
    a, b = random.integers(-2**bits, 2**bits, (2, inner)), random.integers(-2**bits, 2**bits, (inner, 3))
    expected = [[sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) for column in b.T] for row in a]
    assert links.exact_product(a, b).tolist() == expected
    assert links.exact_product(a, links.prepared(b, 2**bits)).tolist() == expected


def test_one_weight_per_wire_forward_and_reverse():
    """e = C^T r uses the very weights of u = C x: exchanging the two directions leaves the bilinear form as it was."""
    fixed, real = Fixed(NETWORK), Float(NETWORK)
    random = np.random.default_rng(0)
    weights = random.integers(-9000, 9000, (4, 3))
    x, r = random.integers(-300, 300, (1, 3)), random.integers(-300, 300, (1, 4))
    u = links.forward(real, x / 4096, weights / 2**14, np.zeros(4), 1)
    e = links.reverse(real, r / 4096, weights / 2**14, 0)
    np.testing.assert_allclose((u * r).sum() / 4096, (e * x).sum() / 4096, rtol=1e-12)
    assert links.forward(fixed, x, weights, np.zeros(4, int), 1).tolist() == ((x @ weights.T + 8192) >> 14).tolist()
    assert links.reverse(fixed, r, weights, 0).tolist() == ((r @ weights + 8192) >> 14).tolist()


def test_drives_round_once_then_take_the_bias_then_saturate():
    fixed = Fixed(NETWORK)
    shift = NETWORK.link_shift(0)
    assert shift == 10
    sums = np.array([[511, 512, -512, -513, (40000 << 10), -(40000 << 10)]])
    assert fixed.drive(sums, np.zeros(6, int), 0).tolist() == [[0, 1, 0, -1, 32767, -32768]]
    assert fixed.drive(sums, np.full(6, -5), 0).tolist() == [[-5, -4, -5, -6, 32767, -32768]]


def test_output_error_is_a_saturating_hinge():
    fixed = Fixed(NETWORK)
    outputs = np.array([[-4096, -2048, -2047], [2048, 4095, -4096], [0, 0, 0]])
    assert learning.output_error(fixed, outputs, np.array([0, 0, 1]), 1).tolist() == [
        [4095, 0, -1], [0, -4096, 0], [-2048, 2048, -2048]]
    real = learning.output_error(Float(NETWORK), outputs / 4096, np.array([0, 0, 1]), 1)
    assert real.tolist() == [[4095 / 4096, 0, -1 / 4096], [0, -1, 0], [-0.5, 0.5, -0.5]]


def test_an_update_that_would_overflow_is_dropped():
    fixed = Fixed(Network(layers=(1, 1)))
    shift = fixed.network.update_shift(0, 4)
    weights = np.array([[32767, 32760, -32768, 5]])
    products = np.array([[1 << shift, 8 << shift, -(1 << (shift - 1)) - 1, (1 << (shift - 1)) - 1]])
    assert fixed.updated_weights(weights, products, 0, 0).tolist() == [[32767, 32760, -32768, 5]]
    assert fixed.updated_weights(weights, -products, 0, 0).tolist() == [[32766, 32752, -32767, 5]]
    biases = np.array([32766, 32766, -32768, -32768, 0])
    assert fixed.updated_bias(biases, np.array([64, 16, -9, -8, 8]), 0, 0).tolist() == [32766, 32767, -32768, -32768, 1]


def test_reals_that_would_leave_the_range_of_a_format_are_held():
    real = Float(Network(layers=(1, 1), learning=Learning(links=1.0, bias=1.0)))
    least, most = real.formats.drive.minimum, real.formats.drive.maximum
    biases, products = np.array([most - 1, most - 1, least, least]), np.array([1.5, 1.0, -0.25, 0.5])
    assert real.updated_bias(biases, products, 0, 0).tolist() == [most - 1, most, least, least + 0.5]
    least, most = real.formats.weight.minimum, real.formats.weight.maximum
    weights = np.array([[most, most - 1, least, least]])
    assert real.updated_weights(weights, np.array([[1e-3, 1.0, -1.0, 1.0]]), 0, 0).tolist() == [[most, most, least, least + 1]]


def test_rate_schedule_halves_the_rate_of_products():
    network = Network(layers=(1, 1), learning=Learning(epochs=4, halvings=3))
    fixed = Fixed(network)
    change = [int(fixed.updated_weights(np.zeros((1, 1), int), np.full((1, 1), 1 << 20), 0, epoch)[0, 0]) for epoch in range(6)]
    assert change == [1024, 512, 256, 128, 128, 128]
    assert [Float(network).learning_rate("links", epoch) for epoch in range(5)] == [1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 128]


@given(cases(most_neurons=6, wired=False))
@settings(max_examples=60)
def test_zero_inputs_may_be_skipped(case):
    """Deleting inputs that are zero in every image changes neither outputs nor any other weight; theirs do not move."""
    network, parameters, images, labels, epoch = case
    keep = images.any(axis=0)
    if not keep.any():
        keep[0] = True
    smaller = replace(network, layers=(int(keep.sum()), *network.layers[1:]))
    part = [replace(layer, weights=layer.weights[:, keep] if index == 0 else layer.weights)
            for index, layer in enumerate(parameters)]
    whole, less = Model(network, "fixed", parameters), Model(smaller, "fixed", part)
    np.testing.assert_array_equal(whole.learn(images, labels, epoch), less.learn(images[:, keep], labels, epoch))
    np.testing.assert_array_equal(whole.layers[0].weights[:, keep], less.layers[0].weights)
    np.testing.assert_array_equal(whole.layers[0].weights[:, ~keep], parameters[0].weights[:, ~keep])
    np.testing.assert_array_equal(whole.outputs(images), less.outputs(images[:, keep]))


def test_reverse_links_use_the_weights_from_before_the_update():
    """With a last layer that changes much, the layer below must still see the old weights."""
    network = Network(layers=(3, 4, 2), learning=Learning(links=1.0, bias=0.0))
    images, labels = np.array([[255, 128, 7]], np.uint8), np.array([1])
    model = Model(network, "fixed")
    before = model.parameters
    model.learn(images, labels)
    manual = Model(network, "fixed", before)
    states = manual.forward(images)
    from golden_model import circuits
    error = learning.output_error(manual.arithmetic, states[1].displacement[1], labels, 1)
    r = circuits.settle_reverse(manual.arithmetic, states[1].displacement, error, before[1].coupling, 1)[0]
    e = (r @ before[1].weights + 8192) >> 14
    assert ((r @ model.layers[1].weights + 8192) >> 14 != e).any(), "the case must tell old weights from new"
    r0 = circuits.settle_reverse(manual.arithmetic, states[0].displacement, e, before[0].coupling, 0)[0]
    shift = network.update_shift(0, 0)
    expected = before[0].weights + ((r0.T @ images.astype(int) + (1 << shift >> 1)) >> shift)
    expected = np.where(abs(expected + 0.5) < 2**15, expected, before[0].weights)
    np.testing.assert_array_equal(model.layers[0].weights, expected)


@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_frozen_layers_stay_and_the_others_learn_the_same_first_step(arithmetic, blobs):
    images, labels = blobs
    network = Network(layers=(30, 12, 4), learning=Learning(frozen=1))
    free = Model(network.with_learning(frozen=0), arithmetic)
    model = Model(network, arithmetic)
    start = model.parameters
    model.learn(images[:1], labels[:1])
    free.learn(images[:1], labels[:1])
    np.testing.assert_array_equal(model.layers[0].weights, start[0].weights)
    np.testing.assert_array_equal(model.layers[1].weights, free.layers[1].weights)
    assert (free.layers[0].weights != start[0].weights).any()


@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
@pytest.mark.parametrize("trained", [{}, {"K1": 2**-6, "K2": 2**-6, "K3": 2**-6}, {"batch": 5}])
def test_networks_learn(arithmetic, trained, blobs):
    from golden_model.fixed_point import Format
    from golden_model.network import Formats
    images, labels = blobs
    network = Network(layers=(30, 16, 4), learning=Learning(**trained), formats=Formats(coupling=Format.parse("Q2.10")))
    model = Model(network, arithmetic)
    start = model.parameters
    before = (model.predict(images) == labels).mean()
    for epoch in range(3):
        model.learn(images, labels, epoch)
    assert (model.predict(images) == labels).mean() > max(0.9, before)
    moved = (model.layers[0].coupling != start[0].coupling).any()
    assert moved == bool("K1" in trained)
    assert model.layers[0].coupling[2].min() >= network.learning.K3_minimum * (1024 if arithmetic == "fixed" else 1)


def test_same_seed_same_bits_and_another_seed_others():
    one, two, other = (Model(replace(NETWORK, seed=seed), "fixed") for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.layers[0].weights, two.layers[0].weights)
    assert (one.layers[0].weights != other.layers[0].weights).any()


def test_unknown_arithmetic_is_named():
    with pytest.raises(InputError, match="arithmetic must be float or fixed, not 'decimal'"):
        create_arithmetic(NETWORK, "decimal")
