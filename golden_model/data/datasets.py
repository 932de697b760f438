"""Data sets as a network takes them: images in bytes with labels, by name or from files of one's own.

``golden_model.data.samples`` has what was measured, ``golden_model.data.encoding`` how bytes are made of it.
"""
from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden_model.data import bundled, download, idx_folder, mnist_sample
from golden_model.data.encoding import IDENTITY, Encoding
from golden_model.data.recipe import Recipe
from golden_model.data.samples import Samples
from golden_model.errors import InputError
from golden_model.network import Network

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

FILES = idx_folder.FILES
SHA256 = {                                # ``Dataset.sha256`` of what has a name
    "mnist": "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
    "mnist-5k": "0e59ae896b24aaf8ef7c395c8f6df65e06d3a2ca172cd4855d2d8ce487af12ae",
    "digits": "e57ba62e72743acb9d29f1115c7c2c13816b41c54387322490783fef36b7595e",
}


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
        measured = self._measured() if self.samples is None else self.samples
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
        return self._again(self._samples.hold_out(count, seed))

    def first(self, train: int | None = None, test: int | None = None) -> Dataset:
        """The first ``train`` training and ``test`` test images (None: all of them), for quick runs."""
        return self._again(self._samples.first(train, test))

    def encoded_by(self, encoding: Encoding) -> Dataset:
        """The same samples as the bytes of another's encoding, that of a model for example.

        Raises
        ------
        InputError
            If they are not such samples as the encoding was fitted to.
        """
        return encoded(self._samples, encoding=encoding, classes=self.classes)

    @property
    def _samples(self) -> Samples:
        assert self.samples is not None                   # ``__post_init__`` sees to it
        return self.samples

    def _again(self, part: Samples) -> Dataset:
        if self.recipe is not None:
            return encoded(part, self.recipe, classes=self.classes)
        return encoded(part, encoding=self.encoding, classes=self.classes)

    def _measured(self) -> Samples:
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
                                indexed=samples.indexed)
    train_labels, test_labels = (encoding.outputs(labels) for labels in (samples.train_labels, samples.test_labels))
    count = len(encoding.classes) or max(classes, 1 + int(max(train_labels.max(), test_labels.max())))
    train_images, test_images = (encoding.encode(values, samples.features)
                                 for values in (samples.train_values, samples.test_values))
    depth = math.prod(samples.shape[2:]) * encoding.levels if samples.kind == "image" else 1
    height = 1 if samples.kind == "table" else samples.shape[0]
    return Dataset(name=samples.name, train_images=train_images, train_labels=train_labels, test_images=test_images,
                   test_labels=test_labels, classes=count, source=samples.source, whole_sha256=samples.whole_sha256,
                   image_shape=(height, train_images.shape[1] // height // depth), depth=depth, samples=samples,
                   encoding=encoding, recipe=recipe)


# ----------------------------------------------------------------- by name

def load(name: str, recipe: Recipe | None = None) -> Dataset:
    """The data set of that name, encoded by an encoding that is fitted to its training samples.

    ``name``: see ``read``. ``recipe``: by default that of its kind, which leaves pictures in bytes as they are if they are dark
    on average and have the full range, as those of MNIST.

    Raises
    ------
    InputError
        If there is no such data set, or one of its files is missing or is not what it must be.
    """
    return encoded(read(name), recipe)


def read(name: str) -> Samples:
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
        return bundled.digits()
    if name == "mnist-5k":
        return bundled.mnist_5k()
    if name == "mnist":
        folder = data_folder() / "mnist"
        if idx_folder.missing(folder):
            download.fetch(folder, lambda: idx_folder.missing(folder))
        files = idx_folder.read(folder, name)
        return files if files.sha256 == SHA256[name] else replace(files, source=f"{files.source}, which are not MNIST's")
    folder = Path(name)
    if not (name and stat.S_ISDIR(idx_folder.kind(folder))):
        raise InputError(f"a data set must be mnist, mnist-5k, digits, or a folder of four IDX files, not {name!r}")
    return idx_folder.read(folder, folder.resolve().name)


def available(name: str) -> bool:
    """Whether ``load`` finds the data set's files without a download; they are not opened."""
    if name in ("digits", "mnist-5k"):
        return name == "digits" or mnist_sample.path() is not None
    try:
        return bool(name) and not idx_folder.missing(data_folder() / "mnist" if name == "mnist" else Path(name))
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
