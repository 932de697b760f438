"""Names of classes: what labels are called, and which output of a network stands for each."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError
from golden_model.sections import brief

Name = str | int | float | bool
Names = tuple[Name, ...]
MOST_CLASSES = 256                        # what a byte can label
MOST_NAME = 256                           # characters


def names_of(labels: npt.ArrayLike) -> Names:
    """The different labels in order: numbers by value, texts by their code points. Equal ones (1, 1.0, True) are one class.

    Labels (samples,) are 0 .. k - 1, all of them: no names, since they are the outputs themselves; then () is returned.

    Raises
    ------
    InputError
        If labels are neither all numbers nor all texts, one is missing, or there are too many.
    """
    names = _different(listed(labels))
    if not 1 <= len(names) <= MOST_CLASSES:
        raise InputError(f"labels must name 1 to {MOST_CLASSES} classes, what a byte can label, not {len(names)}; take the "
                         "column that has the classes")
    if all(type(name) is int for name in names) and names == tuple(range(len(names))):
        return ()
    return names


def check_names(names: Sequence[Any], what: str = "classes") -> Names:
    """Names as a file has them, if each is different and they are in order.

    Raises
    ------
    InputError
        If they are not.
    """
    different = _different(list(names))
    if different != tuple(names) or len(different) > MOST_CLASSES:
        raise InputError(f"{what} must be at most {MOST_CLASSES} different names in order, not {brief(list(names))}")
    return different


def outputs_of(labels: npt.ArrayLike, names: Names) -> npt.NDArray[np.int64]:
    """The output (samples,) that stands for each label; without names the labels themselves.

    Raises
    ------
    InputError
        If a label is none of the names, or, without names, is no whole number.
    """
    values = listed(labels)
    if not names:
        array = np.array(values)
        whole = array.dtype.kind in "iub" or array.dtype.kind == "f" and bool(np.all(np.floor(array) == array))
        if array.size and not whole:
            raise InputError("labels must be whole numbers, the outputs of this network, because its classes have no names; "
                             "train it with these labels to name them")
        return array.astype(np.int64)
    places = {name: place for place, name in enumerate(names)}
    for value in values:
        if not isinstance(value, (str, int, float)) or value not in places:
            few = ", ".join(map(str, names[:8])) + (", ..." if len(names) > 8 else "")
            raise InputError(f"labels must be classes that were trained on ({few}), not {brief(value)}; leave out its "
                             "samples, or train with some of them")
    return np.array([places[value] for value in values], np.int64).reshape(len(values))


def listed(labels: npt.ArrayLike) -> list[Any]:
    """Labels (samples,) as Python's own numbers and texts."""
    array = labels if isinstance(labels, (list, tuple)) else np.asarray(labels)
    if isinstance(array, np.ndarray) and array.ndim != 1:
        raise InputError(f"labels must be of shape (samples,), one for each sample, not {array.shape}; flatten them")
    return [value.item() if isinstance(value, np.generic) else value for value in array]


def _different(values: list[Any]) -> Names:
    for value in values:
        if not isinstance(value, (str, int, float)) or value != value:
            what = "missing" if value is None or isinstance(value, float) else brief(value)
            raise InputError(f"labels must be texts or numbers, but one is {what}; leave out such samples, or name their class")
        if isinstance(value, str) and not 1 <= len(value) <= MOST_NAME:
            raise InputError(f"labels must have 1 to {MOST_NAME} characters, not {len(value)}; name the class")
        if isinstance(value, float) and abs(value) == float("inf"):
            raise InputError("labels must be finite, but one is infinite; name its class")
    if len({isinstance(value, str) for value in values}) > 1:
        raise InputError("labels must be all texts or all numbers, but there are both; write them alike")
    names: list[Name] = []
    for _, value in sorted({(type(value).__name__, value) for value in values}, key=lambda pair: (pair[1], pair[0])):
        if not names or names[-1] != value:                   # of True, 1.0 and 1 the first of these
            names.append(value)
    return tuple(names)
