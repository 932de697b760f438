"""Ctrl-C and the signals by which a system, a terminal or a job manager ends a program: all of them are ``KeyboardInterrupt``.

What an interrupted command has already learnt it keeps: within ``keeping`` the first signal interrupts, and those after it find
the work being written and do not disturb it.
"""
from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wuxing import exit_codes

# Windows has no SIGHUP; there the closing of the console is SIGBREAK
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
AGAIN = 0.05                              # seconds until a signal that went nowhere is repeated


class _Watch:
    """``number``: the first signal that came. ``keeping``: only the first one interrupts. ``holding``: none does.
    ``asking``: none does either, the first one is a request.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.keeping = self.holding = self.asking = False

    def take(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
        if self.asking:
            self.holding = True
        if not self.holding:
            self.holding = self.keeping
            raise KeyboardInterrupt


_watch = _Watch()


@contextmanager
def watched() -> Iterator[None]:
    """Until the end each of ``SIGNALS`` raises ``KeyboardInterrupt``, unless it is ignored or somebody else handles it.

    Only the main thread of a program may say what a signal does; in any other nothing is changed.
    """
    global _watch
    before, _watch = _watch, _Watch()
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: handler for number in SIGNALS
                    if (handler := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler)}
    unraisable = sys.unraisablehook

    def repeated(lost: sys.UnraisableHookArgs) -> None:
        """An exception in a finaliser goes nowhere; a signal that came just then comes again, when that is over."""
        if lost.exc_type is not KeyboardInterrupt or _watch.number is None:
            unraisable(lost)
            return
        _watch.holding = False
        threading.Timer(AGAIN, _thread.interrupt_main, (_watch.number,)).start()
    try:
        for number in handlers:
            signal.signal(number, _watch.take)
        sys.unraisablehook = repeated
        yield
    finally:
        sys.unraisablehook = unraisable
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _watch = before


@contextmanager
def keeping() -> Iterator[None]:
    """What runs within has something to keep: after the first signal, or ``hold``, others are left until the end."""
    _watch.keeping = True
    try:
        yield
    finally:
        _watch.keeping = _watch.holding = False


@contextmanager
def asking_first(active: bool) -> Iterator[None]:
    """Within it, if that is wanted, a signal is a request to come to an end, which ``pending`` tells of. It interrupts nothing,
    and neither do those after it, until the program ends: what is there is to be written.
    """
    _watch.asking = active
    try:
        yield
    finally:
        _watch.asking = False


def pending() -> bool:
    """Whether somebody asked for the end within ``asking_first``."""
    return _watch.holding


def hold() -> None:
    """Within ``keeping``: all is there and is only to be written; no signal interrupts that."""
    _watch.holding = True


def exit_code() -> int:
    """What an interrupted command ends with: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return exit_codes.SIGNALLED + (signal.SIGINT if _watch.number is None else _watch.number)
