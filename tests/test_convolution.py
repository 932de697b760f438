"""Convolution: geometry by hand, the definition against its network with separate links, the engine against the definition."""
from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from equal_models import same, same_bits_learnt, same_out_of_a_file, same_to_float32
from golden_model import parameters, tables
from golden_model.bounds import worst_case
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.kernels import taps
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Learning, Network, Neuron, Wiring
from golden_model.parameters import Layer, Parameters
from golden_model.wirings import Convolution, masks
from random_networks import pictures, strategies

SMALL = Network(layers=(7 * 6 * 2, 3 * 2 * 5, 2 * 1 * 3, 4), seed=3, wiring=Wiring(layers=(
    "convolution 3x3 stride 2 of 7x6x2", "convolution 2x2 stride 1 of 3x2x5", "full")))


# ---------------------------------------------------------------- geometry


def test_geometry_by_hand():
    """A window of 2x3 on 4x6 points of 2 channels, moved by 2: 2x2 positions of 12 taps; the last column is not seen."""
    convolution = Convolution.parse("convolution 2x3 stride 2 of 4x6x2")
    assert (convolution.inputs, convolution.taps, convolution.rows, convolution.columns,
            convolution.positions) == (48, 12, 2, 2, 4)
    assert convolution.bases().tolist() == [0, 4, 24, 28]
    assert convolution.offsets().tolist() == [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]
    fields = convolution.patches(np.arange(48)[None])
    assert fields.shape == (1, 4, 12)
    assert not {10, 11, 22, 23, 34, 35, 46, 47} & set(fields.ravel().tolist())
    assert convolution.fan_out(convolution.positions) == 2


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5), st.integers(1, 3))
def test_what_comes_back_is_the_transpose_of_what_is_seen(rows, columns, stride, more_rows, more_columns, depth):
    convolution = Convolution((rows, columns), stride, rows + more_rows, columns + more_columns, depth)
    random = np.random.default_rng(0)
    x = random.integers(-9, 9, (2, convolution.inputs))
    y = random.integers(-9, 9, (2, convolution.positions, convolution.taps))
    assert np.sum(convolution.patches(x) * y) == np.sum(x * convolution.gathered(y))
    counts = convolution.gathered(np.ones((1, convolution.positions, convolution.taps), np.int64))
    assert counts.max() <= convolution.fan_out(convolution.positions)
    assert counts.sum() == convolution.positions * convolution.taps


@pytest.mark.parametrize("word", ["convolution 5x5", "convolution 0x5 stride 1 of 8x8x1", "convolution 5x5 stride 2 of 28x28",
                                  "convolution  5x5 stride 2 of 28x28x1", "convolution 5x5 stride 0 of 28x28x1", "full"])
def test_other_words_are_no_convolution(word):
    assert Convolution.parse(word) is None


@pytest.mark.parametrize(("layers", "words", "text"), [
    ((784, 10), ("convolution 29x5 stride 1 of 28x28x1",),
     "the kernel of a convolution must be at most 28x28, the size of its image, not 29x5"),
    ((784, 100), ("convolution 5x5 stride 2 of 28x28x2",),
     "layer 0 has 784 inputs, but its wiring is a convolution of 1568 (28x28x2); give it the size of what it sees"),
    ((784, 100), ("convolution 5x5 stride 2 of 28x28x1",),
     "layer 0 must have a multiple of 144 neurons, one of each channel at each of its 12x12 positions, not 100")])
def test_what_does_not_fit_is_one_sentence(layers, words, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        Network(layers=layers, wiring=Wiring(layers=words))


def test_parameters_are_those_of_channels():
    shapes = parameters.layer_shapes(SMALL)
    assert shapes[0] == {"weights": (5, 18), "bias": (5,), "coupling": (3, 5, 5)}
    assert shapes[1] == {"weights": (3, 20), "bias": (3,), "coupling": (3, 5, 3)}
    start = parameters.initial(SMALL, "float")
    assert np.abs(start[0].weights).max() <= 2.2 * np.sqrt(3 / 18)
    assert np.abs(start[0].weights).max() > 0.9 * 2.2 * np.sqrt(3 / 18)


# ---------------------------------------------------------------- the definition


def separated(network: Network, values: Parameters) -> tuple[Network, Parameters]:
    """The network with a link of its own wherever a tied one is used."""
    full = replace(network, wiring=Wiring())
    layers = []
    for index, layer in enumerate(values):
        convolution = network.wirings[index]
        if not isinstance(convolution, Convolution):
            layers.append(layer)
            continue
        channels = len(layer.bias)
        weights = np.zeros((convolution.positions, channels, network.layers[index]), layer.weights.dtype)
        for position, base in enumerate(convolution.bases()):
            weights[position][:, base + convolution.offsets()] = layer.weights
        layers.append(Layer(weights.reshape(convolution.positions * channels, -1), np.tile(layer.bias, convolution.positions),
                            np.tile(layer.coupling, (1, 1, convolution.positions))))
    return full, layers


@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_it_infers_as_the_network_with_links_of_their_own(arithmetic):
    images, _ = pictures(SMALL, 30)
    model = Model(SMALL, arithmetic)
    full = Model(*separate(SMALL, arithmetic, model.parameters))
    np.testing.assert_allclose(model.outputs(images), full.outputs(images), rtol=0, atol=0 if arithmetic == "fixed" else 1e-12)


def separate(network, arithmetic, values):
    full, layers = separated(network, values)
    return full, arithmetic, layers


@pytest.mark.parametrize("batch", [1, 4])
def test_a_tied_parameter_learns_the_sum_over_positions_narrowed_once(batch):
    """Against the network with separate links in reals of high precision: the same sums, added over positions."""
    network = SMALL.with_learning(batch=batch, K1=2**-6, K2=2**-6, K3=2**-6)
    network = replace(network, formats=replace(network.formats, coupling=Format.parse("Q2.12")))
    images, labels = pictures(network, batch)
    model = Model(network, "fixed")
    signals: dict[str, np.ndarray] = {}

    def observer(name, values, to):
        if name.startswith(("update[", "reverse[", "displacement[")) and "_" not in name:
            signals[name] = values
    full = Model(*separate(network, "fixed", model.parameters), observer)
    before = model.parameters
    model.learn(images, labels)
    full.learn(images, labels)
    shift = network.formats.weight.fraction
    for index in (0, 1):
        convolution = network.wirings[index]
        channels, positions = len(before[index].bias), convolution.positions
        separate_sums = signals[f"update[{index}]"].reshape(positions, channels, -1)
        sums = sum(separate_sums[position][:, base + convolution.offsets()]
                   for position, base in enumerate(convolution.bases()))
        k = network.update_shift(index, 4)
        expected = ((before[index].weights << k) + sums + (1 << k >> 1)) >> k
        np.testing.assert_array_equal(model.layers[index].weights, expected)
        assert (expected != before[index].weights).any()
        r = np.roll(signals[f"reverse[{index}]"][::-1], 1, axis=0)          # in the order of the forward populations
        s = signals[f"displacement[{index}]"]
        biases = r[0].reshape(batch, positions, channels).sum(axis=(0, 1))
        np.testing.assert_array_equal(model.layers[index].bias, ((before[index].bias << 4) + biases + 8) >> 4)
        k = network.change_shift("K3", index, 6)
        products = (-r * s).reshape(5, batch * positions, channels).sum(axis=1)
        np.testing.assert_array_equal(model.layers[index].coupling[2],
                                      ((before[index].coupling[2] << k) + products + (1 << k >> 1)) >> k)
    assert shift == 14


def test_a_kernel_as_large_as_the_image_is_a_full_layer():
    images, labels = pictures(SMALL, 40)
    plain = Network(layers=(84, 12, 4), learning=Learning(batch=2))
    window = replace(plain, wiring=Wiring(layers=("convolution 7x6 stride 1 of 7x6x2", "full")))
    for engine in (Model, CompiledModel):
        one, other = engine(plain, "fixed"), engine(window, "fixed")
        one.learn(images, labels)
        other.learn(images, labels)
        same(one, other)
        np.testing.assert_array_equal(one.outputs(images), other.outputs(images))


# ---------------------------------------------------------------- the engine


@st.composite
def cases(draw):
    """Networks with one or two layers of windows, tied or not, any instincts and rates, parameters to the ends of formats."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride, depth = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    height, width = kernel[0] + draw(st.integers(0, 4)), kernel[1] + draw(st.integers(0, 4))
    first = Convolution(kernel, stride, height, width, depth)
    channels = draw(st.sampled_from([1, 3, 16, 17]))
    layers = [first.inputs, first.positions * channels]
    kinds = st.sampled_from(["convolution", "locally-connected"])      # compiled alike
    words = [f"{draw(kinds)} {kernel[0]}x{kernel[1]} stride {stride} of {height}x{width}x{depth}"]
    if draw(st.booleans()):
        layers.append(4)
        words.append(draw(st.sampled_from(["full", f"random {draw(st.integers(1, layers[1]))}"])))
    elif first.rows > 1:
        second = Convolution((2, 1), 1, first.rows, first.columns, channels)
        layers.append(second.positions * 2)
        words.append(f"{draw(kinds)} 2x1 stride 1 of {first.rows}x{first.columns}x{channels}")
    words_of = draw(st.sampled_from(["default", "own K", "wide and rounded"]))      # each is compiled by itself
    trained = dict.fromkeys(("K1", "K2", "K3"), 0.0 if words_of == "default" else draw(st.sampled_from([0.0, 2.0**-6])))
    learning = Learning(links=draw(st.sampled_from([0.0, 2.0**-4, 2.0**-1])), bias=draw(st.sampled_from([0.0, 2.0**-4])),
                        batch=draw(st.sampled_from([1, 1, 3])), epochs=4, halvings=2, frozen=draw(st.sampled_from([0, 0, 1])),
                        **trained, **draw(strategies()))
    neuron, formats = Neuron(), Formats(integral=Format.parse("Q8.14"))
    if words_of != "default":
        neuron, formats = Neuron(K1=(0.5, -0.25, 1.0, 0.5, 0.75)), replace(formats, coupling=Format.parse("Q2.4"))
    if words_of == "wide and rounded":
        formats = replace(formats, drive=Format.parse("Q20.12"), bracket=Format.parse("Q5.12"))
    network = Network(layers=tuple(layers), wiring=Wiring(layers=tuple(words)), formats=formats, neuron=neuron,
                      initialisation=Initialisation(bias=0.0), learning=learning)
    try:
        network.check_fixed()
    except InputError:                                        # a pid or sign instinct that is too fast or too wide
        network = replace(network, learning=Learning(batch=learning.batch))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = parameters.initial(network, "fixed")
    if draw(st.booleans()):
        for layer in values:
            word = network.formats.weight
            layer.weights[:] = random.choice([word.least, word.greatest, 0, 17], layer.weights.shape)
        for layer, mask in zip(values, masks(network), strict=True):
            if mask is not None:
                layer.weights *= mask
    images = random.integers(0, 256, (5, layers[0])) * (random.random((5, layers[0])) < 0.6)
    return network, values, images.astype(np.uint8), random.integers(0, layers[-1], 5)


@given(cases())
@settings(max_examples=60)
def test_integers_are_equal_bit_for_bit(case):
    network, values, images, labels = case
    model, engine = Model(network, "fixed", values), CompiledModel(network, "fixed", values, threads=1)
    same_bits_learnt(model, engine, images, labels, (0, 3))
    engine.forget()
    model.forget()
    same(model, engine)


def test_accumulators_are_emptied_before_they_overflow():
    """201 positions with reverse signals and inputs at their ends: sums of products beyond 32 bits."""
    network = Network(layers=(402, 804, 400, 2), wiring=Wiring(layers=(
        "convolution 1x1 stride 1 of 1x201x2", "convolution 1x2 stride 1 of 1x201x4", "full")), learning=Learning(links=2**-9))
    engine = CompiledModel(network, "fixed")
    assert engine._types.word is np.int32
    plan, const, store, before = engine._plan, engine._const, engine._store, engine.parameters[1].weights
    signals, lanes = np.full((1, sum(network.layers)), -4096, np.int32), engine._space.lanes_of_all
    assert plan[1]["chunk_of_products"] < 201

    @njit
    def update(signals, r, plan, const, store, instincts):
        taps.update(signals, r, np.ones(1, np.int64), plan[1], store, instincts[1], const, np.zeros(16, np.int32),
                    np.zeros(r.shape[1], np.int64))

    for end in (-4096, 4095):
        update(signals, np.full((1, lanes), end, np.int32), plan, const, store,
               tables.instincts(network, engine._types, 0).links)
        total = 200 * -4096 * end
        assert abs(total) > 2**31
        new = before + (total + 2**18 >> 19)                  # Q2.24 to Q2.14 at rate 2**-9
        before = np.where((new >= -2**15) & (new < 2**15), new, before)
        np.testing.assert_array_equal(engine.parameters[1].weights, before)


@pytest.mark.parametrize("learning", [
    Learning(batch=3), Learning(links_instinct="pid", links_gains=(1, 2**-4, 0.5), leak=2**-3)])
def test_reals_agree_to_the_rounding_of_float32(learning):
    network = replace(SMALL, learning=learning)
    same_to_float32(network, *pictures(network, 60), tolerance=5e-5)


# ---------------------------------------------------------------- around it


def test_sums_are_as_wide_as_positions_demand():
    widths = SMALL.widths()
    assert widths["link_sum[0]"] == (18 * 255 * 2**15 + (2**15 << 10)).bit_length() + 1
    assert widths["update[1]"] == (2 * 2**24).bit_length() + 1
    assert widths["reverse_link_sum[1]"] == (2 * 3 * 2**12 * 2**15).bit_length() + 1
    assert widths["updated_bias"] == (6 * 2**12 + (2**15 << 9)).bit_length() + 1
    bounds = worst_case(SMALL)
    for name in ("link_sum[0]", "update[1]", "reverse_link_sum[1]"):
        assert bounds[name].bits <= widths[name]


def test_model_files_hold_the_channels(tmp_path):
    same_out_of_a_file(SMALL, *pictures(SMALL, 20), tmp_path / "model.npz")
