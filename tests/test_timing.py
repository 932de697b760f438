"""The timing against the compiled Verilog: the clock of every reply, to the clock."""
from __future__ import annotations

import re
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.learning import output_error
from golden_model.model import Model
from golden_model.network import Formats, Integration, Learning, Network, Wiring
from hdl import emit
from hdl.design import Design
from hdl.timing import ArrayClocks, Image, Timing, answers
from sim.rtl_model import RtlModel

IMAGES = 8
K = {"K1": 2.0**-6, "K2": 2.0**-6, "K3": 2.0**-6}
LONG_K = Formats(bracket="Q6.12", coupling="Q2.22")
DESIGNS = {
    "one unit a neuron": Design(network=Network(layers=(9, 5, 3))),
    "recurrent, others in an array for all": Design(network=Network(
        layers=(12, 5, 4, 3), integration=Integration(steps=2), formats=Formats(bracket="Q6.12"),
        wiring=Wiring(layers=("recurrent 3 steps 2 K3 0.5", "full", "full")))),
    "recurrent, one step for each frame": Design(network=Network(
        layers=(15, 20, 3), integration=Integration(steps=2), formats=Formats(bracket="Q6.12"),
        wiring=Wiring(layers=("recurrent 5 steps 1 K3 1", "full")))),
    "recurrent, frozen": Design(network=Network(
        layers=(8, 2, 3, 3), integration=Integration(steps=2), learning=Learning(frozen=1), formats=Formats(bracket="Q6.12"),
        wiring=Wiring(layers=("recurrent 2 steps 1 K3 0.5", "full", "full"))), arrangement="time-shared 0-0"),
    "folded, three layers, first one frozen": Design(
        network=Network(layers=(13, 7, 4, 3), integration=Integration(steps=2), learning=Learning(frozen=1)),
        units=(3, 4, 2)),
    "time-shared array, three layers, first one frozen": Design(
        network=Network(layers=(13, 7, 4, 3), integration=Integration(steps=2), learning=Learning(frozen=1)),
        units=(3, 3, 3), arrangement="time-shared"),
    "time-shared array": Design(network=Network(layers=(30, 9, 5)), arrangement="time-shared"),
    "layers before and after a time-shared array, folded": Design(
        network=Network(layers=(12, 9, 7, 5, 3), integration=Integration(steps=2)), units=(5, 2, 2, 3),
        arrangement="time-shared 1-2"),
    "two time-shared arrays": Design(network=Network(layers=(12, 9, 7, 5, 3), integration=Integration(steps=2)),
                                     units=(3, 3, 2, 2), arrangement="time-shared 0-1, 2-3"),
    "links learn by sign, folded": Design(network=Network(
        layers=(13, 7, 4, 3), integration=Integration(steps=2), learning=Learning(links_instinct="sign")), units=(3, 4, 2)),
    "K learns with links, folded": Design(
        network=Network(layers=(9, 5, 4, 3), integration=Integration(steps=2), learning=Learning(**K), formats=LONG_K),
        units=(2, 4, 2), kind="programmable"),
    "K alone learns, time-shared array": Design(
        network=Network(layers=(9, 5, 3), integration=Integration(steps=2), formats=LONG_K,
                        learning=Learning(links=0.0, bias=0.0, **K)),
        units=(2, 2), kind="programmable", arrangement="time-shared"),
    "K alone learns": Design(
        network=Network(layers=(9, 5, 3), integration=Integration(steps=2), formats=LONG_K,
                        learning=Learning(links=0.0, bias=0.0, **K)), kind="programmable"),
    "a time-shared array that serves one layer": Design(network=Network(layers=(8, 5, 3), integration=Integration(steps=2)),
                                                        units=(5, 2), arrangement="time-shared 1-1"),
    "time-shared last, first layer frozen": Design(
        network=Network(layers=(12, 9, 7, 5), integration=Integration(steps=2), learning=Learning(frozen=1)),
        units=(9, 3, 3), arrangement="time-shared 1-2"),
    "convolutions, folded": Design(network=Network(
        layers=(49, 36, 12, 5, 4), integration=Integration(steps=2), wiring=Wiring(layers=(
            "convolution 3x3 stride 2 of 7x7x1", "convolution 2x2 stride 1 of 3x3x4", "full", "full"))),
        units=(3, 3, 3, 3), arrangement="time-shared"),
    "a convolution before a layer of its own": Design(network=Network(
        layers=(30, 32, 5), integration=Integration(steps=2), wiring=Wiring(layers=(
            "convolution 2x3 stride 1 of 5x6x1", "full"))), units=(2, 3), arrangement="time-shared 0-0"),
    "branches to many units": Design(network=Network(layers=(12, 70, 33, 3), integration=Integration(steps=2))),
    "folded, two steps": Design(network=Network(layers=(21, 5, 4), integration=Integration(steps=2)), units=(2, 3)),
    "programmable": Design(network=Network(layers=(9, 4, 3), formats=Formats(bracket="Q6.12")), kind="programmable"),
}


def described(model, image, label, learn, outputs):
    """What the timing must know of an image, from the golden model, which learns it."""
    unit = model.network.neuron.output_population
    states = model.forward(image[None])
    error = output_error(model.arithmetic, states[-1].displacement[unit], np.array([label]), len(states) - 1)
    if learn:
        model.learn(image[None], np.array([label]))
    return Image(nonzero=int(np.count_nonzero(image)), learn=learn, error=bool(error.any()), outputs=outputs, inputs=image != 0,
                 hidden=tuple(state.displacement[unit][0] != 0 for state in states[:-1]))


@pytest.mark.parametrize("name", list(DESIGNS)[:18])
def test_every_reply_comes_in_the_clock_of_the_timing(name):
    design = DESIGNS[name]
    network = design.network
    rtl, model = RtlModel(network, emit.to_verilog(design)), Model(network, "fixed")
    rtl.load_parameters(model.parameters)
    rng = np.random.default_rng(5)
    mistakes = []
    for density in (0.0, 0.1, 0.5, 1.0):
        for learn, outputs in ((False, False), (False, True), (True, False), (True, True)):
            images = rng.integers(1, 256, (IMAGES, network.layers[0]), dtype=np.uint8)
            images[rng.random(images.shape) >= density] = 0
            labels = rng.integers(0, network.layers[-1], IMAGES)
            expected = answers(design, [described(model, image, label, learn, outputs)
                                        for image, label in zip(images, labels, strict=True)])
            rtl.status()                                  # answered when the core is idle: the batch before is learnt
            result = rtl.teach(images, labels, outputs) if learn else rtl.infer(images, outputs)
            first = result.answered[-1] - result.clocks + 1
            if (result.answered - first).tolist() != expected:
                mistakes.append((density, learn, outputs, (result.answered - first).tolist(), expected))
    assert mistakes == []


@given(data=st.data(), name=st.sampled_from(["folded, two steps", "programmable", "time-shared array"]))
def test_items_are_taken_as_if_each_was_looked_for_clock_by_clock(data, name):
    clocks = ArrayClocks(DESIGNS[name].arrays[0], 1)
    clocks.latch = data.draw(st.integers(-clocks.settling - 1, 60))
    first, steps = data.draw(st.integers(0, 80)), data.draw(st.lists(st.integers(-2, 3), max_size=80))
    ready = [max(0, clock) for clock in accumulate(steps)]
    expected = first - 1
    for earliest in ready:
        expected = max(expected + 1, earliest)
        while 0 <= expected - clocks.latch - 1 < clocks.settling and (
                (expected - clocks.latch - 1) % clocks.array.phases not in clocks.issue_phases):
            expected += 1
    assert clocks.links(first, ready) == expected


def test_an_image_without_error_is_learnt_in_the_time_that_the_verdict_takes():
    design = DESIGNS["one unit a neuron"]
    right, wrong = (Image(nonzero=3, hidden=([True] * 5,), learn=True, error=error) for error in (False, True))
    timing = Timing(design)
    first, second = timing.add(right), timing.add(wrong)
    assert first.finished == first.answered               # the verdict strobes a clock before the reply's register is full
    assert second.finished - second.answered > 2 * 2 * 8 * design.layers[0].phases


def test_latches_of_folds_are_a_settling_apart_when_links_are_few():
    design = DESIGNS["folded, two steps"]
    event = Timing(design).add(Image(nonzero=0, hidden=([False] * 5,)))
    settling = 2 * 2 * design.layers[0].phases
    assert np.diff(event.latched[0]).tolist() == [settling + 2] * 2


@pytest.mark.parametrize(("image", "learns", "text"), [
    (Image(nonzero=10, hidden=([True] * 5,)), True, "nonzero must be 0 to 9, the inputs of the network, not 10"),
    (Image(nonzero=1, hidden=([True] * 4,)), True, "hidden must tell of [5] outputs, not [4]"),
    (Image(nonzero=1, hidden=([True] * 5,), learn=True), False,
     "learn must be False for a core that only infers; estimate a core that learns")])
def test_images_that_do_not_fit_are_refused(image, learns, text):
    design = Design(network=Network(layers=(9, 5, 3)), learns=learns)
    with pytest.raises(InputError, match=re.escape(text)):
        Timing(design).add(image)
