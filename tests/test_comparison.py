"""What a comparison computes of predictions, and what of several seeds."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

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
