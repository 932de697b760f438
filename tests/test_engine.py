"""The compiled engine against the definition: the same bits for integers, the same numbers to rounding for reals."""
from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from numba import njit

from equal_models import same, same_to_float32
from golden_model.engine import CompiledModel
from golden_model.errors import InputError, InternalError
from golden_model.fixed_point import Format
from golden_model.kernels import learn
from golden_model.kernels.calls import call
from golden_model.model import Model
from golden_model.network import Formats, Learning, Network, Neuron, Wiring
from golden_model.robustness.faults import Faults, FaultyCompiledModel
from random_networks import cases


@given(cases())
@settings(max_examples=150)
def test_integers_are_equal_bit_for_bit_for_any_network(case):
    network, parameters, images, labels, epoch = case
    model, engine = Model(network, "fixed", parameters), CompiledModel(network, "fixed", parameters)
    same(model, engine)
    for _ in range(2):
        np.testing.assert_array_equal(engine.learn(images, labels, epoch), model.learn(images, labels, epoch))
        same(model, engine)
    np.testing.assert_array_equal(engine.outputs(images), model.outputs(images))


@pytest.mark.parametrize("width", [np.int32, np.int64])
def test_whole_learning_runs_are_equal_bit_for_bit(width, blobs):
    """600 images one by one through two epochs of the default arithmetic, in vector registers of either width."""
    images, labels = blobs
    formats = Formats() if width is np.int32 else Formats(drive=Format.parse("Q22.12"))
    network = Network(layers=(images.shape[1], 33, 17, 4), formats=formats, learning=Learning(epochs=2, halvings=1))
    model, engine = Model(network, "fixed"), CompiledModel(network, "fixed")
    assert engine._types.word is width
    for epoch in range(2):
        np.testing.assert_array_equal(engine.learn(images, labels, epoch), model.learn(images, labels, epoch))
        same(model, engine)
    assert (model.predict(images) == labels).mean() > 0.9, "it must have learnt, or equality shows little"


@pytest.mark.parametrize(("learning", "neuron"), [
    (Learning(), Neuron()), (Learning(batch=7), Neuron()), (Learning(K1=2**-6, K2=2**-6, K3=2**-6), Neuron(K1=(0.6,) * 5)),
    (Learning(links_instinct="pid", links_gains=(1, 2**-4, 0.5), bias_instinct="pid", leak=2**-3), Neuron()),
    (Learning(batch=3, K1=2**-6, K2=2**-6, K3=2**-6, K_instinct="pid", K_gains=(0.5, 0.25, 1)), Neuron(K1=(0.6,) * 5)),
    (Learning(links=2**-9, links_instinct="sign", bias=2**-8, bias_instinct="sign"), Neuron())])
def test_reals_agree_to_the_rounding_of_float32(learning, neuron, blobs):
    images, labels = blobs
    network = Network(layers=(images.shape[1], 20, 4), learning=learning, neuron=neuron)
    same_to_float32(network, images[:60], labels[:60])


def test_accumulators_of_32_bits_are_emptied_before_they_overflow():
    """784 inputs of 255 with the least weight: 38 bits of link sum, signed both ways."""
    network = Network(layers=(784, 40, 10))
    model = Model(network, "fixed")
    for extreme in (network.formats.weight.least, network.formats.weight.greatest):
        for layer in model.layers:
            layer.weights[:] = extreme
            layer.bias[:] = network.formats.drive.greatest if extreme < 0 else network.formats.drive.least
        images = np.full((3, 784), 255, np.uint8)
        engine = CompiledModel(network, "fixed", model.parameters)
        assert engine._types.word is np.int32
        np.testing.assert_array_equal(engine.outputs(images), model.outputs(images))
        np.testing.assert_array_equal(engine.learn(images, np.arange(3)), model.learn(images, np.arange(3)))
        same(model, engine)


def test_parameters_with_K_of_their_own_get_wide_enough_integers():
    """The description's K would fit 32 bits; the greatest K its format holds does not."""
    network = Network(layers=(6, 5, 3), formats=Formats(coupling=Format.parse("Q3.1")))
    assert CompiledModel(network, "fixed")._types.word is np.int32
    start = Model(network, "fixed").parameters
    for layer in start:
        layer.coupling[:2, ::2], layer.coupling[:2, 1::2], layer.coupling[2] = -8, 7, 7
        layer.bias[:] = network.formats.drive.greatest
    model, engine = Model(network, "fixed", start), CompiledModel(network, "fixed", start)
    assert engine._types.word is np.int64
    images = np.random.default_rng(0).integers(0, 256, (20, 6)).astype(np.uint8)
    np.testing.assert_array_equal(engine.learn(images, np.arange(20) % 3), model.learn(images, np.arange(20) % 3))
    same(model, engine)


def test_threads_and_slices_change_nothing(blobs):
    images, _ = blobs
    network = Network(layers=(images.shape[1], 20, 4))
    outputs = [CompiledModel(network, arithmetic, threads=threads).outputs(images)
               for arithmetic in ("fixed", "float") for threads in (1, 3)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[2], outputs[3])


def test_learning_in_parts_is_learning_at_once(blobs):
    images, labels = blobs
    network = Network(layers=(images.shape[1], 20, 4), learning=Learning(batch=4))
    whole, parts = CompiledModel(network, "fixed"), CompiledModel(network, "fixed")
    whole.learn(images[:400], labels[:400])
    for start in range(0, 400, 100):
        parts.learn(images[start:start + 100], labels[start:start + 100])
    same(whole, parts)


def test_parameters_go_in_and_out_unchanged_and_copied():
    network = Network(layers=(5, 18, 3), neuron=Neuron(input_population=3, K1=(0.5, 1, 0.5, 0, -1)))
    start = Model(network, "fixed").parameters
    engine = CompiledModel(network, "fixed", start)
    same(engine, Model(network, "fixed", start))
    engine.parameters[0].weights[:] = 0
    start[0].weights[:] = 0
    assert engine.parameters[0].weights.any()


def test_wrong_images_and_labels_are_refused():
    engine = CompiledModel(Network(layers=(4, 3)), "fixed")
    with pytest.raises(InputError, match=r"images must be uint8 of shape \(images, 4\), not float64 of shape \(1, 4\)"):
        engine.outputs(np.zeros((1, 4)))
    with pytest.raises(InputError, match=r"labels must be outputs 0..2 of this network, not 3"):
        engine.learn(np.zeros((1, 4), np.uint8), np.array([3]))


def test_networks_of_all_kinds_have_learn_and_infer_in_common():
    """Compiling them takes seconds: a None in place of a table, or an array that cannot be written, would be another type."""
    def learnt(model, writeable=True):
        images = np.full((4, model.network.layers[0]), 90, np.uint8)
        images.flags.writeable = writeable
        model.learn(images, np.arange(4) % model.network.layers[-1])
        model.outputs(images)
        return model._types

    shape = (16, 16, 3)
    wide = Network(layers=shape, formats=Formats(drive=Format.parse("Q22.12")))
    types = {learnt(CompiledModel(network, "fixed")) for network in (Network(layers=shape), wide)}
    versions = set(learn.learn.overloads), set(learn.infer.overloads)
    for options in (
            {"formats": Formats(bracket=Format.parse("Q6.12"))}, {"learning": Learning(batch=3)},
            {"neuron": Neuron(K1=(0.5, 0, 0.5, 0.5, 0.5)), "learning": Learning(frozen=1)}, {"learning": Learning(K1=2**-6)},
            {"learning": Learning(links_instinct="pid", links_gains=(1, 2**-4, 0.5), bias_instinct="pid", leak=2**-3)},
            *({"wiring": Wiring(layers=(kind, "full"))} for kind in (
                "random 4", "one-to-one", "convolution 3x3 stride 1 of 4x4x1", "locally-connected 3x3 stride 1 of 4x4x1",
                "recurrent 4 steps 2 K3 0.5"))):
        types.add(learnt(CompiledModel(Network(layers=shape, **options), "fixed"), writeable=False))
    types.add(learnt(FaultyCompiledModel(Network(layers=shape), None, Faults(upsets=0.01, dead=0.2))))
    assert len(types) == 2
    assert (set(learn.learn.overloads), set(learn.infer.overloads)) == versions


def test_a_model_in_another_process_has_addresses_of_its_own():
    model, images = CompiledModel(Network(layers=(16, 16, 3)), "fixed"), np.full((4, 16), 90, np.uint8)
    model.learn(images, np.arange(4) % 3)
    outputs = model.outputs(images)
    assert len(model._calls) == 2
    copy = pickle.loads(pickle.dumps(model))
    assert copy._calls == {}
    np.testing.assert_array_equal(copy.outputs(images), outputs)
    same(copy, model)


def test_a_call_by_address_has_the_types_that_were_declared():
    text = r"a call by address must have types that were declared, not \(unicode_type, int64\)"
    with pytest.raises(InternalError, match=text):
        njit(lambda: call(0, ("", 1)))()
