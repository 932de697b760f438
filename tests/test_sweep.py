"""Sweeps: grids and their combinations, the Pareto front, the command; and the learner that is their task."""
from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boards import fit, platforms
from golden_model.data import datasets
from golden_model.data.reading import Reading
from golden_model.data.recipe import Recipe
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.network import Learning, Network
from golden_model.training import accuracy, train
from hdl import estimate
from hdl.cells import core_cells
from hdl.design import Design
from wuxing import cost
from wuxing.cli import main
from wuxing.commands.sweep import COLUMNS, Row, front
from wuxing.cost import Cost, memory, pareto
from wuxing.experiments import learner
from wuxing.grid import Grid, expand, read

NO_BOARD = ("board must be one of icebreaker, icesugar, upduino-v3, ulx3s-12f, ulx3s-25f, ulx3s-45f, ulx3s-85f, "
            "orangecrab-25f, orangecrab-85f, ecpix5-45f, ecpix5-85f, colorlight-5a-75b, not 'desk'; wuxing boards lists them")
GRID = """
dataset = "digits"
hold_out = 300
train_images = 200
seeds = [4, 5]
[network.learning]
epochs = 2
[grid]
layers = [[64, 4, 10], [64, 8, 10]]
integration.steps = [4, 8]
"""


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.toml"

    def write(text):
        path.write_text(text, "utf-8")
        return path

    return write


def points_of(path, layers=(64, 32, 10)):
    return expand(read(path), layers)


# ---------------------------------------------------------------- grids


def test_every_combination_is_a_point_and_the_last_choice_varies_fastest(grid):
    points = points_of(grid(GRID))
    assert [(point.network.layers, point.network.integration.steps) for point in points] == [
        ((64, 4, 10), 4), ((64, 4, 10), 8), ((64, 8, 10), 4), ((64, 8, 10), 8)]
    assert points[1].choices == {"layers": "64-4-10", "integration.steps": "8"}
    assert all(point.network.learning == Learning(epochs=2) and point.arithmetic == "fixed" for point in points)


def test_dotted_keys_may_be_quoted_and_tables_change_entries_together(grid):
    points = points_of(grid("""
[grid]
"integration.dt" = [0.25]
arithmetic = ["float", "fixed"]
word = [{formats.displacement = "Q1.8", formats.drive = "Q4.8", formats.error = "Q1.8"}, {name = "long", seed = 9}, {}]
[network]
formats = {weight = "Q2.10"}
"""))
    assert len(points) == 6
    assert {point.network.integration.dt for point in points} == {0.25}
    assert [str(point.network.formats.drive) for point in points] == ["Q4.8", "Q4.12", "Q4.12"] * 2
    assert {str(point.network.formats.weight) for point in points} == {"Q2.10"}
    assert [point.network.seed for point in points] == [0, 9, 0] * 2
    assert [point.arithmetic for point in points] == ["float"] * 3 + ["fixed"] * 3
    assert [point.choices["word"] for point in points[:3]] == [
        "formats.displacement=Q1.8, formats.drive=Q4.8, formats.error=Q1.8", "long", "as described"]
    assert points[0].network.layers == (64, 32, 10)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
@settings(max_examples=20)
def test_the_number_of_points_is_the_product_of_the_choices(counts):
    keys = ["integration.steps", "learning.batch", "learning.epochs"]
    description = Grid(grid={key: list(range(1, count + 1)) for key, count in zip(keys, counts, strict=False)})
    points = expand(description, (4, 3))
    assert len(points) == len({point.network.to_json() for point in points}) == np.prod(counts)


@pytest.mark.parametrize(("text", "sentence"), [
    ("seeds = []\n[grid]\nseed = [1]", "grid {path}: seeds must be one or more whole numbers, not []"),
    ("", "grid {path}: the entry grid must be given, but is not"),
    ("shift = 1.5\n[grid]", "grid {path}: shift must be int, not 1.5"),
    ("speed = 1\n[grid]", ("grid {path}: there must be no entry 'speed'; known are dataset, reading, encoding, arithmetic, "
                           "board, seeds, hold_out, train_images, shift, flip, erase, network, grid")),
    ("board = 5\n[grid]", "grid {path}: board must be str, not 5"),
    ("board = 'desk'\n[grid]", "grid {path}: " + NO_BOARD),
    ("[grid]\nboard = ['ulx3s-85f', 'desk']", ("every combination of a grid must be a network, but {{'board': 'desk'}}: "
                                               + NO_BOARD)),
    ("[grid]\nlayers = 5", "each entry of the grid must be a list of one or more choices, not 5 for layers"),
    ("[grid]\nlayers = []", "each entry of the grid must be a list of one or more choices, not [] for layers"),
    ("[grid]\nseed = [" + "1," * 101 + "]\nintegration.steps = [" + "2," * 100 + "]",
     "a grid must have at most 10000 combinations, not 10100; vary less at a time"),
    ("[grid]\nintegration.steps = [4, 0]", ("every combination of a grid must be a network, but {{'integration.steps': 0}}: "
                                            "integration.steps must be a whole number from 1 to 100000, not 0")),
    ("[grid]\narithmetic = ['real']", ("every combination of a grid must be a network, but {{'arithmetic': 'real'}}: "
                                       "arithmetic must be float or fixed, not 'real'")),
    ("[grid]\nlearning.links = [0.3]", ("every combination of a grid must be a network, but {{'learning.links': 0.3}}: "
                                        "learning.links must be a power of two for integer arithmetic, not 0.3; the nearest is "
                                        "2**-2"))])
def test_a_grid_that_cannot_be_used_is_one_sentence_before_data_are_sought(grid, capsys, monkeypatch, text, sentence):
    path = grid(text)
    with pytest.raises(InputError, match=f"^{re.escape(sentence.format(path=path))}$"):
        points_of(path)

    def missing(name):
        raise AssertionError(f"{name} was sought")
    monkeypatch.setattr("golden_model.data.datasets.load", missing)
    assert main(["sweep", str(path)]) == 2
    assert capsys.readouterr().err == f"wuxing: {sentence.format(path=path)}\n"


@pytest.mark.parametrize("text", [
    "network.learning.frozen = 2\nnetwork.learning.dropout = 0.0\n[grid]\nseed = [1]",
    "network.wiring.layers = ['random 9', 'full']\n[grid]\nseed = [1]",
    "board = 'icebreaker'\n[grid]\nseed = [1]"])
def test_what_depends_on_the_data_is_left_to_them(grid, text):
    """Frozen layers, wirings and the words of a board, of a network whose layers are still to follow."""
    assert len(expand(read(grid(text)), None)) == len(points_of(grid(text), (64, 16, 10))) == 1


def test_a_grid_file_must_be_readable_toml(grid, tmp_path):
    with pytest.raises(InputError, match=r"^grid .*/none\.toml must be a file that can be read, but: No such file or "
                                         r"directory; give the path of a TOML file$"):
        read(tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"^grid .*/grid\.toml must be valid TOML, but: .*; mend it there$"):
        read(grid("grid"))


def test_the_documented_grid_is_one(grid):
    text = (Path(__file__).parent.parent / "docs" / "experiments.md").read_text("utf-8")
    points = points_of(grid(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1]))
    assert len(points) == 12
    assert {point.board for point in points} == {"ulx3s-85f"}
    assert {cost.of(point.network, point.arithmetic, point.board, 150).fits for point in points} == {True}
    assert points[1].choices == {"integration.steps": "4", "formats.weight": "Q2.10", "word": "12 bits"}


# ---------------------------------------------------------------- the front


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)), max_size=12))
def test_the_front_is_what_no_other_row_beats(rows):
    costs = np.array(rows).reshape(-1, 3)
    for row, best in zip(costs, pareto(costs.tolist()), strict=True):
        no_worse, better = (costs <= row).all(axis=1), (costs < row).any(axis=1)
        assert best == (not (no_worse & better).any())


def test_the_front_of_a_small_example():
    assert pareto([[1, 9], [2, 5], [2, 6], [3, 5], [4, 1], [1, 9]]) == [True, True, False, False, True, True]
    assert pareto([]) == []


# ---------------------------------------------------------------- the command


def test_a_sweep_trains_every_point_and_shows_the_front(grid, tmp_path, capsys, monkeypatch):
    path = grid(GRID)
    arguments = ["sweep", str(path), "-q", "--store", str(tmp_path / "store"), "--report", str(tmp_path / "report"),
                 "--json", str(tmp_path / "result.json")]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "300 held-out training samples" in " ".join(output.split())
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(list((tmp_path / "store").iterdir())) == 8
    data = datasets.load("digits").hold_out(300, learner.HOLD_OUT_SEED).first(train=200)
    for point in result["points"]:
        network = Network.from_dict(point["network"])
        assert point["memory_bits"] == sum(layer.bits for layer in memory(network))
        results = []
        for seed in (4, 5):
            seeded = Network.from_dict(point["network"] | {"seed": seed})
            model = CompiledModel(seeded, "fixed", train(seeded, "fixed", data).parameters)
            results.append(accuracy(model, data.test_images, data.test_labels))
        assert point["accuracies"] == results
        assert point["accuracy"] == pytest.approx(np.mean(results))
        assert point["spread"] == pytest.approx(np.std(results, ddof=1))
        core = Design(network=network, target="ecp5")
        clocks = estimate.clocks(core, result["nonzero_inputs"])
        assert (point["cycles_per_image"], point["cycles_per_learnt_image"]) == (clocks.inferred, clocks.learnt)
        assert point["cells"] == core_cells(core).cells
        assert point["units"] == list(network.layers[1:])
        assert [point[name] for name in ("board", "arrangement", "microseconds_per_learnt_image", "fits", "no_core")] == [
            None, "parallel", None, None, ""]
    best = pareto([[-point["accuracy"], *(point[name] for name in (
        "memory_bits", "cycles_per_image", "cycles_per_learnt_image", "cells"))] for point in result["points"]])
    assert [point["pareto"] for point in result["points"]] == best
    text = (tmp_path / "report" / "grid.md").read_text("utf-8")
    assert text.count("| * |") == sum(best) >= 1
    assert len(re.findall(r"^\| 64-[48]-10 \| [48] \| ", text, re.MULTILINE)) == 4
    assert "us, learnt" not in text
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["grid-cells.svg", "grid-cycles_per_image.svg", (
        "grid-cycles_per_learnt_image.svg"), "grid-memory_bits.svg", "grid.md"]
    for name in ("memory_bits", "cells"):
        assert ElementTree.parse(tmp_path / "report" / f"grid-{name}.svg").getroot().tag.endswith("svg")
    monkeypatch.setattr(learner, "run", lambda setting: pytest.fail("a finished task was run again"))
    assert main(arguments) == 0
    assert capsys.readouterr().out == output


GRID_OF_BOARDS = """
dataset = "digits"
hold_out = 300
train_images = 100
seeds = [4, 5]
[network]
layers = [64, 40, 10]
[network.learning]
epochs = 1
halvings = 3
[grid]
where = [
    { name = "small", board = "icebreaker" },
    { name = "large", board = "ulx3s-85f", formats.bracket = "Q4.12" },
    { name = "wide", board = "icebreaker", formats.bracket = "Q6.12" },
    { name = "batch", board = "ulx3s-85f", learning.batch = 4 },
    { name = "float", board = "ulx3s-85f", arithmetic = "float" },
]
"""


def test_boards_are_a_setting_and_share_the_runs_of_a_network(grid, tmp_path, capsys):
    arguments = ["sweep", str(grid(GRID_OF_BOARDS)), "-q", "--store", str(tmp_path / "store"), "--report", str(tmp_path),
                 "--json", str(tmp_path / "result.json")]
    assert main(arguments) == 0
    assert len(list((tmp_path / "store").iterdir())) == 8              # small and large: one network, two seeds
    result = json.loads((tmp_path / "result.json").read_text())
    images = datasets.load("digits").train_images
    assert result["nonzero_inputs"] == round((images != 0).sum(axis=1).mean())
    small, large, wide, batch, floats = result["points"]
    assert small["accuracies"] == large["accuracies"]
    for point, name in ((small, "icebreaker"), (large, "ulx3s-85f")):
        board = platforms.by_name(name)
        core = fit.chosen(board, Network.from_dict(point["network"]))
        clocks = estimate.clocks(core, result["nonzero_inputs"])
        assert (point["board"], point["units"], point["arrangement"]) == (name, list(core.units), core.arrangement)
        assert (point["cycles_per_image"], point["cycles_per_learnt_image"]) == (clocks.inferred, clocks.learnt)
        assert point["microseconds_per_learnt_image"] == clocks.learnt / board.clock
        assert point["cells"] == core_cells(core).cells
        assert point["fits"]
    assert small["arrangement"] == "time-shared"
    text = (tmp_path / "grid.md").read_text("utf-8")
    for point, name in ((wide, "wide"), (batch, "batch"), (floats, "float")):
        assert [point[key] for key in ("units", "arrangement", "cycles_per_image", "cycles_per_learnt_image", "cells",
                                       "microseconds_per_learnt_image", "fits", "pareto")] == [None] * 7 + [False]
        assert re.search(rf"^\| {name} \| .* \| {point['memory_bits']:,} \| – \| – \| – \| – \| – \|  \|$", text, re.MULTILINE)
        assert f"- no core for 1 of 5 combinations: {point['no_core']}\n" in text
    assert floats["no_core"] == "float arithmetic has no hardware; choose fixed"
    assert batch["no_core"] == "a core learns one image at a time, so learning.batch must be 1, not 4"
    with pytest.raises(InputError, match=f"^{re.escape(wide['no_core'])}$"):
        fit.chosen(platforms.by_name("icebreaker"), Network.from_dict(wide["network"]))
    assert " ".join(capsys.readouterr().out.split()).count("no core for 1 of 5 combinations: ") == 3
    assert (tmp_path / "grid-microseconds_per_learnt_image.svg").exists()


def test_a_sweep_without_hardware_compares_accuracy_and_memory(grid, tmp_path, capsys):
    text = GRID.replace("[network.learning]", "[network.learning]\nbatch = 2") + 'arithmetic = ["float", "fixed"]\n'
    assert main(["sweep", str(grid(text)), "-q", "--store", str(tmp_path / "store"), "--report", str(tmp_path), "--json",
                 "-"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["pareto"] for point in points] == pareto([[-point["accuracy"], point["memory_bits"]] for point in points])
    assert [path.name for path in tmp_path.glob("*.svg")] == ["grid-memory_bits.svg"]


def row(accuracy, memory, clocks=None, fits=None):
    return Row(choices={}, arithmetic="fixed", accuracy=accuracy, spread=0.0, accuracies=[accuracy], network=None,
               cost=Cost(memory_bits=memory, board=None, cycles_per_image=clocks, fits=fits))


def test_what_has_no_hardware_or_does_not_fit_is_on_no_front_and_beats_nothing():
    rows = [row(99.0, 1), row(98.0, 1, 1, False), row(97.0, 2, 2, True), row(96.0, 2, 2, True), row(90.0, 1, 2, True)]
    assert front(rows) == [False, False, True, False, True]
    assert front(rows, COLUMNS[:1]) == [True, False, False, False, False]      # of memory alone: float has that
    assert front([row(99.0, 2), row(98.0, 1), row(97.0, 1)]) == [True, True, False]
    assert front([row(99.0, 1, 1, False), row(98.0, 1)]) == [False, False]
    assert front([row(90.0, 1, 2), row(90.0, 1, 1)]) == [False, True]


def test_a_network_that_does_not_fit_its_board_says_so(grid, tmp_path, capsys):
    head = GRID_OF_BOARDS[:GRID_OF_BOARDS.index("[grid]")].replace("100", "1")
    text = head.replace("40,", "2000,") + "[grid]\nboard = ['ulx3s-12f']\n"
    assert main(["sweep", str(grid(text)), "-q", "--store", str(tmp_path / "store"), "--report", str(tmp_path), "--json",
                 "-"]) == 0
    point, = json.loads(capsys.readouterr().out)["points"]
    assert (point["fits"], point["pareto"], point["units"]) == (False, False, [1, 1])
    assert point["microseconds_per_learnt_image"] == point["cycles_per_learnt_image"] / 100
    assert "| does not fit |  |" in (tmp_path / "grid.md").read_text("utf-8")
    assert "does not fit" in (tmp_path / "grid-cells.svg").read_text("utf-8")


def test_the_same_network_costs_more_clocks_with_more_nonzero_inputs():
    network = Network(layers=(64, 4, 10))
    many, few = (cost.of(network, "fixed", None, nonzero).cycles_per_learnt_image for nonzero in (60, 20))
    assert many > few
    assert cost.nonzero_inputs(np.array([[0, 1, 255], [0, 0, 9], [3, 3, 3]], np.uint8)) == 2


def test_a_network_that_does_not_fit_the_data_is_refused_before_anything_is_trained(grid, tmp_path, capsys):
    path = grid(GRID + "size = [{layers = [30, 10]}]\n")
    assert main(["sweep", str(path), "--store", str(tmp_path / "store")]) == 2
    assert capsys.readouterr().err == "wuxing: layers must begin with 64 for images of 8x8, not 30\n"
    assert not (tmp_path / "store").exists()


# ---------------------------------------------------------------- the learner


def test_a_learner_tests_on_held_out_images_or_else_on_the_test_images():
    network, whole = Network(layers=(64, 10), learning=Learning(epochs=1)), datasets.load("digits")
    held = learner.images(learner.setting_of(network, "fixed", "digits", hold_out=100, train_images=50))
    assert (len(held.test_labels), len(held.train_labels)) == (100, 50)
    training = {image.tobytes() for image in whole.train_images}
    assert all(image.tobytes() in training for image in held.test_images)
    full = learner.images(learner.setting_of(network, "fixed", "digits", hold_out=None))
    assert full.sha256 == whole.sha256


def test_a_learner_reports_each_epoch():
    network = Network(layers=(64, 10), learning=Learning(epochs=3, average=1, dropout=0.0))
    result = learner.run(learner.setting_of(network, "float", "digits", hold_out=None, train_images=100, each_epoch=True))
    assert len(result["online"]) == len(result["tested"]) == 3
    assert result["accuracy"] == result["tested"][-1]
    silent = learner.run(learner.setting_of(network, "float", "digits", hold_out=None, train_images=100))
    assert silent == result | {"tested": None}


def test_a_learner_is_tested_on_the_way_and_on_both_kinds_of_images():
    network = Network(layers=(64, 10), learning=Learning(epochs=3, average=1, batch=8))
    setting = learner.setting_of(network, "fixed", "digits", hold_out=100, train_images=80, both=True, every=80)
    result = learner.run(setting)
    assert [epochs for epochs, _ in result["course"]] == [1, 2, 3]
    assert result["course"][-1][1] == result["accuracy"]              # dropout: both are those of links scaled afterwards
    data = datasets.load("digits").hold_out(100, learner.HOLD_OUT_SEED).first(train=80)
    model = CompiledModel(network, "fixed", train(network, "fixed", data).parameters)
    assert result["accuracy"] == accuracy(model, data.test_images, data.test_labels)
    whole = datasets.load("digits")
    assert result["test"] == accuracy(model, whole.test_images, whole.test_labels)
    assert learner.run(setting | {"both": False, "every": 0}) == result | {"test": None, "course": None}
    every = learner.run(setting | {"every": 120})["course"]           # as nearly as training reports: after each epoch here
    assert [epochs for epochs, _ in every] == [2, 3]


def test_epochs_to_a_level_are_those_of_the_first_test_that_reached_it():
    course = [[0.5, 80.0], [1.0, 95.0], [1.5, 94.0], [2.0, 97.5]]
    assert [learner.epochs_to(course, level) for level in (80.0, 95.0, 96.0, 98.0)] == [0.5, 1.0, 2.0, None]


def test_other_data_of_the_same_name_are_refused():
    network = Network(layers=(64, 10))
    setting = learner.setting_of(network, "fixed", "digits", hold_out=None) | {"sha256": "0" * 64}
    text = (f"the data set digits must have SHA-256 {'0' * 64}, with which the run was described, not "
            f"{datasets.load('digits').sha256}; give every machine the same files")
    with pytest.raises(InputError, match=f"^{text}$"):
        learner.run(setting)


def test_a_sweep_of_a_table_of_ones_own(tmp_path, monkeypatch, capsys):
    """Read and encoded as the grid says; no value of a sample is dropped while learning, since no other says what it was."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    lines = [f"{place},{w:.3f},{w * (2 + place % 2):.3f},{['flat', 'tall'][place % 2]}"
             for place, w in enumerate(random.uniform(1, 2, 120))]
    Path("t.csv").write_text("\n".join(["id,w,h,kind", *lines]) + "\n", "utf-8")
    Path("g.toml").write_text('dataset = "t.csv"\nencoding = "minmax thermometer:2"\nseeds = [0]\nhold_out = 20\n'
                              '[reading]\nlabel = "kind"\nwithout = ["id"]\n'
                              '[network.learning]\nepochs = 3\n[grid]\nlayers = [[4, 4, 2], [4, 6, 2]]\n', "utf-8")
    assert main(["sweep", "g.toml", "-q", "--store", "store", "--json", "r.json"]) == 0
    result = json.loads(Path("r.json").read_text("utf-8"))
    reading = Reading(label="kind", without=("id",))
    data = datasets.load("t.csv", Recipe.parse("minmax thermometer:2"), reading).hold_out(20, learner.HOLD_OUT_SEED)
    for point in result["points"]:
        network = Network.from_dict(point["network"])
        assert network.learning.dropout == 0
        model = CompiledModel(network, "fixed", train(network, "fixed", data).parameters)
        assert point["accuracies"] == [accuracy(model, data.test_images, data.test_labels)]
    assert result["dataset_sha256"] == datasets.read("t.csv", reading).sha256
    Path("g.toml").write_text('dataset = "t.csv"\n[reading]\nlable = "kind"\n[grid]\nlayers = [[2, 4, 2]]\n', "utf-8")
    assert main(["sweep", "g.toml"]) == 2
    sentence = "a reading must have entries of label, without, categories, only, split, size, frames, not {'lable': 'kind'}"
    assert sentence in capsys.readouterr().err
