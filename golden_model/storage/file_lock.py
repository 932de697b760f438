"""One process at a time: a lock on a file, which the system drops with the process that holds it, however that ends.

Ours, because the package ``filelock`` would replace ``locked`` alone: its locks are exclusive, or, shared ones, entries of a
database beside the file, and ``shared`` marks a library while it is in use, by the file itself.
"""
from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return
            except OSError as error:
                if error.errno != errno.EDEADLK:              # it gave up after ten seconds
                    raise

    def _unlock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until nobody else, process or thread, is within ``locked`` of this file, and keep others out.

    The file is made if it is not there, and stays: who waits for it may have it open.

    Raises
    ------
    OSError
        If the file cannot be made or opened for writing.
    """
    with path.open("ab") as file:
        file.seek(0)                                          # Windows locks the byte at this place
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


def shared(path: Path) -> BinaryIO:
    """``path``, which exists, open, and marked as in use until it is closed or the process ends; several may use it.

    Windows needs no mark: there a file that is open cannot be removed.
    """
    file = path.open("rb")
    if sys.platform != "win32":
        fcntl.flock(file, fcntl.LOCK_SH)
    return file


@contextmanager
def unused(path: Path) -> Iterator[bool]:
    """Whether ``path`` exists and nobody has it ``shared``; as long as this lasts nobody can."""
    try:
        file = path.open("rb")
    except OSError:
        yield False
        return
    with file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True
