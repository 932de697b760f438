"""``Timing``: the clock of every event of a core, by recursion from image to image, without simulating it.

The machines of a layer (``hdl.sequencer``) wait for one another at a few places only; between them everything takes a known
number of clocks. So the timing is maxima and sums of clocks. It equals the circuit to the clock as long as words come and
replies are taken without pause.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from golden_model.errors import InputError
from golden_model.network import POPULATIONS
from hdl import activation_list, adder_tree, image_buffer
from hdl.array import output_latency
from hdl.control import control_latency
from hdl.design import Design
from hdl.half_step import HALF_STEPS, issue_phases
from hdl.items import product_latency
from hdl.layer_design import LayerDesign
from hdl.operations import PARALLEL
from hdl.sequencer import DRAIN, GATE_CLOCKS, RESTORED, SCAN_REST, WRITE_LATENCY

QUEUE_LATENCY = 2                         # clocks from an error's write to its being on offer
ANSWER_LATENCY = 3                        # clocks from the last output to the reply's first word
CLOCKS_PER_OUTPUT = 2                     # of a reply with outputs
BETWEEN = 1                               # clocks of the register between two parts of a core


@dataclass(frozen=True, kw_only=True)
class Image:
    """What the timing must know of an image; ``check`` raises ``InputError`` if it does not fit a design.

    ``nonzero``: inputs that are not 0. ``hidden``: for each layer but the last, which of its outputs are not 0. ``learn``:
    it is learnt; ``error``: and has an error. ``outputs``: they are asked for.
    """

    nonzero: int
    hidden: tuple[Sequence[bool], ...]
    learn: bool = False
    error: bool = False
    outputs: bool = False

    def check(self, design: Design) -> None:
        layers = design.network.layers
        if not 0 <= self.nonzero <= layers[0]:
            raise InputError(f"nonzero must be 0 to {layers[0]}, the inputs of the network, not {self.nonzero}")
        sizes = tuple(len(values) for values in self.hidden)
        if sizes != layers[1:-1]:
            raise InputError(f"hidden must tell of {list(layers[1:-1])} outputs, not {list(sizes)}")
        if self.learn and not design.learns:
            raise InputError("learn must be False for a core that only infers; estimate a core that learns")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Clocks of one image, counted from the first word of the first image. ``answered``: the reply's last word is taken.

    ``started``: its header is taken. ``latched``: for each layer and fold, the clock in which its drives are latched.
    ``finished``: layer 0 is done with it, and the next image finds the parameters that it left.
    """

    started: int
    answered: int
    latched: tuple[tuple[int, ...], ...]
    finished: int


def _latest(ready: Sequence[int]) -> list[int]:
    """From each item on, the greatest of ready[j] - j: with one item a clock, none is waited for from that clock on."""
    return list(accumulate((ready[j] - j for j in reversed(range(len(ready)))), max))[::-1]


class LayerClocks:
    """Where one layer's machines stand: the first clock at which each is free for the next image."""

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        self.list_latency = activation_list.LATENCY if layer.index else image_buffer.LATENCY
        self.output_latency = control_latency(layer) + output_latency(layer)
        self.settling = 2 * layer.network.integration.steps * layer.phases
        self.issue_phases = issue_phases(PARALLEL, HALF_STEPS[layer.design.kind])
        self.links_free = self.main_free = self.scan_free = 0
        self.latch = -self.settling - 1               # of the forward settling that may be under way
        self.released: list[int] = []                 # clock in which the source is told of each image's release
        self.latched: list[int] = []
        self.waiting = 0                              # for the verdict, from this clock on

    def play(self, start: int, ready: Sequence[int], latest: Sequence[int]) -> int:
        """The clock in which the last item is taken. Item j is on offer from ready[j] on; ``latest`` is ``_latest(ready)``."""
        clock = start + self.list_latency - 1
        for number, earliest in enumerate(ready):
            if latest[number] <= clock + 1 - number:          # none that is left is ever waited for
                return self._taken(clock + 1, len(ready) - number)
            clock = self._taken(max(clock + 1, earliest), 1)
        return clock

    def _taken(self, clock: int, items: int) -> int:
        """The clock in which the last of so many items is taken if all are on offer from ``clock`` on: one a clock, but while
        the layer settles only in those in which the multiplier has time for an input."""
        begins, issue_phases = self.latch + 1, len(self.issue_phases)
        if clock < begins:                                    # those that come before it settles
            items -= begins - clock
            if items <= 0:
                return begins + items - 1
            clock = begins
        half_steps, phase = divmod(min(clock - begins, self.settling), self.layer.phases)
        # such clocks, from its beginning on
        passed = half_steps * issue_phases + sorted((0, phase - self.issue_phases.start, issue_phases))[1]
        left = self.settling // self.layer.phases * issue_phases - passed
        if items > left:
            return max(clock, begins + self.settling) + items - left - 1
        half_steps, issue_phase = divmod(passed + items - 1, issue_phases)
        return begins + half_steps * self.layer.phases + self.issue_phases.start + issue_phase

    def forward(self, available: int, ready: Sequence[int], outputs_free: int, learn: bool) -> list[int]:
        """Links, settling and scan of one image; the clock of each output."""
        layer = self.layer
        start = max(self.links_free, available)
        outputs: list[int] = []
        self.latched, latest = [], _latest(ready)
        for fold in range(layer.folds):
            last = self.play(start, ready, latest)
            self.latch = start = max(last + 1 + DRAIN, self.main_free)
            self.latched.append(self.latch)
            scan = max(self.latch + self.settling + 1, self.scan_free, outputs_free if fold == 0 else 0)
            first = scan + 1 + self.output_latency
            outputs += range(first, first + layer.fold_size(fold))
            self.scan_free = outputs[-1] + 1 + SCAN_REST
            self.main_free = scan + 1 + (POPULATIONS if learn and layer.saves_state else 0)
        if learn:
            self.waiting = self.main_free + (0 if layer.saves_state else GATE_CLOCKS)
        else:
            self.released.append(last + BETWEEN)
            self.links_free = self.latch + 1
        return outputs

    def learnt(self, clock: int) -> None:
        """The image in learning is finished in this clock."""
        self.released.append(clock + BETWEEN)
        self.links_free = self.main_free = clock + 1

    def learn(self, verdict: int, errors: Sequence[int], items: int) -> list[int]:
        """Reverse circuit, reverse links and update; the clock in which each error of the layer before is on offer."""
        layer = self.layer
        clock, neuron = max(verdict, self.waiting) + 1, 0
        backward = 0
        for fold in range(layer.folds):
            if layer.saves_state:
                clock += RESTORED + POPULATIONS
            for earliest in errors[neuron:neuron + layer.fold_size(fold)]:
                clock = max(clock, earliest) + 1
            neuron += layer.fold_size(fold)
            backward = clock + DRAIN + self.settling + 1
            update = backward + 1 + (layer.inputs if layer.reverses else 0)
            clock = update + self.list_latency + items + WRITE_LATENCY
        self.learnt(clock - 1)
        if not layer.reverses:
            return []
        first = backward + 1 + product_latency(layer) + adder_tree.levels(layer.units) + 2 + QUEUE_LATENCY
        return list(range(first, first + layer.inputs))


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
        self.layers = self._layers()
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
        started, number = self.header, len(self.replied)
        released = self._released()
        first = max(started + 1, released[number - 2] + 1 if number > 1 else 0,
                    self.replied[number - self.flight] + 1 if number >= self.flight else 0)
        committed = first + self.words - 1
        self.header = committed + 1
        latched = self._work(image, committed + 1)
        return Event(started=started, answered=self.replied[-1] + 1, latched=latched, finished=self._released()[-1])

    def _layers(self) -> list[LayerClocks]:
        return [LayerClocks(layer) for layer in self.design.layers]

    def _released(self) -> list[int]:
        """The clock of each image's release."""
        return self.layers[0].released

    def _work(self, image: Image, available: int) -> tuple[tuple[int, ...], ...]:
        """One image from the clock on in which it is there, reply included; the latches of its folds by layer."""
        number, ready = len(self.replied), [0] * (image.nonzero + 1)
        counts = []
        outputs: list[int] = []
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=True):
            if number:
                available = max(available, layer.released[-1] + 1)
            free = self.output_free + BETWEEN
            if following is not None:
                free = following.released[number - 2] + 1 + BETWEEN if number > 1 else 0
            outputs = [clock + BETWEEN for clock in layer.forward(available, ready, free, image.learn and layer.layer.learns)]
            counts.append(len(ready))
            if following is not None:
                nonzero = image.hidden[layer.layer.index]
                through = activation_list.THROUGH
                ready = [clock + through for clock, value in zip(outputs, nonzero, strict=True) if value] + [
                    outputs[-1] + through]
                available = outputs[0] + 1
        self._reply(outputs, image)
        if image.learn:
            self._learn(outputs, image.error, counts)
        return tuple(tuple(layer.latched) for layer in self.layers)

    def _reply(self, outputs: list[int], image: Image) -> None:
        replied = outputs[-1] + ANSWER_LATENCY - 1 + (CLOCKS_PER_OUTPUT * len(outputs) if image.outputs else 0)
        self.replied.append(replied)
        self.output_free = replied + 1

    def _learn(self, outputs: list[int], error: bool, counts: list[int]) -> None:
        verdict = outputs[-1] + 2
        errors = [clock + 1 + QUEUE_LATENCY for clock in outputs]
        for layer, count in zip(reversed(self.layers), reversed(counts), strict=True):
            if not layer.layer.learns:
                continue
            if error:
                errors = layer.learn(verdict, errors, count)
            else:
                layer.learnt(max(verdict, layer.waiting))


def create(design: Design) -> Timing:
    """The timing for this design's arrangement."""
    from hdl.time_shared.timing import TimeSharedTiming  # which is made of this module
    return TimeSharedTiming(design) if design.arrangement == "time-shared" else Timing(design)


def answers(design: Design, images: Iterable[Image]) -> list[int]:
    """The clock of each image's reply, all sent without pause; the first header is taken in clock 0."""
    timing = create(design)
    return [timing.add(image).answered for image in images]
