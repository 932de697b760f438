"""The process of a virtual board: a compiled chip, its serial line bridged to a pseudo-terminal, orders on stdin.

    python -m boards.virtual_process LIBRARY DIVISOR PORT

PORT is a symbolic link to the pseudo-terminal. Each order is a line and gets a line in return: ``plug``, ``unplug``,
``noise CHANCE SEED``, ``clocks``. The process ends with its stdin, so that it never outlives who started it.

Why a pseudo-terminal and not pyserial's ``socket://``: with a socket for the line and one for the orders all of it worked
without ``pty``, ``termios`` and ``fcntl``, in 211 lines of this file and ``boards/virtual.py`` instead of 213, and about as
fast (160 images a second, 180 through the terminal). But whatever opens a serial port opens a pseudo-terminal, by the code
that opens a real board's, and no other user of the machine can; and Windows would still want the g++, make and perl of WSL,
where there are pseudo-terminals.
"""
from __future__ import annotations

import os
import pty
import select
import signal
import sys
import tty
from pathlib import Path

from boards.virtual_chip import VirtualChip

SLICE = 500                               # clocks between two looks at the pseudo-terminal
QUIET = 200_000                           # clocks without a byte on the line after which the chip's clock stands still
BACKLOG = 1 << 16                         # bytes that nobody reads; what comes after them is lost, as on a real port
CHUNK = 4096


class Bridge:
    """A chip and the pseudo-terminal that it is plugged to, if it is."""

    def __init__(self, chip: VirtualChip, port: Path) -> None:
        self.chip, self.port = chip, port
        self.master, self.slave, self.backlog, self.quiet = -1, -1, b"", 0
        self.orders = b""                                # what came of lines that are not complete

    def plug(self) -> None:
        """A new pseudo-terminal under the same name."""
        self.unplug()
        self.master, self.slave = pty.openpty()          # the slave stays open here: the port is there, opened or not
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        aside = self.port.with_name(self.port.name + ".new")
        aside.symlink_to(os.ttyname(self.slave))
        aside.rename(self.port)

    def unplug(self) -> None:
        """As if the cable were pulled: whoever has the port open loses it. The chip keeps its state and its clock."""
        if self.master >= 0:
            self.port.unlink()
            os.close(self.master)
            os.close(self.slave)
            self.master, self.slave, self.backlog = -1, -1, b""

    def step(self) -> None:
        """Bytes in, some clocks, bytes out; waits for bytes or orders when nothing happens on the line."""
        moving = bool(self.chip.waiting or self.quiet < QUIET)
        readers = [sys.stdin.fileno(), *([self.master] if self.master >= 0 and self.chip.waiting < CHUNK else [])]
        writers = [self.master] if self.backlog and self.master >= 0 else []
        ready, writable, _ = select.select(readers, writers, [], 0 if moving else None)
        if sys.stdin.fileno() in ready:
            self.obey()
        elif ready:
            data = os.read(self.master, CHUNK)
            self.chip.send(data)
            self.quiet = 0
        if writable and self.master >= 0:
            self.backlog = self.backlog[os.write(self.master, self.backlog):]
        if moving or ready:
            came = self.chip.run(SLICE)
            self.quiet = 0 if came or self.chip.waiting else self.quiet + SLICE
            if self.master >= 0:
                self.backlog = (self.backlog + came)[:BACKLOG]

    def obey(self) -> None:
        """The orders that came on stdin, which is read without a buffer: ``select`` would not see what lies in one."""
        came = os.read(sys.stdin.fileno(), CHUNK)
        if not came:
            self.unplug()
            raise SystemExit
        *lines, self.orders = (self.orders + came).split(b"\n")
        for line in lines:
            self.carry_out(line.decode(errors="replace").split())

    def carry_out(self, order: list[str]) -> None:
        """One order, and the line in return."""
        answer = "done"
        match order:
            case ["plug"]:
                self.plug()
            case ["unplug"]:
                self.unplug()
            case ["noise", chance, seed]:
                self.chip.noise(float(chance), int(seed))
            case ["clocks"]:
                answer = f"{self.chip.clocks} {self.chip.flipped}"
            case _:
                answer = "unknown"
        os.write(sys.stdout.fileno(), f"{answer}\n".encode())


def main() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):      # whoever started it ends it, by its stdin
        signal.signal(number, signal.SIG_IGN)
    library, divisor, port = sys.argv[1:]
    bridge = Bridge(VirtualChip(library, int(divisor)), Path(port))
    bridge.plug()
    os.write(sys.stdout.fileno(), b"ready\n")
    while True:
        bridge.step()


if __name__ == "__main__":
    main()
