"""What a comparison computes of predictions, and what of several seeds."""
from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from wuxing.cli import main
from wuxing.comparison import Accuracies, Comparison, CurvePoint, McNemar, Speed, mcnemar, summary
from wuxing.reports.console import plain

RUN = Comparison(
    seed=1, accuracies=Accuracies(float_accuracy=98.01, quantised_accuracy=97.5, fixed_accuracy=97.93,
                                  last_layer_only_accuracy=91.0, logistic_accuracy=92.55),
    gap_points=0.08, quantised_gap_points=0.51, agreement=99.1,
    mcnemar={"float_fixed": McNemar(p_value=0.0312, only={"only_float_right": 4, "only_fixed_right": 1})},
    confusion={name: [[9, 1], [0, 10]] for name in ("float", "fixed")},
    images_per_second={"float": Speed(learning=61234.5, inference=1e5), "fixed": Speed(learning=5e4, inference=1e5)},
    logistic_converged=True, logistic_seconds=0.5,
    curves={name: [CurvePoint(epoch=0, online_accuracy=50.0, test_accuracy=70.0),
                   CurvePoint(epoch=1, online_accuracy=60.0, test_accuracy=None)] for name in ("float", "fixed")})


def test_mcnemar_is_the_exact_binomial():
    first, second = np.array([1, 1, 1, 0, 1, 1], bool), np.array([1, 0, 0, 1, 0, 0], bool)
    assert plain(mcnemar(first, second, "fixed")) == {"p_value": pytest.approx(2 * (1 + 5) / 32), "only_float_right": 4,
                                                      "only_fixed_right": 1}
    assert mcnemar(first, first, "fixed").p_value == 1.0


def test_the_summary_of_one_run_is_the_run():
    names = {"float_accuracy", "quantised_accuracy", "fixed_accuracy", "last_layer_only_accuracy", "logistic_accuracy",
             "gap_points", "quantised_gap_points", "agreement"}
    assert plain(summary([RUN])) == {**plain(RUN), "seeds": 1, "runs": [plain(RUN)], "spread": dict.fromkeys(names, 0.0)}


def test_the_summary_of_several_runs_has_their_means_and_the_tests_of_the_first():
    other = replace(RUN, seed=2, gap_points=0.1, logistic_seconds=1.5, accuracies=replace(RUN.accuracies, fixed_accuracy=97.91),
                    images_per_second={name: replace(speed, learning=2 * speed.learning)
                                       for name, speed in RUN.images_per_second.items()}, confusion={}, curves={}, mcnemar={})
    result = plain(summary([RUN, other]))
    whole = {"fixed_accuracy": pytest.approx(97.92), "gap_points": pytest.approx(0.09), "logistic_seconds": 1.0,
             "images_per_second": {"float": {"learning": 1.5 * 61234.5, "inference": 1e5},
                                   "fixed": {"learning": 7.5e4, "inference": 1e5}}}
    assert result == {**plain(RUN), **whole, "seeds": 2, "runs": [plain(RUN), plain(other)], "spread": result["spread"]}
    assert result["spread"] == {name: pytest.approx({"fixed_accuracy": 0.02 / 2**0.5, "gap_points": 0.02 / 2**0.5}.get(name, 0))
                                for name in result["spread"]}


def test_cross_validation_is_one_command(tmp_path, monkeypatch, capsys):
    """Each fold as ``train --split`` would test on it, with means and deviations over all of them."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{n},{'no' if a < b else 'yes'}" for n, (a, b) in enumerate(random.normal(size=(60, 2)))]
    (tmp_path / "t.csv").write_text("a,b,day,class\n" + "\n".join(lines), "utf-8")
    words = ["--dataset", "t.csv", "--layers", "2,4,2", "--epochs", "4", "-q"]
    more = ["--split", "time:day", "--folds", "4", "--seeds", "2", "--json", "r.json", "--report", "r"]
    assert main(["compare", *words, *more]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    result = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert [(run["fold"], run["seed"]) for run in result["runs"]] == [(fold, seed) for fold in (1, 2, 3) for seed in (0, 1)]
    assert (result["folds"], result["seeds"], result["test_images"]) == (4, 2, 45)
    reached = [run["fixed_accuracy"] for run in result["runs"]]
    assert result["fixed_accuracy"] == pytest.approx(np.mean(reached))
    assert result["spread"]["fixed_accuracy"] == pytest.approx(np.std(reached, ddof=1))
    assert "45 test samples, means of 6 runs, each fold tested on in turn, 2 seeds" in printed
    assert f"fixed: learnt in integers {np.mean(reached):.2f} ± {np.std(reached, ddof=1):.2f}" in printed
    assert main(["train", *words, "--split", "time:day:3/4", "--seed", "1", "--json", "t.json"]) == 0
    assert json.loads((tmp_path / "t.json").read_text("utf-8"))["accuracy"] == reached[5]
    assert "6 runs on 4 folds" in (tmp_path / "r/index.html").read_text("utf-8")


@pytest.mark.parametrize(("words", "sentence"), [
    (["--folds", "1"], "folds must be 2 to 1000, not 1"),
    (["--folds", "3", "--hold-out", "9"], ("--hold-out must not be given where every fold is tested on in turn; leave out one "
                                           "of them"))])
def test_folds_that_there_are_not(words, sentence, capsys):
    assert main(["compare", "--dataset", "digits", "-q", *words]) == 2
    assert capsys.readouterr().err == f"wuxing: {sentence}\n"
