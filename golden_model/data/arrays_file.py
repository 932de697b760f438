"""Arrays of NumPy: ``.npz`` archives, and folders of ``.npy`` files. Never pickle; sizes are looked at before memory is taken.

Names, in either case: ``X`` and ``y``, or ``X_train``, ``y_train``, ``X_test`` and ``y_test``, and what else ``NAMES`` has;
beside ``X``, ``lengths`` of recordings that were filled up to the longest, and other arrays with one entry for each sample, by
which they can be split.
"""
from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from golden_model.data import npy, recordings
from golden_model.data.reading import Collection, Reading
from golden_model.data.samples import Samples
from golden_model.errors import InputError
from golden_model.sections import brief

Array = npt.NDArray[Any]
Opener = Callable[[], IO[bytes]]

MOST_BYTES = 1 << 32                      # of all arrays, unpacked
MOST_MEMBERS = 256
NAMES = {"x": ("x", "data", "images", "values"), "y": ("y", "labels", "target", "targets", "classes"),
         "x_train": ("x_train", "train_images", "train_x"), "y_train": ("y_train", "train_labels", "train_y"),
         "x_test": ("x_test", "test_images", "test_x"), "y_test": ("y_test", "test_labels", "test_y")}
ROLES = {name: role for role, names in NAMES.items() for name in names}
PARTS = ("x_train", "y_train", "x_test", "y_test")


def read_archive(path: Path, name: str, reading: Reading) -> Samples | Collection:
    """The samples of an ``.npz`` file.

    Raises
    ------
    InputError
        Names the file and the array, what it must be, what was found, and the remedy.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_MEMBERS:
                raise InputError(f"{path} must have at most {MOST_MEMBERS} arrays, not {len(entries)}; leave some out")
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in entries}
            openers = {entry.filename.removesuffix(".npy"): lambda entry=entry: archive.open(entry) for entry in entries}
            return _samples(_read(path, openers, sizes), path, name, reading)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path} must be an .npz file that can be read, but: {getattr(error, 'strerror', None) or error}; "
                         "save it anew by numpy.savez") from None


def read_folder(folder: Path, name: str, reading: Reading) -> Samples | Collection:
    """The samples of a folder that has ``X.npy`` and ``y.npy``, or the four arrays of a split."""
    paths = {path.stem: path for path in sorted(folder.glob("*.npy"))}
    try:
        sizes = {stem: path.stat().st_size for stem, path in paths.items()}
        openers: dict[str, Opener] = {stem: lambda path=path: path.open("rb") for stem, path in paths.items()}   # type: ignore[misc]
        return _samples(_read(folder, openers, sizes), folder, name, reading)
    except OSError as error:
        raise InputError(f"{folder} must have .npy files that can be read, but: {error.strerror}; give yourself the right "
                         f"to") from None


def has_arrays(folder: Path) -> bool:
    """Whether a folder is one of arrays."""
    roles = {ROLES.get(path.stem.lower()) for path in folder.glob("*.npy")}
    return {"x", "y"} <= roles or set(PARTS) <= roles


def _read(place: Path, openers: Mapping[str, Opener], sizes: Mapping[str, int]) -> dict[str, Array]:
    """Arrays by their roles, or by their own names."""
    if (total := sum(sizes.values())) > MOST_BYTES:
        raise InputError(f"{place} must have at most {MOST_BYTES} bytes, unpacked, not {total}; split it")
    arrays: dict[str, Array] = {}
    for name, opener in openers.items():
        role = ROLES.get(name.lower(), name)
        if role in arrays:
            raise InputError(f"{place} must have one array for {role}, but has several, {brief(name)} among them; leave out "
                             "all but one")
        with ExitStack() as stack:
            arrays[role] = npy.read(stack.enter_context(opener()), sizes[name], f"{brief(name)} of {place}")
    return arrays


def _samples(arrays: dict[str, Array], place: Path, name: str, reading: Reading) -> Samples | Collection:
    source = f"arrays in {place.name}"
    if set(PARTS) <= set(arrays):
        if reading.split is not None:
            raise InputError(f"{place} has a split of its own, so that --split must not be given; leave it out, or save X and "
                             f"y")
        parts = [arrays[each] for each in PARTS]
        kind = kind_of(parts[0], place)
        train, test = (recordings.of_length(each, None, reading) if kind == "sequence" else each
                       for each in (parts[0], parts[2]))
        return Samples(name=name, kind=kind, source=source, frames=reading.frame_rule if kind == "sequence" else "",
                       train_values=train, train_labels=_labels(parts[1]),
                       test_values=test, test_labels=_labels(parts[3]))
    if not {"x", "y"} <= set(arrays):
        raise InputError(f"{place} must have the arrays X and y, or X_train, y_train, X_test and y_test, not "
                         f"{', '.join(map(brief, list(arrays)[:8])) or 'none'}; rename them")
    values, labels = arrays.pop("x"), arrays.pop("y")
    kind = kind_of(values, place)
    if kind == "sequence":
        values = recordings.of_length(values, arrays.pop("lengths", None), reading)
    if labels.shape != values.shape[:1]:
        raise InputError(f"y of {place} must be one label for each of the {len(values)} samples, not of shape {labels.shape}; "
                         "save both from one data set")
    columns = {each: array.tolist() for each, array in arrays.items() if array.shape == labels.shape}
    return Collection(name=name, kind=kind, values=values, labels=labels.tolist(), columns=columns, source=source,
                      frames=reading.frame_rule if kind == "sequence" else "")


def kind_of(values: Array, place: object) -> str:
    """``table`` (samples, values); ``image`` in bytes (samples, height, width), or with 1, 3 or 4 channels (samples, height,
    width, channels); ``sequence`` (samples, frames, channels) of other numbers."""
    if values.ndim == 2:
        return "table"
    if values.ndim == 3:
        return "image" if values.dtype == np.uint8 else "sequence"
    if values.ndim == 4 and values.shape[3] in (1, 3, 4):
        return "image"
    raise InputError(f"samples of {place} must be of shape (samples, values), (samples, height, width), (samples, height, "
                     f"width, channels) or (samples, frames, channels), not {values.shape}; reshape them")


def _labels(array: Array) -> Any:
    return array.reshape(-1) if array.shape[1:] == (1,) else array         # as columns come from some libraries
