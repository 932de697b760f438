"""stdout and stderr while a command runs: whatever becomes of them, the command does its work and writes its files.

A reader that goes away (``| head``), a full disk, a terminal that was closed: from then on nothing is written to it, and
the command goes on. In the end ``Output.error`` says what happened. A stream that is closed from the beginning takes nothing.
"""
from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


class Output(io.TextIOBase):
    """A text stream that never raises an error of the one behind it (None: there is none).

    ``error``: why nothing is written any more, None while all is well. What the stream's encoding lacks is written as escapes.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.error: OSError | None = None

    @property
    def encoding(self) -> str:                            # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        with suppress(OSError, ValueError):
            return self.stream is not None and self.stream.isatty()
        return False

    def fileno(self) -> int:
        if self.stream is None:
            raise io.UnsupportedOperation("the stream is closed")
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.stream is None or self.error is not None:
            return len(text)
        try:
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                self.stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
        except (OSError, ValueError) as error:            # ValueError: somebody closed it
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.stream is None or self.error is not None:
            return
        try:
            self.stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: OSError | ValueError) -> None:
        """Remember why, and empty the buffer of the stream into nothing, or Python would try again when it ends."""
        self.error = error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF))
        with suppress(OSError, ValueError):
            assert self.stream is not None
            descriptor = self.stream.fileno()
            passed_on, kept = os.get_inheritable(descriptor), os.dup(descriptor)
            try:
                with Path(os.devnull).open("wb") as nothing:
                    os.dup2(nothing.fileno(), descriptor, passed_on)
                    self.stream.flush()
            finally:
                os.dup2(kept, descriptor, passed_on)      # it is the caller's
                os.close(kept)


def closed(stream: TextIO | None) -> bool:
    """Whether stdout or stderr was closed from the beginning."""
    return stream is None or (isinstance(stream, Output) and stream.stream is None)


@contextmanager
def guarded() -> Iterator[tuple[Output, Output]]:
    """stdout and stderr as ``Output`` until the end; descriptors and streams are then as they were.

    Descriptors 0 to 2 that are closed lead to nothing meanwhile: a file opened there would be written to by whatever prints.
    """
    filled = []
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            filled.append(os.open(os.devnull, os.O_RDWR))         # the lowest that is free, which is this one
    before = sys.stdout, sys.stderr
    streams = Output(sys.stdout), Output(sys.stderr)
    sys.stdout, sys.stderr = streams
    try:
        yield streams
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before
        for descriptor in filled:
            os.close(descriptor)
