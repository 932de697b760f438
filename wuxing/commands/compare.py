"""``wuxing compare``: float and fixed from the same start on the same images, beside what simpler learners reach.

Contestants: ``float``; ``quantised``, that float model rounded to the formats and run in integers; ``fixed``, which
learnt in integers; ``last_layer_only``, the float network with its random hidden links left as they are; ``logistic``,
scikit-learn's logistic regression on the pixels. All accuracies are in per cent of the same test images.
"""
from __future__ import annotations

import shlex
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from golden_model import parameters
from golden_model.arithmetic import Array
from golden_model.data.datasets import Dataset
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.training import Training, confusion, percentage
from golden_model.training import train as run_training
from wuxing import configuration as options
from wuxing import interruption
from wuxing.configuration import Settings
from wuxing.reports import console
from wuxing.reports.progress import TrainingProgress
from wuxing.versions import versions

CONTESTANTS = {"float": "float", "quantised": "float, quantised afterwards", "fixed": "fixed: learnt in integers",
               "last_layer_only": "last layer alone, float", "logistic": "logistic regression"}
LOGISTIC_ITERATIONS = 100
RANGES_IMAGES = 200                       # training images whose signals, inferred and learnt, the report shows
MANY_IMAGES = 20_000                      # from which on the logistic regression is slow enough to say how slow

Predictions = dict[str, npt.NDArray[np.int64]]


def compare(dataset: options.DatasetOption = "mnist", config: options.ConfigOption = None, layers: options.LayersOption = None,
            board: options.BoardOption = None, epochs: options.EpochsOption = None, batch: options.BatchOption = None,
            seed: options.SeedOption = None,
            seeds: Annotated[int, typer.Option("--seeds", help="Number of runs, with seeds from --seed upwards; their "
                                                         "means are shown.")] = 1,
            rate: options.RateOption = None, margin: options.MarginOption = None, halvings: options.HalvingsOption = None,
            average: options.AverageOption = None, dropout: options.DropoutOption = None,
            shift: options.ShiftOption = 0, hold_out: options.HoldOutOption = None,
            train_images: options.TrainImagesOption = None, test_images: options.TestImagesOption = None,
            json: options.JsonOption = None,
            report: Annotated[Path | None, typer.Option("--report", help="Write an HTML page to this folder.")] = None,
            quiet: options.QuietOption = False) -> None:
    """Train in float and in fixed from the same start, and compare them with each other and with two baselines."""
    settings = Settings(dataset=dataset, config=config, layers=layers, epochs=epochs, batch=batch, seed=seed, rate=rate,
                        margin=margin, halvings=halvings, average=average, dropout=dropout, shift=shift, hold_out=hold_out,
                        train_images=train_images, test_images=test_images, board=board)
    if not 1 <= seeds <= 1000:
        raise InputError(f"--seeds must be 1 to 1000, not {seeds}")
    console.check_writable(json)
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"--report must be a folder, but {report} is a file; choose another name")
    data = settings.data(seed or 0)
    network = settings.network(data)
    network.check_fixed()
    with interruption.keeping():
        with TrainingProgress(quiet) as progress:
            runs, details = _runs(network, data, shift, seeds, progress)
        result = {**summary(runs), "dataset": data.name, "dataset_sha256": data.sha256,
                  "classes_without_images": data.untaught(network.layers[-1]), "train_images": len(data.train_labels),
                  "test_images": len(data.test_labels), "network": network.to_dict(), "digest": network.digest,
                  "options": settings.to_dict(), "board": board, "versions": versions()}
        console.write_json(json, result)
        if report is not None:
            from wuxing.reports.comparison_page import write_report
            write_report(report, result, details)
    _print(result, json, report)
    if len(runs) < seeds:
        console.err().print(f"interrupted: this is of {len(runs)} of {seeds} seeds", soft_wrap=True)
        raise typer.Exit(interruption.exit_code())


def _runs(network: Network, data: Dataset, shift: int, seeds: int,
          progress: TrainingProgress) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The runs of all seeds, when interrupted of those that are complete, and what the report shows of the first.

    Raises
    ------
    KeyboardInterrupt
        If none is complete.
    """
    runs: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    progress.say_data(data, network.layers[-1])
    logistic = LogisticRegression(data, progress)
    try:
        for number in range(seeds):
            run, found = compare_once(Network.from_dict(network.to_dict() | {"seed": network.seed + number}), data, shift,
                                      logistic, progress)
            details = details or found
            runs.append(run)
        interruption.hold()
    except KeyboardInterrupt:
        if not runs:
            raise
    return runs, details


class LogisticRegression:
    """scikit-learn's logistic regression on the pixels as reals in [0, 1). It has no randomness: one fit for all seeds."""

    def __init__(self, data: Dataset, progress: TrainingProgress) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression as Learner

        def sparse(images: Array) -> Any:                     # most pixels are zero: ten times as fast as dense arrays
            return csr_matrix(images).astype(np.float64) / 256

        self.converged, self.seconds = True, 0.0
        self.predictions = np.full(len(data.test_labels), data.train_labels[0])
        if len(np.unique(data.train_labels)) == 1:            # nothing to tell apart, which scikit-learn refuses
            return
        slow = len(data.train_labels) >= MANY_IMAGES
        progress.say("logistic regression on the pixels" + ": some 20 seconds for 60,000 images" * slow)
        began = time.perf_counter()
        learner = Learner(max_iter=LOGISTIC_ITERATIONS)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            learner.fit(sparse(data.train_images), data.train_labels)
        self.seconds = time.perf_counter() - began
        self.converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
        self.predictions = np.asarray(learner.predict(sparse(data.test_images)), np.int64)


def compare_once(network: Network, data: Dataset, shift: int, logistic: LogisticRegression,
                 progress: TrainingProgress) -> tuple[dict[str, Any], dict[str, Any]]:
    """All contestants once: the entries of the JSON for this seed, and what the report shows besides."""
    from golden_model.ranges import record as record_ranges
    shared = parameters.initial(network, "fixed")
    random_layers = len(network.layers) - 2               # dropout before links that do not learn would only disturb
    hidden = network.with_learning(frozen=random_layers, dropout=0.0) if random_layers else network
    trainings = {
        "float": _trained(network, "float", data, shift, parameters.to_real(network, shared), "float", progress),
        "fixed": _trained(network, "fixed", data, shift, shared, "fixed", progress),
        "last_layer_only": _trained(hidden, "float", data, shift, parameters.to_real(network, shared), "last layer alone",
                                    progress)}
    learnt = trainings["fixed"].parameters
    models = {"float": CompiledModel(network, "float", trainings["float"].parameters),
              "quantised": CompiledModel(network, "fixed", parameters.quantised(network, trainings["float"].parameters)),
              "fixed": CompiledModel(network, "fixed", learnt),
              "last_layer_only": CompiledModel(network, "float", trainings["last_layer_only"].parameters)}
    predictions: Predictions = {}
    speed: dict[str, dict[str, float]] = {}
    for name, model in models.items():
        predictions[name], inference = _timed(model, data.test_images)
        if name in ("float", "fixed"):
            speed[name] = {"learning": trainings[name].images_per_second, "inference": inference}
    predictions["logistic"] = logistic.predictions
    run = {"seed": network.seed, **compared(data.test_labels, predictions, network.layers[-1]), "images_per_second": speed,
           "logistic_converged": logistic.converged, "logistic_seconds": logistic.seconds,
           "curves": {name: [{"epoch": epoch.epoch, "online_accuracy": epoch.online_accuracy,
                              "test_accuracy": epoch.test_accuracy} for epoch in training.epochs]
                      for name, training in trainings.items()}}
    details = {"labels": data.test_labels, "predictions": predictions, "images": data.test_images,
               "image_shape": data.image_shape, "network": network,
               "curves": {name: [{"epoch": epoch.epoch, "online": epoch.online_accuracy / 100,
                                  "test": None if epoch.test_accuracy is None else epoch.test_accuracy / 100}
                                 for epoch in training.epochs] for name, training in trainings.items()},
               "ranges": lambda: record_ranges(network, learnt, data.train_images[:RANGES_IMAGES],
                                               data.train_labels[:RANGES_IMAGES]),
               "command": shlex.join(["wuxing", *sys.argv[1:]])}
    return run, details


def compared(labels: Array, predictions: Predictions, classes: int) -> dict[str, Any]:
    """Accuracies, gaps in points, agreement, McNemar's tests and confusion matrices of these predictions."""
    right = {name: found == labels for name, found in predictions.items()}
    reached = {f"{name}_accuracy": percentage(found) for name, found in right.items()}
    return {**reached,
            "gap_points": reached["float_accuracy"] - reached["fixed_accuracy"],
            "quantised_gap_points": reached["float_accuracy"] - reached["quantised_accuracy"],
            "agreement": percentage(predictions["float"] == predictions["fixed"]),
            "mcnemar": {"float_fixed": mcnemar(right["float"], right["fixed"], "fixed"),
                        "float_quantised": mcnemar(right["float"], right["quantised"], "quantised")},
            "confusion": {name: confusion(labels, found, classes) for name, found in predictions.items()}}


def mcnemar(first: Array, second: Array, name: str) -> dict[str, Any]:
    """McNemar's exact test of two learners on the same images: is either right more often where just one is?

    ``first`` (float) and ``second`` (called ``name``) say for each image whether it was right. The p value is two-sided,
    from the binomial distribution with probability 1/2; it is 1 if they never differ.
    """
    from scipy.stats import binomtest
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differ = only_first + only_second
    p_value = float(binomtest(only_first, differ, 0.5).pvalue) if differ else 1.0
    return {"p_value": p_value, "only_float_right": only_first, f"only_{name}_right": only_second}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One seed: its run. Several: means at the top, sample standard deviations in ``spread``, each run in ``runs``.

    McNemar's tests, confusion matrices and curves at the top are those of the first seed.
    """
    first = runs[0]
    numbers = [key for key, value in first.items() if isinstance(value, float)]
    speed = {name: {kind: statistics.fmean(run["images_per_second"][name][kind] for run in runs) for kind in rates}
             for name, rates in first["images_per_second"].items()}
    return {**first, **{key: statistics.fmean(run[key] for run in runs) for key in numbers}, "images_per_second": speed,
            "seeds": len(runs), "runs": runs,
            "spread": {key: statistics.stdev(run[key] for run in runs) if len(runs) > 1 else 0.0 for key in numbers
                       if key != "logistic_seconds"}}


def _trained(network: Network, arithmetic: str, data: Dataset, shift: int, values: Parameters, title: str,
             progress: TrainingProgress) -> Training:
    progress.begin(f"{title}, seed {network.seed}", network.learning.epochs, len(data.train_labels))
    training = run_training(network, arithmetic, data, values=values, shift=shift, evaluate_each_epoch=True,
                            on_progress=progress.on_progress, on_epoch=progress.on_epoch)
    if training.interrupted:                              # half a comparison compares nothing
        raise KeyboardInterrupt
    return training


def _timed(model: CompiledModel, images: Array) -> tuple[npt.NDArray[np.int64], float]:
    """Predictions, and images inferred per second."""
    model.predict(images[:1])                             # compiles before the clock runs
    began = time.perf_counter()
    predictions = model.predict(images)
    return predictions, len(images) / (time.perf_counter() - began)


def _print(result: dict[str, Any], json: Path | None, report: Path | None) -> None:
    screen = console.out(json)
    several = result["seeds"] > 1
    table = console.table(f"{'-'.join(map(str, result['network']['layers']))} on {console.shown(result['dataset'])}: "
                          f"{result['test_images']:,} test images, "
                          + (f"means of {result['seeds']} seeds" if several else f"seed {result['seed']}"),
                          left=("",), right=("accuracy %", "learnt/s", "inferred/s"))
    for name, title in CONTESTANTS.items():
        speed = result["images_per_second"].get(name)
        spread = f" ± {result['spread'][f'{name}_accuracy']:.2f}" if several else ""
        title += "" if name != "logistic" or result["logistic_converged"] else f", {LOGISTIC_ITERATIONS} iterations"
        table.add_row(title, f"{result[f'{name}_accuracy']:.2f}{spread}",
                      *([f"{speed['learning']:,.0f}", f"{speed['inference']:,.0f}"] if speed else ["", ""]))
    screen.print(table)
    test = result["mcnemar"]["float_fixed"]
    screen.print(f"gap of fixed to float: {result['gap_points']:.2f} points, of quantised to float: "
                 f"{result['quantised_gap_points']:.2f} points; float and fixed agree on {result['agreement']:.2f} %",
                 soft_wrap=True)
    which = f"McNemar, seed {result['seed']}" if several else "McNemar"
    screen.print(f"{which}: only float right {test['only_float_right']}, only fixed right {test['only_fixed_right']}, "
                 f"p = {test['p_value']:.3f}", soft_wrap=True)
    if report is not None:
        screen.print(f"report in {console.shown(report)}", soft_wrap=True)
