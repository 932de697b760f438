"""Folders of four IDX files under the names of MNIST's, plain or packed, as MNIST, Fashion-MNIST and KMNIST come.

``golden_model.data.idx`` reads each of them.
"""
from __future__ import annotations

import stat
from pathlib import Path

import numpy as np

from golden_model.data import download, idx
from golden_model.data.samples import Samples
from golden_model.errors import InputError

FILES = tuple(download.MNIST)              # of every data set, in this order


def _find(folder: Path, name: str) -> Path | None:
    """The file of that name in one of its four spellings; plain before packed."""
    spellings = [spelling + ending for ending in ("", ".gz") for spelling in (name, name.replace("-idx", ".idx"))]
    return next((folder / spelling for spelling in spellings if stat.S_ISREG(mode(folder / spelling))), None)


def mode(path: Path) -> int:
    """What is at that path, as ``stat`` says it; 0: nothing. What may not be looked at is not called missing."""
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise InputError(f"{path.parent} must be a folder that may be read and entered, but: {error.strerror}; give yourself "
                         f"the right to (chmod), or copy what it holds to another folder") from None
    except (OSError, ValueError):                         # a name too long for a file, or with a null
        return 0


def missing(folder: Path) -> list[str]:
    """Names of the files that the folder does not have."""
    return [name for name in FILES if _find(folder, name) is None]


def read(folder: Path, name: str) -> Samples:
    """The data set in a folder.

    Raises
    ------
    InputError
        If a file is missing or is not what it must be, or two do not belong together.
    """
    paths = [path for file in FILES if (path := _find(folder, file)) is not None]
    if len(paths) < len(FILES):
        raise InputError(f"folder {folder} must hold the four IDX files of a data set, plain or with .gz, but "
                         f"{', '.join(missing(folder))} is missing; put it there")
    train_images, train_labels, test_images, test_labels = (
        idx.read(path, dimensions) for path, dimensions in zip(paths, (3, 1, 3, 1), strict=True))
    for images, labels, at in ((train_images, train_labels, 0), (test_images, test_labels, 2)):
        if len(images) != len(labels):
            raise InputError(f"{paths[at + 1]} must have a label for each of the {len(images)} images of {paths[at].name}, "
                             f"not {len(labels)} labels; take both from one data set")
    for labels, at in ((train_labels, 1), (test_labels, 3)):
        if labels.min() < 0 or labels.max() > 255:
            raise InputError(f"{paths[at]} must have labels 0..255, not {labels.min()}..{labels.max()}; number the classes")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise InputError(f"{paths[2]} must have images of {idx.by_sizes(train_images.shape[1:])} like {paths[0].name}, "
                         f"not {idx.by_sizes(test_images.shape[1:])}; take both from one data set")
    kind = "table" if train_images.ndim == 2 else "image"
    return Samples(name=name, kind=kind, indexed=True, train_values=train_images, train_labels=train_labels.astype(np.int64),
                   test_values=test_images, test_labels=test_labels.astype(np.int64), source=f"IDX files in {folder}")
