"""Groups of options: a command that takes a dataclass has its fields as options, with their defaults, and gets it whole."""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from wuxing import designs, options
from wuxing.commands import build, compare, cosim, estimate, experiment, run, sweep, train, verilog
from wuxing.option_groups import flattened


@dataclass(frozen=True, kw_only=True)
class Place:
    town: Annotated[str, typer.Option("--town", help="Where.")] = "Ulm"
    sunny: Annotated[bool, typer.Option("--sunny/--rainy", help="Weather.")] = True


@dataclass(frozen=True, kw_only=True)
class Stay(Place):
    days: Annotated[int, typer.Option("--days", min=1, help="How long.")] = 3


def outcome(*arguments):
    calls = []

    def visit(who: str, stay: Stay, quiet: bool = False) -> None:
        calls.append((who, stay, quiet))
    app = typer.Typer()
    visit.__annotations__ = {"who": Annotated[str, typer.Argument()], "stay": Stay,
                             "quiet": Annotated[bool, typer.Option("--quiet")], "return": None}
    app.command()(flattened(visit))
    result = CliRunner().invoke(app, list(arguments))
    return result, calls


@pytest.mark.parametrize(("arguments", "stay", "quiet"), [
    ([], Stay(), False), (["--rainy", "--days", "5", "--quiet"], Stay(sunny=False, days=5), True),
    (["--town", "Bern"], Stay(town="Bern"), False)])
def test_a_command_gets_the_group_that_was_asked_for(arguments, stay, quiet):
    result, calls = outcome("Ada", *arguments)
    assert (result.exit_code, calls) == (0, [("Ada", stay, quiet)])


def test_help_and_limits_are_those_of_the_fields():
    result, calls = outcome("--help")
    for word in ("--town", "Ulm", "--sunny", "--rainy", "--days", "How long."):
        assert word in result.output
    result, _ = outcome("Ada", "--days", "0")
    assert (result.exit_code, calls) == (2, [])


@pytest.mark.parametrize(("command", "groups"), [
    (train.train, [options.Settings]), (compare.compare, [options.Settings]), (experiment.experiment, [options.Runners]),
    (sweep.sweep, [options.Runners]), (verilog.verilog, [designs.Choices]), (cosim.cosim, [designs.Choices, cosim.Simulation]),
    (estimate.estimate, [designs.Circuit]), (build.build, [designs.Circuit]), (run.run, [designs.Units])])
def test_no_option_of_a_group_is_declared_again_by_a_command(command, groups):
    """Two declarations of one option can come to differ."""
    own = set(command.__annotations__)
    assert not own & {field.name for group in groups for field in fields(group)}
    assert len(flattened(command).__annotations__) == len(own) - 1 - len(groups) + sum(len(fields(group)) for group in groups)
