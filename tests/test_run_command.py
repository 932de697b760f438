"""``wuxing run`` with virtual boards: nothing differs, what it says, and what it refuses."""
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from boards import fit, virtual
from boards.connection import Connection
from golden_model import parameters
from golden_model.data import datasets
from golden_model.model import Model
from golden_model.network import Network
from golden_model.storage import model_file
from hdl.design import Design
from wuxing.cli import main
from wuxing.commands import run

ECP5 = Network(layers=(64, 4, 10))
ICE40 = fit.network_for("ice40", (64, 4, 10))
CONVOLUTIONS = fit.network_for("ecp5", (64, 72, 16, 10), (
    "convolution 3x3 stride 1 of 8x8x1", "convolution 3x3 stride 3 of 6x6x2", "full"))


@pytest.fixture
def model(tmp_path):
    def model_of(network):
        path = tmp_path / "model.npz"
        model_file.save(path, network, "fixed", parameters.initial(network, "fixed"),
                        {"dataset": "digits", "dataset_sha256": datasets.load("digits").sha256})
        return str(path)
    return model_of


@pytest.mark.parametrize(("board", "network", "options"), [
    ("ulx3s-25f", ECP5, ["--most-units", "2"]), ("icebreaker", ICE40, ["--units", "2"]), ("ulx3s-25f", CONVOLUTIONS, [])])
def test_a_virtual_board_learns_as_the_golden_model(model, tmp_path, capsys, board, network, options):
    path = model(network)
    assert main(["run", path, "--board", board, "--images", "30", "--learn", "20", "--json", str(tmp_path / "run.json"),
                 "-o", str(tmp_path / "learnt.npz"), *options]) == 0
    result = json.loads((tmp_path / "run.json").read_text("utf-8"))
    words = 30 * 11 + 20 * 11 + sum(array.size for layer in parameters.initial(network, "fixed")
                                   for array in (layer.weights, layer.bias, layer.coupling))
    assert (result["words_compared"], result["mismatches"], result["first_mismatch"]) == (words, 0, None)
    assert (result["board"], result["port"], result["dataset"]) == (board, "virtual", "digits")
    assert (result["inferred"]["images"], result["learnt"]["images"]) == (30, 20)
    for part in (result["inferred"], result["learnt"]):
        assert 50 < part["bytes_per_image"] < 120
        assert part["clocks_per_image"] > 20 * part["bytes_per_image"]
        assert part["images_per_second"] > 0
        assert part["line_images_per_second"] == pytest.approx(result["baud"] / 10 / part["bytes_per_image"])
    assert f"equal: {words:,} words compared with the golden model" in capsys.readouterr().out

    learnt, data = model_file.load(tmp_path / "learnt.npz"), datasets.load("digits")
    random = np.random.default_rng(0)
    chosen_images = random.permutation(len(data.test_labels))[:30]
    right = Model(network, "fixed").predict(data.test_images[chosen_images]) == data.test_labels[chosen_images]
    assert result["accuracy"] == pytest.approx(100 * right.mean())
    assert learnt.record["learnt_on_board"] == {"board": board, "virtual": True, "images": 20}
    assert learnt.network == network
    assert not np.array_equal(learnt.parameters[0].weights, parameters.initial(network, "fixed")[0].weights)


def test_what_a_board_has_learnt_when_it_is_interrupted_is_kept(model, tmp_path, capsys, monkeypatch):
    """Two signals, as from a system that shuts down; the second chunk of images is under way."""
    monkeypatch.setattr(run, "CHUNK", 4)
    calls, teach = [], Connection.teach

    def interrupted(self, *arguments, **options):
        calls.append(0)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
        return teach(self, *arguments, **options)
    monkeypatch.setattr(Connection, "teach", interrupted)
    path, learnt = model(ECP5), tmp_path / "learnt.npz"
    options = ["--board", "ulx3s-25f", "--most-units", "2", "--images", "2", "--learn", "40",
               "--json", str(tmp_path / "run.json")]
    assert main(["run", path, *options, "-o", str(learnt), "-q"]) == 143
    result, file = json.loads((tmp_path / "run.json").read_text("utf-8")), model_file.load(learnt)
    assert (result["interrupted"], result["mismatches"]) == (True, 0)
    assert result["learnt"]["images"] == file.record["learnt_on_board"]["images"] == 6       # of the first rate, by 4 and 2
    assert not np.array_equal(file.parameters[0].weights, parameters.initial(ECP5, "fixed")[0].weights)
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"interrupted: {learnt} holds the model after 6 of 40 images learnt on the board")

    calls.clear()                                         # nothing is to be kept: the first signal ends it
    assert main(["run", path, *options[:-2], "-q"]) == 143
    assert capsys.readouterr().err.splitlines()[-1] == "wuxing: interrupted: the result was not written"


def test_signals_do_not_reach_the_chip():
    """Ctrl-C goes to every program of a terminal; the chip would be gone before what it learnt is read."""
    with virtual.VirtualBoard.of(Design(network=ECP5, units=(2, 2), target="ecp5")) as board:
        process = board._process
        assert os.getpgid(process.pid) != os.getpgid(0)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(number)
        assert board.clocks >= 0
    assert process.returncode == 0


def test_a_board_at_a_port(model, tmp_path, capsys):
    """What runs there is not asked for: a port is a port."""
    design = Design(network=ECP5, units=(2, 2), target="ecp5")
    with virtual.VirtualBoard(virtual.library(design)) as board:
        options = ["--board", "ulx3s-25f", "--port", board.port, "--images", "10", "--baud", "115200"]
        assert main(["run", model(ECP5), *options, "--json", str(tmp_path / "run.json")]) == 0
        capsys.readouterr()
        assert main(["run", model(replace(ECP5, seed=1)), *options]) == 0            # three seeds, one bitstream
        capsys.readouterr()
        assert main(["run", model(ECP5.with_learning(margin=0.25)), *options]) == 2
        assert "model and bitstream must be of the same network" in capsys.readouterr().err
    result = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert (result["mismatches"], result["units"], result["learnt"]["images_per_second"]) == (0, None, None)
    assert (result["baud"], result["output"]) == (115_200, None)


def test_a_difference_is_told(model, capsys, monkeypatch):
    outputs = Model.outputs
    monkeypatch.setattr(Model, "outputs", lambda self, images: outputs(self, images) + np.eye(10, dtype=np.int64)[3])
    assert main(["run", model(ECP5), "--board", "ulx3s-25f", "--most-units", "2", "--images", "5", "-q"]) == 1
    output = capsys.readouterr()
    assert "5 of " in output.out
    assert output.err.startswith("the first difference: outputs of images inferred from 0 on, [0, 3]: ")


@pytest.mark.parametrize(("options", "sentence"), [
    (["--board", "ulx3s-25f", "--port", "/dev/none"], "port /dev/none must be there, but it is not; plug the board in or"),
    (["--board", "ulx3s-25f", "--port", "/dev/none", "--units", "2"],
     "--units, --most-units and --arrangement are for a virtual board; a real one has those of its bitstream"),
    (["--board", "none"], "--board must be one of icebreaker, "),
    (["--board", "icebreaker"], "needs "),
    (["--board", "ulx3s-25f", "--images", "5000"], "--images must be at most the 360 test images that there are, not 5000")])
def test_what_cannot_be_is_one_sentence(model, capsys, options, sentence):
    assert main(["run", model(ECP5), *options]) == (4 if sentence.startswith("port ") else 2)
    error = capsys.readouterr().err
    assert error.startswith("wuxing: ")
    assert sentence in error
    assert error.count("\n") == 1
