# amaranth: UnusedElaboratable=no
"""Co-simulation: random circuits equal the golden model word for word, and what differs is named."""
import functools
import itertools
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from golden_model import arithmetic, circuits, learning, parameters
from golden_model.data import datasets
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import Format, Overflow
from golden_model.model import Model
from golden_model.network import Formats, Integration, Learning, Network, Neuron, Wiring
from hdl import emit
from hdl.design import Design
from random_designs import THEMES, Case, cases
from sim import step_states
from sim.compiled import Stuck
from sim.cosim import Mismatch, cosim, rate_schedule
from wuxing.reports.console import plain

# ---------------------------------------------------------------- circuits that must equal the golden model


def network(layers, neuron=None, steps=3, dt=0.5, formats=None, wiring=(), **learning_entries):
    return Network(layers=layers, neuron=Neuron(**neuron or {}), formats=Formats(**formats or {}), wiring=Wiring(layers=wiring),
                   integration=Integration(steps=steps, dt=dt), learning=Learning(epochs=4, halvings=1, **learning_entries))


UNEQUAL = {"K1": (0.5, 1.0, -0.5, 1.5, 0.0), "K2": (0.5, -1.0, 0.5, 0.5, 1.0), "K3": (1.0, 0.5, 0.0, 1.5, 0.5),
           "rest": (0.5, 0.75, 1.0, 1.0, 0.75), "input_population": 3, "output_population": 0}
ROUNDED: dict[str, Any] = {"bracket": Format(18, 12)}
LONG_K: dict[str, Any] = {"coupling": Format(24, 22), "bracket": Format(18, 12)}
ALL_K = {"K1": 2.0**-6, "K2": 2.0**-6, "K3": 2.0**-7}
CONFIGURATIONS = {
    "one neuron": Design(network=network((1, 1), steps=1)),
    "folded": Design(network=network((6, 5, 4, 3), steps=8), units=(2, 4, 1)),
    "unequal K and rest, folded, bracket rounded": Design(
        network=network((5, 4, 3), UNEQUAL, formats={"bracket": Format(17, 12)}), units=(3, 2)),
    "oscillators, first layer frozen": Design(
        network=network((4, 3, 3, 2), {"K3": (0.0,) * 5}, dt=0.25, frozen=1), units=(3, 2, 2)),
    "narrow words, only biases learn": Design(
        network=network((3, 4, 2), steps=4, dt=1.0, links=0.0, bias=1.0, margin=0.75, formats={
            "displacement": Format(7, 6), "drive": Format(9, 6), "error": Format(8, 6), "weight": Format(10, 8),
            "input": Format(10, 8)}), units=(4, 1)),
    "programmable, folded": Design(
        network=network((5, 4, 3), formats={"coupling": Format(6, 4), "bracket": Format(16, 12)}), units=(2, 3),
        kind="programmable"),
    "rings in memory, folded": Design(network=network((6, 5, 4, 3), steps=8), units=(2, 4, 1), target="ecp5"),
    "rings in memory, unequal K and rest, first layer frozen": Design(
        network=network((5, 4, 3, 2), UNEQUAL, frozen=1, formats={"bracket": Format(17, 12)}), units=(3, 2, 2),
        target="ecp5"),
    "rings in memory, programmable, folded": Design(
        network=network((5, 4, 3), formats={"coupling": Format(6, 4), "bracket": Format(16, 12)}), units=(2, 3),
        kind="programmable", target="ecp5"),
    "rings in memory, no learning": Design(network=network((5, 4, 2), {"K3": (0.5,) * 5}), units=(3, 2), learns=False,
                                           target="ecp5"),
    "rings in memory, branches to many units": Design(network=network((6, 70, 33, 3), steps=2), target="ecp5"),
    "time-shared array": Design(network=network((6, 5, 4, 3), steps=8), units=(2, 2, 2), arrangement="time-shared"),
    "time-shared array, oscillators, first layer frozen, bracket rounded": Design(
        network=network((4, 7, 3, 2), {"K3": (0.0,) * 5, "rest": (0.75,) * 5, "input_population": 3, "output_population": 2},
                        dt=0.25, frozen=1, formats={"bracket": Format(17, 12)}), units=(3, 3, 3), arrangement="time-shared"),
    "time-shared array, narrow words, only biases learn": Design(
        network=network((3, 4, 2), steps=4, dt=1.0, links=0.0, bias=1.0, margin=0.75, formats={
            "displacement": Format(7, 6), "drive": Format(9, 6), "error": Format(8, 6), "weight": Format(10, 8),
            "input": Format(10, 8)}), units=(1, 1), arrangement="time-shared"),
    "time-shared array, no learning": Design(network=network((5, 4, 2), {"K3": (0.5,) * 5}), units=(3, 3),
                                             learns=False, arrangement="time-shared"),
    "time-shared array, iCE40": Design(network=network((9, 5, 3), formats={"bracket": Format(16, 12)}), target="ice40",
                                       arrangement="time-shared"),
    "no learning": Design(network=network((5, 4, 2), {"K3": (0.5,) * 5}), units=(3, 2), learns=False),
    "K learns with links and biases": Design(network=network((5, 4, 3), formats=LONG_K, **ALL_K), kind="programmable"),
    "K alone learns, folded": Design(network=network((5, 7, 3, 2), formats=LONG_K, **ALL_K, links=0.0, bias=0.0),
                                     units=(3, 2, 2), kind="programmable", target="ecp5"),
    "K3 alone learns, short words, first layer frozen": Design(
        network=network((5, 4, 3, 2), UNEQUAL, formats={"coupling": Format(10, 7), "bracket": Format(18, 12)}, K3=0.125,
                        links=0.0, K3_minimum=1.5, frozen=1), units=(3, 2, 2), kind="programmable"),
    "K1 and K2 learn at rates of their own, all of a layer": Design(
        network=network((5, 4, 3), formats=LONG_K, K1=2.0**-7, K2=2.0**-5, bias=0.0), kind="programmable"),
    "time-shared array of two neurons that stand alone": Design(
        network=network((3, 1, 1, 2), steps=4), units=(1, 1, 2), arrangement="time-shared 0-1"),
    "recurrent": Design(network=network((12, 5, 3), wiring=("recurrent 3 steps 2 K3 0.5", "full"), formats=ROUNDED)),
    "recurrent, two layers behind it in one array": Design(
        network=network((10, 9, 4, 3), {"K3": (0.5,) * 5, "K1": (1.0,) * 5, "input_population": 3, "output_population": 2},
                        dt=0.25, wiring=("recurrent 5 steps 1 K3 1", "full", "full"), formats=ROUNDED)),
    "recurrent, one neuron, one frame": Design(network=network((3, 1, 2), {"rest": (0.75,) * 5}, formats=ROUNDED,
                                                               wiring=("recurrent 1 steps 1 K3 0.5", "full"))),
    "recurrent, biases alone learn": Design(network=network((6, 4, 3), links=0.0, bias=0.25, formats=ROUNDED,
                                                            wiring=("recurrent 2 steps 3 K3 1.5", "full")), target="ecp5"),
    "recurrent, one population in and out": Design(network=network(
        (6, 4, 3), {"input_population": 2, "output_population": 2}, wiring=("recurrent 2 steps 2 K3 0.5", "full"),
        formats=ROUNDED)),
    "recurrent, frozen": Design(network=network((6, 4, 3, 3), frozen=1, formats=ROUNDED,
                                                wiring=("recurrent 2 steps 2 K3 0.5", "full", "full")),
                                arrangement="time-shared 0-0"),
    "recurrent, no learning": Design(network=network((6, 4, 3), wiring=("recurrent 3 steps 1 K3 0.5", "full"),
                                                     formats=ROUNDED), learns=False),
    "time-shared array, K learns with links and biases": Design(
        network=network((5, 7, 4, 3), formats=LONG_K, **ALL_K), units=(3, 3, 3), kind="programmable",
        arrangement="time-shared"),
    "time-shared array, K alone learns, iCE40": Design(
        network=network((5, 7, 4, 3), formats=LONG_K | {"bracket": Format(16, 12)}, **ALL_K, links=0.0, bias=0.0),
        units=(2, 2, 2), kind="programmable", arrangement="time-shared", target="ice40"),
    "time-shared array behind one for a layer, K learns, links by sign": Design(
        network=network((5, 4, 4, 3), formats=LONG_K, links_instinct="sign", **ALL_K), units=(3, 2, 2), kind="programmable",
        arrangement="time-shared 1-2"),
    "time-shared array, K unequal, no learning of it": Design(
        network=network((5, 7, 3), {name: UNEQUAL[name] for name in ("K1", "K2", "K3", "input_population")},
                        formats={"coupling": Format(6, 4), "bracket": Format(16, 12)}, K3=0.25), units=(3, 3),
        kind="programmable", arrangement="time-shared", learns=False),
    "K wider than the multiplier, no learning": Design(network=network((5, 4, 2), formats=LONG_K), units=(3, 2),
                                                       kind="programmable", learns=False),
}


def extreme_case(design, seed, count=12):
    """Parameters from small to close to the limits, images with many and with no nonzero bytes."""
    random, formats = np.random.default_rng(seed), design.network.formats

    def words(shape, word):
        near = np.clip(random.choice([word.least, word.greatest, 0], shape) + random.integers(-3, 4, shape), word.least,
                       word.greatest)
        return np.where(random.random(shape) < 0.5, near, random.integers(word.least // 4, word.greatest // 4, shape))
    values = [replace(layer, weights=words(layer.weights.shape, formats.weight), bias=words(layer.bias.shape, formats.drive))
              for layer in parameters.initial(design.network, "fixed")]
    if design.kind == "programmable":                     # each neuron its own K
        one = formats.coupling.one
        values = [replace(layer, coupling=random.integers([[[-one]], [[-one]], [[0]]], 2 * one, layer.coupling.shape))
                  for layer in values]

    def images(number):
        shape = number, design.network.layers[0]
        share = random.choice([0, 0.5, 1], (number, 1))
        return (random.integers(0, 256, shape) * (random.random(shape) < share)).astype(np.uint8)
    learnt = count if design.learns else 0
    return Case(design, values, images(count), images(learnt), random.integers(0, design.network.layers[-1], learnt))


def compared(case, **options):
    """The report of a co-simulation with all states, which must have found no difference."""
    options = {"states": len(case.images), "idle": 0.1, "stall": 0.1} | options
    report = cosim(case.design, case.values, case.images, case.taught, case.labels, **options)
    assert report.mismatches == 0, f"{report.first.sentence}: {case.design}"
    assert (report.images, report.learnt) == (len(case.images), len(case.taught))
    return report


def states_of(case):
    """How many states of neurons there must be: forward for all images, reverse for those with an error, by layer."""
    net = case.design.network
    model = CompiledModel(net, "fixed", case.values)
    words = [5 * size * (wiring.uses if wiring.reciprocal else net.integration.steps)
             for wiring, size in zip(net.wirings, net.layers[1:], strict=True)]
    forward = sum(words) * (len(case.images) + len(case.taught))
    reversed_ = sum(words[net.learning.frozen:]) if any(layer.learns for layer in case.design.layers) else 0
    wrong = 0
    for start, stop, epoch in rate_schedule(net, len(case.taught)):
        for image, label in zip(case.taught[start:stop], case.labels[start:stop], strict=True):
            right = net.formats.displacement.quantise(net.learning.margin)
            outputs = model.outputs(image[None])[0]
            clear = np.where(np.arange(len(outputs)) == label, outputs >= right, outputs <= -right)
            wrong += not clear.all()
            model.learn(image[None], np.array([label]), epoch)
    return forward + reversed_ * wrong


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configuration(name, monkeypatch):
    case = extreme_case(CONFIGURATIONS[name], seed=1)
    with reached(monkeypatch) as limits:
        report = compared(case)
    assert report.states_compared == states_of(case)
    outputs = case.design.network.layers[-1] + 1
    values = sum(layer.weights.size + layer.bias.size for layer in case.values)
    if case.design.kind == "programmable":
        values += sum(layer.coupling.size for layer in case.values)
    assert report.words_compared == report.states_compared + outputs * (report.images + report.learnt) + values
    assert limits["saturated"], "parameters close to the limits must saturate something"
    assert report.cycles_per_image > 20 * case.design.network.integration.steps


@pytest.mark.parametrize(("layers", "wiring"), [
    ((3, 4, 66, 2), ()), ((9, 12, 66, 2), ("convolution 2x2 stride 1 of 3x3x1", "full", "full"))])
def test_folds_of_many_units_that_heard_nothing_add_up_their_reverse_links(layers, wiring):
    """Then nothing is learnt but biases, in so few clocks that the sums of a fold are still on their way through the tree."""
    design = Design(network=network(layers, steps=2, wiring=wiring), units=(65,) * (len(layers) - 1), arrangement="time-shared")
    for seed in range(2):
        case = extreme_case(design, seed, count=1)
        for layer in case.values[:-2]:                     # all but the last two say nothing
            layer.weights[:], layer.bias[:] = 0, 0
        compared(case)


class reached:
    """Counts what the golden model met: words that saturated or were held, populations that settled below the gate floor."""

    def __init__(self, monkeypatch):
        self.context, self.counts = monkeypatch, Counter()

    def __enter__(self):
        right = arithmetic.narrow

        def narrow(values, shift, to, rounding, overflow, **options):
            word = right(values, shift, to, rounding, overflow, **options)
            exact = (np.asarray(values) + (1 << shift >> 1)) >> shift
            self.counts["held" if overflow is Overflow.HOLD else "saturated"] += int((word != exact).sum())
            return word
        settled = circuits.settle

        def settle(rules, *arguments, **options):
            s = settled(rules, *arguments, **options)
            self.counts["extinct"] += int((rules.rest[:, None, None] + s < rules.floor).sum())
            return s
        self.context.setattr(arithmetic, "narrow", narrow)
        self.context.setattr(circuits, "settle", settle)
        return self.counts

    def __exit__(self, *_):
        self.context.undo()


def random_circuits(monkeypatch, examples):
    """Co-simulate so many; how many of them met which limit."""
    count = Counter()

    def equal(case):
        with reached(monkeypatch) as limits:
            compared(case)
        count.update(name for name in limits if limits[name])
        count.update(["all", "folded" if any(layer.folds > 1 for layer in case.design.layers) else "unfolded",
                      f"{len({array.time_shared for array in case.design.arrays})} kinds of arrays",
                      "by sign" if case.design.signs else "in proportion",
                      "convolutions" if any(layer.window for layer in case.design.layers) else "no convolutions",
                      "recurrent" if case.design.layers[0].recurrence else "not recurrent",
                      *("one port, K learns" if array.time_shared else "two ports, K learns"
                        for array in case.design.arrays if array.learns_K),
                      "magnified" if case.design.learns and case.design.network.learning.magnification else "not magnified"])
    for theme in THEMES:
        settings(max_examples=examples // len(THEMES), derandomize=True, database=None, phases=[Phase.generate])(
            given(cases(theme))(equal))()
    return count


@pytest.mark.long
def test_200_random_circuits(monkeypatch):
    count = random_circuits(monkeypatch, 200)
    assert count["all"] == 200
    assert min(count["saturated"], count["folded"], count["unfolded"]) >= 40, count
    kinds = ("held", "extinct", "2 kinds of arrays", "by sign", "magnified", "convolutions", "recurrent")
    assert min(count[name] for name in kinds) >= 20, count
    assert min(count[f"{ports}, K learns"] for ports in ("one port", "two ports")) >= 8, count


# ---------------------------------------------------------------- differences are named

SMALL = CONFIGURATIONS["folded"]


@functools.cache
def small_verilog():
    return emit.to_verilog(SMALL)


def differing(monkeypatch, place, name, wrong, states=12):
    """The report where the golden model has been changed: ``wrong`` is made of the right function."""
    monkeypatch.setattr(place, name, wrong(getattr(place, name)))
    case = extreme_case(SMALL, seed=1)
    return cosim(case.design, case.values, case.images, case.taught, case.labels, states=states, idle=0.1, stall=0.1,
                 verilog=small_verilog())


def off_by_one(when):
    """``improved_euler`` with a state of neuron 2 of layer 1 wrong, where ``when`` says so of its name."""
    def wrong(right):
        def improved_euler(*arguments):
            x = right(*arguments)
            if when(arguments[6]) and x[3, 0, 2] < 0:
                x[3, 0, 2] += 1
            return x
        return improved_euler
    return wrong


def test_a_state_that_differs_is_named(monkeypatch):
    report = differing(monkeypatch, circuits, "improved_euler", off_by_one("displacement[1]".__eq__))
    first = report.first
    assert report.mismatches > 0
    assert (first.signal, first.learning, first.layer, first.neuron, first.population) == ("state", False, 1, 2, 3)
    assert first.expected == first.actual + 1
    assert first.sentence == (f"state, inferred image {first.image}, layer 1, neuron 2, population 3, step {first.step}: "
                              f"{first.expected} expected, {first.actual} found")
    assert plain(report)["first"]["sentence"] == first.sentence
    assert (report.trace, report.trace_problem) == (None, None)


def test_a_reverse_state_that_differs_is_named_by_its_forward_population(monkeypatch):
    first = differing(monkeypatch, circuits, "improved_euler", off_by_one("reverse[1]".__eq__)).first
    assert (first.signal, first.learning, first.layer, first.neuron) == ("reverse state", True, 1, 2)
    assert first.population == 2                          # 3 of the mirrored ring
    assert first.sentence.startswith(f"reverse state, learnt image {first.image}, layer 1, neuron 2, population 2, step ")


def after_the_last_image(attribute, index, images):
    """``learning.update`` that spoils a parameter of layer 2 when the last image has been learnt."""
    def wrong(right):
        count = Counter()

        def update(*arguments):
            learnt = right(*arguments)
            count[arguments[5]] += 1
            if arguments[5] == 2 and count[2] == images:
                getattr(learnt, attribute)[index] ^= 1
            return learnt
        return update
    return wrong


@pytest.mark.parametrize(("attribute", "index", "place"), [
    ("weights", (1, 3), "weight, after 12 learnt images, layer 2, neuron 1, input 3: "),
    ("bias", 2, "bias, after 12 learnt images, layer 2, neuron 2: ")])
def test_a_parameter_that_differs_is_named(monkeypatch, attribute, index, place):
    images = len(extreme_case(SMALL, seed=1).taught)
    report = differing(monkeypatch, learning, "update", after_the_last_image(attribute, index, images))
    assert report.first.sentence.startswith(place)
    assert abs(report.first.expected - report.first.actual) == 1
    assert report.mismatches == 1


def test_outputs_and_classes_that_differ_are_counted(monkeypatch):
    def wrong(right):
        return lambda model, images: right(model, images) + (np.arange(3) == 1)
    report = differing(monkeypatch, Model, "outputs", wrong, states=1)
    assert report.first.sentence.startswith("output, inferred image 0, layer 2, neuron 1: ")
    assert report.mismatches >= report.images + report.learnt
    assert 0 < report.states_compared < 2 * 5 * 8 * 2 * (5 + 4 + 3) + 1


def test_a_layer_that_makes_too_few_steps_is_named(monkeypatch):
    images = itertools.count(1)

    def wrong(right):
        def golden_steps(model, image, label):
            steps = right(model, image, label)
            if next(images) == 12:                        # the last one that is inferred; layer 1 is not folded
                steps[1] = replace(steps[1], forward=np.concatenate([steps[1].forward, steps[1].forward[-1:]]))
            return steps
        return golden_steps
    report = differing(monkeypatch, step_states, "golden_steps", wrong)
    assert report.first.sentence == "number of steps, inferred image 11, layer 1, step 8: 97 expected, 96 found"
    assert report.mismatches == 1


@pytest.mark.parametrize("kept", [True, False])
def test_a_core_that_is_stuck_says_among_which_images_and_keeps_a_trace(tmp_path, kept):
    case, file = extreme_case(SMALL, seed=1), tmp_path / "stuck.fst"
    without_verdict = small_verilog().replace("assign verdict = judged & learning;", "assign verdict = 1'h0;")
    assert without_verdict != small_verilog()
    with pytest.raises(Stuck, match=r"among learnt images 0 to 3; look at ") as caught:
        cosim(case.design, case.values, case.images, case.taught, case.labels, verilog=without_verdict, patience=3_000,
              keep=file if kept else None)
    message = str(caught.value)
    assert message.startswith("wuxing_core must take or give a word within 3000 clocks, but it has not since clock ")
    assert message.endswith(f"their trace in {file}" if kept else "a trace of the clocks before")
    assert file.exists() is kept
    assert not kept or file.stat().st_size > 1_000


def test_mismatches_have_sentences():
    about = {"learning": True, "image": 7, "expected": 1, "actual": 2}
    assert Mismatch(signal="class", **about).sentence == "class, learnt image 7: 1 expected, 2 found"
    assert Mismatch(signal="K", layer=1, neuron=0, population=9, **about).sentence == (
        "K, after 7 learnt images, layer 1, neuron 0, population 9: 1 expected, 2 found")


# ---------------------------------------------------------------- what is asked for


def test_images_to_learn_are_shared_out_over_the_rates():
    assert rate_schedule(Network(layers=(1, 1)), 13) == [(0, 2, 0), (2, 4, 10), (4, 6, 20), (6, 8, 30), (8, 10, 40),
                                                         (10, 13, 50)]
    assert rate_schedule(Network(layers=(1, 1), learning=Learning(epochs=2, halvings=5)), 4) == [(0, 2, 0), (2, 4, 1)]
    assert rate_schedule(Network(layers=(1, 1), learning=Learning(epochs=3, halvings=0)), 2) == [(0, 2, 0)]
    assert rate_schedule(Network(layers=(1, 1)), 0) == []


@pytest.mark.parametrize(("options", "sentence"), [
    ({"engine": "verilog"}, "engine must be compiled or cocotb, not 'verilog'"),
    ({"simulator": "vcs"}, "simulator must be verilator or icarus, not 'vcs'"),
    ({"simulator": "icarus"}, "the compiled engine must have the simulator verilator, not icarus; choose the engine cocotb"),
    ({"verilog": "module wuxing_core; endmodule", "states": 0},
     "wuxing_core must have the input clk of 1 bits, not no such port; emit it again or name another top module")])
def test_what_cannot_be_used_is_refused(options, sentence):
    case = extreme_case(SMALL, seed=1)
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        cosim(case.design, case.values, case.images, case.taught, case.labels, **options)


def test_a_core_that_cannot_learn_is_given_nothing_to_learn():
    case = extreme_case(CONFIGURATIONS["no learning"], seed=1)
    with pytest.raises(InputError, match=r"^a core generated without learning must have 0 images to learn, not 12$"):
        cosim(case.design, case.values, case.images, case.images, np.zeros(12, int))


# ---------------------------------------------------------------- full size


@pytest.mark.long
def test_mnist_all_test_images_inferred_and_2000_learnt():
    data, net = datasets.load("mnist"), Network(layers=(784, 128, 10))
    model = CompiledModel(net, "fixed")
    model.learn(data.train_images, data.train_labels)
    report = cosim(Design(network=net), model.parameters, data.test_images, data.train_images[:2000], data.train_labels[:2000])
    assert report.mismatches == 0, report.first.sentence
    assert (report.images, report.learnt) == (10_000, 2_000)
    assert report.words_compared > 12_000 * 11 + 785 * 128
