"""What reads stdout and stderr goes away: the command does its work and writes its files, and there is no traceback."""
from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from golden_model.storage import model_file
from wuxing import streams
from wuxing.cli import main

TRAIN = ("train --dataset digits --layers 64,4,10 --epochs 12 --train-images 200 --test-images 60 -o m.npz "
         "--json r.json")
FULL = "wuxing: the output must be readable and writable, but: No space left on device; mend it or choose another place\n"


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script of bash, in which ``$wuxing`` is this program."""
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
                          env={**os.environ, "wuxing": f"{sys.executable} -m wuxing", "train": TRAIN,
                               "PYTHONPATH": str(Path(__file__).parent.parent)})


@pytest.mark.parametrize(("script", "code", "text"), [
    ("$wuxing $train 2>&1 >/dev/null | head -n 2 >/dev/null; exit ${PIPESTATUS[0]}", 0, ""),       # the reader of the progress
    ("$wuxing $train -q | true; exit ${PIPESTATUS[0]}", 1, ""),                                    # and of the result
    ("$wuxing $train >/dev/null 2>/dev/full", 0, ""),
    ("$wuxing $train -q >/dev/full", 2, FULL),
    ("$wuxing $train -q >&-", 0, ""),
    ("$wuxing $train >/dev/null 2>&-", 0, ""),
    ("$wuxing $train >&- 2>&- <&-", 0, ""),
])
def test_a_training_outlives_its_readers(tmp_path, script, code, text):
    done = shell(script, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", text)
    assert model_file.load(tmp_path / "m.npz").record["complete_epochs"] == 12
    assert json.loads((tmp_path / "r.json").read_text())["complete_epochs"] == 12


@pytest.mark.parametrize(("arguments", "files"), [
    ("compare --dataset digits --layers 64,4,10 --epochs 1 --train-images 99 --test-images 9 --report p", ["p/index.html"]),
    ("experiment ladder --quick --report p --json -", ["p/experiments.md"]),
])
def test_what_a_command_writes_does_not_depend_on_who_reads_its_output(tmp_path, arguments, files):
    done = shell(f"$wuxing {arguments} 2>/dev/full | true; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    for name in files:
        assert (tmp_path / name).is_file()


@pytest.mark.parametrize(("arguments", "closed"), [("--help", ">&-"), ("--version", ">&-"), ("train --help", "2>&-"),
                                                   ("boards", ">&- 2>&- <&-"), ("frobnicate", "2>&-")])
def test_closed_streams_are_no_traceback(tmp_path, arguments, closed):
    done = shell(f"$wuxing {arguments} {closed}", tmp_path)
    assert done.returncode == (2 if arguments == "frobnicate" else 0)
    assert "Traceback" not in done.stdout + done.stderr


def test_json_to_a_closed_stdout_is_refused_before_the_training(tmp_path):
    done = shell("$wuxing $train --json - >&-", tmp_path)
    assert (done.returncode, done.stderr) == (2, "wuxing: stdout must be open to write - to it, but is closed; name a file\n")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_lacks_a_character_gets_its_escape(tmp_path):
    (tmp_path / "\u00e9.npz").write_bytes(b"")
    done = shell("PYTHONIOENCODING=ascii $wuxing boards && PYTHONIOENCODING=ascii $wuxing info \u00e9.npz", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("wuxing: model file \\xe9.npz: ")
    assert done.stdout.isascii()


# ---------------------------------------------------------------- as a function


def test_main_leaves_the_callers_streams_and_descriptors_as_they_were():
    """A program that calls ``main`` and goes on printing, to a disk that is full at first."""
    program = ("import os, sys\nfrom wuxing.cli import main\n"
               "before = sys.stdout, sys.stderr, os.fstat(1), os.listdir('/dev/fd')\n"
               "assert main(['--version']) == 2\n"
               "assert (sys.stdout, sys.stderr, os.fstat(1), os.listdir('/dev/fd')) == before\n"
               "os.dup2(os.dup(2), 1)\nprint('and went on', flush=True)\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, f"{FULL}and went on\n")


def test_main_closes_what_it_opened_in_place_of_closed_descriptors():
    program = ("import os, sys\nfrom wuxing.cli import main\n"
               "assert main(['--version']) == 0 and sys.stdout is None\n"
               "try:\n    os.fstat(1)\nexcept OSError:\n    sys.exit(7)\n")
    done = subprocess.run(["bash", "-c", f'{sys.executable} -c "$0" >&-', program], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (7, b"")


def test_a_stream_that_the_caller_closed_is_an_error_of_the_output(capsys, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert main(["--version"]) == 2
    assert "the output must be readable and writable, but: Bad file descriptor" in capsys.readouterr().err


class Broken(io.StringIO):
    """Takes so many writes, then fails."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left = writes

    def write(self, text: str) -> int:
        if not self.left:
            raise OSError(errno.EIO, "Input/output error")
        self.left -= 1
        return super().write(text)


def test_an_output_gives_up_once_and_remembers_why():
    behind = Broken(2)
    output = streams.Output(behind)
    for text in ("a", "b", "c", "d"):
        assert output.write(text) == 1
    behind.left = 9
    output.write("e")
    output.flush()
    assert behind.getvalue() == "ab"
    assert output.error is not None
    assert output.error.errno == errno.EIO


def test_no_stream_is_no_error():
    output = streams.Output(None)
    assert (output.write("a"), output.isatty(), output.encoding, output.error) == (1, False, "utf-8", None)
    with pytest.raises(OSError, match="closed"):
        output.fileno()
