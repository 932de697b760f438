"""Write aside, then rename: a file is there complete or as it was before, whatever interrupts the writing."""
from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from golden_model.errors import InputError


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Give the file ``path`` this content (text as UTF-8), all of it or none.

    The content is written to a new file in the same folder, flushed to the disk, and renamed. A full disk, Ctrl-C or
    any other exception before that leaves the old file as it was and nothing besides. A symbolic link stays one: the
    file it points to is replaced. Permissions of an old file are kept. What is no file on a disk (``/dev/stdout``, a
    pipe) cannot be replaced and is written to directly.

    Raises
    ------
    InputError
        If the file cannot be written: missing folder, no permission, full disk.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        target = Path(os.path.realpath(path))
        mode = _mode(Path(path))
        if mode is None or stat.S_ISREG(mode):
            _replace(target, data, mode)
        else:
            with Path(path).open("wb") as file:
                file.write(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{os.fspath(path)} must be a file that can be written, but: {reason}; what was there before is "
                         f"unchanged, choose another place or mend this one") from error


def _mode(path: Path) -> int | None:
    """Type and permissions of what ``path`` leads to; None if there is nothing yet."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError("it is read-only")          # a rename would not ask
    aside = target.with_name(f".wuxing-{secrets.token_hex(8)}.part")     # short: the target's name may be of full length
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            aside.chmod(stat.S_IMODE(mode))
        aside.replace(target)
    except BaseException:                                 # Ctrl-C too leaves nothing behind
        aside.unlink(missing_ok=True)
        raise
