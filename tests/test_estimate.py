"""Estimates: clocks against closed formulas, memory against the files of a core, cells against stored and live syntheses."""
from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from boards import fit, tools
from boards.synthesis import CARRY
from golden_model import parameters
from golden_model.errors import InputError
from golden_model.network import Integration, Network, Wiring
from hdl import emit, estimate
from hdl.adder_tree import levels
from hdl.array import output_latency, unit_module
from hdl.cells import core_cells, unit_cells
from hdl.control import control_latency
from hdl.design import Design
from wuxing import cli

BENCH = Path(__file__).resolve().parents[1] / "bench"
MEASURED = json.loads((BENCH / "synthesis.json").read_text("utf-8"))
TOLERANCE = 0.15


@pytest.fixture(scope="module")
def synthesis():
    """bench/synthesis.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("synthesis", BENCH / "synthesis.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["synthesis"] = module
    spec.loader.exec_module(module)
    return module


# ----------------------------------------------------------------- clocks

@pytest.mark.parametrize("steps", [1, 4, 8])
def test_inferring_takes_the_clocks_of_the_formula_in_the_documentation(steps):
    design = Design(network=Network(layers=(200, 3), integration=Integration(steps=steps)))
    settling = 20 * steps
    for nonzero in range(0, 201, 7):
        items = nonzero + 1
        links = (settling // 2 + items + 6 if items > settling // 2
                 else 10 * ((items - 1) // 5) + (items - 1) % 5 + 11)
        assert estimate.clocks(design, nonzero).inferred == max(settling + 2, links, 200 // 4 + 1)


@pytest.mark.parametrize("layers", [(784, 128, 10), (40, 9, 3), (60, 30, 25), (300, 100, 40)])
def test_learning_takes_the_clocks_of_the_formulas_in_the_documentation(layers):
    design = Design(network=Network(layers=layers))
    settling, nonzero, hidden, outputs = 160, layers[0] // 5, layers[1], layers[2]
    a, b = (output_latency(layer) + control_latency(layer) for layer in design.layers)
    clocks = estimate.clocks(design, nonzero)
    further = control_latency(design.layers[1]) - 2                       # on the way to the adder tree
    assert clocks.learnt == (4 * settling + 2 * nonzero + 2 * hidden + outputs + a + levels(outputs) + 57 + further
                             + max(18, outputs + b + 3))
    assert clocks.learnt_without_error == 2 * settling + nonzero + hidden + outputs + a + b + 28


@pytest.mark.parametrize(("layers", "units"), [((784, 32, 10), 4), ((40, 9, 3), 4), ((90, 12, 7, 5), 3), ((30, 5), 8)])
def test_a_time_shared_array_takes_the_clocks_of_the_formulas_in_the_documentation(layers, units):
    network = Network(layers=layers)
    design = Design(network=network, units=(units,) * (len(layers) - 1), arrangement="time-shared")
    settling, nonzero = 160, layers[0] // 5
    inferred, learnt, back = 1, 2, 0
    for layer in design.layers:
        n, last = (layer.inputs if layer.index else nonzero) + 1, layer.fold_size(layer.folds - 1)
        links = settling // 2 + n + 5 if n > settling // 2 else 0
        once = n + 8 + settling + 1 + last
        inferred += once + (layer.folds - 1) * max(settling + layer.units + 2, links)
        learnt += once + 5 + (layer.folds - 1) * max(settling + layer.units + 7, links)
        back += layer.neurons * (1 if layer.last else 2) + layer.folds * (
            settling + 16 + 2 * n + (1 + layer.inputs if layer.reverses else 0))
    clocks = estimate.clocks(design, nonzero)
    assert (clocks.inferred, clocks.learnt_without_error, clocks.learnt) == (inferred, learnt, learnt + back)


def test_learning_takes_longer_than_inferring_and_an_error_longest():
    clocks = estimate.clocks(Design(network=Network(layers=(50, 8, 4))), 20)
    assert clocks.inferred < clocks.learnt_without_error < clocks.learnt
    assert clocks.latency < clocks.learnt


def test_a_core_that_only_infers_has_no_clocks_of_learning():
    clocks = estimate.clocks(Design(network=Network(layers=(50, 8, 4)), learns=False), 20)
    assert clocks.learnt is None
    assert clocks.learnt_without_error is None


def test_more_nonzero_inputs_than_inputs_are_refused():
    text = "nonzero must be 0 to 50, the inputs of the network, not 51"
    with pytest.raises(InputError, match=re.escape(text)):
        estimate.clocks(Design(network=Network(layers=(50, 8, 4))), 51)


# ----------------------------------------------------------------- memory and cells

@pytest.mark.parametrize("units", [(), (3, 2)])
def test_bits_of_weights_are_those_of_the_initial_contents(units):
    design = Design(network=Network(layers=(20, 7, 3)), units=units)
    files = emit.memory_files(design, parameters.initial(design.network, "fixed"))
    words = sum(len(text.split()) for text in files.values())
    assert estimate.memory(design).weights == words * design.layers[0].word_bits


@pytest.mark.parametrize(("layers", "wiring", "units", "arrangement"), [
    ((20, 7, 3), (), (), "parallel"), ((20, 9, 7, 3), (), (3, 2, 3), "parallel"), ((20, 9, 7, 3), (), (2, 2, 2), "time-shared"),
    ((20, 7, 3), (), (3, 3), "time-shared"),
    ((9, 8, 5, 3), ("convolution 2x2 stride 1 of 3x3x1", "full", "full"), (2, 2, 2), "time-shared")])
def test_bits_of_memories_beside_those_of_weights_are_those_of_the_verilog(layers, wiring, units, arrangement):
    """All but step starts and gates in the units of a time-shared array, which are not counted."""
    design = Design(network=Network(layers=layers, wiring=Wiring(layers=wiring)), units=units, arrangement=arrangement)
    text, bits = emit.to_verilog(design), 0
    for width, name, depth in re.findall(r"reg (?:signed )?\[(\d+):0\] (\w+) \[(\d+):0\]", text):
        of_units = design.arrays[0].units if name == "sums" else 1
        bits += 0 if name in ("starts", "gates") else (int(width) + 1) * (int(depth) + 1) * of_units
    result = estimate.memory(design)
    assert result.lists + result.queues == bits


def described(entry):
    return Design(network=fit.network_for(entry["target"], tuple(entry["layers"])), units=tuple(entry["units"]),
                  target=entry["target"], kind=entry["kind"], learns=entry["learns"],
                  arrangement=entry.get("arrangement", "parallel"))


@pytest.mark.parametrize("entry", MEASURED, ids=lambda entry: entry["command"].split("synthesis.py ")[1])
def test_cells_are_within_the_tolerance_of_measured_ones(entry, synthesis):
    result = core_cells(described(entry))
    device = entry["device"]
    assert result.cells == pytest.approx(device[synthesis.AREA[entry["target"]]], rel=TOLERANCE)
    assert result.multipliers == device[{"ecp5": "MULT18X18D", "ice40": "ICESTORM_DSP"}[entry["target"]]]
    assert result.block_rams == pytest.approx(device[{"ecp5": "DP16KD", "ice40": "ICESTORM_RAM"}[entry["target"]]], abs=2)
    if entry["target"] == "ecp5":
        assert result.flip_flops == pytest.approx(device["TRELLIS_FF"], rel=TOLERANCE)


@pytest.mark.parametrize("learns", [True, False])
def test_an_unit_synthesised_now_has_the_cells_of_the_estimate(learns, synthesis, tmp_path):
    design = Design(network=Network(layers=(100, 4, 3)), target="ecp5", learns=learns)
    layer = design.layers[0]
    netlist = synthesis.synthesise("ecp5", {"core.v": emit.to_verilog(design)}, unit_module(design.arrays[0]), tmp_path)
    result = unit_cells(layer)
    assert result.cells == pytest.approx(netlist["LUT4"] + 2 * netlist["CCU2C"], rel=TOLERANCE)
    assert result.flip_flops - layer.word_bits == pytest.approx(netlist["TRELLIS_FF"], rel=TOLERANCE)
    assert result.multipliers == netlist["MULT18X18D"]


# A CCU2C without INJECT, as Lattice documents it: a half adds what its LUT4 says and carries what its lower four entries say.
CARRY_CELL = """
module CCU2C #(parameter INIT0 = 0, parameter INIT1 = 0, parameter INJECT1_0 = "", parameter INJECT1_1 = "")
  (input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
  wire [15:0] first = INIT0, second = INIT1;
  wire l0 = first[{D0, C0, B0, A0}], l1 = second[{D1, C1, B1, A1}];
  wire c = l0 ? CIN : first[{2'b00, B0, A0}];
  assign S0 = l0 ^ CIN, S1 = l1 ^ c, COUT = l1 ? c : second[{2'b00, B1, A1}];
endmodule
"""
SUMS = """
module NAME (input signed [W-1:0] a, b, input [W-1:0] c, d, output [W:0] sum, unsigned_difference, odd,
             output [W-1:0] difference, next, output less, unsigned_at_least);
  parameter W = WIDTH;
  assign sum = a + b, unsigned_difference = c - d, odd = {a, 1'b1} + {b, 1'b1};
  assign difference = a - b, next = c + 1, less = a < b, unsigned_at_least = c >= d;
endmodule
"""


@pytest.mark.parametrize("width", [6, 7])
def test_carry_chains_that_are_not_fed_add_whatever_comes_in_at_their_ends(width, tmp_path):
    for name in ("gold", "gate"):
        (tmp_path / f"{name}.v").write_text(SUMS.replace("NAME", name).replace("WIDTH", str(width)), "utf-8")
    (tmp_path / "cell.v").write_text(CARRY_CELL, "utf-8")
    (tmp_path / "carry.v").write_text(CARRY.read_text("utf-8"), "utf-8")
    script = ("read_verilog gold.v; prep -top gold; design -stash gold; read_verilog gate.v; prep -top gate; alumacc; opt; "
              "techmap -map +/techmap.v -map carry.v -map +/lattice/arith_map_ccu2c.v; opt -fast; "
              "select -assert-min 15 t:CCU2C; select -clear; read_verilog -sv -overwrite cell.v; hierarchy -top gate; proc; "
              "flatten; setundef -undriven -anyseq; opt; design -stash gate; design -copy-from gold -as gold gold; "
              "design -copy-from gate -as gate gate; miter -equiv -make_assert -flatten gold gate miter; "
              "sat -verify -prove-asserts -set-def-inputs miter")
    tools.run("yosys", ["-q", "-p", script], tmp_path)              # raises if it is not proved


def test_cells_of_a_portable_core_are_not_known():
    with pytest.raises(InputError, match=re.escape("target must be ecp5 or ice40 for an estimate of cells, not portable")):
        core_cells(Design(network=Network(layers=(9, 4, 3))))


# ----------------------------------------------------------------- command

def test_the_command_writes_what_the_functions_say(tmp_path, capsys):
    description, output = tmp_path / "small.toml", tmp_path / "estimate.json"
    description.write_text("layers = [20, 7, 3]\n", "utf-8")
    assert cli.main(["estimate", str(description), "--units", "4,3", "--nonzero", "5", "--clock", "80",
                     "--json", str(output)]) == 0
    design = Design(network=Network(layers=(20, 7, 3)), units=(4, 3), target="ecp5")
    content = json.loads(output.read_text("utf-8"))
    assert content["clocks"] == asdict(estimate.clocks(design, 5))
    assert content["cells"] == asdict(core_cells(design))
    assert content["memory_bits"] == asdict(estimate.memory(design))
    assert content["MHz"] == 80
    screen = capsys.readouterr().out
    assert "20-7-3 that infers and learns, shift, on 7 units (4, 3 of a layer)" in screen
    assert f"{1e6 * 80 / estimate.clocks(design, 5).inferred:,.0f}" in screen


def test_units_that_layers_share_are_counted_once(tmp_path, capsys):
    description = tmp_path / "small.toml"
    description.write_text("layers = [20, 7, 5, 3]\n", "utf-8")
    assert cli.main(["estimate", str(description), "--units", "2", "--arrangement", "time-shared 0-1", "--nonzero", "5"]) == 0
    assert "shift, on 4 units (2, 2, 2 of a layer)" in capsys.readouterr().out


def test_the_command_says_what_does_not_fit(tmp_path, capsys):
    description = tmp_path / "large.toml"
    description.write_text("layers = [20, 200, 3]\n", "utf-8")
    assert cli.main(["estimate", str(description)]) == 0
    assert "does not fit ECP5-85F: too many" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "text"), [
    (["--clock", "0"], "--clock must be above 0 and below 1000 MHz, not 0"),
    (["--units", "2", "--most-units", "2"], "--units and --most-units must not both be given; choose one"),
    (["--target", "portable"], "target must be ecp5 or ice40 for an estimate of cells, not portable")])
def test_the_command_refuses_in_one_sentence(options, text, tmp_path, capsys):
    description = tmp_path / "small.toml"
    description.write_text("layers = [20, 7, 3]\n", "utf-8")
    assert cli.main(["estimate", str(description), *options]) == 2
    assert text in " ".join(capsys.readouterr().err.split())
