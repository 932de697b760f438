"""The lock of a file: one process at a time, dropped with the process, on systems with ``fcntl`` and with ``msvcrt``."""
from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from golden_model.storage.file_lock import locked

HOLD = """
import sys
from pathlib import Path
from golden_model.storage.file_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
WINDOWS = """
import errno, sys, types
calls = []

def locking(descriptor, mode, count):
    calls.append((mode, count))
    if len(calls) == 1:
        raise OSError(errno.EDEADLK, "still held")            # as after ten seconds

sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_LOCK="lock", LK_UNLCK="unlock")
import pathlib
import shutil                                                 # what asks for the system asks before it is another
sys.platform = "win32"
from golden_model.storage.file_lock import locked
with locked(pathlib.Path(sys.argv[1])):
    calls.append("within")
print(calls)
"""


def test_a_second_process_waits_and_a_killed_one_lets_go(tmp_path):
    path, order = tmp_path / "a.lock", []
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        def wait():
            with locked(path):
                order.append("second")

        second = threading.Thread(target=wait)
        second.start()
        second.join(0.3)
        assert order == []
        order.append("killed")
        holder.kill()
        holder.wait()
        second.join()
    assert order == ["killed", "second"]


def test_threads_wait_for_each_other(tmp_path):
    inside, most = 0, 0

    def enter():
        nonlocal inside, most
        for _ in range(20):
            with locked(tmp_path / "a.lock"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)                             # so that another thread gets its turn
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_an_error_within_lets_go(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "a.lock"):
        raise KeyError
    with locked(tmp_path / "a.lock"):
        pass


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "missing" / "a.lock"):
        pass


def test_on_windows_it_goes_on_waiting(tmp_path):
    done = subprocess.run([sys.executable, "-c", WINDOWS, str(tmp_path / "a.lock")], capture_output=True, text=True, check=True)
    assert done.stdout == "[('lock', 1), ('lock', 1), 'within', ('unlock', 1)]\n"
