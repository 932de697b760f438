"""``Reading``: what must be said of files so that samples can be read from them; and ``Collection``, what was read.

A model file keeps the reading of its data, so that they are read in the same way again.
"""
from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy.typing as npt

from golden_model.data.categories import Category, occurring, recoded
from golden_model.data.samples import Samples
from golden_model.data.splits import Split
from golden_model.errors import InputError
from golden_model.sections import brief

LISTS = ("without", "categories", "only")         # entries of a reading that are lists
MOST_SIDE = 1024                          # of an image
MOST_FRAMES = 65_536                      # of a recording


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files become samples. What is left out follows from the files.

    Parameters
    ----------
    label : str
        The column of a table that has the classes; by default ``label``, ``class`` or ``target``.
    without : tuple of str
        Columns of a table that are not looked at.
    categories : tuple of str
        Columns of a table whose entries are names, each of which becomes an input.
    only : tuple of str
        Columns of a table that are looked at beside the classes; () for all.
    split : Split
        By default the one of the files where they have one, else ``stratified``.
    size : str
        Height, width and channels of images, as ``28x28x1``: 1 is grey, 3 are colours.
    frames : str
        How many a recording gets: ``32``, to which it is resampled, or ``pad:32``.

    Raises
    ------
    InputError
        If a size or a number of frames cannot be read.
    """

    label: str | None = None
    without: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    split: Split | None = None
    size: str | None = None
    frames: str | None = None

    def __post_init__(self) -> None:
        self.image_shape()
        self.length()

    def image_shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of images; None: those of the files."""
        if self.size is None:
            return None
        match = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})x([13])", self.size)
        if match is None or max(int(match[1]), int(match[2])) > MOST_SIDE:
            raise InputError(f"the size of images must be written HEIGHTxWIDTHxCHANNELS, as 28x28x1 for grey or 32x32x3 for "
                             f"colours, sides of at most {MOST_SIDE}, not {brief(self.size)}")
        return int(match[1]), int(match[2]), int(match[3])

    def length(self) -> tuple[str, int] | None:
        """``resample`` or ``pad``, and the number of frames; None: all recordings have the same."""
        if self.frames is None:
            return None
        match = re.fullmatch(r"(pad:)?([1-9]\d{0,4})", self.frames)
        if match is None or int(match[2]) > MOST_FRAMES:
            raise InputError(f"frames of recordings must be a number from 1 to {MOST_FRAMES}, as 32, or pad:32 to pad them, "
                             f"not {brief(self.frames)}")
        return "pad" if match[1] else "resample", int(match[2])

    @property
    def frame_rule(self) -> str:
        """``resample`` or ``pad``; empty: recordings are as long as they are."""
        return "" if (rule := self.length()) is None else rule[0]

    def to_dict(self) -> dict[str, Any]:
        """What is not so by default, as plain data for JSON."""
        data = {entry.name: getattr(self, entry.name) for entry in fields(self) if getattr(self, entry.name) != entry.default}
        if self.split is not None:
            data["split"] = str(self.split)
        return data | {name: list(getattr(self, name)) for name in LISTS if getattr(self, name)}

    @classmethod
    def from_dict(cls, data: Any) -> Reading:
        """A reading from plain data.

        Raises
        ------
        InputError
            If an entry is unknown or not what it must be.
        """
        names = [entry.name for entry in fields(cls)]
        if not isinstance(data, Mapping) or not set(data) <= set(names):
            raise InputError(f"a reading must have entries of {', '.join(names)}, not {brief(data)}")
        lists = {name: data.get(name, []) for name in LISTS}
        texts = [data[name] for name in data if name not in LISTS]
        if any(not isinstance(each, list) for each in lists.values()) \
                or any(not isinstance(text, str) for text in itertools.chain(texts, *lists.values())):
            raise InputError(f"the entries of a reading must be texts, not {brief(data)}")
        split = {"split": Split.parse(data["split"])} if "split" in data else {}
        return cls(**dict(data) | split | {name: tuple(each) for name, each in lists.items()})


USUAL = Reading()


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """Samples of one kind that are not split yet. ``columns``: what is known of each sample besides, groups and times.
    ``categories``: for each value the names whose codes it has, or (); ``frames``: as of ``Samples``."""

    name: str
    kind: str
    values: npt.NDArray[Any]
    labels: Sequence[Any]
    source: str
    features: tuple[str, ...] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    categories: tuple[Category, ...] = ()
    frames: str = ""

    def split(self, split: Split | None = None) -> Samples:
        """Samples to train and to test with; by default ``stratified``."""
        split = Split() if split is None else split
        train, test = split.places(self.labels, self.columns)
        rule = {"stratified": f"split by class, fold {split.fold} of {split.folds} is tested on",
                "group": f"split by {split.column}, fold {split.fold} of {split.folds} is tested on",
                "time": f"split by the time {split.column}, fold {split.fold} of {split.folds} from the last is tested on",
                "column": f"split by the column {split.column}", "all": "all are tested on"}[split.rule]
        rule_again = Split() if split.rule in ("column", "all") else Split(rule=split.rule, column=split.column)
        train_values, test_values = self.values[train], self.values[test]
        known = self.categories
        if known:                                             # of names that only test samples have nobody may know
            known = tuple(occurring(train_values[:, place], names) for place, names in enumerate(self.categories))
            for values in (train_values, test_values):
                for place, names in enumerate(self.categories):
                    values[:, place] = recoded(values[:, place], names, known[place]) if names else values[:, place]
        return Samples(name=self.name, kind=self.kind, features=self.features, categories=known, frames=self.frames,
                       source=f"{self.source}; {rule}",
                       divided=split.rule != "column", split=rule_again,
                       beside=[self.columns[split.column][place] for place in train] if rule_again.column else (),
                       train_values=train_values, test_values=test_values,
                       train_labels=[self.labels[place] for place in train], test_labels=[self.labels[place] for place in test])
