"""Progress of a training: on a terminal a bar with rate and time left, and anywhere a few lines, after epochs 1, 2, 4, 8 and
so on, and after the last one.
"""
from __future__ import annotations

import math
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from golden_model.data.datasets import Dataset
from golden_model.data.scaling import OF_EACH
from golden_model.sections import brief
from wuxing import interruption, tasks
from wuxing.options import Runners
from wuxing.reports import console

if TYPE_CHECKING:
    from golden_model.training import Epoch


class Speed(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} images/s")


class TrainingProgress:
    """Shows trainings one after the other, on stderr; a context manager that hands back the terminal as it was.

    ``quiet``: show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = console.err()
        self.progress = Progress(TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[right]}"), Speed(),
                                 TimeRemainingColumn(compact=True), console=self.console, transient=True,
                                 disable=quiet or not self.console.is_terminal)
        self.title, self.epochs, self.task, self.called = "", 0, TaskID(0), "images"

    def __enter__(self) -> TrainingProgress:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.stop()

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        if not self.quiet:
            self.progress.console.print(console.literal(sentence), soft_wrap=True)

    def say_data(self, data: Dataset, outputs: int) -> None:
        """Which data set this is, how much of it, and what of a network it does not teach."""
        self.called = data.called
        self.say(f"{data.name}: {data.source}; {len(data.train_labels):,} {data.called} to train, "
                 f"{len(data.test_labels):,} to test")
        if not data.encoding.passes_bytes and data.recipe is not None:
            self.say(f"bytes by the encoding {data.recipe}, fitted to the training samples: {data.train_images.shape[1]:,} for "
                     f"each")
        for note in notes(data, outputs):
            self.say(note)

    def begin(self, title: str, epochs: int, images: int) -> None:
        """The next training: what is trained, and how many epochs of how many images."""
        self.title, self.epochs = title, epochs
        for task in self.progress.task_ids:
            self.progress.remove_task(task)
        self.task = self.progress.add_task(title, total=epochs * images, right="")

    def on_progress(self, epoch: int, done: int, total: int, right: int) -> None:
        self.progress.update(self.task, description=f"{self.title}, epoch {epoch + 1}/{self.epochs}",
                             completed=epoch * total + done, right=f"{100 * right / done:.1f} % right")

    def on_epoch(self, epoch: Epoch) -> None:
        """A line, if it is the turn of this epoch: every one would fill a log, and soon differs little from the last."""
        number = epoch.epoch + 1
        if number & (number - 1) and number != self.epochs:
            return
        test = "" if epoch.test_accuracy is None else f", {epoch.test_accuracy:.2f} % of the test {self.called} after it"
        self.say(f"{self.title}, epoch {number}/{self.epochs}: {epoch.online_accuracy:.2f} % right while learning"
                 f"{test}, {epoch.images_per_second:,.0f} {self.called}/s")


def notes(data: Dataset, outputs: int) -> list[str]:
    """What a data set does not teach a network with so many outputs, in a sentence each."""
    return [note for note in (untaught_note(data, outputs), constant_note(data)) if note]


def untaught_note(data: Dataset, outputs: int) -> str:
    """A sentence about the classes without a training image, ranges as 3..7; nothing if every output has one."""
    classes = data.untaught(outputs)
    if not classes:
        return ""
    starts = [at for at, label in enumerate(classes) if at == 0 or label != classes[at - 1] + 1]
    ranges = [f"{classes[a]}..{classes[b - 1]}" if b - a > 1 else str(classes[a])
              for a, b in zip(starts, [*starts[1:], len(classes)], strict=True)]
    listing = ", ".join(ranges[:8]) + (f" and {len(ranges) - 8} more ranges" if len(ranges) > 8 else "")
    lessons = outputs - len(classes)
    return (f"{len(classes)} of {outputs} classes have no training image ({listing}): their outputs learn only to be silent, "
            f"and each takes a neuron, on a chip too; if there are no such classes, number the labels 0..{lessons - 1} and let "
            f"layers end with {lessons}")


def constant_note(data: Dataset) -> str:
    """A sentence about columns of a table, or channels of recordings, that are constant in training; nothing without such."""
    samples, recipe = data.measured, data.recipe
    places = samples.constant
    if not places:
        return ""
    what, of = ("columns", math.prod(samples.shape)) if samples.kind == "table" else ("channels", samples.shape[-1])
    names = [samples.features[place] if samples.features else str(place) for place in places]
    listing = ", ".join(map(brief, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    known = any(samples.categories[place] for place in places if samples.categories)
    if recipe is not None and recipe.scaling in OF_EACH and recipe.code != "population" and not known:
        becomes = "each becomes 0 in every sample, whatever comes later, and teaches nothing"
    else:
        becomes = "each is the same bytes in every sample, which teach no more than a bias"
    remedy = f"by --without {shlex.quote(','.join(names))}" if samples.features and len(names) <= 8 else "of the files"
    return (f"of {of} {what} these are constant in the {len(samples.train_labels):,} training samples: {listing}; {becomes}, "
            f"but takes an input, on a chip too: leave it out {remedy}")


class OnProgress(Protocol):
    """Called with images done and images in all."""

    def __call__(self, done: int, total: int) -> None: ...


@contextmanager
def images_bar(quiet: bool) -> Iterator[OnProgress]:
    """On stderr, if that is a terminal."""
    screen = console.err()
    columns = TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
    with Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as progress:
        task = progress.add_task("building the simulator", total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, description="images", completed=done, total=total)
        yield on_progress


class OutOfTime(Exception):
    """The time for tasks is over."""


def run_tasks_until(title: str, those: list[tasks.Task], runners: Runners, quiet: bool,
                    until: float | None) -> list[tasks.Record | None]:
    """``run_tasks``, but None for what is not finished when that time comes, as ``time.monotonic`` counts; it is given up."""
    try:
        return [*run_tasks(title, those, runners, quiet, until)]
    except OutOfTime:
        store = tasks.Store(runners.store)
        return [store.load(task) for task in those]


def run_tasks(title: str, those: list[tasks.Task], runners: Runners, quiet: bool,
              until: float | None = None) -> list[tasks.Record]:
    """``tasks.run`` with a bar; when interrupted it says what is kept.

    Raises
    ------
    OutOfTime
        If ``until``, as ``time.monotonic`` counts, comes before the last task is done; what runs then is given up.
    """
    screen = console.err()
    finished, total, store = 0, 0, tasks.Store(runners.store)
    with Progress(TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn(), console=screen,
                  transient=True, disable=quiet or not screen.is_terminal) as progress:
        bar = progress.add_task(title, total=len(those))

        def show(done: int, of: int) -> None:
            nonlocal finished, total
            finished, total = done, of
            progress.update(bar, completed=done, total=of)
            if until is not None and done < of and time.monotonic() >= until:
                raise OutOfTime

        try:
            return tasks.run(those, store, workers=runners.workers or tasks.cores(), scheduler=runners.scheduler,
                             on_finished=show)
        except KeyboardInterrupt:
            progress.stop()
            screen.print(f"interrupted: {finished} of {total} runs of {title} are kept in {console.literal(store.folder)}; the "
                         f"same command goes on from there", soft_wrap=True)
            raise typer.Exit(interruption.exit_code()) from None
