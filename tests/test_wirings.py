"""What every kind of wiring must keep, a new one too: its words, its shapes, and that back is there transposed."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model import parameters
from golden_model.arithmetic import create_arithmetic
from golden_model.network import Network, Neuron, Wiring
from golden_model.parameters import Layer
from golden_model.wirings import KINDS, LayerState, masks, parse

LAYERS = [                                # words, inputs, neurons
    ("full", 12, 5), ("full", 1, 1), ("random 3", 12, 5), ("random 12", 12, 2), ("one-to-one", 6, 6),
    ("convolution 2x3 stride 1 of 3x4x1", 12, 8), ("convolution 2x2 stride 2 of 4x4x2", 32, 12),
    ("convolution 1x2 stride 1 of 2x3x1", 6, 4), ("convolution 3x4 stride 1 of 3x4x1", 12, 3),
    ("locally-connected 2x3 stride 1 of 3x4x1", 12, 8), ("locally-connected 2x2 stride 2 of 4x4x2", 32, 12),
    ("locally-connected 1x2 stride 1 of 2x3x1", 6, 4), ("locally-connected 3x4 stride 1 of 3x4x1", 12, 3),
    ("recurrent 3 steps 2 K3 0.5", 12, 4), ("recurrent 1 steps 1 K3 0.000000000001", 4, 6),
]
ONCE = [layer for layer in LAYERS if not layer[0].startswith("recurrent")]     # each neuron settles once for an image
ENDS = Neuron(input_population=3, output_population=1)


def network_of(words, inputs, neurons):
    return Network(layers=(5, inputs, neurons) if (words, inputs, neurons) in ONCE else (inputs, neurons), neuron=ENDS, seed=7,
                   wiring=Wiring(layers=("full", words) if (words, inputs, neurons) in ONCE else (words,)))


def drawn(random, *shape):
    """Reals of few bits: products and sums of some of them are exact, and far from every limit."""
    return random.integers(-4, 5, shape) / 64


def linear(words, inputs, neurons):
    """A wiring, its network, the reals of both, the shape of links, a function from links to drives (images, N), and inputs."""
    network = network_of(words, inputs, neurons)
    wiring, layer = network.wirings[-1], len(network.wirings) - 1
    words_of, shape = create_arithmetic(network, "float"), parameters.layer_shapes(network)[-1]
    x = drawn(np.random.default_rng(1), 3, inputs)

    def drive(weights, x=x):
        return wiring.drive(words_of, x, Layer(weights, np.zeros(shape["bias"]), np.zeros(shape["coupling"])), layer)

    return wiring, network, words_of, shape["weights"], drive, x


def test_every_kind_is_tried_here():
    assert {type(parse(words)) for words, _, _ in LAYERS} == set(KINDS)


@pytest.mark.parametrize("words", [words for words, _, _ in LAYERS])
def test_one_kind_reads_a_word_and_prints_it_again(words):
    results = [wiring for kind in KINDS if (wiring := kind.parse(words)) is not None]
    assert len(results) == 1
    assert str(results[0]) == words
    assert results[0] == parse(words)
    assert hash(results[0]) == hash(parse(words))


@pytest.mark.parametrize(("words", "inputs", "neurons"), LAYERS)
def test_shapes_are_those_of_the_mask_and_of_what_neurons_hear(words, inputs, neurons):
    network = network_of(words, inputs, neurons)
    wiring, mask, shape = network.wirings[-1], masks(network)[-1], parameters.layer_shapes(network)[-1]
    assert mask is None or mask.shape == shape["weights"]
    assert shape["bias"][0] * wiring.positions == neurons
    if mask is not None:
        assert set(mask.sum(axis=1)) == {wiring.fan_in(inputs)}
    links = np.ones(shape["weights"]) if mask is None else mask
    assert wiring.each_neuron(links.sum(axis=1)).shape == (neurons,)
    values = np.arange(2 * neurons).reshape(2, neurons)
    assert wiring.over_positions(values).shape == (2, *shape["bias"])
    assert wiring.over_positions(values).sum() == values.sum()


@pytest.mark.parametrize(("words", "inputs", "neurons"), ONCE)
def test_neurons_hear_as_many_inputs_and_inputs_reach_as_many_neurons_as_the_analysis_of_widths_takes(words, inputs, neurons):
    wiring, network, _, shape, drive, _ = linear(words, inputs, neurons)
    mask = masks(network)[-1]
    links = np.ones(shape) if mask is None else mask.astype(float)
    matrix = drive(links / 64, np.eye(inputs))                # (M, N): what each input alone drives
    assert set((matrix != 0).sum(axis=0)) == {wiring.fan_in(inputs)}
    most = (matrix != 0).sum(axis=1).max()
    assert most <= wiring.fan_out(neurons)
    assert most == wiring.fan_out(neurons) or wiring.drawn or words.endswith(" 2x3 stride 1 of 3x4x1")


@pytest.mark.parametrize(("words", "inputs", "neurons"), ONCE)
def test_the_error_of_the_layer_before_comes_over_the_same_links_transposed(words, inputs, neurons):
    wiring, network, words_of, shape, drive, _ = linear(words, inputs, neurons)
    random = np.random.default_rng(2)
    mask = masks(network)[-1]
    weights = drawn(random, *shape) * (1 if mask is None else mask)
    r = drawn(random, 5, 3, neurons)
    matrix = drive(weights, np.eye(inputs))
    layer = Layer(weights, np.zeros(shape[0]), np.zeros((3, 5, shape[0])))
    result = wiring.error_before(words_of, r, layer, 1)
    assert np.array_equal(result, r[ENDS.input_population] @ matrix.T)
    assert result.any() or neurons == 1


@pytest.mark.parametrize(("words", "inputs", "neurons"), ONCE)
def test_products_are_what_a_change_of_links_and_biases_does_to_the_drives(words, inputs, neurons):
    """The sum of r u over neurons is linear in links and biases; their products are its slopes, exactly."""
    wiring, _, words_of, shape, drive, x = linear(words, inputs, neurons)
    random = np.random.default_rng(3)
    r, s = drawn(random, 5, 3, neurons), drawn(random, 5, 3, neurons)
    of_links, of_biases = wiring.products(words_of, LayerState(x, s, s[1]), r)
    assert of_links.shape == shape
    assert of_biases.shape == shape[:1]
    signal = r[ENDS.input_population]
    for change in drawn(random, 4, *shape):
        assert (of_links * change).sum() == (signal * drive(change)).sum()
    bias = drawn(random, shape[0])
    assert (of_biases * bias).sum() == (signal * wiring.each_neuron(bias)).sum()


@pytest.mark.parametrize(("words", "inputs", "neurons"), ONCE)
def test_a_link_is_addressed_if_an_image_that_erred_has_its_input(words, inputs, neurons):
    """Then, and only then, its product can be other than zero."""
    wiring, _, words_of, shape, _, x = linear(words, inputs, neurons)
    erring = np.array([True, False, True])
    x = np.where(np.random.default_rng(4).random(x.shape) < 0.3, np.abs(x) + 1 / 64, 0.0)
    x[:, 0] = 0
    s = np.zeros((5, 3, neurons))
    result = np.broadcast_to(wiring.addressed(LayerState(x, s, s[1]), erring), shape)
    of_links, _ = wiring.products(words_of, LayerState(x, s, s[1]), np.ones((5, 3, neurons)) * erring[:, None])
    assert np.array_equal(result, of_links != 0)


@pytest.mark.parametrize(("words", "inputs", "neurons"), ONCE)
def test_places_that_the_engine_asks_for_are_those_of_the_definition(words, inputs, neurons):
    wiring, _, _, shape, drive, _ = linear(words, inputs, neurons)
    places = wiring.bases()[:, None] + wiring.offsets(inputs)
    own = len(places) // wiring.positions                     # positions with weights of their own; the others share theirs
    assert places.shape == (own * wiring.positions, shape[1])
    x = drawn(np.random.default_rng(5), 2, inputs)
    weights = drawn(np.random.default_rng(6), *shape)
    at_positions = np.repeat(weights.reshape(own, -1, shape[1]), wiring.positions, axis=0)
    assert np.array_equal(np.einsum("ipt,pct->ipc", x[:, places], at_positions).reshape(2, -1), drive(weights, x))


@pytest.mark.parametrize(("words", "inputs", "neurons"), [layer for layer in ONCE if parse(layer[0]).bears_dead_neurons])
def test_the_input_of_each_link_is_the_one_that_it_hears(words, inputs, neurons):
    """By this faults find the links out of a dead neuron."""
    wiring, network, _, shape, drive, x = linear(words, inputs, neurons)
    mask = masks(network)[-1]
    weights = drawn(np.random.default_rng(6), *shape) * (1 if mask is None else mask)
    assert np.array_equal((x[:, wiring.sources(inputs, neurons)] * weights).sum(axis=2), drive(weights, x))
