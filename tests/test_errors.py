"""The hierarchy of errors: which code each class has, what the command line makes of it, and that nothing else is raised."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from boards.serial_port import ConnectionLost
from golden_model.errors import DeviceError, InputError, InternalError, ToolError, WuxingError
from sim.compiled import Stuck
from test_house import ROOT, table
from wuxing import cli

CODES = {InputError: 2, ToolError: 3, DeviceError: 4, InternalError: 5}
PACKAGES = ("golden_model", "hdl", "sim", "boards", "wuxing")
REPORT = "this is a fault of wuxing, please report it"


def test_each_class_has_a_code_of_its_own_and_the_documents_have_them_all():
    assert {kind: kind.exit_code for kind in WuxingError.__subclasses__()} == CODES
    rows = table("docs/errors.md", "exit code")
    assert {rows[str(code)][0].strip("`") for code in CODES.values()} == {kind.__name__ for kind in CODES}
    assert {code: rows[str(kind.exit_code)][0].strip("`") for kind, code in CODES.items()} == {
        code: kind.__name__ for kind, code in CODES.items()}
    assert set(rows) == {"0", "1", "130, 143, 129", *map(str, CODES.values())}


def test_kinds_of_kinds():
    assert issubclass(InputError, ValueError)
    assert issubclass(ConnectionLost, DeviceError)
    assert issubclass(Stuck, DeviceError)
    assert not issubclass(DeviceError, InputError)


def failing(monkeypatch, error):
    def command() -> None:
        raise error
    app = typer.Typer()
    app.command("fail")(command)
    app.command("other")(command)
    monkeypatch.setattr(cli, "app", app)


@pytest.mark.parametrize("kind", [InputError, ToolError, DeviceError, Stuck, ConnectionLost])
def test_the_command_line_says_the_sentence_and_ends_with_the_code(kind, monkeypatch, capsys):
    failing(monkeypatch, kind("x must be 1, not 2"))
    assert cli.main(["fail"]) == kind.exit_code
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert output.err.startswith("wuxing: x must be 1, not 2")


@pytest.mark.parametrize(("error", "sentence"), [
    (TypeError("no\nlength"), f"no input should end in an error of Python, but this did: TypeError: no length; {REPORT}"),
    (AssertionError(), f"no input should end in an error of Python, but this did: AssertionError; {REPORT}"),
    (ValueError("bad"), f"no input should end in an error of Python, but this did: ValueError: bad; {REPORT}"),
    (InternalError("the core must equal the model, but does not"), f"the core must equal the model, but does not; {REPORT}")])
def test_a_fault_is_called_one_and_its_traceback_kept(error, sentence, monkeypatch, capsys, tmp_path):
    failing(monkeypatch, error)
    monkeypatch.delenv("WUXING_TRACEBACK")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cli.main(["fail"]) == 5
    output, (kept,) = capsys.readouterr(), tmp_path.iterdir()
    assert (output.out, output.err) == ("", f"wuxing: {sentence} with the traceback in {kept}\n")
    text = kept.read_text("utf-8")
    assert text.startswith("Traceback (most recent call last)")
    assert "raise error" in text


@pytest.mark.parametrize("variable", ["1", None])
def test_the_traceback_goes_to_stderr_if_that_is_wanted_or_no_file_can_be_written(variable, monkeypatch, capsys, tmp_path):
    failing(monkeypatch, KeyError("x"))
    if variable is None:
        monkeypatch.delenv("WUXING_TRACEBACK")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert cli.main(["fail"]) == 5
    trace = capsys.readouterr().err
    assert trace.startswith("Traceback (most recent call last)")
    assert trace.splitlines()[-1] == f"wuxing: no input should end in an error of Python, but this did: KeyError: 'x'; {REPORT}"
    assert list(tmp_path.iterdir()) == []


def test_a_real_process_ends_with_the_code(tmp_path):
    done = subprocess.run([sys.executable, "-m", "wuxing", "run", "m.npz", "--board", "none"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


RAISES = {"InputError", "ToolError", "DeviceError", "InternalError", "ConnectionLost", "Stuck", "KeyboardInterrupt"}
CAUGHT = {                                # classes that a file raises and catches itself, or that mean no error
    "golden_model/storage/atomic_write.py": {"PermissionError"}, "golden_model/data/download.py": {"MirrorError"},
    "golden_model/storage/model_file.py": {"ValueError"}, "boards/virtual_process.py": {"SystemExit"},
    "sim/cocotb_runner.py": {"LookupError"},
    "wuxing/reports/progress.py": {"OutOfTime"}, "wuxing/__init__.py": {"AttributeError"}}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_raised_is_of_the_hierarchy(package):
    """A class of Python's own would reach the user as a fault of this project."""
    names = set()
    for path in sorted(Path(ROOT, package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Raise):
                continue
            what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(what, ast.Name) and re.match(r"_?[A-Z]", what.id):
                names.add((path.relative_to(ROOT).as_posix(), what.id))
    assert [(file, name) for file, name in sorted(names) if name not in RAISES | CAUGHT.get(file, set())] == []
