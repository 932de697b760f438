"""The TOML file of an experiment: what is asked, and the settings of the full and of the quick run."""
from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from golden_model.errors import InputError
from wuxing import text_file
from wuxing.experiments.summary import Entries, Experiment, Plain

FOLDER = Path(__file__).parent
LEAST_SEEDS = 3
HEAD = {"experiment": str, "number": int, "title": str, "question": str, "full": dict, "quick": dict}


@dataclass(frozen=True, kw_only=True)
class Description:
    """One experiment as it is to be run.

    ``experiment``: its name, that of its module with ``-`` for ``_``. ``number``: its place among all. ``settings``: those
    of ``[full]``, of which ``[quick]`` replaces some in a quick run.
    """

    experiment: str
    number: int
    title: str
    question: str
    quick: bool
    settings: Plain

    @property
    def module_name(self) -> str:
        return f"wuxing.experiments.{self.experiment.replace('-', '_')}"

    @property
    def module(self) -> Experiment:
        return cast(Experiment, importlib.import_module(self.module_name))


def names(folder: Path = FOLDER) -> list[str]:
    """All experiments, by number."""
    return [each.experiment for each in sorted((load(path.stem, folder=folder) for path in folder.glob("*.toml")),
                                               key=lambda each: each.number)]


def load(name: str, quick: bool = False, folder: Path = FOLDER) -> Description:
    """The description of a name, or of the path of a TOML file.

    Raises
    ------
    InputError
        If there is no such file, it is not what it must be, or it has fewer than three seeds.
    """
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.toml"))) or f"none, because {folder} has no TOML files"
        raise InputError(f"an experiment must be a TOML file or one of those known, not {name!r}; known are: {known}")
    data = text_file.read_toml(path, "experiment")
    try:
        check_entries(data, HEAD)
        if re.fullmatch("[a-z][a-z-]*", data["experiment"]) is None:
            raise InputError(f"experiment must be a name of letters and hyphens, not {data['experiment']!r}")
        description = Description(**{key: data[key] for key in ("experiment", "number", "title", "question")}, quick=quick,
                                settings=data["full"] | (data["quick"] if quick else {}))
        if importlib.util.find_spec(description.module_name) is None:
            raise InputError(f"experiment must have a module in wuxing.experiments, but {description.module_name} is not there")
        entries = description.module.ENTRIES
        check_entries(data["full"], entries)
        check_entries(data["quick"], entries, optional=entries)
        if len(set(description.settings["seeds"])) < LEAST_SEEDS:
            raise InputError(f"seeds must be {LEAST_SEEDS} or more that differ, not {description.settings['seeds']}; a figure "
                             f"without a spread says little")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return description


def check_entries(table: Plain, entries: Entries, optional: Collection[str] = ()) -> None:
    """Raise an ``InputError`` unless exactly these entries are given, each of its type; ``[int]`` is a list of int."""
    if missing := [key for key in entries if key not in table and key not in optional]:
        raise InputError(f"the entry {missing[0]} must be given, but is not")
    for key, value in table.items():
        if key not in entries:
            raise InputError(f"there must be no entry {key!r}; known are {', '.join(entries)}")
        field = entries[key]
        items = value if isinstance(field, list) and isinstance(value, list) else [value]
        kind = field[0] if isinstance(field, list) else field
        if isinstance(field, list) != isinstance(value, list) or not all(_is(item, kind) for item in items):
            raise InputError(f"{key} must be {'a list of ' if isinstance(field, list) else ''}{kind.__name__}, not {value!r}")


def _is(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
