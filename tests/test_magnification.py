"""Magnified errors: written anew from docs/arithmetic.md, the same in the engine, and what they are for."""
from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from equal_models import same
from golden_model import parameters
from golden_model.data import datasets
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.learning import output_error
from golden_model.model import Model
from golden_model.network import Integration, Learning, Network, Wiring
from hdl.design import Design
from random_networks import pictures
from sim.cosim import cosim

ROOT = Path(__file__).resolve().parents[1]
CONVOLUTIONS = ("convolution 3x3 stride 1 of 8x8x1", "convolution 2x2 stride 2 of 6x6x4", "full", "full")


def convolutions(**learning) -> Network:
    return Network(layers=(64, 144, 72, 16, 10), wiring=Wiring(layers=CONVOLUTIONS), learning=Learning(**learning))


def words(exact, shift, least, greatest):
    """narrow of the contract, saturated; Python's integers."""
    return np.array([min(max((int(each) + (1 << shift - 1)) >> shift, least), greatest) for each in exact.ravel()]).reshape(
        exact.shape)


def test_errors_are_magnified_and_changes_reduced_by_as_much_as_the_text_says():
    network = Network(layers=(12, 6, 5, 3), learning=Learning(magnification=(5, 2)))
    random = np.random.default_rng(0)
    image, label = random.integers(0, 256, (1, 12), dtype=np.uint8), np.array([1])
    model = Model(network, "fixed")
    before, states = model.parameters, model.forward(image)
    model.learn(image, label)
    error, changed = output_error(model.arithmetic, states[-1].outputs, label, 2), []
    for layer, bits in ((2, 0), (1, 2), (0, 5)):
        x, wiring = states[layer].inputs, network.wirings[layer]
        r = wiring.settle_reverse(model.arithmetic, states[layer], error, before[layer], layer)[0]
        shift = (12 + (12 if layer else 8) - 14) + 4 + bits
        expected = words((before[layer].weights << shift) + r.T @ x, shift, -(1 << 15), (1 << 15) - 1)
        np.testing.assert_array_equal(model.parameters[layer].weights, expected)
        expected = words((before[layer].bias << 4 + bits) + r[0], 4 + bits, -(1 << 15), (1 << 15) - 1)
        np.testing.assert_array_equal(model.parameters[layer].bias, expected)
        changed.append((expected != before[layer].bias).any())
        if layer:
            error = words(r @ before[layer].weights, 14 - {2: 2, 1: 3}[layer], -(1 << 12), (1 << 12) - 1)
    assert all(changed), "each layer must have learnt, or equality shows little"


@pytest.mark.parametrize("batch", [1, 3])
def test_the_engine_has_the_same_bits(batch):
    network = convolutions(magnification=(6, 4, 2), batch=batch)
    images, labels = pictures(network, 24)
    model, engine = Model(network, "fixed"), CompiledModel(network, "fixed")
    for epoch in range(2):
        np.testing.assert_array_equal(engine.learn(images, labels, epoch), model.learn(images, labels, epoch))
        same(model, engine)
    plain = CompiledModel(convolutions(batch=batch), "fixed")
    plain.learn(images, labels)
    assert (plain.parameters[0].weights != engine.parameters[0].weights).any()


def test_reals_are_not_magnified():
    images, labels = pictures(convolutions(), 24)
    plain, magnified = (Model(convolutions(magnification=bits), "float") for bits in ((), (6, 4, 2)))
    for model in (plain, magnified):
        model.learn(images, labels)
    same(plain, magnified)


def test_what_rounding_does_to_the_sums_of_a_convolution_is_less_where_errors_are_magnified():
    """Ties go up, and a reverse signal of a few steps is a tenth of a step too great on average, at each position."""
    data = datasets.load("digits")
    images, labels = data.train_images[:800], data.train_labels[:800]

    def first_biases(arithmetic, magnification):
        network = convolutions(magnification=magnification, epochs=3, halvings=0, dropout=0.0)
        model = CompiledModel(network, arithmetic)
        for epoch in range(3):
            model.learn(images, labels, epoch)
        return model.parameters[0].bias / (4096 if arithmetic == "fixed" else 1)

    reals = first_biases("float", ())
    plain, magnified = (np.abs(first_biases("fixed", bits) - reals).mean() for bits in ((), (5, 4, 2)))
    assert magnified < plain / 2


def test_documented_rounding_is_what_the_bench_prints():
    text = (ROOT / "docs/learning.md").read_text("utf-8")
    rows = re.findall(r"^\| (Q1\.(\d+)) \| ([\d.]+) \| ([\d.]+) \| \+([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    assert len(rows) == 5
    added = runpy.run_path(str(ROOT / "bench/reverse_rounding.py"))["added"]
    for _, fraction, deviation, *documented in rows:
        figures = added(int(fraction), float(deviation), 100_000, 0)
        assert [float(each) for each in documented] == pytest.approx(
            [figures["signal"], figures["mean"], figures["rms"]], rel=0.02, abs=0.001)


def test_a_description_without_it_is_what_it_was():
    plain, zeros, magnified = convolutions(), convolutions(magnification=[0, 0, 0]), convolutions(magnification=[3, 2, 1])
    assert zeros == plain
    assert zeros.digest == plain.digest
    assert "magnification" not in plain.to_dict()["learning"]
    assert "magnification" not in plain.binding()["learning"]
    assert magnified.digest != plain.digest
    for again in (Network.from_json(magnified.to_json()), Network.from_toml(magnified.to_toml())):
        assert again == magnified
        assert again.digest == magnified.digest


@pytest.mark.parametrize(("learning", "sentence"), [
    ({"magnification": 3}, "learning.magnification must be one whole number for each hidden layer, not 3"),
    ({"magnification": [1, 2]}, r"learning.magnification must be one whole number for each of 3 hidden layers, not \(1, 2\)"),
    ({"magnification": [13, 0, 0]}, "each of learning.magnification must be a whole number from 0 to 12, not 13"),
    ({"magnification": [1, 1, 1], "K1": 2**-6}, "learning.magnification must be empty where K is trained"),
    ({"magnification": [1, 1, 1], "bias_instinct": "sign"}, "unless the instincts of links and biases are proportional")])
def test_what_cannot_be_magnified_is_refused(learning, sentence):
    with pytest.raises(InputError, match=sentence):
        convolutions(**learning)


def test_a_recurrent_layer_is_refused():
    with pytest.raises(InputError, match="magnification must be empty in a network with a recurrent layer, but is not"):
        Network(layers=(8, 4, 3), wiring=Wiring(layers=("recurrent 2 steps 2 K3 0.5", "full")),
                learning=Learning(magnification=(1,)))


def test_a_rise_beyond_the_words_is_refused():
    data = {"layers": [8, 4, 3], "formats": {"weight": "Q2.6", "error": "Q2.12"}, "learning": {"magnification": [12]}}
    with pytest.raises(InputError, match="must rise by at most 6 from a hidden layer to the one before it, not by 12"):
        Network.from_dict(data).check_fixed()


@pytest.mark.parametrize(("arrangement", "units"), [("parallel", (9, 3, 5, 3)), ("time-shared", (3, 3, 3, 3)),
                                                    ("time-shared 2-3", (4, 7, 2, 2))])
def test_a_core_learns_with_it(arrangement, units):
    """Layers of one array magnify differently, less behind as well as more."""
    network = Network(layers=(12, 9, 7, 5, 3), integration=Integration(steps=3), learning=Learning(
        magnification=(3, 0, 2), links=0.125, bias=0.0625, halvings=0))
    random = np.random.default_rng(1)
    images, labels = random.integers(0, 256, (16, 12), dtype=np.uint8), random.integers(0, 3, 16)
    design = Design(network=network, arrangement=arrangement, units=units)
    report = cosim(design, parameters.initial(network, "fixed"), images[:2], images, labels, states=2)
    assert (report.mismatches, report.learnt) == (0, 16)


def test_magnification_that_a_multiplier_has_no_room_for_is_refused():
    network = Network(layers=(8, 4, 4, 3), learning=Learning(magnification=(2, 8)))
    with pytest.raises(InputError, match="^inputs times rate must fit the 18-bit operand of target portable, but layer 0 needs "
                       r"24 bits; set learning.magnification = \[\]$"):
        Design(network=network, arrangement="time-shared")
    Design(network=network)
