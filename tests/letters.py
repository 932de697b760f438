"""A small data set in a folder of IDX files, written independently of the code that reads them; a plugin with its fixtures."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from golden_model.data import datasets, download
from golden_model.data.datasets import FILES, Dataset, load

TRAIN, TEST, HEIGHT, WIDTH = 30, 10, 6, 5
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES


def refusal(text: str) -> str:
    """The pattern of exactly this sentence."""
    return "^" + re.escape(text) + "$"


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def arrays() -> dict[str, np.ndarray]:
    """Images and labels of seven classes by the name of their file."""
    random = np.random.default_rng(1)
    return {TRAIN_IMAGES: random.integers(0, 256, (TRAIN, HEIGHT, WIDTH), np.uint8),
            TRAIN_LABELS: np.arange(TRAIN, dtype=np.uint8) % 7,
            TEST_IMAGES: random.integers(0, 256, (TEST, HEIGHT, WIDTH), np.uint8),
            TEST_LABELS: np.arange(TEST, dtype=np.uint8) % 7}


def written(parent: Path) -> Path:
    """The folder ``letters`` in ``parent`` with all four files."""
    folder = parent / "letters"
    folder.mkdir()
    for name, array in arrays().items():
        (folder / name).write_bytes(idx(array))
    return folder


@pytest.fixture(scope="module", name="arrays")
def the_arrays() -> dict[str, np.ndarray]:
    """Images and labels by the name of their file."""
    return arrays()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the four files."""
    return written(tmp_path)


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    """What is in that folder."""
    return load(str(folder))


@pytest.fixture
def no_data_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's data nor a mirror is ever touched."""
    monkeypatch.delenv("WUXING_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "MIRRORS", ())
    monkeypatch.setattr(download, "FASHION_MIRRORS", ())
    monkeypatch.setattr(datasets, "DEBIAN_FASHION", Path("/nowhere"))
