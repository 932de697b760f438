"""The data that a model was trained on, found again by their SHA-256: a name alone says nothing, two folders can share it.

A model file holds the name of its data set, never a path. Where no ``--dataset`` is given, the data set of the project that has
the SHA-256 of the training record is meant, else a folder of the recorded name in the current folder or in the data folder.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from golden_model.data import datasets
from golden_model.data.datasets import Dataset
from golden_model.data.encoding import Encoding
from golden_model.data.reading import USUAL, Reading
from golden_model.data.samples import Samples
from golden_model.data.splits import Split
from golden_model.errors import InputError
from golden_model.sections import brief
from wuxing.reports import console

DatasetOption = Annotated[str | None, typer.Option("--dataset", help=(
    "What wuxing train takes, read in the same way; samples of another file than the model was trained on are all tested on. "
    "By default the one that the model was trained on: one that has a name, or a folder or file of the same name and content "
    "here or in WUXING_DATA."))]


def load(name: str | None, record: Mapping[str, object], encoding: Encoding, quiet: bool = False) -> Dataset:
    """The data set of that name or, without one, the one of the training record, as the bytes of the model's encoding.

    A name that is given is followed. If the record knows another data set by it, or the model was trained on images that are
    tested on, a line on stderr says so.

    Raises
    ------
    InputError
        If there is no such data set, or the record does not say which one it was, or that one is not found, or its samples are
        not such as the model was trained on.
    """
    return datasets.encoded(measured(name, record, encoding, quiet), encoding=encoding)


def measured(name: str | None, record: Mapping[str, object], encoding: Encoding, quiet: bool) -> Samples:
    """The samples of that name or, without one, those of the training record."""
    if name is None:
        return trained_on(record)
    reading = USUAL if name in datasets.SHA256 else reading_of(record)
    note, column = "", "" if reading.split is None else reading.split.column
    # files that the model was trained on were split; others are all new to it, and need no column that says nothing of a sample
    others = replace(reading, split=Split(rule="all"), without=(*reading.without, *([column] if column else [])),
                     only=encoding.features)
    try:
        dataset = datasets.read(name, reading)
    except InputError:                                            # too few to be split; what else is wrong is said again
        dataset = datasets.read(name, others)
    if dataset.divided and not is_that(dataset, record):
        dataset = datasets.read(name, others)
    if dataset.name == record.get("dataset") and not is_that(dataset, record):
        note = f"{name} is not the {dataset.name} that the model was trained on: their SHA-256 differ"
    if (dataset.sha256, whole_sha256(record)) == (datasets.SHA256["mnist-5k"], datasets.SHA256["mnist"]):
        note = "the test images of mnist-5k are training images of mnist, which the model was trained on: it may know them"
    if note and not quiet:
        console.err().print(console.literal(note), soft_wrap=True)
    return dataset


def trained_on(record: Mapping[str, object]) -> Samples:
    """The data set of a training record: what bears its name need not be it, what bears its SHA-256 is."""
    name, digest = record.get("dataset"), whole_sha256(record) or record.get("dataset_sha256")
    if not isinstance(name, str) or not isinstance(digest, str):
        raise InputError("--dataset must be given for a model whose training record does not say which data set it was trained "
                         "on; give its name or path")
    named = [known for known, sha256 in datasets.SHA256.items() if sha256 == digest]
    places = [*named, *([name] if name in datasets.SHA256 else []), *_folders(name)]
    tried_places = []
    for place in dict.fromkeys(places):
        if place not in named and not datasets.available(place):
            continue                                      # nothing is downloaded for a name alone
        try:
            dataset = datasets.read(place, USUAL if place in datasets.SHA256 else reading_of(record))
        except InputError:
            if place in named:
                raise
            continue
        if is_that(dataset, record):
            return dataset
        tried_places.append(f"{place} has {dataset.sha256[:12]}...")
    names = " and ".join(tried_places) or "there is none"
    raise InputError(f"the data set {brief(name)} that the model was trained on (SHA-256 {digest[:12]}...) must be one "
                     f"of {', '.join(datasets.SHA256)}, or a folder or file of this name here or in {datasets.data_folder()}, "
                     f"but {names}; give it by --dataset PATH")


def reading_of(record: Mapping[str, object]) -> Reading:
    """How the files were read that a model was trained on."""
    return Reading.from_dict(record.get("reading", {}))


def is_that(dataset: Samples | Dataset, record: Mapping[str, object]) -> bool:
    """Whether the model of this record was trained on this data set, or on a part of it."""
    if digest := whole_sha256(record):
        return dataset.sha256 == digest
    try:                                                  # records before whole_sha256 have the SHA-256 of the part alone
        options: Any = record["options"]
        seed: Any = record["seed"]
        part = dataset.first(options["train_images"], options["test_images"])
        if (held_out := options["hold_out"]) is None:
            return part.sha256 == record["dataset_sha256"]
        return any(part.hold_out(held_out, draws).sha256 == record["dataset_sha256"] for draws in {0, seed})
    except (InputError, KeyError, TypeError, ValueError):
        return False


def whole_sha256(record: Mapping[str, object]) -> str | None:
    """The SHA-256 of the data set of a record, all of it; None where only that of the part that was used is known."""
    options = record.get("options", {})
    if (digest := record.get("whole_dataset_sha256")) is None and isinstance(options, dict) and not any(
            options.get(part) for part in ("train_images", "test_images", "hold_out")):
        digest = record.get("dataset_sha256")
    return digest if isinstance(digest, str) else None


def _folders(name: str) -> list[str]:
    """Where a folder of that name may lie: here, and in the data folder. Names that are more than a name lie nowhere."""
    if not name or name in (".", "..") or Path(name).name != name:
        return []
    return [str(Path.cwd() / name), str(datasets.data_folder() / name)]
