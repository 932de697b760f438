"""Float and fixed from the same start on the same images, beside what simpler learners reach: what ``wuxing compare`` finds.

Contestants: ``float``; ``quantised``, that float model rounded to the formats and run in integers; ``fixed``, which
learnt in integers; ``last_layer_only``, the float network with its random hidden links left as they are; ``logistic``,
scikit-learn's logistic regression on the pixels. All accuracies are in per cent of the same test images.
"""
from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import parameters, ranges
from golden_model.arithmetic import Array
from golden_model.data.datasets import Dataset
from golden_model.engine import CompiledModel
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.ranges import Ranges
from golden_model.training import Training, confusion, percentage, train
from wuxing.reports.console import FLAT, OPTIONAL
from wuxing.reports.progress import TrainingProgress
from wuxing.training_record import CurvePoint, Images, course

LOGISTIC_ITERATIONS = 100
RANGES_IMAGES = 200                       # training images whose signals, inferred and learnt, the report shows
MANY_IMAGES = 20_000                      # from which on the logistic regression is slow enough to say how slow

Classes = npt.NDArray[np.int64]
Predictions = Mapping[str, Classes]


# ----------------------------------------------------------------- what is found

@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracies:
    """Of each contestant, in per cent of the test images."""

    float_accuracy: float
    quantised_accuracy: float
    fixed_accuracy: float
    last_layer_only_accuracy: float
    logistic_accuracy: float

    def of(self, contestant: str) -> float:
        return float(getattr(self, f"{contestant}_accuracy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's exact test of two learners on the same images: is either right more often where just one is?

    ``p_value``: two-sided, from the binomial distribution with probability 1/2; 1 if they never differ. ``only``: images that
    only one of them got right, by ``only_NAME_right``.
    """

    p_value: float
    only: Mapping[str, int] = field(metadata=FLAT)

    def only_right(self, contestant: str) -> int:
        return self.only[f"only_{contestant}_right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Images learnt and inferred per second of wall clock on this machine."""

    learning: float
    inference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All contestants once, from one seed, tested on one ``fold`` of the samples (1, 2, ...) if these are cut into folds.

    ``gap_points``, ``quantised_gap_points``: accuracy of float minus that of fixed and of quantised. ``agreement``: per cent of
    test images for which float and fixed say the same. ``mcnemar``: by the names of two. ``confusion``: of each contestant
    counts, row the label, column the prediction. ``images_per_second``: of float and fixed. ``logistic_seconds``: of its fit;
    ``logistic_converged``: whether it came to an end within its iterations. ``curves``: of each training, epoch by epoch.
    """

    seed: int
    fold: int | None = field(default=None, metadata=OPTIONAL)
    accuracies: Accuracies = field(metadata=FLAT)
    gap_points: float
    quantised_gap_points: float
    agreement: float
    mcnemar: Mapping[str, McNemar]
    confusion: Mapping[str, list[list[int]]]
    images_per_second: Mapping[str, Speed]
    logistic_converged: bool
    logistic_seconds: float
    curves: Mapping[str, Sequence[CurvePoint]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Several seeds or folds. ``first``: with the means over all runs in place of its numbers; its tests, confusions and
    curves are those of the first run. ``spread``: sample standard deviations over the runs, by their names; 0 for one run.
    """

    first: Comparison = field(metadata=FLAT)
    seeds: int
    runs: Sequence[Comparison]
    spread: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``wuxing compare --json`` writes. SHA-256 and counts are of the data that was used, digest that of the network. With
    ``folds``, SHA-256 and training images are those of the first one, test images those of all."""

    summary: Summary = field(metadata=FLAT)
    dataset: str
    dataset_sha256: str
    classes_without_images: Sequence[int]
    train_images: int
    test_images: int
    folds: int | None = field(default=None, metadata=OPTIONAL)
    network: Network
    digest: str
    options: Images
    board: str | None
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Details:
    """What the page shows of the first seed besides.

    ``labels``, ``predictions``: int64 (n,) of the test images. ``images``: uint8 (n, pixels); ``image_shape``: height, width.
    ``command``: the command line that made it.
    """

    network: Network
    learnt: Parameters
    data: Dataset
    predictions: Predictions
    command: str

    def ranges(self) -> Ranges:
        """Of every signal, over the first training images; takes a second or two."""
        return ranges.record(self.network, self.learnt, self.data.train_images[:RANGES_IMAGES],
                             self.data.train_labels[:RANGES_IMAGES])


# ----------------------------------------------------------------- contestants

class LogisticRegression:
    """scikit-learn's logistic regression on the pixels as reals in [0, 1). It has no randomness: one fit for all seeds."""

    def __init__(self, data: Dataset, progress: TrainingProgress) -> None:
        import sklearn.linear_model
        from scipy.sparse import csr_matrix
        from sklearn.exceptions import ConvergenceWarning

        def sparse(images: Array) -> Any:                     # most pixels are zero: ten times as fast as dense arrays
            return csr_matrix(images).astype(np.float64) / 256

        self.converged, self.seconds = True, 0.0
        self.predictions = np.full(len(data.test_labels), data.train_labels[0])
        if len(np.unique(data.train_labels)) == 1:            # nothing to tell apart, which scikit-learn refuses
            return
        slow = len(data.train_labels) >= MANY_IMAGES
        progress.say("logistic regression on the pixels" + ": some 20 seconds for 60,000 images" * slow)
        began = time.perf_counter()
        learner = sklearn.linear_model.LogisticRegression(max_iter=LOGISTIC_ITERATIONS)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            learner.fit(sparse(data.train_images), data.train_labels)
        self.seconds = time.perf_counter() - began
        self.converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
        self.predictions = np.asarray(learner.predict(sparse(data.test_images)), np.int64)


def compare_once(network: Network, data: Dataset, images: Images, logistic: LogisticRegression, command: str,
                 progress: TrainingProgress) -> tuple[Comparison, Details]:
    """All contestants once."""
    start = parameters.initial(network, "fixed")
    random_layers = len(network.layers) - 2               # dropout before links that do not learn would only disturb
    hidden = network.with_learning(frozen=random_layers, dropout=0.0) if random_layers else network
    trainings = {
        "float": _trained(network, "float", data, images, parameters.to_real(network, start), "float", progress),
        "fixed": _trained(network, "fixed", data, images, start, "fixed", progress),
        "last_layer_only": _trained(hidden, "float", data, images, parameters.to_real(network, start), "last layer alone",
                                    progress)}
    learnt = trainings["fixed"].parameters
    models = {"float": CompiledModel(network, "float", trainings["float"].parameters),
              "quantised": CompiledModel(network, "fixed", parameters.quantised(network, trainings["float"].parameters)),
              "fixed": CompiledModel(network, "fixed", learnt),
              "last_layer_only": CompiledModel(network, "float", trainings["last_layer_only"].parameters)}
    predictions: dict[str, Classes] = {}
    speed: dict[str, Speed] = {}
    for name, model in models.items():
        predictions[name], inference = _timed(model, data.test_images)
        if name in ("float", "fixed"):
            speed[name] = Speed(learning=trainings[name].images_per_second, inference=inference)
    predictions["logistic"] = logistic.predictions
    curves = {name: course(training) for name, training in trainings.items()}
    compared = compared_of(network, data.test_labels, predictions, speed, logistic, curves)
    return compared, Details(network=network, learnt=learnt, data=data, predictions=predictions, command=command)


def compared_of(network: Network, labels: Classes, predictions: Predictions, speed: Mapping[str, Speed],
                logistic: LogisticRegression, curves: Mapping[str, Sequence[CurvePoint]]) -> Comparison:
    """Accuracies, gaps in points, agreement, McNemar's tests and confusion matrices of these predictions."""
    right = {name: each == labels for name, each in predictions.items()}
    reached = Accuracies(**{f"{name}_accuracy": percentage(each) for name, each in right.items()})
    return Comparison(
        seed=network.seed, accuracies=reached, gap_points=reached.float_accuracy - reached.fixed_accuracy,
        quantised_gap_points=reached.float_accuracy - reached.quantised_accuracy,
        agreement=percentage(predictions["float"] == predictions["fixed"]),
        mcnemar={f"float_{name}": mcnemar(right["float"], right[name], name) for name in ("fixed", "quantised")},
        confusion={name: confusion(labels, each, network.layers[-1]) for name, each in predictions.items()},
        images_per_second=speed, logistic_converged=logistic.converged, logistic_seconds=logistic.seconds, curves=curves)


def mcnemar(first: Array, second: Array, name: str) -> McNemar:
    """The test of float, ``first``, and the learner ``name``, ``second``: bool (n,), which images each got right."""
    from scipy.stats import binomtest
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differ = only_first + only_second
    p_value = float(binomtest(only_first, differ, 0.5).pvalue) if differ else 1.0
    return McNemar(p_value=p_value, only={"only_float_right": only_first, f"only_{name}_right": only_second})


def summary(runs: Sequence[Comparison]) -> Summary:
    """Means and sample standard deviations over seeds and folds."""
    first = runs[0]
    reached = {entry.name: [float(getattr(run.accuracies, entry.name)) for run in runs] for entry in fields(Accuracies)}
    others = {name: [float(getattr(run, name)) for run in runs]
              for name in ("gap_points", "quantised_gap_points", "agreement", "logistic_seconds")}
    speed = {name: Speed(learning=statistics.fmean(run.images_per_second[name].learning for run in runs),
                         inference=statistics.fmean(run.images_per_second[name].inference for run in runs))
             for name in first.images_per_second}
    means = {name: statistics.fmean(values) for name, values in others.items()}
    whole = replace(first, accuracies=Accuracies(**{name: statistics.fmean(values) for name, values in reached.items()}),
                    gap_points=means["gap_points"], quantised_gap_points=means["quantised_gap_points"],
                    agreement=means["agreement"], logistic_seconds=means["logistic_seconds"], images_per_second=speed)
    return Summary(first=whole, seeds=len({run.seed for run in runs}), runs=runs,
                   spread={name: statistics.stdev(values) if len(runs) > 1 else 0.0
                           for name, values in (reached | others).items() if name != "logistic_seconds"})


def _trained(network: Network, arithmetic: str, data: Dataset, images: Images, values: Parameters, title: str,
             progress: TrainingProgress) -> Training:
    progress.begin(f"{title}, seed {network.seed}", network.learning.epochs, len(data.train_labels))
    training = train(network, arithmetic, data, values=values, shift=images.shift, flip=bool(images.flip),
                     erase=images.erase or 0, evaluate_each_epoch=True, on_progress=progress.on_progress,
                     on_epoch=progress.on_epoch)
    if training.interrupted:                              # half a comparison compares nothing
        raise KeyboardInterrupt
    return training


def _timed(model: CompiledModel, images: Array) -> tuple[Classes, float]:
    """Predictions, and images inferred per second."""
    model.predict(images[:1])                             # compiles before the clock runs
    began = time.perf_counter()
    predictions = model.predict(images)
    return predictions, len(images) / (time.perf_counter() - began)
