"""Columns of names: an input for each name, from the file to the manifest, and what becomes of names that nobody has seen."""
from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.data import datasets
from golden_model.data.categories import OTHER, codes_of, names_of, one_hot, recoded
from golden_model.data.encoding import Encoding
from golden_model.data.reading import Reading
from golden_model.data.recipe import Recipe
from golden_model.errors import InputError
from golden_model.storage import model_file
from letters import refusal
from wuxing.cli import main

COLOURS = ("blue", "green", "red")
CARS = Reading(categories=("colour", "doors"))


@pytest.fixture
def cars(tmp_path, monkeypatch):
    """Two hundred cars: the fast ones are red, or have much power; one is mauve."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    lines = ["power,colour,doors,who,class"]
    for number in range(200):
        power, colour, doors = random.normal(), COLOURS[random.integers(3)], (3, 5)[random.integers(2)]
        name = "mauve" if number == 199 else colour
        lines.append(f"{power:.2f},{name},{doors},p{number % 4},{'fast' if power > 1 or colour == 'red' else 'slow'}")
    (tmp_path / "cars.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path / "cars.csv"


@given(st.lists(st.sampled_from([*COLOURS, "mauve", "", "?", None])))
def test_a_name_is_one_of_its_inputs_and_another_or_none_is_no_input(texts):
    codes = codes_of(texts, COLOURS)
    sent = one_hot(codes, 3)
    for text, row, code in zip(texts, sent, codes, strict=True):
        assert row.tolist() == [255 * (text == name) for name in COLOURS]
        assert np.isnan(code) == (text in ("", "?", None))
    for known in (COLOURS, ("green",), ("a", "red", "z"), ()):
        there = recoded(codes, COLOURS, known)
        assert np.array_equal(there, codes_of(texts, known), equal_nan=True)


def test_names_of_a_column():
    assert names_of(["red", "blue", "red", "", "NA", "2"], "c") == ("2", "blue", "red")
    with pytest.raises(InputError, match=refusal("the column 'c' of --categories must have 1 to 256 different names, not 300; "
                                                 "leave it out by --without, or take it as numbers")):
        names_of(map(str, range(300)), "c")


@pytest.mark.parametrize("words", ["minmax", "standard", "quantile", "range", "range polarity", "minmax thermometer:3",
                                   "quantile population:4 median"])
def test_numbers_are_encoded_as_without_names_beside_them(words):
    random = np.random.default_rng(1)
    numbers, codes = random.normal(size=(50, 2)), random.integers(0, 3, 50).astype(float)
    recipe, labels = Recipe.parse(words), [0, 1] * 25
    alone = Encoding.fit(numbers, labels, recipe)
    both = Encoding.fit(np.column_stack([numbers[:, 0], codes, numbers[:, 1]]), labels, recipe, categories=((), COLOURS, ()))
    sent, expected = (encoding.encode(values, (), names) for encoding, values, names in (
        (both, np.column_stack([numbers[:, 0], codes, numbers[:, 1]]), ((), COLOURS, ())), (alone, numbers, ())))
    levels = recipe.levels
    assert both.inputs == sent.shape[1] == 2 * levels + 3
    assert np.array_equal(np.delete(sent, np.s_[levels:levels + 3], axis=1), expected)
    assert np.array_equal(sent[:, levels:levels + 3], one_hot(codes, 3))
    assert Encoding.from_dict(json.loads(json.dumps(both.to_dict()))).to_dict() == both.to_dict()


def test_a_table_of_names_alone_and_one_of_bytes():
    codes = np.array([[0.0, 1.0], [2.0, 0.0]])
    for words in ("quantile", "range", "bytes", "minmax median"):
        encoding = Encoding.fit(codes, [0, 1], Recipe.parse(words), categories=(COLOURS, ("a", "b")))
        assert encoding.encode([["red", "a"], ["mauve", "b"]]).tolist() == [[0, 0, 255, 255, 0], [0, 0, 0, 0, 255]]
    beside = Encoding.fit(np.column_stack([codes[:, 0], [7.0, 200.0]]), [0, 1], Recipe.parse("bytes"), categories=(COLOURS, ()))
    assert beside.encode([["green", 7], ["red", 200]]).tolist() == [[0, 255, 0, 7], [0, 0, 255, 200]]


def test_missing_names_as_missing_numbers():
    codes = np.array([[0.0, 1.5], [np.nan, 2.0], [1.0, np.nan]])
    with pytest.raises(InputError, match=r"^feature 'c' must not have missing values, but has; leave out such samples, or "
                                         r"choose an encoding with the word median$"):
        Encoding.fit(codes[:2], [0, 1], Recipe.parse("minmax"), features=("c", "v"), categories=(COLOURS, ()))
    encoding = Encoding.fit(codes, [0, 1, 1], Recipe.parse("minmax median"), categories=(COLOURS, ()))
    sent = encoding.encode([[None, 1.5], ["?", 2.0], ["green", None]])
    assert sent.tolist() == [[0, 0, 0, 0], [0, 0, 0, 255], [0, 255, 0, 0]]


def test_a_name_that_only_test_samples_have_is_none_of_the_inputs(cars):
    samples = datasets.read(str(cars), Reading(categories=CARS.categories, without=("who",)))
    data = datasets.encoded(samples)
    assert data.train_images.shape[1] == 1 + len(samples.categories[1]) + 2
    for fold in (1, 2, 3, 4, 5):                                          # whatever names a fold has
        assert data.fold(fold, 5).train_images.shape[1] == data.train_images.shape[1]
    by_time = cars.with_name("late.csv")
    lines = cars.read_text("utf-8").splitlines()
    by_time.write_text("\n".join([f"{lines[0]},day", *(f"{line},{day}" for day, line in enumerate(lines[1:]))]), "utf-8")
    late = datasets.load(str(by_time), reading=Reading.from_dict({"categories": ["colour", "doors"], "split": "time:day",
                                                                  "without": ["who"]}))
    assert late.encoding.categories[1] == COLOURS
    assert late.samples.test_values[-1, 1] == OTHER
    assert late.test_images[-1, 1:4].tolist() == [0, 0, 0]


def test_from_a_file_to_a_model_its_manifest_and_cars_that_come_later(cars, capsys):
    assert main(["train", "--dataset", "cars.csv", "--categories", "colour, doors", "--without", "who", "-q", "--epochs", "40",
                 "-o", "m.npz"]) == 0
    assert main(["verilog", "m.npz", "-o", "core"]) == 0
    loaded = model_file.load("m.npz")
    assert loaded.record["accuracy"] > 80
    assert loaded.record["reading"] == {"categories": ["colour", "doors"], "without": ["who"]}
    manifest = json.loads((cars.parent / "core/manifest.json").read_text("utf-8"))
    stated = Encoding.from_dict(manifest["encoding"])
    assert stated.features == ("power", "colour", "doors")
    row = stated.encode([[0.5, "red", 3]])[0].tolist()
    assert row == stated.encode([["red", "3", 0.5]], ("colour", "doors", "power"))[0].tolist()
    assert row[1:] == [255 * (name == "red") for name in stated.categories[1]] + [255, 0]
    # one car, columns in another order, without the one that was left out, and with one that nobody knows
    (cars.parent / "later.csv").write_text("note,doors,class,colour,power\nx,3,fast,red,-2\n", "utf-8")
    capsys.readouterr()
    assert main(["eval", "m.npz", "--dataset", "later.csv"]) == 0
    assert "of 1 test samples of later.csv right" in capsys.readouterr().out
    assert main(["eval", "m.npz", "--dataset", "cars.csv"]) == 0


@pytest.mark.parametrize(("changes", "text"), [
    ({"shape": (1, 2)}, "categories of an encoding must be of a table"),
    ({"categories": (("a",),)}, "categories of an encoding must be of a table, one for each of its 2 values"),
    ({"categories": (("b", "a"), ())}, (r"categories of an encoding must be different names in order, at most 256, not "
                                        r"\('b', 'a'\)")),
    ({"categories": ((3,), ())}, r"categories of an encoding must be different names in order"),
    ({"sample": "sample-range"}, "categories of an encoding must be of a table"),
    ({"frames": "cut"}, "frames of an encoding must be resample, pad or nothing, not 'cut'")])
def test_what_is_no_encoding(changes, text):
    with pytest.raises(InputError, match=f"^{text}"):
        Encoding(**{"shape": (2,), "categories": (("a", "b"), ())} | changes)


def test_a_file_whose_columns_are_of_another_kind(cars):
    encoding = datasets.load(str(cars), reading=Reading(categories=("colour", "doors", "who"))).encoding
    with pytest.raises(InputError, match=r"^feature 'doors' must be names, as in training, not numbers; put it into "
                                         r"--categories$"):
        datasets.encoded(datasets.read(str(cars), Reading(categories=("colour", "who"))), encoding=encoding)
    numbers = datasets.load(str(cars), reading=Reading(categories=("colour", "who"))).encoding
    with pytest.raises(InputError, match=r"^feature 'doors' must be numbers, as in training, not categories; leave it out of "
                                         r"--categories$"):
        datasets.encoded(datasets.read(str(cars), Reading(categories=("colour", "doors", "who"))), encoding=numbers)


def test_recordings_tell_by_which_rule_they_became_equally_long(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            np.savetxt(tmp_path / name / f"{number}.csv", np.ones((4 + number, 2)) * number, delimiter=",")
    for frames, rule in (("5", "resample"), ("pad:5", "pad")):
        encoding = datasets.load(str(tmp_path), reading=Reading(frames=frames)).encoding
        assert encoding.to_dict()["frames"] == rule
        assert Encoding.from_dict(encoding.to_dict()).frames == rule
    assert "frames" not in datasets.load("digits").encoding.to_dict()


def test_arrays_have_no_columns_with_names(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((6, 2)), y=[0, 1] * 3)
    for option, reading in (("--categories", Reading(categories=("colour",))), ("--label", Reading(label="y")),
                            ("--without", Reading(without=("colour",)))):
        with pytest.raises(InputError, match=refusal(f"{option} must name columns of a table with a header, but "
                                                     f"{tmp_path / 'a.npz'} is none; leave it out")):
            datasets.read(str(tmp_path / "a.npz"), reading)
