"""``wuxing compare``: float and fixed from the same start on the same images, beside what simpler learners reach."""
from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from golden_model.data.datasets import Dataset
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.versions import versions
from wuxing import comparison, interruption, options
from wuxing.comparison import Comparison, Details, Result
from wuxing.options import Settings
from wuxing.reports import console
from wuxing.reports.progress import TrainingProgress

CONTESTANTS = {"float": "float", "quantised": "float, quantised afterwards", "fixed": "fixed: learnt in integers",
               "last_layer_only": "last layer alone, float", "logistic": "logistic regression"}


def compare(settings: Settings,
            seeds: Annotated[int, typer.Option("--seeds", help="Number of runs, with seeds from --seed upwards; their "
                                                         "means are shown.")] = 1,
            folds: Annotated[int | None, typer.Option("--folds", help=(
                "Cross-validation: cut the samples into so many folds by the rule of --split, test on each in turn, and show "
                "means."))] = None,
            json: options.JsonOption = None,
            report: Annotated[Path | None, typer.Option("--report", help="Write an HTML page to this folder.")] = None,
            quiet: options.QuietOption = False) -> None:
    """Train in float and in fixed from the same start, and compare them with each other and with two baselines."""
    if not 1 <= seeds <= 1000:
        raise InputError(f"--seeds must be 1 to 1000, not {seeds}")
    console.check_writable(json)
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"--report must be a folder, but {report} is a file; choose another name")
    parts = iter([settings.data(settings.seed or 0)]) if folds is None else settings.folds(folds)
    with interruption.keeping():
        with TrainingProgress(quiet) as progress:
            runs, complete = _runs(settings, parts, folds, seeds, progress)
        details, network = runs.details, runs.details.network
        result = Result(summary=comparison.summary(runs.comparisons), dataset=details.data.name,
                        dataset_sha256=details.data.sha256, classes_without_images=details.data.untaught(network.layers[-1]),
                        train_images=len(details.data.train_labels), test_images=runs.test_images, folds=folds,
                        network=network, digest=network.digest, options=settings.images, board=settings.board,
                        versions=versions())
        console.write_json(json, result)
        if report is not None:
            from wuxing.reports.comparison_page import write_report
            write_report(report, result, details)
    _print(result, details.data.called, json, report)
    if not complete:
        done = len(runs.comparisons)
        what = f"{done} of {seeds} seeds" if folds is None else f"{done} runs, the other folds and seeds are missing"
        console.err().print(f"interrupted: this is of {what}", soft_wrap=True)
        raise typer.Exit(interruption.exit_code())


@dataclass(kw_only=True)
class Runs:
    """Those that are complete; what the report shows of the first; the test images of all folds."""

    comparisons: list[Comparison]
    details: Details
    test_images: int


def _runs(settings: Settings, parts: Iterator[Dataset], folds: int | None, seeds: int,
          progress: TrainingProgress) -> tuple[Runs, bool]:
    """The runs of all folds with all seeds, or when interrupted of those that are complete; and whether that is all.

    Raises
    ------
    KeyboardInterrupt
        If none is complete.
    """
    runs: Runs | None = None
    command = shlex.join(["wuxing", *sys.argv[1:]])
    try:
        for place, data in enumerate(parts):
            network = settings.network(data)
            network.check_fixed()
            progress.say_data(data, network.layers[-1])
            logistic = comparison.LogisticRegression(data, progress)
            for number in range(seeds):
                seeded = Network.from_dict(network.to_dict() | {"seed": network.seed + number})
                run, details = comparison.compare_once(seeded, data, settings.images, logistic, command, progress)
                run = run if folds is None else replace(run, fold=place + 1)
                if runs is None:
                    runs = Runs(comparisons=[], details=details, test_images=0)
                runs.comparisons.append(run)
                runs.test_images += len(data.test_labels) if number == 0 else 0
        interruption.hold()
    except KeyboardInterrupt:
        if runs is None:
            raise
        return runs, False
    assert runs is not None                                   # there is a fold
    return runs, True


def _print(result: Result, called: str, json: Path | None, report: Path | None) -> None:
    screen = console.out(json)
    summary, first = result.summary, result.summary.first
    several = summary.seeds > 1 or result.folds is not None
    seeds = f"{summary.seeds} seeds" if summary.seeds > 1 else f"seed {first.seed}"
    means = f"means of {seeds}" if summary.seeds > 1 else seeds
    if result.folds is not None:
        means = f"means of {len(summary.runs)} runs, each fold tested on in turn, {seeds}"
    table = console.table(f"{'-'.join(map(str, result.network.layers))} on {console.literal(result.dataset)}: "
                          f"{result.test_images:,} test {called}, {means}",
                          left=("",), right=("accuracy %", "learnt/s", "inferred/s"))
    for name, title in CONTESTANTS.items():
        speed = first.images_per_second.get(name)
        spread = f" ± {summary.spread[f'{name}_accuracy']:.2f}" if several else ""
        title += "" if name != "logistic" or first.logistic_converged else f", {comparison.LOGISTIC_ITERATIONS} iterations"
        table.add_row(title, f"{first.accuracies.of(name):.2f}{spread}",
                      *([f"{speed.learning:,.0f}", f"{speed.inference:,.0f}"] if speed else ["", ""]))
    screen.print(table)
    test = first.mcnemar["float_fixed"]
    screen.print(f"gap of fixed to float: {first.gap_points:.2f} points, of quantised to float: "
                 f"{first.quantised_gap_points:.2f} points; float and fixed agree on {first.agreement:.2f} %",
                 soft_wrap=True)
    which = f"McNemar, {'' if first.fold is None else f'fold {first.fold}, '}seed {first.seed}" if several else "McNemar"
    screen.print(f"{which}: only float right {test.only_right('float')}, only fixed right {test.only_right('fixed')}, "
                 f"p = {test.p_value:.3f}", soft_wrap=True)
    if report is not None:
        screen.print(f"report in {console.literal(report)}", soft_wrap=True)
