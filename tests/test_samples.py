"""Samples and the data sets that encodings make of them: parts, digests, and data that a model was not trained on."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import letters
from golden_model.data import datasets
from golden_model.data.encoding import Encoding
from golden_model.data.reading import Reading
from golden_model.data.recipe import Recipe
from golden_model.data.samples import Samples
from golden_model.data.splits import Split
from golden_model.errors import InputError
from golden_model.storage import model_file
from letters import idx, refusal
from wuxing.cli import main


def weather(**changes) -> Samples:
    """Forty samples of two columns, in which one is missing here and there."""
    random = np.random.default_rng(2)
    values = random.normal(size=(40, 2)) * [8, 20] + [15, 1000]
    labels = np.where(values[:, 1] > 1000, "dry", "rain")
    fields = {"name": "weather", "train_values": values[:30], "train_labels": labels[:30], "test_values": values[30:],
              "test_labels": labels[30:], "source": "drawn", "features": ("T", "p")}
    return Samples(**fields | changes)


def test_an_encoding_is_fitted_to_what_is_trained_on_and_to_nothing_else():
    samples = weather()
    recipe = Recipe.parse("minmax")
    data = datasets.encoded(samples, recipe)
    for part in (data, data.first(train=20), data.hold_out(10, seed=3), data.first(test=4).hold_out(5)):
        values = part.samples.train_values
        assert [list(knots) for knots in part.encoding.knots] == np.sort(values.T)[:, [0, -1]].tolist()
        assert np.array_equal(part.train_images, part.encoding.encode(values))
        assert np.array_equal(part.test_images, part.encoding.encode(part.samples.test_values))
        assert part.recipe == recipe
        assert part.whole_sha256 == samples.sha256
    assert (data.classes, data.image_shape, data.depth, data.encoding.classes) == (2, (1, 2), 1, ("dry", "rain"))
    assert data.train_labels.tolist() == [int(label == "rain") for label in samples.train_labels]


def test_samples_encoded_by_a_model_stay_so_whatever_part_is_taken():
    other = Encoding.fit(weather().train_values, weather().train_labels, Recipe.parse("standard"), features=("T", "p"))
    data = datasets.encoded(weather()).encoded_by(other)
    for part in (data, data.first(train=20), data.hold_out(10)):
        assert part.encoding is other
        assert part.sha256 == datasets.encoded(weather()).sha256 or part is not data


def test_digests_are_of_what_was_measured():
    """Values, labels and names; neither an encoding nor a place on disk."""
    samples = weather()
    assert len({datasets.encoded(samples, Recipe.parse(words)).sha256 for words in ("minmax", "standard")}) == 1
    assert datasets.encoded(samples).sha256 == samples.sha256 == weather(source="elsewhere", name="other").sha256
    labels = list(samples.test_labels)
    variant = [weather(test_values=samples.test_values + 1e-12), weather(test_labels=[*labels[:-1], "fog"]),
               weather(features=("T", "q")), weather(features=()), samples.first(train=29),
               weather(train_values=samples.train_values.astype(np.float32))]
    assert len({samples.sha256, *(each.sha256 for each in variant)}) == 1 + len(variant)
    assert samples.sha256 == "858382c8a125e7c82a81658a7fbed29c3f23dfeec265222429ce476eb4d86473"


def test_pictures_in_bytes_keep_the_digest_of_their_files(tmp_path: Path):
    folder = letters.written(tmp_path)
    files = hashlib.sha256(b"".join((folder / name).read_bytes() for name in datasets.FILES)).hexdigest()
    for words in ("bytes", "range", "range polarity", "sample-range"):
        assert datasets.load(str(folder), Recipe.parse(words)).sha256 == files


@pytest.mark.parametrize(("changes", "text"), [
    ({"kind": "sound"}, "kind of samples must be table, image or sequence, not 'sound'"),
    ({"train_values": np.zeros((0, 2)), "train_labels": []}, ("there must be 1 or more samples to train with, not none; choose "
                                                             "another split")),
    ({"test_labels": ["dry"]}, "test_labels must be one for each of the 10 samples, not 1"),
    ({"test_values": np.zeros((10, 3))}, ("test samples must have the shape (2,) of training samples, not (3,); take both from "
                                         "one data set")),
    ({"features": ("T",)}, "features must be 2 names, one for each value, not 1"),
])
def test_what_cannot_be_samples(changes, text):
    with pytest.raises(InputError, match=refusal(text)):
        weather(**changes)


def test_a_class_that_nobody_trained_on_is_refused():
    with pytest.raises(InputError, match=refusal("labels must be classes that were trained on (dry, rain), not 'fog'; leave "
                                                 "out its samples, or train with some of them")):
        datasets.encoded(weather(test_labels=["fog"] * 10))


# ----------------------------------------------------------------- on the command line

def test_every_sample_is_tested_on_once_in_the_folds_of_a_file(tmp_path):
    """Of a table all samples are, of what came with a split the training samples alone; an encoding is each fold's own."""
    path = tmp_path / "t.csv"
    path.write_text("a,who,class\n" + "".join(f"{n},p{n % 4},{'xy'[n % 2]}\n" for n in range(40)), "utf-8")
    for rule, folds in (("stratified", 5), ("group:who", 4)):
        parts = list(datasets.folds(str(path), folds, reading=Reading(split=Split.parse(rule), without=("who",) * (
            rule == "stratified"))))
        assert sorted(int(v) for part in parts for v in part.samples.test_values[:, 0]) == list(range(40))
        for fold, part in enumerate(parts):
            assert part.encoding.knots[0][-1] == part.samples.train_values.max()
            assert part.sha256 == datasets.read(str(path), Reading(split=Split.parse(f"{rule}:{fold + 1}/{folds}"), without=(
                "who",) * (rule == "stratified"))).sha256
    parts = list(datasets.folds("digits", 3))
    whole = datasets.read("digits")
    assert sum(len(part.test_labels) for part in parts) == len(whole.train_labels)
    assert {part.whole_sha256 for part in parts} == {whole.sha256}


def test_a_fold_of_training_samples_knows_neither_their_groups_nor_what_is_tested_on(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,who,class\n" + "".join(f"{n},{n % 6},{'xy'[n // 6 % 2]}\n" for n in range(60)), "utf-8")
    data = datasets.load(str(path), reading=Reading(split=Split.parse("group:who:1/3")))
    tested = {int(v) % 6 for v in data.samples.test_values[:, 0]}
    parts = [data.first(train=36).fold(fold, 4) for fold in (1, 2, 3, 4)]
    held_out = [{int(v) % 6 for v in part.samples.test_values[:, 0]} for part in parts]
    assert [len(each) for each in held_out] == [1] * 4
    assert set().union(*held_out) == set(range(6)) - tested
    assert all({int(v) % 6 for v in part.samples.train_values[:, 0]} == set(range(6)) - tested - each
               for part, each in zip(parts, held_out, strict=True))
    assert parts[0].fold(1, 3).train_labels.shape == (18,)                                # and again


def altered(parent: Path, name: str, change) -> Path:
    """The digits as a folder of IDX files, each image changed."""
    digits, folder = datasets.load("digits"), parent / name
    folder.mkdir()
    parts = (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels)
    for file, array in zip(datasets.FILES, parts, strict=True):
        pictures = "images" in file
        (folder / file).write_bytes(idx(change(array.reshape(-1, 8, 8)) if pictures else array.astype(np.uint8)))
    return folder


def outcome(*arguments) -> dict:
    """The JSON of a command that succeeds."""
    target = Path("said.json")
    assert main([*map(str, arguments), "--json", str(target)]) == 0
    return json.loads(target.read_text("utf-8"))


def test_a_model_sees_all_data_through_its_own_encoding(tmp_path, monkeypatch, capsys):
    """Negatives train to the very bits of the originals; what is evaluated later is read as it was in training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WUXING_DATA", str(tmp_path))
    negatives = altered(tmp_path, "negatives", np.bitwise_not)
    quick = ("--layers", "64,12,10", "--epochs", "2")
    plain = outcome("train", "--dataset", "digits", *quick, "-o", "plain.npz")
    turned = outcome("train", "--dataset", "negatives", *quick, "-o", "turned.npz")
    assert turned["accuracy"] == plain["accuracy"]
    files = [model_file.load(name) for name in ("plain.npz", "turned.npz")]
    assert files[0].encoding.is_identity
    assert files[1].encoding.inverted == (True,)
    for layer, other in zip(*(file.parameters for file in files), strict=True):
        assert np.array_equal(layer.weights, other.weights)
    right = {}
    for model in ("plain", "turned"):
        for data in ("digits", negatives):
            right[model, str(data)] = outcome("eval", f"{model}.npz", "--dataset", data)["accuracy"]
    assert right["plain", "digits"] == right["turned", str(negatives)] == outcome("eval", "turned.npz")["accuracy"]
    assert right["plain", str(negatives)] < right["plain", "digits"]      # read as bytes, as ever
    assert "bytes by the encoding" in capsys.readouterr().err
    for encoding, inputs in (("bytes", 64), ("range thermometer:2", 128)):
        output = outcome("train", "--dataset", "negatives", "--encoding", encoding, "--epochs", "1", "-o", "m.npz",
                    "--layers", f"{inputs},3,10")
        assert output["network"]["layers"][0] == inputs
    assert outcome("cosim", "m.npz", "--images", "2", "--learn", "1", "--units", "2,1")["mismatches"] == 0
    assert outcome("ranges", "m.npz", "--images", "2", "--learn", "1")["dataset"] == "negatives"
    assert outcome("info", "m.npz")["encoding"]["code"] == "thermometer"


def test_words_of_an_encoding_are_looked_at_before_data(capsys):
    assert main(["train", "--dataset", "no-such-folder", "--encoding", "loud"]) == 2
    assert capsys.readouterr().err.startswith("wuxing: an encoding must be made of the words bytes, range, ")
