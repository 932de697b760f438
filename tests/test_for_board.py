"""``--board``: what is trained for a board is built and run there, and what does not fit is told how to make one that does."""
import json
import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from boards import fit, platforms
from golden_model import parameters
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.storage import model_file
from wuxing import designs
from wuxing.cli import main
from wuxing.grid import expand, read

MNIST, DIGITS = (784, 10, 128), (64, 10, 32)      # inputs, classes, usual hidden size
QUICK = ["--dataset", "digits", "--epochs", "1", "--train-images", "100", "--test-images", "50", "-q"]


def refused(capsys, arguments):
    assert main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("wuxing: ")
    assert error.count("\n") == 1
    return error.removeprefix("wuxing: ").rstrip("\n")


# ---------------------------------------------------------------- descriptions


@pytest.mark.parametrize("data", [MNIST, DIGITS], ids=["mnist", "digits"])
@pytest.mark.parametrize("name", platforms.PLATFORMS)
def test_every_board_gets_a_network_that_fits_it(name, data):
    platform, (inputs, outputs, usual) = platforms.by_name(name), data
    network = Network.from_dict(fit.described(platform, {}, inputs, outputs, usual))
    assert fit.check(platform, fit.chosen(platform, network)).fits
    assert 0 < network.layers[1] <= usual
    larger = Network.from_dict(network.to_dict() | {"layers": [inputs, 2 * network.layers[1] + fit.ROOM, outputs]})
    assert network.layers[1] == usual or not fit.fit(platform, fit.chosen(platform, larger)).fits


@pytest.mark.parametrize(("name", "hidden"), [("icebreaker", 64), ("ulx3s-12f", 16), ("ulx3s-25f", 32), ("ulx3s-85f", 128)])
def test_hidden_neurons_for_mnist(name, hidden):
    assert fit.described(platforms.by_name(name), {}, *MNIST)["layers"] == [784, hidden, 10]


def test_what_a_description_says_itself_stays():
    grid = {"layers": [64, 5, 10], "formats": {"bracket": "Q3.12", "weight": "Q2.10"}, "learning": {"epochs": 4}}
    result = fit.described(platforms.by_name("icebreaker"), grid, *DIGITS)
    assert result == {"layers": [64, 5, 10], "formats": {"bracket": "Q3.12", "weight": "Q2.10"},
                      "learning": {"epochs": 4, "halvings": 3}}
    assert fit.described(platforms.by_name("ulx3s-85f"), grid, *DIGITS) == grid


def test_the_example_for_an_icebreaker_says_what_train_chooses():
    text = (Path(__file__).parent.parent / "examples/icebreaker.toml").read_text("utf-8")
    assert tomllib.loads(text) == fit.NEEDS["ice40"]


def test_images_that_are_too_large_for_a_board():
    sentence = "iCEBreaker must hold a network 60000-H-10, but not even H = 1 fits; take a larger board or smaller images"
    with pytest.raises(InputError, match=f"^{sentence}$"):
        fit.described(platforms.by_name("icebreaker"), {}, 60_000, 10, 128)


# ---------------------------------------------------------------- commands


def test_a_model_trained_for_a_board_is_run_there(tmp_path, monkeypatch, capsys):
    """64-4-10 on two units is a core that other tests compile, too."""
    model, result = tmp_path / "model.npz", tmp_path / "run.json"
    assert main(["train", "--board", "icebreaker", "--layers", "64,4,10", *QUICK, "-o", str(model)]) == 0
    loaded = model_file.load(model)
    assert loaded.record["board"] == "icebreaker"
    assert (str(loaded.network.formats.bracket), loaded.network.learning.halvings) == ("Q4.12", 3)
    assert main(["run", str(model), "--units", "2", "--images", "3", "--learn", "2", "--json", str(result), "-q"]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["board"], content["arrangement"], content["mismatches"]) == ("icebreaker", "time-shared", 0)


def test_cosim_and_verilog_make_the_core_of_a_board(tmp_path, capsys):
    """The core of ``run`` above."""
    model, result = tmp_path / "model.npz", tmp_path / "result.json"
    assert main(["train", "--board", "icebreaker", "--layers", "64,4,10", *QUICK, "-o", str(model)]) == 0
    options = ["--board", "icebreaker", "--units", "2", "--json", str(result), "-q"]
    assert main(["cosim", str(model), *options, "--images", "3", "--learn", "2", "--states", "0"]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["mismatches"], content["units"]) == (0, [2, 2])
    assert main(["verilog", str(model), "-o", str(tmp_path / "core"), *options]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["target"], content["units"]) == ("ice40", [2, 2])
    manifest = json.loads((tmp_path / "core/manifest.json").read_text("utf-8"))
    assert manifest["arrangement"] == "time-shared"
    assert refused(capsys, ["cosim", model, "--board", "icebreaker", "--target", "ice40"]) == (
        "--target must not be given with --board, which decides it; leave it out")


def test_every_command_takes_layers_that_share_an_array_beside_others_for_a_board_too(tmp_path, capsys):
    """That of ``build`` is in the long tests of builds."""
    model, result = tmp_path / "model.npz", tmp_path / "result.json"
    assert main(["train", "--board", "ulx3s-25f", "--layers", "64,6,5,10", *QUICK, "-o", str(model)]) == 0
    core = ["--arrangement", "time-shared 1-2", "--units", "6,2,2", "--json", str(result)]
    assert main(["cosim", str(model), *core, "--board", "ulx3s-25f", "--images", "3", "--learn", "2", "-q"]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["mismatches"], content["units"], content["learnt"]) == (0, [6, 2, 2], 2)
    assert main(["verilog", str(model), "-o", str(tmp_path / "core"), *core, "--board", "ulx3s-25f"]) == 0
    manifest = json.loads((tmp_path / "core/manifest.json").read_text("utf-8"))
    assert (manifest["arrangement"], manifest["units"], manifest["target"]) == ("time-shared 1-2", [6, 2, 2], "ecp5")
    assert manifest["latencies"]["weight_memory"] == [2, 1, 1]
    assert [layer["memory"]["files"] for layer in manifest["layers"]] == [
        [f"weights_0_{unit}.hex" for unit in range(6)], ["weights_1_0.hex", "weights_1_1.hex"],
        ["weights_1_0.hex", "weights_1_1.hex"]]
    text = (tmp_path / "core/wuxing_core.v").read_text("utf-8")
    assert "processing units 6-2-2 of one array for layers 1 to 2." in text
    assert "--arrangement 'time-shared 1-2'" in text
    assert main(["run", str(model), *core, "--images", "3", "--learn", "2", "-q"]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["board"], content["arrangement"], content["mismatches"]) == ("ulx3s-25f", "time-shared 1-2", 0)
    assert main(["estimate", str(model), *core, "--target", "ecp5"]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["cells"]["multipliers"], content["units"]) == (8, [6, 2, 2])
    assert refused(capsys, ["verilog", model, "-o", tmp_path / "other", "--arrangement", "time-shared 2-3"]) == (
        "layers that share an array must be of 0 to 2, in order and each in one array, not 2-3 in 'time-shared 2-3'")


def test_compare_and_sweep_take_a_board(tmp_path, capsys):
    result = tmp_path / "compare.json"
    assert main(["compare", "--board", "icebreaker", *QUICK, "--json", str(result)]) == 0
    content = json.loads(result.read_text("utf-8"))
    assert (content["board"], content["network"]["layers"], content["network"]["formats"]["bracket"]) == (
        "icebreaker", [64, 32, 10], "Q4.12")

    grid = tmp_path / "grid.toml"
    grid.write_text('dataset = "digits"\nhold_out = 300\ntrain_images = 50\nseeds = [0]\n[network.learning]\nepochs = 1\n'
                    '[grid]\nintegration.steps = [4]\n', "utf-8")
    assert main(["sweep", str(grid), "--board", "icebreaker", "--store", str(tmp_path / "store"), "--json", str(result),
                 "-q"]) == 0
    point, = json.loads(result.read_text("utf-8"))["points"]
    assert (point["board"], point["fits"], point["arrangement"]) == ("icebreaker", True, "time-shared")
    description = replace(read(grid), board="ulx3s-12f")
    assert expand(description, [784, 128, 10])[0].network.layers == (784, 16, 10)
    grid.write_text(grid.read_text("utf-8") + 'board = ["icebreaker", "ulx3s-12f"]\n', "utf-8")
    assert refused(capsys, ["sweep", grid, "--board", "icebreaker"]) == (
        "--board must not be given for a grid that varies the board; leave out one of them")


@pytest.mark.parametrize(("options", "sentence"), [
    (["--layers", "64,5000,10"], "; of 64-H-10 the largest that fits has H = "),
    (["--layers", "64,32,10", "--halvings", "9"], "; set learning.halvings = "),
    (["--layers", "70,32,10"], "layers must begin with 64 for images of 8x8, not 70")])
def test_what_does_not_fit_is_refused_before_it_is_trained(options, sentence, tmp_path, capsys):
    model = tmp_path / "model.npz"
    assert sentence in refused(capsys, ["train", "--board", "icebreaker", "--dataset", "digits", *options, "-o", model])
    assert not model.exists()


@pytest.mark.parametrize("command", ["build", "run"])
@pytest.mark.parametrize(("layers", "fault"), [((64, 32, 10), "the bracket must fit the 16-bit operand"),
                                               ((64, 5000, 10), "the bracket must fit the 16-bit operand")])
def test_a_model_that_does_not_fit_is_told_which_command_makes_one_that_does(command, layers, fault, tmp_path, monkeypatch,
                                                                            capsys):
    network, model = Network(layers=layers), tmp_path / "model.npz"
    model_file.save(model, network, "fixed", parameters.initial(network, "fixed"), {"dataset": "digits"})
    more = ["-o", tmp_path / "out"] if command == "build" else ["--images", "1"]
    sentence = refused(capsys, [command, model, "--board", "icebreaker", *more])
    assert sentence.startswith(fault)
    advice = re.search(r"; or train a network that fits: (wuxing train .*)$", sentence)[1]
    assert advice == "wuxing train --board icebreaker --dataset digits -o icebreaker.npz"

    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(advice)[1:], *QUICK]) == 0
    options = designs.read(tmp_path / "icebreaker.npz")
    board = designs.platform_of(None, options.record)
    assert board.name == "icebreaker"
    assert designs.for_board(board, options).network == options.network


def test_what_other_units_would_mend_is_not_told_to_train_anew(tmp_path, capsys):
    network, model = Network(layers=(64, 40, 10)), tmp_path / "model.npz"
    model_file.save(model, network, "fixed", parameters.initial(network, "fixed"), {"dataset": "digits"})
    sentence = refused(capsys, ["run", model, "--board", "ulx3s-12f", "--units", "40,10"])
    assert re.search(r"; give --most-units \d+$", sentence)
    assert refused(capsys, ["build", model, "-o", tmp_path / "out"]) == (
        "--board must be given for a model that was not trained for a board; wuxing boards lists them")


@pytest.mark.parametrize(("record", "command"), [
    ({}, "wuxing train --board ulx3s-25f -o ulx3s-25f.npz"),
    ({"dataset": "mnist"}, "wuxing train --board ulx3s-25f -o ulx3s-25f.npz"),
    ({"dataset": "a folder; of mine"}, "wuxing train --board ulx3s-25f --dataset FOLDER -o ulx3s-25f.npz")])
def test_the_command_names_the_data_set(record, command):
    assert designs.training_command(platforms.by_name("ulx3s-25f"), record) == command
