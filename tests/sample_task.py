"""A task whose runs leave a trace: ``setting["folder"]`` gets one file for each attempt.

``value``: what is squared. ``wait``: go on only when there is no file ``hold`` in the folder. ``die``: the first that many
attempts kill their process. ``refuse``: raise an ``InputError``.
"""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from golden_model.errors import InputError

VERSION = 3


def run(setting: dict[str, Any]) -> dict[str, Any]:
    folder = Path(setting["folder"])
    attempt = len(list(folder.glob(f"{setting['value']}-*")))
    (folder / f"{setting['value']}-{attempt}-{os.getpid()}").touch()
    if attempt < setting.get("die", 0):
        os.kill(os.getpid(), signal.SIGKILL)
    while setting.get("wait") and (folder / "hold").exists():
        time.sleep(0.01)
    if setting.get("refuse"):
        raise InputError("the sample must not be refused, but it is; drop refuse")
    return {"square": setting["value"]**2, "pid": os.getpid()}
