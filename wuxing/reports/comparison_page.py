"""The page of ``wuxing compare``."""
from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from golden_model.errors import InputError
from golden_model.storage.atomic_write import write_atomically
from wuxing.comparison import Details, Result
from wuxing.reports import plots
from wuxing.reports.page import drawn, rendered

PAGE = "index.html"
GALLERY = 40                              # misclassified images that are shown
ACCURACIES = {"float": "float", "quantised": "float, quantised after training",
              "fixed": "fixed: learnt in the integers of the hardware",
              "last_layer_only": "last layer alone, hidden links frozen",
              "logistic": "logistic regression (scikit-learn)"}
DRAWN = ("float", "fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Misclassified:
    """A test sample: its number, its class and what it was taken for; of an image its pixels as base64 of a PNG file."""

    index: int
    label: str
    taken_for: str
    png: str = ""


def write_report(folder: Path, result: Result, details: Details) -> Path:
    """Write ``index.html`` into ``folder``, which is made if it is not there, all of it or none; the path of the page.

    Raises
    ------
    InputError
        If the folder cannot be made or the page cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} must be a folder that can be made, but: {getattr(error, 'strerror', None) or error}; "
                         "choose another place for the report") from error
    path = folder / PAGE
    write_atomically(path, page(result, details))
    return path


def page(result: Result, details: Details) -> str:
    """The HTML of ``write_report``. Equal arguments give an equal page."""
    first, network, labels = result.summary.first, result.network, details.data.test_labels
    ranges, wrong = details.ranges(), np.flatnonzero(details.predictions["fixed"] != labels)
    gallery = [_wrong(details, int(index)) for index in wrong[:GALLERY]]
    return rendered(
        "comparison.html", title=f"Wuxing {'-'.join(map(str, network.layers))} on {result.dataset}", network=network,
        accuracies=_accuracies(result),
        speeds=[(f"{name} {kind}", f"{getattr(speed, kind):,.0f}") for name, speed in first.images_per_second.items()
                for kind in ("learning", "inference")],
        curves=drawn(plots.learning_curves({name: first.curves[name] for name in DRAWN})),
        confusions=[drawn(plots.confusion(np.array(first.confusion[name]), name)) for name in DRAWN],
        ranges=ranges, ranges_figure=drawn(plots.ranges_plot(ranges)),
        misclassified=len(wrong), tested=len(labels), gallery=gallery, called=details.data.called,
        of_images=details.data.of_images, samples=[(str(each.index), each.label, each.taken_for) for each in gallery],
        facts=list(_facts(result, details)))


def _accuracies(result: Result) -> list[tuple[str, str]]:
    summary, first = result.summary, result.summary.first
    several = summary.seeds > 1 or result.folds is not None

    def number(value: float, name: str) -> str:
        return f"{value:.2f}" + (f" ± {summary.spread[name]:.2f}" if several else "")

    rows = [(title, f"{number(first.accuracies.of(name), f'{name}_accuracy')} %") for name, title in ACCURACIES.items()]
    rows += [("gap of fixed to float", f"{number(first.gap_points, 'gap_points')} points"),
             ("gap of quantised to float", f"{number(first.quantised_gap_points, 'quantised_gap_points')} points")]
    rows += [(f"McNemar's paired test, {' and '.join(pair.split('_'))}" + (f", seed {first.seed}" if several else ""),
              f"p = {test.p_value:.3g}") for pair, test in first.mcnemar.items()]
    rows.append(("predictions of float and fixed that agree", f"{number(first.agreement, 'agreement')} %"))
    runs = str(summary.seeds) if result.folds is None else f"{len(summary.runs)} runs on {result.folds} folds"
    return [*rows, ("seeds: means ± sample standard deviations", runs)] if several else rows


def _wrong(details: Details, index: int) -> Misclassified:
    data = details.data
    classes = data.encoding.classes or range(data.classes)
    png = base64.b64encode(plots.image_png(data.test_images[index], data.image_shape)).decode() if data.of_images else ""
    return Misclassified(index=index, label=str(classes[int(data.test_labels[index])]),
                         taken_for=_named(classes, int(details.predictions["fixed"][index])), png=png)


def _named(classes: Sequence[object], output: int) -> str:
    """Of an output, of which a network may have more than there are classes."""
    return str(classes[output] if output < len(classes) else output)


def _facts(result: Result, details: Details) -> Iterator[tuple[str, str]]:
    """How it was made, line by line."""
    yield "command", details.command
    yield "seed", str(result.summary.first.seed)
    yield "seeds", str(result.summary.seeds)
    yield "dataset", result.dataset
    yield "dataset sha256", result.dataset_sha256
    yield f"train {details.data.called}", str(result.train_images)
    yield f"test {details.data.called}", str(result.test_images)
    options = {name: value for name, value in asdict(result.options).items() if value is not None}
    for heading, table in (("options", options), ("versions", result.versions)):
        yield from ((f"{heading} {name.replace('_', ' ')}", str(value)) for name, value in table.items())
    yield "network digest", result.digest
