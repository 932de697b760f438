"""Faults: which, drawn how; the same bits in both engines; upsets by an oracle in plain Python; what is refused."""
from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model import parameters, reciprocal
from golden_model.arithmetic import create_arithmetic
from golden_model.circuits import MIRROR, mirrored, reverse_gate, settle
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Learning, Network, Neuron, Wiring
from golden_model.robustness import upsets
from golden_model.robustness.faults import Faults, FaultyCompiledModel, FaultyModel, Struck, dead, held, mismatched
from random_networks import cases

RATES = st.sampled_from([0.0, 0.01, 0.2])
NETWORK = Network(layers=(30, 20, 18, 4), learning=Learning(links=2**-2, bias=2**-2))


def same(one, other):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for a, b in zip(one, other, strict=True)
               for name in ("weights", "bias", "coupling"))


# ---------------------------------------------------------------- both engines


@settings(max_examples=25)
@given(cases(), st.builds(Faults, dead=RATES, stuck=RATES, upsets=RATES, seed=st.integers(0, 2**63 - 1)))
def test_both_engines_compute_the_same_bits_on_faulty_hardware(case, faults):
    network, values, images, labels, epoch = case
    plain, engine = FaultyModel(network, values, faults), FaultyCompiledModel(network, values, faults)
    for _ in range(2):
        assert np.array_equal(plain.learn(images, labels, epoch), engine.learn(images, labels, epoch))
        assert same(plain.parameters, engine.parameters)
        assert np.array_equal(plain.outputs(images), engine.outputs(images))


def test_many_images_and_neurons_beside_a_block_of_lanes(blobs):
    images, labels = blobs
    for batch in (1, 7):
        network = NETWORK.with_learning(batch=batch)
        faults = Faults(upsets=0.01, dead=0.1, stuck=0.01, seed=5)
        plain, engine = FaultyModel(network, None, faults), FaultyCompiledModel(network, None, faults)
        assert np.array_equal(plain.learn(images[:60], labels[:60]), engine.learn(images[:60], labels[:60]))
        assert same(plain.parameters, engine.parameters)
        assert np.array_equal(plain.outputs(images), engine.outputs(images))       # more than a slice of inference


@pytest.mark.parametrize(("faulty", "whole"), [(FaultyModel, Model), (FaultyCompiledModel, CompiledModel)])
def test_without_faults_they_are_the_models_themselves(faulty, whole, blobs):
    images, labels = blobs
    broken, sound = faulty(NETWORK, None, Faults(seed=9)), whole(NETWORK, "fixed")
    assert np.array_equal(broken.learn(images[:50], labels[:50]), sound.learn(images[:50], labels[:50]))
    assert same(broken.parameters, sound.parameters)


def test_upsets_do_not_depend_on_how_images_are_divided(blobs):
    images, _ = blobs
    one, parts = (FaultyCompiledModel(NETWORK, None, Faults(upsets=0.01)) for _ in range(2))
    assert np.array_equal(one.outputs(images[:40]), np.concatenate([parts.outputs(images[:13]), parts.outputs(images[13:40])]))
    assert not np.array_equal(one.outputs(images[:40]), parts.outputs(images[:40])[::-1])
    assert not np.array_equal(one.outputs(images[:40]), one.outputs(images[:40]))    # other images of the count, other upsets


# ---------------------------------------------------------------- upsets


def splitmix(key, number):
    """The published finaliser in Python's integers."""
    x = ((key ^ number) + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def test_the_hash_is_that_of_splitmix64():
    assert splitmix(0, 0) == 0xE220A8397B1DCDAF                       # its first number from seed 0
    random = np.random.default_rng(0)
    for key, number in random.integers(0, 2**64, (50, 2), np.uint64).tolist():
        assert int(upsets.mixed(np.array([key], np.uint64), number)[0]) == splitmix(key, number)


def test_masks_are_those_of_the_documented_hash():
    seed, way, layer, step, rate, bits = 77, 1, 2, 5, 0.3, 13
    result = upsets.masks(seed, np.array([4, 9]), way, layer, step, 6, rate, bits)
    for at, image in enumerate((4, 9)):
        for population in range(5):
            for neuron in range(6):
                key = splitmix(splitmix(splitmix(seed, image), way << 32 | layer), step << 32 | population)
                word = splitmix(key, neuron)
                bit = (word & 0xFFFFFFFF) * bits >> 32
                reference = (-4096 if bit == 12 else 1 << bit) if word >> 32 < round(0.3 * 2**32) else 0
                assert result[population, at, neuron] == reference


def test_upsets_hit_every_bit_alike_and_as_often_as_they_should():
    result = upsets.masks(3, np.arange(400), 0, 0, 0, 50, 0.25, 13).ravel()
    assert (result != 0).mean() == pytest.approx(0.25, abs=0.01)
    counts = np.unique(result[result != 0], return_counts=True)
    assert sorted(counts[0].tolist()) == sorted([1 << bit for bit in range(12)] + [-4096])
    assert counts[1].min() > 0.8 * counts[1].mean()


def test_a_state_is_struck_before_each_step_and_no_population_falls_below_zero():
    network = Network(layers=(1, 3), neuron=Neuron(rest=(0.5,) * 5))
    struck = Struck(network, Faults(upsets=1.0, seed=2))
    record = []
    coupling = parameters.initial(network, "fixed")[0].coupling
    settle(struck, np.zeros((2, 3), np.int64), coupling, record=record)
    assert (np.array(record) != 0).any()
    for step in range(8):
        state = np.full((5, 2, 3), -2048)
        hit = struck.disturbed(state, "displacement[0]", step)
        assert hit.min() >= -2048
        assert np.array_equal(hit, np.maximum(state ^ upsets.masks(2, np.arange(2), 0, 0, step, 3, 1.0, 13), -2048))


def test_an_image_without_error_leaves_every_bit_although_words_are_struck():
    network = NETWORK.with_learning(margin=2**-12)
    images = np.zeros((1, 30), np.uint8)
    models = [FaultyModel(network, None, Faults(upsets=0.5)), FaultyCompiledModel(network, None, Faults(upsets=0.5))]
    for model in models:
        model.learn(images, np.array([0]))
    assert same(models[0].parameters, models[1].parameters)


# ---------------------------------------------------------------- dead, stuck, mismatched


@pytest.mark.parametrize("kind", [FaultyModel, FaultyCompiledModel])
def test_dead_neurons_say_nothing_and_stay_dead(kind, blobs):
    images, labels = blobs
    faults = Faults(dead=0.25, seed=4)
    model = kind(NETWORK, None, faults)
    model.learn(images[:100], labels[:100])
    silent = dead(NETWORK, faults)
    assert {at: len(neurons) for at, neurons in silent.items()} == {1: 5, 2: 4}
    values = model.parameters
    for at, neurons in silent.items():
        assert not values[at - 1].weights[neurons].any()
        assert not values[at].weights[:, neurons].any()
    alive = [np.setdiff1d(np.arange(20), silent[1]), np.setdiff1d(np.arange(18), silent[2])]
    small = Network(layers=(30, 15, 14, 4))
    cut = [parameters.Layer(values[0].weights[alive[0]], values[0].bias[alive[0]], values[0].coupling[..., alive[0]]),
           parameters.Layer(values[1].weights[np.ix_(alive[1], alive[0])], values[1].bias[alive[1]],
                            values[1].coupling[..., alive[1]]),
           parameters.Layer(values[2].weights[:, alive[1]], values[2].bias, values[2].coupling)]
    assert np.array_equal(model.outputs(images), Model(small, "fixed", cut).outputs(images))


def test_stuck_bits_are_as_many_as_they_should_be_and_hold_what_is_written(blobs):
    images, labels = blobs
    faults = Faults(stuck=0.1, seed=1)
    memory = held(NETWORK, faults)[0]
    bits = np.arange(16)
    stuck = ((~memory.kept[..., None] | memory.ones[..., None]) >> bits) & 1
    assert stuck.mean() == pytest.approx(0.1, abs=0.01)
    assert ((memory.ones[..., None] >> bits) & 1).mean() == pytest.approx(0.05, abs=0.01)
    random = np.random.default_rng(0)
    words = random.integers(-2**15, 2**15, memory.kept.shape)
    read = memory.of(words)
    assert read.min() >= -2**15
    assert read.max() < 2**15
    assert (((read ^ words)[..., None] >> bits & 1) <= stuck).all()
    assert np.array_equal(memory.of(read), read)
    model = FaultyCompiledModel(NETWORK, None, faults)
    model.learn(images[:100], labels[:100])
    for layer, each in zip(model.parameters, held(NETWORK, faults), strict=True):
        assert np.array_equal(each.of(layer.weights), layer.weights)


def test_greater_shares_have_the_same_faults_and_more():
    few, many = (Faults(dead=share, stuck=share, seed=6) for share in (0.1, 0.3))
    for at, neurons in dead(NETWORK, few).items():
        assert set(neurons) < set(dead(NETWORK, many)[at])
    for less, more in zip(held(NETWORK, few), held(NETWORK, many), strict=True):
        assert (more.kept & less.kept == more.kept).all()


def test_mismatch_multiplies_every_k_and_learning_goes_on(blobs):
    images, labels = blobs
    values = parameters.initial(NETWORK, "fixed")
    fine, off = mismatched(NETWORK, values, Faults(mismatch=0.1, seed=3), Format.parse("Q2.10"))
    assert str(fine.formats.coupling) == "Q2.10"
    for layer, before in zip(off, values, strict=True):
        assert np.array_equal(layer.weights, before.weights)
        ratio = layer.coupling / 1024 / (before.coupling / 2)
        assert ratio.mean() == pytest.approx(1, abs=0.02)
        assert ratio.std() == pytest.approx(0.1, abs=0.02)
        assert layer.coupling[2].min() >= 1
    _, same_k = mismatched(NETWORK, values, Faults(seed=3), Format.parse("Q2.10"))
    assert np.array_equal(Model(fine, "fixed", same_k).outputs(images), Model(NETWORK, "fixed", values).outputs(images))
    plain, engine = FaultyModel(fine, off, Faults(upsets=0.01)), FaultyCompiledModel(fine, off, Faults(upsets=0.01))
    plain.learn(images[:30], labels[:30])
    engine.learn(images[:30], labels[:30])
    assert same(plain.parameters, engine.parameters)
    wild = mismatched(NETWORK, values, Faults(mismatch=1.0, seed=3), Format.parse("Q2.10"))[1]
    assert min(layer.coupling[2].min() for layer in wild) == 1                       # still propagators


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("arguments", "text"), [
    ({"dead": 1.5}, "faults.dead must lie between 0 and 1, not 1.5"),
    ({"upsets": -0.1}, "faults.upsets must lie between 0 and 1, not -0.1"),
    ({"stuck": "all"}, "faults.stuck must be a finite number, not 'all'"),
    ({"seed": -1}, "faults.seed must be a whole number from 0 to 9223372036854775807, not -1")])
def test_faults_that_cannot_be_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        Faults(**arguments)


@pytest.mark.parametrize("kind", [FaultyModel, FaultyCompiledModel])
def test_a_mismatch_belongs_into_parameters(kind):
    text = "faults of a model must have mismatch 0, not 0.1: it belongs into parameters, which faults.mismatched gives"
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        kind(NETWORK, None, replace(Faults(), mismatch=0.1))


@pytest.mark.parametrize("kind", [FaultyModel, FaultyCompiledModel])
@pytest.mark.parametrize("words", ["convolution 2x2 stride 2 of 4x4x1", "recurrent 4 steps 1 K3 0.5"])
def test_a_link_of_several_neurons_or_frames_cannot_be_cut_for_one_that_is_dead(kind, words):
    network = Network(layers=(16, 8, 4), wiring=Wiring(layers=(words, "full")))
    text = (f"faults.dead must be 0 in a network with {words}, not 0.1: its links serve several neurons or frames, and cannot "
            "be cut for one")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        kind(network, None, Faults(dead=0.1))


# ---------------------------------------------------------------- layers that share links, or have frames


STACKED = Network(layers=(18, 4 * 17, 18, 3), learning=Learning(links=2**-2, bias=2**-2), seed=2, wiring=Wiring(layers=(
    "convolution 2x2 stride 1 of 3x3x2", "recurrent 4 steps 2 K3 0.5", "full")))


EVERY_FRAME = replace(STACKED, layers=(18, 4 * 17, 4 * 18, 3), wiring=Wiring(layers=(
    "convolution 2x2 stride 1 of 3x3x2", "recurrent 4 steps 2 K3 0.5 every frame", "full")))
FRAMES_FIRST = replace(STACKED, layers=(18, 3 * 17, 2 * 16, 3), wiring=Wiring(layers=(
    "recurrent 3 steps 2 K3 0.5 every frame", "convolution 2x2 stride 1 of 3x17x1", "full")))


@pytest.mark.parametrize("stack", [STACKED, EVERY_FRAME, FRAMES_FIRST])
@pytest.mark.parametrize("batch", [1, 4])
def test_both_engines_compute_the_same_bits_where_links_are_tied_or_reciprocal(batch, stack):
    network, faults = stack.with_learning(batch=batch), Faults(stuck=0.02, upsets=0.02, seed=8)
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (14, 18)).astype(np.uint8), random.integers(0, 3, 14)
    plain, engine = FaultyModel(network, None, faults), FaultyCompiledModel(network, None, faults)
    assert np.array_equal(plain.learn(images, labels), engine.learn(images, labels))
    assert same(plain.parameters, engine.parameters)
    assert np.array_equal(plain.outputs(images), engine.outputs(images))
    for layer, memory in zip(engine.parameters, held(network, faults), strict=True):
        assert np.array_equal(memory.of(layer.weights), layer.weights)


@pytest.mark.parametrize("stack", [STACKED, EVERY_FRAME])
def test_states_of_a_recurrent_layer_are_struck_before_each_step_either_way(stack):
    """What is struck is the word that the step starts from, that gates the way back and that products see.

    The error of a frame that is passed on enters after the frame's last step, and before the upsets of the step back.
    """
    struck, wiring = Struck(stack, Faults(upsets=0.3, seed=2)), stack.wirings[1]
    layer, random = parameters.initial(stack, "fixed")[1], np.random.default_rng(1)
    x, error = random.integers(-4096, 4096, (2, 68)), random.integers(-4096, 4096, (2, stack.layers[2]))
    state = wiring.settle(struck, x, layer, 1)
    struck.erring = np.array([[True], [False]])
    signals = [r[MIRROR] for r in reversed(wiring.settle_reverse(struck, state, error, layer, 1))]
    plain = create_arithmetic(stack, "fixed")
    links, low, s = layer.weights[:, -18:], plain.low[:, None, None] + plain.floor, np.zeros((5, 2, 18), np.int64)
    for t in range(8):
        s = np.maximum(s ^ upsets.masks(2, np.arange(2), upsets.FORWARD, 1, t, 18, 0.3, 13), low)
        assert np.array_equal(state.course.states[t], s)
        s = reciprocal.step(plain, s, None, wiring.drive(plain, state.course.frames[t // 2], layer, 1), 0, 1, layer.coupling,
                            links, "displacement[1]")
    assert np.array_equal(state.displacement, s)
    after = {8: error} if stack is STACKED else {2 * frame: error[:, 18 * (frame - 1):18 * frame] for frame in range(1, 5)}
    gates = [reverse_gate(plain, each)[MIRROR] for each in state.course.states]
    r = np.zeros((5, 2, 18), np.int64)
    for step in range(8):
        if 8 - step in after:
            r[MIRROR[1]] = plain.kick(r[MIRROR[1]], gates[8 - step][MIRROR[1]] * after[8 - step], 1)
        hits = upsets.masks(2, np.arange(2), upsets.REVERSE, 1, step, 18, 0.3, 13)[MIRROR]
        r = r ^ hits * struck.erring
        assert (hits[:, 0] != 0).any()
        assert np.array_equal(signals[step], r)
        r = reciprocal.step(plain, r, (gates[8 - step], gates[7 - step]), 0 * error[:, :18], int(MIRROR[1]), int(MIRROR[0]),
                            mirrored(layer.coupling), links.T, "reverse[1]")
