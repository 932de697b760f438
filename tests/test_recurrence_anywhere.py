"""A recurrent layer behind others, and others behind it: error of the layer before, bits, widths, the engine."""
from __future__ import annotations

import re

import numpy as np
import pytest

from equal_models import same_bits_learnt, same_to_float32
from golden_model import parameters
from golden_model.arithmetic import Fixed, create_arithmetic
from golden_model.engine import CompiledModel
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Integration, Learning, Network, Wiring

FORMATS = Formats(coupling=Format.parse("Q2.4"))
STACKS = [((8, 6, 5, 3), ("full", "recurrent 3 steps 2 K3 0.5", "full")),
          ((12, 8, 6, 3), ("recurrent 3 steps 2 K3 1", "recurrent 2 steps 3 K3 0.5", "full")),
          ((12, 12, 12, 3), ("recurrent 3 steps 2 K3 1", "convolution 2x2 stride 1 of 3x4x1", "full")),
          ((12, 15, 6, 3), ("recurrent 3 steps 2 K3 1 every frame", "recurrent 3 steps 2 K3 0.5", "full")),
          ((12, 24, 14, 3), ("recurrent 3 steps 2 K3 1 every frame", "convolution 2x2 stride 1 of 3x8x1", "full")),
          ((8, 6, 12, 3), ("full", "recurrent 3 steps 2 K3 0.5 every frame", "full")),
          ((18, 8, 5, 3), ("convolution 2x2 stride 1 of 3x3x2", "recurrent 4 steps 2 K3 0.5", "full"))]


def stacked(layers, words, **changes):
    return Network(layers=layers, wiring=Wiring(layers=words), seed=2, **{
        "formats": FORMATS, "initialisation": Initialisation(bias=0.0), "learning": Learning(epochs=2, halvings=1)} | changes)


def distance(dt, steps, ending=""):
    """How far the error of the layer before is from the gradient of e.s, at the end or of every frame, relative to its norm."""
    random, size = np.random.default_rng(1), 15 if ending else 5
    network = stacked((4, 6, size, 2), ("full", f"recurrent 3 steps {steps} K3 0.5{ending}", "full"),
                      integration=Integration(dt=dt))
    arithmetic, wiring = create_arithmetic(network, "float"), network.wirings[1]
    layer = parameters.initial(network, "float")[1]
    x, error = random.uniform(-0.5, 0.5, (1, 6)), random.normal(size=(1, size)) * 0.2
    state = wiring.settle(arithmetic, x, layer, 1)
    result = wiring.error_before(arithmetic, wiring.settle_reverse(arithmetic, state, error, layer, 1), layer, 1)
    gradient = np.zeros((1, 6))
    for m in range(6):
        ends = [np.sum(error * wiring.settle(arithmetic, x + h * np.eye(6)[[m]], layer, 1).outputs) for h in (1e-6, -1e-6)]
        gradient[0, m] = (ends[0] - ends[1]) / 2e-6
    return np.linalg.norm(result - gradient) / np.linalg.norm(gradient)


@pytest.mark.parametrize("ending", ["", " every frame"])
def test_the_error_of_the_layer_before_is_the_gradient_through_time(ending):
    """What is missing is of first order in dt: it halves with dt, over the same time."""
    coarse, fine = (distance(2.0**-k, 2**k // 2, ending) for k in (2, 4))
    assert coarse < 0.4
    assert fine < coarse / 2.5
    assert fine < 0.1


def test_integers_of_that_error_are_those_of_the_contract():
    network = stacked((4, 6, 5), ("full", "recurrent 3 steps 2 K3 0.5"), integration=Integration(dt=0.25))
    arithmetic, wiring, random = create_arithmetic(network, "fixed"), network.wirings[1], np.random.default_rng(3)
    layer = parameters.initial(network, "fixed")[1]
    r = [random.integers(-4096, 4096, (5, 2, 5)) for _ in range(7)]
    expected = np.zeros((2, 6), np.int64)
    for image, frame, j in np.ndindex(2, 3, 2):
        total = sum(int(layer.weights[n, j]) * int(r[t + 1][0, image, n]) for t in (2 * frame, 2 * frame + 1) for n in range(5))
        expected[image, 2 * frame + j] = min(max((total + (1 << 15)) >> 16, -4096), 4095)      # 14 + 2: dt = 2**-2
    np.testing.assert_array_equal(wiring.error_before(arithmetic, r, layer, 1), expected)


def test_every_frame_says_what_a_course_that_ends_with_it_would():
    x = np.random.default_rng(5).integers(-4096, 4096, (2, 6))
    network = stacked((4, 6, 15, 2), ("full", "recurrent 3 steps 2 K3 0.5 every frame", "full"))
    layer, arithmetic = parameters.initial(network, "fixed")[1], create_arithmetic(network, "fixed")
    every = network.wirings[1].settle(arithmetic, x, layer, 1).outputs
    for frames in (1, 2, 3):
        shorter = stacked((4, 2 * frames, 5, 2), ("full", f"recurrent {frames} steps 2 K3 0.5", "full"))
        last = shorter.wirings[1].settle(create_arithmetic(shorter, "fixed"), x[:, :2 * frames], layer, 1).outputs
        np.testing.assert_array_equal(every[:, 5 * frames - 5:5 * frames], last)
    assert len(np.unique(every)) > 25


@pytest.mark.parametrize("ending", ["", " every frame"])
def test_errors_enter_at_the_ends_of_their_frames(ending):
    """r_b, shifted, and the product of gate and error: an exact sum, rounded and saturated once."""
    random, count = np.random.default_rng(6), 3 if ending else 1
    network = stacked((4, 6, 5 * count, 2), ("full", f"recurrent 3 steps 2 K3 0.5{ending}", "full"))
    kicks, wiring = [], network.wirings[1]

    class Watched(Fixed):
        def kick(self, r, products, layer):
            kicks.append((r.copy(), products, super().kick(r, products, layer)))
            return kicks[-1][2]

    arithmetic, layer = Watched(network), parameters.initial(network, "fixed")[1]
    state = wiring.settle(arithmetic, random.integers(-4096, 4096, (2, 6)), layer, 1)
    error = random.integers(-4096, 4096, (2, 5 * count))
    r = wiring.settle_reverse(arithmetic, state, error, layer, 1)
    assert len(kicks) == count
    for (before, products, after), instant, part in zip(kicks, (6, 4, 2), (2, 1, 0), strict=False):
        s = state.course.states[instant][1]
        gate = np.where((s >= 4095) | (4096 + s < 256), 256, 4096 + s)
        np.testing.assert_array_equal(products, gate * (error[:, 5 * part:5 * part + 5] if ending else error))
        np.testing.assert_array_equal(after, np.clip((before << 12) + products + 2048 >> 12, -4096, 4095))
        np.testing.assert_array_equal(r[instant][1], after)
        assert before.any() == (instant < 6)


def test_the_width_of_the_reverse_link_sum_is_that_of_the_worst_signals():
    network, signals = stacked((4, 6, 8), ("full", "recurrent 3 steps 8 K3 0.5")), {}
    arithmetic = Fixed(network, lambda name, values, to: signals.update({name: values}))
    worst = parameters.Layer(np.full((8, 10), -2**15), np.zeros(8, np.int64), np.zeros((3, 5, 8), np.int64))
    network.wirings[1].error_before(arithmetic, [np.full((5, 1, 8), -4096)] * 25, worst, 1)
    assert int(signals["reverse_link_sum[1]"].max()) == 8 * 8 * 2**15 * 2**12
    assert network.widths()["reverse_link_sum[1]"] == 1 + (8 * 8 * 2**15 * 2**12).bit_length()


@pytest.mark.parametrize(("layers", "words"), STACKS)
def test_every_layer_of_a_stack_learns_and_no_sum_leaves_its_width(layers, words):
    widths, signals = stacked(layers, words).widths(), {}

    def observer(name, values, to):
        name = re.sub(r"^displacement\[\d\]_|^reverse\[\d\]_", "", name)
        if to is None and name in widths:
            signals[name] = max(signals.get(name, 0), int(values.max()).bit_length(), int(values.min()).bit_length())

    network = stacked(layers, words, initialisation=Initialisation(bias=0.0, input_gain=8.0, gain=8.0))
    model, random = Model(network, "fixed", observer=observer), np.random.default_rng(4)
    before = model.parameters
    model.learn(random.choice([0, 255], (12, layers[0])).astype(np.uint8), random.integers(0, layers[-1], 12), 0)
    for old, new in zip(before, model.parameters, strict=True):
        assert (old.weights != new.weights).any()
        assert (old.bias != new.bias).any()
    assert {"exchange_sum", "reverse_link_sum[1]", "reverse_link_sum[2]"} <= set(signals)
    assert all(bits < widths[name] for name, bits in signals.items())


@pytest.mark.parametrize(("layers", "words"), STACKS)
def test_the_engine_learns_the_same_bits(layers, words):
    """In batches, and by instincts with a memory; that of single images is recorded: see test_recorded_runs.py."""
    learning = Learning(epochs=2, halvings=1, batch=3, links_instinct="pid", links_gains=(1, 0.25, 0.5), leak=2**-3,
                        bias_instinct="pid", bias_gains=(1, 0.25, 0))
    network, random = stacked(layers, words, learning=learning), np.random.default_rng(4)
    images, labels = random.integers(0, 256, (11, layers[0])).astype(np.uint8), random.integers(0, layers[-1], 11)
    model, engine = Model(network, "fixed"), CompiledModel(network, "fixed", threads=1)
    same_bits_learnt(model, engine, images, labels, (0, 1))


def test_reals_agree_to_the_rounding_of_float32():
    """What comes back to an input is an integral over time: it has a factor dt that integers have in their shift."""
    network, random = stacked(*STACKS[1], integration=Integration(dt=0.25)), np.random.default_rng(5)
    images, labels = random.integers(0, 256, (20, 12)).astype(np.uint8), random.integers(0, 3, 20)
    same_to_float32(network, images, labels)
