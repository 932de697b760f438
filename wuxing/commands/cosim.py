"""``wuxing cosim``: a model's hardware against the golden model, every word. Exit code 1 if any differs."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from golden_model.data import datasets
from wuxing import designs, exit_codes, options, training_data
from wuxing.designs import Choices
from wuxing.reports import console
from wuxing.reports.progress import images_bar
from wuxing.reports.sheet import Sheet

if TYPE_CHECKING:
    from sim.cosim import Report

IMAGES, LEARN = 100, 20                   # by default, if the data set has so many

ImagesOption = Annotated[int | None, typer.Option("--images", min=0, help="Test images to infer, drawn at random; by default "
                                                                          f"at most {IMAGES}.")]
LearnOption = Annotated[int | None, typer.Option("--learn", min=0, help="Training images to learn after that, an equal share "
                                                 f"at each rate of the rate schedule; by default at most {LEARN}.")]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Options that say how a core is simulated and what is looked at; see ``wuxing.option_groups``."""

    engine: Annotated[str, typer.Option("--engine", help="compiled, or cocotb: slower, with other drivers.")] = "compiled"
    simulator: Annotated[str, typer.Option("--simulator", help="verilator, or icarus with the engine cocotb.")] = "verilator"
    states: Annotated[int, typer.Option("--states", min=0, help="Of so many images of each kind, compare the state of every "
                                        "neuron after every step (not with cocotb).")] = 4
    pauses: Annotated[float, typer.Option("--pauses", min=0, max=0.9, help="Share of clocks in which sender and receiver make "
                                          "the core wait.")] = 0
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the images and the pauses.")] = 0
    trace: Annotated[Path | None, typer.Option("--trace", help="Write an FST trace to this file: of the images around a "
                                               "mismatch, else of a few. Without it a mismatch goes to MODEL.fst.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes."""

    model: Path
    dataset: str
    dataset_sha256: str
    report: Report = field(metadata=console.FLAT)


def cosim(model: options.ModelArgument, choices: Choices, simulation: Simulation, images: ImagesOption = None,
          learn: LearnOption = None, dataset: training_data.DatasetOption = None, json: options.JsonOption = None,
          quiet: options.QuietOption = False) -> None:
    """Run images through a model's Verilog and compare every word with the golden model; exit code 1 if any differs."""
    import sim.cosim
    console.check_writable(json, simulation.trace)
    designs.check_learn(learn, choices.learns)
    source = designs.read_model(model, quiet)
    design = designs.core(source, choices)
    data = training_data.load(dataset, source.record, source.encoding, quiet)
    datasets.check_fits(data, source.network)
    random = np.random.default_rng(simulation.seed)
    test_indices = options.drawn(random, images, IMAGES, len(data.test_labels), "--images", "test")
    lessons = options.drawn(random, learn, LEARN if choices.learns else 0, len(data.train_labels), "--learn", "training")
    with images_bar(quiet) as on_progress:
        report = sim.cosim.cosim(design, source.values, data.test_images[test_indices], data.train_images[lessons],
                                 data.train_labels[lessons],
                         states=simulation.states, engine=simulation.engine, simulator=simulation.simulator,
                         idle=simulation.pauses, stall=simulation.pauses, seed=simulation.seed, trace=simulation.trace,
                         keep=model.with_suffix(".fst"), on_progress=on_progress)
    console.write_json(json, Result(model=model, dataset=data.name, dataset_sha256=data.sha256, report=report))
    console.out(json).print(_summary(report))
    if report.first is not None:
        kept = f"a trace is in {report.trace}" if report.trace else f"there is no trace: {report.trace_problem}"
        console.err().print(console.literal(f"the first difference: {report.first.sentence}; {kept}"), soft_wrap=True)
        raise typer.Exit(exit_codes.DIFFERS)


def _summary(report: Report) -> Sheet:
    def cycles(number: float | None) -> str:
        return "" if number is None else f"{number:,.1f}"
    verdict = "equal" if not report.mismatches else f"{report.mismatches:,} words differ"
    table = console.table(f"{verdict}: {report.words_compared:,} words compared, {report.states_compared:,} of them states of "
                          f"neurons", left=("",), right=("images", "cycles per image"))
    table.add_row("inferred", f"{report.images:,}", cycles(report.cycles_per_image))
    table.add_row("learnt", f"{report.learnt:,}", cycles(report.cycles_per_learnt_image))
    speed = "" if report.images_per_second is None else f", {report.images_per_second:,.0f} images/s"
    units = ", ".join(map(str, report.units))
    tools = ", ".join(f"{name} {version}" for name, version in report.versions.items() if name not in ("python", "numpy"))
    table.caption = f"{report.engine}{speed}; processing units: {units}; {tools}"
    table.caption_justify = "left"
    return table
