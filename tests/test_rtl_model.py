"""``RtlModel``: parameters, images, rates, counters; first with tests/frame_core.v, then with an emitted core."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from golden_model import parameters
from golden_model.errors import DeviceError, InputError
from golden_model.model import Model
from golden_model.network import Learning, Network
from golden_model.parameters import Layer
from hdl import emit, frames
from hdl.design import Design
from hdl.frames import Status
from sim.rtl_model import RtlModel

ROOT = Path(__file__).parent.parent
CORE = (ROOT / "tests/frame_core.v").read_text("utf-8")
NETWORK = Network(layers=(6, 3), learning=Learning(links=0.0, bias=2**-4, epochs=4, halvings=1))
WIDE = Network(layers=(300, 2))           # more parameters of a neuron than one frame takes


def verilog(network: Network, **macros: object) -> str:
    """The core of the tests for this network."""
    macros |= {"INPUTS": network.layers[0], "OUTPUTS": network.layers[-1],
               "DIGEST": f"64'h{frames.digest_word(network.digest):x}"}
    return "".join(f"`define {name} {value}\n" for name, value in macros.items()) + CORE


def words(network: Network, seed: int = 0, coupling: bool = False) -> parameters.Parameters:
    """Random parameters, least and greatest included; K is the description's unless it is wanted otherwise."""
    random, formats = np.random.default_rng(seed), network.formats

    def some(word, shape):
        chosen = random.integers(word.least, word.greatest, shape, endpoint=True)
        return np.where(random.random(shape) < 0.2, random.choice([word.least, word.greatest], shape), chosen)

    return [Layer(some(formats.weight, shapes["weights"]), some(formats.drive, shapes["bias"]),
                  some(formats.coupling, shapes["coupling"]) if coupling else layer.coupling)
            for shapes, layer in zip(parameters.layer_shapes(network), parameters.initial(network, "fixed"), strict=True)]


def same(one: parameters.Parameters, other: parameters.Parameters) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) and getattr(b, name).dtype == np.int64
               for a, b in zip(one, other, strict=True) for name in ("weights", "bias", "coupling"))


@pytest.fixture
def model():
    return RtlModel(NETWORK, verilog(NETWORK), "frame_core")


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (50, 6)).astype(np.uint8)


def test_parameters_come_back_as_they_were_written(model):
    values = words(NETWORK)
    model.load_parameters(values)
    assert same(values, model.parameters)


def test_programmable_neurons_with_many_inputs(tmp_path):
    start = words(WIDE, 1, coupling=True)
    content = "".join(f"{int(word) & 0xFFFFFFFF:08x}\n" for neuron in range(2) for word in np.concatenate(
        [start[0].weights[neuron], start[0].bias[neuron:neuron + 1], start[0].coupling[:, :, neuron].reshape(-1)]))
    model = RtlModel(WIDE, verilog(WIDE, EXTRA=15, HEX=1), "frame_core", {"start.hex": content})
    assert model.programmable
    assert same(start, model.parameters)
    values = words(WIDE, 2, coupling=True)
    model.load_parameters(values)
    assert same(values, model.parameters)


def test_K_that_is_wired_cannot_be_loaded(model):
    values = words(NETWORK, coupling=True)
    message = ("coupling of layer 0 must be that of the description, because this core has its K wired; emit it with "
               "programmable neurons")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        model.load_parameters(values)
    assert not model.programmable


def test_parameters_that_do_not_fit_the_network_are_refused(model):
    with pytest.raises(InputError, match=r"^a network of sizes \(6, 3\) must have 1 layers of parameters, not 0$"):
        model.load_parameters([])


def test_model_and_verilog_of_different_networks():
    other = NETWORK.with_learning(margin=0.25)
    message = (f"model and Verilog must be of the same network, but the digest of the model begins with {other.digest[:16]} "
               f"and that of the Verilog with {NETWORK.digest[:16]}; emit the Verilog of this model again")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        RtlModel(other, verilog(NETWORK), "frame_core")


def test_images_are_classified(model, images):
    values = words(NETWORK)
    model.load_parameters(values)
    outputs = images.astype(np.int64) @ values[0].weights.T + values[0].bias
    result = model.infer(images, outputs=True)
    assert np.array_equal(result.outputs, outputs)
    assert np.array_equal(result.classes, outputs.argmax(1))
    assert (result.outputs.dtype, result.classes.dtype) == (np.int64, np.int64)
    plain = model.infer(images)
    assert plain.outputs is None
    assert np.array_equal(plain.classes, result.classes)
    assert model.status().inferred == 100


def test_clocks_are_counted(model, images):
    before = model.clocks
    result = model.infer(images)
    assert result.clocks == model.clocks - before
    assert result.answered[-1] == model.clocks - 1
    assert result.clocks_per_image == result.clocks / 50 == 3 + 1 + 3 * 7 + 1     # receive, decode, execute, reply
    assert (np.diff(result.answered) == result.clocks_per_image).all()


def test_images_are_learnt_in_order(model, images):
    labels = np.random.default_rng(2).integers(0, 3, 50)
    values = words(NETWORK)
    model.load_parameters(values)
    result = model.teach(images, labels, outputs=True)
    bias, changed = values[0].bias.copy(), 0
    for image, label, outputs, chosen in zip(images, labels, result.outputs, result.classes, strict=True):
        expected = values[0].weights @ image.astype(np.int64) + bias
        assert (outputs == expected).all()
        assert chosen == expected.argmax()
        changed += int(chosen != label)
        bias[label] += chosen != label
    assert changed > 0
    values[0].bias[:] = bias
    assert same(values, model.parameters)
    report = model.status()
    assert (report.inferred, report.learnt, report.changed, report.refused) == (0, 50, changed, 0)


def test_no_images(model):
    result = model.infer(np.zeros((0, 6), np.uint8), outputs=True)
    assert (result.classes.shape, result.outputs.shape, result.clocks, result.clocks_per_image) == ((0,), (0, 3), 0, 0)
    assert model.teach(np.zeros((0, 6), np.uint8), np.zeros(0, np.int64)).classes.shape == (0,)


def test_images_and_labels_must_be_of_the_network(model, images):
    with pytest.raises(InputError, match=re.escape("images must be uint8 of shape (images, 6), not uint8 of shape (50, 5)")):
        model.infer(images[:, :5])
    with pytest.raises(InputError, match=re.escape("labels must be outputs 0..2 of this network, not 3")):
        model.teach(images, np.full(50, 3))
    assert model.status().inferred == 0


def test_rates_follow_the_rate_schedule(model):
    model.set_rate_shifts(3, 5)
    model.set_learning_rates(1)
    assert (model.status().links_rate_shift, model.status().bias_rate_shift) == (None, 4)  # links are not trained
    model.set_learning_rates(2)
    assert (model.status().links_rate_shift, model.status().bias_rate_shift) == (None, 5)
    with pytest.raises(InputError, match=r"^epoch must be a whole number, 0 or more, not -1; the first is 0$"):
        model.set_learning_rates(-1)


def test_a_rate_that_the_core_does_not_know_is_refused(model):
    message = ("RATE must be accepted by the core, but it answered RATE with status RATE; see "
               "docs/registers.md")
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        model.set_rate_shifts(16, 0)
    report = model.status()
    assert (report.refused, report.last_error) == (1, Status.RATE)


def test_both_resets_keep_parameters_and_clear_counters(model, images):
    values = words(NETWORK)
    model.load_parameters(values)
    for reset in (model.soft_reset, model.reset):
        model.infer(images[:3])
        model.set_rate_shifts(1, 2)
        reset()
        report = model.status()
        assert (report.inferred, report.links_rate_shift, report.bias_rate_shift) == (0, 0, 0)
        assert report.cycles < 5
    assert same(values, model.parameters)


def test_images_that_the_core_refuses_are_named(model, images):
    model.network = Network(layers=(2, 3))                       # too small for this core
    message = "INFER must be accepted by the core, but image 0 was answered with status 2 (SHORT); see docs/registers.md"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        model.infer(images[:, :2])


def test_outputs_that_the_core_does_not_have_are_missed(model, images):
    model.network = Network(layers=(6, 4))
    with pytest.raises(DeviceError, match=r"^replies to INFER must have 5 words, not 4$"):
        model.infer(images, outputs=True)


# ---------------------------------------------------------------- an emitted core


@pytest.mark.parametrize("stalls", [{}, {"idle": 0.3, "stall": 0.6, "seed": 3}], ids=["flowing", "stalled"])
def test_an_emitted_core_computes_what_the_golden_model_does(stalls):
    network = Network(layers=(13, 5, 3), seed=1, learning=Learning(epochs=2, halvings=1))
    model = RtlModel(network, emit.to_verilog(Design(network=network)), **stalls)
    random = np.random.default_rng(0)
    images = (random.integers(0, 256, (60, 13)) * (random.random((60, 13)) < 0.6)).astype(np.uint8)
    labels = random.integers(0, 3, 60)
    golden = Model(network, "fixed", words(network))
    model.load_parameters(golden.parameters)
    assert np.array_equal(model.infer(images, outputs=True).outputs, golden.outputs(images))
    for epoch in (0, 1):
        model.set_learning_rates(epoch)
        assert np.array_equal(model.teach(images, labels).classes, golden.learn(images, labels, epoch))
        assert same(golden.parameters, model.parameters)
    assert not same(model.parameters, words(network))
