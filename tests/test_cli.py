"""The command line: results, JSON, errors of one sentence, Ctrl-C, full disks."""
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from golden_model.data.datasets import load
from golden_model.network import Network
from golden_model.parameters import initial
from golden_model.storage import model_file
from wuxing.cli import main

QUICK = ["--dataset", "digits", "--layers", "64,8,10", "--epochs", "2", "--train-images", "200", "--test-images", "60", "-q"]


@pytest.fixture
def model(tmp_path, capsys):
    path = tmp_path / "model.npz"
    assert main(["train", *QUICK, "-o", str(path)]) == 0
    capsys.readouterr()
    return path


def refused(capsys, arguments, code=2):
    """The one sentence on stderr."""
    assert main([str(argument) for argument in arguments]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith("wuxing: ")
    return output.err.removeprefix("wuxing: ").rstrip("\n")


def test_train_writes_a_model_and_its_record(tmp_path, capsys):
    path, result = tmp_path / "model.npz", tmp_path / "result.json"
    assert main(["train", *QUICK, "--seed", "3", "-o", str(path), "--json", str(result)]) == 0
    assert "of 60 test images right" in capsys.readouterr().out
    loaded, content = model_file.load(path), json.loads(result.read_text())
    assert (loaded.arithmetic, loaded.network.layers, loaded.network.seed) == ("fixed", (64, 8, 10), 3)
    assert loaded.record["dataset_sha256"] == load("digits").first(200, 60).sha256
    assert len(loaded.record["epochs"]) == loaded.record["complete_epochs"] == 2
    assert set(loaded.record["versions"]) == {"python", "wuxing", "numpy", "numba"}
    assert content["accuracy"] == loaded.record["accuracy"] > 20
    assert content["digest"] == loaded.network.digest


def test_the_same_command_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        assert main(["train", *QUICK, "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_options_override_the_configuration(tmp_path):
    config, path = tmp_path / "c.toml", tmp_path / "m.npz"
    config.write_text("seed = 7\n[learning]\nmargin = 0.25\nepochs = 9\nbatch = 4\n")
    assert main(["train", *QUICK, "--config", str(config), "--batch", "2", "--dropout", "0.125", "-o", str(path)]) == 0
    network = model_file.load(path).network
    assert (network.seed, network.learning.margin, network.learning.epochs, network.learning.batch) == (7, 0.25, 2, 2)
    assert network.learning.dropout == 0.125


def test_changes_of_images_reach_the_training_and_its_record(model, tmp_path):
    weights = [model_file.load(model).parameters[0].weights]
    for number, (option, name, value) in enumerate(
            [(["--shift", "1"], "shift", 1), (["--flip"], "flip", True), (["--erase", "4"], "erase", 4)]):
        path = tmp_path / f"{number}.npz"
        assert main(["train", *QUICK, *option, "-o", str(path)]) == 0
        loaded = model_file.load(path)
        assert loaded.record["options"][name] == value
        weights.append(loaded.parameters[0].weights)
    assert len({array.tobytes() for array in weights}) == 4


def test_default_layers_follow_the_data(tmp_path):
    path = tmp_path / "m.npz"
    assert main(["train", "--dataset", "digits", "--train-images", "20", "--epochs", "1", "-q", "-o", str(path)]) == 0
    assert model_file.load(path).network.layers == (64, 32, 10)


@pytest.mark.parametrize("arithmetic", [None, "float", "fixed"])
def test_eval_finds_the_accuracy_of_the_record(model, capsys, arithmetic):
    choice = [] if arithmetic is None else ["--arithmetic", arithmetic]
    assert main(["eval", str(model), "--test-images", "60", "--json", "-", *choice]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == sum(map(sum, result["confusion"])) == 60
    assert result["accuracy"] == pytest.approx(100 * np.trace(result["confusion"]) / 60)
    if arithmetic != "float":
        assert result["accuracy"] == model_file.load(model).record["accuracy"]


def test_info_shows_sizes_and_record(model, capsys):
    assert main(["info", str(model), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [layer["bits"] for layer in result["layers"]] == [64 * 8 * 16 + 8 * 16, 8 * 10 * 16 + 10 * 16]
    assert result["digest"] == model_file.load(model).network.digest
    assert main(["info", str(model)]) == 0
    assert "dataset_sha256" in capsys.readouterr().out


def test_eighty_columns_cut_nothing(model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    record = model_file.load(model).record
    for command in (["info", str(model)], ["ranges", str(model), "--images", "20", "--learn", "5"]):
        assert main(command) == 0
        output = capsys.readouterr().out
        assert "\u2026" not in output
        tables = [line for line in output.splitlines() if str(model) not in line and not line.startswith("digest ")]
        assert max(map(len, tables)) <= 80
        if command[0] == "info":
            assert record["dataset_sha256"] in re.sub(r"\s", "", output)
            assert f"{record['accuracy']:.2f} %" in output
        else:
            assert re.search(r"^displacement\[0\]_predictor +Q1.12 +-[0-9.]+ +[0-9.]+ +[0-9.]+ +1[0-9] *$", output, re.M)
            assert "K1[0]" not in output


def test_a_hostile_record_cannot_command_the_terminal(tmp_path, capsys):
    path, network = tmp_path / "m.npz", Network(layers=(64, 10))
    record = {"note": "\x1b[2Jgone\u202e", "[red]": "[/bold]",
              "epochs": [{"epoch": "\x1b]0;title\x07", "test_accuracy": "[/x]"}]}
    model_file.save(path, network, "fixed", initial(network, "fixed"), record)
    assert main(["info", str(path)]) == 0
    output = capsys.readouterr().out
    assert not set(output) & set("\x1b\x07\u202e")
    assert "[red]" in output


def test_compare_reports_all_contestants(tmp_path, capsys):
    assert main(["compare", *QUICK, "--json", "-", "--report", str(tmp_path / "report")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"float_accuracy", "quantised_accuracy", "fixed_accuracy", "gap_points", "agreement", "last_layer_only_accuracy",
            "logistic_accuracy", "images_per_second", "seed", "dataset_sha256"} <= set(result)
    assert result["gap_points"] == result["float_accuracy"] - result["fixed_accuracy"]
    test = result["mcnemar"]["float_fixed"]
    assert test["only_float_right"] - test["only_fixed_right"] == round(result["gap_points"] * 60 / 100)
    for name, counts in result["confusion"].items():
        assert result[f"{name}_accuracy"] == pytest.approx(100 * np.trace(counts) / 60)
    assert result["images_per_second"]["fixed"]["learning"] > 0
    assert "<html" in (tmp_path / "report" / "index.html").read_text()


def test_compare_trains_what_train_trains(tmp_path, capsys):
    assert main(["compare", *QUICK, "--seed", "4", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    for arithmetic in ("float", "fixed"):
        path = tmp_path / arithmetic
        assert main(["train", *QUICK, "--seed", "4", "--arithmetic", arithmetic, "-o", str(path)]) == 0
        assert model_file.load(path).record["accuracy"] == result[f"{arithmetic}_accuracy"]


def test_compare_means_over_seeds(capsys):
    assert main(["compare", *QUICK, "--seeds", "2", "--hold-out", "50", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [run["seed"] for run in result["runs"]] == [0, 1]
    assert result["test_images"] == 50
    assert result["train_images"] == 150
    reached = [run["fixed_accuracy"] for run in result["runs"]]
    assert result["fixed_accuracy"] == pytest.approx(np.mean(reached))
    assert result["spread"]["fixed_accuracy"] == pytest.approx(np.std(reached, ddof=1))


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["frobnicate"], "wuxing: No such command 'frobnicate'; wuxing --help lists what there is"),
    (["train", "--epoch", "3"],
     "wuxing train: No such option: --epoch (Possible options: --epochs); wuxing train --help lists what there is"),
    (["eval"], "wuxing eval: Missing argument 'MODEL'; wuxing eval --help lists what there is"),
    (["train", "--dataset", "nope"], ("a data set must be mnist, mnist-5k, fashion-mnist, digits, a file that ends in .csv, "
                                     ".tsv, .parquet, .npz, or a folder of pictures, recordings, .npy or IDX files, not "
                                     "'nope'")),
    (["train", "--dataset", "digits", "--layers", "64,x"],
     "--layers must be whole numbers with commas between them, as 784,128,10, not '64,x'"),
    (["train", "--dataset", "digits", "--layers", "63,10"], "layers must begin with 64 for images of 8x8, not 63"),
    (["train", *QUICK, "--arithmetic", "double"], "arithmetic must be float or fixed, not 'double'"),
    (["compare", *QUICK, "--learning-rate", "0.3"],
     "learning.links must be a power of two for integer arithmetic, not 0.3; the nearest is 2**-2"),
    (["compare", *QUICK, "--seeds", "0"], "--seeds must be 1 to 1000, not 0"),
    (["train", *QUICK, "-o", "/missing/m.npz"],
     "/missing/m.npz must be a file that can be written, but: there is no folder /missing; choose another place"),
    (["train", *QUICK, "--config", "/missing.toml"],
     ("configuration file /missing.toml must be a file that can be read, but: No such file or directory; give the path of a "
      "TOML file")),
])
def test_a_mistake_gets_one_sentence(capsys, arguments, sentence):
    assert refused(capsys, arguments) == sentence


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["train", "--config", "/missing.toml"],
     ("configuration file /missing.toml must be a file that can be read, but: No such file or directory; give the path of a "
      "TOML file")),
    (["train", "--layers", "784,x"], "--layers must be whole numbers with commas between them, as 784,128,10, not '784,x'"),
    (["train", "--layers", "784,0"], "each size in layers must be a whole number from 1 to 1048576, not 0"),
    (["train", "--board", "breadboard"], "--board must be one of "),
    (["train", "--arithmetic", "double"], "arithmetic must be float or fixed, not 'double'"),
    (["train", "--epochs", "0"], "learning.epochs must be a whole number from 1 to 1000000, not 0"),
    (["train", "--margin", "nan"], "learning.margin must be a finite number, not nan"),
    (["train", "--rate", "0.25"], "--rate is called --learning-rate now; give --learning-rate in its place"),
    (["train", "--learning-rate", "0.3"],
     "learning.links must be a power of two for integer arithmetic, not 0.3; the nearest is 2**-2"),
    (["train", "--shift", "-1"], "--shift must be 0 or more, not -1"),
    (["compare", "--seed", "-1"], "seed must be a whole number from 0 to "),
    (["compare", "--hold-out", "0"], "--hold-out must be 1 or more, not 0"),
    (["compare", "--train-images", "0"], "--train-images must be 1 or more, not 0"),
    (["compare", "--test-images", "-1"], "--test-images must be 1 or more, not -1"),
    (["train", "--seed", "x"], "--seed must be a whole number, not 'x'"),
    (["train", "--learning-rate", "fast"], "--learning-rate must be a number, not 'fast'"),
    (["cosim", "m.npz", "--pauses", "1"], "--pauses must be at most 0.9, not 1"),
])
def test_what_was_typed_is_checked_before_data_are_sought(capsys, monkeypatch, arguments, sentence):
    def missing(name):
        raise AssertionError(f"{name} was sought")
    monkeypatch.setattr("golden_model.data.datasets.load", missing)
    assert refused(capsys, arguments).startswith(sentence)


def test_a_file_without_layers_may_have_the_wiring_of_those_that_follow_from_the_data(tmp_path):
    config, path = tmp_path / "c.toml", tmp_path / "m.npz"
    config.write_text('[wiring]\nlayers = ["random 9", "full"]\n')
    quick = [word for word in QUICK if word not in ("--layers", "64,8,10")]
    assert main(["train", *quick, "--config", str(config), "-o", str(path)]) == 0
    assert model_file.load(path).network.wiring.layers == ("random 9", "full")


def test_a_wrong_configuration_names_the_file(tmp_path, capsys):
    config = tmp_path / "c.toml"
    config.write_text("[learning]\nepoch = 3\n")
    sentence = refused(capsys, ["train", *QUICK, "--config", config])
    assert sentence.startswith(f"configuration file {config}: learning has no entry 'epoch'; it has ")
    config.write_bytes(b"\xff")
    assert refused(capsys, ["train", *QUICK, "--config", config]).startswith(
        f"configuration file {config} must be text in UTF-8, but is not; ")
    config.write_text("seed =")
    assert refused(capsys, ["train", *QUICK, "--config", config]).startswith(
        f"configuration file {config} must be valid TOML, but: ")


def test_a_truncated_model_gets_one_sentence(model, capsys):
    model.write_bytes(model.read_bytes()[:-30])
    sentence = refused(capsys, ["eval", model])
    assert sentence.startswith(f"model file {model}: it must be a zip archive, but is truncated")


def test_no_command_shows_help(capsys):
    assert main([]) == 0
    output = capsys.readouterr().out
    assert all(command in output for command in ("train", "eval", "compare", "ranges", "info"))


def test_a_full_disk_gets_one_sentence(model, capsys):
    sentence = refused(capsys, ["train", *QUICK, "-o", "/dev/full"])
    assert sentence.startswith("/dev/full must be a file that can be written, but: No space left on device; ")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "wuxing", "info", str(model)], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ("wuxing: the output must be readable and writable, but: No space left on device; mend it or choose "
                           "another place\n")
