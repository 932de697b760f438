"""What an experiment hands over: runs in; tables, figures, values and claims out."""
from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# Plain JSON: settings of an experiment, of a run, what a run gave, values that claims are checked on. Each experiment says
# which entries they have; the store of results, which outlives the code that wrote it, keeps them as they are.
Plain = dict[str, Any]
Entries = Mapping[str, type | list[type]]         # of settings: their types, [int] for a list


@dataclass(frozen=True, eq=False)
class Run:
    """One finished task: its setting and what it gave."""

    setting: Plain
    result: Plain


@dataclass(frozen=True, eq=False)
class Table:
    """A table of text: the first column says what a row is, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture that is drawn when it is wanted; ``name`` is its file without ``.svg``, ``caption`` one sentence."""

    name: str
    caption: str
    draw: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Summary:
    """``values`` is plain JSON: what claims are checked on and what ``--json`` writes beside the runs."""

    values: Plain
    tables: list[Table]
    figures: list[Figure] = field(default_factory=list)


@dataclass(frozen=True)
class Claim:
    """A sentence about the direction of a result, and whether the runs bear it out.

    ``full_only``: quick settings are too small to bear on it, and a quick run does not judge it.
    """

    sentence: str
    holds: bool
    full_only: bool = False


class Experiment(Protocol):
    """What each module of this package has.

    ``VERSION``: raised whenever ``run`` computes something else. ``ENTRIES``: the settings of its TOML file with their
    types, ``[int]`` for a list. ``tasks(settings)``: the setting of every single run, as plain JSON, one seed each.
    ``run(setting)``: one run, by nothing but its setting; plain JSON. ``summarise(runs)``: of all runs in the order of
    ``tasks``. ``check(values)``: the claims.
    """

    VERSION: int
    ENTRIES: Entries

    def tasks(self, settings: Plain) -> list[Plain]: ...

    def run(self, setting: Plain) -> Plain: ...

    def summarise(self, runs: list[Run]) -> Summary: ...

    def check(self, values: Plain) -> list[Claim]: ...


def grouped(runs: Iterable[Run], *keys: str) -> dict[tuple[Any, ...], list[Run]]:
    """Runs by the values of these entries of their settings, in the order of first appearance."""
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.setting.get(key) for key in keys), []).append(run)
    return groups


def mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def deviation(values: Iterable[float]) -> float:
    """The sample standard deviation; 0 of a single value."""
    numbers = list(values)
    return statistics.stdev(numbers) if len(numbers) > 1 else 0.0


def spread(values: Iterable[float], digits: str = ".2f") -> str:
    """Mean and standard deviation over seeds, as in ``98.31 ± 0.05``."""
    numbers = list(values)
    return f"{mean(numbers):{digits}} ± {deviation(numbers):{digits}}"
