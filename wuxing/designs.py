"""What the commands that make a core have in common: the network they are given, and its processing units."""
from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from golden_model import parameters
from golden_model.data import datasets
from golden_model.data.encoding import IDENTITY, Encoding
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.storage import model_file
from wuxing import text_file
from wuxing.reports import console

if TYPE_CHECKING:
    from boards.platforms import Platform
    from hdl.design import Design

NetworkArgument = Annotated[Path, typer.Argument(metavar="MODEL", show_default=False, help=(
    "A model file, or a network description (.toml, .json), whose memories then begin as before learning."))]
BoardOption = Annotated[str | None, typer.Option("--board", help="One of those that wuxing boards lists; by default the "
                                                 "one that the model was trained for.")]
DESCRIPTIONS = {".toml": Network.from_toml, ".json": Network.from_json}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a core is made of: a network and its parameters, integers of its formats. Of a model file its arithmetic, before it
    was converted, its training record and encoding; a description is fixed, has an empty record and takes bytes."""

    network: Network
    values: Parameters
    arithmetic: str = "fixed"
    record: Mapping[str, object] = field(default_factory=dict)
    encoding: Encoding = IDENTITY

    @property
    def manifest_encoding(self) -> dict[str, object] | None:
        """For the manifest of a core; None where bytes are sent as they are."""
        return None if self.encoding.is_identity else self.encoding.to_dict()


@dataclass(frozen=True, kw_only=True)
class Units:
    """Options that say which processing units serve the neurons, None where they say nothing. ``units``: as it was typed.

    These three classes are groups of options, see ``wuxing.option_groups``.
    """

    units: Annotated[str | None, typer.Option("--units", help=(
        "Processing units of each layer, as 128,10; one number stands for all. By default one per neuron, four where layers "
        "share an array, on a board as many as fit and save time. Of a convolution a unit serves channels."))] = None
    most_units: Annotated[int | None, typer.Option(
        "--most-units", help="At most so many in a layer, instead of --units.")] = None
    arrangement: Annotated[str | None, typer.Option("--arrangement", help=(
        "parallel: an array for each layer; time-shared: one array does all layers in turn; 'time-shared 0-1': one does layers "
        "0 and 1, all others have their own. By default what suits the board, else parallel; with convolutions "
        "time-shared."))] = None


@dataclass(frozen=True, kw_only=True)
class Circuit(Units):
    """And those that say what the circuit can do, whatever it is for."""

    kind: Annotated[str | None, typer.Option("--kind", help=(
        "shift: K is wired; programmable: K of each neuron in memory. By default programmable if the network learns K, else "
        "shift."))] = None
    learns: Annotated[bool, typer.Option("--learning/--no-learning", help="Whether the core can learn.")] = True


@dataclass(frozen=True, kw_only=True)
class Choices(Circuit):
    """And those that say what it is for: all that is asked of a core that no board decides."""

    board: Annotated[str | None, typer.Option("--board", help="The core that wuxing build makes for this board, instead of "
                                              "--target.")] = None
    target: Annotated[str | None, typer.Option("--target", help="The multiplier: portable, ecp5 or ice40. By default "
                                               "portable.")] = None


USUAL = Circuit()


def read_model(path: Path, quiet: bool = False) -> Source:
    """Of a model file; unless ``quiet``, a line on stderr says that a float model was rounded."""
    file = model_file.load(path)
    if file.arithmetic == "float" and not quiet:
        console.err().print("a float model: its parameters were rounded to the formats of its network", soft_wrap=True)
    return Source(network=file.network, values=file.converted("fixed"), arithmetic=file.arithmetic, record=file.record,
                  encoding=file.encoding)


def read(path: Path, quiet: bool = False) -> Source:
    """Of a model file or of a network description, whose parameters are those before learning."""
    parse = DESCRIPTIONS.get(path.suffix.lower())
    if parse is None:
        return read_model(path, quiet)
    text = text_file.read(path, "network description", "give the path of a TOML or JSON file, or of a model file that ends in "
                          ".npz")
    try:
        network = parse(text)
        return Source(network=network, values=parameters.initial(network, "fixed"))
    except InputError as error:
        raise InputError(f"network description {path}: {error}") from None


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


def units(network: Network, choices: Units, arrangement: str) -> tuple[int, ...]:
    """Processing units of each layer, from ``--units`` or ``--most-units``; none where neither was given."""
    from hdl.design import units_within
    layers, text, most = len(network.layers) - 1, choices.units, choices.most_units
    if text is not None and most is not None:
        raise InputError("--units and --most-units must not both be given; choose one")
    if most is None:
        return counts(text, layers)
    return units_within(network, most, arrangement)


# ----------------------------------------------------------------- boards

def platform_of(name: str | None, record: Mapping[str, object]) -> Platform:
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


def usual_kind(network: Network) -> str:
    """Of neurons: programmable where K are learnt, which wired ones cannot be."""
    return "programmable" if network.learning.trains_K else "shift"


def for_board(platform: Platform, source: Source, choices: Circuit = USUAL) -> Design:
    """The design that a board gets, with the units that were chosen, else as many as fit.

    Raises
    ------
    InputError
        If the network cannot be made a circuit for the board or does not fit it, with a command that makes one that does.
    """
    from boards import fit
    from hdl.design import Design, usual_arrangement
    network, kind, learns = source.network, choices.kind or usual_kind(source.network), choices.learns
    arrangement = choices.arrangement or usual_arrangement(network, platform.arrangement)
    counts = units(network, choices, arrangement)
    try:
        if not counts:
            return fit.check(platform, fit.chosen(platform, network, kind=kind, learns=learns,
                                                  arrangement=choices.arrangement)).design
        return fit.check(platform, Design(network=network, units=counts, kind=kind, target=platform.target, learns=learns,
                                          arrangement=arrangement)).design
    except InputError as error:
        if kind != "shift" or _fits(platform, network, learns):       # the network is not at fault
            raise
        raise InputError(f"{error}; or train a network that fits: {training_command(platform, source.record)}") from None


def core(source: Source, choices: Choices) -> Design:
    """The design of a core that somebody describes by options, or that ``for_board`` makes for a board.

    Raises
    ------
    InputError
        If it cannot be made, or both a board and what it decides are given.
    """
    from hdl.design import Design, usual_arrangement
    if choices.board is not None:
        if choices.target is not None:
            raise InputError("--target must not be given with --board, which decides it; leave it out")
        return for_board(platform_of(choices.board, source.record), source, choices)
    arrangement = choices.arrangement or usual_arrangement(source.network)
    return Design(network=source.network, units=units(source.network, choices, arrangement),
                  kind=choices.kind or usual_kind(source.network), learns=choices.learns,
                  target=choices.target or "portable", arrangement=arrangement)


def _fits(platform: Platform, network: Network, learns: bool) -> bool:
    """Whether any number of units makes the network fit the board."""
    from boards import fit
    try:
        return fit.fit(platform, fit.chosen(platform, network, learns=learns)).fits
    except InputError:
        return False


def training_command(platform: Platform, record: Mapping[str, object]) -> str:
    """The command that trains a network for this board, on the data set that the record names."""
    dataset = record.get("dataset")
    named = [] if dataset in (None, "mnist") else ["--dataset", str(dataset) if dataset in datasets.SHA256 else "FOLDER"]
    return shlex.join(["wuxing", "train", "--board", platform.name, *named, "-o", f"{platform.name}.npz"])
