"""Data sets as a network takes them: images in bytes with labels, by name or from files of one's own.

``golden_model.data.samples`` has what was measured, ``golden_model.data.encoding`` how bytes are made of it.
"""
from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden_model.data import (
    arrays_file,
    bundled,
    class_folder,
    download,
    idx_folder,
    mnist_sample,
    parquet_file,
    table_file,
)
from golden_model.data.encoding import IDENTITY, Encoding
from golden_model.data.reading import USUAL, Collection, Reading
from golden_model.data.recipe import Recipe
from golden_model.data.samples import Samples
from golden_model.data.splits import Split
from golden_model.errors import InputError
from golden_model.network import Network

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

FILES = idx_folder.FILES
SHA256 = {                                # ``Dataset.sha256`` of what has a name
    "mnist": "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
    "mnist-5k": "0e59ae896b24aaf8ef7c395c8f6df65e06d3a2ca172cd4855d2d8ce487af12ae",
    "fashion-mnist": "14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214",
    "digits": "e57ba62e72743acb9d29f1115c7c2c13816b41c54387322490783fef36b7595e",
}


BUNDLED: dict[str, Callable[[], Samples]] = {"digits": bundled.digits, "mnist-5k": bundled.mnist_5k}
DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")         # where its package dataset-fashion-mnist puts the four files


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled images for training and for testing. The arrays are shared, not copied: do not write to them.

    ``train_images`` (n, pixels), ``test_images`` (m, pixels): uint8, rows of an image one after the other.
    ``train_labels`` (n,), ``test_labels`` (m,): int64 in 0..``classes`` - 1.
    ``image_shape``: height and width, whose product is ``pixels`` / ``depth``; 1 and ``pixels`` where samples are no images.
    ``depth``: bytes of a point of the image, beside each other: its channels, and the levels of a code.
    ``source``: one line that says where the data came from.
    ``samples``: what was measured, if that is known; ``encoding``: what made bytes of it; ``recipe``: how that was fitted to
    the training data, None if it is another's.
    ``sha256``: of the four IDX files, unpacked and one after the other in the order train images, train labels, test
    images, test labels. It is the same for gzip and plain files, and for a part of a data set it is that part's own. Where
    samples are no pictures in bytes it is theirs; an encoding does not change it.
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
    depth: int = 1
    samples: Samples | None = None
    encoding: Encoding = IDENTITY
    recipe: Recipe | None = None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        pixels = math.prod(self.image_shape) * self.depth
        if not 1 <= self.classes <= 256:
            raise InputError(f"classes must be 1 to 256, what a byte can label, not {self.classes}")
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
        measured = self._of_bytes() if self.samples is None else self.samples
        object.__setattr__(self, "samples", measured)
        object.__setattr__(self, "sha256", measured.sha256)
        object.__setattr__(self, "whole_sha256", self.whole_sha256 or measured.whole_sha256)

    def untaught(self, outputs: int) -> list[int]:
        """The classes 0..``outputs`` - 1 that have no training image: nothing teaches their outputs when to speak."""
        return np.flatnonzero(np.bincount(self.train_labels, minlength=outputs) == 0).tolist()

    def hold_out(self, count: int, seed: int = 0) -> Dataset:
        """Training images only: ``count`` of them, drawn at random, become the test set, the rest stays in order.

        Settings are chosen on these, so that the real test set is not looked at. An encoding is fitted to the rest.
        """
        return self._again(self.measured.hold_out(count, seed))

    def fold(self, fold: int, folds: int) -> Dataset:
        """Training images only: one of so many folds of them is tested on; see ``Samples.fold``."""
        return self._again(self.measured.fold(fold, folds))

    def first(self, train: int | None = None, test: int | None = None) -> Dataset:
        """The first ``train`` training and ``test`` test images (None: all of them), for quick runs."""
        return self._again(self.measured.first(train, test))

    def encoded_by(self, encoding: Encoding) -> Dataset:
        """The same samples as the bytes of another's encoding, that of a model for example.

        Raises
        ------
        InputError
            If they are not such samples as the encoding was fitted to.
        """
        return encoded(self.measured, encoding=encoding, classes=self.classes)

    @property
    def of_images(self) -> bool:
        """Whether samples are images, whose pixels have neighbours that say much the same."""
        return self.measured.kind == "image"

    @property
    def called(self) -> str:
        """What reports call its samples: ``images`` if they are such, else ``samples``."""
        return "images" if self.of_images else "samples"

    @property
    def kind(self) -> str:
        """Of samples: ``table``, ``image`` or ``sequence``."""
        return self.measured.kind

    @property
    def measured(self) -> Samples:
        """What was measured, before it became bytes; of bytes these themselves."""
        assert self.samples is not None                   # ``__post_init__`` sees to it
        return self.samples

    def _again(self, part: Samples) -> Dataset:
        if self.recipe is not None:
            return encoded(part, self.recipe, classes=self.classes)
        return encoded(part, encoding=self.encoding, classes=self.classes)

    def _of_bytes(self) -> Samples:
        """Bytes as samples of themselves."""
        shape = self.image_shape if self.depth == 1 else (*self.image_shape, self.depth)
        return Samples(name=self.name, kind="image", indexed=True, source=self.source, whole_sha256=self.whole_sha256,
                       train_values=self.train_images.reshape(-1, *shape), train_labels=self.train_labels,
                       test_values=self.test_images.reshape(-1, *shape), test_labels=self.test_labels)


def encoded(samples: Samples, recipe: Recipe | None = None, *, encoding: Encoding | None = None, classes: int = 1) -> Dataset:
    """Samples as bytes: by the encoding that is given, else by one that is fitted to the training samples.

    ``recipe``: by default that of the kind of samples. ``classes``: the least number of classes, where they have no names.

    Raises
    ------
    InputError
        If the samples cannot be encoded so.
    """
    if encoding is None:
        recipe = samples.usual_recipe if recipe is None else recipe
        encoding = Encoding.fit(samples.train_values, samples.train_labels, recipe, features=samples.features,
                                indexed=samples.indexed, channels=samples.has_channels, categories=samples.categories,
                                frames=samples.frames)
    train_labels, test_labels = (encoding.outputs(labels) for labels in (samples.train_labels, samples.test_labels))
    count = len(encoding.classes) or max(classes, 1 + int(max(train_labels.max(), test_labels.max())))
    train_images, test_images = (encoding.encode(values, samples.features, samples.categories)
                                 for values in (samples.train_values, samples.test_values))
    depth = math.prod(samples.shape[2:]) * encoding.levels if samples.kind == "image" else 1
    height = 1 if samples.kind == "table" else samples.shape[0]
    return Dataset(name=samples.name, train_images=train_images, train_labels=train_labels, test_images=test_images,
                   test_labels=test_labels, classes=count, source=samples.source, whole_sha256=samples.whole_sha256,
                   image_shape=(height, train_images.shape[1] // height // depth), depth=depth, samples=samples,
                   encoding=encoding, recipe=recipe)


# ----------------------------------------------------------------- by name

def load(name: str, recipe: Recipe | None = None, reading: Reading = USUAL) -> Dataset:
    """The data set of that name, encoded by an encoding that is fitted to its training samples.

    ``name``, ``reading``: see ``read``. ``recipe``: by default that of its kind, which leaves pictures in bytes as they are if
    they are dark on average and have the full range, as those of MNIST.

    Raises
    ------
    InputError
        If there is no such data set, or one of its files is missing or is not what it must be.
    """
    return encoded(read(name, reading), recipe)


def read(name: str, reading: Reading = USUAL) -> Samples:
    """The samples of that name, or of a file or folder.

    ``mnist`` and ``fashion-mnist`` are read from the folder of that name in ``data_folder()`` (Fashion-MNIST also from where
    Debian puts it); what is missing there is downloaded to it. ``mnist-5k`` and ``digits`` come with installed packages. Else
    it is the path of a table (``.csv``, ``.tsv``, ``.parquet``), of arrays (``.npz``, or a folder of ``.npy``), of a folder
    with one sub-folder for each class, of pictures or recordings, or of a folder of IDX files (``./mnist`` is a folder), which
    are called as MNIST's are, ``train-images-idx3-ubyte`` and so on, also with a dot before ``idx``, plain or with ``.gz``.

    ``reading``: what must be said of the files.

    Raises
    ------
    InputError
        If there is no such data set, or one of its files is missing or is not what it must be.
    ToolError
        If a package that reads such files is not installed.
    """
    samples = _gathered(name, reading)
    return samples.split(reading.split) if isinstance(samples, Collection) else samples


def folds(name: str, count: int, recipe: Recipe | None = None, reading: Reading = USUAL) -> Iterator[Dataset]:
    """The data set once for each of so many folds, one of which is tested on: for cross-validation.

    All samples are tested on in turn, by the rule of ``reading.split``; of those that come with a split of their own, as
    MNIST, only the training samples are, by class. An encoding is fitted to each fold's training samples anew.

    Raises
    ------
    InputError
        As ``load``; or if the rule has no such folds.
    """
    rule = Split() if reading.split is None else reading.split
    splits = rule.each(count)
    samples = _gathered(name, reading)
    if isinstance(samples, Collection):
        return (encoded(samples.split(split), recipe) for split in splits)
    return (encoded(samples.fold(split.fold, count), recipe) for split in splits)


def _gathered(name: str, reading: Reading) -> Samples | Collection:
    gathered = _read(name, reading)
    if reading.categories and not gathered.categories:
        raise InputError(f"--categories must name columns of a table with a header, but {name} is none; leave it out")
    if not gathered.features:
        known = gathered.columns if isinstance(gathered, Collection) else {}          # a split may have left one out
        for option, names in (("--label", [reading.label] if reading.label else []), ("--without", reading.without)):
            if any(each not in known for each in names):
                raise InputError(f"{option} must name columns of a table with a header, but {name} is none; leave it out")
    return gathered


def _read(name: str, reading: Reading) -> Samples | Collection:
    if name in SHA256:
        return _named(name, reading)
    path = Path(name)
    mode = idx_folder.mode(path) if name else 0
    if stat.S_ISDIR(mode):
        return _folder(path, path.resolve().name, reading)
    reader = _readers().get(path.suffix.lower()) if stat.S_ISREG(mode) else None
    if reader is None:
        raise InputError(f"a data set must be {', '.join(SHA256)}, a file that ends in {', '.join(_readers())}, or a folder of "
                         f"pictures, recordings, .npy or IDX files, not {name!r}")
    return reader(path, path.resolve().name, reading)


def _readers() -> dict[str, Callable[[Path, str, Reading], Samples | Collection]]:
    return {**dict.fromkeys(table_file.SUFFIXES, table_file.read), **dict.fromkeys(parquet_file.SUFFIXES, parquet_file.read),
            ".npz": arrays_file.read_archive}


def _named(name: str, reading: Reading) -> Samples:
    if reading != USUAL:
        raise InputError(f"{name} must be read as it is, but {', '.join(reading.to_dict())} says otherwise; leave that out")
    if name in BUNDLED:
        return BUNDLED[name]()
    folder = data_folder() / name
    if name == "fashion-mnist" and idx_folder.missing(folder) and not idx_folder.missing(DEBIAN_FASHION):
        folder = DEBIAN_FASHION
    if idx_folder.missing(folder):
        download.fetch(folder, lambda: idx_folder.missing(folder), name == "fashion-mnist")
    files = idx_folder.read(folder, name)
    title = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}[name]
    return files if files.sha256 == SHA256[name] else replace(files, source=f"{files.source}, which are not {title}'s")


def _folder(folder: Path, name: str, reading: Reading) -> Samples | Collection:
    try:
        if len(idx_folder.missing(folder)) == len(FILES):
            if arrays_file.has_arrays(folder):
                return arrays_file.read_folder(folder, name, reading)
            if class_folder.holds_classes(folder):
                return class_folder.read(folder, name, reading)
            count = sum(1 for _ in folder.iterdir())
            raise InputError(f"folder {folder} must have a sub-folder with pictures or recordings for each class, or X.npy and "
                             f"y.npy, or the four IDX files of a data set, but none of these is among its {count} entries; "
                             f"sort pictures or recordings into sub-folders, one for each class")
    except PermissionError as error:
        raise InputError(f"{error.filename} must be a folder that may be read and entered, but: {error.strerror}; give "
                         f"yourself the right to (chmod), or copy what it holds to another folder") from None
    if reading != USUAL:
        raise InputError(f"folder {folder} of IDX files must be read as it is, but {', '.join(reading.to_dict())} says "
                         "otherwise; leave that out")
    return idx_folder.read(folder, name)


def available(name: str) -> bool:
    """Whether ``load`` finds the data set's files without a download; they are not opened."""
    if name in BUNDLED:
        return name == "digits" or mnist_sample.path() is not None
    try:
        if name == "fashion-mnist" and not idx_folder.missing(DEBIAN_FASHION):
            return True
        path = data_folder() / name if name in SHA256 else Path(name)
        return bool(name) and (not idx_folder.missing(path) or name not in SHA256 and _looks_readable(path))
    except (InputError, OSError, ValueError):             # a locked folder, a name that is none
        return False


def _looks_readable(path: Path) -> bool:
    if path.is_dir():
        return arrays_file.has_arrays(path) or class_folder.holds_classes(path)
    return path.is_file() and path.suffix.lower() in _readers()


def data_folder() -> Path:
    """The folder with one sub-folder per data set: ``WUXING_DATA`` if that is set, else the user's cache folder."""
    if named := os.environ.get("WUXING_DATA"):
        return Path(named).expanduser()
    import pooch
    return Path(pooch.os_cache("wuxing"))


def check_fits(dataset: Dataset, network: Network) -> None:
    """Raise an ``InputError`` if the network's first or last size or its input format does not fit the data set."""
    pixels = dataset.train_images.shape[1]
    if network.layers[0] != pixels:
        sizes = "x".join(map(str, dataset.image_shape if dataset.depth == 1 else (*dataset.image_shape, dataset.depth)))
        raise InputError(f"layers must begin with {pixels} for images of {sizes}, not {network.layers[0]}")
    if network.layers[-1] < dataset.classes:
        raise InputError(f"layers must end with at least {dataset.classes} for labels 0..{dataset.classes - 1}, "
                         f"not {network.layers[-1]}")
    if network.formats.input.greatest < 255:
        raise InputError(f"formats.input must hold the bytes 0..255 of the images, for example as UQ0.8, "
                         f"not {network.formats.input}")
