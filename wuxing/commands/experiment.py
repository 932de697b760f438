"""``wuxing experiment``: single runs, kept and never repeated; tables, pictures and claims from them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from golden_model.errors import InputError, ToolError
from golden_model.versions import versions
from wuxing import exit_codes, options
from wuxing.experiments import description
from wuxing.experiments.description import Description
from wuxing.experiments.report import PAGE, write_page
from wuxing.experiments.summary import Claim, Plain, Run, Summary, Table
from wuxing.options import Runners
from wuxing.reports import console
from wuxing.reports.progress import run_tasks
from wuxing.tasks import Task

REPORT = Path("build/report")             # where --all writes, unless --report names a folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A claim that was judged."""

    sentence: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """A run, and the name of its task in the store."""

    task: str
    run: Run = field(metadata=console.FLAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An experiment. ``settings`` and ``values``: plain JSON, as its module has them."""

    experiment: str
    quick: bool
    settings: Plain
    values: Plain
    claims: Sequence[Verdict]
    tables: Sequence[Table]
    runs: Sequence[TaskRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What ``--json`` writes."""

    experiments: Sequence[Result]
    versions: Mapping[str, str]


def experiment(runners: Runners,
               name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="An experiment, or the path of a TOML file.",
                                                          show_default=False)] = None,
               every: Annotated[bool, typer.Option("--all", help=f"All experiments; report in {REPORT}.")] = False,
               quick: Annotated[bool, typer.Option("--quick", help="Small settings; exit code 1 if a claim fails.")] = False,
               json: options.JsonOption = None,
               report: Annotated[Path | None, typer.Option("--report", help="Write page and pictures to this folder.")] = None,
               quiet: options.QuietOption = False) -> None:
    """Run an experiment, or what of it was not run before, and show what it says."""
    if (name is None) != every:
        raise InputError(f"an experiment must be named, or --all given, but not both; "
                         f"known are: {', '.join(description.names())}")
    console.check_writable(json)
    descriptions = [description.load(each, quick) for each in (description.names() if every or name is None else [name])]
    if every and report is None and not quick:
        report = REPORT
    results, failed = [], []
    failures: list[InputError | ToolError] = []
    screen = console.out(json)
    for described in descriptions:
        try:
            runs, names = collect(described, runners, quiet)
        except (InputError, ToolError) as error:
            if not every:
                raise
            failures.append(type(error)(f"{described.experiment}: {error}"))      # the others can still be run
            continue
        summary = described.module.summarise(runs)
        claims = [claim for claim in described.module.check(summary.values) if not (quick and claim.full_only)]
        failed += [claim for claim in claims if not claim.holds]
        results.append(_result(described, runs, names, summary, claims))
        if report is not None:
            write_page(report, described, summary, claims, len(runs))
        _print(screen, described, summary, claims)
    console.write_json(json, Results(experiments=results, versions=versions()))
    if report is not None:
        screen.print(f"report in {console.literal(report / PAGE)}", soft_wrap=True)
    if failures:
        raise type(failures[0])("; ".join(map(str, failures)))
    if quick and failed:
        raise typer.Exit(exit_codes.CLAIM_FAILS)


def collect(described: Description, runners: Runners, quiet: bool) -> tuple[list[Run], list[str]]:
    """All runs of an experiment in the order of its tasks, and the names of the tasks."""
    module = described.module
    tasks = [Task(described.module_name, module.VERSION, setting) for setting in module.tasks(described.settings)]
    records = run_tasks(described.experiment, tasks, runners, quiet)
    return ([Run(task.setting, record.result) for task, record in zip(tasks, records, strict=True)],
            [task.name for task in tasks])


def _result(described: Description, runs: list[Run], names: list[str], summary: Summary, claims: list[Claim]) -> Result:
    return Result(experiment=described.experiment, quick=described.quick, settings=described.settings, values=summary.values,
                  claims=[Verdict(sentence=claim.sentence, holds=claim.holds) for claim in claims], tables=summary.tables,
                  runs=[TaskRun(task=name, run=run) for name, run in zip(names, runs, strict=True)])


def _print(screen: Console, described: Description, summary: Summary, claims: list[Claim]) -> None:
    screen.print(f"[bold]{described.number}. {console.literal(described.title)}[/bold]: "
                 f"{console.literal(described.question)}\n",
                 soft_wrap=True)
    for table in summary.tables:
        sheet = console.table(console.literal(table.title), left=table.columns[:1], right=table.columns[1:])
        sheet.min_width = None                                # a long title is broken, it does not stretch the table
        for row in table.rows:
            sheet.add_row(*map(console.literal, row))
        screen.print(sheet, "", sep="\n")
    for claim in claims:
        verdict = "holds" if claim.holds else "[bold]does not hold[/bold]"
        screen.print(f"{verdict}: {console.literal(claim.sentence)}", soft_wrap=True)
    screen.print("")
