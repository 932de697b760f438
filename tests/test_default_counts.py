"""A default count of images means "at most so many": only a count that somebody gave is refused."""
import json

import numpy as np
import pytest

from boards import fit
from golden_model import parameters
from golden_model.data import datasets
from golden_model.storage import model_file
from wuxing.cli import complete, main
from wuxing.commands import cosim, ranges, run

LAYERS = (4, 2, 2)
TEST, TRAINING = 7, 9                     # images: fewer than any command takes by default


@pytest.fixture
def tiny(tmp_path):
    """The paths of a folder of so few images, and of a model for them that an iCEBreaker takes."""
    random, folder = np.random.default_rng(0), tmp_path / "tiny"
    folder.mkdir()
    for name, count in zip(datasets.FILES, (TRAINING, TRAINING, TEST, TEST), strict=True):
        array = random.integers(0, 256, (count, 2, 2)) if "images" in name else np.arange(count) % 2
        header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
        (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())
    network, path = fit.network_for("ice40", LAYERS), tmp_path / "model.npz"
    model_file.save(path, network, "fixed", parameters.initial(network, "fixed"), {})
    return str(folder), str(path)


COMMANDS = {"ranges": [], "cosim": [], "run": ["--board", "icebreaker"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_by_default_a_command_takes_no_more_images_than_there_are(command, tiny, tmp_path, capsys):
    folder, model = tiny
    assert min(cosim.IMAGES, cosim.LEARN, ranges.IMAGES, ranges.LEARN, run.IMAGES) > max(TEST, TRAINING)
    result = tmp_path / "result.json"
    assert main([command, model, "--dataset", folder, *COMMANDS[command], "--json", str(result), "-q"]) == 0
    content = json.loads(result.read_text("utf-8"))
    if command == "run":
        taken = content["inferred"]["images"], content["learnt"]["images"]
    elif command == "ranges":
        taken = content["images"]["inferred"], content["images"]["learnt"]
    else:
        taken = content["images"], content["learnt"]
    assert taken == (TEST, 0 if command == "run" else TRAINING)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("option", "there", "what"), [("--images", TEST, "test"), ("--learn", TRAINING, "training")])
def test_a_count_that_was_given_is_refused_if_there_are_fewer(command, option, there, what, tiny, capsys):
    folder, model = tiny
    assert main([command, model, "--dataset", folder, *COMMANDS[command], option, str(there + 1), "-q"]) == 2
    assert capsys.readouterr().err == (
        f"wuxing: {option} must be at most the {there} {what} images that there are, not {there + 1}\n")


def test_no_command_that_reads_a_data_set_has_a_number_of_images_by_default():
    """A number that is there by default cannot be told from one that was given."""
    met = set()
    for name, command in complete().commands.items():
        options = {option: parameter for parameter in command.params for option in parameter.opts}
        if "--dataset" in options:
            for option in {"--images", "--learn", "--train-images", "--test-images", "--hold-out"} & set(options):
                assert options[option].default in (None, 0), (name, option)
                met.add((name, option))
    assert {("cosim", "--images"), ("cosim", "--learn"), ("run", "--images"), ("ranges", "--learn"),
            ("train", "--hold-out")} <= met


@pytest.mark.parametrize(("command", "option"), [("cosim", "--images"), ("cosim", "--learn"), ("run", "--images"),
                                                 ("ranges", "--images"), ("ranges", "--learn")])
def test_help_says_that_a_default_is_a_most(command, option):
    parameter = next(entry for entry in complete().commands[command].params if option in entry.opts)
    assert f"by default at most {getattr({'cosim': cosim, 'run': run, 'ranges': ranges}[command], option[2:].upper())}" in (
        parameter.help)


@pytest.mark.parametrize("command", ["cosim", "build"])
def test_images_to_learn_are_refused_for_a_core_that_cannot(command, tiny, tmp_path, capsys):
    options = ["--board", "icebreaker", "-o", str(tmp_path / "out")] if command == "build" else ["--dataset", tiny[0]]
    assert main([command, tiny[1], *options, "--no-learning", "--learn", "5", "-q"]) == 2
    assert capsys.readouterr().err == "wuxing: --learn must be 0 with --no-learning, not 5; leave out one of them\n"
