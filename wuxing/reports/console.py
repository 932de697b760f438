"""What the commands say: tables and sentences for people, JSON for programs, nothing that a terminal would obey."""
from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape

from golden_model.errors import InputError, InternalError
from golden_model.network import Network
from golden_model.storage.atomic_write import write_atomically
from wuxing import streams
from wuxing.reports.sheet import Sheet

if TYPE_CHECKING:                         # results are dataclasses, which mypy sees to
    from _typeshed import DataclassInstance

STDOUT = Path("-")
FLAT = MappingProxyType({"json": "flat"})         # of a field whose entries stand in JSON beside those of its owner
OPTIONAL = MappingProxyType({"json": "optional"})  # of a field that is left out of JSON where it is None

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def out(json_file: Path | None = None) -> Console:
    """The console for results: stdout, or stderr where JSON takes stdout."""
    return Console(stderr=json_file == STDOUT, highlight=False, emoji=False)


def err() -> Console:
    """The console for progress."""
    return Console(stderr=True, highlight=False, emoji=False)


def table(title: str, *, left: tuple[str, ...] = (), right: tuple[str, ...] = ()) -> Sheet:
    """A table with the columns ``left`` (text) and then ``right`` (numbers)."""
    sheet = Sheet(title=title, title_justify="left", min_width=len(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
                 show_edge=False, pad_edge=False)
    for heading in left:
        sheet.add_column(heading, overflow="fold")
    for heading in right:
        sheet.add_column(heading, justify="right", overflow="fold")
    return sheet


def printable(text: object) -> str:
    """Text from a file or an option without control characters, which a terminal would obey."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in str(text))


def literal(text: object) -> str:
    """As ``printable``, and without meaning for rich."""
    return escape(printable(text))


def plain(value: object) -> Json:
    """What a result is in JSON: a dataclass is a table of its fields, but for those that are marked ``FLAT`` and
    ``OPTIONAL``. A network is its description, a path its text.

    Raises
    ------
    InternalError
        If it holds anything that is none of these, nor plain JSON.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Network):
        return plain(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        table: dict[str, Json] = {}
        for entry in fields(value):
            inner = plain(getattr(value, entry.name))
            if entry.metadata == FLAT and isinstance(inner, dict):
                table |= inner
            elif inner is not None or entry.metadata != OPTIONAL:
                table[entry.name] = inner
        return table
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    raise InternalError(f"a result must hold plain JSON, not {type(value).__name__}")


def table_of(result: DataclassInstance) -> dict[str, Json]:
    """``plain`` of a dataclass."""
    table = plain(result)
    assert isinstance(table, dict)
    return table


def json_text(result: DataclassInstance) -> str:
    """A result as the text of a JSON file."""
    return json.dumps(plain(result), indent=2, allow_nan=False) + "\n"


def write_json(path: Path | None, result: DataclassInstance) -> None:
    """Write ``json_text`` to the file, all or nothing; to stdout for ``-``; nowhere for None."""
    if path is None:
        return
    text = json_text(result)
    if path == STDOUT:
        print(text, end="", flush=True)
    else:
        write_atomically(path, text)


def check_writable(*paths: Path | None) -> None:
    """Refuse, before hours of training, files that could not be written after it, and ``-`` where stdout is closed."""
    for path in paths:
        if path == STDOUT and streams.closed(sys.stdout):
            raise InputError("stdout must be open to write - to it, but is closed; name a file")
        if path is None or path == STDOUT:
            continue
        reason = None
        if path.is_dir():
            reason = "it is a folder"
        elif path.exists():
            reason = None if os.access(path, os.W_OK) else "it is read-only"
        elif not path.parent.is_dir():
            reason = f"there is no folder {path.parent}"
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            reason = f"folder {path.parent} is read-only"
        if reason is not None:
            raise InputError(f"{path} must be a file that can be written, but: {reason}; choose another place")
