"""Data sets: what is read is what was written, and what is wrong gets its sentence before memory is taken."""
import gzip
import hashlib
import os
import re
import shutil
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.data import datasets
from golden_model.data.datasets import FILES, Dataset, available, check_fits, load, read_idx, shift
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Network

TRAIN, TEST, HEIGHT, WIDTH = 30, 10, 6, 5
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES


def refused(text: str) -> str:
    return "^" + re.escape(text) + "$"


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes, written independently of the code under test."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {TRAIN_IMAGES: random.integers(0, 256, (TRAIN, HEIGHT, WIDTH), np.uint8),
            TRAIN_LABELS: np.arange(TRAIN, dtype=np.uint8) % 7,
            TEST_IMAGES: random.integers(0, 256, (TEST, HEIGHT, WIDTH), np.uint8),
            TEST_LABELS: np.arange(TEST, dtype=np.uint8) % 7}


@pytest.fixture
def folder(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    (tmp_path / "letters").mkdir()
    for name, array in arrays.items():
        (tmp_path / "letters" / name).write_bytes(idx(array))
    return tmp_path / "letters"


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    return load(str(folder))


@pytest.fixture(autouse=True)
def no_data_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's data nor a mirror is ever touched by these tests."""
    monkeypatch.delenv("WUXING_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "MIRRORS", ())


# ----------------------------------------------------------------- folders

def test_folder(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    read = load(str(folder))
    assert read.name == "letters"
    assert (read.classes, read.image_shape, read.source) == (7, (HEIGHT, WIDTH), f"IDX files in {folder}")
    for found, name in ((read.train_images, TRAIN_IMAGES), (read.test_images, TEST_IMAGES)):
        assert found.dtype == np.uint8
        assert np.array_equal(found, arrays[name].reshape(-1, HEIGHT * WIDTH))
    for found, name in ((read.train_labels, TRAIN_LABELS), (read.test_labels, TEST_LABELS)):
        assert found.dtype == np.int64
        assert np.array_equal(found, arrays[name])
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
    with pytest.raises(InputError, match=refused(
            f"a data set must be mnist, mnist-5k, digits, or a folder of four IDX files, not {name!r}")):
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
    for name, found in (("mnist", locked / "mnist"), (str(locked / "mnist"), locked / what)):
        assert not available(name)
        with pytest.raises(InputError, match=refused(
                f"{found} must be a folder that may be read and entered, but: Permission denied; give yourself the right to "
                "(chmod), or copy what it holds to another folder")):
            load(name)


def test_a_locked_file_is_not_called_damaged(locked: Path) -> None:
    lock(locked / "mnist" / TEST_LABELS)
    with pytest.raises(InputError, match=refused(
            f"{locked / 'mnist' / TEST_LABELS} must be a file that may be read, but: Permission denied; give yourself the "
            "right to (chmod), or put a copy of your own in its place")):
        load("mnist")


def test_missing_files(folder: Path) -> None:
    (folder / TRAIN_LABELS).unlink()
    (folder / TEST_LABELS).unlink()
    with pytest.raises(InputError, match=refused(
            f"folder {folder} must hold the four IDX files of a data set, plain or with .gz, but "
            f"train-labels-idx1-ubyte, t10k-labels-idx1-ubyte is missing; put it there")):
        load(str(folder))


@pytest.mark.parametrize(("images", "labels"), [(TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)])
def test_numbers_of_images_and_labels_differ(folder: Path, arrays: dict[str, np.ndarray], images: str, labels: str) -> None:
    (folder / labels).write_bytes(idx(arrays[labels][:-1]))
    count = len(arrays[labels])
    with pytest.raises(InputError, match=refused(
            f"{folder / labels} must have a label for each of the {count} images of {images}, not {count - 1} labels; "
            f"take both from one data set")):
        load(str(folder))


def test_sizes_of_images_differ(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    (folder / TEST_IMAGES).write_bytes(idx(arrays[TEST_IMAGES].transpose(0, 2, 1)))
    with pytest.raises(InputError, match=refused(
            f"{folder / TEST_IMAGES} must have images of 6x5 like {TRAIN_IMAGES}, not 5x6; take both from one data set")):
        load(str(folder))


# ----------------------------------------------------------------- one IDX file

LABELS = idx(np.arange(10, dtype=np.uint8))


SIZE = "must hold 1 to 1073741824 bytes of labels, but its header declares"
MAGIC = "must begin with the magic number 00 00 08 01 of labels, not"


@pytest.mark.parametrize(("content", "message"), [
    (b"", "must begin with a header of 8 bytes, but has only 0; get it anew"),
    (LABELS[:7], "must begin with a header of 8 bytes, but has only 7; get it anew"),
    (LABELS[:-1], "must hold 10 bytes for the 10 labels of its header, but has only 9; get it anew"),
    (LABELS[:8], "must hold 10 bytes for the 10 labels of its header, but has only 0; get it anew"),
    (LABELS + b"\0", "must hold 10 bytes for the 10 labels of its header, but has more; get it anew"),
    (LABELS[:4] + bytes(4), f"{SIZE} 0; get it anew or split it"),
    (LABELS[:4] + b"\xff\xff\xff\xff" + bytes(100), f"{SIZE} 4294967295; get it anew or split it"),
    (idx(np.zeros((2, 3, 4), np.uint8)), f"{MAGIC} 00 00 08 03; put the right file there"),
    (b"\0\0\x0d\x01" + LABELS[4:], f"{MAGIC} 00 00 0d 01; put the right file there"),
    (b"<html>", f"{MAGIC} 3c 68 74 6d; put the right file there"),
])
def test_wrong_content(tmp_path: Path, content: bytes, message: str) -> None:
    plain, packed = tmp_path / "labels", tmp_path / "labels.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for path in (plain, packed):
        with pytest.raises(InputError, match=refused(f"{path} {message}")):
            read_idx(path, 1)


def test_images_that_declare_more_than_there_may_be(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + bytes(100))
    with pytest.raises(InputError, match=refused(
            f"{path} must hold 1 to 1073741824 bytes of images, but its header declares 4294967295x4294967295x4294967295; "
            f"get it anew or split it")):
        read_idx(path, 3)


def test_wrong_gzip(tmp_path: Path) -> None:
    packed, path = gzip.compress(LABELS, mtime=0), tmp_path / "labels.gz"
    broken = bytearray(packed)
    broken[-8] ^= 1                                       # the CRC-32 of the content
    remedy = "rename it without .gz if it is plain, else get it anew"
    for content, message in (
            (LABELS, f"must be a gzip file (bytes 1f 8b), but begins with 00 00; {remedy}"),
            (b"", f"must be a gzip file (bytes 1f 8b), but begins with nothing; {remedy}"),
            (packed[:-9], "must be a complete gzip file, but it is truncated; get it anew"),
            (packed[:-1], "must be a complete gzip file, but it is truncated; get it anew"),
            (packed[:2] + b"\x09", "must be a complete gzip file, but it is truncated; get it anew"),
            (packed + b"x", "must be a file that can be read, but: Not a gzipped file (b'x'); get it anew")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=refused(f"{path} {message}")):
            read_idx(path, 1)
    path.write_bytes(broken)
    with pytest.raises(InputError, match="^" + re.escape(f"{path} must be a file that can be read, but: CRC check failed")):
        read_idx(path, 1)
    plain = tmp_path / "labels"
    plain.write_bytes(packed)
    with pytest.raises(InputError, match=refused(
            f"{plain} must begin with the magic number 00 00 08 01 of labels, not 1f 8b 08 00; rename it with .gz, it is "
            f"packed")):
        read_idx(plain, 1)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=refused(f"{path} must be a file that can be read, but: {reason}; get it anew")):
            read_idx(path, 1)


@pytest.mark.parametrize("declared", [100, 1 << 30])
@pytest.mark.parametrize("packed", [False, True])
def test_memory_follows_the_file_not_the_header(tmp_path: Path, declared: int, packed: bool) -> None:
    """A header may declare a GiB of a short file, a gzip bomb may unpack to 64 MiB of a short declaration."""
    path = tmp_path / ("bomb.gz" if packed else "bomb")
    content = b"\0\0\x08\x01" + declared.to_bytes(4, "big") + bytes((64 << 20) if declared == 100 else 1000)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    found = "more" if declared == 100 else "only 1000"
    del content
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=refused(
                f"{path} must hold {declared} bytes for the {declared} labels of its header, but has {found}; get it anew")):
            read_idx(path, 1)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.data(), st.booleans())
def test_any_damage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, packed: bool) -> None:
    """Bytes changed, cut off or added: what is read is what the file says, or an ``InputError``, no other exception."""
    whole = np.arange(48, dtype=np.uint8).reshape(4, 3, 4)
    content = bytearray(gzip.compress(idx(whole), mtime=0) if packed else idx(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    content = content[:data.draw(st.integers(0, len(content)))] + data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / ("damaged.gz" if packed else "damaged")
    path.write_bytes(content)
    try:
        found = read_idx(path, 3)
    except InputError as error:
        said = str(error)
    else:                                                 # a checksum tells all damage to packed contents
        assert np.array_equal(found, whole) if packed else idx(found) == content
        return
    assert said.startswith(f"{path} must ")


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
    with pytest.raises(InputError, match=refused(
            f"images to hold out must be 1 to 29 of the 30 training images, not {count}")):
        dataset.hold_out(count)


def test_negative_seed(dataset: Dataset) -> None:
    with pytest.raises(InputError, match=refused("the seed of held-out images must be 0 or more, not -1")):
        dataset.hold_out(1, -1)


def test_first(dataset: Dataset) -> None:
    part = dataset.first(train=12, test=3)
    assert np.array_equal(part.train_images, dataset.train_images[:12])
    assert np.array_equal(part.test_labels, dataset.test_labels[:3])
    assert part.source == f"{dataset.source}; the first 12 training and 3 test images"
    assert dataset.first(test=3).source == f"{dataset.source}; the first 3 test images"
    assert dataset.first().sha256 == dataset.sha256 != part.sha256
    assert part.classes == 7                              # labels of what was left out still count
    with pytest.raises(InputError, match=refused("the training images to take must be 1 to 30, not 31")):
        dataset.first(train=31)
    with pytest.raises(InputError, match=refused("the test images to take must be 1 to 10, not 0")):
        dataset.first(test=0)


def test_arrays_that_do_not_fit_each_other(dataset: Dataset) -> None:
    images, labels = dataset.train_images, dataset.train_labels
    wanted = "must be uint8 of shape (1 or more, 30), not"
    for changes, message in (
            ({"train_images": images.astype(float)}, f"train_images {wanted} float64 of shape (30, 30)"),
            ({"test_images": images[:0], "test_labels": labels[:0]}, f"test_images {wanted} uint8 of shape (0, 30)"),
            ({"train_images": images[:, :29]}, f"train_images {wanted} uint8 of shape (30, 29)"),
            ({"train_labels": labels[:9]}, "train_labels must be int64 of shape (30,), not int64 of shape (9,)"),
            ({"train_labels": labels.astype(np.uint8)}, "train_labels must be int64 of shape (30,), not uint8 of shape (30,)"),
            ({"classes": 6}, "train_labels must lie in 0..5, not 0..6"),
            ({"train_labels": labels - 1}, "train_labels must lie in 0..6, not -1..5"),
            ({"classes": 257}, "classes must be 1 to 256, what a byte can label, not 257")):
        fields = {name: getattr(dataset, name) for name in Dataset.__dataclass_fields__ if name != "sha256"}
        with pytest.raises(InputError, match=refused(message)):
            Dataset(**{**fields, **changes})


# ----------------------------------------------------------------- fit, shift, digits

def test_check_fits(dataset: Dataset) -> None:
    check_fits(dataset, Network(layers=(30, 4, 7)))
    check_fits(dataset, Network(layers=(30, 12)))         # more outputs than labels do no harm
    with pytest.raises(InputError, match=refused("layers must begin with 30 for images of 6x5, not 64")):
        check_fits(dataset, Network(layers=(64, 7)))
    with pytest.raises(InputError, match=refused("layers must end with at least 7 for labels 0..6, not 6")):
        check_fits(dataset, Network(layers=(30, 6)))
    with pytest.raises(InputError, match=refused("formats.input must hold the bytes 0..255 of the images, for example as "
                                                 "UQ0.8, not UQ0.7")):
        check_fits(dataset, Network(layers=(30, 7), formats=Formats(input=Format.parse("UQ0.7"))))


@pytest.mark.parametrize("most", [0, 1, 2, 4])
def test_shift_moves_each_image_by_its_offset(dataset: Dataset, most: int) -> None:
    before = dataset.train_images.copy()
    moved = shift(dataset.train_images, (HEIGHT, WIDTH), np.random.default_rng(5), most)
    assert np.array_equal(dataset.train_images, before)
    offsets = np.random.default_rng(5).integers(-most, most + 1, (TRAIN, 2))
    assert len(np.unique(offsets)) == 2 * most + 1
    for image, found, (down, right) in zip(before, moved, offsets, strict=True):
        square, expected = image.reshape(HEIGHT, WIDTH), np.zeros((HEIGHT, WIDTH), np.uint8)
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if 0 <= y - down < HEIGHT and 0 <= x - right < WIDTH:
                    expected[y, x] = square[y - down, x - right]
        assert np.array_equal(found.reshape(HEIGHT, WIDTH), expected)
    assert (moved.dtype, moved.shape) == (np.uint8, before.shape)


@pytest.mark.parametrize("most", [-1, 5])
def test_shift_out_of_the_image(dataset: Dataset, most: int) -> None:
    with pytest.raises(InputError, match=refused(f"images of 6x5 must be shifted by at most 0 to 4 pixels, not {most}")):
        shift(dataset.train_images, (HEIGHT, WIDTH), np.random.default_rng(0), most)


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


# ----------------------------------------------------------------- download

class Mirror:
    """A web server on this machine that has some files, counts what it is asked for, and unpacks nothing."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                mirror.asked.append(name)
                content = mirror.files.get(name)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch, arrays: dict[str, np.ndarray]) -> Iterator[list[Mirror]]:
    """Two mirrors that have small files in the place of MNIST's."""
    pair = [Mirror(), Mirror()]
    for mirror in pair:
        mirror.files = {f"{name}.gz": gzip.compress(idx(array)) for name, array in arrays.items()}
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets, "MIRRORS", tuple(mirror.url for mirror in pair))
    monkeypatch.setattr(datasets, "MNIST", {name: (len(idx(array)), hashlib.sha256(idx(array)).hexdigest())
                                            for name, array in arrays.items()})
    yield pair
    for mirror in pair:
        mirror.close()


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_download(mirrors: list[Mirror], tmp_path: Path, dataset: Dataset) -> None:
    read = load("mnist")
    folder = tmp_path / "cache" / "wuxing" / "mnist"
    assert (read.sha256, read.source) == (dataset.sha256, f"IDX files in {folder}, which are not MNIST's")
    assert contents(folder) == sorted(f"{name}.gz" for name in FILES)
    assert load("mnist").sha256 == read.sha256
    assert mirrors[0].asked == [f"{name}.gz" for name in FILES]              # once
    assert mirrors[1].asked == []


def test_download_into_the_named_folder_of_what_is_missing(mirrors: list[Mirror], folder: Path, dataset: Dataset,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUXING_DATA", str(folder.parent))
    folder = folder.rename(folder.with_name("mnist"))
    (folder / TEST_IMAGES).unlink()
    assert load("mnist").sha256 == dataset.sha256
    assert mirrors[0].asked == [f"{TEST_IMAGES}.gz"]
    assert contents(folder) == sorted([TRAIN_IMAGES, TRAIN_LABELS, f"{TEST_IMAGES}.gz", TEST_LABELS])


def test_second_mirror_goes_on_where_the_first_fails(mirrors: list[Mirror], dataset: Dataset) -> None:
    del mirrors[0].files[f"{TEST_IMAGES}.gz"]
    assert load("mnist").sha256 == dataset.sha256
    assert mirrors[1].asked == [f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz"]


def test_mirror_that_packs_otherwise_or_not_at_all(mirrors: list[Mirror], dataset: Dataset,
                                                   arrays: dict[str, np.ndarray]) -> None:
    mirrors[0].files[f"{TRAIN_IMAGES}.gz"] = idx(arrays[TRAIN_IMAGES])
    mirrors[0].files[f"{TEST_IMAGES}.gz"] = gzip.compress(idx(arrays[TEST_IMAGES]), 1, mtime=7)
    assert load("mnist").sha256 == dataset.sha256
    assert mirrors[1].asked == []


def test_corrupted_files_are_not_kept(mirrors: list[Mirror], tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    changed = arrays[TRAIN_IMAGES].copy()
    changed[0, 0, 0] ^= 1
    mirrors[0].files[f"{TRAIN_IMAGES}.gz"] = gzip.compress(idx(changed))
    mirrors[1].files[f"{TRAIN_IMAGES}.gz"] = gzip.compress(idx(arrays[TRAIN_IMAGES]))[:-20]
    folder = tmp_path / "cache" / "wuxing" / "mnist"
    right, wrong = (hashlib.sha256(idx(array)).hexdigest() for array in (arrays[TRAIN_IMAGES], changed))
    with pytest.raises(InputError, match=refused(
            f"MNIST must be in {folder} or be downloadable, but neither is so ({mirrors[0].url}: {TRAIN_IMAGES}.gz has "
            f"SHA-256 {wrong} unpacked, not {right}; {mirrors[1].url}: {TRAIN_IMAGES}.gz is no complete gzip file); put its "
            f"four IDX files into that folder, or set WUXING_DATA to a folder whose sub-folder mnist has them")):
        load("mnist")
    assert contents(folder) == []


def test_mirrors_that_are_not_there_or_send_without_end(mirrors: list[Mirror], tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "CHUNK", 1000)
    mirrors[0].files[f"{TRAIN_IMAGES}.gz"] = bytes(100_000)
    gone, third = mirrors[1].url, Mirror()
    mirrors[1].close()
    monkeypatch.setattr(datasets, "MIRRORS", (mirrors[0].url, gone, third.url))
    folder, most = tmp_path / "cache" / "wuxing" / "mnist", 16 + TRAIN * HEIGHT * WIDTH + 1000
    try:
        with pytest.raises(InputError, match=refused(
                f"MNIST must be in {folder} or be downloadable, but neither is so ({mirrors[0].url}: it sends more than {most} "
                f"bytes; {gone}: ConnectionError; {third.url}: status 404); put its four IDX files into that folder, or set "
                f"WUXING_DATA to a folder whose sub-folder mnist has them")):
            load("mnist")
    finally:
        third.close()
    assert contents(folder) == []


def test_download_into_what_is_no_folder(mirrors: list[Mirror], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("WUXING_DATA", str(tmp_path / "file"))
    with pytest.raises(InputError, match=refused(
            f"{tmp_path / 'file' / 'mnist'} must be a folder that can be made for the download of MNIST, but: Not a directory; "
            f"set WUXING_DATA to another folder")):
        load("mnist")


def test_mirrors_and_digests_of_mnist() -> None:
    """The published facts, and a header that agrees with the sizes."""
    sizes = [16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000]
    assert [size for size, _ in datasets.MNIST.values()] == sizes
    assert tuple(datasets.MNIST) == FILES
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, digest in datasets.MNIST.values())
