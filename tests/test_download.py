"""MNIST by download: mirrors that lack, pack, damage or never end what they send."""
import gzip
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import golden_model.data.idx
from golden_model.data import download
from golden_model.data.datasets import FILES, Dataset, load
from golden_model.errors import InputError
from letters import HEIGHT, TEST_IMAGES, TEST_LABELS, TRAIN, TRAIN_IMAGES, TRAIN_LABELS, WIDTH, idx, refusal

pytestmark = pytest.mark.usefixtures("no_data_of_this_machine")


class Mirror:
    """A web server on this machine that has some files, counts what it is asked for, and unpacks nothing."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                mirror.requests.append(name)
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
    monkeypatch.setattr(download, "MIRRORS", tuple(mirror.url for mirror in pair))
    monkeypatch.setattr(download, "MNIST", {name: (len(idx(array)), hashlib.sha256(idx(array)).hexdigest())
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
    assert mirrors[0].requests == [f"{name}.gz" for name in FILES]           # once
    assert mirrors[1].requests == []


def test_download_into_the_named_folder_of_what_is_missing(mirrors: list[Mirror], folder: Path, dataset: Dataset,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUXING_DATA", str(folder.parent))
    folder = folder.rename(folder.with_name("mnist"))
    (folder / TEST_IMAGES).unlink()
    assert load("mnist").sha256 == dataset.sha256
    assert mirrors[0].requests == [f"{TEST_IMAGES}.gz"]
    assert contents(folder) == sorted([TRAIN_IMAGES, TRAIN_LABELS, f"{TEST_IMAGES}.gz", TEST_LABELS])


def test_second_mirror_goes_on_where_the_first_fails(mirrors: list[Mirror], dataset: Dataset) -> None:
    del mirrors[0].files[f"{TEST_IMAGES}.gz"]
    assert load("mnist").sha256 == dataset.sha256
    assert mirrors[1].requests == [f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz"]


def test_mirror_that_packs_otherwise_or_not_at_all(mirrors: list[Mirror], dataset: Dataset,
                                                   arrays: dict[str, np.ndarray]) -> None:
    mirrors[0].files[f"{TRAIN_IMAGES}.gz"] = idx(arrays[TRAIN_IMAGES])
    mirrors[0].files[f"{TEST_IMAGES}.gz"] = gzip.compress(idx(arrays[TEST_IMAGES]), 1, mtime=7)
    assert load("mnist").sha256 == dataset.sha256
    assert mirrors[1].requests == []


def test_corrupted_files_are_not_kept(mirrors: list[Mirror], tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    variant = arrays[TRAIN_IMAGES].copy()
    variant[0, 0, 0] ^= 1
    mirrors[0].files[f"{TRAIN_IMAGES}.gz"] = gzip.compress(idx(variant))
    mirrors[1].files[f"{TRAIN_IMAGES}.gz"] = gzip.compress(idx(arrays[TRAIN_IMAGES]))[:-20]
    folder = tmp_path / "cache" / "wuxing" / "mnist"
    right, wrong = (hashlib.sha256(idx(array)).hexdigest() for array in (arrays[TRAIN_IMAGES], variant))
    with pytest.raises(InputError, match=refusal(
            f"MNIST must be in {folder} or be downloadable, but neither is so ({mirrors[0].url}: {TRAIN_IMAGES}.gz has "
            f"SHA-256 {wrong} unpacked, not {right}; {mirrors[1].url}: {TRAIN_IMAGES}.gz is no complete gzip file); put its "
            f"four IDX files into that folder, or set WUXING_DATA to a folder whose sub-folder mnist has them")):
        load("mnist")
    assert contents(folder) == []


def test_mirrors_that_are_not_there_or_send_without_end(mirrors: list[Mirror], tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_model.data.idx, "CHUNK", 1000)
    mirrors[0].files[f"{TRAIN_IMAGES}.gz"] = bytes(100_000)
    gone, third = mirrors[1].url, Mirror()
    mirrors[1].close()
    monkeypatch.setattr(download, "MIRRORS", (mirrors[0].url, gone, third.url))
    folder, most = tmp_path / "cache" / "wuxing" / "mnist", 16 + TRAIN * HEIGHT * WIDTH + 1000
    try:
        with pytest.raises(InputError, match=refusal(
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
    with pytest.raises(InputError, match=refusal(
            f"{tmp_path / 'file' / 'mnist'} must be a folder that can be made for the download of MNIST, but: Not a directory; "
            f"set WUXING_DATA to another folder")):
        load("mnist")


def test_mirrors_and_digests_of_mnist() -> None:
    """The published facts, and a header that agrees with the sizes."""
    sizes = [16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000]
    assert [size for size, _ in download.MNIST.values()] == sizes
    assert tuple(download.MNIST) == FILES
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, digest in download.MNIST.values())
