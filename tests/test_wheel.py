"""The wheel: what is in it, and that it does everything from an environment that knows nothing of this checkout.

It is built from a copy of the sources and installed, without its dependencies, into an empty environment. Those it finds in the
environment that runs the tests, by a ``.pth`` file: such a folder is searched after the environment's own, and what is
installed in it for editing, which is this checkout, is not there.
"""
from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from hdl import emit

ROOT = Path(__file__).parent.parent
PACKAGES = ("golden_model", "hdl", "sim", "boards", "wuxing")
READ = (".v", ".cpp", ".vlt", ".toml", ".html", ".h")    # files beside the code that it reads


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout as it is; nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__"))
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index",
                    "-w", folder, source], check=True, stdin=subprocess.DEVNULL)
    [built] = folder.glob("*.whl")
    return built


# ---------------------------------------------------------------- what is in it


def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources(folder=ROOT):
    """All files of the packages that the code is made of, relative to the checkout."""
    return {str(path.relative_to(folder)) for package in PACKAGES for path in (folder / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


def test_the_wheel_is_the_packages_and_nothing_else(wheel):
    """No tests, no benches, nothing that an editor or a build left."""
    tracked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.splitlines()
    assert names(wheel) == {name for name in tracked if (ROOT / name).exists()}


def test_the_wheel_has_every_file_that_the_code_names(wheel):
    """Names in the code that are those of a file beside it, the TOML file of each experiment, the templates of pages."""
    present, named = names(wheel), set()
    for module in sorted(name for name in sources() if name.endswith(".py")):
        for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(READ):
                beside = Path(module).parent / node.value
                if (ROOT / beside).is_file():
                    named.add(str(beside))
    description = {f"wuxing/experiments/{path.name}" for path in (ROOT / "wuxing/experiments").glob("*.toml")}
    assert {"hdl/lint.vlt", "hdl/MULT18X18D.v", "boards/carry.v", "boards/virtual.cpp", "sim/verilated.cpp",
            "sim/model.h"} <= named
    assert len(description) == 14
    templates = {f"wuxing/reports/templates/{path.name}" for path in (ROOT / "wuxing/reports/templates").iterdir()}
    assert len(templates) == 5
    assert named | description | templates <= present


# ---------------------------------------------------------------- what it does


class Installed:
    """The wheel in an environment of its own, and an empty folder in which its commands run."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.environment, self.folder = folder / "environment", folder / "away"
        venv.create(self.environment, with_pip=False)
        subprocess.run([sys.executable, "-m", "pip", "--python", self.environment / "bin/python", "install", "-q", "--no-deps",
                        "--no-index", wheel], check=True, stdin=subprocess.DEVNULL)
        [self.packages] = self.environment.glob("lib/python*/site-packages")
        (self.packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        self.folder.mkdir()

    def run(self, *command: object) -> str:
        """What a program of the environment prints."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run([self.environment / "bin" / str(command[0]), *map(str, command[1:])], cwd=self.folder,
                              env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def files(self) -> set[Path]:
        """What is installed, without what Python and Numba keep beside it."""
        return {path for path in self.packages.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.early
def test_the_installed_wheel_does_everything(wheel, tmp_path):
    """One test, because each process of an installation compiles the engine once."""
    installed = Installed(wheel, tmp_path)
    facts = installed.run("python", "-c", f"import json, sys; from importlib import import_module, metadata; print(json.dumps(["
                         f"[import_module(name).__file__ for name in {PACKAGES}], sys.path, metadata.version('wuxing')]))")
    files, path, version = json.loads(facts)
    assert all(Path(file).is_relative_to(installed.packages) for file in files)
    assert not any(Path(entry) in (ROOT, ROOT / "tests") for entry in path)
    assert installed.run("wuxing", "--version") == f"wuxing {version}\n"
    before = installed.files()

    (installed.folder / "small.toml").write_text(                  # a network that an iCEBreaker takes
        'layers = [64, 4, 10]\n[formats]\nbracket = "Q4.12"\n[learning]\nhalvings = 3\n')
    installed.run("wuxing", "train", "--dataset", "digits", "--config", "small.toml", "--epochs", 1, "-o", "model.npz")
    assert "64-4-10" in installed.run("wuxing", "info", "model.npz")
    assert "logistic regression" in installed.run("wuxing", "compare", "--dataset", "digits", "--layers", "64,4,10", "--epochs",
                                                  1, "--report", "report")
    assert (installed.folder / "report/index.html").is_file()

    installed.run("wuxing", "verilog", "model.npz", "-o", "core", "--target", "ecp5")
    content = {path.name for path in (installed.folder / "core").iterdir()}
    assert {emit.VERILOG, emit.WAIVERS, emit.MANIFEST, *emit.CELLS["ecp5"]} <= content
    assert "equal" in installed.run("wuxing", "cosim", "model.npz", "--images", 3, "--learn", 2)
    assert "equal" in installed.run("wuxing", "cosim", "model.npz", "--images", 2, "--learn", 1, "--engine", "cocotb",
                                    "--simulator", "icarus")
    assert "icebreaker" in installed.run("wuxing", "boards")
    assert "equal" in installed.run("wuxing", "run", "model.npz", "--board", "icebreaker", "--images", 3, "--learn", 2)

    description = {path.stem for path in (ROOT / "wuxing/experiments").glob("*.toml")}
    names = "from wuxing.experiments import description; print(*description.names())"
    assert set(installed.run("python", "-c", names).split()) == description
    assert "5. Ladder" in installed.run("wuxing", "experiment", "ladder", "--quick", "--report", "pages")
    assert (installed.folder / "pages/experiments.md").is_file()
    assert any((installed.folder / "build/experiments").iterdir())
    assert installed.files() == before                             # and it writes nothing where it is installed
