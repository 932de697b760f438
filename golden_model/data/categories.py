"""Columns whose entries are names: each name gets an input of its own, which is 255 where it stands and 0 elsewhere.

A column is known by the names that it had in the training data, in order. Between files and an encoding travel codes: the
place of a name among them, ``OTHER`` for a name that is none of them, NaN where there is none.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data.scaling import GREATEST
from golden_model.errors import InputError
from golden_model.sections import brief

Codes = npt.NDArray[np.float64]
Category = tuple[str, ...]                # the names of a column, in order
OTHER = -1.0
MOST_NAMES = 256                          # of a column
MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}      # in lower case, as what stands where there is nothing


def names_of(texts: Iterable[str], column: str) -> Category:
    """The different names of a column in order, without what stands for a missing one.

    Raises
    ------
    InputError
        If there are none, or too many to be names.
    """
    names = tuple(sorted({text for text in texts if text.lower() not in MISSING}))
    if not 1 <= len(names) <= MOST_NAMES:
        raise InputError(f"the column {brief(column)} of --categories must have 1 to {MOST_NAMES} different names, not "
                         f"{len(names)}; leave it out by --without, or take it as numbers")
    return names


def occurring(codes: Codes, names: Category) -> Category:
    """The names that some codes (samples,) have."""
    there = set(codes[codes >= 0].tolist()) if names else set()
    return tuple(name for place, name in enumerate(names) if place in there)


def codes_of(texts: Sequence[Any], names: Category) -> Codes:
    """The codes (samples,) of texts; None and NaN are missing, too."""
    places = {name: float(place) for place, name in enumerate(names)}
    missing = float("nan")
    return np.array([missing if text is None or str(text).strip().lower() in MISSING
                     else places.get(str(text).strip(), OTHER) for text in texts], np.float64)


def recoded(codes: Codes, names: Category, known: Category) -> Codes:
    """Codes (samples,) among ``names`` as those among ``known``; NaN stays."""
    if names == known:
        return codes
    places = {name: float(place) for place, name in enumerate(known)}
    table = np.array([*(places.get(name, OTHER) for name in names), OTHER])                # the last one, of OTHER
    missing = np.isnan(codes)
    result = table[np.where(missing, OTHER, codes).astype(np.int64)]
    return np.where(missing, codes, result)


def one_hot(codes: Codes, count: int) -> npt.NDArray[np.uint8]:
    """Inputs (samples, count) of codes (samples,): all are 0 where a name is another or missing."""
    return (codes[:, None] == np.arange(count)).astype(np.uint8) * np.uint8(GREATEST)
