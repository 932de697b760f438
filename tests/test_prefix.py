"""Two cores in one design: with prefixes of their own nothing of them has the same name, and every tool takes both together."""
from __future__ import annotations

import json
import re
import subprocess

import pytest

from formal import yosys_ready
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import initial
from hdl import emit
from hdl.design import Design
from sim import simulators
from test_lint import lint, yosys
from wuxing.cli import main

DESIGNS = {"wuxing_digits": Design(network=Network(layers=(5, 3, 2)), units=(2, 2)),
           "words": Design(network=Network(layers=(4, 3, 2)), units=(2, 2), arrangement="time-shared", learns=False)}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder with a folder for each core, and a design that has both, whose requests are the same."""
    place = tmp_path_factory.mktemp("both")
    instances, wires = [], []
    for name, design in DESIGNS.items():
        (place / name).mkdir()
        for file, text in emit.core_files(design, initial(design.network, "fixed"), prefix=name).items():
            (place / name / file).write_text(text, "utf-8")
        outputs = [port for port in emit.ports() if port["direction"] == "output"]
        wires += [f"  output [{port['bits'] - 1}:0] {name}_{port['name']}" for port in outputs]
        listed = ", ".join(f".{port['name']}({name}_{port['name']})" if port in outputs else f".{port['name']}({port['name']})"
                           for port in emit.ports())
        instances.append(f"  {name}_core {name} ({listed});")
    inputs = [f"  input [{port['bits'] - 1}:0] {port['name']}" for port in emit.ports() if port["direction"] == "input"]
    (place / "both.v").write_text("module both (\n" + ",\n".join([*inputs, *wires]) + "\n);\n" + "\n".join(instances)
                                  + "\nendmodule\n", "utf-8")
    return place


SOURCES = ["both.v", *(f"{name}/{name}_core.v" for name in DESIGNS)]


def test_nothing_has_the_same_name(both):
    names = []
    for name in DESIGNS:
        text = (both / name / f"{name}_core.v").read_text("utf-8")
        modules = re.findall(r"^module (\\\S+|\w+)", text, re.MULTILINE)
        memories = [path.name for path in (both / name).glob("*.hex")]
        assert all(each.lstrip("\\").startswith(f"{name}_") for each in (*modules, *memories))
        assert set(re.findall(r'"(\S+\.hex)"', text)) == set(memories)
        names += modules + memories
    assert len(names) == len(set(names))


def test_lint_takes_both(both):
    waivers = [f"{name}/{emit.WAIVERS}" for name in DESIGNS]
    assert lint(both, "--top-module", "both", *waivers, *SOURCES) == []


def test_icarus_takes_both(both, tmp_path):
    ran = subprocess.run([simulators.icarus().path, "-g2005", "-Wall", "-o", tmp_path / "out", "-s", "both", *SOURCES],
                         cwd=both, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_yosys_takes_both(both):
    yosys_ready()
    ran = yosys(both, f"read_verilog {' '.join(SOURCES)}; hierarchy -check -top both; proc; check -assert")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_manifest_names_what_is_there(both):
    for name in DESIGNS:
        manifest = emit.read_manifest(both / name)                     # compares the files with it
        assert manifest["top"] == f"{name}_core"
        assert f"--prefix {name}" in manifest["command"]
        listed = {file for layer in manifest["layers"] for file in layer["memory"]["files"]}
        assert listed <= set(manifest["files"])


def test_names_of_classes_stay_as_they_are():
    design = DESIGNS["words"]
    encoding = {"classes": ["wuxing_core", "weights_0_0.hex"]}
    files = emit.core_files(design, initial(design.network, "fixed"), encoding, prefix="words")
    assert json.loads(files[emit.MANIFEST])["encoding"] == encoding


def test_the_command_takes_a_prefix_and_refuses_what_is_no_name(tmp_path, capsys):
    (tmp_path / "network.toml").write_text("layers = [3, 2]", "utf-8")
    model = str(tmp_path / "network.toml")
    options = ["--prefix", "first", "--json", str(tmp_path / "out.json")]
    assert main(["verilog", model, "-o", str(tmp_path / "core"), *options]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["top"] == "first_core"
    assert "first_core.v" in {path.name for path in (tmp_path / "core").iterdir()}
    capsys.readouterr()
    assert main(["verilog", model, "-o", str(tmp_path / "other"), "--prefix", "2nd core"]) == 2
    assert "prefix must be letters, digits and _, a letter first, not '2nd core'; choose another one" in capsys.readouterr().err
    with pytest.raises(InputError, match="prefix must be letters"):
        emit.core_files(DESIGNS["wuxing_digits"], initial(DESIGNS["wuxing_digits"].network, "fixed"), prefix="")
