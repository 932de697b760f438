"""``wuxing estimate``: clocks, memory, multipliers and cells of a core, without simulating or synthesising it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from golden_model.errors import InputError
from wuxing import designs, options
from wuxing.designs import Choices, Circuit
from wuxing.reports import console

if TYPE_CHECKING:
    from hdl.cells import Cells
    from hdl.estimate import Clocks, Memory

USUAL_SHARE = 0.19                        # of the pixels of an MNIST image are not 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``MHz``: at which clocks are told as time. ``nonzero``: inputs of an image that are not 0.
    ``device_has``: of ``device``, by the names of ``cells``."""

    model: Path
    digest: str
    units: Sequence[int]
    kind: str
    target: str
    learns: bool
    MHz: float
    nonzero: int
    clocks: Clocks
    memory_bits: Memory
    cells: Cells
    device: str
    device_has: Mapping[str, int]


def estimate(model: designs.NetworkArgument, circuit: Circuit,
             target: Annotated[str, typer.Option("--target", help="The FPGA: ecp5 or ice40.")] = "ecp5",
             clock: Annotated[float | None, typer.Option("--clock", help="MHz; by default 100 for ecp5, 24 for ice40.")] = None,
             nonzero: Annotated[int | None, typer.Option("--nonzero", help="Inputs of an image that are not 0; by default "
                                                         "19 %, as in MNIST.")] = None,
             json: options.JsonOption = None) -> None:
    """Estimate what a core costs: clocks per image (exact), memory, multipliers, cells of the FPGA (within 15 %)."""
    import hdl.estimate
    from hdl.cells import core_cells
    from hdl.devices import LARGEST
    console.check_writable(json)
    source = designs.read(model, quiet=True)              # parameters cost the same, rounded or not
    network = source.network
    design = designs.core(source, Choices(**asdict(circuit), target=target))
    cells, memory = core_cells(design), hdl.estimate.memory(design)
    MHz = hdl.estimate.CLOCKS[target] if clock is None else clock
    if not 0 < MHz < 1000:
        raise InputError(f"--clock must be above 0 and below 1000 MHz, not {MHz:g}")
    inputs = round(USUAL_SHARE * network.layers[0]) if nonzero is None else nonzero
    clocks = hdl.estimate.clocks(design, inputs)
    device, largest = LARGEST[target]
    limits = {part: largest.has[part] for part in asdict(cells)}
    console.write_json(json, Result(
        model=model, digest=network.digest, units=design.units, kind=design.kind, target=target, learns=design.learns, MHz=MHz,
        nonzero=inputs, clocks=clocks, memory_bits=memory, cells=cells, device=device, device_has=limits))

    screen = console.out(json)
    does = "infers and learns" if design.learns else "infers"
    screen.print(f"[bold]{console.literal(model)}[/bold]: {'-'.join(map(str, network.layers))} that {does}, {design.kind}, on "
                 f"{cells.multipliers} units ({', '.join(map(str, design.units))} of a layer)", soft_wrap=True)
    table = console.table(f"Per image with {inputs} nonzero inputs, images without pause, at {MHz:g} MHz",
                          right=("clocks", "us", "images per s"), left=("",))
    for name, count in (("inferred", clocks.inferred), ("learnt, with an error", clocks.learnt),
                        ("learnt, without", clocks.learnt_without_error)):
        if count is not None:
            table.add_row(name, f"{count:,.1f}".removesuffix(".0"), f"{count / MHz:.2f}", f"{1e6 * MHz / count:,.0f}")
    table.add_row("first word to reply", f"{clocks.latency:,}", f"{clocks.latency / MHz:.2f}", "")
    screen.print("", table, "", sep="\n")

    table = console.table(f"Parts, as {device} has them", left=("",), right=("estimate", "device", "%"))
    names = {"cells": "logic cells", "flip_flops": "flip-flops", "multipliers": "multipliers", "block_rams": "block RAMs"}
    for name, count in asdict(cells).items():
        table.add_row(names[name], f"{count:,}", f"{limits[name]:,}", f"{100 * count / limits[name]:.0f}")
    screen.print(table, "", sep="\n")
    screen.print(f"{cells.cells / cells.multipliers:.0f} logic cells a unit, all counted; memory: weights "
                 f"{memory.weights:,} bits, lists {memory.lists:,}, queues {memory.queues:,}", soft_wrap=True)
    too_much = [names[name] for name, count in asdict(cells).items() if count > limits[name]]
    if too_much:
        screen.print(f"does not fit {device}: too many {' and '.join(too_much)}; choose fewer --units or a smaller network",
                     soft_wrap=True)
