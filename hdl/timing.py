"""``Timing``: the clock of every event of a core, image by image, without simulating it.

It carries out the programs of the arrays (``hdl.program``) with clocks in place of signals: a state that lasts takes its clocks
at once, and a machine that waits goes on in the clock in which another one told it. Machines are generators that exchange
clocks over queues (a Kahn network: the order in which they run does not matter). The result equals the circuit to the clock as
long as words come and replies are taken without pause.
"""
from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from golden_model.errors import InputError
from hdl import activation_list, adder_tree, image_buffer, window
from hdl.array import output_latency
from hdl.array_design import ArrayDesign
from hdl.control import control_latency
from hdl.design import Design
from hdl.half_step import issue_phases
from hdl.layer_design import LayerDesign
from hdl.program import SCAN_REST, Count, Do, If, Node, Play, Tell, Wait, datapath, nodes_of, programs

QUEUE_LATENCY = 2                         # clocks from an error's write to its being on offer
ANSWER_LATENCY = 3                        # clocks from the last output to the reply's first word
VERDICT_LATENCY = 2                       # clocks from the last output to the verdict
CLOCKS_PER_OUTPUT = 2                     # of a reply with outputs
CLOCKS_PER_ERROR = 2                      # of errors that come from the memory of a time-shared array


@dataclass(frozen=True, kw_only=True)
class Image:
    """What the timing must know of an image; ``check`` raises ``InputError`` if it does not fit a design.

    ``nonzero``: inputs that are not 0; ``inputs``: which they are, if the first layer is a convolution or recurrent.
    ``hidden``: for each layer but the last, which of its outputs are not 0. ``learn``: it is learnt; ``error``: and has an
    error. ``outputs``: they are asked for.
    """

    nonzero: int
    hidden: tuple[Sequence[bool], ...]
    learn: bool = False
    error: bool = False
    outputs: bool = False
    inputs: Sequence[bool] = ()

    def check(self, design: Design) -> None:
        layers = design.network.layers
        if not 0 <= self.nonzero <= layers[0]:
            raise InputError(f"nonzero must be 0 to {layers[0]}, the inputs of the network, not {self.nonzero}")
        if design.layers[0].walked is not None and (len(self.inputs), sum(map(bool, self.inputs))) != (layers[0], self.nonzero):
            kind = "is a convolution" if design.layers[0].window is not None else "takes frames"
            raise InputError(f"inputs must tell of {layers[0]} inputs which {self.nonzero} are not 0, because the first layer "
                             f"{kind}, not of {len(self.inputs)} with {sum(map(bool, self.inputs))}")
        sizes = tuple(len(values) for values in self.hidden)
        if sizes != layers[1:-1]:
            raise InputError(f"hidden must tell of {list(layers[1:-1])} outputs, not {list(sizes)}")
        if self.learn and not design.learns:
            raise InputError("learn must be False for a core that only infers; estimate a core that learns")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Clocks of one image, counted from the first word of the first image. ``answered``: the reply's last word is taken.

    ``started``: its header is taken. ``latched``: for each layer, position and fold, the clock in which drives are latched.
    ``finished``: layer 0 is done with it, and the next image finds the parameters that it left.
    """

    started: int
    answered: int
    latched: tuple[tuple[int, ...], ...]
    finished: int


@dataclass(kw_only=True)
class Job:
    """An image on its way through an array.

    ``available``: the clock from which it is there. ``ready``: for each of the array's layers, the clock in which each nonzero
    input, and the bias, is on offer. ``taps``: for each layer and position of a convolution, or each frame, the links whose
    input is not zero, and the bias. ``latched``: for each layer and fold. ``outputs``, ``errors``: of the array's last layer.
    """

    image: Image
    learn: bool
    available: int
    ready: list[list[int]]
    taps: list[list[list[int]]]
    latched: list[list[int]]
    outputs: list[int] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)


@dataclass(kw_only=True)
class Machine:
    """Where a machine stands: the first clock of its state, its image, a layer, position, fold and instant; when it started a
    list."""

    clock: int = 0
    job: Job | None = None
    layer: LayerDesign
    position: int = 0
    fold: int = 0
    instant: int = 0
    started: int = 0

    @property
    def work(self) -> Job:
        assert self.job is not None, "a machine must have an image before it works"
        return self.job


Notice = tuple[int, Job | None, LayerDesign]                # a clock, and of whose image and layer
Steps = Generator[str, Notice, None]


class ArrayClocks:
    """The machines of one array.

    ``notices``: by event, clocks that no machine has waited for yet. ``released``: in which the source is told that an image
    is done with. ``scanned``: images whose outputs are not at the receiver yet. ``back``: when each error comes to the array
    before. ``between``: clocks of the register between this array and other parts of the core.
    """

    def __init__(self, array: ArrayDesign, between: int) -> None:
        self.array, self.between = array, between
        first = array.first
        self.output_latency = int(array.windowed) if array.time_shared else control_latency(first) + output_latency(first)
        self.settling = 0 if array.recurrent else array.half_steps * array.phases        # amid which items may be issued
        self.issue_phases = issue_phases(datapath(array), array.first.half_step)
        self.latch = -self.settling - 1               # of the forward settling that may be under way
        self.released: list[int] = []
        self.scanned: deque[Job] = deque()
        self.back: deque[list[int]] = deque()
        self.notices: dict[str, deque[Notice]] = defaultdict(deque)
        texts = programs(array)
        self.heard = {"scan free", *(node.event if isinstance(node, Wait) else node.stream for text in texts.values()
                                     for node in nodes_of(text) if isinstance(node, Wait | Play))}
        self.machines = {name: self._forever(text) for name, text in texts.items()}
        self.waits = {name: next(machine) for name, machine in self.machines.items()}

    def advance(self) -> None:
        """Every machine as far as it gets."""
        further = True
        while further:
            further = False
            for name, machine in self.machines.items():
                while queue := self.notices[self.waits[name]]:
                    self.waits[name] = machine.send(queue.popleft())
                    further = True

    def _forever(self, nodes: tuple[Node, ...]) -> Steps:
        machine = Machine(layer=self.array.first)
        while True:
            yield from self._run(machine, nodes)

    def _run(self, machine: Machine, nodes: tuple[Node, ...]) -> Steps:
        for node in nodes:
            if isinstance(node, Do):
                self._stay(machine, node)
            elif isinstance(node, Wait):
                if node.shows:
                    self.tell(node.shows, machine.clock, machine.job, machine.layer)
                yield from self._wait(machine, node.event)
            elif isinstance(node, Play):
                yield from self._play(machine, node)
            elif isinstance(node, Tell):
                self._tell(machine, node.event, machine.clock - 1)
            elif isinstance(node, If):
                yield from self._run(machine, node.then if self._flag(machine, node.flag) else node.otherwise)
            elif node.over == "fold":
                for fold in range(machine.layer.folds):
                    machine.fold = fold
                    yield from self._run(machine, node.body)
            elif node.over in ("instant", "instant back", "point", "point back", "row"):
                for number in range(self._turns(machine.layer, node.over)):
                    if "instant" in node.over:
                        machine.instant = number
                    yield from self._run(machine, node.body)
            elif node.over != "layer":
                for position in range(machine.layer.positions):
                    machine.position = position
                    yield from self._run(machine, node.body)
            else:
                layers = self.array.layers
                for layer in [layer for layer in layers[::-1] if layer.learns] if node.backwards else layers:
                    machine.layer = layer
                    yield from self._run(machine, node.body)

    @staticmethod
    def _turns(layer: LayerDesign, over: str) -> int:
        """How often a recurrent layer goes through a loop."""
        return 2 if "point" in over else layer.links + 1 if over == "row" else layer.slots - 1

    def _flag(self, machine: Machine, name: str) -> bool:
        layer = machine.layer
        if name == "last fold":
            return machine.fold == layer.folds - 1
        if layer.recurrence is not None and name in ("new frame", "goes on"):
            return machine.instant % layer.recurrence.steps == 0 if name == "new frame" else machine.instant < layer.slots - 2
        return {"learn": machine.work.learn, "error": machine.work.image.error, "reverses": layer.reverses,
                "window": layer.window is not None, "clears": layer.clears}[name]

    # ------------------------------------------------------------- states that last, and waits

    def _stay(self, machine: Machine, node: Do) -> None:
        layer, begins = machine.layer, machine.clock
        machine.clock += node.clocks if isinstance(node.clocks, int) else self._lasts(machine, node.clocks)
        if node.state == "SCAN":
            if machine.position == machine.fold == 0:
                machine.work.outputs = []
            late = self.output_latency + self.between
            machine.work.outputs += range(begins + late, machine.clock + late)
            if (layer is self.array.last and self._flag(machine, "last fold") and machine.position == layer.positions - 1):
                self.scanned.append(machine.work)
        elif node.state == "BACK":
            self.back.append(list(range(begins + 1 + QUEUE_LATENCY, machine.clock + 1 + QUEUE_LATENCY, CLOCKS_PER_ERROR)))
        elif (node.state == "TREE" and not self.array.time_shared and layer is self.array.first
              and self._flag(machine, "last fold")):
            late = datapath(self.array).product + control_latency(layer) + adder_tree.levels(layer.units) + 2 + QUEUE_LATENCY
            self.back.append(list(range(begins + late, machine.clock + late)))

    def _lasts(self, machine: Machine, clocks: Count) -> int:
        if clocks is Count.SETTLING:
            return self.settling
        if clocks is Count.UNITS:
            return machine.layer.fold_size(machine.fold)
        if clocks is Count.LOADING:
            return self.array.first.inputs + image_buffer.LATENCY - 1
        if clocks is Count.PARAMETERS:
            return 2 * (machine.layer.links + 1)
        if clocks is Count.BACK:
            return CLOCKS_PER_ERROR * machine.layer.inputs
        if clocks is Count.STEPS:
            return 4 * (machine.layer.slots - 1)
        return machine.layer.inputs if clocks is Count.INPUTS else self.output_latency + SCAN_REST

    def _wait(self, machine: Machine, event: str) -> Steps:
        if event == "receiver":
            if "scan" in self.machines:
                machine.clock = max(machine.clock, (yield "scan free")[0])
            if machine.position or machine.fold or machine.layer is not self.array.last:
                machine.clock += 1
                return
        clock, job, layer = yield event
        if event == "image" and self.released:
            clock = max(clock, self.released[-1] + 1)
        machine.clock, machine.job = max(machine.clock, clock) + 1, job or machine.job
        if event == "go":
            machine.layer = layer

    def _tell(self, machine: Machine, event: str, clock: int) -> None:
        if event == "start":
            machine.started = clock
        elif event == "release":
            self.released.append(clock + self.between)
        elif event == "latch":
            self.latch = clock
            machine.work.latched[machine.layer.index - self.array.first.index].append(clock)
        self.tell(event, clock, machine.job, machine.layer)

    def tell(self, event: str, clock: int, job: Job | None = None, layer: LayerDesign | None = None) -> None:
        """An event of this array, or one that comes from outside: image, receiver, verdict, errors."""
        if event in self.heard:
            self.notices[event].append((clock, job, layer or self.array.first))

    # ------------------------------------------------------------- streams

    def _play(self, machine: Machine, node: Play) -> Steps:
        """Until the last item of a list, or the last error of a fold, is issued."""
        layer, job, begins = machine.layer, machine.work, machine.clock
        ready = job.ready[layer.index - self.array.first.index]
        first = machine.started + (activation_list.LATENCY if layer.index else image_buffer.LATENCY)
        if layer.walked is not None and node.stream == "inputs":
            self._walk(machine, node)
        elif node.operation == "link":
            machine.clock = self.links(first, ready) + 1
        elif node.operation == "update":
            first = begins + -(-(first - begins) // node.every) * node.every
            machine.clock = first + node.every * (len(ready) - 1) + 1
        elif layer is self.array.last:
            if machine.position == machine.fold == 0:
                yield "errors"
            before = machine.position * layer.channels + machine.fold * layer.units
            for earliest in job.errors[before:before + layer.fold_size(machine.fold)]:
                machine.clock = max(machine.clock, earliest) + 1
        elif self.array.windowed:
            machine.clock += adder_tree.EACH * layer.fold_size(machine.fold) + 1
        else:
            machine.clock += CLOCKS_PER_ERROR * layer.fold_size(machine.fold)

    def _walk(self, machine: Machine, node: Play) -> None:
        """The taps of a position: each is looked at a clock after the one before was taken, if it was not zero."""
        layer, clock = machine.layer, machine.started + window.LATENCY
        if node.operation != "link":                          # one a clock is taken
            machine.clock = clock + layer.links + 1
            return
        place = layer.index - self.array.first.index
        window_at = machine.position if layer.recurrence is None else machine.instant // layer.recurrence.steps
        before = 0
        taps, settled = machine.work.taps[place][window_at], self.latch + 1 + self.settling
        for tap in taps:
            if clock >= settled:                              # from then on none waits
                break
            clock, before = self._taken(clock + tap - before, 1), tap
        machine.clock = clock + taps[-1] - before + 1

    def links(self, first: int, ready: Sequence[int]) -> int:
        """The clock in which the last item is taken. Item j is on offer from ready[j] on, and none before ``first``."""
        if ready and max(ready) <= first:                     # as in all folds but the first
            return self._taken(first, len(ready))
        clock, latest = first - 1, _latest(ready)
        for number, earliest in enumerate(ready):
            if latest[number] <= clock + 1 - number:          # none that is left is ever waited for
                return self._taken(clock + 1, len(ready) - number)
            clock = self._taken(max(clock + 1, earliest), 1)
        return clock

    def _taken(self, clock: int, items: int) -> int:
        """The clock in which the last of so many items is taken if all are on offer from ``clock`` on: one a clock, but while
        the layer settles only in those in which the multiplier has time for an input."""
        begins, issue_phases, phases = self.latch + 1, len(self.issue_phases), self.array.phases
        if clock < begins:                                    # those that come before it settles
            items -= begins - clock
            if items <= 0:
                return begins + items - 1
            clock = begins
        half_steps, phase = divmod(min(clock - begins, self.settling), phases)
        # such clocks, from its beginning on
        passed = half_steps * issue_phases + sorted((0, phase - self.issue_phases.start, issue_phases))[1]
        left = self.settling // phases * issue_phases - passed
        if items > left:
            return max(clock, begins + self.settling) + items - left - 1
        half_steps, issue_phase = divmod(passed + items - 1, issue_phases)
        return begins + half_steps * phases + self.issue_phases.start + issue_phase


def _taps(layer: LayerDesign, image: Image) -> list[list[int]]:
    """``Job.taps`` of a layer; none of one that sees all its inputs at once."""
    if layer.walked is None:
        return []
    there = np.array([image.hidden[layer.index - 1] if layer.index else image.inputs], bool)
    return [[*map(int, np.flatnonzero(taps)), layer.walked.taps] for taps in layer.walked.patches(there)[0]]


def _latest(ready: Sequence[int]) -> list[int]:
    """From each item on, the greatest of ready[j] - j: with one item a clock, none is waited for from that clock on."""
    return list(accumulate((ready[j] - j for j in reversed(range(len(ready)))), max))[::-1]


class Timing:
    """Runs images through a design, one after the other: ``add`` each, in order.

    Parameters
    ----------
    design : Design
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.words = -(-design.network.layers[0] // 4)
        self.flight = len(design.network.layers) - 1 + 4          # as hdl.commands
        self.between = int(design.spread)
        self.arrays = [ArrayClocks(array, self.between) for array in design.arrays]
        self.header = 0                                           # the next one is taken
        self.replied: list[int] = []                              # last word of each reply given to the command decoder
        self.output_free = 0

    def add(self, image: Image) -> Event:
        """The next image, sent as early as the core takes it.

        Raises
        ------
        InputError
            If the image does not fit the design.
        """
        image.check(self.design)
        started, number, released = self.header, len(self.replied), self.arrays[0].released
        first = max(started + 1, released[number - 2] + 1 if number > 1 else 0,
                    self.replied[number - self.flight] + 1 if number >= self.flight else 0)
        self.header = first + self.words
        latched = self._through(image, number, self.header)
        return Event(started=started, answered=self.replied[-1] + 1, latched=latched, finished=released[-1])

    def _through(self, image: Image, number: int, available: int) -> tuple[tuple[int, ...], ...]:
        """One image from the clock on in which it is there, reply included; the latches of its folds by layer."""
        ready, jobs = [0] * (image.nonzero + 1), []
        for array, following in zip(self.arrays, [*self.arrays[1:], None], strict=True):
            counts = [sum(map(bool, image.hidden[layer.index - 1])) + 1 for layer in array.array.layers[1:]]
            job = Job(image=image, learn=image.learn and array.array.learns, available=available,
                      ready=[ready, *([0] * count for count in counts)],
                      taps=[_taps(layer, image) for layer in array.array.layers], latched=[[] for _ in array.array.layers])
            free = self.output_free + self.between
            if following is not None:
                free = following.released[number - 2] + 1 + self.between if number > 1 else 0
            array.tell("receiver", free)
            array.tell("image", available, job)
            array.advance()
            jobs.append(job)
            outputs = array.scanned.popleft().outputs
            if following is not None:
                through, nonzero = activation_list.THROUGH, image.hidden[array.array.last.index]
                ready = [clock + through for clock, value in zip(outputs, nonzero, strict=True) if value]
                ready.append(outputs[-1] + through)
                available = outputs[0] + 1
        replied = outputs[-1] + ANSWER_LATENCY - 1 + (CLOCKS_PER_OUTPUT * len(outputs) if image.outputs else 0)
        self.replied.append(replied)
        self.output_free = replied + 1
        if image.learn:
            self._learn(jobs, outputs)
        return tuple(tuple(latches) for job in jobs for latches in job.latched)

    def _learn(self, jobs: Sequence[Job], outputs: Sequence[int]) -> None:
        """The verdict comes to all arrays, and errors from the last one to the first."""
        errors = [clock + 1 + QUEUE_LATENCY for clock in outputs]
        for array, job in zip(reversed(self.arrays), reversed(jobs), strict=True):
            if not job.learn:
                continue
            array.tell("verdict", outputs[-1] + VERDICT_LATENCY)
            if job.image.error:
                job.errors = errors
                array.tell("errors", 0)
            array.advance()
            errors = array.back.popleft() if array.back else []


def answers(design: Design, images: Iterable[Image]) -> list[int]:
    """The clock of each image's reply, all sent without pause; the first header is taken in clock 0."""
    timing = Timing(design)
    return [timing.add(image).answered for image in images]
