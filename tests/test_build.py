"""Building: order of the steps, seeds, refusals, what stays in the folder; real bitstreams, the same bytes twice."""
from __future__ import annotations

import functools
import hashlib
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from boards import build, energy, fit, platforms, report, routing, synthesis, tools, top
from formal import yosys_ready
from golden_model import parameters
from golden_model.errors import InputError, InternalError, ToolError
from golden_model.network import Network
from hdl import emit, estimate
from hdl.design import Design
from wuxing import cli
from wuxing.commands.build import verification
from wuxing.reports import build_page, console

PLATFORM = platforms.by_name("ulx3s-12f")
DESIGN = Design(network=Network(layers=(6, 3, 2)), units=(1, 1), target="ecp5")
VALUES = parameters.initial(DESIGN.network, "fixed")
VERIFIED = build.Verified(images=1, learnt=1, nonzero_share=0.19, words_compared=5, mismatches=0, cycles_per_image=200.0,
                          cycles_per_learnt_image=500.0, simulator="5.048")

# ----------------------------------------------------------------- programs that stand in for those of the toolchain

YOSYS = """
import json
given = open("core/wuxing_core.v").read() + open("top.v").read()
netlist = {"modules": {"wuxing_board": {"attributes": {}, "cells": {"a": {"type": "LUT4", "port_directions": {},
           "connections": {}, "parameters": {}}}, "text": len(given)}}}
json.dump(netlist, open("netlist.json", "w"))
"""
NEXTPNR = """
import json, sys
seed = int(sys.argv[sys.argv.index("--seed") + 1])
hop = lambda kind, cell, **more: {"type": kind, "delay": 1.5, "from": {"cell": cell}, "to": {"cell": cell}, **more}
clock = {"achieved": 90 + 5.0 * seed, "constraint": 100}
path = {"from": "posedge clk", "to": "posedge clk", "path": [hop("clk-to-q", "system.core.gate_LUT4_A_Z_TRELLIS_FF_Q"),
        hop("routing", "system.core.sum_CCU2C_S0_COUT", net="system.core.sum")]}
json.dump({"fmax": {"clk": clock}, "critical_paths": [path],
           "utilization": {"TRELLIS_COMB": {"used": 600, "available": 24288}, "DP16KD": {"used": 0, "available": 56}}},
          open("nextpnr.json", "w"))
open("wuxing.config", "w").write(f"seed {seed} {sys.argv[sys.argv.index('--router') + 1]}")
print("Info: done")
"""
ECPPACK = """
import sys
open("wuxing.bit", "w").write(open("wuxing.config").read() + open("netlist.json").read())
"""
FAILS = """
import sys
print("Info: begun")
sys.exit("ERROR: cannot place cell.")
"""


core_text = functools.cache(emit.to_verilog)


top_texts = {}


def top_text(whole, to_verilog=top.to_verilog):
    key = whole.platform.name, whole.pll, whole.system.design, whole.system.divisor
    if key not in top_texts:
        top_texts[key] = to_verilog(whole)
    for component in (whole, whole.system):                   # Amaranth warns of what was made and not elaborated
        component._MustUse__used = True
    return top_texts[key]


@pytest.fixture
def toolchain(tmp_path, monkeypatch):
    """A function that puts a program (as Python) in the place of one of the toolchain."""
    tools.tool.cache_clear()
    tools.version.cache_clear()
    monkeypatch.setattr(emit, "to_verilog", core_text)        # what becomes of the texts is the matter here
    monkeypatch.setattr(top, "to_verilog", top_text)

    def replace(name, text):
        program = tmp_path / f"fake-{name}"
        program.write_text(f"#!{sys.executable}\nimport sys\nif '-V' in sys.argv or '--version' in sys.argv:\n"
                           f"    sys.exit(print('Version 7.1'))\n{text}", "utf-8")
        program.chmod(0o755)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(program))
    for name, text in (("yosys", YOSYS), ("nextpnr-ecp5", NEXTPNR), ("ecppack", ECPPACK)):
        replace(name, text)
    yield replace
    tools.tool.cache_clear()
    tools.version.cache_clear()


def built(folder, **options):
    return build.build(PLATFORM, DESIGN, VALUES, folder, **{"verify": lambda core: VERIFIED} | options)


# ----------------------------------------------------------------- steps

def test_steps_come_in_order_and_the_core_is_verified_before_it_is_synthesised(toolchain, tmp_path):
    steps, calls = [], {}

    def verify(core):
        calls["manifest"] = emit.read_manifest(core)["digest"]
        calls["netlist"] = (tmp_path / "out" / synthesis.NETLIST).exists()
        return VERIFIED
    result = built(tmp_path / "out", verify=verify, on_step=steps.append, seeds=9)
    assert steps == ["fit", "co-simulation", "synthesis", "place and route", "packing"]
    assert calls == {"manifest": DESIGN.network.digest, "netlist": False}
    assert result.bitstream == tmp_path / "out" / "wuxing.bit"
    assert result.bitstream.is_file()
    assert result.versions == dict.fromkeys(("yosys", "nextpnr-ecp5", "ecppack"), "7.1")


def test_seeds_are_tried_until_one_meets_the_clock(toolchain, tmp_path):
    result = built(tmp_path / "out")
    assert result.tried == ((1, 95.0), (2, 100.0))
    assert (result.routed.seed, result.routed.MHz) == (2, 100.0)
    assert result.bitstream.read_text("utf-8").startswith("seed 2 router1")
    assert built(tmp_path / "out", seeds=5, router="router2").bitstream.read_text("utf-8").startswith("seed 2 router2")


def test_a_clock_that_no_seed_meets_is_an_error_with_the_clock_that_was_reached(toolchain, tmp_path):
    text = ("the core must run at 100 MHz on ULX3S 12F, but reaches 95.0 MHz (seed 1 of 1, from system.core.gate to "
            "system.core.sum); give --clock 95 or try more --seeds")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        built(tmp_path / "out", seeds=1)
    assert not (tmp_path / "out/wuxing.bit").exists()


def test_a_design_that_does_not_fit_is_refused_before_anything_is_made(toolchain, tmp_path):
    large = Design(network=Network(layers=(100, 60, 10)), target="ecp5")
    with pytest.raises(InputError, match="must fit the LFE5U-12F of ULX3S 12F"):
        build.build(PLATFORM, large, parameters.initial(large.network, "fixed"), tmp_path / "out", verify=lambda core: VERIFIED)
    assert not (tmp_path / "out").exists()


def test_a_core_that_is_not_the_golden_model_is_not_synthesised(toolchain, tmp_path):
    def verify(core):
        raise InputError("the core must equal the golden model, but: no")
    with pytest.raises(InputError, match="^the core must equal the golden model, but: no$"):
        built(tmp_path / "out", verify=verify)
    assert not (tmp_path / "out" / synthesis.NETLIST).exists()


def test_a_build_leaves_alone_what_is_not_its_own(toolchain, tmp_path):
    """Beside its files and beside those of the core, folders too; what an earlier build left of another core goes."""
    built(tmp_path / "out", clock=50)
    mine = [tmp_path / "out" / name for name in ("notes.txt", "core/notes.txt", "core/weights_mine.hex", "core/waves/a.vcd")]
    old = [tmp_path / "out/core" / name for name in ("weights_7_9.hex", "weights_9.hex")]
    (tmp_path / "out/core/waves").mkdir()
    for path in (*mine, *old):
        path.write_text("mine")
    built(tmp_path / "out", clock=50)
    assert [path.read_text() for path in mine] == ["mine"] * 4
    assert not any(path.exists() for path in old)
    listing = set(emit.read_manifest(tmp_path / "out/core")["files"]) | {emit.MANIFEST}
    assert all(map(emit.is_name_of_core, listing))


def test_a_core_that_changes_after_it_was_verified_is_refused(toolchain, tmp_path):
    def verify(core):
        (core / emit.VERILOG).write_text("module wuxing_core; endmodule", "utf-8")
        return VERIFIED
    with pytest.raises(InputError, match=re.escape("must be as its manifest says, but was changed")):
        built(tmp_path / "out", verify=verify)


def test_a_program_that_fails_is_quoted(toolchain, tmp_path):
    toolchain("nextpnr-ecp5", FAILS)
    text = "nextpnr-ecp5 must succeed, but it ended with 1: cannot place cell; nextpnr-1.log has all it said"
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        built(tmp_path / "out")
    assert "Info: begun" in (tmp_path / "out/nextpnr-1.log").read_text("utf-8")


def test_a_program_that_is_missing_is_named_with_how_to_install_it(toolchain, tmp_path, monkeypatch):
    monkeypatch.setenv("ECPPACK", "no-such-packer")
    tools.tool.cache_clear()
    text = ("no-such-packer must be installed to build a bitstream, but is not on PATH; install it with `pip install "
            "'wuxing[boards]'`, or name another ecppack in ECPPACK")
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        built(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seeds", [0, -3, 1001])
def test_seeds_are_counted(seeds, tmp_path):
    with pytest.raises(InputError, match=re.escape(f"--seeds must be 1 to 1000, not {seeds}")):
        built(tmp_path / "out", seeds=seeds)


def test_routers_are_those_of_nextpnr(tmp_path):
    with pytest.raises(InputError, match=re.escape("--router must be router1 or router2, not 'fast'")):
        built(tmp_path / "out", router="fast")


# ----------------------------------------------------------------- the folder

def test_a_refused_build_leaves_no_old_bitstream_and_the_next_one_replaces_it(toolchain, tmp_path):
    folder = tmp_path / "out"
    built(folder, seeds=2)
    assert json.loads((folder / build.REPORT).read_text("utf-8"))["state"] == "not finished"
    with pytest.raises(InputError, match="must run at 100 MHz"):
        built(folder, seeds=1)
    assert not (folder / "wuxing.bit").exists()
    assert not (folder / "nextpnr-2.log").exists()
    built(folder, seeds=2)
    assert (folder / "wuxing.bit").exists()


def test_a_folder_of_something_else_is_left_alone(toolchain, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine", "utf-8")
    text = (f"{tmp_path / 'out'} must be new, empty or of this command, but holds 'thesis.txt'; choose another folder or "
            f"remove this one")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        built(tmp_path / "out")
    file = tmp_path / "file"
    file.write_text("", "utf-8")
    with pytest.raises(InputError, match=re.escape(f"{file} must be a folder, but is a file; choose another name")):
        built(file)
    with pytest.raises(InputError, match=re.escape("there is no folder")):
        built(tmp_path / "no/such")


# ----------------------------------------------------------------- names, reports

@pytest.mark.parametrize(("longer", "own"), [
    ("system.core.layer_0.unit_3.gate_LUT4_A_1_Z", "system.core.layer_0.unit_3.gate"),
    ("core.commands.phase_state_SB_DFFESR_Q_1_D_SB_LUT4_O_LC", "core.commands.phase_state"),
    ("core.sum_CCU2C_S0_3_COUT", "core.sum"), ("core.word_TRELLIS_FF_Q_12", "core.word"), ("core.ready", "core.ready"),
    ("core.wanted_PFUMX_Z_BLUT", "core.wanted"), ("core.words.0.0", "core.words.0.0"), ("", ""),
    ("$nextpnr_ICESTORM_LC_3", "unnamed")])
def test_names_of_cells_are_traced_back_to_those_of_the_design(longer, own):
    assert routing.own_name(longer) == own


def test_the_report_says_what_is_used_reached_and_how_it_was_made(toolchain, tmp_path):
    content = json.loads(console.json_text(report.report(built(tmp_path / "out", seeds=3))))
    needs, _ = fit.fit(PLATFORM, DESIGN).parts["cells"]
    assert content["use"]["cells"] == {"cell": "TRELLIS_COMB", "estimated": needs, "used": 600, "there": 12_000,
                                       "share": 0.05}
    assert content["clock"]["MHz"] == 100
    assert content["clock"]["reached_MHz"] == 100
    assert content["clock"]["pll"] == {"CLKI_DIV": 1, "CLKFB_DIV": 4, "CLKOP_DIV": 6, "oscillator_MHz": 600.0,
                                       "detector_MHz": 25.0}
    assert content["tried"] == [{"seed": 1, "MHz": 95.0}, {"seed": 2, "MHz": 100.0}]
    assert content["images"]["learnt"]["us"] == 5
    without = estimate.clocks(DESIGN, 1).learnt_without_error                     # 19 % of 6 inputs
    assert content["images"]["learnt_without_error"]["clocks"] == without
    assert without < estimate.clocks(DESIGN, 1).learnt
    assert content["images"]["inferred"]["images_per_second"] == 500_000
    assert content["energy"]["estimate"] is True
    assert content["critical_path"]["ns"] == 3
    assert [hop["cell"] for hop in content["critical_path"]["hops"]] == ["system.core.gate", "system.core.sum"]
    assert content["serial"]["exact_baud"] == 2_000_000
    for name in ("core/wuxing_core.v", "top.v", "board.lpf", "netlist.json", "wuxing.bit"):
        assert content["sha256"][name] == hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest()


class Page(HTMLParser):
    """What a page fetches, and the tags that stay open."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.open, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.fetched += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_needs_nothing_beside_itself_and_has_a_bar_for_each_part(toolchain, tmp_path):
    result = report.report(built(tmp_path / "out", seeds=3))
    page = Page(text := build_page.page(result))
    assert (page.fetched, page.open) == ([], [])
    assert text.count('class="bar"') == len(result.use)
    assert 'style="width: 5.0%"' in text
    page_text = " ".join(page.words)
    for words in ("6-3-2 on ULX3S 12F", "system.core.sum", "estimate", "seed", "100 MHz", result.sha256["wuxing.bit"]):
        assert words in page_text


def test_a_page_takes_no_commands_from_what_a_build_is_called(toolchain, tmp_path):
    """Names of signals are the designer's, who may have them from anywhere."""
    hostile = "</td><script>alert('1')</script>"
    result = report.report(built(tmp_path / "out", seeds=3))
    path = replace(result.critical_path, hops=[replace(hop, signal=hostile) for hop in result.critical_path.hops])
    text = build_page.page(replace(result, critical_path=path, title=hostile, versions={hostile: hostile}))
    page = Page(text)
    assert (page.fetched, page.open) == ([], [])
    assert "<script" not in text
    assert "".join(page.words).count(hostile) == 2 + len(path.hops) + 2


# ----------------------------------------------------------------- energy

def test_the_energy_of_an_image_is_that_of_its_operations_and_of_standing():
    """Every unit in every clock: a multiplication, nine additions and a read."""
    platform, design = platforms.by_name("ulx3s-85f"), DESIGN
    result = energy.estimate(platform, design)
    scale = 14 * (1.1 / 0.9)**2
    clock = sum(3.1 * (design.operand_bits / 32)**2 + 9 * 0.1 * design.operand_bits / 32 + 10 * layer.word_bits / 64
                for layer in design.layers) * scale
    assert result.standing_mW == pytest.approx(212 * 1.1)
    assert result.clock_pJ == pytest.approx(clock)
    assert result.image_uJ(1000, 100) == pytest.approx(212 * 1.1 * 10e-3 + clock * 1e-3)


@pytest.mark.parametrize("platform", platforms.PLATFORMS.values(), ids=lambda platform: platform.name)
def test_every_board_has_figures_of_energy_and_what_was_assumed_is_named(platform):
    volts, standby = platform.device.core_volts, platform.device.standby_mA
    assert volts == (1.1 if platform.device.name.startswith("LFE5U-") else 1.2)
    assert standby > 0
    assert (energy.sources(platform) != list(energy.SOURCES)) == (standby == 116)


# ----------------------------------------------------------------- the real toolchain

SMALL = """\
layers = [8, 3]
[formats]
displacement = "Q1.8"
drive = "Q3.8"
weight = "Q1.8"
error = "Q1.8"
bracket = "Q4.8"
local_product = "Q2.8"
integral = "Q4.8"
[integration]
steps = 2
[learning]
halvings = 1
"""


# Of the bitstream of SMALL, by these versions. Whoever changes the circuit or a version builds it twice, and records it anew
RECORDED = {"yosys": "0.70", "nextpnr-ice40": "nextpnr-0.11.1", "amaranth": "0.5.10", "wuxing": "0.1.0"}
BITSTREAM = "1cc296611ba849c069c104aa71215c72bde6cc69446934c9bde45a13c40a40c1"


def small(target="ice40", arrangement="time-shared"):
    """The design of ``SMALL`` and its parameters."""
    network = Network.from_toml(SMALL)
    design = Design(network=network, units=(1,), target=target, arrangement=arrangement)
    return design, parameters.initial(network, "fixed")


@pytest.mark.early
def test_a_bitstream_for_ice40_is_made_end_to_end_and_again_with_the_same_bytes(tmp_path):
    """By the command, a core that learns with its host link: the bytes that were recorded, by these versions, and those
    of a second build by the library, in another folder. One test: it is long."""
    yosys_ready()
    folder, design, values = tmp_path / "out", *small()
    (tmp_path / "small.toml").write_text(SMALL, "utf-8")
    assert cli.main(["build", str(tmp_path / "small.toml"), "--board", "icebreaker", "--units", "1", "--quiet",
                     "-o", str(folder)]) == 0
    content = json.loads((folder / build.REPORT).read_text("utf-8"))
    data = (folder / "wuxing.bin").read_bytes()
    assert data[:4] == b"\xff\x00\x00\xff"                    # the comment before the preamble of iCE40
    assert data.find(b"\x7e\xaa\x99\x7e") > 0
    assert content["sha256"]["wuxing.bin"] == hashlib.sha256(data).hexdigest()
    assert content["state"] == "finished"
    assert content["clock"]["MHz"] == 30 <= content["clock"]["reached_MHz"]
    assert content["verified"]["mismatches"] == 0 < content["verified"]["words_compared"]
    assert content["design"]["arrangement"] == "time-shared"
    assert content["use"]["spram"]["used"] == content["use"]["multipliers"]["used"] == 1
    used, estimated = (content["use"]["cells"][name] for name in ("used", "estimated"))
    assert estimated == pytest.approx(used, rel=0.25)
    assert set(content["versions"]) > {"yosys", "nextpnr-ice40", "amaranth", "wuxing"}
    cells = [hop["cell"] for hop in content["critical_path"]["hops"]]
    assert any(cell.startswith("system.") for cell in cells)
    assert not any(re.search(r"\$|_SB_", cell) for cell in cells)
    assert 1000 / content["critical_path"]["ns"] == pytest.approx(content["clock"]["reached_MHz"], rel=0.01)
    assert "iCEBreaker" in (folder / build.PAGE).read_text("utf-8")

    assert (folder / build.CORE / emit.VERILOG).read_text("utf-8") == emit.to_verilog(design, initialised=True)
    assert "module wuxing_core" not in (folder / build.TOP_FILE).read_text("utf-8")

    if {name: content["versions"][name] for name in RECORDED} == RECORDED:
        assert hashlib.sha256(data).hexdigest() == BITSTREAM
    again = build.build(platforms.by_name("icebreaker"), design, values, tmp_path / "elsewhere",
                        verify=lambda core: build.Verified(**content["verified"]))
    assert again.bitstream.read_bytes() == data
    assert console.plain(report.report(again)) == content


def test_the_command_refuses_in_one_sentence(tmp_path, capsys):
    description = tmp_path / "large.toml"
    description.write_text(SMALL.replace("[8, 3]", "[784, 300, 10]"), "utf-8")
    assert cli.main(["build", str(description), "--board", "icebreaker", "-o", str(tmp_path / "out"), "-q"]) == 2
    sentence = " ".join(capsys.readouterr().err.split())
    assert sentence.startswith("wuxing: 784-300-10 on 1, 1 processing units must fit the iCE40UP5K of iCEBreaker, but needs")
    assert "; of 784-H-10 the largest that fits has H = 80, or take a larger board" in sentence
    assert not (tmp_path / "out").exists()
    assert cli.main(["build", str(description), "--board", "arty", "-o", str(tmp_path / "out")]) == 2
    assert "--board must be one of icebreaker" in capsys.readouterr().err


@pytest.mark.parametrize(("file", "right", "wrong", "text"), [
    ("weights_0_0.hex", "05e\n", "05f\n", "layer 0 of the core must begin with the parameters that it was given, but does not"),
    (emit.VERILOG, "$signed(a) * $signed(b)", "$signed(a) * $signed(b) + 64", "the core must equal the golden model, but: ")])
def test_a_core_that_differs_from_its_model_is_found_before_synthesis(file, right, wrong, text, tmp_path):
    design, values = small()
    for name, before in emit.core_files(design, values).items():
        after = before.replace(right, wrong, 1) if name == file else before
        assert (after != before) == (name == file)
        (tmp_path / name).write_text(after, "utf-8")
    with pytest.raises(InternalError, match=f"^{re.escape(text)}"):
        verification(design, values, 4, 2)(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("platform", platforms.PLATFORMS.values(), ids=lambda platform: platform.name)
def test_every_board_gets_a_bitstream(platform, tmp_path):
    """Its pins, its PLL and its package are accepted, and the clock is met."""
    result = build.build(platform, *small(platform.target, platform.arrangement), tmp_path / "out", seeds=4,
                         verify=lambda core: VERIFIED)
    assert result.bitstream.stat().st_size > 50_000
    assert result.routed.goal_MHz == pytest.approx(platform.clock, rel=1e-3)         # through the PLL, from the pin's frequency
    text = console.plain(report.report(result))
    assert set(text["use"]) >= {"cells", "multipliers", "block_rams"}
    assert all(0 < use["share"] <= 1 for use in text["use"].values())
