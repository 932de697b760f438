"""What is known of a bitstream, as data: cells, clock rate, time and energy of an image, versions, hashes.

Equal builds give equal data; there is no date and no duration in it.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boards import energy
from boards.build import FORMAT, Built, Verified
from boards.pll import Ice40Pll
from boards.routing import Hop
from golden_model.versions import versions
from hdl import estimate

PARTS = {"cells": ("ICESTORM_LC", "TRELLIS_COMB"), "flip_flops": ("TRELLIS_FF",), "multipliers": ("ICESTORM_DSP", "MULT18X18D"),
         "block_rams": ("ICESTORM_RAM", "DP16KD"), "spram": ("ICESTORM_SPRAM",)}       # by nextpnr's names
PACKAGES = ("wuxing", "amaranth", "amaranth-boards", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkName:
    """Sizes of the layers, and the digest that a model file must have."""

    layers: Sequence[int]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignChoices:
    """As in ``hdl.design.Design``."""

    units: Sequence[int]
    kind: str
    arrangement: str
    learns: bool
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Megahertz of the board's oscillator, of the core, and that place and route reached; ``margin``: their ratio less 1.
    ``pll``: its dividers by the names of the device's primitive, and its inner frequencies in MHz."""

    oscillator_MHz: float
    MHz: float
    reached_MHz: float
    margin: float
    pll: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    """The serial line: baud as asked for and as ``divisor`` clocks a bit make it, and where it is on the board."""

    baud: int
    divisor: int
    exact_baud: float
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Of one part of the device: nextpnr's name of it, how many the estimate said, are used, are there; used over there."""

    cell: str
    estimated: int
    used: int
    there: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A seed of place and route and the megahertz that it reached."""

    seed: int
    MHz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPath:
    """The slowest path, in nanoseconds, step by step."""

    ns: float
    hops: Sequence[Hop]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCost:
    """Of an image among others without pause: clocks, microseconds, and by estimate microjoules."""

    clocks: float
    us: float
    images_per_second: float
    estimated_uJ: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Milliwatts of the core, standing and working, and where the figures are from. Always an estimate."""

    estimate: bool
    standing_mW: float
    working_mW: float
    sources: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What ``wuxing build`` writes as ``report.json``. ``use``: by the names of ``PARTS``. ``netlist``: cells by type, as Yosys
    counts them. ``images``: inferred, learnt, learnt_without_error, the last by formula. ``sha256``: by file of the build.
    """

    format: str
    state: str
    board: str
    title: str
    device: str
    package: str
    speed: str
    bitstream: str
    network: NetworkName
    design: DesignChoices
    clock: Clock
    serial: Serial
    use: Mapping[str, Use]
    netlist: Mapping[str, int]
    seed: int
    router: str
    tried: Sequence[Seed]
    critical_path: CriticalPath
    images: Mapping[str, ImageCost]
    energy: Power
    verified: Verified
    versions: Mapping[str, str]
    sha256: Mapping[str, str]


def report(built: Built) -> BuildReport:
    """The report of a build. Clocks of images are those that the co-simulation counted; its random images have errors to learn,
    so those of an image without an error are given by formula."""
    platform, design, routed, MHz, verified = built.platform, built.design, built.routed, built.MHz, built.verified
    power = energy.estimate(platform, design)
    counts = {"inferred": verified.cycles_per_image, "learnt": verified.cycles_per_learnt_image}
    if counts["learnt"]:
        nonzero = round(verified.nonzero_share * design.network.layers[0])
        counts["learnt_without_error"] = estimate.clocks(design, nonzero).learnt_without_error
    return BuildReport(
        format=FORMAT, state="finished", board=platform.name, title=platform.title, device=platform.device.name,
        package=platform.package, speed=platform.speed, bitstream=built.bitstream.name,
        network=NetworkName(layers=design.network.layers, digest=design.network.digest),
        design=DesignChoices(units=design.units, kind=design.kind, arrangement=design.arrangement, learns=design.learns,
                             target=design.target),
        clock=Clock(oscillator_MHz=platform.reference, MHz=MHz, reached_MHz=routed.MHz, margin=routed.MHz / MHz - 1,
                    pll=_pll(built)),
        serial=Serial(baud=built.baud, divisor=built.divisor, exact_baud=MHz * 1e6 / built.divisor, line=platform.serial),
        use=_use(built), netlist=built.netlist, seed=routed.seed, router=built.router,
        tried=[Seed(seed=seed, MHz=reached) for seed, reached in built.tried],
        critical_path=CriticalPath(ns=sum(hop.ns for hop in routed.path), hops=routed.path),
        images={name: ImageCost(clocks=count, us=count / MHz, images_per_second=1e6 * MHz / count,
                                estimated_uJ=power.image_uJ(count, MHz)) for name, count in counts.items() if count},
        energy=Power(estimate=True, standing_mW=power.standing_mW,
                     working_mW=power.standing_mW + power.clock_pJ * MHz * 1e-3, sources=energy.sources(platform)),
        verified=verified,
        versions={**versions(*PACKAGES), **built.versions},
        sha256=built.hashes)


def _use(built: Built) -> dict[str, Use]:
    """By part of the device, those that it has."""
    use = {}
    for part, names in PARTS.items():
        for name in names:
            has = built.platform.device.has.get(part)
            if has is not None and (name in built.routed.cells or part == "spram"):
                used, _ = built.routed.cells.get(name, (0, has))
                use[part] = Use(cell=name, estimated=built.fit.parts[part][0], used=used, there=has, share=used / has)
    return use


def _pll(built: Built) -> dict[str, float]:
    pll = built.pll
    dividers = ({"DIVR": pll.divr, "DIVF": pll.divf, "DIVQ": pll.divq, "FILTER_RANGE": pll.filter_range}
                if isinstance(pll, Ice40Pll) else
                {"CLKI_DIV": pll.reference_divider, "CLKFB_DIV": pll.feedback_divider, "CLKOP_DIV": pll.output_divider})
    return {**dividers, "oscillator_MHz": float(pll.oscillator), "detector_MHz": float(pll.detector)}
