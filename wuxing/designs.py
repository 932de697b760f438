"""What the commands that make a core have in common: the network they are given, and its processing units."""
from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from golden_model import parameters
from golden_model.data import datasets
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.storage import model_file
from wuxing import text_file

if TYPE_CHECKING:
    from boards.platforms import Platform
    from hdl.design import Design

BoardOption = Annotated[str | None, typer.Option("--board", help="One of those that wuxing boards lists; by default the "
                                                 "one that the model was trained for.")]
CoreBoardOption = Annotated[str | None, typer.Option("--board", help="The core that wuxing build makes for this board, "
                                                     "instead of --arrangement and --target.")]
ArrangementOption = Annotated[str | None, typer.Option("--arrangement", help="parallel: an array for each layer; time-shared: "
                                                       "one array does all layers. By default parallel.")]
TargetOption = Annotated[str | None, typer.Option("--target", help="The multiplier: portable, ecp5 or ice40. By default "
                                                  "portable.")]
DESCRIPTIONS = {".toml": Network.from_toml, ".json": Network.from_json}


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a command that makes a core was given: a network, its integer parameters, what is to be said of them; of a model
    file its training record, else an empty one."""

    network: Network
    values: Parameters
    note: str = ""
    record: dict[str, Any] = field(default_factory=dict)


def read(model: Path) -> Given:
    """From a model file or a network description."""
    parse = DESCRIPTIONS.get(model.suffix.lower())
    if parse is None:
        loaded = model_file.load(model)
        note = "a float model: its parameters were rounded to the formats of its network" * (loaded.arithmetic == "float")
        return Given(network=loaded.network, values=loaded.converted("fixed"), note=note, record=loaded.record)
    text = text_file.read(model, "network description", "give the path of a TOML or JSON file, or of a model file that ends in "
                          ".npz")
    try:
        network = parse(text)
        return Given(network=network, values=parameters.initial(network, "fixed"))
    except InputError as error:
        raise InputError(f"network description {model}: {error}") from None


def check_learn(learn: int | None, learning: bool) -> None:
    """Refuse images to learn for a core that cannot."""
    if learn and not learning:
        raise InputError(f"--learn must be 0 with --no-learning, not {learn}; leave out one of them")


def counts(text: str | None, layers: int) -> tuple[int, ...]:
    """``"128,10"`` to numbers; one number for all layers; none: left to the design."""
    if text is None:
        return ()
    try:
        counts = tuple(int(count) for count in text.split(","))
    except ValueError:
        raise InputError(f"--units must be whole numbers with commas between them, as 128,10, not {text[:80]!r}") from None
    return counts * layers if len(counts) == 1 else counts


def units(network: Network, text: str | None, most: int | None, arrangement: str) -> tuple[int, ...]:
    """Processing units of each layer, from ``--units`` or ``--most-units``."""
    from hdl.design import units_within
    layers = len(network.layers) - 1
    if text is not None and most is not None:
        raise InputError("--units and --most-units must not both be given; choose one")
    if most is None:
        return counts(text, layers)
    return (most,) * layers if arrangement == "time-shared" else units_within(network, most)


# ----------------------------------------------------------------- boards

def platform_of(name: str | None, record: dict[str, Any]) -> Platform:
    """The board of that name, else the one that the model was trained for.

    Raises
    ------
    InputError
        If there is none of that name, or none is named.
    """
    from boards import platforms
    named = record.get("board") if name is None else name
    if not isinstance(named, str):
        raise InputError("--board must be given for a model that was not trained for a board; wuxing boards lists them")
    return platforms.by_name(named)


def for_board(platform: Platform, given: Given, text: str | None = None, most: int | None = None, *, kind: str = "shift",
              learns: bool = True) -> Design:
    """The design that a board gets, with the units that ``--units`` or ``--most-units`` say, else as many as fit.

    Raises
    ------
    InputError
        If the network cannot be made a circuit for the board or does not fit it, with a command that makes one that does.
    """
    from boards import fit
    from hdl.design import Design
    counts = None if text is None and most is None else units(given.network, text, most, platform.arrangement)
    try:
        if counts is None:
            return fit.check(platform, fit.chosen(platform, given.network, kind=kind, learns=learns)).design
        return fit.check(platform, Design(network=given.network, units=counts, kind=kind, target=platform.target,
                                          learns=learns, arrangement=platform.arrangement)).design
    except InputError as error:
        if kind != "shift" or _fits(platform, given.network, learns):    # the network is not at fault
            raise
        raise InputError(f"{error}; or train a network that fits: {training_command(platform, given.record)}") from None


def core(given: Given, text: str | None, most: int | None, *, kind: str, learns: bool, board: str | None,
         arrangement: str | None, target: str | None) -> Design:
    """The design of a core that somebody describes by options, or that ``for_board`` makes for a board.

    Raises
    ------
    InputError
        If it cannot be made, or both a board and what it decides are given.
    """
    from hdl.design import Design
    if board is not None:
        if arrangement is not None or target is not None:
            raise InputError("--arrangement and --target must not be given with --board, which decides them; leave them out")
        return for_board(platform_of(board, given.record), given, text, most, kind=kind, learns=learns)
    arrangement = arrangement or "parallel"
    return Design(network=given.network, units=units(given.network, text, most, arrangement), kind=kind, learns=learns,
                  target=target or "portable", arrangement=arrangement)


def _fits(platform: Platform, network: Network, learns: bool) -> bool:
    """Whether any number of units makes the network fit the board."""
    from boards import fit
    try:
        return fit.fit(platform, fit.chosen(platform, network, learns=learns)).fits
    except InputError:
        return False


def training_command(platform: Platform, record: dict[str, Any]) -> str:
    """The command that trains a network for this board, on the data set that the record names."""
    dataset = record.get("dataset")
    named = [] if dataset in (None, "mnist") else ["--dataset", str(dataset) if dataset in datasets.SHA256 else "FOLDER"]
    return shlex.join(["wuxing", "train", "--board", platform.name, *named, "-o", f"{platform.name}.npz"])
