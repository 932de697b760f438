"""Tables as text: comma- or tab-separated values with a header, one line a sample."""
from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from golden_model.data.categories import MISSING, codes_of, names_of
from golden_model.data.reading import Collection, Reading
from golden_model.errors import InputError
from golden_model.sections import brief

SUFFIXES = (".csv", ".tsv")
LABELS = ("label", "class", "target")     # of the column with the classes, where nobody names it
MOST_BYTES = 1 << 30                      # of a file
MOST_COLUMNS = 65_536


def read(path: Path, name: str, reading: Reading) -> Collection:
    """The samples of a file of comma-separated (``.csv``; semicolons, where the header has them) or tab-separated (``.tsv``)
    values in UTF-8.

    Raises
    ------
    InputError
        Names the file, the line and the column, what they must be, what was found, and the remedy.
    """
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise InputError(f"{path} must have at most {MOST_BYTES} bytes, not {size}; split it, or save it as Parquet or "
                             f".npz")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(file, path, name, reading)
    except UnicodeDecodeError:
        raise InputError(f"{path} must be text in UTF-8, but is not; save it so") from None
    except csv.Error as error:
        raise InputError(f"{path} must be a table as text, but: {error}; save it anew") from None
    except OSError as error:
        raise InputError(f"{path} must be a file that can be read, but: {error.strerror}; give yourself the right to, or copy "
                         "it") from None


def _read(file: TextIO, path: Path, name: str, reading: Reading) -> Collection:
    start = file.readline()
    file.seek(0)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if start.count(";") > start.count(",") else ","
    rows = csv.reader(file, delimiter=delimiter, strict=True)
    header = [each.strip() for each in next(rows, [])]
    check_header(header, str(path))
    label, beside = roles(header, reading, str(path))
    features = features_of(header, reading, label, beside)
    numbers = {each: array("d") for each in features if each not in reading.categories}
    texts: dict[str, list[str]] = {each: [] for each in (label, *beside, *reading.categories)}
    places = {each: header.index(each) for each in (*numbers, *texts)}
    for line, row in _lines(rows):
        if len(row) != len(header):
            raise InputError(f"{path} must have {len(header)} values in each line, as its header, but line {line} has "
                             f"{len(row)}; mend the line")
        for each, column in numbers.items():
            column.append(_number(row[places[each]], each, line, path))
        for each, entries in texts.items():
            entries.append(row[places[each]].strip())
        if not texts[label][-1]:
            raise InputError(f"{path} must have a class in column {brief(label)} of each line, but line {line} has none; leave "
                             "the line out")
    if not texts[label]:
        raise InputError(f"{path} must have a line for each sample below its header, but has none; add some")
    names = {each: names_of(texts[each], each) for each in reading.categories}
    values = np.column_stack([codes_of(texts[each], names[each]) if each in names else np.frombuffer(numbers[each])
                              for each in features])
    columns = {each: plain(texts[each]) for each in beside}
    return Collection(name=name, kind="table", values=values, labels=plain(texts[label]), features=tuple(features),
                      categories=tuple(names.get(each, ()) for each in features) if names else (),
                      columns=columns, source=f"{len(values):,} lines of {path.name}")


def check_header(header: list[str], what: str) -> None:
    """Refuse a header that names no columns, or one of them twice."""
    if not 2 <= len(header) <= MOST_COLUMNS or not all(header) or all(is_number(each) for each in header):
        raise InputError(f"{what} must begin with a line that names each of its columns, two or more, not {brief(header[:8])}; "
                         "add it")
    if len(set(header)) < len(header):
        twice = next(each for each in header if header.count(each) > 1)
        raise InputError(f"{what} must have a name of its own for each column, but {brief(twice)} is there twice; rename one")


def roles(header: list[str], reading: Reading, what: str) -> tuple[str, list[str]]:
    """The column of the classes, and those that the split asks for."""
    label = reading.label or next((each for each in header if each.lower() in LABELS), None)
    few = ", ".join(map(brief, header[:20])) + (", ..." if len(header) > 20 else "")
    if label is None:
        raise InputError(f"{what} must have a column label, class or target, but has {few}; name the one with the classes by "
                         "--label")
    beside = [reading.split.column] if reading.split is not None and reading.split.column else []
    # of samples to be tested on, columns that were left out in training need not be there
    without = () if reading.split is not None and reading.split.rule == "all" else reading.without
    for each in (label, *beside, *without, *reading.categories):
        if each not in header:
            raise InputError(f"{what} must have the column {brief(each)}, but has {few}; mend the name")
    if label in beside or label in reading.without:
        raise InputError(f"the column {brief(label)} of the classes must be neither left out nor that of the split; choose "
                         "another")
    for each in reading.categories:
        if each in (label, *beside, *reading.without):
            raise InputError(f"the column {brief(each)} of --categories must be one of the values, not that of classes or "
                             f"split or one that is left out; choose another")
    if not set(header) - {label, *beside, *reading.without}:
        raise InputError(f"{what} must have a column beside {brief(label)} that says something of the samples, but has none")
    return label, beside


def features_of(header: list[str], reading: Reading, label: str, beside: list[str]) -> list[str]:
    """The columns with the values of a sample."""
    return [each for each in header if each not in (label, *beside, *reading.without)
            and (not reading.only or each in reading.only)]


def plain(texts: list[str]) -> list[int] | list[str]:
    """Whole numbers, if all texts are written as such; else the texts."""
    if all(text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 19 for text in texts):
        return [int(text) for text in texts]
    return texts


def _lines(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the number of the line each ends in."""
    for row in rows:
        if row:
            yield rows.line_num, row              # type: ignore[attr-defined]


def _number(text: str, column: str, line: int, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        if text.strip().lower() in MISSING:
            return float("nan")
        if is_number(text.strip().replace(",", ".", 1)):
            raise InputError(f"{path} must have numbers with a point in column {brief(column)}, but line {line} has "
                             f"{brief(text)}; save it with points") from None
        raise InputError(f"{path} must have numbers in column {brief(column)}, but line {line} has {brief(text)}; name it in "
                         f"--categories if it has names, or leave it out by --without") from None


def is_number(text: str) -> bool:
    """Whether it is written as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
