"""Synthesis by Yosys: Verilog to a netlist of a device's cells, for ECP5 with carry chains that need no feeding."""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boards import floorplan, tools

CARRY = Path(__file__).with_name("carry.v")
NETLIST, LOG = "netlist.json", "yosys.log"


def script(target: str, top: str, sources: Sequence[str]) -> str:
    """Commands for Yosys, which leave the netlist in ``NETLIST``."""
    read = "read_verilog " + " ".join(sources)
    if target == "ice40":
        return f"{read}; synth_ice40 -device u -top {top} -abc9 -dsp -spram -json {NETLIST}"
    synthesis = f"synth_ecp5 -top {top} -nowidelut"
    return (f"{read}; {synthesis} -run begin:map_gates; techmap -map +/techmap.v -map {CARRY.name} -map "
            f"+/lattice/arith_map_ccu2c.v; opt -fast; {synthesis} -run map_ffs:; write_json {NETLIST}")


def synthesise(target: str, sources: Sequence[str], top: str, folder: Path,
               sites: floorplan.Floorplan = floorplan.NONE) -> dict[str, int]:
    """Cells of ``top`` by type, without those of modules that stay apart; the netlist is left in ``folder`` as ``NETLIST``.

    ``sources``: files of Verilog, relative to ``folder``; those that they read (contents of memories) lie beside them.
    ``sites``: where nextpnr is to put multipliers and memories of a large array.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    (folder / CARRY.name).write_text(CARRY.read_text("utf-8"), "utf-8")
    tools.run("yosys", ["-q", "-l", LOG, "-p", script(target, top, sources)], folder)
    netlist = json.loads((folder / NETLIST).read_text("utf-8"))
    module = netlist["modules"][top]
    netlist["modules"] = {name: value for name, value in netlist["modules"].items()
                          if name == top or not value["attributes"].get("blackbox") and not value["attributes"].get("whitebox")}
    for value in netlist["modules"].values():
        open_chains(value)
    floorplan.plan(module, sites)
    (folder / NETLIST).write_text(json.dumps(netlist), "utf-8")
    return dict(Counter(cell["type"] for cell in module["cells"].values() if not cell["type"].startswith(("$", "wuxing_"))))


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
