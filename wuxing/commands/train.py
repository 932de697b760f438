"""``wuxing train``: a network learns a data set and becomes a model file."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

import golden_model.training
from golden_model.data.datasets import Dataset
from golden_model.engine import CompiledModel
from golden_model.network import Network
from golden_model.storage import model_file
from golden_model.training import Epoch, Training, accuracy
from golden_model.versions import versions
from wuxing import interruption, options
from wuxing.options import Settings
from wuxing.reports import console
from wuxing.reports.progress import TrainingProgress
from wuxing.training_record import TrainingRecord, course


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes; the images were learnt so many per second of wall clock."""

    model: Path
    digest: str
    record: TrainingRecord = field(metadata=console.FLAT)
    images_per_second: float
    network: Network


def train(settings: Settings,
          arithmetic: Annotated[str, typer.Option("--arithmetic", help="float, or fixed: the hardware's integers.")] = "fixed",
          output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")] = Path("model.npz"),
          json: options.JsonOption = None, quiet: options.QuietOption = False) -> None:
    """Train a network and write a model file; if interrupted (Ctrl-C, SIGTERM, SIGHUP), with the last complete epoch."""
    console.check_writable(output, json)
    data = settings.data(settings.seed or 0, arithmetic)
    network = settings.network(data)
    with interruption.keeping():
        with TrainingProgress(quiet) as progress:
            def on_epoch(epoch: Epoch) -> None:
                progress.on_epoch(epoch)
                if epoch.epoch + 1 == network.learning.epochs:
                    interruption.hold()
            progress.say_data(data, network.layers[-1])
            progress.begin(arithmetic, network.learning.epochs, len(data.train_labels))
            training = golden_model.training.train(
                network, arithmetic, data, shift=settings.shift, flip=settings.flip, erase=settings.erase,
                evaluate_each_epoch=True, on_progress=progress.on_progress, on_epoch=on_epoch)
        model = CompiledModel(network, arithmetic, training.parameters)
        reached = accuracy(model, data.test_images, data.test_labels)
        record = training_record(network, arithmetic, data, training, settings, reached)
        model_file.save(output, network, arithmetic, training.parameters, console.table_of(record), data.encoding)
        console.write_json(json, Result(model=output, digest=network.digest, record=record,
                                        images_per_second=training.images_per_second, network=network))
    table = console.out(json)
    on = f"{'test' if settings.hold_out is None else 'held-out training'} {data.called}"
    table.print(f"[bold]{reached:.2f} %[/bold] of {len(data.test_labels):,} {on} right, "
                f"{training.images_per_second:,.0f} {data.called} learnt per second; wrote {console.literal(output)}",
                soft_wrap=True)
    if training.interrupted:
        console.err().print(f"interrupted: {console.literal(output)} holds the model after {training.complete_epochs} of "
                            f"{network.learning.epochs} epochs", soft_wrap=True)
        raise typer.Exit(interruption.exit_code())


def training_record(network: Network, arithmetic: str, data: Dataset, training: Training, settings: Settings,
                    reached: float) -> TrainingRecord:
    """Of a training that reached so many per cent."""
    return TrainingRecord(
        board=settings.board, dataset=data.name, dataset_sha256=data.sha256, whole_dataset_sha256=data.whole_sha256,
        classes_without_images=data.untaught(network.layers[-1]), seed=network.seed, arithmetic=arithmetic, accuracy=reached,
        complete_epochs=training.complete_epochs, interrupted=training.interrupted, epochs=course(training),
        options=settings.images, versions=versions(), reading=settings.reading().to_dict() or None,
        recipe=None if data.recipe is None else str(data.recipe))
