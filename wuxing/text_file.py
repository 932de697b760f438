"""Text files that people write (TOML, JSON), as editors of all systems save them."""
from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from golden_model.errors import InputError

MOST = 1 << 24                            # bytes; a description of a network has some hundred
UTF_16 = b"\xff\xfe", b"\xfe\xff"         # how a file in UTF-16 begins


def read(path: Path, what: str, remedy: str) -> str:
    """The text of a file in UTF-8, without the byte order mark that some editors put before it.

    Raises
    ------
    InputError
        If it cannot be read, or is not UTF-8; ``what`` names the file, ``remedy`` says what to do.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)                # a device may go on for ever
    except OSError as error:
        raise InputError(f"{what} {path} must be a file that can be read, but: {error.strerror}; {remedy}") from None
    if len(content) > MOST:
        raise InputError(f"{what} {path} must have at most {MOST} bytes, but has more; {remedy}")
    if content.startswith(UTF_16):
        raise InputError(f"{what} {path} must be text in UTF-8, not UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{what} {path} must be text in UTF-8, but is not; {remedy}") from None


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    InputError
        As ``read``, and if it is not TOML.
    """
    text = read(path, what, "give the path of a TOML file")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} {path} must be valid TOML, but: {error}; mend it there") from None
