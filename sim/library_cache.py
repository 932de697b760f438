"""The folder of compiled cores: each in a folder of its own that nobody else can write, with the SHA-256 of its files.

A folder is written aside and renamed; one that is damaged is made again; a lock makes processes that need the same one wait
for the first. Those that were not used for longest go when there is more than ``MOST_BYTES``, but none that a process uses.
"""
from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from golden_model.errors import InputError
from golden_model.storage import cache
from golden_model.storage.file_lock import locked, shared, unused

PART = "rtl"
SUMS = "sums.json"                        # SHA-256 of the other files; locked by those who use them, touched when they begin
MOST_BYTES = 1 << 30
TICK = 2_000_000_000                      # ns: a file that was written again within it may have the times it had before
_used: dict[Path, BinaryIO] = {}          # folders that this process uses to its end
_undamaged: dict[Path, object] = {}       # folders whose files this process has read, with what the system said of them then


@atexit.register
def _closed() -> None:
    while _used:
        _used.popitem()[1].close()


def folder() -> Path:
    """Where all are; it exists."""
    return cache.part(PART)


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """The folder ``name`` with what ``make`` writes into it, from an earlier call if that is undamaged. It stays to the end of
    the process.

    Raises
    ------
    InputError
        If the cache cannot be written.
    """
    place = folder() / name
    if _taken(place):
        return place
    with _alone(place):
        if _taken(place):                                         # another process was faster
            return place
        aside = place.with_name(f"{name}.part")
        for left in (aside, place):                               # of a process that was killed; damaged
            shutil.rmtree(left, ignore_errors=True)
        try:
            aside.mkdir(0o700)
            make(aside)
            (aside / SUMS).write_text(json.dumps(_sums(aside)), "utf-8")
            aside.rename(place)
        except OSError as error:
            raise _unwritable(place.parent, error) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        if not _taken(place):
            raise InputError(f"compiled cores must stay in the cache folder, but something else changed {place} at once; set "
                             f"{cache.VARIABLE} to another folder")
    trim(place.parent, MOST_BYTES)
    return place


def trim(place: Path, most: int) -> tuple[int, int]:
    """Remove folders until all together have at most so many bytes, those first that were not used for longest.

    Returns
    -------
    How many are left, and their bytes; more than ``most`` only if processes use them.
    """
    entries = []
    for each in place.iterdir() if place.is_dir() else ():
        if each.is_dir() and each.suffix != ".part":              # which somebody is making
            with suppress(OSError):                               # another process removes it just now
                entries.append((_last_used(each), each, sum(file.stat().st_size for file in each.rglob("*"))))
    number, size = len(entries), sum(each[2] for each in entries)
    for _, each, its in sorted(entries):
        if size <= most:
            break
        if _removed(each):
            number, size = number - 1, size - its
    return number, size


def _removed(place: Path) -> bool:
    """Remove a folder unless a process uses it. One without sums is damaged, and nobody's."""
    if (place / SUMS).exists():
        with unused(place / SUMS) as free:
            if free:
                shutil.rmtree(place, ignore_errors=True)
    else:
        shutil.rmtree(place, ignore_errors=True)
    return not place.exists()


def _taken(place: Path) -> bool:
    """Whether the folder is there, undamaged and nobody else's; if so, this process uses it from now on."""
    try:
        mark = shared(place / SUMS)
    except OSError:
        return False
    if not _intact(place):
        mark.close()
        return False
    _used.setdefault(place, mark)
    if _used[place] is not mark:
        old, _used[place] = _used[place], mark                    # of the same folder, or of one that was made anew
        old.close()
    with suppress(OSError):
        os.utime(place / SUMS)
    return True


def _intact(place: Path) -> bool:
    """Whether nobody else can write there and all files have their sums. What this process has read, and the system says is as
    it was, is not read again: the headers that each core includes are 70 MB."""
    try:
        if cache.exposed(place.resolve()):
            return False
        text = (place / SUMS).read_text("utf-8")
        times = [(path, path.stat()) for path in sorted(place.rglob("*")) if path.name != SUMS]
        state = text, [(path, its.st_ino, its.st_size, its.st_mtime_ns, its.st_ctime_ns) for path, its in times]
        if _undamaged.get(place) == state:
            return True
        if json.loads(text) != _sums(place):
            return False
        if time.time_ns() - max((its.st_ctime_ns for _, its in times), default=0) > TICK:
            _undamaged[place] = state
        return True
    except (OSError, ValueError):
        return False


def _sums(place: Path) -> dict[str, str]:
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(place.rglob("*")) if path.is_file() and path.name != SUMS}


def _last_used(place: Path) -> float:
    return (place / SUMS).stat().st_mtime if (place / SUMS).exists() else 0.0


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One process at a time makes it. Locks are files that stay, so several folders have one: no more than 256 of a kind."""
    kind, _, key = place.name.rpartition("-")
    try:
        with locked(place.with_name(f"{kind or 'core'}-{key[:2]}.lock")):
            yield
    except OSError as error:
        raise _unwritable(place.parent, error) from None


def _unwritable(place: Path, error: OSError) -> InputError:
    return InputError(f"compiled cores must have a cache folder that can be written, but {place} says: {error.strerror}; "
                      f"set {cache.VARIABLE} to another folder")
