"""Reciprocal links: antisymmetry, energy, the adjoint, the engine against the definition, the associative memory."""
from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equal_models import same_bits_learnt, same_out_of_a_file, same_to_float32
from golden_model import circuits, parameters, reciprocal
from golden_model.arithmetic import create_arithmetic
from golden_model.bounds import worst_case
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Formats, Integration, Learning, Network, Neuron, Wiring
from golden_model.ranges import record
from golden_model.storage import model_file
from golden_model.theory.association import AssociativeMemory, description
from golden_model.theory.neuron import Ring, energy
from golden_model.wirings import Recurrent
from random_networks import pictures

SMALL = Network(layers=(5 * 6, 18, 7, 4), seed=2, integration=Integration(dt=0.25),
                formats=Formats(coupling=Format.parse("Q2.4")),
                wiring=Wiring(layers=("recurrent 5 steps 2 K3 0.0625", "full", "full")))


# ---------------------------------------------------------------- the word


def test_the_word():
    assert Recurrent.parse("recurrent 28 steps 2 K3 0.0625") == Recurrent(28, 2, 0.0625)
    assert Recurrent(28, 2, 0.0625).instants == 56
    assert Recurrent.parse("recurrent 28 steps 2 K3 0.0625 every frame") == Recurrent(28, 2, 0.0625, every_frame=True)
    for other in ("recurrent 28", "recurrent 0 steps 1 K3 1", "recurrent 2 steps 1 K3 -1", "full"):
        assert Recurrent.parse(other) is None


@pytest.mark.parametrize(("layers", "words", "learning", "text"), [
    ((784, 9, 10), ("recurrent 28 steps 1 K3 0.0", "full"), {},
     "K3 of a recurrent layer must be positive, or it has no rest to return to, not 0"),
    ((784, 9, 10), ("recurrent 27 steps 1 K3 1", "full"), {},
     "a recurrent layer of 27 frames must have a multiple of as many inputs, not 784"),
    ((9, 8, 10), ("full", "recurrent 3 steps 1 K3 1"), {},
     "a recurrent layer of 3 frames must have a multiple of as many inputs, not 8"),
    ((9, 8, 10), ("recurrent 3 steps 1 K3 1 every frame", "full"), {},
     "layer 0 must have a multiple of 3 outputs, one of each neuron for every frame, not 8"),
    ((9, 9), ("recurrent 3 steps 1 K3 1 every frame",), {},
     ("the last of wiring.layers must have one output for each class, not 'recurrent 3 steps 1 K3 1 every frame'; put a layer "
      "behind it, for example full")),
    ((9, 9, 4), ("recurrent 3 steps 1 K3 1", "full"), {"K1": 0.5},
     "learning.K1, K2 and K3 must be 0 in a network with a recurrent layer, whose K is not trained, but are not")])
def test_what_cannot_be_is_one_sentence(layers, words, learning, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        Network(layers=layers, wiring=Wiring(layers=words), learning=Learning(**learning))


def test_integers_need_a_damping_that_their_format_holds():
    network = replace(SMALL, formats=Formats())
    text = ("K3 of the recurrent layer must be a multiple of 0.5 in [-2, 1.5] to be held in Q2.1, not 0.0625; choose "
            "Q2.4, which holds it")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        CompiledModel(network, "fixed")


# ---------------------------------------------------------------- the dynamics


def growth(links, coupling, neuron):
    """The brackets (5 N, 5 N) as a linear map of all displacements of a net, element by element."""
    count = len(links)
    units = np.eye(5 * count).reshape(5 * count, 5, count).transpose(1, 0, 2)
    b = circuits.bracket(units, units[neuron.output_population] @ links.T, neuron.input_population, coupling)
    b[neuron.output_population] -= units[neuron.input_population] @ links
    return b.transpose(1, 0, 2).reshape(5 * count, 5 * count).T


@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 4), st.integers(0, 99))
def test_the_whole_net_is_antisymmetric_but_for_its_damping(count, first, second, seed):
    random = np.random.default_rng(seed)
    links, coupling = random.normal(size=(count, count)) * 9, random.normal(size=(3, 5, count))
    matrix = growth(links, coupling, Neuron(input_population=first, output_population=second))
    np.testing.assert_allclose(matrix + matrix.T, -2 * np.diag(coupling[2].ravel()), atol=1e-12)


def test_the_map_is_the_one_that_a_step_takes():
    random = np.random.default_rng(1)
    network = replace(SMALL, integration=Integration(dt=2**-12))
    arithmetic = create_arithmetic(network, "float")
    s, links, drive = random.uniform(-0.5, 0.5, (5, 1, 4)), random.normal(size=(4, 4)), random.normal(size=(1, 4))
    coupling = np.abs(random.normal(size=(3, 5, 4)))
    moved = reciprocal.step(arithmetic, s, None, drive, 0, 1, coupling, links, "displacement[0]")
    b = growth(links, coupling, network.neuron) @ s.ravel() + np.concatenate([drive.ravel(), np.zeros(16)])
    np.testing.assert_allclose((moved - s).ravel() * 2**12, (1 + s.ravel()) * b, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_energy_never_grows_whatever_the_links_when_the_step_is_short(scale, arithmetic):
    """16 neurons from anywhere in their range; in integers until what is left is a few words of rounding."""
    random = np.random.default_rng(3)
    formats = Formats(displacement=Format.parse("Q1.16"), drive=Format.parse("Q8.16"), error=Format.parse("Q1.16"),
                      weight=Format.parse("Q6.12"), coupling=Format.parse("Q2.1"))
    network = replace(SMALL, formats=formats, integration=Integration(dt={0.1: 2**-3, 1.0: 2**-5, 10.0: 2**-9}[scale]),
                      wiring=Wiring(layers=("recurrent 1 steps 1 K3 1", "full", "full")))
    words = create_arithmetic(network, arithmetic)
    links, s = random.uniform(-scale, scale, (16, 16)), random.uniform(-0.9, 0.9, (5, 3, 16))
    coupling = np.repeat(np.array([[0.5] * 5, [0.5] * 5, [1.0] * 5])[:, :, None], 16, axis=2)
    drive, one = np.zeros((3, 16)), 1
    if arithmetic == "fixed":
        links, s, one = formats.weight.quantise(links), formats.displacement.quantise(s), formats.displacement.one
        coupling, drive = formats.coupling.quantise(coupling), drive.astype(np.int64)
    ring, energies = Ring.of(network.neuron), []
    for _ in range(int(2 / network.integration.dt)):
        energies.append(energy(ring, (s / one).reshape(5, -1)).reshape(3, 16).sum(axis=1))
        s = reciprocal.step(words, s, None, drive, 0, 1, coupling, links, "displacement[0]")
        assert (s / one).min() >= -1 + 1 / 16
        assert (s / one).max() < 1
    rises = np.diff(energies, axis=0).max()
    assert rises <= (0 if arithmetic == "float" else 1e-4)
    assert (energies[-1] < 0.5 * energies[0]).all()


def adjoint_error(dt, steps):
    """How far the local products, times dt, are from the gradient of -e.s at the end, relative to its norm."""
    random = np.random.default_rng(0)
    network = replace(SMALL, integration=Integration(dt=dt))
    arithmetic, recurrence = create_arithmetic(network, "float"), Recurrent(4, steps, 0.25)
    links, weights = random.normal(size=(5, 5)) * 0.3, random.normal(size=(5, 3)) * 0.3
    error, frames = random.normal(size=(1, 5)) * 0.2, [random.random((1, 3)) for _ in range(4)]
    coupling = np.repeat(np.array([[0.5] * 5, [0.5] * 5, [0.25] * 5])[:, :, None], 5, axis=2)

    def course(links, weights):
        return reciprocal.run(arithmetic, recurrence, [x @ weights.T for x in frames], frames, coupling, links, 0)

    result = course(links, weights)
    assert -0.9 < min(state.min() for state in result.states) < max(state.max() for state in result.states) < 0.99
    products, _ = reciprocal.products(arithmetic, recurrence, result, reciprocal.run_reverse(
        arithmetic, steps, result, [error], coupling, links, 0))
    gradient = np.zeros((5, 8))
    for n, m in np.ndindex(5, 8):
        ends = []
        for h in (1e-6, -1e-6):
            both = np.concatenate([weights, links], axis=1)
            both[n, m] += h
            ends.append(np.sum(error * course(both[:, 3:], both[:, :3]).states[-1][1]))
        gradient[n, m] = (ends[0] - ends[1]) / 2e-6
    return np.linalg.norm(products * dt - gradient) / np.linalg.norm(gradient)


def test_backwards_it_is_the_adjoint_so_local_products_are_the_gradient_through_time():
    """The error is of first order in dt: it halves with dt, over the same time."""
    coarse, fine = (adjoint_error(2.0**-k, 2**k // 2) for k in (2, 4))
    assert coarse < 0.3
    assert fine < coarse / 2.5
    assert fine < 0.1


# ---------------------------------------------------------------- learning, and the engine


def test_an_update_is_the_sum_over_steps_narrowed_once():
    images, labels = pictures(SMALL, 1)
    model = Model(SMALL, "fixed")
    before, steps = model.parameters[0], []
    real = reciprocal.products

    def products(*arguments):
        steps.append(real(*arguments))
        return steps[-1]

    reciprocal.products = products
    try:
        model.learn(images, labels)
    finally:
        reciprocal.products = real
    [(links, bias)] = steps
    k = 12 + 12 - 14 + 4 + 4                                  # Q2.24 to Q2.14 at rate 2**-4, and 10 steps are 2**4
    np.testing.assert_array_equal(model.layers[0].weights, (before.weights << k) + links + (1 << k >> 1) >> k)
    np.testing.assert_array_equal(model.layers[0].bias, (before.bias << 8) + bias + 128 >> 8)
    assert (model.layers[0].weights != before.weights).mean() > 0.4
    np.testing.assert_array_equal(model.layers[0].coupling, before.coupling)
    assert (before.coupling[2] == 1).all()


@st.composite
def cases(draw):
    """Networks of one type of integers, up to links at the ends of their format."""
    frames, steps, inputs = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    sizes = [frames * inputs, draw(st.sampled_from([1, 3, 16, 19])), *draw(st.sampled_from([[4], [5, 3]]))]
    learning = Learning(links=draw(st.sampled_from([2.0**-4, 1.0])), bias=draw(st.sampled_from([0.0, 2.0**-4])), epochs=4,
                        batch=draw(st.sampled_from([1, 3])), frozen=draw(st.sampled_from([0, 0, 1])), halvings=1,
                        links_instinct=draw(st.sampled_from(["proportional", "sign", "pid"])))
    if learning.links_instinct == "pid":
        learning = replace(learning, links_gains=(1.0, 0.25, 0.5), leak=2.0**-3)
    network = replace(SMALL, layers=tuple(sizes), learning=learning, wiring=Wiring(
        layers=(f"recurrent {frames} steps {steps} K3 0.25", *["full"] * (len(sizes) - 2))), neuron=Neuron(
            input_population=draw(st.integers(0, 4)), output_population=draw(st.integers(0, 4)),
            K1=(0.5, 0.25, 1.0, 0.5, 0.75)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = parameters.initial(network, "fixed")
    if draw(st.booleans()):
        ends = [network.formats.weight.least, network.formats.weight.greatest, 0]
        values[0].weights[:] = random.choice(ends, values[0].weights.shape)
    return network, values, *pictures(network, 5, draw(st.integers(0, 99)))


@given(cases())
@settings(max_examples=50)
def test_integers_are_equal_bit_for_bit(case):
    network, values, images, labels = case
    model, engine = Model(network, "fixed", values), CompiledModel(network, "fixed", values, threads=1)
    same_bits_learnt(model, engine, images, labels, (0, 3))


def test_reals_agree_to_the_rounding_of_float32():
    same_to_float32(SMALL, *pictures(SMALL, 30))


def test_sums_are_as_wide_as_steps_and_neurons_demand():
    widths = SMALL.widths()
    assert widths["exchange_sum"] == (18 * 2**12 * 2**15).bit_length() + 1
    assert widths["update[0]"] == (2 * 10 * 2**24).bit_length() + 1
    assert widths["kick"] == ((2**12 << 12) + 8191 * 2**12).bit_length() + 1
    assert widths["link_sum[0]"] == (6 * (255 << 4) * 2**15 + (2**15 << 14)).bit_length() + 1


def test_ranges_of_a_run_lie_within_the_worst_case():
    images, labels = pictures(SMALL, 12)
    ranges = record(SMALL, parameters.initial(SMALL, "fixed"), images, labels)
    for bounds in (ranges.worst_case(), worst_case(SMALL)):
        for name, signal in ranges.signals.items():
            if name in bounds:
                assert bounds[name].least <= signal.least <= signal.greatest <= bounds[name].greatest, name
    names = {"displacement[0]_exchange_sum", "reverse[0]_exchange_sum", "reverse[0]_kick", "update[0]"}
    assert names <= set(ranges.signals) & set(bounds)
    assert bounds["update[0]"].bits <= SMALL.widths()["update[0]"]
    assert bounds["displacement[0]_bracket"].bits <= SMALL.widths()["bracket"]
    assert ranges.report().signals["reverse[0]_exchange_sum"].fraction == 26
    assert ranges.report().signals["reverse[0]_kick"].fraction == 24


def test_model_files_hold_both_kinds_of_links(tmp_path):
    assert parameters.initial(SMALL, "fixed")[0].weights.shape == (18, 6 + 18)
    same_out_of_a_file(SMALL, *pictures(SMALL, 20), tmp_path / "model.npz")


# ---------------------------------------------------------------- associative memory


@pytest.fixture(scope="module")
def patterns():
    return np.random.default_rng(4).choice([-1, 1], (3, 24))


@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_stored_patterns_are_restored_from_half(arithmetic, patterns, tmp_path):
    network = description(24, 48, steps=32)
    memory = AssociativeMemory(network, arithmetic)
    cues = patterns.copy()
    cues[:, 12:] = 0
    before = memory.recall(cues)
    assert (before[:, :12] == patterns[:, :12]).all()
    assert (before[:, 12:] == patterns[:, 12:]).mean() < 0.8
    memory.learn(patterns, 30)
    result = memory.recall(cues, 3)
    assert (result == patterns).mean() > 0.97
    model_file.save(tmp_path / "memory.npz", network, arithmetic, [memory.parameters], {})
    content = model_file.load(tmp_path / "memory.npz")
    again = AssociativeMemory(content.network, content.arithmetic, content.parameters[0])
    np.testing.assert_array_equal(again.recall(cues, 3), result)


def test_hidden_neurons_fall_silent_for_what_is_stored(patterns):
    memory = AssociativeMemory(description(24, 48, steps=32), "float")

    def loudness(signs):
        words = memory._bytes(signs)
        return np.abs(memory._model.forward(words)[0].displacement[0, :, 24:]).mean()

    other = np.random.default_rng(9).choice([-1, 1], (3, 24))
    before, before_other = loudness(patterns), loudness(other)
    memory.learn(patterns, 30)
    assert loudness(patterns) < before / 2
    assert loudness(other) > before_other / 2


@pytest.mark.parametrize(("use", "text"), [
    (lambda: AssociativeMemory(SMALL, "float"),
     ("an associative memory must be one recurrent layer of one frame, not another network; make it with "
      "association.description")),
    (lambda: AssociativeMemory(description(4, 4), "float").learn([[1, 1, 2, 1]], 1),
     "patterns must be arrays (patterns, 4) of -1, 1 and, where nothing is known, 0, not int64 of shape (1, 4)")])
def test_what_is_no_memory_or_no_pattern_is_refused(use, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        use()
