"""Ranges: what is recorded equals what a plain-integer reimplementation sees, and nothing leaves its worst case."""
import itertools
import re
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model import parameters
from golden_model.bounds import Interval, magnitude_bits, worst_case
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Integration, Learning, Network, Neuron
from golden_model.ranges import Ranges, Signal, proposed_formats, record
from random_networks import cases

SMALL = Network(layers=(4, 3, 2), integration=Integration(steps=3), learning=Learning(links=2**-2, bias=2**-2), seed=3)
NARROW = replace(SMALL, formats=Formats(displacement="Q1.5", drive="Q2.5", weight="Q1.7", error="Q1.5", input="UQ0.8"),
                 initialisation=Initialisation(input_gain=4))


def images_of(network, count, seed=0):
    random = np.random.default_rng(seed)
    return (random.integers(0, 256, (count, network.layers[0])).astype(np.uint8),
            random.integers(0, network.layers[-1], count))


def plain_run(network, layers, images, labels):
    """One image at a time in Python integers, uniform K, written from the contract alone: every value of each signal."""
    signals, f = defaultdict(list), network.formats
    one, top = 1 << f.displacement.fraction, f.displacement.greatest
    for k, layer in enumerate(layers):
        signals[f"weight[{k}]"] += layer.weights.ravel().tolist()
        signals[f"bias[{k}]"] += layer.bias.tolist()
        for name, step in (("K1", 1), ("K2", 1), ("K3", 2)):
            signals[f"{name}[{k}]"] += [step] * 5 * len(layer.bias)
    C = [layer.weights.tolist() for layer in layers]
    bias = [layer.bias.tolist() for layer in layers]

    def clamp(value, word):
        return min(max(value, word.least), word.greatest)

    def rounded(value, shift):
        return (value + (1 << shift >> 1)) >> shift

    def settle(gates, drive, place, name):
        s = [0] * 5
        for _ in range(network.integration.steps):
            x = s
            for shift, suffix in ((network.predictor_shift, "_predictor"), (network.corrector_shift, "")):
                b = [x[i - 1] - x[(i + 1) % 5] + x[(i + 2) % 5] - x[i - 2] - 2 * x[i] + 2 * drive * (i == place)
                     for i in range(5)]
                products = [(one + x[i] if gates is None else gates[i]) * b[i] for i in range(5)]
                signals[f"{name}_bracket"] += b
                signals[f"{name}_product"] += products
                x = [clamp(rounded(((s[i] + x[i]) << shift) + products[i], shift + 1), f.displacement) for i in range(5)]
                signals[name + suffix] += x
            s = x
        return s

    for image, label in zip(images.tolist(), labels.tolist() if labels is not None else [None] * len(images), strict=True):
        inputs, states, x = [], [], image
        signals["input"] += x
        for k in range(len(C)):
            inputs.append(x)
            states.append([])
            shift = network.link_shift(k)
            for row, offset in zip(C[k], bias[k], strict=True):
                total = sum(c * v for c, v in zip(row, x, strict=True))
                drive = clamp(rounded(total + (offset << shift), shift), f.drive)
                signals[f"link_sum[{k}]"].append(total)
                signals[f"drive[{k}]"].append(drive)
                states[k].append(settle(None, drive, 0, f"displacement[{k}]"))
            x = [s[1] for s in states[k]]
        if label is None:
            continue
        margin = int(network.learning.margin * one)
        error = [clamp(max(0, margin - v) if n == label else min(0, -margin - v), f.error) for n, v in enumerate(x)]
        signals[f"error[{len(C) - 1}]"] += error
        for k in reversed(range(len(C))):
            r = []
            for s, e in zip(states[k], error, strict=True):
                gate = [one // 16 if v >= top or one + v < one // 16 else one + v for v in s]
                r.append(settle([gate[-i % 5] for i in range(5)], e, 4, f"reverse[{k}]")[0])
            if k:
                sums = [sum(C[k][n][m] * r[n] for n in range(len(r))) for m in range(len(inputs[k]))]
                signals[f"reverse_link_sum[{k}]"] += sums
                error = [clamp(rounded(total, network.reverse_link_shift), f.error) for total in sums]
                signals[f"error[{k - 1}]"] += error
            exponent = network.learning.rate_shifts(0)["links"]
            shift = network.update_shift(k, exponent)
            for n, m in itertools.product(range(len(r)), range(len(inputs[k]))):
                product = r[n] * inputs[k][m]
                signals[f"update[{k}]"].append(product)
                new = rounded((C[k][n][m] << shift) + product, shift)
                C[k][n][m] = new if f.weight.least <= new <= f.weight.greatest else C[k][n][m]
                signals[f"weight[{k}]"].append(C[k][n][m])
            bias[k] = [clamp(rounded((b << exponent) + v, exponent), f.drive) for b, v in zip(bias[k], r, strict=True)]
            signals[f"bias[{k}]"] += bias[k]
    return signals


@pytest.mark.parametrize("learning", [False, True], ids=["infer", "learn"])
@pytest.mark.parametrize("network", [SMALL, NARROW], ids=["contract", "narrow"])
def test_recorded_ranges_equal_a_plain_reimplementation(network, learning):
    start = parameters.initial(network, "fixed")
    images, labels = images_of(network, 12)
    ranges = Ranges(network)
    if learning:
        ranges.learn(start, images, labels)
    else:
        ranges.infer(start, images)
    expected = plain_run(network, start, images, labels if learning else None)
    assert set(ranges.signals) == set(expected)
    for name, values in expected.items():
        signal = ranges.signals[name]
        assert (signal.least, signal.greatest, signal.count) == (min(values), max(values), len(values)), name
        bits = [magnitude_bits(value) for value in values]
        assert signal.histogram.tolist() == [bits.count(b) for b in range(64)], name
        if signal.format is not None:
            ends = values.count(signal.format.least), values.count(signal.format.greatest)
            assert (signal.at_least, signal.at_greatest) == ends, name
            assert signal.at_ends == (ends[0] * signal.format.signed + ends[1]) / len(values)
        else:
            assert signal.at_ends is None
    assert (ranges.inferred, ranges.learnt) == ((0, 12) if learning else (12, 0))


def test_the_narrow_network_saturates():
    """Else the test above would not have seen an end of a word."""
    signals = record(NARROW, parameters.initial(NARROW, "fixed"), *images_of(NARROW, 12)).signals
    assert signals["drive[0]"].at_ends > 0
    assert signals["displacement[0]_predictor"].at_least > 0


@settings(max_examples=60)
@given(cases())
def test_nothing_recorded_leaves_its_worst_case(case):
    network, start, images, labels, epoch = case
    before = [layer.copy() for layer in start]
    ranges = Ranges(network)
    ranges.infer(start, images)
    ranges.learn(start, images, labels, epoch)
    bounds = ranges.worst_case()
    for name, signal in ranges.signals.items():
        if signal.format is None:
            assert bounds[name].least <= signal.least <= signal.greatest <= bounds[name].greatest, name
            assert signal.bits <= bounds[name].bits
        else:
            assert signal.format.least <= signal.least <= signal.greatest <= signal.format.greatest, name
    for layer, kept in zip(start, before, strict=True):
        assert all(np.array_equal(getattr(layer, name), getattr(kept, name)) for name in ("weights", "bias", "coupling"))


@settings(max_examples=60)
@given(cases())
def test_proposed_formats_give_the_same_bits(case):
    network, start, images, labels, epoch = case
    ranges = Ranges(network)
    ranges.infer(start, images)
    ranges.learn(start, images, labels, epoch)
    proposed = replace(network, formats=proposed_formats(ranges))
    proposed.check_fixed()
    old, new = Model(network, "fixed", start), Model(proposed, "fixed", start)
    assert np.array_equal(old.outputs(images), new.outputs(images))
    assert np.array_equal(old.learn(images, labels, epoch), new.learn(images, labels, epoch))
    for a, b in zip(old.parameters, new.parameters, strict=True):
        assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("weights", "bias", "coupling"))


@settings(max_examples=60)
@given(cases())
def test_worst_case_needs_no_more_bits_than_the_widths_of_the_description(case):
    network = case[0]
    widths = network.widths()
    stated = {"biased_link_sum": "link_sum", "updated_bias": "updated_bias", "updated_K1": "updated_coupling",
              "updated_K2": "updated_coupling", "updated_K3": "updated_coupling"}
    for bound in worst_case(network).values():
        kind, _, rest = bound.name.partition("[")
        part = rest.partition("]")[2].removeprefix("_")
        if part:                                              # of a circuit: one width for both directions
            assert bound.bits <= widths[part]
        elif kind != "margin_difference":
            name = stated.get(kind, kind)
            for word in ("local_product", "integral"):
                name = word if kind.endswith(f"{word}_sum") else name
            assert bound.bits <= widths[name if name in widths else f"{name}[{rest}"], bound.name


def test_what_is_added_is_said_in_grammatical_words():
    bounds = worst_case(Network(layers=(1, 1, 2)))
    assert {bounds[f"{name}[{layer}]"].sum for name in ("link_sum", "update") for layer in (0, 1)} == {
        "1 product of a link and its input", "1 product of a reverse displacement and an input"}
    assert bounds["reverse_link_sum[1]"].sum == "2 products of a link and a reverse displacement"


def test_worst_case_of_the_default():
    bounds = worst_case(Network(layers=(784, 128, 10)))
    assert (bounds["link_sum[0]"].least, bounds["link_sum[0]"].greatest) == (-784 * 255 * 32768, 784 * 255 * 32767)
    assert (bounds["link_sum[1]"].least, bounds["link_sum[1]"].greatest) == (-128 * 4096 * 32767, 128 * 4096 * 32768)
    # the input population: 2 s_0 and four neighbours, all against it, and twice the drive of [-8, 8)
    assert bounds["displacement[0]_bracket"].least == -2 * 4095 - 2 * 4095 - 2 * 4096 - 2 * 32768
    assert bounds["reverse[0]_bracket"].greatest == 2 * 4096 + 2 * 4095 + 2 * 4096 + 2 * 4095
    assert bounds["margin_difference[1]"].greatest == 2048 + 4096
    assert {name: bounds[name].bits for name in ("link_sum[0]", "displacement[0]_bracket", "reverse[0]_bracket")} == {
        "link_sum[0]": 34, "displacement[0]_bracket": 18, "reverse[0]_bracket": 16}


def test_couplings_other_than_the_description_widen_the_brackets():
    start = parameters.initial(SMALL, "fixed")
    for layer in start:
        layer.coupling[:] = SMALL.formats.coupling.greatest
    assert worst_case(SMALL, start)["displacement[0]_bracket"].greatest > worst_case(SMALL)["displacement[0]_bracket"].greatest


ends = st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(sorted)


@given(ends, ends, st.integers(1, 3))
def test_intervals_have_exactly_the_extremes_of_all_their_values(first, second, count):
    a, b = Interval(*first), Interval(*second)
    pairs = list(itertools.product(range(a.least, a.greatest + 1), range(b.least, b.greatest + 1)))
    for interval, values in ((a + b, [x + y for x, y in pairs]), (a - b, [x - y for x, y in pairs]),
                             (a * b, [x * y for x, y in pairs]), (-a, [-x for x, _ in pairs]), (a << count, [x << count
                             for x, _ in pairs]), (a.times(count), [x * count for x, _ in pairs]), (a | b, [*first, *second])):
        assert (interval.least, interval.greatest) == (min(values), max(values))
    assert a.bits == next(n for n in itertools.count(1) if -2**(n - 1) <= a.least and a.greatest < 2**(n - 1))


@pytest.mark.parametrize("value", [0, -1, 1, 4095, -4096, 4096, 2**52, -2**53 - 1, 2**61 - 1, -2**61])
def test_histogram_is_exact_for_words_of_any_width(value):
    signal = Signal(name="x", format=None, fraction=0, least=value, greatest=value, histogram=np.zeros(64, np.int64))
    signal.add(np.array([value]))
    assert np.flatnonzero(signal.histogram).tolist() == [magnitude_bits(value)]
    assert signal.bits == magnitude_bits(value) + 1


def test_spare_bits_are_added_and_bounded():
    ranges = record(SMALL, parameters.initial(SMALL, "fixed"), *images_of(SMALL, 5))
    tight, spared = proposed_formats(ranges), proposed_formats(ranges, 2)
    assert spared.drive == replace(tight.drive, bits=tight.drive.bits + 2)
    assert (tight.drive.bits < SMALL.formats.drive.bits, tight.drive.fraction) == (True, 12)
    text = "spare bits must be 0 to 61, not -1"
    with pytest.raises(InputError, match=re.escape(text)):
        proposed_formats(ranges, -1)


def test_what_was_not_run_keeps_its_format():
    wide = replace(SMALL, formats=Formats(error="Q4.12"))
    start, (images, labels) = parameters.initial(wide, "fixed"), images_of(wide, 5)
    assert proposed_formats(record(wide, start, images)).error == Format.parse("Q4.12")
    assert proposed_formats(record(wide, start, images, labels)).error.bits < 16


def test_slices_change_nothing(monkeypatch):
    start, (images, labels) = parameters.initial(SMALL, "fixed"), images_of(SMALL, 7)
    whole = record(SMALL, start, images, labels).report()
    monkeypatch.setattr("golden_model.ranges.SLICE", 8)
    lines = []
    ranges = Ranges(SMALL)
    ranges.infer(start, images, lines.append)
    ranges.learn(start, images, labels, progress=lines.append)
    assert ranges.report() == whole
    assert lines == [2, 2, 2, 1] * 2


@pytest.mark.parametrize(("change", "text"), [
    ("float", "weights of layer 0 must be integers of format Q2.14, not float64"),
    ("labels", "labels must be one for each of the 5 images to learn, not 4"),
    ("images", "images must be uint8 of shape (images, 4), not uint8 of shape (5, 3)"),
])
def test_wrong_arguments_get_a_sentence(change, text):
    start = parameters.initial(SMALL, "float" if change == "float" else "fixed")
    images, labels = images_of(SMALL, 5)
    with pytest.raises(InputError, match=re.escape(text)):
        record(SMALL, start, images[:, :3] if change == "images" else images, labels[:4] if change == "labels" else labels)


def test_rest_below_one_bounds_extinction():
    network = Network(layers=(2, 1), neuron=Neuron(rest=(0.5,) * 5))
    assert worst_case(network)["margin_difference[0]"].greatest == 2048 + 2048
