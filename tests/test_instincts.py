"""Instincts: literal values, an oracle in fractions, and what is left alone when nothing is said."""
from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from golden_model import instincts
from golden_model.arithmetic import Fixed, Float
from golden_model.engine import CompiledModel
from golden_model.fixed_point import Format
from golden_model.instincts import Memory, changes
from golden_model.model import Model
from golden_model.network import PARAMETER_SETS, Formats, Learning, Network
from random_networks import cases

ALWAYS = np.array(True)
GAINS = st.sampled_from([0.0, 2.0**-5, 0.5, 1.0, 8.0])
PID = Learning(links_instinct="pid", links_gains=(1.0, 0.25, 0.5), bias_instinct="pid", bias_gains=(0.5, 2**-4, 1.0),
               leak=2**-3)


def network(**learning):
    return Network(layers=(1, 1), learning=Learning(**learning))


def run(arithmetic, name, products, values):
    """The parameter after each of ``products``, and the memory at the end. One parameter of layer 0, epoch 0."""
    memory = {name: Memory(np.zeros(1, np.asarray(values).dtype), np.zeros(1, np.asarray(values).dtype))}
    update = {"links": arithmetic.updated_weights, "bias": arithmetic.updated_bias}.get(name)
    if name not in ("links", "bias"):
        def update(old, change, layer, epoch):
            return arithmetic.updated_coupling(old, change, name, layer, epoch)
    course = []
    for product in products:
        values = update(values, changes(arithmetic, name, np.array([product]), 0, memory, ALWAYS), 0, 0)
        course.append(values[0].item())
    return course, memory[name]


# ---------------------------------------------------------------- values by hand


def test_terms_of_a_pid_instinct_one_by_one():
    """Bias at rate 1: products in Q.12, words of them in Q.14, so the word of 3 is 12."""
    course = {}
    for term, gains in {"P": (1, 0, 0), "I": (0, 1, 0), "D": (0, 0, 1), "all": (1, 1, 1)}.items():
        fixed = Fixed(network(bias=1.0, bias_instinct="pid", bias_gains=gains))
        course[term], _ = run(fixed, "bias", [3, 3, 0, -5], np.array([0]))
    assert course["P"] == [3, 6, 6, 1]
    assert course["I"] == [3, 9, 15, 16]
    assert course["D"] == [3, 3, 0, -5]
    assert course["all"] == [9, 18, 21, 12]


def test_the_integral_stops_at_its_limits_and_leaves_them_at_once():
    formats = Formats(local_product="Q2.14", integral="Q1.14")
    fixed = Fixed(replace(network(bias=1.0, bias_instinct="pid", bias_gains=(0, 2**-4, 0)), formats=formats))
    course, memory = run(fixed, "bias", [4095] * 5, np.array([0]))
    assert memory.integral[0] == formats.integral.greatest == 16383
    assert np.diff(course).tolist() == [256] * 4
    course, memory = run(fixed, "bias", [4095] * 5 + [-1], np.array([0]))
    assert memory.integral[0] == 16383 - 4
    course, memory = run(fixed, "bias", [-4096] * 9, np.array([0]))
    assert memory.integral[0] == formats.integral.least


def test_the_word_of_a_product_saturates():
    fixed = Fixed(replace(network(batch=8, links_instinct="pid", links_gains=(0, 0, 1)),
                          formats=Formats(local_product="Q1.14", integral="Q4.14")))
    _, memory = run(fixed, "links", [3 << 20], np.array([0]))
    assert memory.previous[0] == memory.integral[0] == 16383
    _, memory = run(fixed, "links", [32, 31, -32, -33], np.array([0]))
    assert (memory.previous[0], memory.integral[0]) == (-1, 1 + 0 + 0 - 1)      # 2**-15 rounds up, whatever its sign


def test_a_leaking_integral_forgets():
    fixed = Fixed(network(bias=1.0, bias_instinct="pid", bias_gains=(0, 1, 0), leak=0.25))
    _, memory = run(fixed, "bias", [250], np.array([0]))
    assert memory.integral[0] == 1000
    _, memory = run(fixed, "bias", [250, 0], np.array([0]))
    assert memory.integral[0] == 750
    _, memory = run(fixed, "bias", [250, 0, 0], np.array([0]))
    assert memory.integral[0] == 563                               # 562.5, half up
    real = Float(network(bias=1.0, bias_instinct="pid", bias_gains=(0, 1, 0), leak=0.25))
    _, memory = run(real, "bias", [0.5, 0.0, 0.0], np.array([0.0]))
    assert memory.integral[0] == 0.5 * 0.75 * 0.75


def test_a_held_parameter_does_not_stop_its_memory():
    fixed = Fixed(network(bias=1.0, bias_instinct="pid", bias_gains=(1, 1, 0)))
    course, memory = run(fixed, "bias", [100, -7], np.array([32767]))
    assert course == [32767, 32767]                                # the integral still pushes upwards
    assert memory.integral[0] == 4 * 93
    assert memory.previous[0] == -28


@pytest.mark.parametrize(("name", "rate", "step"), [("links", 2**-9, 32), ("bias", 2**-6, 64), ("K1", 1.0, 2), ("K3", 0.5, 1)])
def test_a_sign_instinct_takes_steps(name, rate, step):
    group = name if name in ("links", "bias") else "K"
    description = network(**{name: rate, f"{group}_instinct": "sign"}, epochs=2, halvings=0)
    description.check_fixed()
    fixed, old = Fixed(description), np.array([[0, 0, 0]])
    products = np.array([[5, 0, -1 << 20]])
    change = changes(fixed, name, products, 0, {}, ALWAYS)
    start = old + 2 if name == "K3" else old                       # K3 is kept above its minimum
    if group == "K":
        new = fixed.updated_coupling(start, change, name, 0, 0)
    else:
        new = (fixed.updated_weights if name == "links" else fixed.updated_bias)(start, change, 0, 0)
    assert (new - start).tolist() == [[step, 0, -step]]


def test_a_sign_instinct_is_halved_and_held():
    fixed = Fixed(network(links=2**-10, links_instinct="sign", epochs=4, halvings=3))
    one = np.array([[1]])
    assert [int(fixed.updated_weights(0 * one, one, 0, epoch)[0, 0]) for epoch in range(5)] == [16, 8, 4, 2, 2]
    assert fixed.updated_weights(one * 32760, one, 0, 0).tolist() == [[32760]]
    assert Float(network(links=2**-10, links_instinct="sign")).updated_weights(0.5 * one, -one, 0, 0) == 0.5 - 2**-10


def test_a_rate_schedule_halves_the_whole_controller_and_not_its_memory():
    description = network(bias=1.0, bias_instinct="pid", bias_gains=(1, 1, 1), epochs=2, halvings=1)
    fixed, memory = Fixed(description), {"bias": Memory(np.array([400]), np.array([0]))}
    change = changes(fixed, "bias", np.array([100]), 0, memory, ALWAYS)
    assert [fixed.updated_bias(np.array([0]), change, 0, epoch).tolist() for epoch in (0, 1)] == [[400], [200]]
    assert memory["bias"].integral.tolist() == [800]


# ---------------------------------------------------------------- an oracle in fractions


def half_up(value, word):
    return Fraction(math.floor(value * word.one + Fraction(1, 2)), word.one)


def clamped(value, word):
    return min(max(value, Fraction(word.least, word.one)), Fraction(word.greatest, word.one))


@given(st.sampled_from(PARAMETER_SETS), st.integers(0, 1), st.tuples(GAINS, GAINS, GAINS).filter(any), st.integers(0, 6),
       st.sampled_from([0.0, 0.5, 2.0**-7]), st.sampled_from([(12, 0, 3), (14, 2, 4), (20, 2, 1)]),
       st.lists(st.integers(-2**25, 2**25), min_size=1, max_size=12), st.integers(-2**13, 2**13))
@example("links", 0, (0.0, 8.0, 0.0), 0, 0.0, (12, 0, 3), [300, -5000], 7)            # all terms coarser than the parameter
@example("bias", 1, (1.0, 2.0**-5, 8.0), 6, 2.0**-7, (20, 2, 1), [2**13, -2**13], 0)   # the words finer than the products
def test_integers_are_the_rounded_reals_of_the_contract(name, layer, gains, exponent, leak, widths, products, start):
    """q, i and the parameter computed in fractions: the shifts put every term where it belongs."""
    fraction, product_bits, integral_bits = widths
    formats = Formats(local_product=Format(fraction + product_bits, fraction), coupling="Q4.10",
                      integral=Format(fraction + integral_bits, fraction))
    group = name if name in ("links", "bias") else "K"
    description = Network(layers=(2, 2, 2), formats=formats, learning=Learning(
        **{name: 2.0**-exponent, f"{group}_instinct": "pid", f"{group}_gains": gains}, leak=leak, epochs=9, halvings=2,
        batch=64, K3_minimum=2**-10))
    description.check_fixed()
    fixed, parameter = Fixed(description), description.parameter_format(name)
    memory = {name: Memory(np.array([0]), np.array([0]))}
    value, i, before = Fraction(start, parameter.one), Fraction(0), Fraction(0)
    value = abs(value) + 1 if name == "K3" else value
    proportional, integral, derivative = map(Fraction, gains)
    integer = np.array([int(value * parameter.one)])
    for epoch, product in enumerate(products):
        g = Fraction(product, 1 << description.product_fraction(name, layer))
        q = clamped(half_up(g, formats.local_product), formats.local_product)
        i = clamped(half_up(i - Fraction(leak) * i + q, formats.integral), formats.integral)
        rate = Fraction(1, 1 << exponent + description.learning.halvings_before(epoch))
        new = value + half_up(rate * (proportional * g + integral * i + derivative * (q - before)), parameter)
        before = q
        if clamped(new, parameter) == new and not (name == "K3" and new < Fraction(1, 1024)):
            value = new
        change = changes(fixed, name, np.array([product]), layer, memory, ALWAYS)
        if group == "K":
            integer = fixed.updated_coupling(integer, change, name, layer, epoch)
        else:
            integer = (fixed.updated_weights if name == "links" else fixed.updated_bias)(integer, change, layer, epoch)
        assert Fraction(int(integer[0]), parameter.one) == value
        assert Fraction(int(memory[name].integral[0]), formats.integral.one) == i
        assert Fraction(int(memory[name].previous[0]), formats.local_product.one) == q


# ---------------------------------------------------------------- in networks


def with_instincts(learning, instinct, gains=(1.0, 0.0, 0.0)):
    return replace(learning, leak=0.0, magnification=(), **{f"{name}_instinct": instinct for name in ("links", "bias", "K")},
                   **{f"{name}_gains": gains for name in ("links", "bias", "K")})


@given(cases(most_neurons=6))
@settings(max_examples=60)
def test_a_pid_instinct_of_gains_1_0_0_is_the_proportional_one(case):
    description, parameters, images, labels, epoch = case
    plain, pid = (Model(replace(description, learning=with_instincts(description.learning, instinct)), "fixed", parameters)
                  for instinct in ("proportional", "pid"))
    for _ in range(2):
        plain.learn(images, labels, epoch)
        pid.learn(images, labels, epoch)
    for one, other in zip(plain.parameters, pid.parameters, strict=True):
        for name in ("weights", "bias", "coupling"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def snapshot(model):
    """Everything that learning can change, as plain data."""
    return ([[getattr(layer, name).tolist() for name in ("weights", "bias", "coupling")] for layer in model.parameters],
            [{name: (state.integral.tolist(), state.previous.tolist()) for name, state in layer.items()}
             for layer in model.memory])


@pytest.mark.parametrize(("engine", "arithmetic"), [(Model, "fixed"), (CompiledModel, "fixed"), (CompiledModel, "float")])
def test_images_without_error_might_not_have_been_shown(engine, arithmetic, blobs):
    """Alone they leave every bit as it is, memory included; beside one that errs they address nothing.

    (The definition in reals multiplies matrices, whose last bits depend on how many rows they have.)
    """
    images, labels = blobs
    description = Network(layers=(images.shape[1], 20, 4), learning=replace(PID, batch=2))
    whole, part = engine(description, arithmetic), engine(description, arithmetic)
    for image in range(300):
        whole.learn(images[image:image + 1], labels[image:image + 1])
        part.learn(images[image:image + 1], labels[image:image + 1])
    for _ in range(5):
        outputs, margin = whole.outputs(images), whole.arithmetic.margin
        reference = np.where(np.arange(4) == labels[:, None], outputs, -outputs)
        right = (reference >= margin).all(axis=1)
        one, other = np.flatnonzero(right)[0], np.flatnonzero(~right)[0]
        assert ((images[one] > 0) & (images[other] == 0)).any(), "the case must address links that the other does not"
        before = snapshot(whole)
        whole.learn(images[[one]], labels[[one]])
        assert snapshot(whole) == before
        whole.learn(images[[one, other]], labels[[one, other]])
        part.learn(images[[other]], labels[[other]])
        assert snapshot(whole) == snapshot(part) != before


@pytest.mark.parametrize("engine", [Model, CompiledModel])
@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_a_link_without_input_keeps_its_memory(engine, arithmetic):
    description = Network(layers=(3, 4, 2), learning=replace(PID, leak=0.5))
    model = engine(description, arithmetic)
    model.learn(np.array([[200, 100, 0]], np.uint8), np.array([1]))
    first = model.memory[0]["links"]
    assert first.integral[:, 0].any()
    assert not first.integral[:, 2].any()
    model.learn(np.array([[0, 90, 80]], np.uint8), np.array([0]))
    second = model.memory[0]["links"]
    np.testing.assert_array_equal(second.integral[:, 0], first.integral[:, 0])
    np.testing.assert_array_equal(second.previous[:, 0], first.previous[:, 0])
    assert (second.integral[:, 1] != first.integral[:, 1]).any()
    assert second.integral[:, 2].any()


@pytest.mark.parametrize("engine", [Model, CompiledModel])
@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_memory_lasts_as_long_as_the_model_and_is_forgotten_on_demand(engine, arithmetic, blobs):
    images, labels = blobs[0][:80], blobs[1][:80]
    description = Network(layers=(images.shape[1], 6, 4), learning=PID)
    whole, parts = engine(description, arithmetic), engine(description, arithmetic)
    whole.learn(images, labels)
    for start in range(0, 80, 20):
        parts.learn(images[start:start + 20], labels[start:start + 20])
    assert snapshot(whole) == snapshot(parts)
    assert list(whole.memory[0]) == ["links", "bias"]
    whole.memory[0]["links"].integral[:] = 1                       # a copy: of no effect
    assert snapshot(whole) == snapshot(parts)
    fresh = engine(description, arithmetic, whole.parameters)        # parameters alone do not bring the memory
    assert snapshot(fresh)[1] != snapshot(whole)[1]
    whole.forget()
    assert snapshot(fresh) == snapshot(whole)
    assert not any(state.integral.any() or state.previous.any() for layer in whole.memory for state in layer.values())


def test_only_pid_sets_that_are_trained_remember():
    learning = Learning(links_instinct="pid", bias=0.0, bias_instinct="pid", K_instinct="pid", K2=2**-6)
    memories = instincts.fresh(Network(layers=(5, 4, 3), learning=learning), np.int64)
    assert [{name: state.integral.shape for name, state in layer.items()} for layer in memories] == [
        {"links": (4, 5), "K2": (5, 4)}, {"links": (3, 4), "K2": (5, 3)}]


@pytest.mark.parametrize("learning", [
    PID, Learning(links=2**-9, bias=2**-8, links_instinct="sign", bias_instinct="sign", epochs=3, halvings=2),
    Learning(K1=2**-6, K2=2**-6, K3=2**-6, K_instinct="pid", K_gains=(1, 2**-3, 1), leak=2**-2)],
    ids=["pid", "sign", "pid of K"])
@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_every_instinct_learns(learning, arithmetic, blobs):
    images, labels = blobs
    description = Network(layers=(images.shape[1], 20, 4), learning=learning, formats=Formats(coupling="Q2.16"))
    model = CompiledModel(description, arithmetic)
    before = (model.predict(images) == labels).mean()
    for epoch in range(3):
        model.learn(images, labels, epoch)
    assert before < 0.6
    assert (model.predict(images) == labels).mean() > 0.9
