"""The process of a virtual board: it does not hang, leaves nothing open, and hears every order."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from boards import virtual, virtual_process
from golden_model.errors import DeviceError, ToolError


def answering(monkeypatch, text):
    """In place of the process of a virtual board: another Python program."""
    started = subprocess.Popen
    monkeypatch.setattr(virtual.subprocess, "Popen",
                        lambda command, **options: started([sys.executable, "-c", text], **options))


def test_a_virtual_board_that_does_not_start_leaves_nothing_open(monkeypatch, tmp_path):
    """Neither its pipes nor its folder nor its process."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        with pytest.raises(DeviceError, match="^the process of the virtual board must run, but it ended with code 1; start the "
                                              "virtual board again$"):
            virtual.VirtualBoard(tmp_path / "no library")
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_a_virtual_board_that_says_nothing_is_stopped(monkeypatch):
    answering(monkeypatch, "import time; time.sleep(3600)")
    monkeypatch.setenv("WUXING_TIME_LIMIT", "2")
    with pytest.raises(ToolError, match=r"^the virtual board's answer to an order must end within 2 seconds, but did not and "
                                        r"was stopped; if it needs longer, set WUXING_TIME_LIMIT to more seconds, or to 0 for "
                                        r"no limit$"):
        virtual.VirtualBoard(Path("library"))


def test_orders_that_come_together_are_all_carried_out(monkeypatch):
    """Also one that comes in pieces: what a buffer held, ``select`` would not see."""
    answers, orders = [], [b"clocks\nclocks\nclo", b"cks\n"]
    chip = SimpleNamespace(clocks=7, flipped=0)
    bridge = virtual_process.Bridge(chip, Path("port"))
    monkeypatch.setattr(virtual_process.sys, "stdin", SimpleNamespace(fileno=lambda: 0))
    monkeypatch.setattr(virtual_process.sys, "stdout", SimpleNamespace(fileno=lambda: 1))
    monkeypatch.setattr(virtual_process.os, "read", lambda descriptor, count: orders.pop(0))
    monkeypatch.setattr(virtual_process.os, "write", lambda descriptor, data: answers.append(data))
    bridge.obey()
    assert answers == [b"7 0\n"] * 2
    bridge.obey()
    assert answers == [b"7 0\n"] * 3
