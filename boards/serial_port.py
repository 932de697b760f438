"""A serial port of this machine, or what pyserial reaches by a URL, and in one sentence why it cannot be used."""
from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import serial
from serial.tools import list_ports

from golden_model.errors import DeviceError

READ_WAIT = 0.01                          # seconds
REFUSALS: tuple[type[Exception], ...] = (serial.SerialException, OSError, ValueError)
try:
    import termios
    REFUSALS += (termios.error,)
except ImportError:                       # Windows
    pass


class ConnectionLost(DeviceError):
    """The port went away while it was in use. What was under way can be resumed when it is back."""


class SerialPort:
    """An open port that nobody else can open meanwhile.

    Parameters
    ----------
    name : str
        As the system calls it (``/dev/ttyUSB1``, ``COM7``), or a URL of pyserial (``socket://host:port``,
        ``rfc2217://host:port``).
    baud : int
        Bits a second. A pseudo-terminal ignores it.

    Raises
    ------
    DeviceError
        If the port is missing, in use, not allowed, or no serial port.
    """

    def __init__(self, name: str, baud: int) -> None:
        self.name = name
        try:
            self._port = serial.serial_for_url(name, baud, timeout=READ_WAIT, write_timeout=5, exclusive=True)
        except REFUSALS as error:
            raise DeviceError(_reason(name, baud, error)) from None
        with contextlib.suppress(ValueError, OSError, AttributeError, NotImplementedError):
            self._port.set_low_latency_mode(True)         # FTDI chips then wait 1 ms instead of 16 for more bytes

    def close(self) -> None:
        """Other programs may then open it."""
        self._port.close()

    def write(self, data: bytes) -> None:
        """Give bytes to the system; ``ConnectionLost`` if it does not take them."""
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from None

    def read(self) -> bytes:
        """What has come, nothing if nothing comes for ``READ_WAIT`` seconds; ``ConnectionLost`` if the port is gone."""
        try:
            first: bytes = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else first
        except (serial.SerialException, OSError, TypeError) as error:       # TypeError: pyserial, of a port closed meanwhile
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> ConnectionLost:
        return ConnectionLost(f"the connection to {self.name} must last, but it was lost ({_brief(error)}); plug the board in "
                              f"again and reconnect")


def _reason(name: str, baud: int, error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code is None and "PermissionError" in str(error):      # what Windows says of a port that is open
        code = errno.EBUSY
    if code == errno.ENOENT or (code is None and "://" not in name and not Path(name).exists()):
        ports = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
        return f"port {name} must be there, but it is not; plug the board in or choose another port (there are: {ports})"
    if code in (errno.EBUSY, errno.EAGAIN) or "lock" in str(error):
        return f"port {name} must be free, but another program has it open; close that program first"
    if code in (errno.EACCES, errno.EPERM):
        return (f"port {name} must be open to you, but is not; on Debian `sudo usermod -aG dialout {_user()}` allows it, from "
                f"the next login on")
    return f"port {name} must be a serial port of {baud} baud, but: {_brief(error)}; choose another port or --baud"


def _user() -> str:
    return os.environ.get("USER") or "NAME"


def _brief(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return str(text).split("\n")[0][:120]
