"""Where the program keeps what it can make again: machine code of the engine, compiled cores, the caches of tools.

One rule for all of it: the folder that ``WUXING_CACHE`` names, else ``wuxing`` in the user's cache folder. Where that one
cannot be written, or somebody else could write it, a temporary folder serves, which is private, lasts as long as the process
and is passed on to the processes that it starts; a ``CacheWarning`` says so once.
"""
from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import platformdirs

from golden_model.errors import InputError

VARIABLE = "WUXING_CACHE"
PARTS = {"numba": "machine code of the engine", "rtl": "compiled cores and virtual boards",
         "wasmtime": "the Yosys that writes Verilog", "yowasp": "Yosys and nextpnr for bitstreams",
         "matplotlib": "list of fonts for pictures"}
_choosing = threading.RLock()


class CacheWarning(UserWarning):
    """What is compiled does not outlast the process; the sentence says why and what to do."""


def root() -> Path:
    """The folder of all parts; it exists, and only this user (and root) can write it.

    Raises
    ------
    InputError
        If there is not even a temporary folder.
    """
    named = os.environ.get(VARIABLE)
    folder = (Path(named) if named else platformdirs.user_cache_path("wuxing")).absolute()
    with _choosing:
        reason = _unusable(folder)
        if not reason:
            return folder
        must = f"{VARIABLE} must name" if named else "what is compiled must be kept in"
        temporary = _temporary()
        warnings.warn(CacheWarning(f"{must} a folder that you and nobody else can write, but {reason}; every run compiles anew "
                                   f"until you set {VARIABLE} to such a folder"), stacklevel=2)
        return temporary


def part(name: str) -> Path:
    """The folder of one of ``PARTS``, which exists and is as private as ``root``."""
    folder = root() / name
    reason = _unusable(folder)
    if reason:
        raise InputError(f"{folder} must be a folder that you and nobody else can write, but {reason}; remove it or set "
                         f"{VARIABLE} to another folder")
    return folder


def environment() -> dict[str, str]:
    """The environment of this process for programs that are WebAssembly: their caches are parts of ours.

    A folder that the user has named in ``YOWASP_CACHE_DIR`` stays that of the YoWASP tools.
    """
    with suppress(InputError):                            # then they must see for themselves
        folder = root()
        return {**os.environ, "XDG_CACHE_HOME": str(folder),      # in which wasmtime makes its folder
                "YOWASP_CACHE_DIR": os.environ.get("YOWASP_CACHE_DIR") or str(folder / "yowasp")}
    return dict(os.environ)


def exposed(place: Path) -> str:
    """Why somebody else could write or exchange ``place``, which exists; empty if nobody can. As ssh asks of its keys."""
    if os.name != "posix":
        return ""
    for each in (place, *place.parents):
        state = each.stat()
        if state.st_uid not in (0, os.getuid()):
            return f"{each} belongs to another user"
        sticky = state.st_mode & stat.S_ISVTX and each != place               # like /tmp: everybody has his own in it
        others = state.st_mode & stat.S_IWOTH or state.st_mode & stat.S_IWGRP and not _own_group(state.st_gid)
        if others and not sticky:
            return f"others can write {each}"
    return ""


def _own_group(group: int) -> bool:
    """Whether it is the group of this user alone: of the same name, without other members."""
    import grp
    import pwd
    try:
        user, entry = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return entry.gr_name == user and set(entry.gr_mem) <= {user}


def _unusable(folder: Path) -> str:
    """Why ``folder`` cannot serve, else it exists now."""
    try:
        for place in reversed((folder, *folder.parents)):
            if place.is_file():
                return f"{place} is a file"
            if not place.is_dir():
                place.mkdir(0o700 if place == folder else 0o755, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"{folder} is read-only"
        return exposed(folder.resolve())
    except OSError as error:
        return f"{error.filename or folder} says: {error.strerror or error}"


def _temporary() -> Path:
    """A folder for this process and those that it starts, which find it in their environment."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="wuxing-cache-"))
    except OSError as error:
        raise InputError(f"compiled code must have a folder that can be written, but there is none, not even a temporary one "
                         f"({error.strerror or error}); set {VARIABLE} to a folder") from None
    os.environ[VARIABLE] = str(folder)
    atexit.register(_removed, folder, os.getpid())
    return folder


def _removed(folder: Path, owner: int) -> None:
    if os.getpid() == owner:                              # not when a process ends that was forked from it
        shutil.rmtree(folder, ignore_errors=True)
