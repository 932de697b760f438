"""What callers may hand to a network that learns, and the sentence for what they may not: the same for both engines."""
import re

import numpy as np
import pytest

from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Integration, Learning, Network, Neuron
from golden_model.parameters import initial
from golden_model.robustness import faults
from golden_model.robustness.faults import FaultyCompiledModel, FaultyModel

NETWORK = Network(layers=(4, 3), learning=Learning(epochs=4, halvings=3))
IMAGES = np.array([[0, 255, 7, 0], [1, 2, 3, 4]], np.uint8)
LABELS = np.array([2, 0])
STUCK = faults.Faults(stuck=0.1)
ENGINES = {
    "definition": lambda: Model(NETWORK, "fixed"), "compiled": lambda: CompiledModel(NETWORK, "fixed"),
    "definition, float": lambda: Model(NETWORK, "float"), "compiled, float": lambda: CompiledModel(NETWORK, "float"),
    "faulty": lambda: FaultyModel(NETWORK, None, STUCK), "faulty, compiled": lambda: FaultyCompiledModel(NETWORK, None, STUCK)}
each_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


def fails(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


# ---------------------------------------------------------------- images, labels, epoch


@each_engine
@pytest.mark.parametrize(("epoch", "text"), [(-1, "-1"), (-50, "-50"), (True, "True"), (1.0, "1.0"), (None, "None"),
                                             (np.int64(-1), "np.int64(-1)"), (np.bool_(True), "np.True_"), ("0", "'0'")])
def test_an_epoch_is_a_whole_number_from_0(engine, epoch, text):
    model = engine()
    before = model.parameters
    with fails(f"epoch must be a whole number, 0 or more, not {text}; the first is 0"):
        model.learn(IMAGES, LABELS, epoch)
    assert all(np.array_equal(one.weights, other.weights) for one, other in zip(before, model.parameters, strict=True))


@each_engine
def test_after_the_last_epoch_the_rates_stay(engine):
    """3 halvings in 4 epochs: epoch 3 has the least rates, and so has every later one."""
    results = []
    for epoch in (np.uint8(3), 4, 10**30):
        model = engine()
        model.learn(IMAGES, LABELS, epoch)
        results.append(model.parameters[0].weights)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@each_engine
@pytest.mark.parametrize(("images", "text"), [
    (IMAGES[:, :3], "images must be uint8 of shape (images, 4), not uint8 of shape (2, 3)"),
    (IMAGES[0], "images must be uint8 of shape (images, 4), not uint8 of shape (4,)"),
    (IMAGES / 255, "images must be uint8 of shape (images, 4), not float64 of shape (2, 4)"),
    (IMAGES > 0, "images must be uint8 of shape (images, 4), not bool of shape (2, 4)"),
    (IMAGES.astype(np.int64) - 8, "images must be bytes, whole numbers 0..255, not -8; scale them"),
    ([[0, 0, 0, 256]], "images must be bytes, whole numbers 0..255, not 256; scale them"),
    ([[0, 1, 2, 3], [4]], "images must be an array or a list whose rows have one length, but they differ; cut or fill them"),
    ("images", "images must be uint8 of shape (images, 4), not <U6 of shape ()"),
    (None, "images must be uint8 of shape (images, 4), not object of shape ()")], ids=str)
def test_images_are_bytes(engine, images, text):
    model = engine()
    for call in (lambda: model.outputs(images), lambda: model.predict(images), lambda: model.learn(images, LABELS)):
        with fails(text):
            call()


@each_engine
@pytest.mark.parametrize(("labels", "text"), [
    ([0], "labels must be integers of shape (2,), not int64 of shape (1,)"),
    ([0, 3], "labels must be outputs 0..2 of this network, not 3"),
    ([-1, 0], "labels must be outputs 0..2 of this network, not -1"),
    ([True, False], "labels must be integers of shape (2,), not bool of shape (2,)"),
    ([0.0, 1.0], "labels must be integers of shape (2,), not float64 of shape (2,)"),
    ([[0], [1, 2]], "labels must be an array or a list whose rows have one length, but they differ; cut or fill them")])
def test_labels_are_outputs(engine, labels, text):
    with fails(text):
        engine().learn(IMAGES, labels)


@each_engine
@pytest.mark.parametrize("images", [IMAGES.tolist(), tuple(map(tuple, IMAGES.tolist())), IMAGES.astype(np.int64),
                                    IMAGES.astype(np.uint16), np.asfortranarray(IMAGES), [IMAGES[0], list(IMAGES[1])]])
def test_lists_and_arrays_of_any_whole_numbers_are_images(engine, images):
    assert np.array_equal(engine().outputs(images), engine().outputs(IMAGES))
    assert np.array_equal(engine().predict(images), engine().predict(IMAGES))
    first, second = engine(), engine()
    assert np.array_equal(first.learn(images, LABELS.tolist(), np.int32(1)), second.learn(IMAGES, LABELS.astype(np.uint8), 1))
    assert np.array_equal(first.parameters[0].weights, second.parameters[0].weights)


@each_engine
def test_no_images_are_images_too(engine):
    assert engine().learn(IMAGES[:0], []).shape == engine().predict(IMAGES[:0]).shape == (0,)
    assert engine().outputs(np.zeros((0, 4), np.int64)).shape == (0, 3)


# ---------------------------------------------------------------- what a model begins with


@pytest.mark.parametrize("engine", [Model, CompiledModel])
@pytest.mark.parametrize(("network", "arithmetic", "values", "text"), [
    ({"layers": [4, 3]}, "fixed", None,
     "the network must be a Network, not dict; make one with Network(layers=...) or Network.from_toml"),
    (NETWORK, "double", None, "arithmetic must be float or fixed, not 'double'"),
    (NETWORK, "fixed", [], "a network of sizes (4, 3) must have 1 layers of parameters, not 0"),
    (NETWORK, "fixed", 5, "parameters must be a list of Layer, one for each layer of neurons, not 5"),
    (NETWORK, "fixed", ["x"], "parameters must be a list of Layer, one for each layer of neurons, not ['x']"),
    (NETWORK, "fixed", initial(NETWORK, "float"), "weights of layer 0 must be integers of format Q2.14, not float64")])
def test_both_engines_refuse_the_same_beginnings(engine, network, arithmetic, values, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}"):
        engine(network, arithmetic, values)


@pytest.mark.parametrize(("threads", "text"), [(0, "0"), (-1, "-1"), (True, "True"), (2.0, "2.0"), ("2", "'2'")])
def test_threads_are_a_whole_number_from_1(threads, text):
    with fails(f"threads must be a whole number, 1 or more, not {text}; None stands for one for each core"):
        CompiledModel(NETWORK, "fixed", threads=threads)
    assert CompiledModel(NETWORK, "fixed", threads=np.int64(2)).threads == 2


# ---------------------------------------------------------------- NumPy's numbers in a description


def test_a_description_takes_numbers_of_numpy_and_is_the_same():
    plain = Network(layers=(16, 8, 4), seed=3, neuron=Neuron(K1=(0.5, 0.5, 0.25, 0.5, 0.5), output_population=2,
                                                             gate_floor=0.125),
                    integration=Integration(steps=4), learning=Learning(
                        epochs=3, batch=2, links_instinct="pid", links_gains=(1, 0.5, 0), links=0.125))
    for sizes in (np.array([16, 8, 4]), [np.int64(16), np.uint8(8), 4], (np.int32(16), np.int16(8), np.int64(4))):
        same = Network(layers=sizes, seed=np.uint64(3), neuron=Neuron(
            K1=np.array([0.5, 0.5, 0.25, 0.5, 0.5], np.float32), output_population=np.int8(2), gate_floor=np.float32(0.125)),
            integration=Integration(steps=np.int64(4)), learning=Learning(
                epochs=np.int64(3), batch=np.array([2])[0], links_instinct="pid", links_gains=np.array([1, 0.5, 0]),
                links=np.float16(0.125)))
        assert same == plain
        assert (hash(same), same.digest, same.to_json()) == (hash(plain), plain.digest, plain.to_json())
        assert [type(size) for size in same.layers] == [int] * 3
        assert Network.from_toml(same.to_toml()) == plain
    assert faults.Faults(seed=np.int64(3), dead=np.float32(0.5)) == faults.Faults(seed=3, dead=0.5)


@pytest.mark.parametrize(("arguments", "text"), [
    ({"layers": (4, True)}, "each size in layers must be a whole number from 1 to 1048576, not True"),
    ({"layers": np.array([True, True])}, "each size in layers must be a whole number from 1 to 1048576, not True"),
    ({"layers": (4, np.bool_(True))}, "each size in layers must be a whole number from 1 to 1048576, not np.True_"),
    ({"layers": (4, np.float64(3))}, "each size in layers must be a whole number from 1 to 1048576, not np.float64(3.0)"),
    ({"layers": np.array([[4, 3]])}, "layers must have at least two sizes, not array([[4, 3]])"),
    ({"layers": (4, 3), "seed": np.int64(-1)}, "seed must be a whole number from 0 to 9223372036854775807, not np.int64(-1)")])
def test_truth_values_and_fractions_are_no_sizes(arguments, text):
    with fails(text):
        Network(**arguments)


@pytest.mark.parametrize("value", [True, np.bool_(True), np.nan, np.float32(np.inf), "1", None, 1j])
def test_what_is_no_number(value):
    with pytest.raises(InputError, match=r"^integration\.dt must be a finite number, not "):
        Integration(dt=value)
