"""A board without a board: the top level of a board, compiled, behind a pseudo-terminal that opens like a serial port."""
from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from boards import system
from golden_model import programs
from golden_model.errors import DeviceError, InputError, ToolError
from hdl import emit
from hdl.design import Design
from sim import verilate

WRAPPER = Path(__file__).with_name("virtual.cpp")
PORTS = {"clk": ("IN", 1), "rst": ("IN", 1), "rx": ("IN", 1), "tx": ("OUT", 1)}
DIVISOR = 2                               # clocks of a bit: the fewest, because every clock costs time


def check_system() -> None:
    """Raise a ``ToolError`` on a system that has no pseudo-terminals."""
    try:
        import pty  # noqa: F401
    except ImportError:
        raise ToolError("a virtual board must have the pseudo-terminals of Linux or macOS, which this system lacks; run it in "
                        "WSL on Windows, or a real board with --port COM7") from None


def library(design: Design, divisor: int = DIVISOR, core: str | None = None) -> Path:
    """The compiled top level with a core, from the cache or new; ``core``: its Verilog, by default that of the design.

    Blocks of a target's FPGA are the models that ``hdl.emit.cells`` has of them.

    Raises
    ------
    ToolError, InputError
        As ``sim.verilate.build``; also on a system without pseudo-terminals.
    """
    check_system()
    text = "\n".join([system.system_verilog(design, divisor, core), *emit.cells(design).values()])
    return verilate.build(text, system.TOP, wrapper=WRAPPER, ports=PORTS)


class VirtualBoard:
    """A process that runs the gateware; ``port`` is the name to open. A context manager.

    Parameters
    ----------
    built : Path
        What ``library`` gave.
    divisor : int
        The divisor that it was built with.

    Raises
    ------
    DeviceError
        If the process does not start, or has ended when something is asked of it.
    """

    def __init__(self, built: Path, divisor: int = DIVISOR) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wuxing-board-")
        self.port = str(Path(self._folder.name) / "port")
        root = str(Path(__file__).parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "boards.virtual_process", str(built), str(divisor), self.port], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, bufsize=0, start_new_session=True,       # no Ctrl-C of this terminal reaches the chip
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])})
        self._buffer = b""
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @classmethod
    def of(cls, design: Design, divisor: int = DIVISOR) -> Self:
        """A board with the core of a design, compiled if the cache has it not; raises what ``library`` raises too."""
        return cls(library(design, divisor), divisor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove the port."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(programs.limit(programs.SHORT))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def unplug(self) -> None:
        """Pull the cable: the port vanishes, the chip goes on."""
        self._order("unplug")

    def plug(self) -> None:
        """Put the cable back: the port is there again under the same name."""
        self._order("plug")

    def noise(self, chance: float, seed: int = 0) -> None:
        """From now on each bit of the line, in both directions, changes with this chance."""
        if not 0 <= chance < 1:
            raise InputError(f"noise must be a chance from 0 to below 1, not {chance}")
        self._order(f"noise {chance} {seed}")

    @property
    def clocks(self) -> int:
        """Clock cycles since power-up; they stand still while nothing happens on the line."""
        return int(self._order("clocks").split()[0])

    @property
    def flipped(self) -> int:
        """Bits that noise has changed."""
        return int(self._order("clocks").split()[1])

    def _order(self, order: str) -> str:
        assert self._process.stdin is not None
        with suppress(OSError):                           # its end is noticed and named when it does not answer
            self._process.stdin.write(f"{order}\n".encode())
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        most = programs.limit(programs.SHORT)
        while b"\n" not in self._buffer:
            if not select.select([self._process.stdout], [], [], most)[0]:
                self._process.kill()
                raise programs.late("the virtual board's answer to an order", most)
            came = os.read(self._process.stdout.fileno(), 4096)
            if not came:
                raise DeviceError(f"the process of the virtual board must run, but it ended with code {self._process.wait()}; "
                                  f"start the virtual board again")
            self._buffer += came
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode().strip()
