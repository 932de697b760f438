"""From a design and its parameters to a bitstream, in steps that each may refuse; every file in one folder.

Equal designs, parameters, boards and tools give equal bytes: seeds are fixed, names are relative, nothing holds a date.
"""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from boards import constraints, fit, floorplan, routing, synthesis, tools, top
from boards.fit import Fit
from boards.platforms import Platform
from boards.pll import Pll
from boards.routing import Routed
from boards.system import System
from golden_model.errors import InputError
from golden_model.parameters import Parameters
from hdl import emit
from hdl.design import Design

CORE = "core"                             # folder of the core's files, as `wuxing verilog` writes it
TOP_FILE = "top.v"
REPORT, PAGE = "report.json", "report.html"
FORMAT = "wuxing build 1"
BITSTREAMS = {"ice40": "wuxing.bin", "ecp5": "wuxing.bit"}
CONFIGURATIONS = {"ice40": "wuxing.asc", "ecp5": "wuxing.config"}
STEPS = ("fit", "co-simulation", "synthesis", "place and route", "packing")
LOGS = {"synthesis": synthesis.LOG, "place and route": "nextpnr-1.log"}     # what to look at while a long step runs
SEEDS = 4                                 # by default: one may miss by a little a clock that others meet
MOST_SEEDS = 1000
ROUTERS = ("router1", "router2")

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a co-simulation of the core said: random images inferred and learnt, of whose bytes ``nonzero_share`` were not 0;
    words compared with the golden model, and those that differ; clocks of an image, None for fewer than two; ``simulator``:
    the version of Verilator."""

    images: int
    learnt: int
    nonzero_share: float
    words_compared: int
    mismatches: int
    cycles_per_image: float | None
    cycles_per_learnt_image: float | None
    simulator: str | None


Verify = Callable[[Path], Verified]               # of the core's folder


@dataclass(frozen=True, kw_only=True)
class Built:
    """A bitstream and what is known of it. ``verified``: what the co-simulation said."""

    platform: Platform
    design: Design
    pll: Pll
    baud: int
    divisor: int
    router: str
    fit: Fit
    routed: Routed
    tried: tuple[tuple[int, float], ...]          # seeds and the MHz that they reached
    verified: Verified
    netlist: Mapping[str, int]                    # cells by type, as Yosys counts them
    bitstream: Path
    versions: Mapping[str, str]
    hashes: Mapping[str, str]

    @property
    def MHz(self) -> float:
        """Of the core."""
        return float(self.pll.output)


def build(platform: Platform, design: Design, values: Parameters, folder: Path, *, verify: Verify, clock: float | None = None,
          baud: int | None = None, seeds: int = SEEDS, router: str = "router1", encoding: Mapping[str, Any] | None = None,
          on_step: OnStep = lambda step: None) -> Built:
    """Make the bitstream of a design on a board.

    Parameters
    ----------
    board, design : what to build; the design's target must be the board's.
    values : Parameters
        Integers with which the memories begin, where the device can say with what they begin.
    folder : Path
        Where everything goes; see ``check_folder``.
    verify : called with the folder of the core's files before they are synthesised; raises if the core is wrong.
    clock, baud : MHz of the core, bits a second; by default the board's.
    seeds : int
        The place and route is tried with seeds 1, 2, ... until one meets the clock, at most so many.
    router : "router1" or "router2"
        Of nextpnr; the second takes less time where it gets to an end, which it does not for 784-128-10.
    encoding : mapping, optional
        How what is measured becomes bytes, for the manifest; see ``hdl.emit.core_files``.
    on_step : called with each of ``STEPS`` when it begins.

    Raises
    ------
    InputError
        If it does not fit, or no seed meets the clock.
    ToolError
        If a tool is missing or fails.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise InputError(f"--seeds must be 1 to {MOST_SEEDS}, not {seeds}")
    if router not in ROUTERS:
        raise InputError(f"--router must be {' or '.join(ROUTERS)}, not {router[:40]!r}")
    pll, divisor = platform.pll(clock), platform.divisor(clock, baud)
    on_step("fit")
    fits = fit.check(platform, design)
    tools.check(platform.target)
    check_folder(folder)
    clear(folder)
    _write(folder, {REPORT: json.dumps({"format": FORMAT, "state": "not finished"}) + "\n"})
    core = emit.core_files(design, values, encoding)
    _write(folder / CORE, core)
    sources = {TOP_FILE: top.to_verilog(top.Top(platform, System(design, divisor), pll)),
               constraints.FILES[platform.target]: constraints.text(platform)}
    _write(folder, sources)

    on_step("co-simulation")
    verified = verify(folder / CORE)
    emit.read_manifest(folder / CORE)             # raises if what was co-simulated is not what goes on

    on_step("synthesis")
    netlist = synthesis.synthesise(platform.target, [f"{CORE}/{emit.VERILOG}", TOP_FILE], top.TOP, folder,
                                   floorplan.sites(platform.device.option, design))

    on_step("place and route")
    best, attempts = routed(platform, pll.output, seeds, folder, router)

    on_step("packing")
    bitstream = packed(platform, folder)
    versions = {name: tools.version(name) for name in tools.PROGRAMS[platform.target]}
    hashed = [f"{CORE}/{emit.VERILOG}", *sources, synthesis.NETLIST, bitstream.name]
    return Built(platform=platform, design=design, pll=pll, baud=platform.baud if baud is None else baud, divisor=divisor,
                 router=router, fit=fits, routed=best, tried=tuple(attempts), verified=verified, netlist=netlist,
                 bitstream=bitstream, versions={name: version for name, version in versions.items() if version},
                 hashes={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in hashed})


def routed(platform: Platform, goal: Fraction, seeds: int, folder: Path,
           router: str = ROUTERS[0]) -> tuple[Routed, list[tuple[int, float]]]:
    """The first seed that meets the clock, and all that were tried.

    Raises
    ------
    InputError
        If none does: with the best, and where its slowest path goes.
    """
    options = [platform.device.option, "--package", platform.package, "--router", router]
    if platform.target == "ecp5":
        options += ["--speed", platform.speed, "--lpf", constraints.FILES["ecp5"], "--textcfg", CONFIGURATIONS["ecp5"]]
    else:
        options += ["--pcf", constraints.FILES["ice40"], "--asc", CONFIGURATIONS["ice40"]]
    results: list[Routed] = []
    for seed in range(1, seeds + 1):
        results.append(routing.route(platform.target, options, seed, folder, f"nextpnr-{seed}.log"))
        if results[-1].MHz >= goal:
            return results[-1], [(result.seed, result.MHz) for result in results]
    best = max(results, key=lambda result: result.MHz)
    ends = f", from {best.path[0].cell} to {best.path[-1].cell}" if best.path else ""
    raise InputError(f"the core must run at {float(goal):g} MHz on {platform.title}, but reaches {best.MHz:.1f} MHz (seed "
                     f"{best.seed} of {seeds}{ends}); give --clock {int(best.MHz)} or try more --seeds")


def packed(platform: Platform, folder: Path) -> Path:
    name, configuration = BITSTREAMS[platform.target], CONFIGURATIONS[platform.target]
    if platform.target == "ecp5":
        tools.run("ecppack", [*platform.pack, "--input", configuration, "--bit", name], folder)
    else:
        tools.run("icepack", [configuration, name], folder)
    return folder / name


# ----------------------------------------------------------------- the folder

def check_folder(folder: Path) -> None:
    """Raise an ``InputError`` unless ``folder`` is new, empty, or one in which a build was begun."""
    if not folder.parent.is_dir():
        raise InputError(f"{folder} must be a folder that can be made, but there is no folder {folder.parent}; make it first")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} must be a folder, but is a file; choose another name")
    present = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if present and _format(folder) != FORMAT:
        raise InputError(f"{folder} must be new, empty or of this command, but holds {present[0]!r}; choose another folder or "
                         f"remove this one")


def _format(folder: Path) -> object:
    try:
        content = json.loads((folder / REPORT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content.get("format") if isinstance(content, dict) else None


def clear(folder: Path) -> None:
    """Remove what an earlier build left, and nothing else: a build that is refused leaves no old bitstream behind."""
    if not folder.is_dir():
        return
    old = [folder / name for name in (*BITSTREAMS.values(), *CONFIGURATIONS.values(), *constraints.FILES.values(), TOP_FILE,
                                      synthesis.NETLIST, routing.REPORT, synthesis.LOG, synthesis.CARRY.name, PAGE)]
    core = folder / CORE
    for path in (*old, *folder.glob("nextpnr-*.log"), *(core.iterdir() if core.is_dir() else ())):
        if (path.parent != core or emit.is_name_of_core(path.name)) and not path.is_dir():
            path.unlink(missing_ok=True)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{folder} must be a folder that can be written, but: {error.strerror or error}; choose another "
                         f"place or mend this one") from error
