"""What Windows lacks must not shut out training, Verilog and real boards, and what needs it says so in one sentence.

A process of this system in which the modules and functions that Python on Windows does not have are missing. What is installed
besides is imported before, because on this system it takes other ways than there.
"""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("golden_model", "hdl", "sim", "boards", "wuxing")
ELSEWHERE = ("boards.virtual_process", "sim.core_bench", "wuxing.__main__")     # what only a process of its own imports
LACKING = """
import asyncio, multiprocessing.connection, os, pty, signal, sys, types
import amaranth.back.verilog, numba, pooch, rich.progress, serial.tools.list_ports, sklearn.datasets, typer, wasmtime
from amaranth._toolchain import yosys
sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *_: None, LK_LOCK=0, LK_UNLCK=1)
for name in ("fcntl", "termios", "pty", "tty", "resource"):
    sys.modules[name] = None
for where, name in [(os, "fchmod"), (os, "killpg"), (os, "O_NOFOLLOW"), (signal, "SIGHUP")]:
    delattr(where, name)
sys.platform, system = "win32", sys.platform              # which this module asks for
import golden_model.storage.file_lock
sys.platform = system
"""


def lacking(program: str, folder: Path, *arguments: object) -> str:
    done = subprocess.run([sys.executable, "-c", LACKING + program, *map(str, arguments)], cwd=folder, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_can_be_imported(tmp_path):
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for package in PACKAGES
               for path in sorted((ROOT / package).rglob("*.py"))]
    program = ("import importlib, json\nfrom golden_model.errors import WuxingError\n"
               "for name in json.loads(sys.argv[1]):\n    importlib.import_module(name)\nprint('all')")
    names = [name.removesuffix(".__init__") for name in modules if name not in ELSEWHERE]
    assert len(names) > 100
    assert lacking(program, tmp_path, json.dumps(names)) == "all\n"


def test_training_and_verilog(tmp_path):
    """A file is replaced too, which keeps its permissions."""
    program = """
from wuxing.cli import main
for epochs in ("1", "2"):
    assert main(["train", "--dataset", "digits", "--layers", "64,4,10", "--epochs", epochs, "-q", "-o", "m.npz"]) == 0
assert main(["eval", "m.npz"]) == 0
assert main(["verilog", "m.npz", "-o", "core"]) == 0
assert main(["estimate", "m.npz"]) == 0
"""
    (tmp_path / "m.npz").touch(0o640)
    lacking(program, tmp_path)
    assert (tmp_path / "m.npz").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "core/manifest.json").is_file()


def test_a_real_board_by_name_or_url(tmp_path):
    """A loop is what pyserial offers for this everywhere."""
    program = """
from boards.serial_port import SerialPort
from golden_model.errors import DeviceError
port = SerialPort("loop://", 115200)
port.write(b"abc")
print(port.read().decode())
for name in ("COM7", "socket://127.0.0.1:1"):
    try:
        SerialPort(name, 115200)
    except DeviceError as error:
        print(error)
"""
    loop, missing, socket = lacking(program, tmp_path).splitlines()
    assert loop == "abc"
    assert missing.startswith("port COM7 must be there, but it is not; plug the board in or choose another port (there are: ")
    assert socket.startswith("port socket://127.0.0.1:1 must be a serial port of 115200 baud, but: Could not open port")


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["run", "m.npz", "--board", "icebreaker"],
     ("a virtual board must have the pseudo-terminals of Linux or macOS, which this system lacks; run it in WSL on Windows, or "
      "a real board with --port COM7")),
    (["cosim", "m.npz", "--engine", "cocotb"],
     ("the cocotb engine must have the sockets and process groups of Linux or macOS, which this system lacks; run it in WSL on "
      "Windows")),
])
def test_what_needs_more_says_so(tmp_path, arguments, sentence):
    program = """
from wuxing.cli import main
assert main(["train", "--dataset", "digits", "--board", "icebreaker", "--epochs", "1", "-q", "-o", "m.npz"]) == 0
sys.stderr = sys.stdout
print(main(sys.argv[1:]))
"""
    assert lacking(program, tmp_path, *arguments).splitlines()[-2:] == [f"wuxing: {sentence}", "3"]
