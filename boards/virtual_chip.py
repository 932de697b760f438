"""A board's top level, compiled: bytes into its serial line, bytes out of it, clock by clock."""
from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

from golden_model.errors import DeviceError


class VirtualChip:
    """One instance of a library that ``boards.virtual.library`` built.

    Every bit of the serial line takes ``divisor`` clocks in both directions, as on a board; bits change with the chance
    ``noise``, start and stop bits too. One thread at a time.

    Parameters
    ----------
    library : path of the library.
    divisor : clocks of a bit: that of the gateware, or the two do not understand each other.

    Raises
    ------
    DeviceError
        If the model does not start, or ends itself while it runs.
    """

    def __init__(self, library: str | os.PathLike[str], divisor: int) -> None:
        self._c = _functions(os.fspath(library))
        self._chip = self._c.virtual_new(divisor)
        if not self._chip:
            raise DeviceError(f"the virtual board must start, but: {self._c.virtual_error(None).decode(errors='replace')}")
        self._finalizer = weakref.finalize(self, self._c.virtual_delete, self._chip)

    def close(self) -> None:
        """Free the instance; it cannot be used afterwards."""
        self._finalizer()

    @property
    def clocks(self) -> int:
        """Clock cycles since power-up."""
        return int(self._c.virtual_clock(self._chip))

    @property
    def flipped(self) -> int:
        """Bits that noise has changed."""
        return int(self._c.virtual_flipped(self._chip))

    @property
    def waiting(self) -> int:
        """Bytes that are still to go over the line to the chip."""
        return int(self._c.virtual_waiting(self._chip))

    def noise(self, chance: float, seed: int = 0) -> None:
        """From now on each bit changes with this chance."""
        self._c.virtual_noise(self._chip, round(chance * 2**32), seed)

    def send(self, data: bytes) -> None:
        """Put bytes into the queue for the line."""
        self._c.virtual_send(self._chip, data, len(data))

    def run(self, clocks: int) -> bytes:
        """Let clocks pass; returns the bytes that came."""
        if self._c.virtual_run(self._chip, clocks):
            raise DeviceError(f"the virtual board must run, but: {self._c.virtual_error(self._chip).decode(errors='replace')}")
        count = ctypes.c_uint64()
        start = self._c.virtual_received(self._chip, ctypes.byref(count))
        return ctypes.string_at(start, count.value) if count.value else b""


def _functions(library: str) -> Any:
    c = ctypes.CDLL(library)
    chip, number = ctypes.c_void_p, ctypes.c_uint64
    for name, (result, arguments) in {
            "new": (chip, [ctypes.c_uint]), "delete": (None, [chip]), "error": (ctypes.c_char_p, [chip]),
            "clock": (number, [chip]), "flipped": (number, [chip]), "waiting": (number, [chip]),
            "noise": (None, [chip, ctypes.c_uint32, number]), "send": (None, [chip, ctypes.c_char_p, number]),
            "run": (ctypes.c_int, [chip, number]), "received": (chip, [chip, ctypes.POINTER(number)])}.items():
        function = getattr(c, f"virtual_{name}")
        function.restype, function.argtypes = result, arguments
    return c
