"""Grids of settings: the file of ``wuxing sweep``, and every combination of its choices."""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import ARITHMETICS
from wuxing import cost, options, text_file
from wuxing.experiments.description import check_entries
from wuxing.experiments.summary import Entries
from wuxing.reports.console import OPTIONAL

MOST_POINTS = 10_000                      # combinations of a grid; more is a mistake
ENTRIES: Entries = {
    "dataset": str, "reading": dict, "encoding": str, "arithmetic": str, "board": str, "seeds": [int], "hold_out": int,
    "train_images": int, "shift": int, "flip": bool, "erase": int, "network": dict, "grid": dict}

Tables = dict[str, Any]                   # of a TOML file: entries of a network's description, or choices for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid file with its defaults filled in. ``seeds``: of the runs of each combination. ``hold_out``: training images that
    are tested on; ``train_images``: how many of the others are learnt; None: all. ``shift``, ``flip``,
    ``erase``: as of ``wuxing train``. ``network``: what all networks have. ``grid``: what is varied. ``reading``,
    ``encoding``: how files become samples and these bytes, as ``label``, ``without``, ``split``, ``size``, ``frames`` and
    ``encoding`` of ``wuxing train`` say it.
    """

    dataset: str = "mnist"
    arithmetic: str = "fixed"
    seeds: Sequence[int] = (0, 1, 2)
    shift: int = 0
    network: Tables = field(default_factory=dict)
    board: str | None = field(default=None, metadata=OPTIONAL)
    hold_out: int | None = field(default=None, metadata=OPTIONAL)
    train_images: int | None = field(default=None, metadata=OPTIONAL)
    reading: Tables | None = field(default=None, metadata=OPTIONAL)
    encoding: str | None = field(default=None, metadata=OPTIONAL)
    flip: bool | None = field(default=None, metadata=OPTIONAL)
    erase: int | None = field(default=None, metadata=OPTIONAL)
    grid: Tables


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Point:
    """One combination: the text of each choice, the network (with the first seed), its arithmetic, its board if it has one."""

    choices: dict[str, str]
    network: Network
    arithmetic: str
    board: str | None = None


def read(path: Path) -> Grid:
    """A grid file.

    Raises
    ------
    InputError
        If it cannot be read or an entry is not what it must be.
    """
    description = text_file.read_toml(path, "grid")
    try:
        check_entries(description, ENTRIES, optional=ENTRIES.keys() - {"grid"})
        cost.check_board(description.get("board"))
        grid = Grid(**description)
        if not grid.seeds:
            raise InputError("seeds must be one or more whole numbers, not []")
    except InputError as error:
        raise InputError(f"grid {path}: {error}") from None
    return grid


def expand(grid: Grid, layers: Sequence[int] | None) -> list[Point]:
    """Every combination of the choices of ``grid.grid``, the last one varied fastest.

    A choice is named by the dotted key of an entry of the network (``integration.steps = [4, 8]``), ``arithmetic`` or
    ``board``; for a board, what a description leaves out is such as it takes. A list of tables changes several entries
    together, under any name (``word = [{formats.drive = "Q4.8", ...}, {}]``; an entry ``name`` is what the result calls it).
    ``layers``, pixels, hidden neurons and classes, are those of a network that names none, with fewer hidden neurons where its
    board takes no more. None: they are still to follow from data, and such networks are for checks alone.

    Raises
    ------
    InputError
        For the first combination that is no network, with the choices that lead to it.
    """
    axes = _axes(grid.grid)
    total = 1
    for key, choices in axes.items():
        if not isinstance(choices, list) or not choices:
            raise InputError(f"each entry of the grid must be a list of one or more choices, not {choices!r} for {key}")
        total *= len(choices)
    if total > MOST_POINTS:
        raise InputError(f"a grid must have at most {MOST_POINTS} combinations, not {total}; vary less at a time")
    points = []
    for choice in itertools.product(*axes.values()):
        named = dict(zip(axes, choice, strict=True))
        try:
            points.append(_point(grid, named, layers))
        except InputError as error:
            raise InputError(f"every combination of a grid must be a network, but {named}: {error}") from None
    return points


def _axes(grid: Tables, prefix: str = "") -> Tables:
    """Nested tables to dotted keys."""
    axes: Tables = {}
    for key, value in grid.items():
        axes |= _axes(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return axes


def _point(grid: Grid, named: Tables, layers: Sequence[int] | None) -> Point:
    settings: Tables = {"seed": grid.seeds[0]}
    _merge(settings, grid.network)
    beside: Tables = {"arithmetic": grid.arithmetic, "board": grid.board}
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
        follow = layers is None and "layers" not in settings
        whole = settings | {"layers": []} if follow else settings
        sizes = layers or (1, 1, 1)
        settings = fit.described(platforms.by_name(board), whole, sizes[0], sizes[-1], sizes[1])
        if follow:
            del settings["layers"]
    network = options.check(settings if layers is None else {"layers": list(layers)} | settings)
    if arithmetic == "fixed":
        network.check_fixed()
    return Point(choices={key: _text(choice) for key, choice in named.items()}, network=network, arithmetic=arithmetic,
                 board=board)


def _merge(settings: Tables, changes: Tables) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.setdefault(key, {}), dict):
            settings[key] = dict(settings[key])
            _merge(settings[key], value)
        else:
            settings[key] = value


def _settings(choice: Tables) -> Tables:
    return {path: value for path, value in _axes(choice).items() if path != "name"}


def _text(choice: object) -> str:
    """A choice as it is shown: sizes with hyphens, tables by their name or as pairs."""
    if isinstance(choice, dict):
        pairs = ", ".join(f"{key}={_text(value)}" for key, value in _settings(choice).items())
        return str(choice.get("name", pairs or "as described"))
    if isinstance(choice, list):
        return "-".join(map(_text, choice))
    return f"{choice:g}" if isinstance(choice, float) else str(choice)
