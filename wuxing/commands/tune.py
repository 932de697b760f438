"""``wuxing tune``: which settings suit these data, chosen on training samples that are held out, within a stated budget."""
from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import tomli_w
import typer

from golden_model.data import classes
from golden_model.data.datasets import Dataset
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.storage.atomic_write import write_atomically
from golden_model.versions import versions
from wuxing import candidates, halving, options
from wuxing.candidates import Candidate
from wuxing.experiments import learner
from wuxing.experiments.report import markdown
from wuxing.experiments.summary import Table, deviation, mean, spread
from wuxing.halving import Rung
from wuxing.options import Runners, Settings
from wuxing.reports import console
from wuxing.reports.progress import notes, run_tasks_until
from wuxing.tasks import Task

PARTS = 5                                 # into which training samples are cut; each setting is tested on some of them
SETTINGS = 27
EPOCHS, MOST_EPOCHS = 60, 240             # of the longest trainings, of 1,000 samples or more, and of few
LESSONS = 60_000                          # samples learnt in the longest trainings of few samples, about
USUAL = "as usual"
# Options that say what the data are and how they are learnt: those that the next command needs too
KEPT = ("dataset", "label", "without", "categories", "split", "size", "frames", "board", "shift", "flip", "erase",
        "train_images", "test_images")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """A setting that was trained for so many epochs: per cent of the held-out samples, mean, deviation and that of each
    fold."""

    number: int
    choices: Mapping[str, str]
    epochs: int
    accuracy: float
    spread: float
    accuracies: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What ``--json`` writes. ``rows``: all that was tried; ``usual``: what ``wuxing train`` does by itself, after the most
    epochs that it was trained for. ``complete``: whether the time sufficed. ``encoding``: None: as usual for such data."""

    config: Path
    dataset: str
    dataset_sha256: str
    arithmetic: str
    folds: Sequence[str]
    rungs: Sequence[Rung]
    complete: bool
    best: Row
    usual: Row
    network: Network
    encoding: str | None
    rows: Sequence[Row]
    versions: Mapping[str, str]
    next_command: str = field(default="")


def tune(settings: Settings, runners: Runners,
         count: Annotated[int, typer.Option("--settings", help=(
             "The budget: how many settings are tried; a third of them goes on to three times the epochs, and so on."
             ))] = SETTINGS,
         minutes: Annotated[float | None, typer.Option("--minutes", help=(
             "Stop after this time, between two trainings, with the best of what was tried."))] = None,
         folds: Annotated[int | None, typer.Option("--folds", min=1, max=PARTS, help=(
             "On how many fifths of the training samples each setting is tested, one after the other; by default 5, of 2,000 "
             "samples and more 3, of 10,000 and more 1."))] = None,
         arithmetic: Annotated[str, typer.Option("--arithmetic", help="float, or fixed: the hardware's integers.")] = "fixed",
         output: Annotated[Path, typer.Option("--output", "-o", help=(
             "The configuration file to write, for wuxing train --config."))] = Path("tuned.toml"),
         json: options.JsonOption = None,
         report: Annotated[Path | None, typer.Option("--report", help="Write a Markdown table of all that was tried.")] = None,
         quiet: options.QuietOption = False) -> None:
    """Choose settings for your data on held-out training samples, and write a configuration file for wuxing train."""
    began = time.monotonic()
    console.check_writable(output, json, report)
    rungs = halving.plan(count, 1)                            # what is wrong with it is told before data are sought
    if minutes is not None and not 0 < minutes < 1e6:
        raise InputError(f"--minutes must be more than 0 and less than 1000000, not {minutes:g}")
    if settings.hold_out is not None:
        raise InputError("--hold-out must not be given, because tune holds out samples by itself; leave it out")
    settings.check(arithmetic)

    def data_of(encoding: str | None) -> Dataset:
        return learner.whole(settings.dataset, settings.reading().to_dict(), encoding)

    whole = data_of(None if settings.recipe() is None else str(settings.recipe()))
    samples = whole if settings.train_images is None else whole.first(train=settings.train_images)
    parts = parts_of(samples, folds)
    epochs = settings.epochs or min(max(EPOCHS, LESSONS // len(samples.train_labels)), MOST_EPOCHS)
    tried = candidates.drawn(settings, data_of, count, epochs, arithmetic)
    rungs = halving.plan(len(tried), epochs)
    if not quiet:
        for sentence in (_budget(rungs, parts, whole, samples), *notes(samples, samples.classes)):
            console.err().print(console.literal(sentence), soft_wrap=True)
    search = Search(settings=settings, arithmetic=arithmetic, parts=parts, runners=runners, quiet=quiet,
                    until=None if minutes is None else began + 60 * minutes)
    complete = search.run(tried, rungs)
    if not search.rows:
        raise InputError(f"--minutes must be enough to train one setting on {len(parts)} folds, but {minutes:g} are not; give "
                         "more, or fewer --folds or --epochs: what was trained is kept")
    best, usual = search.best(), search.usual()
    chosen = tried[best.number]
    network = chosen.network.with_learning(epochs=best.epochs, average=min(chosen.network.learning.average, best.epochs))
    follow = _next_command(settings, output, arithmetic)
    result = Result(config=output, dataset=whole.name, dataset_sha256=samples.sha256, arithmetic=arithmetic, folds=parts,
                    rungs=rungs, complete=complete, best=best, usual=usual, network=network, encoding=chosen.encoding,
                    rows=search.rows, versions=versions(), next_command=follow)
    write_atomically(output, configuration(result))
    console.write_json(json, result)
    table = table_of(result)
    if report is not None:
        write_atomically(report, "\n".join([f"# Settings for {whole.name}", "", *markdown(table), "", f"Next: `{follow}`", ""]))
    _print(result, table_of(result, last=True), json)


class Search:
    """Trainings of candidates, rung by rung. ``rows``: those that are complete on all folds."""

    def __init__(self, *, settings: Settings, arithmetic: str, parts: Sequence[str], runners: Runners, quiet: bool,
                 until: float | None) -> None:
        self.settings, self.arithmetic, self.parts = settings, arithmetic, parts
        self.runners, self.quiet, self.until = runners, quiet, until
        self.rows: list[Row] = []

    def run(self, tried: Sequence[Candidate], rungs: Sequence[Rung]) -> bool:
        """Whether the time sufficed for all rungs."""
        numbers = list(range(len(tried)))
        for place, rung in enumerate(rungs):
            rows = self._rung(tried, numbers, rung, f"tune, {place + 1} of {len(rungs)}")
            self.rows += rows
            if len(rows) < len(numbers):
                return False
            if place + 1 < len(rungs):
                going_on = halving.survivors([row.accuracy for row in rows], rungs[place + 1].settings)
                numbers = [numbers[each] for each in going_on]
        return True

    def best(self) -> Row:
        """The most accurate of all that was tried, of equal ones the first with the fewest epochs; but what is usual, unless
        that is worse by more than the standard error of the difference, fold by fold. Of one fold there is none."""
        best, usual = min(self.rows, key=lambda row: (-row.accuracy, row.epochs, row.number)), self.usual()
        ahead = [mine - its for mine, its in zip(best.accuracies, usual.accuracies, strict=True)]
        return best if mean(ahead) > deviation(ahead) / len(ahead)**0.5 else usual

    def usual(self) -> Row:
        """What nothing was chosen of, after the most epochs."""
        return max((row for row in self.rows if row.number == 0), key=lambda row: row.epochs)

    def _rung(self, tried: Sequence[Candidate], numbers: Sequence[int], rung: Rung, title: str) -> list[Row]:
        tasks = [self._task(tried[number], rung.epochs, part) for number in numbers for part in self.parts]
        records = run_tasks_until(title, tasks, self.runners, self.quiet, self.until)
        rows = []
        for place, number in enumerate(numbers):
            there = [record.result["accuracy"] for record in records[place * len(self.parts):][:len(self.parts)]
                     if record is not None]
            if len(there) == len(self.parts):
                rows.append(Row(number=number, choices=tried[number].choices, epochs=rung.epochs, accuracy=mean(there),
                                spread=deviation(there), accuracies=there))
        return rows

    def _task(self, candidate: Candidate, epochs: int, part: str) -> Task:
        network = candidate.network.with_learning(epochs=epochs, average=min(candidate.network.learning.average, epochs))
        settings = self.settings
        return Task(learner.__name__, learner.VERSION, learner.setting_of(
            network, self.arithmetic, settings.dataset, hold_out=None, train_images=settings.train_images, shift=settings.shift,
            reading=settings.reading().to_dict(), encoding=candidate.encoding, fold=part,
            flip=settings.flip, erase=settings.erase))


def parts_of(samples: Dataset, folds: int | None) -> list[str]:
    """The folds of the training samples that are tested on, as ``1/5``: those of the rule that has split the samples.

    Raises
    ------
    InputError
        If they cannot be cut so.
    """
    count = len(samples.train_labels)
    number = folds or (PARTS if count < 2_000 else 3 if count < 10_000 else 1)
    assert samples.samples is not None
    split, beside = samples.samples.split, samples.samples.beside
    parts = PARTS
    if split.rule == "group":
        parts = min(PARTS, len(set(beside)))
        if parts < 2:
            raise InputError(f"the training samples must be of two or more in the column {split.column} of --split, one of "
                             f"whom is held out, but are of {parts}; add samples of others, or split by class (stratified)")
    if split.rule == "stratified":                            # the only one of its class is always learnt
        sizes = Counter(classes.listed(samples.samples.train_labels)).values()
        parts = max(2, min(PARTS, sum(size for size in sizes if size > 1)))
    result = [f"{each.fold}/{parts}" for each in split.each(parts)][:number]
    for part in result:
        fold, _, of = part.partition("/")
        samples.fold(int(fold), int(of))                      # refuses what cannot be cut, before anything is trained
    return result


def configuration(result: Result) -> str:
    """The TOML file: where it comes from, the words of the encoding if any were chosen, and the whole network."""
    origin = (f"# chosen by wuxing tune for {result.dataset}: {result.best.accuracy:.2f} % of held-out training samples, "
              f"{result.usual.accuracy:.2f} % {USUAL}")
    lines = [origin]
    if result.encoding is not None:
        lines.append(tomli_w.dumps({"encoding": result.encoding}).strip())
    return "\n".join([*map(console.printable, lines), result.network.to_toml()])


def table_of(result: Result, last: bool = False) -> Table:
    """All that was tried, or what had the most epochs and the best: the best first."""
    longest = max(row.epochs for row in result.rows)
    rows = sorted((row for row in result.rows if not last or row.epochs == longest or row is result.best),
                  key=lambda row: (-row.epochs, -row.accuracy, row.number))
    rows = [result.best, *(row for row in rows if row is not result.best)]
    names = [name for name in result.rows[0].choices if not last or len({row.choices[name] for row in rows}) > 1]
    title = (f"{result.dataset}: accuracy on held-out training samples, mean"
             + (f" ± standard deviation of {len(result.folds)} folds" if len(result.folds) > 1 else " of one fold")
             + ", the best first")
    return Table(title, (*names, "", "epochs", "accuracy, %"),
                 [(*(row.choices[name] for name in names), "" if row.number else USUAL, str(row.epochs),
                   spread(row.accuracies) if len(result.folds) > 1 else f"{row.accuracy:.2f}") for row in rows])


def _budget(rungs: Sequence[Rung], parts: Sequence[str], whole: Dataset, samples: Dataset) -> str:
    """What will be trained, in a sentence."""
    steps = ", then ".join(f"{rung.settings} settings for {rung.epochs} epochs" for rung in rungs)
    epochs = sum(rung.settings * rung.epochs for rung in rungs) * len(parts)
    learnt = len(samples.train_labels) * (int(parts[0].partition("/")[2]) - 1) // int(parts[0].partition("/")[2])
    return (f"{whole.name}: {whole.source}; {steps}, each tested on {len(parts)} fold{'s' * (len(parts) > 1)} of the training "
            f"samples: {epochs:,} epochs of about {learnt:,} samples, or what is not kept of these")


def _next_command(settings: Settings, output: Path, arithmetic: str) -> str:
    words = ["wuxing", "train"]
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if entry.name in KEPT and value != entry.default or entry.name == "dataset":
            words += [f"--{entry.name.replace('_', '-')}", *([] if value is True else [str(value)])]
    words += [] if arithmetic == "fixed" else ["--arithmetic", arithmetic]
    return shlex.join([*words, "--config", str(output)])


def _print(result: Result, table: Table, json: Path | None) -> None:
    screen = console.out(json)
    sheet = console.table(console.literal(table.title), left=table.columns[:-2], right=table.columns[-2:])
    sheet.min_width = None
    for cells in table.rows:
        sheet.add_row(*map(console.literal, cells))
    screen.print(sheet)
    if not result.complete:
        screen.print("the time is over: this is the best of what was tried; the same command goes on from there",
                     soft_wrap=True)
    if result.best is result.usual:
        screen.print("nothing was better than what is usual by more than chance makes it", soft_wrap=True)
    screen.print(f"[bold]{result.best.accuracy:.2f} %[/bold] of held-out training samples, {result.usual.accuracy:.2f} % "
                 f"{USUAL}; wrote {console.literal(result.config)}. The held-out samples chose it and so flatter it; test "
                 f"samples say what it is worth:\n{console.literal(result.next_command)}", soft_wrap=True)
