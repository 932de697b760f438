"""Small tables: ``WuxingClassifier`` beside what scikit-learn has, by cross-validation.

    python bench/tables.py [--seeds 3] [--json FILE]

The four tables that scikit-learn carries, five folds drawn anew for each seed. All estimators get the same folds, and
all have the settings that they come with, but for the sizes of the networks, which are the same, and for iterations enough to
converge.
"""
from __future__ import annotations

import argparse
import json
import statistics
import warnings
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from golden_model.storage.atomic_write import write_atomically
from wuxing import WuxingClassifier

TABLES = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
HIDDEN = (128,)


def estimators(seed: int) -> dict[str, Any]:
    return {
        "integers": WuxingClassifier(HIDDEN, random_state=seed),
        "float": WuxingClassifier(HIDDEN, random_state=seed, backend="float"),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(HIDDEN, max_iter=1000, random_state=seed)),
    }


def measured(seeds: int) -> dict[str, dict[str, dict[str, float]]]:
    """By table and estimator: per cent right, the mean over folds and seeds, and the spread of the seeds' means."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for table, load in TABLES.items():
        X, y = load(return_X_y=True)
        result[table] = {}
        for name in estimators(0):
            means = []
            for seed in range(seeds):
                folds = StratifiedKFold(5, shuffle=True, random_state=seed)
                with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
                    means.append(100 * cross_val_score(estimators(seed)[name], X, y, cv=folds).mean())
            spread = statistics.stdev(means) if seeds > 1 else 0.0
            result[table][name] = {"mean": round(statistics.mean(means), 2), "spread": round(spread, 2)}
            print(f"{table:14} {name:20} {result[table][name]['mean']:6.2f} %  +- {spread:.2f}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3, help="Seeds of networks and folds.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    options = parser.parse_args()
    accuracy = measured(options.seeds)
    if options.json is not None:
        result = {"seeds": options.seeds, "hidden": HIDDEN[0], "accuracy": accuracy}
        write_atomically(options.json, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
