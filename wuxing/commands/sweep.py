"""``wuxing sweep``: every combination of the settings of a grid, its accuracy and its cost, and which ones are worth it.

Accuracy is the model's; what a point costs in hardware is estimated (``wuxing.cost``). The Pareto front compares accuracy and
all costs: on it may only be what has every cost that is shown, and fits its board if it has one. What has no hardware (floats,
networks that no core learns) is therefore not on it and keeps nothing off it, unless no point has hardware: then accuracy and
memory alone are compared. The plot of each cost has its own front, by the same rule, of accuracy and that cost.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from golden_model.data import datasets
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.storage.atomic_write import write_atomically
from golden_model.versions import versions
from wuxing import cost, options
from wuxing.cost import Cost
from wuxing.experiments import learner
from wuxing.experiments.report import markdown
from wuxing.experiments.summary import Table, deviation, mean, spread
from wuxing.grid import Grid, Point, expand, read
from wuxing.options import Runners
from wuxing.reports import console
from wuxing.reports.progress import notes, run_tasks
from wuxing.tasks import Task

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

NONE, UNFIT = "–", "does not fit"


@dataclass(frozen=True)
class Column:
    """A field of ``Cost`` of which less is better."""

    name: str
    title: str
    digits: int = 0


COLUMNS = (Column("memory_bits", "memory, bits"), Column("cycles_per_image", "clocks, inferred"),
           Column("cycles_per_learnt_image", "clocks, learnt"), Column("cells", "logic cells"),
           Column("microseconds_per_learnt_image", "us, learnt", 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """A combination: per cent of the held-out images, mean, sample standard deviation and that of each seed; what it costs;
    whether no other beats it."""

    choices: Mapping[str, str]
    arithmetic: str
    accuracy: float
    spread: float
    accuracies: Sequence[float]
    cost: Cost = field(metadata=console.FLAT)
    network: Network
    pareto: bool = False

    def costs(self, column: Column) -> float | None:
        """What it costs, None where it has no such cost."""
        value: float | None = getattr(self.cost, column.name)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``nonzero_inputs``: of the images for which clocks are counted."""

    grid: Grid
    dataset_sha256: str
    nonzero_inputs: int
    points: Sequence[Row]
    versions: Mapping[str, str]


def sweep(runners: Runners,
          grid: Annotated[Path, typer.Argument(metavar="GRID.toml", help="What is varied.", show_default=False)],
          board: Annotated[str | None, typer.Option("--board", help="The board that costs are for, instead of the grid file's; "
                                                    "networks get words that its multipliers take.")] = None,
          json: options.JsonOption = None,
          report: Annotated[Path | None, typer.Option("--report", help="Folder for a Markdown table and a plot.")] = None,
          quiet: options.QuietOption = False) -> None:
    """Train every combination of a grid of settings; show accuracy on held-out samples, cost, and the Pareto front."""
    console.check_writable(json)
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"--report must be a folder, but {report} is a file; choose another name")
    description = read(grid)
    if board is not None:
        cost.check_board(board)
        if "board" in description.grid:
            raise InputError("--board must not be given for a grid that varies the board; leave out one of them")
        description = replace(description, board=board)
    expand(description, None)                                 # what is wrong with it is told before data are sought
    data = learner.whole(description.dataset, description.reading, description.encoding)
    if not data.of_images:
        description = replace(description, network=options.without_dropout(description.network))
    hold_out = len(data.train_labels) // 6 if description.hold_out is None else description.hold_out
    description = replace(description, hold_out=hold_out)
    points = expand(description, options.default_layers(data))
    for point in points:
        datasets.check_fits(data, point.network)
    options.check_lessons(data)
    for note in () if quiet else notes(data, data.classes):
        console.err().print(console.literal(note), soft_wrap=True)
    nonzero = cost.nonzero_inputs(data.train_images)
    costs = [cost.of(point.network, point.arithmetic, point.board, nonzero) for point in points]
    tasks = [Task(learner.__name__, learner.VERSION, learner.setting_of(
        Network.from_dict(point.network.to_dict() | {"seed": seed}), point.arithmetic, description.dataset, hold_out=hold_out,
        train_images=description.train_images, shift=description.shift, reading=description.reading,
        encoding=description.encoding, flip=bool(description.flip),
        erase=description.erase or 0)) for point in points for seed in description.seeds]
    records = run_tasks(grid.name, tasks, runners, quiet)
    accuracies = [record.result["accuracy"] for record in records]
    count = len(description.seeds)
    rows = [_row(point, accuracies[at:at + count], each)
            for at, point, each in zip(range(0, len(accuracies), count), points, costs, strict=True)]
    rows = [replace(row, pareto=best) for row, best in zip(rows, front(rows), strict=True)]
    table = table_of(rows, description, hold_out, nonzero)
    console.write_json(json, Result(grid=description, dataset_sha256=data.sha256, nonzero_inputs=nonzero, points=rows,
                                    versions=versions()))
    if report is not None:
        write_report(report, grid.stem, table, rows)
    screen = console.out(json)
    choices = len(points[0].choices)
    sheet = console.table(console.literal(table.title), left=table.columns[:choices], right=table.columns[choices:])
    sheet.min_width = None
    for cells in table.rows:
        sheet.add_row(*map(console.literal, cells))
    screen.print(sheet)
    for note in _notes(rows):
        screen.print(console.literal(note), soft_wrap=True)


def front(rows: Sequence[Row], columns: Sequence[Column] = COLUMNS) -> list[bool]:
    """Which rows no other beats in accuracy and these costs, of those that have each cost that any row has, and fit."""
    axes = [column for column in columns if any(row.costs(column) is not None for row in rows)]
    prices = [[price for column in axes if (price := row.costs(column)) is not None] for row in rows]
    compared = [row.cost.fits is not False and len(price) == len(axes) for row, price in zip(rows, prices, strict=True)]
    best = iter(cost.pareto([[-row.accuracy, *price] for row, price, taken in zip(rows, prices, compared, strict=True)
                             if taken]))
    return [taken and next(best) for taken in compared]


def table_of(rows: Sequence[Row], grid: Grid, hold_out: int, nonzero: int) -> Table:
    """Choices, accuracy, costs and Pareto front as text; time and fit only where there are boards."""
    boards = list(dict.fromkeys(row.cost.board for row in rows if row.cost.board is not None))
    columns = COLUMNS if boards else [column for column in COLUMNS if column.name != "microseconds_per_learnt_image"]
    core = f"chosen for {', '.join(boards)}" if boards else f"with one unit per neuron ({cost.TARGET})"
    fits = {True: "yes", False: UNFIT, None: NONE}

    def price(row: Row, column: Column) -> str:
        value = row.costs(column)
        return NONE if value is None else f"{value:,.{column.digits}f}"

    return Table(f"{grid.dataset}: accuracy on {hold_out:,} held-out training samples, mean ± standard deviation of "
                 f"{len(grid.seeds)} seeds; clocks and cells by estimate, of a core {core}, images with {nonzero} "
                 f"nonzero inputs; {NONE} has no hardware; * is what no other beats in accuracy and cost, of what has every "
                 f"cost shown{' and fits' if boards else ''}",
                 (*rows[0].choices, "accuracy, %", *(column.title for column in columns), *(["fits"] if boards else []),
                  "Pareto"),
                 [(*row.choices.values(), spread(row.accuracies), *(price(row, column) for column in columns),
                   *([fits[row.cost.fits]] if boards else []), "*" if row.pareto else "") for row in rows])


def write_report(folder: Path, name: str, table: Table, rows: Sequence[Row]) -> None:
    """``folder/name.md`` with the table, and for each cost that a row has a plot ``folder/name-cost.svg``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--report must be a folder that can be made, but {folder}: {error.strerror}") from None
    lines = [f"# Sweep {name}", "", *markdown(table), ""]
    if notes := _notes(rows):
        lines += [*(f"- {note}" for note in notes), ""]
    for column in COLUMNS:
        if any(row.costs(column) is not None for row in rows):
            write_atomically(folder / f"{name}-{column.name}.svg", _plot(rows, column))
            lines += [f"![Accuracy against {column.title}]({name}-{column.name}.svg)", ""]
    write_atomically(folder / f"{name}.md", "\n".join(lines))


def _notes(rows: Sequence[Row]) -> list[str]:
    """Why combinations have no hardware, each reason once."""
    counted = Counter(row.cost.no_core for row in rows if row.cost.no_core)
    return [f"no core for {count} of {len(rows)} combinations: {reason}" for reason, count in counted.items()]


def _plot(rows: Sequence[Row], column: Column) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        place = axes[0, 0]
        for label, mark, fits in (("combinations", ".", (None, True)), (UNFIT, "x", (False,))):
            draws = [row for row in rows if row.costs(column) is not None and row.cost.fits in fits]
            if draws:
                place.errorbar([row.costs(column) for row in draws], [row.accuracy for row in draws],
                               [row.spread for row in draws], fmt=mark, capsize=2, label=label)
        best = sorted((row.costs(column), row.accuracy) for row, is_best in zip(rows, front(rows, [column]), strict=True)
                      if is_best)
        if best:
            place.plot(*zip(*best, strict=True), drawstyle="steps-post", label="Pareto front")
        place.set(xlabel=column.title, ylabel="accuracy on held-out images (%)")
        place.set_xscale("log")
        place.legend(loc="lower right")

    return picture(f"sweep-{column.name}", paint)


def _row(point: Point, accuracies: list[float], costs: Cost) -> Row:
    return Row(choices=point.choices, arithmetic=point.arithmetic, accuracy=mean(accuracies), spread=deviation(accuracies),
               accuracies=accuracies, cost=costs, network=point.network)
