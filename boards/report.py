"""What is known of a bitstream, as plain data: cells, clock rate, time and energy of an image, versions, hashes.

Equal builds give equal data; there is no date and no duration in it.
"""
from __future__ import annotations

from dataclasses import asdict
from importlib import metadata
from platform import python_version
from typing import Any

from boards import energy
from boards.build import FORMAT, Built
from boards.pll import Ice40Pll
from hdl import estimate

PARTS = {"cells": ("ICESTORM_LC", "TRELLIS_COMB"), "flip_flops": ("TRELLIS_FF",), "multipliers": ("ICESTORM_DSP", "MULT18X18D"),
         "block_rams": ("ICESTORM_RAM", "DP16KD"), "spram": ("ICESTORM_SPRAM",)}       # by nextpnr's names
CYCLES = {"inferred": "cycles_per_image", "learnt": "cycles_per_learnt_image"}         # of the co-simulation
NO_ERROR = "learnt_without_error"         # by formula
PACKAGES = ("wuxing", "amaranth", "amaranth-boards", "numpy")


def data(built: Built) -> dict[str, Any]:
    """The report of a build. Clocks of images are those that the co-simulation counted; its random images have errors to learn,
    so those of an image without an error are given by formula."""
    platform, design, routed, MHz = built.platform, built.design, built.routed, built.MHz
    power = energy.estimate(platform, design)
    counts = {name: built.verified.get(key) for name, key in CYCLES.items()}
    if counts["learnt"]:
        nonzero = round(built.verified["nonzero_share"] * design.network.layers[0])
        counts[NO_ERROR] = estimate.clocks(design, nonzero).learnt_without_error
    images = {name: {"clocks": count, "us": count / MHz, "images_per_second": 1e6 * MHz / count,
                     "estimated_uJ": power.image_uJ(count, MHz)} for name, count in counts.items() if count}
    return {
        "format": FORMAT, "state": "finished", "board": platform.name, "title": platform.title, "device": platform.device.name,
        "package": platform.package, "speed": platform.speed, "bitstream": built.bitstream.name,
        "network": {"layers": list(design.network.layers), "digest": design.network.digest},
        "design": {"units": list(design.units), "kind": design.kind, "arrangement": design.arrangement,
                   "learns": design.learns, "target": design.target},
        "clock": {"oscillator_MHz": platform.reference, "MHz": MHz, "reached_MHz": routed.MHz,
                  "margin": routed.MHz / MHz - 1, "pll": _pll(built)},
        "serial": {"baud": built.baud, "divisor": built.divisor, "exact_baud": MHz * 1e6 / built.divisor,
                   "line": platform.serial},
        "use": _use(built), "netlist": dict(built.netlist),
        "seed": routed.seed, "router": built.router, "tried": [{"seed": seed, "MHz": reached} for seed, reached in built.tried],
        "critical_path": {"ns": sum(hop.ns for hop in routed.path), "hops": [asdict(hop) for hop in routed.path]},
        "images": images,
        "energy": {"estimate": True, "standing_mW": power.standing_mW,
                   "working_mW": power.standing_mW + power.clock_pJ * MHz * 1e-3, "sources": energy.sources(platform)},
        "verified": dict(built.verified),
        "versions": {"python": python_version(), **{name: metadata.version(name) for name in PACKAGES},
                     **built.versions},
        "sha256": dict(built.hashes)}


def _use(built: Built) -> dict[str, dict[str, Any]]:
    """By part: how many the estimate said, how many are used, how many there are, and the share."""
    found = {}
    for part, names in PARTS.items():
        for name in names:
            has = built.platform.device.has.get(part)
            if has is not None and (name in built.routed.cells or part == "spram"):
                used, _ = built.routed.cells.get(name, (0, has))
                found[part] = {"cell": name, "estimated": built.fit.parts[part][0], "used": used, "there": has,
                               "share": used / has}
    return found


def _pll(built: Built) -> dict[str, Any]:
    pll = built.pll
    dividers = ({"DIVR": pll.divr, "DIVF": pll.divf, "DIVQ": pll.divq, "FILTER_RANGE": pll.filter_range}
                if isinstance(pll, Ice40Pll) else
                {"CLKI_DIV": pll.reference_divider, "CLKFB_DIV": pll.feedback_divider, "CLKOP_DIV": pll.output_divider})
    return {**dividers, "oscillator_MHz": float(pll.oscillator), "detector_MHz": float(pll.detector)}
