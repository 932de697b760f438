"""``wuxing ranges``: what every signal of a model reached, what it could ever reach, and formats that would do."""
from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from golden_model import datasets, model_file
from golden_model.atomic_write import write_atomically
from golden_model.errors import InputError
from golden_model.ranges import Ranges, proposed_formats
from wuxing import configuration as options
from wuxing import console
from wuxing.evaluate import ModelArgument, converted, trained_on

KINDS = {".svg": "svg", ".png": "png"}


def ranges(model: ModelArgument,
           dataset: Annotated[str | None, typer.Option("--dataset", help="mnist, digits, or a folder of four IDX files; by "
                                                                        "default the one it was trained on.")] = None,
           images: Annotated[int, typer.Option("--images", help="Test images to infer, from the first.")] = 1000,
           learn: Annotated[int, typer.Option("--learn", help="Training images to learn, from the first; what is learnt "
                                                              "is dropped.")] = 200,
           spare: Annotated[int, typer.Option("--spare", help="Bits to propose beyond those that were seen.")] = 0,
           json: options.JsonOption = None,
           plot: Annotated[Path | None, typer.Option("--plot", help="Write a figure to this file, .svg or .png.")] = None,
           quiet: options.QuietOption = False) -> None:
    """Show least, greatest and saturation of every signal, worst cases of all sums, and propose formats."""
    console.check_writable(json, plot)
    if plot is not None and plot.suffix.lower() not in KINDS:
        raise InputError(f"--plot must be a file that ends in .svg or .png, not {plot}")
    for name, count in (("--images", images), ("--learn", learn)):
        if count < 0:
            raise InputError(f"{name} must be 0 or more images, not {count}")
    loaded = model_file.load(model)
    network = loaded.network
    data = options.load_dataset(dataset or trained_on(loaded))
    datasets.check_fits(data, network)
    parameters = converted(loaded, "fixed")
    if loaded.arithmetic == "float" and not quiet:
        console.err().print("a float model: its parameters were rounded to the formats of its network", soft_wrap=True)
    found = Ranges(network)
    found.infer(parameters, data.test_images[:images])
    found.learn(parameters, data.train_images[:learn], data.train_labels[:learn])
    proposal = proposed_formats(found, spare)
    console.write_json(json, {"model": str(model), "digest": network.digest, "model_arithmetic": loaded.arithmetic,
                              "dataset": data.name, "dataset_sha256": data.sha256, "spare": spare, **found.to_dict(spare)})
    if plot is not None:
        from wuxing.plots import ranges_plot
        write_atomically(plot, ranges_plot(found, KINDS[plot.suffix.lower()]))
    screen = console.out(json)
    screen.print(_signals(found))
    screen.print(_sums(found))
    table = Table(title=f"Formats: the least that hold what was seen{f' and {spare} bits more' if spare else ''}")
    for heading in ("words", "now", "proposed"):
        table.add_column(heading)
    for entry in fields(proposal):
        table.add_row(entry.name, *("exact" if (word := getattr(formats, entry.name)) is None else str(word)
                                    for formats in (network.formats, proposal)))
    screen.print(table)


def _signals(found: Ranges) -> Table:
    bounds = found.worst_case()
    table = Table(title=f"Signals of {found.inferred:,} images inferred and {found.learnt:,} learnt")
    for heading in ("signal", "format", "least", "greatest", "as reals", "at an end %", "bits", "worst case"):
        table.add_column(heading, justify="left" if heading in ("signal", "format") else "right", no_wrap=heading == "signal")
    for signal in found.signals.values():
        bound: Any = bounds.get(signal.name)
        at_ends = signal.at_ends
        table.add_row(console.shown(signal.name), "sum" if signal.format is None else str(signal.format), str(signal.least),
                      str(signal.greatest), f"{signal.real(signal.least):.4g} .. {signal.real(signal.greatest):.4g}",
                      "" if at_ends is None else f"{100 * at_ends:.3g}", str(signal.bits),
                      "" if bound is None else str(bound.bits))
    return table


def _sums(found: Ranges) -> Table:
    table = Table(title="Exact sums: the bits with which none can ever overflow, whatever images and parameters")
    for heading in ("sum", "bits", "of"):
        table.add_column(heading, justify="right" if heading == "bits" else "left")
    for bound in found.worst_case().values():
        table.add_row(console.shown(bound.name), str(bound.bits), bound.sum)
    return table
