"""Classes without a training image are told: their outputs cost neurons and learn nothing but silence."""
import json

import numpy as np
import pytest

from golden_model.data.datasets import FILES, load
from golden_model.storage import model_file
from wuxing.cli import main
from wuxing.reports.progress import untaught_note


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def write(folder, labels):
    folder.mkdir()
    random = np.random.default_rng(1)
    for images, names, count in ((FILES[0], FILES[1], 30), (FILES[2], FILES[3], 12)):
        (folder / images).write_bytes(idx(random.integers(0, 256, (count, 4, 4), np.uint8)))
        (folder / names).write_bytes(idx(np.resize(np.array(labels, np.uint8), count)))
    return str(folder)


GAPS = ("198 of 201 classes have no training image (0..99, 101..149, 151..199): their outputs learn only to be silent, and "
        "each takes a neuron, on a chip too; if there are no such classes, number the labels 0..2 and let layers end with 3")


@pytest.mark.parametrize("command", ["train", "compare", "sweep"])
def test_gaps_are_told(tmp_path, capsys, command):
    data, out = write(tmp_path / "gaps", [100, 150, 200]), tmp_path / "out.json"
    arguments = ["--dataset", data, "--layers", "16,4,201", "--epochs", "1", "--json", str(out)]
    if command == "train":
        arguments += ["-o", str(tmp_path / "m.npz")]
    if command == "sweep":
        grid = tmp_path / "grid.toml"
        grid.write_text(f"dataset = {json.dumps(data)}\nhold_out = 6\nseeds = [0]\n[network]\nlayers = [16, 4, 201]\n"
                        "[network.learning]\nepochs = 1\n[grid]\n\"learning.batch\" = [1]\n")
        arguments = [str(grid), "--store", str(tmp_path / "store")]
    assert main([command, *arguments]) == 0
    assert GAPS in capsys.readouterr().err.splitlines()
    if command != "sweep":
        assert json.loads(out.read_text())["classes_without_images"] == [*range(100), *range(101, 150), *range(151, 200)]
    if command == "train":
        assert len(model_file.load(tmp_path / "m.npz").record["classes_without_images"]) == 198


@pytest.mark.parametrize("command", ["train", "compare", "sweep", "tune"])
def test_a_single_class_is_refused_quiet_or_not(tmp_path, capsys, command):
    data = write(tmp_path / "one", [3])
    arguments = ["--dataset", data, "--epochs", "1"]
    if command == "tune":
        arguments += ["--store", str(tmp_path / "store"), "--output", str(tmp_path / "tuned.toml")]
    if command == "sweep":
        grid = tmp_path / "grid.toml"
        grid.write_text(f"dataset = {json.dumps(data)}\n[grid]\n\"learning.epochs\" = [1]\n")
        arguments = [str(grid), "--store", str(tmp_path / "store")]
    assert main([command, *arguments, "-q"]) == 2
    assert capsys.readouterr().err == ("wuxing: training samples must be of two or more classes, but all 30 are of class 3; "
                                       "give samples of another class as well\n")
    assert not (tmp_path / "tuned.toml").exists()


def test_a_single_class_has_its_name(tmp_path, capsys):
    table = tmp_path / "plants.csv"
    table.write_text("length,kind\n" + "".join(f"{n},iris\n" for n in range(60)))
    assert main(["train", "--dataset", str(table), "--label", "kind", "-q"]) == 2
    assert ("training samples must be of two or more classes, but all 48 are of class 'iris'; give samples of another class as "
            "well\n") in capsys.readouterr().err


def test_following_the_remedy_silences_it(tmp_path, capsys):
    data = write(tmp_path / "renumbered", [0, 1, 2])
    assert main(["train", "--dataset", data, "--layers", "16,4,3", "--epochs", "1", "-o", str(tmp_path / "m.npz")]) == 0
    assert "no training image" not in capsys.readouterr().err
    assert model_file.load(tmp_path / "m.npz").record["classes_without_images"] == []


@pytest.mark.parametrize(("labels", "outputs", "listed"), [
    ([1, 2], 3, "1 of 3 classes have no training image (0):"),
    ([0, 2, 4], 8, "5 of 8 classes have no training image (1, 3, 5..7):"),
    (list(range(1, 24, 2)), 24, "12 of 24 classes have no training image (0, 2, 4, 6, 8, 10, 12, 14 and 4 more ranges):"),
])
def test_which(tmp_path, labels, outputs, listed):
    assert untaught_note(load(write(tmp_path / "data", labels)), outputs).startswith(listed)


def test_only_a_test_image_is_no_training_image(tmp_path):
    data = load(write(tmp_path / "data", [0, 1, 2])).first(train=2)
    assert data.untaught(3) == [2]
