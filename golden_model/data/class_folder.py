"""Folders with one sub-folder for each class, and in it a file for each sample: pictures, or recordings.

The name of the sub-folder is the class. A folder inside of it is the group of its samples (a person, a device). Where the
folder has ``train`` and ``test``, these have the classes, and are the split.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from golden_model.data import image_folder, recordings
from golden_model.data.reading import Collection, Reading
from golden_model.data.samples import Samples
from golden_model.data.splits import Split
from golden_model.errors import InputError

PARTS = ("train", "test")
MOST_FILES = 1 << 20


class Item(NamedTuple):
    """A file of a sample; ``group``: the folder inside of its class, or the class where there is none."""

    label: str
    group: str
    part: str
    path: Path


def holds_classes(folder: Path) -> bool:
    """Whether a sub-folder has a picture or a recording."""
    return bool(_items(folder))


def read(folder: Path, name: str, reading: Reading) -> Samples | Collection:
    """The samples of a folder.

    Raises
    ------
    InputError
        If it has pictures and recordings, or a file is not what it must be.
    ToolError
        If what reads pictures is not installed.
    """
    items = list(_items(folder))
    kinds = {_kind(item.path) for item in items}
    if len(kinds) > 1:
        one = {_kind(item.path): item.path for item in items}
        raise InputError(f"folder {folder} must have either pictures or recordings, but has both, {one['image'].name} and "
                         f"{one['sequence'].name}; take them apart")
    module = image_folder if kinds == {"image"} else recordings
    parts = {item.part for item in items}
    if parts != {""} and parts != set(PARTS):
        raise InputError(f"folder {folder} must have classes in both train and test, but only {parts.pop()} has some; add the "
                         f"others")
    if parts == set(PARTS) and reading.split is not None:
        raise InputError(f"folder {folder} has a split of its own, train and test, so that --split must not be given; leave it "
                         f"out")
    collection: Collection = module.read(folder, name, reading, [(item.label, item.path) for item in items])
    columns = {"group": [item.group for item in items], "part": [item.part for item in items]}
    collection = replace(collection, columns=columns)
    return collection.split(Split(rule="column", column="part")) if parts == set(PARTS) else collection


def _items(folder: Path) -> Sequence[Item]:
    items = []
    divided = {each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")} == set(PARTS)
    for path in _files(folder, 5 if divided else 4):
        if _kind(path):
            part, *rest = path.relative_to(folder).parts if divided else ("", *path.relative_to(folder).parts)
            if len(rest) > 1:
                items.append(Item(rest[0], rest[-2], part, path))
    return items


def _files(folder: Path, depth: int) -> list[Path]:
    """All files below a folder, by their names; hidden ones are not looked at."""
    files: list[Path] = []
    for each in sorted(folder.iterdir(), key=lambda path: path.name):
        if each.name.startswith("."):
            continue
        if each.is_dir():
            files += _files(each, depth - 1) if depth else []
        elif each.is_file():
            files.append(each)
        if len(files) > MOST_FILES:
            raise InputError(f"{folder} must have at most {MOST_FILES} files, but has more; take fewer")
    return files


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return "image" if suffix in image_folder.SUFFIXES else "sequence" if suffix in recordings.SUFFIXES else ""
