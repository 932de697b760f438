"""No program runs for ever, and none outlives the run that needed it."""
from __future__ import annotations

import ast
import os
import re
import sys
import time
from pathlib import Path

import pytest

from golden_model import programs
from golden_model.errors import InputError, ToolError

ROOT = Path(__file__).parent.parent
PYTHON = [sys.executable, "-c"]
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(3600)
"""


def test_what_a_program_says_and_its_code_come_back():
    text = "import sys; print(sys.stdin.read(), end=''); print('é', file=sys.stderr); sys.exit(3)"
    ran = programs.run([*PYTHON, text], "python", stdin="so", environment={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert ran == programs.Ran(code=3, output="so", complaints="é\n")


def test_stdin_is_empty_and_output_goes_to_a_file_if_one_is_given(tmp_path):
    with (tmp_path / "log").open("wb+") as log:
        text = "import sys; print(repr(sys.stdin.read())); print('e', file=sys.stderr)"
        ran = programs.run([*PYTHON, text], "python", output=log)
    assert ran == programs.Ran(code=0, output="", complaints="")
    assert sorted((tmp_path / "log").read_text().split()) == ["''", "e"]


def gone(process: int) -> bool:
    """Whether it ends soon; a zombie has ended."""
    stat = Path(f"/proc/{process}/stat")
    for _ in range(1000):
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it is looked up in /proc whether a process is there")
def test_a_program_that_takes_too_long_is_stopped_with_all_that_it_started(monkeypatch, tmp_path):
    monkeypatch.setenv(programs.VARIABLE, "3")
    message = ("slow must end within 3 seconds, but did not and was stopped; if it needs longer, set WUXING_TIME_LIMIT to more "
               "seconds, or to 0 for no limit")
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        programs.run([*PYTHON, FAMILY, str(tmp_path / "pid")], "slow")
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_user_sets_the_limit(monkeypatch):
    monkeypatch.delenv(programs.VARIABLE, raising=False)
    assert programs.limit(programs.SHORT) == 600
    for named, limit in (("7200", 7200), ("0", None), ("1.5", 1.5), ("", 600)):
        monkeypatch.setenv(programs.VARIABLE, named)
        assert programs.limit(programs.SHORT) == limit


@pytest.mark.parametrize("named", ["-1", "an hour", "nan", "inf", "1e300"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(monkeypatch, named):
    monkeypatch.setenv(programs.VARIABLE, named)
    message = f"WUXING_TIME_LIMIT must be a number of seconds from 0 (no limit), not {named!r}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        programs.run([*PYTHON, ""], "python")


LASTING = {"boards/virtual.py", "sim/cocotb_runner.py"}       # processes that answer orders; they wait with limits of their own


def calls(path: Path) -> list[tuple[str, set[str | None]]]:
    """Calls of ``subprocess`` in a file: the name of the function, the names of the arguments."""
    return [(node.func.attr, {each.arg for each in node.keywords}) for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name) and node.func.value.id == "subprocess"]


def test_every_program_is_run_with_a_limit():
    """In the packages by ``golden_model.programs``; by provers and mutants at least with a time-out."""
    for folder in ("golden_model", "hdl", "sim", "boards", "wuxing"):
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if name not in LASTING | {"golden_model/programs.py"}:
                assert calls(path) == [], name
    for path in (ROOT / "tests").rglob("*.py"):
        for function, arguments in [] if path.name.startswith("test_") else calls(path):
            if function == "run":
                assert "timeout" in arguments, path.name
