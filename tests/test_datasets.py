"""Data sets: what is read is what was written, and what is wrong gets its sentence before memory is taken."""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from golden_model.data import datasets
from golden_model.data.datasets import FILES, SHA256, Dataset, available, check_fits, load, read
from golden_model.data.reading import Reading
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Network
from letters import HEIGHT, TEST_IMAGES, TEST_LABELS, TRAIN, TRAIN_IMAGES, TRAIN_LABELS, WIDTH, idx, refusal

pytestmark = pytest.mark.usefixtures("no_data_of_this_machine")

# ----------------------------------------------------------------- folders

def test_folder(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    read = load(str(folder))
    assert read.name == "letters"
    assert (read.classes, read.image_shape, read.source) == (7, (HEIGHT, WIDTH), f"IDX files in {folder}")
    for array, name in ((read.train_images, TRAIN_IMAGES), (read.test_images, TEST_IMAGES)):
        assert array.dtype == np.uint8
        assert np.array_equal(array, arrays[name].reshape(-1, HEIGHT * WIDTH))
    for array, name in ((read.train_labels, TRAIN_LABELS), (read.test_labels, TEST_LABELS)):
        assert array.dtype == np.int64
        assert np.array_equal(array, arrays[name])
    assert read.sha256 == hashlib.sha256(b"".join((folder / name).read_bytes() for name in FILES)).hexdigest()


@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_every_spelling_reads_alike(dataset: Dataset, folder: Path, dot: bool, packed: bool) -> None:
    for name in FILES:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        spelling = name.replace("-idx", ".idx") if dot else name
        (folder / (spelling + ".gz" if packed else spelling)).write_bytes(gzip.compress(content) if packed else content)
    again = load(str(folder))
    assert again.sha256 == dataset.sha256
    assert np.array_equal(again.train_images, dataset.train_images)


def test_mnist_of_the_data_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not available("mnist")
    folder.rename(folder.with_name("mnist"))
    monkeypatch.setenv("WUXING_DATA", str(folder.parent))
    assert available("mnist")
    assert load("mnist").name == "mnist"
    monkeypatch.setenv("WUXING_DATA", "")                 # as good as unset: the cache folder, which is empty
    assert not available("mnist")
    (folder.parent / "cache").mkdir()
    folder.parent.joinpath("cache", "wuxing").symlink_to(folder.parent)
    assert available("mnist")
    assert load("mnist").source == f"IDX files in {folder.parent / 'cache' / 'wuxing' / 'mnist'}, which are not MNIST's"


def test_available(folder: Path) -> None:
    assert available("digits")
    assert available(str(folder))
    (folder / TEST_LABELS).unlink()
    assert not available(str(folder))
    for name in ("mnist", "fashion", "", "a\0b", "n" * 5000):
        assert not available(name)


@pytest.mark.parametrize("name", ["fashion", "", "MNIST", "a\0b", "n" * 5000])
def test_unknown_name(name: str) -> None:
    with pytest.raises(InputError, match=refusal(
            f"a data set must be mnist, mnist-5k, fashion-mnist, digits, a file that ends in .csv, .tsv, .parquet, .npz, or a "
            f"folder of pictures, recordings, .npy or IDX files, not {name!r}")):
        load(name)


@pytest.fixture
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place with a data set in ``mnist`` that an ordinary user looks at, whoever runs the tests; root may open anything."""
    place = Path(tempfile.mkdtemp())
    shutil.copytree(folder, place / "mnist")
    place.chmod(0o755)
    monkeypatch.setenv("WUXING_DATA", str(place))
    try:
        if root := os.geteuid() == 0:
            os.seteuid(65534)
        yield place
    finally:
        if root:
            os.seteuid(0)
        for each in (place, place / "mnist"):
            each.chmod(0o755)
        shutil.rmtree(place)


def lock(path: Path) -> None:
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    path.chmod(0)
    os.seteuid(user)


@pytest.mark.parametrize("what", [".", "mnist"])
def test_a_locked_folder_is_not_called_missing(locked: Path, what: str) -> None:
    load("mnist")
    lock(locked / what)
    for name, path in (("mnist", locked / "mnist"), (str(locked / "mnist"), locked / what)):
        assert not available(name)
        with pytest.raises(InputError, match=refusal(
                f"{path} must be a folder that may be read and entered, but: Permission denied; give yourself the right to "
                "(chmod), or copy what it holds to another folder")):
            load(name)


def test_a_locked_file_is_not_called_damaged(locked: Path) -> None:
    lock(locked / "mnist" / TEST_LABELS)
    with pytest.raises(InputError, match=refusal(
            f"{locked / 'mnist' / TEST_LABELS} must be a file that may be read, but: Permission denied; give yourself the "
            "right to (chmod), or put a copy of your own in its place")):
        load("mnist")


def test_missing_files(folder: Path) -> None:
    (folder / TRAIN_LABELS).unlink()
    (folder / TEST_LABELS).unlink()
    with pytest.raises(InputError, match=refusal(
            f"folder {folder} must hold the four IDX files of a data set, plain or with .gz, but "
            f"train-labels-idx1-ubyte, t10k-labels-idx1-ubyte is missing; put it there")):
        load(str(folder))


@pytest.mark.parametrize(("images", "labels"), [(TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)])
def test_numbers_of_images_and_labels_differ(folder: Path, arrays: dict[str, np.ndarray], images: str, labels: str) -> None:
    (folder / labels).write_bytes(idx(arrays[labels][:-1]))
    count = len(arrays[labels])
    with pytest.raises(InputError, match=refusal(
            f"{folder / labels} must have a label for each of the {count} images of {images}, not {count - 1} labels; "
            f"take both from one data set")):
        load(str(folder))


def test_sizes_of_images_differ(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    (folder / TEST_IMAGES).write_bytes(idx(arrays[TEST_IMAGES].transpose(0, 2, 1)))
    with pytest.raises(InputError, match=refusal(
            f"{folder / TEST_IMAGES} must have images of 6x5 like {TRAIN_IMAGES}, not 5x6; take both from one data set")):
        load(str(folder))


# ----------------------------------------------------------------- parts of a data set

def test_hold_out_takes_training_images_only(dataset: Dataset) -> None:
    part = dataset.hold_out(8, seed=3)
    assert (len(part.train_labels), len(part.test_labels)) == (TRAIN - 8, 8)
    rows = {image.tobytes(): at for at, image in enumerate(dataset.train_images)}
    train, test = ([rows[image.tobytes()] for image in images] for images in (part.train_images, part.test_images))
    assert train == sorted(train)
    assert sorted(train + test) == list(range(TRAIN))
    assert np.array_equal(part.train_labels, dataset.train_labels[train])
    assert np.array_equal(part.test_labels, dataset.train_labels[test])
    assert part.source == f"{dataset.source}; tested on 8 held-out training images (seed 3)"
    assert (part.name, part.classes, part.image_shape) == ("letters", 7, (HEIGHT, WIDTH))


def test_hold_out_is_decided_by_its_seed(dataset: Dataset) -> None:
    assert dataset.hold_out(8, 3).sha256 == dataset.hold_out(8, 3).sha256
    assert len({part.sha256 for part in (dataset, *(dataset.hold_out(8, seed) for seed in range(5)))}) == 6
    # default_rng(3) and default_rng([3, 0]) are one stream; the held-out images must not depend on it
    assert not np.array_equal(dataset.hold_out(8, 3).test_labels,
                              dataset.train_labels[np.random.default_rng(3).permutation(TRAIN)[:8]])


@pytest.mark.parametrize("count", [0, -1, TRAIN])
def test_hold_out_of_too_many(dataset: Dataset, count: int) -> None:
    with pytest.raises(InputError, match=refusal(
            f"images to hold out must be 1 to 29 of the 30 training images, not {count}")):
        dataset.hold_out(count)


def test_negative_seed(dataset: Dataset) -> None:
    with pytest.raises(InputError, match=refusal("the seed of held-out images must be 0 or more, not -1")):
        dataset.hold_out(1, -1)


def test_first(dataset: Dataset) -> None:
    part = dataset.first(train=12, test=3)
    assert np.array_equal(part.train_images, dataset.train_images[:12])
    assert np.array_equal(part.test_labels, dataset.test_labels[:3])
    assert part.source == f"{dataset.source}; the first 12 training and 3 test images"
    assert dataset.first(test=3).source == f"{dataset.source}; the first 3 test images"
    assert dataset.first().sha256 == dataset.sha256 != part.sha256
    assert part.classes == 7                              # labels of what was left out still count
    with pytest.raises(InputError, match=refusal("the training images to take must be 1 to 30, not 31")):
        dataset.first(train=31)
    with pytest.raises(InputError, match=refusal("the test images to take must be 1 to 10, not 0")):
        dataset.first(test=0)


def test_arrays_that_do_not_fit_each_other(dataset: Dataset) -> None:
    images, labels = dataset.train_images, dataset.train_labels
    shape = "must be uint8 of shape (1 or more, 30), not"
    for changes, message in (
            ({"train_images": images.astype(float)}, f"train_images {shape} float64 of shape (30, 30)"),
            ({"test_images": images[:0], "test_labels": labels[:0]}, f"test_images {shape} uint8 of shape (0, 30)"),
            ({"train_images": images[:, :29]}, f"train_images {shape} uint8 of shape (30, 29)"),
            ({"train_labels": labels[:9]}, "train_labels must be int64 of shape (30,), not int64 of shape (9,)"),
            ({"train_labels": labels.astype(np.uint8)}, "train_labels must be int64 of shape (30,), not uint8 of shape (30,)"),
            ({"classes": 6}, "train_labels must lie in 0..5, not 0..6"),
            ({"train_labels": labels - 1}, "train_labels must lie in 0..6, not -1..5"),
            ({"classes": 257}, "classes must be 1 to 256, what a byte can label, not 257")):
        fields = {name: getattr(dataset, name) for name in Dataset.__dataclass_fields__ if name != "sha256"}
        with pytest.raises(InputError, match=refusal(message)):
            Dataset(**{**fields, **changes})


# ----------------------------------------------------------------- fit, digits

def test_check_fits(dataset: Dataset) -> None:
    check_fits(dataset, Network(layers=(30, 4, 7)))
    check_fits(dataset, Network(layers=(30, 12)))         # more outputs than labels do no harm
    with pytest.raises(InputError, match=refusal("layers must begin with 30 for images of 6x5, not 64")):
        check_fits(dataset, Network(layers=(64, 7)))
    with pytest.raises(InputError, match=refusal("layers must end with at least 7 for labels 0..6, not 6")):
        check_fits(dataset, Network(layers=(30, 6)))
    with pytest.raises(InputError, match=refusal("formats.input must hold the bytes 0..255 of the images, for example as "
                                                 "UQ0.8, not UQ0.7")):
        check_fits(dataset, Network(layers=(30, 7), formats=Formats(input=Format.parse("UQ0.7"))))


def test_digits() -> None:
    from sklearn.datasets import load_digits
    digits, bunch = load("digits"), load_digits()
    assert (digits.train_images.shape, digits.test_images.shape) == ((1437, 64), (360, 64))
    assert (digits.classes, digits.image_shape) == (10, (8, 8))
    images = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    assert sorted((image.tobytes(), label) for image, label in zip(images, labels, strict=True)) == sorted(
        (bytes(min(255, 16 * int(value)) for value in image), label)
        for image, label in zip(bunch.data, bunch.target, strict=True))
    assert digits.sha256 == "e57ba62e72743acb9d29f1115c7c2c13816b41c54387322490783fef36b7595e"


def test_digits_are_read_without_the_code_of_scikit_learn() -> None:
    """Which takes longer to import than a command takes for all the rest."""
    code = ("import sys; from golden_model.data import datasets; datasets.load('digits'); "
            "print([name for name in sys.modules if name.split('.')[0] in ('sklearn', 'scipy')])")
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("file", [None, b"", gzip.compress(b"0,0\n")], ids=["elsewhere", "damaged", "another"])
def test_digits_that_lie_elsewhere_are_read_by_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            file: bytes | None) -> None:
    if file is not None:
        (tmp_path / "file").write_bytes(file)
    monkeypatch.setattr(metadata.PathDistribution, "locate_file", lambda distribution, name: tmp_path / "file")
    assert load("digits").sha256 == SHA256["digits"]


# ----------------------------------------------------------------- other numbers, other data

def test_idx_files_of_other_numbers(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Signed, wide and real numbers, big-endian, are the values; labels may be wide."""
    for code, kind in ((9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")):
        for name in FILES:
            values = arrays[name].astype(kind) if "labels" in name else (arrays[name] / 2 - 50).astype(kind)
            number = min(code, 12) if "labels" in name else code
            values = values.astype(">i4") if "labels" in name and number == 12 else values
            (folder / name).write_bytes(bytes([0, 0, number]) + idx(values)[3:])
        samples = read(str(folder))
        assert np.array_equal(samples.train_values, (arrays[TRAIN_IMAGES] / 2 - 50).astype(kind))
        assert samples.train_labels.tolist() == arrays[TRAIN_LABELS].tolist()
        data = load(str(folder))
        assert (data.train_images.min(), data.train_images.max()) == (0, 255)
    (folder / TRAIN_LABELS).write_bytes(bytes([0, 0, 12]) + idx(np.full(TRAIN, 300, ">i4"))[3:])
    with pytest.raises(InputError, match=refusal(f"{folder / TRAIN_LABELS} must have labels 0..255, not 300..300; number the "
                                                 "classes")):
        read(str(folder))


def test_fashion_mnist_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Debian puts it, or in the data folder, which comes first; what is not Zalando's is called so."""
    monkeypatch.setattr(datasets, "DEBIAN_FASHION", folder)
    assert available("fashion-mnist")
    assert read("fashion-mnist").source == f"IDX files in {folder}, which are not Fashion-MNIST's"
    own = Path(shutil.copytree(folder, folder.parent / "data" / "fashion-mnist"))
    monkeypatch.setenv("WUXING_DATA", str(own.parent))
    assert read("fashion-mnist").source.startswith(f"IDX files in {own}")
    monkeypatch.setattr(datasets, "DEBIAN_FASHION", own / "none")
    (own / TRAIN_LABELS).unlink()
    assert not available("fashion-mnist")
    with pytest.raises(InputError, match=refusal(
            f"Fashion-MNIST must be in {own} or be downloadable, but neither is so (); put its four IDX files into that "
            "folder, or set WUXING_DATA to a folder whose sub-folder fashion-mnist has them")):
        read("fashion-mnist")


def test_what_is_known_is_read_as_it_is(folder: Path) -> None:
    for name, what in (("digits", "digits"), (str(folder), f"folder {folder} of IDX files")):
        with pytest.raises(InputError, match=refusal(f"{what} must be read as it is, but size says otherwise; leave that out")):
            read(name, Reading(size="8x8x1"))
