"""``Samples``: what was measured and what it is, for training and for testing, before an encoding makes bytes of it."""
from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data import classes, idx
from golden_model.data.categories import Category
from golden_model.data.encoding import numbers
from golden_model.data.recipe import Recipe
from golden_model.data.splits import Places, Split
from golden_model.errors import InputError

Values = npt.NDArray[Any]
Labels = Sequence[Any] | npt.NDArray[Any]

KINDS = ("table", "image", "sequence")
USUAL = {"table": "quantile", "image": "range polarity", "sequence": "minmax"}          # recipes
HOLD_OUT_STREAM = 0x401D                  # tells these random numbers from others that start from the same seed


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Labelled samples as they were measured. The arrays are not copied: do not write to them.

    Parameters
    ----------
    name : str
    train_values, test_values : numbers (samples, ...)
        The shape of a sample is (values,) in a ``table``, (height, width) or (height, width, channels) of an ``image``,
        (frames, channels) of a ``sequence``.
    train_labels, test_labels : (samples,)
        Texts or numbers.
    source : str
        One line that says where they come from.
    kind : str
    features : tuple of str
        Names of the values of a table.
    categories : tuple of tuple of str
        For each value of a table the names whose codes (``golden_model.data.categories``) it has, () if it is a number; or ()
        if all are.
    frames : str
        How recordings got their number of frames, ``resample`` or ``pad``; empty if they had it.
    indexed : bool
        Whether labels are outputs, though some may not occur, as in files of bytes.
    divided : bool
        Whether a rule has split them, and not who made the files.
    split : Split
        The rule by which ``fold`` divides the training samples again: that which has split them, or by class.
    beside : (training samples,)
        The group or the time of each, where that rule asks for it.

    ``sha256``: of values, labels and names. Of pictures in bytes with outputs for labels it is that of the four IDX files that
    would hold them; see ``Dataset``. ``whole_sha256``: that of the samples of which these are a part.

    Raises
    ------
    InputError
        If values and labels do not fit each other.
    """

    name: str
    train_values: Values
    train_labels: Labels
    test_values: Values
    test_labels: Labels
    source: str
    kind: str = "table"
    features: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    frames: str = ""
    indexed: bool = False
    divided: bool = False
    split: Split = field(default=Split())
    beside: Sequence[Any] = ()
    whole_sha256: str = ""
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"kind of samples must be table, image or sequence, not {self.kind!r}")
        for part in ("train", "test"):
            values = numbers(getattr(self, f"{part}_values"))
            object.__setattr__(self, f"{part}_values", values)
            labels = np.asarray(getattr(self, f"{part}_labels")) if self.indexed else classes.listed(
                getattr(self, f"{part}_labels"))
            object.__setattr__(self, f"{part}_labels", labels)
            if len(values) == 0:
                raise InputError(f"there must be 1 or more samples to {part} with, not none; choose another split")
            if len(labels) != len(values):
                raise InputError(f"{part}_labels must be one for each of the {len(values)} samples, not {len(labels)}")
        if self.train_values.shape[1:] != self.test_values.shape[1:]:
            raise InputError(f"test samples must have the shape {self.shape} of training samples, not "
                             f"{self.test_values.shape[1:]}; take both from one data set")
        if self.features and len(self.features) != math.prod(self.shape):
            raise InputError(f"features must be {math.prod(self.shape)} names, one for each value, not {len(self.features)}")
        if self.categories and len(self.categories) != math.prod(self.shape):
            raise InputError(f"categories must be {math.prod(self.shape)} lists of names, one for each value, not "
                             f"{len(self.categories)}")
        object.__setattr__(self, "sha256", self._digest())
        object.__setattr__(self, "whole_sha256", self.whole_sha256 or self.sha256)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample."""
        return tuple(self.train_values.shape[1:])

    @property
    def has_channels(self) -> bool:
        """Whether the last axis of a sample has channels, which points or frames have in common."""
        return self.kind == "sequence" or self.kind == "image" and len(self.shape) == 3

    @property
    def constant(self) -> tuple[int, ...]:
        """The values of a table, or the channels of recordings, that are the same in all training samples, by their places.

        Pixels are not looked at: the margins of pictures are constant as a rule. Missing values count for nothing.
        """
        if self.kind == "image":
            return ()
        values = self.train_values.reshape(-1, self.shape[-1] if self.has_channels else math.prod(self.shape))
        return tuple(np.flatnonzero(np.fmin.reduce(values) == np.fmax.reduce(values)).tolist())

    @property
    def usual_recipe(self) -> Recipe:
        """What is fitted where nobody says otherwise. Dark pictures in bytes of the full range stay as they are."""
        return Recipe.parse(USUAL[self.kind])

    def hold_out(self, count: int, seed: int = 0) -> Samples:
        """Training samples only: ``count`` of them, drawn at random, are tested on, the rest stays in order."""
        total = len(self.train_labels)
        if not 1 <= count < total:
            raise InputError(f"images to hold out must be 1 to {total - 1} of the {total} training images, not {count}")
        if seed < 0:
            raise InputError(f"the seed of held-out images must be 0 or more, not {seed}")
        order = np.random.default_rng([seed, HOLD_OUT_STREAM]).permutation(total)
        return self._held_out(np.sort(order[count:]), order[:count],
                              f"tested on {count} held-out training images (seed {seed})")

    def fold(self, fold: int, folds: int) -> Samples:
        """Training samples only: one of so many folds of them, 1, 2, ..., is tested on, by the rule that has split them.

        So settings for persons who were never heard are chosen on persons who were not heard either.
        """
        split = self.split.each(folds)[fold - 1]
        train, test = split.places(classes.listed(self.train_labels), {split.column: self.beside})
        return self._held_out(train, test, f"tested on {len(test)} training images, fold {split}")

    def _held_out(self, train: Places, test: Places, note: str) -> Samples:
        return replace(self, train_values=self.train_values[train], train_labels=_taken(self.train_labels, train),
                       test_values=self.train_values[test], test_labels=_taken(self.train_labels, test),
                       beside=[self.beside[place] for place in train] if self.beside else (), source=f"{self.source}; {note}")

    def first(self, train: int | None = None, test: int | None = None) -> Samples:
        """The first ``train`` training and ``test`` test samples (None: all of them), for quick runs."""
        counts = []
        for part, count, labels in (("training", train, self.train_labels), ("test", test, self.test_labels)):
            if count is not None and not 1 <= count <= len(labels):
                raise InputError(f"the {part} images to take must be 1 to {len(labels)}, not {count}")
            counts += [f"{count} {part}"] if count is not None else []
        return replace(self, train_values=self.train_values[:train], train_labels=self.train_labels[:train],
                       beside=self.beside[:train],
                       test_values=self.test_values[:test], test_labels=self.test_labels[:test],
                       source=self.source + (f"; the first {' and '.join(counts)} images" if counts else ""))

    def _digest(self) -> str:
        digest = hashlib.sha256()
        pictures = self.indexed and self.train_values.dtype == np.uint8 and len(self.shape) == 2 and not self.features
        for values, labels in ((self.train_values, self.train_labels), (self.test_values, self.test_labels)):
            if pictures:
                digest.update(idx.magic_and_sizes(*values.shape))
                digest.update(np.ascontiguousarray(values).data)
                digest.update(idx.magic_and_sizes(len(labels)))
                digest.update(np.asarray(labels).astype(np.uint8).data)
            else:
                plain = values.dtype.newbyteorder("<")
                head = {"features": self.features, "labels": classes.listed(labels), "shape": values.shape, "type": plain.str}
                head |= {"categories": self.categories} if self.categories else {}
                digest.update(json.dumps(head, sort_keys=True, separators=(",", ":")).encode())
                digest.update(np.ascontiguousarray(values, plain).data.cast("B") if values.size else b"")
        return digest.hexdigest()


def _taken(labels: Labels, places: npt.NDArray[np.int64]) -> Labels:
    return labels[places] if isinstance(labels, np.ndarray) else [labels[place] for place in places]
