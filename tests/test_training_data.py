"""The data set that a command takes by itself is the one the model was trained on: its SHA-256 decides, not its name."""
import json
from pathlib import Path

import numpy as np
import pytest

from golden_model import parameters
from golden_model.data import datasets, download
from golden_model.network import Network
from golden_model.storage import model_file
from wuxing import training_data
from wuxing.cli import complete, main


def write(folder, seed, pixels=8):
    """A small data set of square images in IDX files."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for (images, labels), count in ((datasets.FILES[:2], 40), (datasets.FILES[2:], 20)):
        (folder / images).write_bytes(idx(random.integers(0, 256, (count, pixels, pixels), np.uint8)))
        (folder / labels).write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    return folder


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def trained(folder, tmp_path, *more):
    path = tmp_path / "m.npz"
    assert main(["train", "--dataset", str(folder), "--layers", "64,4,10", "--epochs", "1", "-q", "-o", str(path), *more]) == 0
    return path


@pytest.fixture(autouse=True)
def nothing_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("WUXING_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(download, "MIRRORS", ())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


# The commands that take a model and a data set that may be left out
COMMANDS = [name for name, command in complete().commands.items()
            if {"model", "dataset"} <= {option.name for option in command.params}]
OPTIONS = {"run": ["--board", "ulx3s-12f"]}             # which takes the brackets of the default description


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["digits", "mnist", "flowers"])
def test_a_name_alone_is_no_data_set(tmp_path, capsys, name, command):
    path = trained(write(tmp_path / "mine" / name, 1), tmp_path)
    write(tmp_path / "data" / "mnist", 2)
    digest = model_file.load(path).record["dataset_sha256"]
    capsys.readouterr()
    assert main([command, str(path), *OPTIONS.get(command, [])]) == 2
    other = {"digits": f"digits has {datasets.SHA256['digits'][:12]}...", "flowers": "there is none",
             "mnist": f"mnist has {datasets.load('mnist').sha256[:12]}... and {tmp_path / 'data' / 'mnist'} has "
                      f"{datasets.load('mnist').sha256[:12]}..."}[name]
    assert capsys.readouterr().err == (
        f"wuxing: the data set '{name}' that the model was trained on (SHA-256 {digest[:12]}...) must be one of mnist, "
        f"mnist-5k, fashion-mnist, digits, or a folder or file of this name here or in {tmp_path / 'data'}, but {other}; give "
        f"it by --dataset PATH\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_is_taken(command, capsys):
    assert main([command, "--help"]) == 0
    assert ("By default the one that the model was trained on: one that has a name, or a folder or file of the same name "
            "and content here or in WUXING_DATA.") in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("place", ["here", "data"])
@pytest.mark.parametrize("name", ["digits", "mnist", "flowers"])
def test_the_folder_itself_is_found_by_what_it_holds(tmp_path, capsys, place, name):
    folder = write(tmp_path / place / name, 3)
    path = trained(folder, tmp_path)
    capsys.readouterr()
    assert main(["eval", str(path), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    record = model_file.load(path).record
    assert (result["dataset_sha256"], result["accuracy"]) == (record["dataset_sha256"], record["accuracy"])


def test_another_name_for_what_the_project_knows(tmp_path, capsys):
    """A copy of digits in a folder of any name is digits."""
    digits = datasets.load("digits")
    copy = tmp_path / "copy"
    copy.mkdir()
    parts = digits.train_images, digits.train_labels, digits.test_images, digits.test_labels
    for name, array in zip(datasets.FILES, parts, strict=True):
        (copy / name).write_bytes(idx(array.astype(np.uint8).reshape((-1, 8, 8)[:2 * array.ndim - 1])))
    path = trained(copy, tmp_path)
    for file in copy.iterdir():
        file.unlink()
    assert main(["eval", str(path)]) == 0


@pytest.mark.parametrize("part", [[], ["--train-images", "30"], ["--test-images", "7"], ["--hold-out", "9"],
                                  ["--hold-out", "9", "--seed", "5", "--train-images", "35"]])
@pytest.mark.parametrize("old", [False, True])
def test_a_model_of_a_part_belongs_to_the_whole(tmp_path, part, old):
    """Models from before whole_dataset_sha256 as well."""
    folder = write(tmp_path / "here" / "mine", 4)
    record = model_file.load(trained(folder, tmp_path, *part)).record
    if old:
        del record["whole_dataset_sha256"]
    assert training_data.trained_on(record).sha256 == datasets.load(str(folder)).sha256
    variant = record | {"dataset_sha256": "0" * 64} | ({} if old else {"whole_dataset_sha256": "0" * 64})
    assert not training_data.is_that(datasets.load(str(folder)), variant)


def test_a_name_that_is_given_is_followed_and_the_difference_told(tmp_path, capsys):
    path = trained(write(tmp_path / "mine" / "digits", 5), tmp_path)
    capsys.readouterr()
    assert main(["eval", str(path), "--dataset", "digits"]) == 0
    assert capsys.readouterr().err == "digits is not the digits that the model was trained on: their SHA-256 differ\n"
    assert main(["eval", str(path), "--dataset", str(tmp_path / "mine" / "digits")]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize("record", [{}, {"dataset": "digits"}, {"dataset": 7, "dataset_sha256": "0"},
                                    {"dataset": "digits", "dataset_sha256": ["x"]}])
def test_a_record_without_a_data_set(tmp_path, capsys, record):
    network = Network(layers=(64, 10))
    model_file.save(tmp_path / "m.npz", network, "fixed", parameters.initial(network, "fixed"), record)
    assert main(["eval", str(tmp_path / "m.npz")]) == 2
    assert capsys.readouterr().err == ("wuxing: --dataset must be given for a model whose training record does not say which "
                                       "data set it was trained on; give its name or path\n")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "../mine"])
def test_a_record_cannot_choose_a_folder_elsewhere(tmp_path, name):
    assert training_data._folders(name) == []


def test_mnist_that_is_not_mnist_is_told(tmp_path):
    write(tmp_path / "data" / "mnist", 6)
    assert datasets.load("mnist").source == f"IDX files in {tmp_path / 'data' / 'mnist'}, which are not MNIST's"


def test_a_model_that_knows_its_test_images_is_told_of(tmp_path, capsys):
    network = Network(layers=(784, 10))
    record = {"dataset": "mnist", "dataset_sha256": datasets.SHA256["mnist"]}
    model_file.save(tmp_path / "m.npz", network, "fixed", parameters.initial(network, "fixed"), record)
    assert main(["eval", str(tmp_path / "m.npz"), "--dataset", "mnist-5k"]) == 0
    assert capsys.readouterr().err == ("the test images of mnist-5k are training images of mnist, which the model was "
                                       "trained on: it may know them\n")


def test_a_table_is_read_as_in_training_and_other_samples_are_all_tested_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)

    def table(name: str, count: int, columns: str = "id,w,h,kind") -> None:
        rows = [{"id": place, "w": w, "h": w * (2 + place % 2), "kind": ["flat", "tall"][place % 2]}
                for place, w in enumerate(random.uniform(1, 2, count))]
        lines = [",".join(str(row[each]) for each in columns.split(",")) for row in rows]
        Path(name).write_text("\n".join([columns, *lines]) + "\n")

    table("a.csv", 100)
    options = ["--label", "kind", "--without", "id", "--split", "stratified:2/4"]
    assert main(["train", "--dataset", "a.csv", *options, "--layers", "2,6,2", "--epochs", "5", "-q", "-o", "m.npz"]) == 0
    loaded = model_file.load("m.npz")
    assert loaded.record["reading"] == {"label": "kind", "without": ["id"], "split": "stratified:2/4"}
    assert (loaded.encoding.features, loaded.encoding.classes) == (("w", "h"), ("flat", "tall"))
    assert loaded.network.learning.dropout == 0           # no column says what its neighbour was
    for arguments in ((), ("--dataset", "a.csv")):
        assert main(["eval", "m.npz", *arguments, "--json", "e.json"]) == 0
        result = json.loads(Path("e.json").read_text())
        assert (result["images"], result["classes"], result["accuracy"]) == (25, ["flat", "tall"], loaded.record["accuracy"])
    table("b.csv", 60, "h,kind,w,id")                     # columns in another order
    assert main(["eval", "m.npz", "--dataset", "b.csv", "--json", "e.json"]) == 0
    assert json.loads(Path("e.json").read_text())["images"] == 60
    assert "tall" in capsys.readouterr().out
    table("c.csv", 20, "w,kind,id")
    assert main(["eval", "m.npz", "--dataset", "c.csv"]) == 2
    assert capsys.readouterr().err.endswith("samples must have the features that were trained on, but 'h' is not there; add "
                                            "what is missing, or train anew without\n")
