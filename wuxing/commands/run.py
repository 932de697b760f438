"""``wuxing run``: a model on a board, real or virtual: classify and learn there, compared with the golden model.

Exit code 1 if any word differs.
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from golden_model.arithmetic import Array
from golden_model.data import datasets
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.parameters import Parameters
from golden_model.storage import model_file
from wuxing import designs, exit_codes, interruption, options, training_data
from wuxing.designs import Circuit, Source, Units
from wuxing.reports import console
from wuxing.reports.progress import OnProgress, images_bar
from wuxing.reports.sheet import Sheet

if TYPE_CHECKING:
    from boards.connection import Answers, Connection
    from boards.transport import Statistics
    from boards.virtual import VirtualBoard
    from hdl.design import Design

VIRTUAL = "virtual"
IMAGES = 200                              # by default, if the data set has so many
CHUNK = 100                               # images between two comparisons
PATIENCE = {False: 5.0, True: 60.0}       # seconds of silence from a real and from a virtual board
RECONNECT = 30.0                          # seconds in which a cable that was pulled may be put back
FIELDS = ("weights", "bias", "coupling")
BITS_OF_BYTE = 10                         # on a serial line


@dataclass
class Tally:
    """Words compared so far, those that differ, and where the first one is; images, seconds and clocks of the board."""

    words: int = 0
    mismatches: int = 0
    first: str | None = None

    def compare(self, what: str, expected: Array, actual: Array) -> None:
        self.words += expected.size
        places = np.argwhere(expected != actual)
        if len(places) and self.first is None:
            at = tuple(int(k) for k in places[0])
            self.first = f"{what} {list(at)}: {expected[at]} expected, {actual[at]} found"
        self.mismatches += len(places)

    def compare_parameters(self, expected: Parameters, actual: Parameters) -> None:
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            for field in FIELDS:
                self.compare(f"{field} of layer {index},", getattr(one, field), getattr(other, field))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What was done with images of one kind, all of them: how many, how many of them right, seconds of wall clock, clocks of
    the chip, bytes on the line to the board."""

    images: int
    right: int
    seconds: float
    clocks: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseResult:
    """A phase, per image or per second of wall clock, None where there were no images. ``line_images_per_second``: what the
    serial line carries at its baud, however fast the board is."""

    images: int
    right: int
    seconds: float
    images_per_second: float | None
    clocks_per_image: float | None
    bytes_per_image: float | None
    line_images_per_second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``units`` and ``arrangement``: of a virtual board. ``accuracy``: per cent of the images that were
    classified. ``first_mismatch``: a sentence. ``interrupted``: whether learning ended early. ``output``: where the model that
    was read back is."""

    model: Path
    digest: str
    board: str
    port: str
    baud: int
    units: Sequence[int] | None
    arrangement: str | None
    dataset: str
    dataset_sha256: str
    seed: int
    accuracy: float | None
    words_compared: int
    mismatches: int
    first_mismatch: str | None
    inferred: PhaseResult
    learnt: PhaseResult
    link: Statistics
    interrupted: bool
    output: Path | None


def run(model: options.ModelArgument, parallelism: Units,
        board: designs.BoardOption = None,
        port: Annotated[str, typer.Option("--port", help="The serial port of the board, as /dev/ttyUSB1 or COM7; or virtual: "
                                                         "the board's gateware, simulated.")] = VIRTUAL,
        images: Annotated[int | None, typer.Option("--images", min=0, help="Test images to classify, drawn at random; by "
                                                   f"default at most {IMAGES}.")] = None,
        learn: Annotated[int, typer.Option("--learn", min=0, help="Training images to learn after that, an equal share at "
                                                                  "each rate of the rate schedule.")] = 0,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the model, as the board has it in the end, "
                                                                           "to this file.")] = None,
        baud: Annotated[int | None, typer.Option("--baud", help="Bits a second of the serial line; by default the board's.")
                        ] = None,
        seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the images.")] = 0,
        dataset: training_data.DatasetOption = None,
        json: options.JsonOption = None, quiet: options.QuietOption = False) -> None:
    """Run a model on a board: load it, classify, learn there, read it back, and compare every word with the golden model."""
    from boards.connection import Connection
    console.check_writable(json, output)
    source = designs.read_model(model, quiet)
    network, values = source.network, source.values
    platform = designs.platform_of(board, source.record)
    design = designs.for_board(platform, source, Circuit(**asdict(parallelism))) if port == VIRTUAL else None
    if design is None and parallelism != Units():
        raise InputError("--units, --most-units and --arrangement are for a virtual board; a real one has those of its "
                         "bitstream")
    data = training_data.load(dataset, source.record, source.encoding, quiet)
    datasets.check_fits(data, network)
    random = np.random.default_rng(seed)
    test_indices = options.drawn(random, images, IMAGES, len(data.test_labels), "--images", "test")
    lessons = options.drawn(random, learn, learn, len(data.train_labels), "--learn", "training")
    line_baud = platform.baud if baud is None else baud
    with images_bar(quiet) as on_progress, ExitStack() as stack:
        name = port if design is None else stack.enter_context(virtual_board(design)).port
        opened = stack.enter_context(Connection(network, name, line_baud, patience=PATIENCE[design is not None],
                                                reconnect_for=RECONNECT))
        golden, tally = Model(network, "fixed", values), Tally()
        opened.load_parameters(values)
        opened.soft_reset()
        inferred = _infer(opened, golden, data.test_images[test_indices], data.test_labels[test_indices], tally,
                          lambda done, _: on_progress(done, len(test_indices) + len(lessons)))
        with interruption.asking_first(output is not None):       # what the board has learnt is to be written
            learnt = _learn(opened, golden, data.train_images[lessons], data.train_labels[lessons], tally,
                            lambda done, _: on_progress(len(test_indices) + done, len(test_indices) + len(lessons)))
            interrupted = interruption.pending()
            outcome = opened.parameters
        tally.compare_parameters(golden.parameters, outcome)
        statistics = replace(opened.transport.statistics)
    if output is not None:
        _save(output, source, outcome, platform.name, port, learnt.images)
    result = Result(
        model=model, digest=network.digest, board=platform.name, port=port, baud=line_baud,
        units=None if design is None else design.units, arrangement=None if design is None else design.arrangement,
        dataset=data.name, dataset_sha256=data.sha256, seed=seed,
        accuracy=100 * inferred.right / len(test_indices) if len(test_indices) else None, words_compared=tally.words,
        mismatches=tally.mismatches, first_mismatch=tally.first, inferred=_result(inferred, line_baud),
        learnt=_result(learnt, line_baud),
        link=statistics, interrupted=interrupted, output=output)
    console.write_json(json, result)
    console.out(json).print(_summary(result, platform.title))
    _leave(result, len(lessons))


def _leave(result: Result, lessons: int) -> None:
    """Say what was not as it should be, and end with its exit code; ``lessons``: images that were to be learnt."""
    if result.first_mismatch is not None:
        console.err().print(console.literal(f"the first difference: {result.first_mismatch}"), soft_wrap=True)
        raise typer.Exit(exit_codes.DIFFERS)
    if result.interrupted:
        console.err().print(f"interrupted: {console.literal(result.output)} holds the model after {result.learnt.images:,} of "
                            f"{lessons:,} images learnt on the board", soft_wrap=True)
        raise typer.Exit(interruption.exit_code())


def virtual_board(design: Design) -> VirtualBoard:
    """A virtual board, which is compiled first."""
    from boards import virtual
    return virtual.VirtualBoard(virtual.library(design))


def _infer(connection: Connection, golden: Model, images: Array, labels: Array, tally: Tally, on_progress: OnProgress) -> Phase:
    began, clocks, sent = time.perf_counter(), connection.status().cycles, connection.transport.statistics.bytes_sent
    answers = connection.infer(images, outputs=True, on_progress=on_progress)
    seconds = time.perf_counter() - began
    phase = Phase(images=len(images), right=int((answers.classes == labels).sum()), seconds=seconds,
                  clocks=(connection.status().cycles - clocks) % 2**32, bytes=connection.transport.statistics.bytes_sent - sent)
    _compare(tally, "inferred", 0, golden.outputs(images), answers)
    return phase


def _learn(connection: Connection, golden: Model, images: Array, labels: Array, tally: Tally, on_progress: OnProgress) -> Phase:
    """Images in chunks, each at its rate; the golden model learns the same in between, off the clock.

    A signal that was ``asking_first`` ends it after the chunk that is under way.
    """
    from sim.cosim import rate_schedule
    seconds, clocks, sent, right, done = 0.0, 0, 0, 0, 0
    for first, last, epoch in rate_schedule(connection.network, len(images)):
        connection.set_learning_rates(epoch)
        for start in range(first, last, CHUNK):
            if interruption.pending():
                console.err().print("interrupted: no more images are learnt, what the board has learnt is read back")
                return Phase(images=done, right=right, seconds=seconds, clocks=clocks, bytes=sent)
            part = slice(start, min(start + CHUNK, last))

            def further(count: int, total: int, start: int = start) -> None:
                on_progress(start + count, total)
            began, before, cycles = time.perf_counter(), connection.transport.statistics.bytes_sent, connection.status().cycles
            answers = connection.teach(images[part], labels[part], outputs=True, on_progress=further)
            clocks += (connection.status().cycles - cycles) % 2**32          # answered when the last one is learnt
            seconds += time.perf_counter() - began
            sent += connection.transport.statistics.bytes_sent - before
            right += int((answers.classes == labels[part]).sum())
            expected = []
            for image, label in zip(images[part], labels[part], strict=True):
                expected.append(golden.outputs(image[None])[0])
                golden.learn(image[None], np.array([label]), epoch)
            _compare(tally, "learnt", start, np.array(expected), answers)
            done = part.stop
    return Phase(images=done, right=right, seconds=seconds, clocks=clocks, bytes=sent)


def _compare(tally: Tally, what: str, start: int, expected: Array, answers: Answers) -> None:
    assert answers.outputs is not None                       # they were asked for
    tally.compare(f"outputs of images {what} from {start} on,", expected, answers.outputs)
    tally.compare(f"classes of images {what} from {start} on,", expected.argmax(axis=1), answers.classes)


def _result(phase: Phase, baud: int) -> PhaseResult:
    def per_image(total: float) -> float | None:
        return total / phase.images if phase.images else None
    line = baud / BITS_OF_BYTE * phase.images / phase.bytes if phase.bytes and phase.images else None
    return PhaseResult(images=phase.images, right=phase.right, seconds=phase.seconds,
                       images_per_second=phase.images / phase.seconds if phase.images else None,
                       clocks_per_image=per_image(phase.clocks), bytes_per_image=per_image(phase.bytes),
                       line_images_per_second=line)


def _save(path: Path, source: Source, values: Parameters, board: str, port: str, learn: int) -> None:
    more = {"learnt_on_board": {"board": board, "virtual": port == VIRTUAL, "images": learn}} if learn else {}
    model_file.save(path, source.network, "fixed", values, {**source.record, **more}, source.encoding)


def _summary(result: Result, title: str) -> Sheet:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:,.0f}"
    words, link = result.words_compared, result.link
    verdict = f"equal: {words:,} words" if not result.mismatches else f"{result.mismatches:,} of {words:,} words differ"
    accuracy = "" if result.accuracy is None else f", {result.accuracy:.2f} % of the test images right"
    table = console.table(f"{verdict} compared with the golden model{accuracy}", left=("",),
                          right=("images", "images/s", "chip clocks per image", "bytes per image", "images/s of the line"))
    for name, part in (("inferred", result.inferred), ("learnt", result.learnt)):
        table.add_row(name, f"{part.images:,}", number(part.images_per_second), number(part.clocks_per_image),
                      number(part.bytes_per_image), number(part.line_images_per_second))
    real = "simulated, so that its images/s are those of this machine" if result.port == VIRTUAL else result.port
    table.caption = (f"{console.literal(title)}, {console.literal(real)}; serial line at {result.baud:,} baud: {link.sent:,} "
                     f"packets sent, {link.resent:,} of them again, {link.damaged:,} damaged ones received")
    table.caption_justify = "left"
    return table
