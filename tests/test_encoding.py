"""Encodings: from what was measured to bytes, fitted on training data, saved with the model, the same for who feeds a chip."""
from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from golden_model.data.encoding import Encoding
from golden_model.data.recipe import Recipe
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import initial
from golden_model.storage import model_file
from letters import refusal

RECIPES = ["range", "range polarity median", "minmax", "minmax median polarity", "standard thermometer:4", ("quantile "
                                                                                                           "population:3"),
           "bytes sample-polarity", "range sample-range polarity thermometer:2"]
LABELS = ["yes", "no"] * 30


def measured(missing: bool = False) -> np.ndarray:
    """Sixty samples of five values, of which one is constant and one is an outlier's."""
    random = np.random.default_rng(3)
    values = random.normal(size=(60, 5)) * [1, 100, 0.01, 0, 5] + [0, 7, 1, 4, 0]
    values[11, 1] = 1e9
    if missing:
        values[5, 0] = values[17, 4] = math.nan
    return values


def by_contract(encoding: dict, sample: list[float]) -> list[int]:
    """The bytes of one sample, as docs/arithmetic.md has it: plain Python, written without the code that is tested."""
    x = [float(value) for value in sample]
    if encoding["sample"] != "as-measured":
        low, high = min(x), max(x)
        plain = [math.floor((255 * (v - low)) / (high - low) + 0.5) if high > low else 0 for v in x]
        if encoding["sample"] == "sample-polarity" and 2 * sum(plain) > 255 * len(plain):
            plain = [math.floor((255 * (high - v)) / (high - low) + 0.5) for v in x]
        x = [float(v) for v in plain]
    sent = []
    for place, v in enumerate(x):
        if not encoding["knots"]:
            b = int(v)
        elif math.isnan(v):
            b = encoding["missing"][place]
        else:
            row = place if len(encoding["knots"]) > 1 else 0
            knots, b = encoding["knots"][row], 0
            if len(knots) > 1:
                v, m = min(max(v, knots[0]), knots[-1]), len(knots) - 1
                i = max(i for i in range(m) if knots[i] <= v)
                b = math.floor((255 * i + (255 * (v - knots[i])) / (knots[i + 1] - knots[i])) / m + 0.5)
                b = 255 - b if encoding["inverted"][row] else b
        levels = encoding["levels"]
        sent += {"value": [b], "thermometer": [min(max(levels * b - 255 * j, 0), 255) for j in range(levels)],
                 "population": [max(255 - abs((levels - 1) * b - 255 * j), 0) for j in range(levels)]}[encoding["code"]]
    return sent


@pytest.mark.parametrize("words", RECIPES)
def test_who_feeds_the_chip_gets_the_same_bytes_from_the_manifest(words):
    """Of the training data and of others, which lie outside of it too."""
    values = measured("median" in words)
    encoding = Encoding.fit(values, LABELS, Recipe.parse(words))
    plain = json.loads(json.dumps(encoding.to_dict()))
    others = np.concatenate([values, 3 * np.random.default_rng(4).normal(size=(40, 5))])
    sent = encoding.encode(others)
    assert sent.dtype == np.uint8
    assert sent.tolist() == [by_contract(plain, sample) for sample in others.tolist()]
    assert sent.shape == (100, encoding.inputs)
    assert Encoding.from_dict(plain).to_dict() == encoding.to_dict()


def test_bits_are_those_of_every_machine():
    """Recorded once: a sum in another order, or a fused multiplication, would change them."""
    values = measured()
    digest = hashlib.sha256()
    for words in RECIPES:
        encoding = Encoding.fit(values, LABELS, Recipe.parse(words))
        digest.update(json.dumps(encoding.to_dict(), sort_keys=True).encode() + encoding.encode(values).tobytes())
    assert digest.hexdigest() == "03f169534650ffae8b17ba51893504ebc6123ac574a779ec6b2828c99b08eca1"


# ----------------------------------------------------------------- brightness and polarity

def pictures(seed: int = 0) -> np.ndarray:
    """Dark pictures with some bright places, the full range of bytes among them."""
    random = np.random.default_rng(seed)
    images = (random.integers(0, 256, (50, 6, 7)) * (random.random((50, 6, 7)) < 0.3)).astype(np.uint8)
    images[0, 0, :2] = 0, 255
    return images


def test_pictures_of_the_full_range_stay_as_they_are():
    """So nothing is saved with models of MNIST, and their files are the same bytes as ever."""
    images = pictures()
    encoding = Encoding.fit(images, np.arange(50) % 5, Recipe.parse("range polarity"))
    assert (encoding.passes_bytes, encoding.is_identity, encoding.knots) == (True, True, ())
    assert np.array_equal(encoding.encode(images), images.reshape(50, 42))


@pytest.mark.parametrize("change", [
    lambda images: 255 - images, lambda images: images // 4 * 4 // 4, lambda images: (255 - images) // 4 + 40,
    lambda images: 1000.0 - 3.5 * images], ids=["negative", "dim", "dim negative", "of another instrument"])
def test_brightness_and_polarity_of_the_training_data_do_not_matter(change):
    """A fitted encoding gives a network the same bytes, but for what a dim picture has lost in whole numbers."""
    images = pictures()
    variant = change(images)
    encoding = Encoding.fit(variant, np.arange(50) % 5, Recipe.parse("range polarity"))
    off = encoding.encode(variant).astype(int) - images.reshape(50, 42)
    assert np.abs(off).max() <= (3 if len(np.unique(variant)) <= 64 else 0)


@pytest.mark.parametrize("change", [lambda images: 255 - images, lambda images: images * 0.25, lambda images: 200 - images / 4],
                         ids=["negative", "dim", "dim negative"])
def test_brightness_and_polarity_of_each_sample_do_not_matter_where_samples_are_stretched(change):
    """The model was trained on the pictures as they are, and meets changed ones."""
    images = pictures()
    encoding = Encoding.fit(images, np.arange(50) % 5, Recipe.parse("bytes sample-polarity"))
    assert np.array_equal(encoding.encode(change(images)), encoding.encode(images))
    plain = Encoding.fit(images, np.arange(50) % 5, Recipe.parse("bytes sample-range"))
    assert np.array_equal(plain.encode(images * 0.25), plain.encode(images))
    assert not np.array_equal(plain.encode(255 - images), plain.encode(images))
    assert plain.encode(np.full((1, 6, 7), 9.5)).max() == 0               # no contrast


# ----------------------------------------------------------------- what a sample may be

def test_constants_and_what_lies_outside():
    encoding = Encoding.fit(measured(), LABELS, Recipe.parse("minmax polarity"))
    sent = encoding.encode([[-1e100, 1e100, 0, 4, 0], [1e100, -1e100, 0, 999, 0]])
    assert sent[:, 3].tolist() == [0, 0]                  # constant in training: no link has learnt of it
    assert sorted(sent[:, 0].tolist()) == [0, 255]


def test_missing_values():
    values = measured(missing=True)
    with pytest.raises(InputError, match=refusal("value 0 of a sample must not have missing values, but has; leave out such "
                                                 "samples, or choose an encoding with the word median")):
        Encoding.fit(values, LABELS)
    with pytest.raises(InputError, match=refusal("feature 'e' must not have missing values, but has; leave out such samples, "
                                                 "or train with an encoding that has the word median")):
        Encoding.fit(measured(), LABELS, features="abcde").encode([[0, 0, 0, 0, None]])
    with pytest.raises(InputError, match=refusal("value 0 of a sample must not have missing values where each sample is "
                                                 "stretched (sample-range), but has; leave out such samples")):
        Encoding.fit(values, LABELS, Recipe.parse("sample-range"))
    for words in ("range median", "minmax median"):
        encoding = Encoding.fit(values, LABELS, Recipe.parse(words))
        medians = [sorted(v for v in column if not math.isnan(v))[(sum(not math.isnan(v) for v in column) - 1) // 2]
                   for column in values.T.tolist()]
        assert encoding.encode(np.full((1, 5), math.nan)).tolist() == encoding.encode([medians]).tolist()
    values[:, 2] = math.nan
    for words in ("range median", "minmax median"):
        with pytest.raises(InputError, match=refusal("value 2 of a sample must have a value in some sample of the training "
                                                     "data, but has none; leave it out")):
            Encoding.fit(values, LABELS, Recipe.parse(words))
    with pytest.raises(InputError, match=refusal("values must not all be missing, but are; look at how they were read")):
        Encoding.fit(np.full((4, 2), math.nan), LABELS[:4], Recipe.parse("range median"))


@pytest.mark.parametrize(("values", "text"), [
    ([[1.0, math.inf]], ("values must be finite numbers, at most 2**500, not inf; leave out such samples, or write NaN where a "
                        "value is missing")),
    ([[1.0, -1e200]], ("values must be finite numbers, at most 2**500, not -1e+200; leave out such samples, or write NaN where "
                      "a value is missing")),
    ([["1", "2"]], ("samples must be numbers of shape (samples, values) or more, not <U1 of shape (1, 2); turn texts into "
                   "numbers, one column for each")),
    ([["red", 2, None]], ("samples must be numbers of shape (samples, values) or more, not object of shape (1, 3); turn texts "
                         "into numbers, one column for each")),
    ([1.0, 2.0], ("samples must be numbers of shape (samples, values) or more, not float64 of shape (2,); turn texts into "
                 "numbers, one column for each")),
    ([[1, 2], [3]], "samples must be an array or a list whose rows have one length, but they differ; cut or fill them"),
    (np.zeros((0, 5)), "an encoding must be fitted to 1 or more samples of 1 or more values, not (0, 5); add some"),
])
def test_what_cannot_be_samples(values, text):
    with pytest.raises(InputError, match=refusal(text)):
        Encoding.fit(values, ["a"])


def test_other_shapes_and_values_that_are_no_bytes():
    encoding = Encoding.fit(pictures(), np.arange(50) % 5)
    assert np.array_equal(encoding.encode(pictures().reshape(50, 42)), encoding.encode(pictures().astype(float)))
    with pytest.raises(InputError, match=refusal("samples must have the shape 6x7 of those that were trained on, not 7x6; "
                                                 "measure them alike, or train anew")):
        encoding.encode(np.zeros((1, 7, 6)))
    for wrong, text in ((0.5, "0.5"), (-1, "-1"), (256, "256")):
        with pytest.raises(InputError, match=refusal(f"values must be bytes, whole numbers 0..255, for a model that takes "
                                                     f"bytes as they are, not {text}; scale them, or train with an encoding "
                                                     f"such as range")):
            encoding.encode(np.full((1, 6, 7), wrong))


def test_columns_in_another_order():
    values = measured()
    encoding = Encoding.fit(values, LABELS, Recipe.parse("minmax"), features=["a", "b", "c", "d", "e"])
    sent = encoding.encode(values)
    more = np.column_stack([values[:, [4, 3, 2, 1, 0]], np.full(60, math.nan)])
    assert np.array_equal(encoding.encode(more, ["e", "d", "c", "b", "a", "f"]), sent)
    with pytest.raises(InputError, match=refusal("samples must have the features that were trained on, but 'd', 'e' are not "
                                                 "there; add what is missing, or train anew without")):
        encoding.encode(values[:, :3], ["a", "b", "c"])


def test_more_knots_than_a_file_takes(monkeypatch):
    monkeypatch.setattr("golden_model.data.encoding.MOST_KNOTS", 8)
    with pytest.raises(InputError, match=refusal("an encoding must have at most 8 knots, not 9; choose the scaling range, "
                                                 "which all values have in common")):
        Encoding.fit(measured(), LABELS, Recipe.parse("minmax"))


def test_labels_and_names():
    encoding = Encoding.fit(measured(), LABELS)
    assert encoding.classes == ("no", "yes")
    assert encoding.outputs(["yes", "no"]).tolist() == [1, 0]
    assert [encoding.class_name(output) for output in (0, 1, 2)] == ["no", "yes", 2]
    assert Encoding.fit(measured(), [3] * 60, indexed=True).classes == ()


# ----------------------------------------------------------------- files

def test_a_model_file_keeps_its_encoding_and_one_without_it_is_as_before(tmp_path: Path):
    network = Network(layers=(10, 2))
    encoding = Encoding.fit(measured(True), LABELS, Recipe.parse("quantile median thermometer:2"), features="abcde")
    model_file.save(tmp_path / "m.npz", network, "fixed", initial(network, "fixed"), {}, encoding)
    content = model_file.load(tmp_path / "m.npz").encoding
    assert content.to_dict() == encoding.to_dict()
    assert np.array_equal(content.encode(measured(True)), encoding.encode(measured(True)))
    model_file.save(tmp_path / "plain.npz", network, "fixed", initial(network, "fixed"), {})
    assert model_file.load(tmp_path / "plain.npz").encoding.is_identity
    model_file.save(tmp_path / "same.npz", network, "fixed", initial(network, "fixed"), {}, Encoding(shape=(10,)))
    assert (tmp_path / "plain.npz").read_bytes() == (tmp_path / "same.npz").read_bytes()
    with np.load(tmp_path / "plain.npz") as archive:
        assert not any("encoding" in name for name in archive.files)


@pytest.mark.parametrize(("layers", "text"), [
    ((5, 2), "layers must begin with 10, the bytes of the encoding of a sample of 5 values, not 5"),
    ((10, 1), "layers must end with at least 2, the classes that have names, not 1"),
])
def test_an_encoding_of_another_network_is_not_saved(tmp_path: Path, layers, text):
    network = Network(layers=layers)
    encoding = Encoding.fit(measured(), LABELS, Recipe.parse("minmax population:2"))
    with pytest.raises(InputError, match=refusal(text)):
        model_file.save(tmp_path / "m.npz", network, "fixed", initial(network, "fixed"), {}, encoding)
    assert not (tmp_path / "m.npz").exists()


@pytest.mark.parametrize(("changes", "text"), [
    ({"knots": [[1.0, 1.0]], "inverted": [False]}, ("knots of an encoding must be finite numbers, each greater than the one "
                                                   "before, not (1.0, 1.0)")),
    ({"knots": [["1", 2.0]], "inverted": [False]}, ("knots of an encoding must be finite numbers, each greater than the one "
                                                   "before, not ('1', 2.0)")),
    ({"knots": [7], "inverted": [False]}, ("knots of an encoding must be finite numbers, each greater than the one before, not "
                                          "(7,)")),
    ({"inverted": [True]}, "inverted of an encoding must have a truth value for each of its 5 knots, not (True,)"),
    ({"missing": [300] * 5}, "missing of an encoding must be bytes, not (300, 300, 300, 300, 300)"),
    ({"missing": [1]}, "missing of an encoding must be one for each of its 5 values, not 1"),
    ({"features": ["a"]}, "features of an encoding must be one for each of its 5 values, not 1"),
    ({"features": ["a"] * 5}, "features of an encoding must be different names, not ('a', 'a', 'a', 'a', 'a')"),
    ({"shape": [5, 0]}, "shape of an encoding must be one to three sizes of 1 or more, not (5, 0)"),
    ({"shape": 5}, "shape of an encoding must be a list, not 5"),
    ({"sample": "other"}, "sample of an encoding must be as-measured, sample-range or sample-polarity, not 'other'"),
    ({"sample": "sample-range"}, ("missing of an encoding must be empty without knots, or if each sample is stretched, but is "
                                 "not")),
    ({"classes": ["b", "a"]}, "classes of an encoding must be at most 256 different names in order, not ['b', 'a']"),
    ({"levels": 3}, "levels of an encoding must be 1 without a code, not 3; choose code thermometer or population for more"),
    ({"more": 1}, None),
])
def test_a_file_is_data_and_every_entry_is_looked_at(changes, text):
    plain = Encoding.fit(measured(), LABELS, Recipe.parse("minmax median")).to_dict()
    entries = "shape, features, classes, sample, knots, inverted, missing, code, levels"
    names = ", ".join(map(repr, sorted([*plain, "more"])))
    expected = text or f"an encoding must have the entries {entries}, not [{names}]"
    with pytest.raises(InputError, match=refusal(expected) if text else f"^an encoding must have the entries {entries}, not "):
        Encoding.from_dict(plain | changes)
