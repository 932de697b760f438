"""Initial parameters, quantisation, and the check that names the array which does not fit."""
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.network import Formats, Initialisation, Learning, Network, Neuron
from golden_model.parameters import Layer, check, check_arithmetic, initial, layer_shapes, quantised, to_real

DEFAULT = Network(layers=(784, 128, 10))
ARRAYS = ("weights", "bias", "coupling")


def fails(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


def equal(one, other):
    """Two sets of parameters have the same values, shapes and types."""
    pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(one, other, strict=True) for name in ARRAYS]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


networks = st.builds(
    Network, layers=st.lists(st.integers(1, 12), min_size=2, max_size=5).map(tuple), seed=st.integers(0, 2**63 - 1),
    initialisation=st.builds(Initialisation, input_gain=st.floats(0, 3), gain=st.floats(0, 3),
                             bias=st.integers(-2**15, 2**15 - 1).map(lambda word: word / 2**12)),
    neuron=st.builds(Neuron, **{name: st.tuples(*[st.integers(0, 3).map(lambda word: word / 2)] * 5)
                                for name in ("K1", "K2", "K3")}))


# ---------------------------------------------------------------- initial

def test_initial_links_of_the_default_are_what_they_were():
    """The start that every figure of this project was measured from."""
    hidden, output = initial(DEFAULT, "fixed")
    assert hidden.weights[0, :4].tolist() == [611, -1027, -2047, -2156]
    assert output.weights[-1, -4:].tolist() == [2328, -1955, -223, -1995]
    assert set(hidden.bias) == set(output.bias) == {-4096}
    assert hidden.coupling[:, :, 7].tolist() == [[1] * 5, [1] * 5, [2] * 5]


def test_initial_links_are_uniform_in_their_range():
    hidden, output = initial(DEFAULT, "fixed")
    for weights, limit in ((hidden.weights, 2.2 * math.sqrt(3 / 784) * 2**14), (output.weights, math.sqrt(3 / 128) * 2**14)):
        assert limit * 0.99 < np.abs(weights).max() <= limit + 0.5
        assert abs(weights.mean()) < 4 * limit / math.sqrt(3 * weights.size)       # within 4 standard errors
        assert weights.std() == pytest.approx(limit / math.sqrt(3), rel=0.04)
        quarters = np.histogram(weights, 4, (-limit, limit))[0]
        assert quarters == pytest.approx(np.full(4, weights.size / 4), rel=0.1)


@given(networks)
def test_initial_parameters_obey_the_description(network):
    parameters = initial(network, "float")
    check(network, "float", parameters)
    for index, (layer, inputs) in enumerate(zip(parameters, network.layers, strict=False)):
        gain = network.initialisation.gain if index else network.initialisation.input_gain
        limit = min(gain * math.sqrt(3 / inputs), -network.formats.weight.minimum)
        assert np.abs(layer.weights).max() <= limit + 2**-15
        assert (layer.bias == network.initialisation.bias).all()
        for rates, name in zip(layer.coupling, ("K1", "K2", "K3"), strict=True):
            assert (rates == np.array(getattr(network.neuron, name))[:, None]).all()


@given(networks)
def test_both_arithmetics_start_from_the_same_values(network):
    reals, integers = initial(network, "float"), initial(network, "fixed")
    check(network, "fixed", integers)
    assert equal(to_real(network, integers), reals)
    assert equal(quantised(network, reals), integers)
    assert {getattr(layer, name).dtype.str for layer in integers for name in ARRAYS} == {"<i8"}


def test_the_seed_alone_decides_the_links():
    fixed = initial(DEFAULT, "fixed")
    assert equal(initial(DEFAULT, "fixed"), fixed)
    other = Network(layers=(784, 128, 10), neuron=Neuron(K1=(0,) * 5), learning=Learning(epochs=3, links=1 / 2),
                    initialisation=Initialisation(bias=0))
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(initial(other, "fixed"), fixed, strict=True))
    for seed in (1, 2**63 - 1):
        reseeded = initial(Network(layers=(784, 128, 10), seed=seed), "fixed")
        assert all((a.weights != b.weights).mean() > 0.99 for a, b in zip(reseeded, fixed, strict=True))


def test_gains_scale_their_layers():
    gains = Network(layers=(20, 30, 30), initialisation=Initialisation(input_gain=0, gain=40))
    first, second = initial(gains, "fixed")
    assert not first.weights.any()
    assert {second.weights.min(), second.weights.max()} == {-2**15, 2**15 - 1}     # beyond the format: saturated


def test_what_initial_refuses():
    odd = Network(layers=(4, 2), neuron=Neuron(K1=(0.3,) * 5))
    assert initial(odd, "float")[0].coupling[0, 0, 0] == 0.3
    with fails("neuron.K1 must be a multiple of 0.5 in [-2, 1.5] to be held in Q2.1, not 0.3; choose 0.5, which is "
               "near"):
        initial(odd, "fixed")
    with fails("arithmetic must be float or fixed, not 'double'"):
        initial(DEFAULT, "double")
    with fails("arithmetic must be float or fixed, not None"):
        check_arithmetic(None)


# ---------------------------------------------------------------- quantised and to_real

SMALL = Network(layers=(3, 2), formats=Formats(weight="Q2.6", drive="Q4.4", displacement="Q1.4", error="Q1.4", coupling="Q2.2"))


@given(st.integers(0, 2**32 - 1))
def test_integers_survive_the_way_to_reals_and_back(seed):
    random, formats = np.random.default_rng(seed), SMALL.formats
    words = [Layer(*(random.integers(to.least, to.greatest, shape, endpoint=True) for to, shape in
                     zip((formats.weight, formats.drive, formats.coupling), layer_shapes(SMALL)[0].values(), strict=True)))]
    reals = to_real(SMALL, words)
    check(SMALL, "fixed", words)
    check(SMALL, "float", reals)
    assert equal(quantised(SMALL, reals), words)
    assert equal(to_real(SMALL, quantised(SMALL, reals)), reals)


def test_quantised_rounds_to_the_nearest_and_saturates():
    reals = [Layer(np.array([[0.5 / 64, -0.5 / 64, 0.49 / 64], [5.0, -5.0, 1.0]]), np.array([9.0, -1 / 32]),
                   np.full((3, 5, 2), 0.3, np.float32))]
    words = quantised(SMALL, reals)[0]
    assert words.weights.tolist() == [[1, 0, 0], [127, -128, 64]]
    assert words.bias.tolist() == [127, 0]
    assert set(words.coupling.flat) == {1}
    back = to_real(SMALL, [words])[0]
    assert back.weights.tolist() == [[1 / 64, 0, 0], [127 / 64, -2.0, 1.0]]
    assert back.bias.tolist() == [127 / 16, 0.0]
    assert set(back.coupling.flat) == {0.25}


# ---------------------------------------------------------------- check

def damaged(name, value, network=SMALL, arithmetic="fixed"):
    parameters = initial(network, arithmetic)
    setattr(parameters[-1], name, value)
    return parameters


def test_shapes_of_the_default():
    assert layer_shapes(DEFAULT) == [{"weights": (128, 784), "bias": (128,), "coupling": (3, 5, 128)},
                                     {"weights": (10, 128), "bias": (10,), "coupling": (3, 5, 10)}]


def test_check_takes_what_fits():
    check(SMALL, "fixed", initial(SMALL, "fixed"))
    check(SMALL, "fixed", damaged("weights", np.full((2, 3), -128, np.int8)))
    check(SMALL, "float", damaged("bias", np.zeros(2, np.float32), arithmetic="float"))


@pytest.mark.parametrize(("arithmetic", "name", "value", "sentence"), [
    ("fixed", "weights", np.zeros((3, 2), int), "weights of layer 0 must have shape (2, 3), not (3, 2)"),
    ("fixed", "bias", np.zeros((2, 1), int), "bias of layer 0 must have shape (2,), not (2, 1)"),
    ("float", "coupling", np.zeros((3, 2)), "coupling of layer 0 must have shape (3, 5, 2), not (3, 2)"),
    ("fixed", "weights", [[0, 0, 0], [0, 0, 0]], "weights of layer 0 must be a NumPy array, not list"),
    ("float", "bias", None, "bias of layer 0 must be a NumPy array, not NoneType"),
    ("fixed", "weights", np.full((2, 3), 128), "weights of layer 0 must lie in -128..127 (format Q2.6), not 128"),
    ("fixed", "bias", np.array([0, -129]), "bias of layer 0 must lie in -128..127 (format Q4.4), not -129"),
    ("fixed", "coupling", np.full((3, 5, 2), 8), "coupling of layer 0 must lie in -8..7 (format Q2.2), not 8"),
    ("fixed", "weights", np.zeros((2, 3)), "weights of layer 0 must be integers of format Q2.6, not float64"),
    ("fixed", "bias", np.zeros(2, bool), "bias of layer 0 must be integers of format Q4.4, not bool"),
    ("fixed", "bias", np.zeros(2, object), "bias of layer 0 must be integers of format Q4.4, not object"),
    ("float", "bias", np.zeros(2, int), "bias of layer 0 must be finite float32 or float64 numbers, not int64"),
    ("float", "bias", np.zeros(2, np.float16), "bias of layer 0 must be finite float32 or float64 numbers, not float16"),
    ("float", "bias", np.zeros(2, object), "bias of layer 0 must be finite float32 or float64 numbers, not object"),
    ("float", "weights", np.full((2, 3), np.nan),
     "weights of layer 0 must be finite float32 or float64 numbers, not float64 with NaN or infinite entries"),
    ("float", "bias", np.array([0, -np.inf], np.float32),
     "bias of layer 0 must be finite float32 or float64 numbers, not float32 with NaN or infinite entries"),
])
def test_what_check_refuses(arithmetic, name, value, sentence):
    with fails(sentence):
        check(SMALL, arithmetic, damaged(name, value, arithmetic=arithmetic))


def test_check_names_the_layer_and_counts_them():
    with fails("bias of layer 1 must have shape (10,), not (9,)"):
        check(DEFAULT, "fixed", damaged("bias", np.zeros(9, int), DEFAULT))
    with fails("a network of sizes (784, 128, 10) must have 2 layers of parameters, not 1"):
        check(DEFAULT, "fixed", initial(DEFAULT, "fixed")[:1])
    with fails("arithmetic must be float or fixed, not 'integer'"):
        check(DEFAULT, "integer", [])


def test_a_copy_stands_alone():
    layer = initial(SMALL, "fixed")[0]
    before = [array.copy() for array in (layer.weights, layer.bias, layer.coupling)]
    copy = layer.copy()
    assert equal([copy], [layer])
    for name in ARRAYS:
        getattr(copy, name)[:] = 5
    assert equal([layer], [Layer(*before)])
