"""``wuxing eval``: how many images of a data set a model gets right."""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from golden_model.data import datasets
from golden_model.data.classes import Name
from golden_model.engine import CompiledModel
from golden_model.storage import model_file
from golden_model.training import confusion, percentage
from wuxing import options, training_data
from wuxing.reports import console


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``arithmetic``: of the test; ``accuracy``: per cent; ``confusion``: counts, row the label, column
    the prediction; ``classes``: names of the labels, none where they are outputs; ``images_per_second``: of wall clock."""

    model: Path
    digest: str
    arithmetic: str
    model_arithmetic: str
    dataset: str
    dataset_sha256: str
    images: int
    classes: Sequence[Name] | None = field(metadata=console.OPTIONAL)
    accuracy: float
    confusion: list[list[int]]
    images_per_second: float


def evaluate(model: options.ModelArgument,
             dataset: training_data.DatasetOption = None,
             arithmetic: Annotated[str | None, typer.Option("--arithmetic", help="float or fixed; by default the model's. A "
                                                            "float model is quantised to its formats for fixed.")] = None,
             test_images: options.TestImagesOption = None, json: options.JsonOption = None) -> None:
    """Measure the accuracy of a model on test images."""
    console.check_writable(json)
    content = model_file.load(model)
    used = arithmetic or content.arithmetic
    engine = CompiledModel(content.network, used, content.converted(used))
    data = training_data.load(dataset, content.record, content.encoding).first(None, test_images)
    datasets.check_fits(data, content.network)
    engine.predict(data.test_images[:1])                  # compiles before the clock runs
    began = time.perf_counter()
    predictions = engine.predict(data.test_images)
    speed = len(predictions) / (time.perf_counter() - began)
    reached = percentage(predictions == data.test_labels)
    counts = confusion(data.test_labels, predictions, content.network.layers[-1])
    console.write_json(json, Result(
        model=model, digest=content.network.digest, arithmetic=used, model_arithmetic=content.arithmetic, dataset=data.name,
        dataset_sha256=data.sha256, images=len(predictions),
        classes=content.encoding.classes or None, accuracy=reached, confusion=counts, images_per_second=speed))
    table = console.table(f"{reached:.2f} % of {len(predictions):,} test {data.called} of {console.literal(data.name)} right, "
                          f"{used}, {speed:,.0f} {data.called}/s",
                          right=("class", data.called, "right", "most often taken for"))
    names = [str(content.encoding.class_name(output)) for output in range(len(counts))]
    for label, row in enumerate(counts):
        wrong = [0 if other == label else count for other, count in enumerate(row)]
        worst = f"{console.literal(names[int(np.argmax(wrong))])} ({_times(max(wrong))})" if max(wrong) else ""
        right = f"{100 * row[label] / sum(row):.2f} %" if sum(row) else ""
        table.add_row(console.literal(names[label]), str(sum(row)), right, worst)
    console.out(json).print(table)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
