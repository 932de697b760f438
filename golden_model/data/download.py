"""MNIST and Fashion-MNIST by download: mirrors, and what their files must be.

A mirror may pack the files as it likes; what they are unpacked decides. One that sends without end fills no memory.
"""
from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golden_model.data import idx
from golden_model.errors import InputError
from golden_model.storage.atomic_write import write_atomically

# The files of LeCun, Cortes and Burges, unpacked: bytes and SHA-256. Mirrors may pack them as they like.
MNIST = {
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
# Those of Zalando SE, of the same sizes.
FASHION_MNIST = {
    "train-images-idx3-ubyte": (47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    "train-labels-idx1-ubyte": (60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte": (7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "t10k-labels-idx1-ubyte": (10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
FASHION_MIRRORS = ("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                   "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/")
TIMEOUT = 30.0                            # seconds without a byte before the next mirror is tried


def fetch(folder: Path, missing: Callable[[], list[str]], fashion: bool = False) -> None:
    """Those files of MNIST, or of Fashion-MNIST, that ``missing`` names, from the first mirror that has them; only what bears
    the right SHA-256 is kept, packed.

    Raises
    ------
    InputError
        If no mirror has them, or the folder cannot be made.
    """
    title, files, mirrors = ("Fashion-MNIST", FASHION_MNIST, FASHION_MIRRORS) if fashion else ("MNIST", MNIST, MIRRORS)
    failures = []
    for mirror in mirrors:
        try:
            for name in missing():
                content = _file(mirror + name + ".gz", *files[name])
                folder.mkdir(parents=True, exist_ok=True)
                write_atomically(folder / (name + ".gz"), content)
            return
        except MirrorError as error:
            failures.append(f"{mirror}: {error}")
        except OSError as error:
            raise InputError(f"{folder} must be a folder that can be made for the download of {title}, but: {error.strerror}; "
                             f"set WUXING_DATA to another folder") from None
    raise InputError(f"{title} must be in {folder} or be downloadable, but neither is so ({'; '.join(failures)}); put its four "
                     f"IDX files into that folder, or set WUXING_DATA to a folder whose sub-folder {title.lower()} has them")


class MirrorError(Exception):
    """Why a mirror is of no use."""


class _Bounded(io.BytesIO):
    """Takes no more than ``most`` bytes: a mirror that sends without end fills no memory."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self.most:
            raise MirrorError(f"it sends more than {self.most} bytes")
        return super().write(data)


def _file(url: str, size: int, sha256: str) -> bytes:
    """The file at ``url`` as gzip, if it unpacks to what it must; raises ``MirrorError``."""
    import pooch
    packed = _Bounded(size + idx.CHUNK)
    try:
        pooch.HTTPDownloader(timeout=TIMEOUT)(url, packed, None)
    except (OSError, ValueError) as error:                # all of the HTTP library's exceptions are OSErrors
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise MirrorError(f"status {status}" if status else type(error).__name__) from None
    content, name = packed.getvalue(), url.rpartition("/")[2]
    if content[:2] != idx.GZIP_MAGIC:                         # some servers unpack what they send
        content = gzip.compress(content, mtime=0)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            digest = hashlib.sha256(idx.read_at_most(file, size + 1)).hexdigest()
    except (OSError, EOFError, zlib.error):
        raise MirrorError(f"{name} is no complete gzip file") from None
    if digest != sha256:
        raise MirrorError(f"{name} has SHA-256 {digest} unpacked, not {sha256}")
    return content
