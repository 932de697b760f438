"""What can go wrong, by whose turn it is to mend it; each class has the exit code of the command line.

The message of each is one sentence, except that of ``InternalError``: what must hold, what was found, and the remedy.
"""
from __future__ import annotations

from typing import ClassVar


class WuxingError(Exception):
    """Base of all that this project raises on purpose.

    ``exit_code``: with what the command line ends. 0 is success, 1 a difference or a claim that does not hold, 130 Ctrl-C.
    """

    exit_code: ClassVar[int]


class InputError(WuxingError, ValueError):
    """What a caller or a file supplied cannot be used: change it."""

    exit_code = 2


class ToolError(WuxingError):
    """A program or a package that this project calls is missing, or it failed: install or mend it."""

    exit_code = 3


class DeviceError(WuxingError):
    """A board, or a core (a simulated one too), cannot be reached, does not answer, or does not keep to its interface."""

    exit_code = 4


class InternalError(WuxingError):
    """A fault of this project, which no input should be able to cause: report it."""

    exit_code = 5

    REPORT = "this is a fault of wuxing, please report it"

    def __init__(self, fault: str) -> None:
        super().__init__(f"{fault}; {self.REPORT}")
