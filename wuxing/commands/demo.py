"""``wuxing demo``: the whole way from images to a board in a few minutes, told on two screens.

Each step is a command that a user can give; its own output goes to a file, and what it found is told from its JSON.
"""
from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from golden_model.data import datasets
from golden_model.errors import InputError, ToolError
from wuxing.reports import console

COMPILERS = ("g++", "make", "perl")       # what Verilator needs to compile a core
IMAGES, LEARN = 300, 100                  # through the Verilog: every data set here has so many
BOARD_IMAGES = 100                        # on the virtual board, as many again are learnt there
CLOCK = 100                               # MHz for which clocks are told as time
BOARD = "icebreaker"
WIDTH = 96                                # of a sentence that comes from elsewhere
CONTESTANTS = {"float": "floating point", "fixed": "integers, which never see a float",
               "quantised": "floating point, rounded to integers afterwards",
               "last_layer_only": "for comparison: only the last layer learns",
               "logistic": "for comparison: logistic regression on the pixels"}

OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of everything that is made.")]


@dataclass(frozen=True, kw_only=True)
class Data:
    """A data set: what it is called and is, how many epochs to compare and to train, lines that say how to have more."""

    name: str
    what: str
    compared: int
    trained: int
    larger: tuple[str, ...] = ()


MORE = ("All of MNIST: wuxing compare --dataset mnist downloads it, and then the demonstration takes it;",
        "or set WUXING_DATA to a folder that has its four files in mnist/.")
DATA = (
    Data(name="mnist", what="MNIST: 60,000 images of digits to learn from, 10,000 to test", compared=15, trained=3),
    Data(name="mnist-5k", what="5,000 images of MNIST: 4,000 to learn from, 1,000 to test", compared=60, trained=20,
         larger=MORE),
    Data(name="digits", what="1,797 small images of digits from scikit-learn: 1,437 to learn from, 360 to test", compared=60,
         trained=20, larger=MORE))


def demo(output: OutputOption = Path("build/demo")) -> None:
    """Learn digits in float and in integers, become Verilog, compare every word, end on a simulated board."""
    data = next(each for each in DATA if datasets.available(each.name))
    Demonstration(output, data).run()


class Demonstration:
    """The steps, what they print, and where they leave it.

    Raises
    ------
    InputError
        If the folder cannot be made.
    typer.Exit
        With the exit code of a step that fails, after its last line.
    """

    def __init__(self, folder: Path, data: Data) -> None:
        self.folder, self.data = folder, data
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder} must be a folder that can be made, but: {error.strerror}; choose another "
                             f"place") from None

    def run(self) -> None:
        began = time.monotonic()
        say("Wuxing learns digits, becomes hardware that learns them too, and shows that no bit differs.",
            f"Data: {self.data.what}.", *self.data.larger)
        self.learn()
        self.look()
        missing = [program for program in COMPILERS if shutil.which(program) is None]
        self.write()
        if missing:
            say("", f"There is no {' and no '.join(missing)} here, so that Verilog cannot be compiled and nothing runs it.",
                f"With {', '.join(COMPILERS)}: {self.command('cosim', self.path('model.npz'))}")
        else:
            self.simulate()
        self.end(not missing, not missing and self.board(), time.monotonic() - began)

    def learn(self) -> None:
        say("", "1. Learn, once in floating point and once in the integers of the hardware, from the same start")
        result = self.step("compare", "compare", "--dataset", self.data.name, "--epochs", str(self.data.compared),
                           "--report", str(self.folder), json=True)
        network = "-".join(map(str, result["network"]["layers"]))
        say(_row(f"{network}, {self.data.compared} epochs", f"right of {result['test_images']:,}", "learnt a second"))
        for name, what in CONTESTANTS.items():
            speed = result["images_per_second"].get(name)
            say(_row(what, f"{result[f'{name}_accuracy']:.2f} %", "" if speed is None else f"{speed['learning']:,.0f}"))
        say(f"   Float and integers are {abs(result['gap_points']):.2f} points apart and give the same answer for "
            f"{result['agreement']:.1f} % of images.")

    def look(self) -> None:
        say("", "2. Look inside: are the words of the hardware wide enough?")
        self.step("train", "train", "--dataset", self.data.name, "--epochs", str(self.data.trained),
                  "-o", self.path("model.npz"))
        facts = self.step("info", "info", self.path("model.npz"), json=True)
        result = self.step("ranges", "ranges", self.path("model.npz"), json=True)
        parameters = sum(layer["links"] + layer["biases"] for layer in facts["layers"])
        bits = sum(layer["bits"] for layer in facts["layers"])
        widest = max(result["worst_case"].values(), key=lambda bound: bound["bits"])
        say(f"   {parameters:,} parameters in {bits / 8192:,.0f} KiB, of weights {facts['network']['formats']['weight']}.",
            f"   At an end of their range lie {_at_ends(result, 'weight')} of the weights and {_at_ends(result, 'drive')} of "
            f"the drives of neurons.",
            f"   The widest sum ({widest['sum']}) needs {widest['bits']} bits, whatever the images are.")

    def write(self) -> None:
        say("", "3. Become hardware: an array of processing units that infers and learns")
        self.step("verilog", "verilog", self.path("model.npz"), "-o", self.path("verilog"))

    def simulate(self) -> None:
        result = self.step("cosim", "cosim", self.path("model.npz"), "--images", str(IMAGES), "--learn", str(LEARN), json=True,
                           patience="the Verilog is compiled first, which takes a minute or two")
        inferred, learnt = result["cycles_per_image"], result["cycles_per_learnt_image"]
        say(f"   {sum(result['units']):,} processing units, {result['images']:,} images inferred, {result['learnt']:,} "
            f"learnt: {result['mismatches']:,} of {result['words_compared']:,} words differ from the model.",
            f"   An image takes {inferred:,.0f} clocks to classify and {learnt:,.0f} to learn: at {CLOCK} MHz "
            f"{inferred / CLOCK:,.1f} and {learnt / CLOCK:,.1f} us.")

    def board(self) -> bool:
        """Whether a virtual board ran; where there can be none, a model for a real one is left all the same."""
        from boards import virtual
        say("", "4. On a board: an iCEBreaker (iCE40UP5K), simulated down to its serial line, behind a serial port")
        model, learnt = self.path(f"{BOARD}.npz"), self.path("learnt-on-board.npz")
        self.step(f"train-{BOARD}", "train", "--dataset", self.data.name, "--board", BOARD, "--epochs", str(self.data.trained),
                  "-o", model)
        try:
            virtual.check_system()
        except ToolError as error:
            say(*(f"   {line}" for line in textwrap.wrap(f"{error}.", WIDTH)))
            return False
        result = self.step("run", "run", model, "--images", str(BOARD_IMAGES), "--learn", str(BOARD_IMAGES), "-o", learnt,
                           json=True, patience="the board is compiled first, which takes a minute")
        for name, what in (("inferred", "classified"), ("learnt", "learnt")):
            part = result[name]
            say(f"   {part['images']:,} images {what}, {part['right']:,} of them right; an image takes "
                f"{part['clocks_per_image']:,.0f} clocks and {part['bytes_per_image']:,.0f} bytes of the line.")
        say(f"   {result['mismatches']:,} of {result['words_compared']:,} words differ from the model, the parameters among "
            f"them, read back at the end.")
        return True

    def end(self, compiled: bool, simulated: bool, seconds: float) -> None:
        board = self.path(f"{BOARD}.npz")
        pages = [("index.html", "the comparison: learning curves, confusions, ranges of all signals"),
                ("model.npz", "the network that learnt: wuxing info, eval, ranges and cosim take it"),
                ("verilog/", "the core, its memories, its manifest, and how to instantiate it"),
                ("*.log, *.json", "what each command printed, and what it found, for programs")]
        tries = [("your own digits, letters, clothes", "wuxing compare --dataset FOLDER   # with four IDX files"),
                 ("one neuron, by experiment", "wuxing experiment neuron --quick")]
        if compiled:
            pages[3:3] = [(f"{BOARD}.npz", "a network that the board takes"),
                          *([("learnt-on-board.npz", "the same, after learning there")] if simulated else [])]
            tries += [("a bitstream for a real iCEBreaker", f"wuxing build {board} -o build/{BOARD}"),
                      ("the run above on that board", f"wuxing run {board} --port /dev/ttyUSB1")]
        say("", f"In {self.folder}, made in {seconds / 60:.1f} minutes:", *(f"   {name:<22}{what}" for name, what in pages))
        say("", "What to try next:", *(f"   {what:<38}{command}" for what, command in tries),
            "   docs/model.md has the mathematics, docs/hardware.md the array; wuxing --help lists all commands.")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    @staticmethod
    def command(*arguments: str) -> str:
        return shlex.join(["wuxing", *arguments])

    def step(self, name: str, *arguments: str, json: bool = False, patience: str = "") -> dict[str, Any]:
        """Run a command, its output in ``NAME.log``; what it found, if ``json``, which goes to ``NAME.json``."""
        from wuxing.cli import main
        result, log = self.folder / f"{name}.json", self.folder / f"{name}.log"
        say(f"   $ {self.command(*arguments)}")
        words = [*arguments, *(["--json", str(result)] if json else [])]
        with waiting(f"{patience or name}; {log} grows"), log.open("w", encoding="utf-8") as file, captured(file):
            code = main(words)
        if code:
            lines = log.read_text("utf-8").splitlines()
            print(console.printable(lines[-1] if lines else f"{name} failed"), file=sys.stderr)
            raise typer.Exit(code)
        outcome: dict[str, Any] = _read(result) if json else {}
        return outcome


def _at_ends(result: dict[str, Any], signal: str) -> str:
    """Share of the words of a signal, in all layers, that lie at an end of their format."""
    layers = [entry for name, entry in result["signals"].items() if name.startswith(f"{signal}[")]
    at_ends = sum(entry["at_least"] + entry["at_greatest"] for entry in layers)
    return f"{100 * at_ends / sum(entry['count'] for entry in layers):.2f} %"


def _row(what: str, right: str, speed: str) -> str:
    return f"   {what:<52}{right:>16}{speed:>18}".rstrip()


def say(*lines: str) -> None:
    for line in lines:
        print(console.printable(line), flush=True)


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@contextlib.contextmanager
def captured(file: TextIO) -> Iterator[None]:
    """What is printed meanwhile goes to the file."""
    with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        yield


@contextlib.contextmanager
def waiting(sentence: str) -> Iterator[None]:
    """A sign of life on stderr, if that is a terminal."""
    screen = Console(file=sys.stderr, highlight=False, emoji=False)
    if not screen.is_terminal:
        yield
        return
    with screen.status(console.literal(sentence)):
        yield
