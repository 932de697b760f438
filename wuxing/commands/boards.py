"""``wuxing boards``: the boards that there are, and the largest networks that each can learn."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wuxing import options
from wuxing.reports import console

if TYPE_CHECKING:
    from boards.platforms import Platform
    from hdl.design import Design
    from hdl.estimate import Clocks
    from wuxing.reports.sheet import Sheet

NONZERO = 149                             # of the 784 pixels of a usual MNIST image
LINE_BYTES = 300                          # of such an image on the serial line, packets and acknowledgements included


@dataclass(frozen=True, slots=True, kw_only=True)
class Microseconds:
    """Of an image, as ``hdl.estimate.Clocks`` has its clocks."""

    inferred: float
    latency: float
    learnt: float | None
    learnt_without_error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesPerSecond:
    """Images a second of a core that gets them over a serial line: those of the slower of both."""

    inferred: float
    learnt: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The largest network of one way, its units, clocks and time of an image, by estimate."""

    layers: Sequence[int]
    units: Sequence[int]
    clocks: Clocks
    us: Microseconds
    images_per_second: ImagesPerSecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A board as it is declared, in MHz and baud, and what it takes, None where it takes no such network.

    ``has``: of the device. ``divisor``: clocks of a bit. ``line_images_per_second``: of MNIST, however fast the core is.
    ``pins``: of the package, by port. ``programmers``: programs that load a bitstream. ``kinds``: layers of the largest network
    of each of ``boards.kinds``.
    """

    name: str
    title: str
    device: str
    target: str
    package: str
    has: Mapping[str, int]
    memories: str
    reference_MHz: float
    MHz: float
    baud: int
    divisor: int
    line_images_per_second: float
    serial: str
    note: str
    pins: Mapping[str, str]
    programmers: Sequence[str]
    one_unit_per_neuron: Capacity | None
    folded: Capacity | None
    kinds: Mapping[str, Sequence[int] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``nonzero``: pixels of an image that are not 0."""

    nonzero: int
    boards: Sequence[Entry]


def boards(json: options.JsonOption = None) -> None:
    """List the boards: chip, clock, serial line, and the largest networks with on-chip learning that fit."""
    from boards import fit, kinds, platforms
    console.check_writable(json)
    largest: dict[tuple[object, ...], tuple[Design | None, ...]] = {}
    listing = []
    for platform in platforms.PLATFORMS.values():
        chip = (platform.target, platform.clock, *platform.device.has.values())
        if chip not in largest:                           # several boards have the same, which takes its time
            largest[chip] = (fit.largest(platform, folded=False), fit.largest(platform, folded=True),
                             *(kinds.largest(platform, kind) for kind in kinds.KINDS.values()))
        listing.append(entry(platform, *largest[chip]))
    console.write_json(json, Result(nonzero=NONZERO, boards=listing))

    screen = console.out(json)
    table = console.table("The largest 784-H-10 that a board takes and that learns there",
                          left=("--board", "chip"), right=("MHz", "MBd", *2 * ("H", "us", "us\nlearnt")))
    for column in table.columns[:2]:
        column.no_wrap = True
    table.caption = (f"H first with a processing unit for each neuron, then folded, on as few as it takes; us of an image "
                     f"with {NONZERO} pixels that are not 0; all by estimate, host link included")
    table.caption_justify = "left"
    for each in listing:
        table.add_row(each.name, each.device, f"{each.MHz:g}", f"{each.baud / 1e6:g}", *_cells(each.one_unit_per_neuron),
                      *_cells(each.folded))
    screen.print(table, "", _of_kinds(listing), "", sep="\n")
    for each in listing:
        note = f"; {each.note}" if each.note else ""
        screen.print(f"{each.name}: {each.title}, weights in {each.memories}, serial line: {each.serial}, for "
                     f"about {each.line_images_per_second:,.0f} images a second{note}", soft_wrap=True)


def _of_kinds(listing: Sequence[Entry]) -> Sheet:
    """The largest network of each other kind by chip, which several boards have."""
    from boards import kinds
    table = console.table("The largest of other kinds that a chip takes and that learn there", left=("chip",),
                          right=("convolutions: C", "recurrent: H", "K alone: H"))
    table.caption = f"{'; '.join(kind.title for kind in kinds.KINDS.values())}; all by estimate, host link included"
    table.caption_justify = "left"
    for each in {entry.device: entry for entry in listing}.values():
        sizes = (None if layers is None else kinds.KINDS[name].size(layers) for name, layers in each.kinds.items())
        table.add_row(each.device, *("none" if size is None else str(size) for size in sizes))
    return table


def _cells(capacity: Capacity | None) -> tuple[str, str, str]:
    if capacity is None:
        return "none", "", ""
    inferred, learnt = ("" if each is None else f"{each:,.1f}" if each < 1000 else f"{each:,.0f}"
                        for each in (capacity.us.inferred, capacity.us.learnt))
    return str(capacity.layers[1]), inferred, learnt


def entry(platform: Platform, unfolded: Design | None, folded: Design | None, *others: Design | None) -> Entry:
    """A board, and the largest networks that it takes, ``others`` of each kind."""
    from boards.kinds import KINDS
    from boards.uart import BITS
    device, line = platform.device, platform.baud / BITS / LINE_BYTES
    return Entry(
        name=platform.name, title=platform.title, device=device.name, target=platform.target, package=platform.package,
        has=device.has, memories=platform.memories, reference_MHz=platform.reference, MHz=platform.clock, baud=platform.baud,
        divisor=platform.divisor(), line_images_per_second=line, serial=platform.serial, note=platform.note,
        pins={port: pin.site for port, pin in platform.pins.items()},
        programmers=[programmer.name for programmer in platform.programmers],
        kinds={name: None if design is None else design.network.layers for name, design in zip(KINDS, others, strict=True)},
        one_unit_per_neuron=capacity(unfolded, platform.clock, line), folded=capacity(folded, platform.clock, line))


def capacity(design: Design | None, MHz: float, line: float) -> Capacity | None:
    """Of a design at a clock, behind a serial line that carries ``line`` images a second."""
    from hdl import estimate
    if design is None:
        return None
    clocks = estimate.clocks(design, NONZERO)

    def us(count: float | None) -> float | None:
        return None if count is None else count / MHz
    learnt = us(clocks.learnt)
    times = Microseconds(inferred=clocks.inferred / MHz, latency=clocks.latency / MHz, learnt=learnt,
                         learnt_without_error=us(clocks.learnt_without_error))
    return Capacity(layers=design.network.layers, units=design.units, clocks=clocks, us=times,
                    images_per_second=ImagesPerSecond(
        inferred=min(1e6 / times.inferred, line), learnt=None if learnt is None else min(1e6 / learnt, line)))
