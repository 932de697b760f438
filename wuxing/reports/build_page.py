"""The page of ``wuxing build``, made of its report."""
from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:                         # `wuxing --help` is not to wait for boards and Jinja2
    from boards.report import BuildReport

PARTS = {"cells": "logic cells", "flip_flops": "flip-flops", "multipliers": "multipliers", "block_rams": "block RAMs",
         "spram": "SPRAM blocks"}
IMAGES = "Time and energy of an image"
KINDS = {"inferred": "inferred", "learnt": "learnt, with an error", "learnt_without_error": "learnt, without"}

Row = tuple[str, ...]


def page(report: BuildReport) -> str:
    """The HTML of a report. Equal reports give an equal page."""
    from wuxing.reports.page import rendered
    sizes = "-".join(map(str, report.network.layers))
    verified: list[Row] = [(name.replace("_", " "), f"{value:,.1f}" if isinstance(value, float) else str(value))
                           for name, value in asdict(report.verified).items() if value is not None]
    rows: list[Row] = [("network digest", report.network.digest), *report.versions.items(),
                       *((f"SHA-256 of {name}", digest) for name, digest in report.sha256.items())]
    images: list[Row] = [(KINDS[name], f"{each.clocks:,.1f}", f"{each.us:,.2f}", f"{each.images_per_second:,.0f}",
                          f"{each.estimated_uJ:,.2g}") for name, each in report.images.items()]
    hops: list[Row] = [(hop.kind, hop.signal or hop.cell, f"{hop.ns:.2f}") for hop in report.critical_path.hops]
    return rendered("build.html", title=f"{sizes} on {report.title}", report=report, parts=PARTS, clock=_clock(report),
                    images_title=IMAGES, images=images, hops=hops, verified=verified, made=rows)


def _clock(report: BuildReport) -> list[Row]:
    clock, serial = report.clock, report.serial
    rows: list[Row] = [
        ("core", f"{clock.MHz:g} MHz"), ("reached by place and route", f"{clock.reached_MHz:.2f} MHz"),
        ("margin", f"{100 * clock.margin:.1f} %"), ("oscillator of the board", f"{clock.oscillator_MHz:g} MHz"),
        ("seed and router", f"{report.seed}, {report.router}"),
        ("serial line", f"{serial.baud:,} baud, {serial.divisor} clocks a bit")]
    if len(report.tried) > 1:
        rows.append(("seeds tried", ", ".join(f"{one.seed}: {one.MHz:.1f} MHz" for one in report.tried)))
    return rows
