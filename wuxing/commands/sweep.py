"""``wuxing sweep``: every combination of the settings of a grid, its accuracy and its cost, and which ones are worth it.

Accuracy is the model's; what a point costs in hardware is estimated (``wuxing.cost``). The Pareto front compares accuracy and
all costs: on it may only be what has every cost that is shown, and fits its board if it has one. What has no hardware (floats,
networks that no core learns) is therefore not on it and keeps nothing off it, unless no point has hardware: then accuracy and
memory alone are compared. The plot of each cost has its own front, by the same rule, of accuracy and that cost.
"""
from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from golden_model.data import datasets
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import ARITHMETICS
from golden_model.storage.atomic_write import write_atomically
from wuxing import configuration as options
from wuxing import cost, tasks, text_file
from wuxing.experiments import learner
from wuxing.experiments.description import check_entries
from wuxing.experiments.report import markdown
from wuxing.experiments.summary import Table, deviation, mean, spread
from wuxing.reports import console
from wuxing.reports.progress import run_tasks, untaught_note
from wuxing.tasks import Store, Task
from wuxing.versions import versions

MOST_POINTS = 10_000                      # combinations of a grid; more is a mistake
DEFAULTS: dict[str, Any] = {"dataset": "mnist", "arithmetic": "fixed", "seeds": [0, 1, 2], "shift": 0}
ENTRIES = {"dataset": str, "arithmetic": str, "board": str, "seeds": [int], "hold_out": int, "train_images": int, "shift": int,
           "network": dict, "grid": dict}
OPTIONAL = ("board", "hold_out", "train_images")
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


@dataclass(frozen=True, eq=False)
class Point:
    """One combination: the text of each choice, the network (with the first seed), its arithmetic, its board if it has one."""

    choices: dict[str, str]
    network: Network
    arithmetic: str
    board: str | None = None


def sweep(grid: Annotated[Path, typer.Argument(metavar="GRID.toml", help="What is varied.", show_default=False)],
          board: Annotated[str | None, typer.Option("--board", help="The board that costs are for, instead of the grid file's; "
                                                    "networks get words that its multipliers take.")] = None,
          json: options.JsonOption = None,
          report: Annotated[Path | None, typer.Option("--report", help="Folder for a Markdown table and a plot.")] = None,
          workers: options.WorkersOption = 1, scheduler: options.SchedulerOption = None,
          store: options.StoreOption = tasks.STORE, quiet: options.QuietOption = False) -> None:
    """Train every combination of a grid of settings; show accuracy on held-out images, cost, and the Pareto front."""
    console.check_writable(json)
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"--report must be a folder, but {report} is a file; choose another name")
    described = read(grid)
    if board is not None:
        cost.check_board(board)
        if "board" in described["grid"]:
            raise InputError("--board must not be given for a grid that varies the board; leave out one of them")
        described["board"] = board
    data = datasets.load(described["dataset"])
    described.setdefault("hold_out", len(data.train_labels) // 6)
    points = expand(described, options.default_layers(data))
    held = {"hold_out": described["hold_out"], "train_images": described.get("train_images"), "shift": described["shift"]}
    for point in points:
        datasets.check_fits(data, point.network)
    if not quiet and (note := untaught_note(data, data.classes)):
        console.err().print(note, soft_wrap=True)
    nonzero = cost.nonzero_inputs(data.train_images)
    costs = [cost.of(point.network, point.arithmetic, point.board, nonzero) for point in points]
    wanted = [Task(learner.__name__, learner.VERSION, learner.setting_of(
        Network.from_dict(point.network.to_dict() | {"seed": seed}), point.arithmetic, described["dataset"], **held))
        for point in points for seed in described["seeds"]]
    records = run_tasks(grid.name, wanted, Store(store), workers, scheduler, quiet)
    accuracies = [record["result"]["accuracy"] for record in records]
    count = len(described["seeds"])
    rows = [_row(point, accuracies[at:at + count], each)
            for at, point, each in zip(range(0, len(accuracies), count), points, costs, strict=True)]
    for row, best in zip(rows, front(rows), strict=True):
        row["pareto"] = best
    table = table_of(rows, described, held["hold_out"], nonzero)
    console.write_json(json, {"grid": described, "dataset_sha256": data.sha256, "nonzero_inputs": nonzero, "points": rows,
                              "versions": versions()})
    if report is not None:
        write_report(report, grid.stem, table, rows)
    screen = console.out(json)
    choices = len(points[0].choices)
    shown = console.table(console.shown(table.title), left=table.columns[:choices], right=table.columns[choices:])
    shown.min_width = None
    for cells in table.rows:
        shown.add_row(*map(console.shown, cells))
    screen.print(shown)
    for note in _notes(rows):
        screen.print(console.shown(note), soft_wrap=True)


def read(path: Path) -> dict[str, Any]:
    """A grid file with its defaults filled in.

    Raises
    ------
    InputError
        If it cannot be read or an entry is not what it must be.
    """
    described = DEFAULTS | {"network": {}} | text_file.read_toml(path, "grid")
    try:
        check_entries(described, ENTRIES, optional=OPTIONAL)
        cost.check_board(described.get("board"))
        if not described["seeds"]:
            raise InputError("seeds must be one or more whole numbers, not []")
    except InputError as error:
        raise InputError(f"grid {path}: {error}") from None
    return described


def expand(described: dict[str, Any], layers: Sequence[int]) -> list[Point]:
    """Every combination of the choices of ``described["grid"]``, the last one varied fastest.

    A choice is named by the dotted key of an entry of the network (``integration.steps = [4, 8]``), ``arithmetic`` or
    ``board``; for a board, what a description leaves out is such as it takes. A list of tables changes several entries
    together, under any name (``word = [{formats.drive = "Q4.8", ...}, {}]``; an entry ``name`` is what the result calls it).
    ``layers``, pixels, hidden neurons and classes, are those of a network that names none, with fewer hidden neurons where its
    board takes no more.

    Raises
    ------
    InputError
        For the first combination that is no network, with the choices that lead to it.
    """
    axes = _axes(described["grid"])
    total = 1
    for key, choices in axes.items():
        if not isinstance(choices, list) or not choices:
            raise InputError(f"each entry of the grid must be a list of one or more choices, not {choices!r} for {key}")
        total *= len(choices)
    if total > MOST_POINTS:
        raise InputError(f"a grid must have at most {MOST_POINTS} combinations, not {total}; vary less at a time")
    points = []
    for chosen in itertools.product(*axes.values()):
        named = dict(zip(axes, chosen, strict=True))
        try:
            points.append(_point(described, named, layers))
        except InputError as error:
            raise InputError(f"every combination of a grid must be a network, but {named}: {error}") from None
    return points


def front(rows: Sequence[dict[str, Any]], columns: Sequence[Column] = COLUMNS) -> list[bool]:
    """Which rows no other beats in accuracy and these costs, of those that have each cost that any row has, and fit."""
    names = [column.name for column in columns if any(row[column.name] is not None for row in rows)]
    compared = [row["fits"] is not False and all(row[name] is not None for name in names) for row in rows]
    best = iter(cost.pareto([[-row["accuracy"], *(row[name] for name in names)]
                        for row, taken in zip(rows, compared, strict=True) if taken]))
    return [taken and next(best) for taken in compared]


def table_of(rows: list[dict[str, Any]], described: dict[str, Any], hold_out: int, nonzero: int) -> Table:
    """Choices, accuracy, costs and Pareto front as text; time and fit only where there are boards."""
    boards = list(dict.fromkeys(row["board"] for row in rows if row["board"] is not None))
    columns = COLUMNS if boards else [column for column in COLUMNS if column.name != "microseconds_per_learnt_image"]
    core = f"chosen for {', '.join(boards)}" if boards else f"with one unit per neuron ({cost.TARGET})"
    fits = {True: "yes", False: UNFIT, None: NONE}
    return Table(f"{described['dataset']}: accuracy on {hold_out:,} held-out training images, mean ± standard deviation of "
                 f"{len(described['seeds'])} seeds; clocks and cells by estimate, of a core {core}, images with {nonzero} "
                 f"nonzero inputs; {NONE} has no hardware; * is what no other beats in accuracy and cost, of what has every "
                 f"cost shown{' and fits' if boards else ''}",
                 (*rows[0]["choices"], "accuracy, %", *(column.title for column in columns), *(["fits"] if boards else []),
                  "Pareto"),
                 [(*row["choices"].values(), spread(row["accuracies"]),
                   *(NONE if row[column.name] is None else f"{row[column.name]:,.{column.digits}f}" for column in columns),
                   *([fits[row["fits"]]] if boards else []), "*" if row["pareto"] else "") for row in rows])


def write_report(folder: Path, name: str, table: Table, rows: list[dict[str, Any]]) -> None:
    """``folder/name.md`` with the table, and for each cost that a row has a plot ``folder/name-cost.svg``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--report must be a folder that can be made, but {folder}: {error.strerror}") from None
    lines = [f"# Sweep {name}", "", *markdown(table), ""]
    if notes := _notes(rows):
        lines += [*(f"- {note}" for note in notes), ""]
    for column in COLUMNS:
        if any(row[column.name] is not None for row in rows):
            write_atomically(folder / f"{name}-{column.name}.svg", _plot(rows, column))
            lines += [f"![Accuracy against {column.title}]({name}-{column.name}.svg)", ""]
    write_atomically(folder / f"{name}.md", "\n".join(lines))


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    """Why combinations have no hardware, each reason once."""
    counted = Counter(row["no_core"] for row in rows if row["no_core"])
    return [f"no core for {count} of {len(rows)} combinations: {reason}" for reason, count in counted.items()]


def _plot(rows: list[dict[str, Any]], column: Column) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Any) -> None:
        place = axes[0, 0]
        for label, mark, fits in (("combinations", ".", (None, True)), (UNFIT, "x", (False,))):
            drawn = [row for row in rows if row[column.name] is not None and row["fits"] in fits]
            if drawn:
                place.errorbar([row[column.name] for row in drawn], [row["accuracy"] for row in drawn],
                               [row["spread"] for row in drawn], fmt=mark, capsize=2, label=label)
        best = sorted((row[column.name], row["accuracy"]) for row, is_best in zip(rows, front(rows, [column]), strict=True)
                      if is_best)
        if best:
            place.plot(*zip(*best, strict=True), drawstyle="steps-post", label="Pareto front")
        place.set(xlabel=column.title, ylabel="accuracy on held-out images (%)")
        place.set_xscale("log")
        place.legend(loc="lower right")

    return picture(f"sweep-{column.name}", paint)


def _row(point: Point, accuracies: list[float], costs: cost.Cost) -> dict[str, Any]:
    return {"choices": point.choices, "arithmetic": point.arithmetic, "accuracy": mean(accuracies),
            "spread": deviation(accuracies), "accuracies": accuracies, **asdict(costs), "network": point.network.to_dict()}


def _axes(grid: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables to dotted keys."""
    axes: dict[str, Any] = {}
    for key, value in grid.items():
        axes |= _axes(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return axes


def _point(described: dict[str, Any], named: dict[str, Any], layers: Sequence[int]) -> Point:
    settings: dict[str, Any] = {"seed": described["seeds"][0]}
    _merge(settings, described["network"])
    beside = {"arithmetic": described["arithmetic"], "board": described.get("board")}
    for key, choice in named.items():
        for path, value in (_settings(choice) if isinstance(choice, dict) else {key: choice}).items():
            if path in beside:
                beside[path] = value
                continue
            *tables, entry = path.split(".")
            for table in reversed(tables):
                entry, value = table, {entry: value}
            _merge(settings, {entry: value})
    arithmetic, board = beside["arithmetic"], beside["board"]
    if arithmetic not in ARITHMETICS:
        raise InputError(f"arithmetic must be float or fixed, not {arithmetic!r}")
    cost.check_board(board)
    if board is not None:
        from boards import fit, platforms
        settings = fit.described(platforms.by_name(board), settings, layers[0], layers[-1], layers[1])
    network = Network.from_dict({"layers": list(layers)} | settings)
    if arithmetic == "fixed":
        network.check_fixed()
    return Point({key: _text(choice) for key, choice in named.items()}, network, arithmetic, board)


def _merge(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.setdefault(key, {}), dict):
            settings[key] = dict(settings[key])
            _merge(settings[key], value)
        else:
            settings[key] = value


def _settings(choice: dict[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in _axes(choice).items() if path != "name"}


def _text(choice: Any) -> str:
    """A choice as it is shown: sizes with hyphens, tables by their name or as pairs."""
    if isinstance(choice, dict):
        pairs = ", ".join(f"{key}={_text(value)}" for key, value in _settings(choice).items())
        return str(choice.get("name", pairs or "as described"))
    if isinstance(choice, list):
        return "-".join(map(_text, choice))
    return f"{choice:g}" if isinstance(choice, float) else str(choice)
