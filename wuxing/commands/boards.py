"""``wuxing boards``: the boards that there are, and the largest network of digits that each can learn."""
from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wuxing import configuration as options
from wuxing.reports import console

if TYPE_CHECKING:
    from boards.platforms import Platform
    from hdl.design import Design

NONZERO = 149                             # of the 784 pixels of a usual MNIST image
LINE_BYTES = 300                          # of such an image on the serial line, packets and acknowledgements included
WAYS = ("one_unit_per_neuron", "folded")


def boards(json: options.JsonOption = None) -> None:
    """List the boards: chip, clock, serial line, and the largest 784-H-10 with on-chip learning that fits."""
    from boards import fit, platforms
    console.check_writable(json)
    capacities: dict[tuple[Any, ...], dict[str, Any]] = {}
    listed = []
    for platform in platforms.PLATFORMS.values():
        chip = (platform.target, platform.clock, *platform.device.has.values())
        if chip not in capacities:
            capacities[chip] = {way: capacity(fit.largest(platform, folded=way == "folded"), platform.clock) for way in WAYS}
        listed.append(described(platform) | {way: fed(found, platform.baud) for way, found in capacities[chip].items()})
    console.write_json(json, {"nonzero": NONZERO, "boards": listed})

    screen = console.out(json)
    table = console.table("The largest 784-H-10 that a board takes and that learns there",
                          left=("--board", "chip"), right=("MHz", "MBd", *2 * ("H", "us", "us\nlearnt")))
    for column in table.columns[:2]:
        column.no_wrap = True
    table.caption = (f"H first with a processing unit for each neuron, then folded, on as few as it takes; us of an image "
                     f"with {NONZERO} pixels that are not 0; all by estimate, host link included")
    table.caption_justify = "left"
    for entry in listed:
        cells = [cell for way in WAYS for cell in _shown(entry[way])]
        table.add_row(entry["name"], entry["device"], f"{entry['MHz']:g}", f"{entry['baud'] / 1e6:g}", *cells)
    screen.print(table, "", sep="\n")
    for entry in listed:
        note = f"; {entry['note']}" if entry["note"] else ""
        screen.print(f"{entry['name']}: {entry['title']}, weights in {entry['memories']}, serial line: {entry['serial']}, for "
                     f"about {entry['line_images_per_second']:,.0f} images a second{note}", soft_wrap=True)


def _shown(found: dict[str, Any] | None) -> tuple[str, str, str]:
    if found is None:
        return "none", "", ""
    times = (found["us"][name] for name in ("inferred", "learnt"))
    inferred, learnt = (f"{each:,.1f}" if each < 1000 else f"{each:,.0f}" for each in times)
    return str(found["layers"][1]), inferred, learnt


def described(platform: Platform) -> dict[str, Any]:
    """A board's declaration as plain data."""
    device = platform.device
    return {"name": platform.name, "title": platform.title, "device": device.name, "target": platform.target,
            "package": platform.package, "has": dict(device.has), "memories": platform.memories,
            "reference_MHz": platform.reference, "MHz": platform.clock, "baud": platform.baud, "divisor": platform.divisor(),
            "line_images_per_second": line_images_per_second(platform.baud), "serial": platform.serial, "note": platform.note,
            "pins": {port: pin.site for port, pin in platform.pins.items()},
            "programmers": [programmer.name for programmer in platform.programmers]}


def capacity(design: Design | None, rate: float) -> dict[str, Any] | None:
    """Layers, units and time per image of a design at ``rate`` MHz, as plain data."""
    from hdl import estimate
    if design is None:
        return None
    clocks = asdict(estimate.clocks(design, NONZERO))
    return {"layers": list(design.network.layers), "units": list(design.units), "clocks": clocks,
            "us": {name: None if count is None else count / rate for name, count in clocks.items()}}


def line_images_per_second(baud: int) -> float:
    """Images of MNIST that a serial line carries, however fast the core is."""
    from boards.uart import BITS
    return baud / BITS / LINE_BYTES


def fed(found: dict[str, Any] | None, baud: int) -> dict[str, Any] | None:
    """A ``capacity`` with the images a second of a core that gets them over a serial line: those of the slower of both."""
    if found is None:
        return None
    line = line_images_per_second(baud)
    return found | {"images_per_second": {name: None if us is None else min(1e6 / us, line)
                                          for name, us in found["us"].items() if name in ("inferred", "learnt")}}
