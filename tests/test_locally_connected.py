"""Locally connected layers: the definition against full layers whose other links do not exist, faults, files, commands.

That the engine computes the same bits is tried in test_convolution.py, which compiles the same loops.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from equal_models import same, same_out_of_a_file
from golden_model import parameters
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Learning, Network, Wiring
from golden_model.robustness.faults import Faults, FaultyCompiledModel, FaultyModel, dead, held
from golden_model.storage import model_file
from golden_model.wirings import Full, LocallyConnected
from hdl.design import Design
from random_networks import pictures
from wuxing.cli import main

WORDS = ("locally-connected 3x3 stride 2 of 7x6x2", "locally-connected 2x2 stride 1 of 3x2x5", "full")
SMALL = Network(layers=(7 * 6 * 2, 3 * 2 * 5, 2 * 1 * 18, 4), seed=3, wiring=Wiring(layers=WORDS))
LESSONS = [Learning(links=2**-2, bias=2**-3), Learning(batch=5), Learning(links=2**-9, links_instinct="sign"),
           Learning(links_instinct="pid", links_gains=(1, 2**-4, 0.5), bias_instinct="pid", leak=2**-3, batch=2)]


@dataclass(frozen=True)
class Fields(Full):
    """Full, but for the links that a locally connected layer does not have."""

    of: LocallyConnected

    def mask(self, inputs, neurons, seed, layer):
        return dense(self.of, np.ones((neurons, self.of.taps), bool))


def dense(wiring, weights):
    """Weights (neurons, inputs) of (neurons, taps), neuron by neuron."""
    result = np.zeros((len(weights), wiring.inputs), weights.dtype)
    channels = len(weights) // (wiring.rows * wiring.columns)
    for n, row in enumerate(weights):
        y, x = divmod(n // channels, wiring.columns)
        for t, link in enumerate(row):
            down, rest = divmod(t, wiring.kernel[1] * wiring.depth)
            right, depth = divmod(rest, wiring.depth)
            point = (y * wiring.stride + down) * wiring.width + x * wiring.stride + right
            result[n, point * wiring.depth + depth] = link
    return result


def full_of(network, values):
    """The network with full layers, and its parameters."""
    full = replace(network, wiring=Wiring())
    full.__dict__["wirings"] = tuple(Fields(wiring) if isinstance(wiring, LocallyConnected) else wiring
                                     for wiring in network.wirings)
    return full, [replace(layer, weights=dense(wiring, layer.weights)) if isinstance(wiring, LocallyConnected) else layer
                  for wiring, layer in zip(network.wirings, values, strict=True)]


def expect_the_same(network, model, full):
    """Parameters and what is remembered, link by link; of the full network nothing else is other than zero."""
    for wiring, one, other, mine, theirs in zip(network.wirings, model.parameters, full.parameters, model.memory, full.memory,
                                                strict=True):
        spread = (lambda values, wiring=wiring: dense(wiring, values)) if isinstance(wiring, LocallyConnected) else np.asarray
        np.testing.assert_array_equal(spread(one.weights), other.weights)
        np.testing.assert_array_equal(one.bias, other.bias)
        np.testing.assert_array_equal(one.coupling, other.coupling)
        for name in mine:
            for word in ("integral", "previous"):
                values = getattr(mine[name], word)
                np.testing.assert_array_equal(spread(values) if name == "links" else values, getattr(theirs[name], word))


def test_geometry_and_parameters():
    wiring = SMALL.wirings[0]
    assert wiring == LocallyConnected((3, 3), 2, 7, 6, 2)
    assert (wiring.positions, wiring.windows, wiring.tied, wiring.bears_dead_neurons) == (1, 6, False, True)
    assert parameters.layer_shapes(SMALL)[0] == {"weights": (30, 18), "bias": (30,), "coupling": (3, 5, 30)}
    start = parameters.initial(SMALL, "float")[0].weights
    assert 0.9 * 2.2 * np.sqrt(3 / 18) < np.abs(start).max() <= 2.2 * np.sqrt(3 / 18)
    assert (start[:5] != start[5:10]).all(), "each position has links of its own"
    widths = SMALL.widths()
    assert widths["link_sum[0]"] == (18 * 255 * 2**15 + (2**15 << 10)).bit_length() + 1
    assert widths["reverse_link_sum[1]"] == (2 * 18 * 2**12 * 2**15).bit_length() + 1
    assert widths["update[1]"] == (2**24).bit_length() + 1, "one product for each image, not one for each position"


@pytest.mark.parametrize("learning", LESSONS)
def test_it_learns_as_a_full_layer_whose_other_links_do_not_exist(learning):
    network = replace(SMALL, learning=replace(learning, epochs=2, halvings=1))
    images, labels = pictures(network, 30)
    model = Model(network, "fixed")
    full = Model(*full_of(network, model.parameters)[:1], "fixed", full_of(network, model.parameters)[1])
    for epoch in (0, 1):
        np.testing.assert_array_equal(model.learn(images, labels, epoch), full.learn(images, labels, epoch))
        expect_the_same(network, model, full)
    assert (model.layers[0].weights != parameters.initial(network, "fixed")[0].weights).mean() > 0.3
    np.testing.assert_array_equal(model.outputs(images), full.outputs(images))


def test_trained_K_are_those_of_each_neuron():
    network = SMALL.with_learning(K1=2**-6, K2=2**-6, K3=2**-6, batch=3)
    network = replace(network, formats=replace(network.formats, coupling="Q2.12"))
    images, labels = pictures(network, 12)
    model = Model(network, "fixed")
    full_network, values = full_of(network, model.parameters)
    full = Model(full_network, "fixed", values)
    model.learn(images, labels)
    full.learn(images, labels)
    expect_the_same(network, model, full)
    K1 = model.layers[0].coupling[0]
    assert (K1[:, :5] != K1[:, 5:10]).any()


def test_dead_neurons_are_those_of_that_full_layer():
    network, faults = SMALL.with_learning(links=2**-2), Faults(dead=0.3, seed=4)
    images, labels = pictures(network, 20)
    model = FaultyModel(network, None, faults)
    full_network, values = full_of(network, model.parameters)
    full = FaultyModel(full_network, values, faults)
    np.testing.assert_array_equal(model.learn(images, labels), full.learn(images, labels))
    expect_the_same(network, model, full)
    silent = dead(network, faults)
    assert len(silent[1]) == 9
    of_dead = np.isin(network.wirings[1].sources(30, 36), silent[1])
    assert of_dead.any()
    assert not model.layers[1].weights[of_dead].any()
    assert not model.layers[0].weights[silent[1]].any()


@pytest.mark.parametrize("batch", [1, 4])
def test_both_engines_compute_the_same_bits_on_faulty_hardware(batch):
    network = SMALL.with_learning(links=2**-2, bias=2**-2, batch=batch)
    faults = Faults(dead=0.1, stuck=0.05, upsets=0.02, seed=7)
    images, labels = pictures(network, 20)
    plain, engine = FaultyModel(network, None, faults), FaultyCompiledModel(network, None, faults)
    np.testing.assert_array_equal(plain.learn(images, labels), engine.learn(images, labels))
    same(plain, engine)
    np.testing.assert_array_equal(plain.outputs(images), engine.outputs(images))
    for layer, memory in zip(plain.parameters, held(network, faults), strict=True):
        np.testing.assert_array_equal(memory.of(layer.weights), layer.weights)


@pytest.mark.parametrize(("layers", "words", "text"), [
    ((784, 10), "locally-connected 29x5 stride 1 of 28x28x1",
     "the kernel of a locally connected layer must be at most 28x28, the size of its image, not 29x5"),
    ((784, 100), "locally-connected 5x5 stride 2 of 28x28x2",
     "layer 0 has 784 inputs, but its wiring is a locally connected layer of 1568 (28x28x2); give it the size of what it sees"),
    ((784, 100), "locally-connected 5x5 stride 2 of 28x28x1",
     "layer 0 must have a multiple of 144 neurons, one of each channel at each of its 12x12 positions, not 100")])
def test_what_does_not_fit_is_one_sentence(layers, words, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        Network(layers=layers, wiring=Wiring(layers=(words,)))


@pytest.mark.parametrize("learns", [True, False])
def test_there_is_no_hardware_for_it(learns):
    text = ("a core must have a link from every input of a layer to each of its neurons, but wiring.layers has "
            "locally-connected 3x3 stride 2 of 7x6x2, for which there is no hardware yet; replace it by a full layer")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        Design(network=SMALL, learns=learns)


def test_model_files_hold_the_links_of_each_neuron(tmp_path):
    same_out_of_a_file(SMALL, *pictures(SMALL, 20), tmp_path / "model.npz")


def test_a_command_trains_it(tmp_path, capsys):
    words = "locally-connected 3x3 stride 1 of 8x8x1"
    (tmp_path / "local.toml").write_text(Network(layers=(64, 36 * 2, 10), wiring=Wiring(layers=(words, "full")),
                                                 learning=Learning(epochs=1)).to_toml(), "utf-8")
    assert main(["train", "--config", str(tmp_path / "local.toml"), "--dataset", "digits", "--arithmetic", "fixed", "--epochs",
                 "2", "-o", str(tmp_path / "local.npz")]) == 0
    trained = capsys.readouterr().out
    assert main(["eval", str(tmp_path / "local.npz"), "--dataset", "digits"]) == 0
    assert model_file.load(tmp_path / "local.npz").network.wiring.layers == (words, "full")
    right = re.search(r"(\d+\.\d+) % of 360 test images right", trained)[1]
    assert float(right) > 80
    assert right in capsys.readouterr().out
