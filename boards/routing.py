"""Place and route by nextpnr: cells, clock rate and critical path of a netlist."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards import tools
from boards.synthesis import NETLIST
from golden_model.errors import ToolError

REPORT, UNNAMED = "nextpnr.json", "unnamed"
# On a large device nextpnr's own weight of timing (10, exponent 2) leaves small logic scattered over a whole array's width:
# 784-128-10 on an ECP5-85 was placed for 56 MHz with it, for 67 MHz with this one, the slowest paths short ones.
PLACEMENT = {"ecp5": ["--placer-heap-timingweight", "100", "--placer-heap-critexp", "3"], "ice40": []}
# Where Yosys goes on from a name of the design to name a cell that it made
GENERATED = re.compile(r"(_(SB|TRELLIS|LUT\d?|PFUMX|L6MUX21|CCU2C|DP16KD|MULT18X18D|DPR16X4C?)(_.*)?|\$.*|_LC|_DFF.*)$")


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One step of a path: ``kind`` (clk-to-q, logic, routing, setup), nanoseconds, from where, and over which signal.

    ``cell`` and ``signal`` have the design's own names as far as synthesis kept them; ``signal`` only where kind is routing.
    """

    kind: str
    ns: float
    cell: str
    signal: str


@dataclass(frozen=True, kw_only=True)
class Routed:
    """A netlist on a device: with which seed, MHz reached and asked for, cells used and there by type, the slowest path."""

    seed: int
    MHz: float
    goal_MHz: float
    cells: Mapping[str, tuple[int, int]]
    path: tuple[Hop, ...]


def route(target: str, options: list[str], seed: int, folder: Path, log: str) -> Routed:
    """Place and route the netlist in ``folder``. A clock that is missed is no error here.

    Raises
    ------
    ToolError
        If nextpnr is missing or cannot place or route.
    """
    (folder / REPORT).unlink(missing_ok=True)
    tools.run(f"nextpnr-{target}", [*options, *PLACEMENT[target], "--json", NETLIST, "--seed", str(seed), "--timing-allow-fail",
                                    "--report", REPORT], folder, log)
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
        return read(report, seed)
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"nextpnr must report cells and clock in {REPORT}, but: {error}; install the version that wuxing "
                        f"asks for") from error


def read(report: Mapping[str, Any], seed: int) -> Routed:
    """What nextpnr wrote with ``--report``. Of several clocks the one that is nearest to its limit counts."""
    clock, frequency = min(report["fmax"].items(), key=lambda entry: entry[1]["achieved"] / entry[1]["constraint"])
    paths = [path for path in report["critical_paths"] if clock in path["from"] and clock in path["to"]]
    return Routed(seed=seed, MHz=float(frequency["achieved"]), goal_MHz=float(frequency["constraint"]),
                  cells={name: (count["used"], count["available"]) for name, count in report["utilization"].items()
                         if count["used"]},
                  path=tuple(map(_hop, paths[0]["path"] if paths else ())))


def _hop(step: Mapping[str, Any]) -> Hop:
    return Hop(kind=step["type"], ns=float(step["delay"]), cell=own_name(step["from"]["cell"]),
               signal=own_name(step.get("net", "")))


def own_name(name: str) -> str:
    """The design's name in one that Yosys or nextpnr made from it: ``core.gate_LUT4_A_1_Z`` to ``core.gate``.

    ``UNNAMED`` for cells that nextpnr made from none, as those that feed a carry chain.
    """
    return GENERATED.sub("", name) or (UNNAMED if name else "")
