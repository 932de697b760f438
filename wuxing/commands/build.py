"""``wuxing build``: a bitstream for a board, made by open tools only, and a report of it."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import RenderableType

from golden_model.errors import InternalError
from golden_model.parameters import Parameters
from golden_model.storage.atomic_write import write_atomically
from wuxing import designs, options
from wuxing.designs import Circuit
from wuxing.reports import build_page, console

if TYPE_CHECKING:
    from boards.build import Verified, Verify
    from boards.report import BuildReport
    from hdl.design import Design

LEARN = 10                                # images that the co-simulation learns by default
USUAL_SHARE = 0.19                        # of the pixels of an MNIST image are not 0
SEED = 0                                  # draws the images of the co-simulation


def build(model: designs.NetworkArgument, circuit: Circuit,
          output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", show_default=False,
                                               help="The folder of bitstream, reports and all that is made on the way.")],
          board: designs.BoardOption = None,
          seeds: Annotated[int | None, typer.Option("--seeds", help="Place and route with up to so many seeds, until one meets "
                                                                    "the clock; by default four.")] = None,
          router: Annotated[str, typer.Option("--router", help="Of nextpnr: router1, or router2, which takes less time "
                                                               "where it gets to an end.")] = "router1",
          clock: Annotated[float | None, typer.Option("--clock", help="MHz of the core; by default the board's.")] = None,
          baud: Annotated[int | None, typer.Option("--baud", help="Bits a second of the serial line; by default the board's.")
                          ] = None,
          images: Annotated[int, typer.Option("--images", min=1, help="Random images that the co-simulation infers.")] = 20,
          learn: Annotated[int | None, typer.Option("--learn", min=0, help="Random images that it learns after that; by "
                                                    f"default {LEARN}, if the core can learn.")] = None,
          program: Annotated[bool, typer.Option("--program", help="Load the bitstream onto the board.")] = False,
          json: options.JsonOption = None, quiet: options.QuietOption = False) -> None:
    """Build a bitstream: does it fit, does its Verilog equal the golden model, synthesis, place and route, clock, packing."""
    import boards.build
    from boards import programming, report
    console.check_writable(json)
    designs.check_learn(learn, circuit.learns)
    lessons = (LEARN if circuit.learns else 0) if learn is None else learn
    source = designs.read(model, quiet)
    platform = designs.platform_of(board, source.record)
    design = designs.for_board(platform, source, circuit)

    def on_step(step: str) -> None:
        if not quiet:
            watch = f"; {console.literal(output / boards.build.LOGS[step])} grows" if step in boards.build.LOGS else ""
            console.err().print(f"{boards.build.STEPS.index(step) + 1} of {len(boards.build.STEPS)}: {step}{watch}",
                                soft_wrap=True)
    built = boards.build.build(platform, design, source.values, output, clock=clock, baud=baud,
                                seeds=boards.build.SEEDS if seeds is None else seeds, router=router,
                                encoding=source.manifest_encoding, on_step=on_step,
                                verify=verification(design, source.values, images, lessons))
    result = report.report(built)
    write_atomically(output / boards.build.PAGE, build_page.page(result))
    write_atomically(output / boards.build.REPORT, console.json_text(result))
    console.write_json(json, result)
    console.out(json).print(*_summary(output, result), sep="\n", soft_wrap=True)
    if program:
        programming.program(platform, built.bitstream)
        console.out(json).print(f"{built.bitstream} is on the {platform.title}", soft_wrap=True)


def verification(design: Design, values: Parameters, images: int, learn: int) -> Verify:
    """A function of the core's folder: runs its Verilog beside the golden model, on random images.

    It raises ``InternalError`` at the first difference, and if the core does not begin with the parameters that it was given.
    """
    def verify(folder: Path) -> Verified:
        from boards.build import Verified
        from hdl import emit
        from sim.cosim import cosim
        from sim.rtl_model import RtlModel
        text = "\n".join((folder / name).read_text("utf-8") for name in (emit.VERILOG, *emit.cells(design)))
        files = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.hex"))}
        begun = RtlModel(design.network, text, emit.TOP, files).parameters
        for index, (start, layer) in enumerate(zip(values, begun, strict=True)):
            if not (np.array_equal(start.weights, layer.weights) and np.array_equal(start.bias, layer.bias)):
                raise InternalError(f"layer {index} of the core must begin with the parameters that it was given, but does not")
        random = np.random.default_rng(SEED)
        shape = images + learn, design.network.layers[0]
        draws = (random.integers(1, 256, shape) * (random.random(shape) < USUAL_SHARE)).astype(np.uint8)
        labels = random.integers(0, design.network.layers[-1], learn)
        run = cosim(design, values, draws[:images], draws[images:], labels, states=0, verilog=text, files=files)
        if run.first is not None:
            raise InternalError(f"the core must equal the golden model, but: {run.first.sentence}")
        return Verified(images=run.images, learnt=run.learnt, nonzero_share=USUAL_SHARE, words_compared=run.words_compared,
                        mismatches=run.mismatches, cycles_per_image=run.cycles_per_image,
                        cycles_per_learnt_image=run.cycles_per_learnt_image, simulator=run.versions.get("Verilator"))
    return verify


def _summary(folder: Path, report: BuildReport) -> list[RenderableType]:
    clock, design = report.clock, report.design
    does = "learns" if design.learns else "infers"
    sizes, units = "-".join(map(str, report.network.layers)), ", ".join(map(str, design.units))
    bitstream = console.literal(folder / report.bitstream)
    use = console.table("Use of the device", left=("",), right=("used", "there", "%"))
    for part, each in report.use.items():
        use.add_row(build_page.PARTS[part], f"{each.used:,}", f"{each.there:,}", f"{100 * each.share:.0f}")
    images = console.table(build_page.IMAGES, left=("",), right=("clocks", "us", "images/s", "uJ (estimate)"))
    for name, cost in report.images.items():
        images.add_row(build_page.KINDS[name], f"{cost.clocks:,.0f}", f"{cost.us:,.2f}", f"{cost.images_per_second:,.0f}",
                       f"{cost.estimated_uJ:,.2g}")
    return [f"[bold]{bitstream}[/bold]: {sizes} that {does} on {units} units, for {report.title}",
            f"clock {clock.MHz:g} MHz, reached {clock.reached_MHz:.1f} MHz (seed {report.seed})", "", use, "", images]
