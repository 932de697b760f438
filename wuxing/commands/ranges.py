"""``wuxing ranges``: what every signal of a model reached, what it could ever reach, and formats that would do."""
from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import typer

from golden_model.data import datasets
from golden_model.errors import InputError
from golden_model.ranges import Ranges, RangesReport, proposed_formats
from golden_model.storage.atomic_write import write_atomically
from wuxing import designs, options, training_data
from wuxing.reports import console
from wuxing.reports.sheet import Sheet

IMAGES, LEARN = 1000, 200                 # by default, if the data set has so many
KINDS = {".svg": "svg", ".png": "png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``spare``: bits proposed beyond those that were seen."""

    model: Path
    digest: str
    model_arithmetic: str
    dataset: str
    dataset_sha256: str
    spare: int
    extremes: RangesReport = field(metadata=console.FLAT)


def ranges(model: options.ModelArgument,
           dataset: training_data.DatasetOption = None,
           images: Annotated[int | None, typer.Option("--images", min=0, help="Test images to infer, from the first; by "
                                                      f"default at most {IMAGES}.")] = None,
           learn: Annotated[int | None, typer.Option("--learn", min=0, help="Training images to learn, from the first; what "
                                                     f"is learnt is dropped; by default at most {LEARN}.")] = None,
           spare: Annotated[int, typer.Option("--spare", help="Bits to propose beyond those that were seen.")] = 0,
           json: options.JsonOption = None,
           plot: Annotated[Path | None, typer.Option("--plot", help="Write a figure to this file, .svg or .png.")] = None,
           quiet: options.QuietOption = False) -> None:
    """Show least, greatest and saturation of every signal, worst cases of all sums, and propose formats."""
    console.check_writable(json, plot)
    if plot is not None and plot.suffix.lower() not in KINDS:
        raise InputError(f"--plot must be a file that ends in .svg or .png, not {plot}")
    source = designs.read_model(model, quiet)
    network, parameters = source.network, source.values
    data = training_data.load(dataset, source.record, source.encoding, quiet)
    datasets.check_fits(data, network)
    extremes = Ranges(network)
    test_count = options.count(images, IMAGES, len(data.test_labels), "--images", "test")
    lessons = options.count(learn, LEARN, len(data.train_labels), "--learn", "training")
    extremes.infer(parameters, data.test_images[:test_count])
    extremes.learn(parameters, data.train_images[:lessons], data.train_labels[:lessons])
    proposal = proposed_formats(extremes, spare)
    console.write_json(json, Result(model=model, digest=network.digest, model_arithmetic=source.arithmetic, dataset=data.name,
                                    dataset_sha256=data.sha256, spare=spare, extremes=extremes.report(spare)))
    if plot is not None:
        from wuxing.reports.plots import ranges_plot
        write_atomically(plot, ranges_plot(extremes, KINDS[plot.suffix.lower()]))
    screen = console.out(json)
    screen.print(_signals(extremes), "", _sums(extremes), "", sep="\n")
    table = console.table(f"Formats: the least that hold what was seen{f' and {spare} bits more' if spare else ''}",
                          left=("words", "now", "proposed"))
    for entry in fields(proposal):
        table.add_row(entry.name, *("exact" if (word := getattr(formats, entry.name)) is None else str(word)
                                    for formats in (network.formats, proposal)))
    screen.print(table)


def _signals(extremes: Ranges) -> Sheet:
    """Of K only what is trained: the rest stands in the network's description."""
    bounds = extremes.worst_case()
    table = console.table(f"Signals of {extremes.inferred:,} images inferred and {extremes.learnt:,} learnt, as reals",
                          left=("signal", "format"), right=("least", "greatest", "at an\nend %", "bits\nused", "worst\ncase"))
    for signal in extremes.signals.values():
        if signal.name.startswith(("K1[", "K2[", "K3[")) and not extremes.network.learning.trains_K:
            continue
        bound = bounds.get(signal.name)
        table.add_row(console.literal(signal.name), "sum" if signal.format is None else str(signal.format),
                      f"{signal.real(signal.least):.4g}", f"{signal.real(signal.greatest):.4g}", _share(signal.at_ends),
                      str(signal.bits), "" if bound is None else str(bound.bits))
    return table


def _share(at_ends: float | None) -> str:
    """Per cent, or nothing for a sum, which has no ends."""
    if at_ends is None:
        return ""
    return "<0.01" if 0 < at_ends < 1e-4 else f"{100 * at_ends:.2f}"


def _sums(extremes: Ranges) -> Sheet:
    table = console.table("Exact sums: the bits that are enough for any images and parameters", left=("sum",),
                          right=("bits",))
    table.add_column("of", overflow="fold")
    for bound in extremes.worst_case().values():
        table.add_row(console.literal(bound.name), str(bound.bits), bound.sum)
    return table
