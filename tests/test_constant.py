"""Columns and channels that are constant in training are told: they take inputs and teach nothing."""
import json

import numpy as np
import pytest

from golden_model.data import datasets
from golden_model.data.reading import Reading
from golden_model.data.recipe import Recipe
from golden_model.data.samples import Samples
from wuxing.cli import main
from wuxing.reports.progress import constant_note

SENTENCE = ("of 3 columns these are constant in the 48 training samples: 'room'; each becomes 0 in every sample, whatever "
            "comes later, and teaches nothing, but takes an input, on a chip too: leave it out by --without room")


def table(path, room):
    random = np.random.default_rng(0)
    rows = [f"{random.normal(kind):.3f},{room(number)},{random.normal():.3f},{'ab'[kind]}"
            for number, kind in enumerate([0, 1] * 30)]
    path.write_text("\n".join(["warmth,room,damp,class", *rows]) + "\n")
    return str(path)


def note(values, kind="table", recipe=None, **more):
    labels = ["a", "b"] * (len(values) // 2)
    samples = Samples(name="s", kind=kind, source="drawn", train_values=values, train_labels=labels, test_values=values,
                      test_labels=labels, **more)
    return constant_note(datasets.encoded(samples, None if recipe is None else Recipe.parse(recipe)))


@pytest.mark.parametrize("command", ["train", "compare", "sweep", "tune"])
def test_a_constant_column_is_told(tmp_path, capsys, command):
    data = table(tmp_path / "rooms.csv", lambda number: 7)
    arguments = ["--dataset", data, "--epochs", "1"]
    if command == "train":
        arguments += ["-o", str(tmp_path / "m.npz")]
    if command == "tune":
        arguments += ["--settings", "2", "--folds", "1", "--store", str(tmp_path / "store"), "-o", str(tmp_path / "tuned.toml")]
    if command == "sweep":
        grid = tmp_path / "grid.toml"
        grid.write_text(f"dataset = {json.dumps(data)}\nhold_out = 6\nseeds = [0]\n[network]\nlayers = [3, 4, 2]\n"
                        "[network.learning]\nepochs = 1\n[grid]\n\"learning.batch\" = [1]\n")
        arguments = [str(grid), "--store", str(tmp_path / "store")]
    assert main([command, *arguments]) == 0
    assert SENTENCE in capsys.readouterr().err.splitlines()
    assert main([command, *arguments, "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_rows_of_a_table_are_called_samples(tmp_path, capsys):
    data, model = table(tmp_path / "rooms.csv", lambda number: number % 2), str(tmp_path / "m.npz")
    assert main(["train", "--dataset", data, "--epochs", "1", "-o", model]) == 0
    odd = tmp_path / "odd.csv"
    odd.write_text("warmth,room,damp,class\n" + "-2,0,0,a\n" * 2 + "-2,0,0,b\n3,1,0,b\n")
    assert main(["eval", model, "--dataset", str(odd)]) == 0
    printed = capsys.readouterr()
    assert "; 48 samples to train, 12 to test" in printed.err
    assert "% of the test samples after it" in printed.err
    assert "% of 12 test samples right" in printed.out
    assert "image" not in printed.out + printed.err
    assert ["b", "2", "50.00", "%", "a", "(once)"] in [line.split() for line in printed.out.splitlines()]


def test_the_remedy_suffices(tmp_path):
    data = table(tmp_path / "rooms.csv", lambda number: 7)
    assert constant_note(datasets.load(data)) == SENTENCE
    assert constant_note(datasets.load(data, reading=Reading(without=("room",)))) == ""
    assert constant_note(datasets.load(table(tmp_path / "rooms.csv", lambda number: number % 2))) == ""


def test_a_constant_column_is_zero_whatever_comes(tmp_path):
    data = datasets.load(table(tmp_path / "rooms.csv", lambda number: 7))
    assert data.encoding.encode([[0.0, 7.0, 0.0], [0.0, 9.0, 0.0]])[:, 1].tolist() == [0, 0]


@pytest.mark.parametrize(("recipe", "zero"), [("quantile", True), ("standard", True), ("minmax thermometer:3", True),
                                          ("range", False), ("minmax population:3", False)])
def test_it_says_what_the_encoding_makes_of_it(recipe, zero):
    values = np.stack([np.arange(10.0), np.full(10, 5.0)], axis=1)
    sentence = note(values, recipe=recipe)
    assert ("becomes 0 in every sample" in sentence, "same bytes in every sample" in sentence) == (zero, not zero)
    assert sentence.startswith("of 2 columns these are constant in the 10 training samples: '1'; ")
    assert sentence.endswith("leave it out of the files")


def test_missing_values_count_for_nothing():
    values = np.stack([np.arange(10.0), np.where(np.arange(10) % 3, 5.0, np.nan)], axis=1)
    assert "training samples: '1';" in note(values, recipe="minmax median")


def test_names_with_one_name(tmp_path):
    path = table(tmp_path / "rooms.csv", lambda number: "north")
    sentence = constant_note(datasets.load(path, reading=Reading(categories=("room",))))
    assert "samples: 'room'; each is the same bytes in every sample, which teach no more than a bias" in sentence


def test_many_are_not_all_listed():
    sentence = note(np.concatenate([np.arange(10.0)[:, None], np.ones((10, 12))], axis=1), features=tuple("abcdefghijklm"))
    assert sentence.startswith("of 13 columns these are constant in the 10 training samples: ")
    assert "'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i' and 4 more; " in sentence
    assert sentence.endswith("leave it out of the files")


def test_channels_of_recordings_and_no_pixels():
    random = np.random.default_rng(0)
    still = random.normal(size=(10, 6, 2))
    still[:, :, 1] = 3
    assert "of 2 channels these are constant in the 10 training samples: '1'; each becomes 0" in note(still, "sequence")
    still[0, 0, 1] = 4
    assert note(still, "sequence") == ""
    dark = random.integers(0, 256, (10, 4, 4), np.uint8)
    dark[:, 0] = 0
    assert note(dark, "image") == ""
