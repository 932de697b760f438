"""The command line, ``wuxing``: train, eval, compare, ranges, info, verilog, cosim, estimate, boards, build, run, cache,
experiment, tune, sweep.

Errors are one sentence; what it ends with stands in ``wuxing.exit_codes``.
"""
from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module, metadata
from typing import Annotated, TextIO

import typer
from typer.core import TyperGroup
from typer.main import get_command

from golden_model.errors import InternalError, WuxingError
from golden_model.storage.cache import CacheWarning
from wuxing import exit_codes, interruption, streams
from wuxing.option_groups import flattened
from wuxing.reports import console

SUMMARY = "Networks of predator-prey neurons that learn locally: in float, and bit by bit as in hardware."
TRACEBACK = "WUXING_TRACEBACK"            # set: the traceback of a fault of this program goes to stderr, else into a file

app = typer.Typer(name="wuxing", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]})
# Each command: its function, called as its module in ``wuxing.commands``, and what --help says of it: in strings, because
# python -OO has no docstrings
COMMANDS = {
    "demo": ("demo",
        "Learn digits in float and in integers, become Verilog, compare every word, end on a simulated board."),
    "train": ("train",
        "Train a network and write a model file; if interrupted (Ctrl-C, SIGTERM, SIGHUP), with the last complete epoch."),
    "eval": ("evaluate", "Measure the accuracy of a model on test images."),
    "compare": ("compare",
        "Train in float and in fixed from the same start, and compare them with each other and with two baselines."),
    "ranges": ("ranges",
        "Show least, greatest and saturation of every signal, worst cases of all sums, and propose formats."),
    "info": ("info", "Show the description, sizes, memory, exact sums and training record of a model."),
    "verilog": ("verilog", "Write a core for a network: Verilog, contents of its memories, manifest, instance, frames."),
    "cosim": ("cosim",
        "Run images through a model's Verilog and compare every word with the golden model; exit code 1 if any differs."),
    "estimate": ("estimate",
        "Estimate what a core costs: clocks per image (exact), memory, multipliers, cells of the FPGA (within 15 %)."),
    "boards": ("boards",
        "List the boards: chip, clock, serial line, and the largest networks with on-chip learning that fit."),
    "build": ("build",
        "Build a bitstream: does it fit, does its Verilog equal the golden model, synthesis, place and route, clock, packing."),
    "run": ("run",
        "Run a model on a board: load it, classify, learn there, read it back, and compare every word with the golden model."),
    "cache": ("cache", "Show where compiled code is kept and how much there is; with --clear, remove it first."),
    "experiment": ("experiment", "Run an experiment, or what of it was not run before, and show what it says."),
    "tune": ("tune",
        "Choose settings for your data on held-out training samples, and write a configuration file for wuxing train."),
    "sweep": ("sweep",
        "Train every combination of a grid of settings; show accuracy on held-out samples, cost, and the Pareto front."),
}


def _not_loaded() -> None:
    """In the place of a command until it is asked for."""


for _name, (_, _sentence) in COMMANDS.items():
    app.command(_name, help=_sentence, short_help=_sentence)(_not_loaded)               # which is not cut


def load(names: Iterable[str]) -> None:
    """Import these commands; what only others need takes longer to import than many a command to run."""
    chosen = set(names)
    for info in app.registered_commands:
        if info.callback is _not_loaded and info.name is not None and info.name in chosen:
            info.callback = flattened(function(info.name))


def complete() -> TyperGroup:
    """All commands with all their options, as the documents and the tests look at them."""
    load(COMMANDS)
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def function(name: str) -> Callable[..., None]:
    """The function of a command."""
    place = COMMANDS[name][0]
    command: Callable[..., None] = getattr(import_module(f"wuxing.commands.{place}"), place)
    return command


# Options, by their names of before.
RENAMED = {"--elements": "--units", "--most-elements": "--most-units", "--rate": "--learning-rate"}


# What a number must be, by pydantic's names of what is wrong with it.
REFUSALS = {"int_parsing": "a whole number", "float_parsing": "a number",
            "greater_than_equal": "{ge:g} or more", "greater_than": "more than {gt:g}", "less_than_equal": "at most {le:g}",
            "less_than": "less than {lt:g}"}


def _version(value: bool) -> None:
    if value:
        typer.echo(f"wuxing {metadata.version('wuxing')}")
        raise typer.Exit


@app.callback(help=SUMMARY)
def wuxing(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                                 help="Show the version and exit.")] = False) -> None:
    """Networks of predator-prey neurons that learn locally: in float, and bit by bit as in hardware."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default the program's) and return its exit code. Errors are one sentence on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with warnings.catch_warnings(), streams.guarded() as (out, _), interruption.watched():
        warnings.showwarning = _shown_warning
        code = _ended(words or ["--help"])
        out.flush()                                           # a full disk behind stdout shows itself here
        if code or out.error is None:
            return code
        return exit_codes.UNREAD if isinstance(out.error, BrokenPipeError) else _fail(_unusable(out.error))


def _ended(arguments: list[str]) -> int:
    """The exit code of a command line, whatever ended it."""
    try:
        return _run(arguments)
    except InternalError as error:
        return _fault(str(error), error)
    except WuxingError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return _fail(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted: the result was not written", interruption.exit_code())
    except OSError as error:
        return _fail(_unusable(error))
    except MemoryError:
        return _fail("memory must hold the network and its data, but does not; choose fewer or smaller layers or less data")
    except Exception as error:
        text = "".join(traceback.format_exception_only(error)).strip()
        return _fault(str(InternalError(f"no input should end in an error of Python, but this did: {text}")), error)


def _run(arguments: list[str]) -> int:
    """The command line through Typer, but without Typer's own handling of Ctrl-C, closed pipes and errors."""
    load(arguments)
    command = get_command(app)
    try:
        with command.make_context("wuxing", arguments) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return exit_codes.DONE


def _usage(error: typer.TyperException) -> str:
    """One line from a usage error: which command, what is wrong, where the options are listed."""
    old = getattr(error, "option_name", None)
    if old in RENAMED:
        return f"{old} is called {RENAMED[old]} now; give {RENAMED[old]} in its place"
    if refusal := _refusal(error):
        return refusal
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "wuxing"
    return f"{command}: {error.format_message().rstrip('.')}; {command} --help lists what there is"


def _refusal(error: typer.TyperException) -> str | None:
    """What a number must be and what it is, from the error of pydantic that Typer makes its own of; None for other errors."""
    param, errors = getattr(error, "param", None), getattr(error.__cause__, "errors", None)
    if param is None or errors is None:
        return None
    [details, *_] = errors()
    if (must := REFUSALS.get(details["type"])) is None:
        return None
    name = max(param.opts, key=len) if param.opts[0].startswith("-") else param.human_readable_name
    value = repr(details["input"][:40]) if details["type"].endswith("parsing") else details["input"]
    return f"{name} must be {must.format(**details.get('ctx', {}))}, not {value}"


def _unusable(error: OSError) -> str:
    name = f"{error.filename}" if error.filename else "the output"
    return f"{name} must be readable and writable, but: {error.strerror or error}; mend it or choose another place"


def _fail(sentence: str, code: int = exit_codes.UNUSABLE) -> int:
    _say(sentence)
    return code


def _fault(sentence: str, error: Exception) -> int:
    """Say it, and keep what a report needs: a traceback, on stderr if the variable is set, else in a temporary file."""
    trace = "".join(traceback.format_exception(error))
    file = None if os.environ.get(TRACEBACK) else _kept(trace)
    if file is None:
        print(trace, file=sys.stderr)
    return _fail(sentence if file is None else f"{sentence} with the traceback in {file}", exit_codes.FAULT)


def _kept(trace: str) -> str | None:
    """The name of a temporary file with the text; None if none can be written."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="replace", prefix="wuxing-", suffix=".txt",
                                         delete=False) as file:
            file.write(trace)
    except OSError:
        return None
    return file.name


def _shown_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
                   line: str | None = None) -> None:
    """A warning of ours as a sentence on stderr, others as Python shows them."""
    if issubclass(category, CacheWarning):
        _say(str(message))
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)


def _say(sentence: str) -> None:
    print(console.printable(" ".join(f"wuxing: {sentence}".split())), file=sys.stderr)
