"""Co-simulation: the same images through the golden model and through the core's Verilog, every word compared.

Compared are the class and all outputs of every image, inferred or about to be learnt; all parameters after the learning; and
for some images the state of every neuron after every whole step.

The images run in chunks, so that a mismatch can be run again with a trace: same chunk, same pauses, same words.
"""
from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from golden_model.arguments import check_images, check_labels
from golden_model.arithmetic import Array
from golden_model.errors import InputError, ToolError
from golden_model.model import Model
from golden_model.network import POPULATIONS, Network
from golden_model.parameters import Parameters
from golden_model.versions import versions
from hdl import emit
from hdl.design import Design
from sim import simulators, step_states
from sim.cocotb_runner import SIMULATORS, CocotbCore
from sim.compiled import PATIENCE, Compiled, Stuck
from sim.rtl_model import RtlModel
from sim.step_states import LayerSteps, StateMismatch

ENGINES = ("compiled", "cocotb")
CHUNK = 100                               # most images between two looks at the core
FEW = 20_000                              # links that are quickly read back
TRACED = 4                                # images of each kind in a trace of a run without mismatch
PARAMETERS = {"weights": "weight", "bias": "bias", "coupling": "K"}      # attribute of a layer's parameters: its name


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A word that differs. What does not apply is None.

    ``signal``: class, output, state, reverse state, number of steps, weight, bias or K. ``image`` counts inferred and learnt
    images apart; for parameters it is how many had been learnt when they were read. ``population``: of the ring, for K 5 j + i.
    ``sentence``: where it is, and both values.
    """

    signal: str
    learning: bool
    image: int
    expected: int
    actual: int
    layer: int | None = None
    neuron: int | None = None
    input: int | None = None
    population: int | None = None
    step: int | None = None

    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        place = [f"{name} {value}" for name in ("layer", "neuron", "input", "population", "step")
                 if (value := getattr(self, name)) is not None]
        when = f"{'learnt' if self.learning else 'inferred'} image {self.image}"
        if self.signal in PARAMETERS.values():
            when = f"after {self.image} learnt images"
        object.__setattr__(self, "sentence", f"{self.signal}, {', '.join([when, *place])}: {self.expected} expected, "
                                             f"{self.actual} found")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a co-simulation found.

    ``mismatches`` of ``words_compared``, of which ``states_compared`` are states of neurons. Cycles: mean distance of the
    answers while the next images wait; None for fewer than two images. ``images_per_second``: inferred images by the time that
    the simulator took, None if there were none. ``first``: the first mismatch. ``trace``: the FST file that was written;
    ``trace_problem``: why a mismatch has none.
    """

    digest: str
    engine: str
    simulator: str
    units: tuple[int, ...]
    kind: str
    seed: int
    images: int
    learnt: int
    mismatches: int
    words_compared: int
    states_compared: int
    cycles_per_image: float | None
    cycles_per_learnt_image: float | None
    images_per_second: float | None
    first: Mismatch | None
    trace: str | None
    trace_problem: str | None
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Images ``start`` to ``stop`` of those to infer, or of those to learn with the rates of ``epoch``; ``states``: with the
    states of their neurons."""

    number: int
    learning: bool
    start: int
    stop: int
    epoch: int = 0
    states: bool = False


def rate_schedule(network: Network, count: int) -> list[tuple[int, int, int]]:
    """(start, stop, epoch) of images to learn: an equal share for each rate that the description's rate schedule reaches."""
    learning = network.learning
    epochs: dict[int, int] = {}
    for halvings in range(learning.halvings + 1):
        epoch = -(-halvings * learning.epochs // (learning.halvings + 1))
        if epoch < learning.epochs:                       # there may be more halvings than epochs
            epochs.setdefault(learning.halvings_before(epoch), epoch)
    ends = [count * number // len(epochs) for number in range(len(epochs) + 1)]
    return [(start, stop, epoch) for start, stop, epoch in zip(ends, ends[1:], epochs.values(), strict=False) if start < stop]


def cosim(design: Design, values: Parameters, images: Array, lessons: Array, labels: Array, *, states: int = 4,
          engine: str = "compiled", simulator: str = "verilator", idle: float = 0, stall: float = 0, seed: int = 0,
          patience: int = PATIENCE, trace: Path | None = None, keep: Path | None = None, verilog: str | None = None,
          files: Mapping[str, str] | None = None,
          on_progress: Callable[[int, int], None] = lambda done, total: None) -> Report:
    """Run images through golden model and core and compare.

    Parameters
    ----------
    design : Design
    values : Parameters
        Integers to start from; both sides get them.
    images : uint8 (images, inputs)
        To infer, before anything is learnt.
    taught, labels : uint8 (images, inputs), integers (images,)
        To learn, in this order, an equal share at each rate of the description's rate schedule.
    states : int
        For the first so many images to infer, and to learn, the state of every neuron is compared after every step. The
        cocotb engine cannot look inside.
    engine : "compiled" or "cocotb"
    simulator : "verilator" or "icarus"; the compiled engine is Verilator.
    idle, stall, seed : pauses before request words and after reply words; see ``Compiled.exchange``.
    trace : where to write an FST trace, mismatch or not: of the chunk of images that has it, else of a few first images.
    patience : clocks without a word in or out after which the core counts as stuck.
    keep : where the trace of a mismatch, or of a core that is stuck, goes if ``trace`` is None; None: nowhere.
    verilog : the Verilog to use; by default that of the design, with models of the blocks that it instantiates.
    files : text of files that the Verilog reads, by name.
    on_progress : called with images done and images in all.

    Raises
    ------
    Stuck
        If the core does not answer: among which images, and where their trace is.
    InputError
        If the arguments do not fit each other.
    ToolError
        If a tool is missing or fails.
    DeviceError
        If the core refuses a frame. ``Stuck`` is one.
    """
    network = design.network
    if engine not in ENGINES:
        raise InputError(f"engine must be compiled or cocotb, not {engine!r}")
    if simulator not in SIMULATORS:
        raise InputError(f"simulator must be verilator or icarus, not {simulator!r}")
    if engine == "compiled" and simulator != "verilator":
        raise InputError(f"the compiled engine must have the simulator verilator, not {simulator}; choose the engine cocotb")
    if len(lessons) and not design.learns:
        raise InputError(f"a core generated without learning must have 0 images to learn, not {len(lessons)}")
    images, lessons = check_images(network, images), check_images(network, lessons)
    labels = check_labels(network, lessons, labels)
    runs = _Runs(design=design, values=values, images=images, taught=lessons, labels=labels, engine=engine,
                 simulator=simulator, verilog=emit.for_simulators(design) if verilog is None else verilog, files=files or {},
                 idle=idle, stall=stall, seed=seed, patience=patience, states=states if engine == "compiled" else 0)
    try:
        tally = runs.all(on_progress)
    except Stuck as stuck:
        raise runs.stuck(stuck, keep if trace is None else trace) from None
    first, problem = tally.first, None
    content = keep if trace is None and first is not None else trace
    if content is not None:
        try:
            if first is None:
                runs.traced(content)
            else:
                first = runs.again(first, content)
        except (InputError, ToolError) as error:
            if first is None:
                raise
            content, problem = None, str(error)
    return Report(
        digest=network.digest, engine=engine, simulator=simulator, units=design.units, kind=design.kind, seed=seed,
        images=len(images), learnt=len(lessons), mismatches=tally.wrong, words_compared=tally.words,
        states_compared=tally.states, cycles_per_image=tally.cycles(False), cycles_per_learnt_image=tally.cycles(True),
        images_per_second=len(images) / tally.seconds if len(images) else None, first=first,
        trace=None if content is None else str(content), trace_problem=problem, versions=computing(engine, simulator))


def computing(engine: str, simulator: str) -> dict[str, str]:
    """Of what computes."""
    packages = ["wuxing", "numpy", "amaranth", *(["cocotb", "cocotbext-axi"] if engine == "cocotb" else [])]
    tools = [simulators.icarus()] if simulator == "icarus" else [simulators.verilator(), simulators.compiler()]
    return {**versions(*packages), **{tool.name: tool.version for tool in tools}}


@dataclass
class _Tally:
    """Words, mismatches and clocks so far."""

    words: int = 0
    states: int = 0
    wrong: int = 0
    seconds: float = 0                    # of the simulator while it inferred
    first: Mismatch | None = None
    distances: dict[bool, list[int]] = field(default_factory=lambda: {False: [], True: []})

    def compare(self, expected: Array, actual: Array, described: Callable[..., Mismatch]) -> None:
        """Two arrays; ``described`` makes a mismatch from an index into them, and both values by name."""
        self.words += expected.size
        places = np.argwhere(expected != actual)
        if len(places):
            at = tuple(int(k) for k in places[0])
            self.note(described(*at, expected=int(expected[at]), actual=int(actual[at])), len(places))

    def note(self, mismatch: Mismatch, count: int) -> None:
        self.wrong += count
        self.first = self.first or mismatch

    def cycles(self, learning: bool) -> float | None:
        distances = self.distances[learning]
        return sum(distances) / len(distances) if distances else None


@dataclass(kw_only=True)
class _Runs:
    """What golden model and core are given, and the runs that are made of it."""

    design: Design
    values: Parameters
    images: Array
    taught: Array
    labels: Array
    engine: str
    simulator: str
    verilog: str
    files: Mapping[str, str]
    idle: float
    stall: float
    seed: int
    patience: int
    states: int
    under_way: Chunk | None = field(default=None, init=False)
    watched: bool = field(default=False, init=False)      # the present core has probes

    def all(self, on_progress: Callable[[int, int], None]) -> _Tally:
        """Every image, every parameter."""
        total, tally = len(self.images) + len(self.taught), _Tally()
        rtl, golden = self._sides(traced=False)
        on_progress(0, total)
        done = 0
        for chunk in self.chunks():
            self._chunk(rtl, golden, chunk, chunk.states, tally)
            done += chunk.stop - chunk.start
            on_progress(done, total)
        self._parameters(rtl, golden, len(self.taught), tally)
        rtl.core.close()
        return tally

    def again(self, mismatch: Mismatch, file: Path) -> Mismatch:
        """The run up to a mismatch; what was under way when it, or a parameter, differed first is traced.

        Returns the first mismatch of all: parameters are compared after every chunk that learns (after every image, if they
        are few), and the states of all neurons in every chunk.
        """
        few = sum(inputs * neurons for inputs, neurons in pairwise(self.design.network.layers)) <= FEW
        result = self._again(mismatch, file, 1) if few and mismatch.learning else None
        return result or self._again(mismatch, file, CHUNK) or mismatch

    def _again(self, mismatch: Mismatch, file: Path, most: int) -> Mismatch | None:
        rtl, golden = self._sides(traced=True)
        try:
            for chunk in self.chunks(most):
                last = chunk.learning == mismatch.learning and chunk.start <= mismatch.image < chunk.stop
                if not last and not chunk.learning:       # changes nothing
                    continue
                tally = _Tally()
                rtl.core.start_trace(file)
                self._chunk(rtl, golden, chunk, self.engine == "compiled", tally)
                if chunk.learning:
                    self._parameters(rtl, golden, chunk.stop, tally)
                rtl.core.stop_trace()
                if last or tally.first is not None:
                    return tally.first
        finally:
            rtl.core.close()
        return None

    def stuck(self, error: Stuck, file: Path | None) -> Stuck:
        """What to raise: the same, with the images among which it happened and, from a second run, a trace of them."""
        at = self.under_way
        if at is None:
            return error
        where = f"{error.symptom}, among {'learnt' if at.learning else 'inferred'} images {at.start} to {at.stop - 1}"
        if file is None:
            return Stuck(where)
        rtl, golden = self._sides(traced=True)
        try:
            for chunk in self.chunks():
                if chunk == at:
                    rtl.core.start_trace(file)
                self._chunk(rtl, golden, chunk, False, _Tally())
                if chunk == at:
                    return Stuck(f"{where}, but not when it ran again with a trace")
        except Stuck:
            rtl.core.stop_trace()
        finally:
            rtl.core.close()
        return Stuck(where, f"their trace in {file}")

    def traced(self, file: Path) -> None:
        """A few first images with a trace."""
        rtl, _ = self._sides(traced=True)
        try:
            rtl.core.start_trace(file)
            rtl.infer(self.images[:TRACED], outputs=True)
            rtl.teach(self.taught[:TRACED], self.labels[:TRACED], outputs=True)
            rtl.status()
            rtl.core.stop_trace()
        finally:
            rtl.core.close()

    # ------------------------------------------------------------- parts

    def chunks(self, most: int = CHUNK) -> Iterator[Chunk]:
        """The images in the order in which they run: those with states apart, and never different rates in one chunk."""
        lessons = rate_schedule(self.design.network, len(self.taught))
        parts = [(False, 0, len(self.images), 0), *((True, *part) for part in lessons)]
        number = 0
        for learning, start, stop, epoch in parts:
            while start < stop:
                states = start < self.states
                end = min(stop, self.states if states else start + most, start + most)
                yield Chunk(number=number, learning=learning, start=start, stop=end, epoch=epoch, states=states)
                start, number = end, number + 1

    def _sides(self, traced: bool) -> tuple[RtlModel, Model]:
        """The core, and the golden model, with the parameters to start from."""
        network = self.design.network
        self.watched = self.engine == "compiled" and (self.states > 0 or traced)
        watched, public = step_states.probes(self.design) if self.watched else ([], [])
        engine = Compiled if self.engine == "compiled" else functools.partial(CocotbCore, simulator=self.simulator)
        rtl = RtlModel(network, self.verilog, emit.TOP, self.files, probes=watched, public=public, trace=traced, engine=engine,
                       idle=self.idle, stall=self.stall, patience=self.patience)
        rtl.load_parameters(self.values)
        return rtl, Model(network, "fixed", self.values)

    def _chunk(self, rtl: RtlModel, golden: Model, chunk: Chunk, states: bool, tally: _Tally) -> None:
        """Images through both sides, and the comparison, ``states`` of neurons first."""
        self.under_way, part = chunk, slice(chunk.start, chunk.stop)
        images, labels = (self.taught[part], self.labels[part]) if chunk.learning else (self.images[part], None)
        rtl.seed = self.seed + 1_000 * chunk.number
        if labels is not None:
            rtl.set_learning_rates(chunk.epoch)
        began = time.perf_counter()
        answers = rtl.infer(images, outputs=True) if labels is None else rtl.teach(images, labels, outputs=True)
        tally.seconds += 0 if chunk.learning else time.perf_counter() - began
        tally.distances[chunk.learning] += np.diff(answers.answered).tolist()
        rtl.status()                                      # answered when the last image is learnt
        steps, outputs = [], []
        for number, image in enumerate(images):
            if states:
                steps.append(step_states.golden_steps(golden, image, None if labels is None else int(labels[number])))
            if labels is not None:
                outputs.append(golden.outputs(image[None])[0])
                golden.learn(image[None], labels[number:number + 1], chunk.epoch)
        expected = np.array(outputs) if outputs else golden.outputs(images)
        if self.watched:
            self._states(rtl, chunk, steps, tally)

        def described(signal: str) -> Callable[..., Mismatch]:
            return lambda image, output=None, **values: Mismatch(
                signal=signal, learning=chunk.learning, image=chunk.start + image, neuron=output,
                layer=None if output is None else len(self.design.layers) - 1, **values)
        assert answers.outputs is not None
        tally.compare(expected, answers.outputs, described("output"))
        tally.compare(expected.argmax(axis=1), answers.classes, described("class"))

    def _states(self, rtl: RtlModel, chunk: Chunk, steps: list[list[LayerSteps]], tally: _Tally) -> None:
        """The states of a chunk's images, if ``steps`` has them, the earliest mismatch first."""
        wrong: list[StateMismatch] = []
        for layer in self.design.layers:
            samples = rtl.core.samples(layer.index)       # those that are not wanted are forgotten
            if steps:
                words, count = step_states.compare(layer, step_states.rows(layer, steps, chunk.start), samples)
                tally.words += words
                tally.states += words
                wrong += count
        for mismatch in sorted(wrong, key=lambda one: (one.image, one.reverse, -one.layer if one.reverse else one.layer)):
            signal = "number of steps" if mismatch.neuron < 0 else "reverse state" if mismatch.reverse else "state"
            place = {name: value for name in ("neuron", "population") if (value := getattr(mismatch, name)) >= 0}
            tally.note(Mismatch(signal=signal, learning=chunk.learning, image=mismatch.image, layer=mismatch.layer,
                                step=mismatch.step, expected=mismatch.expected, actual=mismatch.actual, **place), 1)

    def _parameters(self, rtl: RtlModel, golden: Model, learnt: int, tally: _Tally) -> None:
        """All parameters, read back after so many learnt images."""
        for index, (expected, actual) in enumerate(zip(golden.parameters, rtl.parameters, strict=True)):
            for attribute, signal in PARAMETERS.items():
                if signal == "K" and not rtl.programmable:
                    continue

                def described(*at: int, signal: str = signal, index: int = index, **values: int) -> Mismatch:
                    place: dict[str, int] = dict(zip(("neuron", "input"), at, strict=False))
                    if signal == "K":
                        place = {"neuron": at[2], "population": POPULATIONS * at[0] + at[1]}
                    return Mismatch(signal=signal, learning=True, image=learnt, layer=index, **place, **values)
                tally.compare(getattr(expected, attribute), getattr(actual, attribute), described)
