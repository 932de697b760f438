"""Loading a bitstream onto a board, by the first of the programs for it that is there."""
from __future__ import annotations

import shutil
from pathlib import Path

from boards.platforms import Platform
from boards.tools import complaint
from golden_model import programs
from golden_model.errors import ToolError


def program(platform: Platform, bitstream: Path) -> str:
    """Load the bitstream; the name of the program that did.

    Raises
    ------
    ToolError
        If no program for the board is there (with how to install one), or it fails.
    """
    for programmer in platform.programmers:
        path = shutil.which(programmer.name)
        if path is None:
            continue
        done = programs.run([path, *programmer.arguments, str(bitstream)], programmer.name, usual=programs.SHORT)
        if done.code:
            raise ToolError(f"{programmer.name} must load {bitstream} onto the {platform.title}, but it ended with "
                            f"{done.code}: {complaint(done.output + done.complaints)}; is the board plugged in, and may "
                            f"you use it?")
        return programmer.name
    names = " or ".join(programmer.name for programmer in platform.programmers)
    raise ToolError(f"{names} must be on PATH to load {bitstream} onto the {platform.title}, but is not; "
                    f"{platform.programmers[0].install}")
