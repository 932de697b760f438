"""From a configuration file and options to a ``Network`` and a ``Dataset``, for ``train`` and ``compare``; other options that
several commands take.

A configuration file is a network description as ``Network.to_toml`` writes it. All of it may be left out, ``layers`` too:
then they follow from the data set. Options override it.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from golden_model.data import datasets
from golden_model.data.datasets import Dataset
from golden_model.data.reading import USUAL, Reading
from golden_model.data.recipe import Recipe
from golden_model.data.splits import Split
from golden_model.errors import InputError
from golden_model.network import Network, parsed
from golden_model.parameters import check_arithmetic
from golden_model.sections import Learning, brief
from wuxing import text_file
from wuxing.tasks import STORE
from wuxing.training_record import Images

if TYPE_CHECKING:
    from boards.platforms import Platform

Indices = npt.NDArray[np.int64]

SMALL_IMAGE = 100                         # pixels
SMALL_HIDDEN, HIDDEN = 32, 128            # neurons between pixels and classes, of small images and of others

ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file.", show_default=False)]
TestImagesOption = Annotated[int | None, typer.Option("--test-images", min=1, help="Use only the first N test samples.")]
JsonOption = Annotated[Path | None, typer.Option(
    "--json", help="Write the result as JSON to this file; - is the standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no notes.")]


@dataclass(frozen=True, kw_only=True)
class Runners:
    """Options that say who runs tasks, and where results are kept; see ``wuxing.option_groups``."""

    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes on this machine; 0: one for each core.")] = 1
    scheduler: Annotated[str | None, typer.Option(
        "--scheduler", help="Address of a Dask scheduler that runs them instead.")] = None
    store: Annotated[Path, typer.Option("--store", help="Folder in which finished runs are kept.")] = STORE


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options that describe a training, None where one was left out; see ``wuxing.option_groups``."""

    dataset: Annotated[str, typer.Option("--dataset", help=(
        "mnist, fashion-mnist, mnist-5k, digits, or your own: a table (.csv, .tsv, .parquet), arrays (.npz), a folder of "
        "pictures or recordings, or of IDX files."))] = "mnist"
    label: Annotated[str | None, typer.Option(
        "--label", help="The column of a table with the classes; by default label, class or target.")] = None
    without: Annotated[str | None, typer.Option(
        "--without", help="Columns of a table that are left out, with commas between them.")] = None
    categories: Annotated[str | None, typer.Option("--categories", help=(
        "Columns of a table whose entries are names, with commas between them: an input for each name."))] = None
    split: Annotated[str | None, typer.Option("--split", help=(
        "What is tested on: stratified (a fifth of each class), group:COLUMN (persons that are not trained on), time:COLUMN "
        "(the latest), column:COLUMN (where it says test), all; stratified:2/5 is the second of five folds."))] = None
    size: Annotated[str | None, typer.Option(
        "--size", help="Height, width and channels to which pictures are resized, as 28x28x1 or 32x32x3.")] = None
    frames: Annotated[str | None, typer.Option(
        "--frames", help="Frames to which recordings are resampled, as 32, or pad:32 to cut or pad them.")] = None
    config: Annotated[Path | None, typer.Option("--config", help="TOML network description; options override it.")] = None
    layers: Annotated[str | None, typer.Option("--layers", help="Sizes from inputs to classes, as 784,128,10.")] = None
    board: Annotated[str | None, typer.Option("--board", help="Train a network for this board, one of those that wuxing boards "
                                              "lists: with words that its multipliers take and, without --layers, a hidden "
                                              "layer that fits.")] = None
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the training images.")] = None
    batch: Annotated[int | None, typer.Option("--batch", help="Images learnt together; hardware needs 1.")] = None
    seed: Annotated[int | None, typer.Option(
        "--seed", help="Draws the initial links, the order of images and their shifts.")] = None
    learning_rate: Annotated[float | None, typer.Option(
        "--learning-rate", help="Learning rate of links and biases; integers need a power of two.")] = None
    margin: Annotated[float | None, typer.Option(
        "--margin", help="From an output that is right by so much nothing is learnt.")] = None
    halvings: Annotated[int | None, typer.Option(
        "--halvings", help="How often the learning rates are halved during training.")] = None
    average: Annotated[int | None, typer.Option(
        "--average", help="The result is the mean over so many last epochs; 0: a sixth of all.")] = None
    dropout: Annotated[float | None, typer.Option(
        "--dropout", help="Share of inputs set to 0 at random while learning; of tables and recordings by default 0.")] = None
    shift: Annotated[int, typer.Option(
        "--shift", min=0, help="Most pixels by which training images are shifted at random.")] = 0
    flip: Annotated[bool, typer.Option(
        "--flip", help="Learn half of the training images as in a mirror, left for right, drawn anew in each epoch.")] = False
    erase: Annotated[int, typer.Option("--erase", min=0, help=(
        "Cover half of the training images in part: a rectangle of zeros, at most so many pixels high and wide."))] = 0
    hold_out: Annotated[int | None, typer.Option("--hold-out", min=1, help=(
        "Test on that many training samples, which are not trained on, instead of the test samples."))] = None
    encoding: Annotated[str | None, typer.Option("--encoding", help=(
        "How values become bytes: words of docs/data.md, as 'quantile median thermometer:4'; by default those of the kind of "
        "data."))] = None
    train_images: Annotated[int | None, typer.Option(
        "--train-images", min=1, help="Use only the first N training samples.")] = None
    test_images: TestImagesOption = None

    def data(self, seed: int = 0, arithmetic: str = "fixed") -> Dataset:
        """The data set, or the part of it that was asked for; ``seed`` draws what is held out.

        What is wrong with other options whatever the data are is said first: data may be missing, or take long to come.
        """
        self.check(arithmetic)
        dataset = load_dataset(self.dataset, self.train_images, self.test_images, self.recipe(), self.reading())
        return dataset if self.hold_out is None else dataset.hold_out(self.hold_out, seed)

    def folds(self, count: int, arithmetic: str = "fixed") -> Iterator[Dataset]:
        """The data set once for each of so many folds, each tested on in turn; of each the part that was asked for."""
        self.check(arithmetic)
        if self.hold_out is not None:
            raise InputError("--hold-out must not be given where every fold is tested on in turn; leave out one of them")
        return (fold if self.train_images is self.test_images is None else fold.first(self.train_images, self.test_images)
                for fold in datasets.folds(self.dataset, count, self.recipe(), self.reading()))

    def check(self, arithmetic: str) -> None:
        """Refuse what is wrong with the options whatever the data are."""
        check_arithmetic(arithmetic)
        self.platform()
        self.recipe()
        self.reading()
        network = check(self.described())
        if arithmetic == "fixed":
            network.learning.rate_shifts(0)                   # refuses rates that integers do not have

    def recipe(self) -> Recipe | None:
        """What was asked for of the encoding; None: what is usual for such data."""
        words = read_encoding(self.config) if self.encoding is None else self.encoding
        return None if words is None else Recipe.parse(words)

    def reading(self) -> Reading:
        """How the files of the data set are read."""
        without, categories = (tuple(each.strip() for each in (columns or "").split(",") if each.strip())
                               for columns in (self.without, self.categories))
        return Reading(label=self.label, without=without, categories=categories,
                       split=None if self.split is None else Split.parse(self.split),
                       size=self.size, frames=self.frames)

    def network(self, dataset: Dataset, description: dict[str, Any] | None = None) -> Network:
        """The network that file and options describe together, or that another description does, checked against the data
        set."""
        description = self.described() if description is None else description
        platform = self.platform()
        if platform is not None:
            from boards import fit
            inputs, usual, outputs = default_layers(dataset)
            description = fit.described(platform, description, inputs, outputs, usual)
        description.setdefault("layers", default_layers(dataset))
        if not dataset.of_images:
            description = without_dropout(description)
        network = Network.from_dict(description)
        datasets.check_fits(dataset, network)
        check_lessons(dataset)
        if platform is not None:                                 # before hours of training, not after them
            fit.check(platform, fit.chosen(platform, network))
        return network

    def described(self) -> dict[str, Any]:
        """What file and options say of the network, as plain data; the rest follows from data set and board."""
        description = read_description(self.config)
        if self.layers is not None:
            description["layers"] = parse_layers(self.layers)
        if self.seed is not None:
            description["seed"] = self.seed
        values = {"epochs": self.epochs, "batch": self.batch, "links": self.learning_rate, "bias": self.learning_rate,
                  "margin": self.margin, "halvings": self.halvings, "average": self.average, "dropout": self.dropout}
        if changes := {name: value for name, value in values.items() if value is not None}:
            description["learning"] = description.get("learning", {}) | changes
        return description

    @property
    def images(self) -> Images:
        """What the network description does not hold, for records."""
        return Images(shift=self.shift, hold_out=self.hold_out, train_images=self.train_images, test_images=self.test_images,
                      flip=self.flip or None, erase=self.erase or None)

    def platform(self) -> Platform | None:
        """The board to learn for, if one was named.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        if self.board is None:
            return None
        from boards import platforms
        return platforms.by_name(self.board)


def check_lessons(dataset: Dataset) -> None:
    """Raise an ``InputError`` if all training samples are of one class: whoever learns them gives that answer to everything."""
    labels = dataset.train_labels
    if (labels == labels[0]).all():
        raise InputError(f"training samples must be of two or more classes, but all {len(labels):,} are of class "
                         f"{brief(dataset.encoding.class_name(int(labels[0])))}; give samples of another class as well")


def load_dataset(name: str, train_images: int | None = None, test_images: int | None = None,
                 recipe: Recipe | None = None, reading: Reading = USUAL) -> Dataset:
    dataset = datasets.load(name, recipe, reading)
    return dataset if train_images is test_images is None else dataset.first(train_images, test_images)


def without_dropout(description: dict[str, Any]) -> dict[str, Any]:
    """A description that loses no inputs while learning, unless it says so: only in images a neighbour tells what was lost."""
    learning = description.get("learning", {})                # what is no table, from_dict refuses by name
    return description | {"learning": {"dropout": 0.0} | learning} if isinstance(learning, dict) else description


def count(number: int | None, usual: int, there: int, option: str, what: str) -> int:
    """How many of ``there`` images: those that somebody asked for, else at most the ``usual`` number.

    Raises
    ------
    InputError
        If more were asked for than there are.
    """
    if number is not None and number > there:
        raise InputError(f"{option} must be at most the {there} {what} images that there are, not {number}")
    return min(usual, there) if number is None else number


def drawn(random: np.random.Generator, number: int | None, usual: int, there: int, option: str, what: str) -> Indices:
    """Indices of different images: as many as ``count`` says."""
    return random.permutation(there)[:count(number, usual, there, option, what)]


def default_layers(dataset: Dataset) -> list[int]:
    """Pixels, one hidden layer, classes: 784,128,10 for MNIST, 64,32,10 for digits."""
    pixels = dataset.train_images.shape[1]
    return [pixels, SMALL_HIDDEN if pixels <= SMALL_IMAGE else HIDDEN, dataset.classes]


def parse_layers(text: str) -> list[int]:
    """``"784,128,10"`` to sizes."""
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise InputError(f"--layers must be whole numbers with commas between them, as 784,128,10, not {text[:80]!r}") from None


def read_encoding(path: Path | None) -> str | None:
    """The words of the encoding in a configuration file; None: it says nothing of it."""
    words = None if path is None else text_file.read_toml(path, "configuration file").get("encoding")
    if words is not None and not isinstance(words, str):
        raise InputError(f"configuration file {path}: encoding must be words such as \"quantile median\", not {brief(words)}")
    return words


def read_description(path: Path | None) -> dict[str, Any]:
    """The TOML file as plain data, checked as a network description but for layers it leaves out; None: nothing. An entry
    ``encoding`` beside it is another's."""
    if path is None:
        return {}
    description = text_file.read_toml(path, "configuration file")
    description.pop("encoding", None)
    try:
        check(description)
    except InputError as error:
        raise InputError(f"configuration file {path}: {error}") from None
    return description


def check(description: dict[str, Any]) -> Network:
    """The network of a description, to be looked at: with any sizes, all links, where layers are still to follow from data.

    Raises
    ------
    InputError
        For what is wrong with it whatever the data are.
    """
    entries = parsed(description)
    if "layers" not in entries:               # and with them how many words of wiring there must be, and may be frozen
        entries = entries | {"layers": (1,) * (2 + entries.get("learning", Learning()).frozen)}
        entries.pop("wiring", None)
    return Network(**entries)
