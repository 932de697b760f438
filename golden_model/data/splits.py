"""Splits: which samples are learnt and which are tested on, the same ones on every machine.

scikit-learn has such splitters; its rules may change with its versions, and with them the digest of a data set.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError
from golden_model.sections import brief

Places = npt.NDArray[np.int64]
RULES = ("stratified", "group", "time", "column", "all")
MOST_FOLDS = 1000
STREAM = 0x5911                           # tells these random numbers from others that start from the same seed
WRITTEN = ("a split must be written stratified, stratified:1/5, group:COLUMN, group:COLUMN:1/5, time:COLUMN, time:COLUMN:1/5, "
           "column:COLUMN or all")


@dataclass(frozen=True, kw_only=True)
class Split:
    """A rule that says which samples are tested on.

    Parameters
    ----------
    rule : str
        ``stratified``: a share of each class, drawn at random. ``group``: the samples of some persons, devices, ..., none of
        whom is in the training data. ``time``: the latest samples; none of an equal or later time is trained on. ``column``:
        those whose text in a column is ``test``; the others have ``train``. ``all``: all of them, for a model that was trained
        on others.
    column : str
        That names the group, the time or the part.
    fold, folds : int
        The samples are cut into so many folds, and fold 1, 2, ... of them is tested on, the others are learnt; by ``time`` the
        folds follow each other, the last one is fold 1, and only what is earlier is learnt.
    seed : int
        Draws the folds.

    Raises
    ------
    InputError
        If there is no such rule or fold.
    """

    rule: str = "stratified"
    column: str = ""
    fold: int = 1
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES or (self.rule in ("group", "time", "column")) != bool(self.column):
            raise InputError(f"{WRITTEN}, not {brief(self.rule + ':' * bool(self.column) + self.column)}")
        if not 2 <= self.folds <= MOST_FOLDS or not 1 <= self.fold <= self.folds - (self.rule == "time"):
            raise InputError(f"the fold of a split must be one of 2 to {MOST_FOLDS}, as 1/5, or by time one that has earlier "
                             f"ones, not {self.fold}/{self.folds}")
        if self.seed < 0:
            raise InputError(f"the seed of a split must be 0 or more, not {self.seed}")

    @classmethod
    def parse(cls, text: str) -> Split:
        """From words with colons between them, as ``group:person:1/5``; see ``WRITTEN``."""
        rule, _, rest = text.partition(":")
        column, fold = "", rest
        if rule in ("group", "time", "column"):
            column, _, fold = rest.rpartition(":") if _is_fold(rest.rpartition(":")[2]) and ":" in rest else (rest, "", "")
        if fold and (not _is_fold(fold) or rule in ("column", "all")):
            raise InputError(f"{WRITTEN}, not {brief(text)}")
        part, _, parts = fold.partition("/")
        return cls(rule=rule, column=column, **({"fold": int(part), "folds": int(parts)} if fold else {}))

    def __str__(self) -> str:
        """As ``parse`` reads it."""
        fold = "" if self.rule in ("column", "all") or (self.fold, self.folds) == (1, 5) else f"{self.fold}/{self.folds}"
        return ":".join(part for part in (self.rule, self.column, fold) if part)

    def each(self, folds: int) -> list[Split]:
        """One split for each of so many folds, for cross-validation; by time the earliest fold is never tested on.

        Raises
        ------
        InputError
            If the rule has no folds, or names one of them, or there are less than two.
        """
        if self.rule in ("column", "all") or (self.fold, self.folds) != (1, 5):
            raise InputError(f"the split must be stratified, group:COLUMN or time:COLUMN where each fold is tested on in turn, "
                             f"not {brief(str(self))}; write it so, without a fold")
        if not 2 + (self.rule == "time") <= folds <= MOST_FOLDS:
            raise InputError(f"folds must be {2 + (self.rule == 'time')} to {MOST_FOLDS}, not {folds}")
        return [replace(self, fold=fold, folds=folds) for fold in range(1, folds + (self.rule != "time"))]

    def places(self, labels: Sequence[Any], columns: Mapping[str, Sequence[Any]]) -> tuple[Places, Places]:
        """Indices of the samples to train and to test with, each in order. ``labels`` (samples,), ``columns`` of (samples,).

        Raises
        ------
        InputError
            If there is no such column, or too few groups or samples for so many folds.
        """
        if self.column and self.column not in columns:
            there = ", ".join(map(brief, list(columns)[:20])) or "no others"
            raise InputError(f"the split must name a column that there is, not {brief(self.column)}; there are {there}")
        count = len(labels)
        if self.rule == "all":
            return np.arange(count), np.arange(count)
        if self.rule == "column":
            return self._by_column(columns[self.column])
        if self.rule == "time":
            return self._by_time(columns[self.column])
        if self.rule == "stratified" and len(set(labels)) == count:
            raise InputError(f"a split by class must have two or more samples of some class, but each of {count} has its own; "
                             "take the column that has the classes, or add samples")
        folds = self._by_class(labels) if self.rule == "stratified" else self._by_group(columns[self.column])
        return _both(folds == self.fold - 1, f"{self}: fold {self.fold} of {self.folds}")

    def _by_class(self, labels: Sequence[Any]) -> Places:
        """The fold of each sample; -1 for the only one of its class, which is always learnt."""
        random = np.random.default_rng([self.seed, STREAM])
        folds, at = np.full(len(labels), -1), 0
        names = {name: place for place, name in enumerate(dict.fromkeys(sorted(labels, key=_sort_key)))}
        members: list[list[int]] = [[] for _ in names]
        for place in random.permutation(len(labels)).tolist():
            members[names[labels[place]]].append(place)
        for each in members:
            if len(each) > 1:
                folds[each] = (at + np.arange(len(each))) % self.folds
                at += len(each)                               # classes of few samples do not all meet in the first fold
        return folds

    def _by_group(self, groups: Sequence[Any]) -> Places:
        """The fold of each sample: groups from the largest on, each to the fold that has fewest samples."""
        sizes: dict[Any, int] = {}
        for group in groups:
            sizes[group] = sizes.get(group, 0) + 1
        if len(sizes) < 2:
            raise InputError(f"a split by group must have two or more groups, but all samples are of one in "
                             f"{brief(self.column)}; split by another column or by class (stratified)")
        if len(sizes) < self.folds:
            raise InputError(f"a split by group must have at most as many folds as there are groups in {brief(self.column)}, "
                             f"{len(sizes)}, not {self.folds}; take so many folds, as in "
                             f"group:{self.column}:1/{max(len(sizes), 2)}")
        names = sorted(sizes, key=_sort_key)
        order = np.random.default_rng([self.seed, STREAM]).permutation(len(names)).tolist()
        filled, fold_of = [0] * self.folds, {}
        for name in sorted((names[place] for place in order), key=lambda name: -sizes[name]):
            fold_of[name] = filled.index(min(filled))
            filled[fold_of[name]] += sizes[name]
        return np.array([fold_of[group] for group in groups], np.int64)

    def _by_time(self, times: Sequence[Any]) -> tuple[Places, Places]:
        count = len(times)
        keys = [_sort_key(time) for time in times]
        order = sorted(range(count), key=keys.__getitem__)
        begins = [count * fold // self.folds for fold in range(self.folds + 1)]
        first, last = begins[self.folds - self.fold], begins[self.folds - self.fold + 1]
        if first == 0 or first == last:
            raise InputError(f"a split by time must have a sample in each fold, but {count} samples have not enough for "
                             f"{self.folds}; choose fewer folds")
        boundary = keys[order[first]]
        end = keys[order[last]] if last < count else None
        before = np.array([key < boundary for key in keys])
        within = np.array([not key < boundary and (end is None or key < end) for key in keys])
        if not before.any() or not within.any():
            raise InputError(f"a split by time must have samples before and after a time of {brief(self.column)}, but too many "
                             "have the same; choose other folds or another column")
        return np.flatnonzero(before), np.flatnonzero(within)

    def _by_column(self, parts: Sequence[Any]) -> tuple[Places, Places]:
        if wrong := [part for part in parts if part not in ("train", "test")]:
            raise InputError(f"column {brief(self.column)} of the split must say train or test of each sample, not "
                             f"{brief(wrong[0])}")
        return _both(np.array([part == "test" for part in parts]), f"column {brief(self.column)}")


def _both(tested: npt.NDArray[np.bool_], what: str) -> tuple[Places, Places]:
    train, test = np.flatnonzero(~tested), np.flatnonzero(tested)
    if not len(train) or not len(test):
        raise InputError(f"a split must leave samples to train and to test with, but {what} leaves none to "
                         f"{'train' if not len(train) else 'test'} with; choose other folds or another split")
    return train, test


def _is_fold(text: str) -> bool:
    part, slash, parts = text.partition("/")
    return bool(slash) and all(each.isascii() and each.isdigit() and len(each) < 5 for each in (part, parts))


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Numbers by value, before texts by their code points."""
    return isinstance(value, str), value
