"""Running another program: none runs for ever, and none outlives the run that needed it.

``WUXING_TIME_LIMIT`` replaces the limits here: seconds for each program, 0 for none.
"""
from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from golden_model.errors import InputError, ToolError

VARIABLE = "WUXING_TIME_LIMIT"
SHORT = 600.0                             # seconds for what answers at once, on a machine that is busy with other things
LONG = 24 * 3600.0                        # for what may take hours: compiling, synthesis, place and route, proofs


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A program that came to its end: exit code (negative: the signal that ended it), what it said on stdout and stderr."""

    code: int
    output: str
    complaints: str


def limit(usual: float) -> float | None:
    """Seconds that a program may take, None for any; ``usual`` where the user has set nothing.

    Raises
    ------
    InputError
        If ``WUXING_TIME_LIMIT`` is no number of seconds.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return usual
    with suppress(ValueError):
        if 0 <= float(named) <= threading.TIMEOUT_MAX:
            return float(named) or None
    raise InputError(f"{VARIABLE} must be a number of seconds from 0 (no limit), not {named[:40]!r}")


def run(command: Sequence[str | os.PathLike[str]], name: str, *, usual: float = LONG, folder: Path | None = None,
        environment: Mapping[str, str] | None = None, stdin: str | None = None, output: IO[Any] | None = None) -> Ran:
    """Run a program to its end; with whatever it starts, it is ended if it takes too long or this process is interrupted.

    Parameters
    ----------
    command, name : what to run, and what to call it in an error.
    usual : seconds that it may take; see ``limit``.
    folder, environment : where, and in which environment; by default those of this process.
    stdin : text for its stdin, which is empty else.
    output : a file for what it says on both outputs; by default that is returned.

    Raises
    ------
    ToolError
        If it takes too long.
    OSError
        If it cannot be started.
    """
    most = limit(usual)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if output is not None:
        streams = {"stdout": output, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                          **streams, encoding="utf-8", errors="replace", start_new_session=True) as process:
        try:
            text, complaints = process.communicate(stdin, timeout=most)
        except subprocess.TimeoutExpired:
            end(process)
            raise late(name, most) from None
        except BaseException:
            end(process)
            raise
    return Ran(code=process.returncode, output=text or "", complaints=complaints or "")


def late(name: str, seconds: float | None) -> ToolError:
    """The sentence for a program that took longer than that."""
    return ToolError(f"{name} must end within {seconds:g} seconds, but did not and was stopped; if it needs longer, set "
                      f"{VARIABLE} to more seconds, or to 0 for no limit")


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process that was started in a session of its own, and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except AttributeError:                                # Windows
        process.kill()
    except (ProcessLookupError, PermissionError):
        process.poll()
