"""``TimeSharedTiming``: the clock of every event of a core with a time-shared array, by recursion, without simulating it."""
from __future__ import annotations

from collections.abc import Iterable

from golden_model.network import POPULATIONS
from hdl import activation_list, image_buffer
from hdl.design import Design
from hdl.layer_design import LayerDesign
from hdl.time_shared.sequencer import DRAIN, ISSUE_PHASES, UPDATED
from hdl.timing import QUEUE_LATENCY, Image, LayerClocks, Timing

CLOCKS_PER_ERROR = 2                      # of a layer before the last one: its errors come from a memory


class TimeSharedTiming(Timing):
    """As ``Timing``, for a design of arrangement ``time-shared``: one image at a time, one layer after the other."""

    def __init__(self, design: Design) -> None:
        self.released: list[int] = []
        self.settling = 2 * design.network.integration.steps * design.layers[0].phases
        self.phases = design.layers[0].phases
        super().__init__(design)

    def _layers(self) -> list[LayerClocks]:
        return []                                                   # layers have no machines of their own

    def _released(self) -> list[int]:
        return self.released

    def _work(self, image: Image, available: int) -> tuple[tuple[int, ...], ...]:
        layers = self.design.layers
        learn = image.learn and any(layer.learns for layer in layers)
        clock = max(available, self.released[-1] + 1 if self.released else 0)       # main is idle, and sees the image
        items = [image.nonzero + 1, *(sum(map(bool, values)) + 1 for values in image.hidden)]
        latched: list[tuple[int, ...]] = []
        outputs: list[int] = []
        for layer, count in zip(layers, items, strict=True):
            latches: list[int] = []
            start, main = clock + 1, clock + 2                       # START; LINKS
            outputs = []
            for fold in range(layer.folds):
                full = self._play(layer, start, count, latches[-1:]) + 1 + DRAIN
                latch = max(main, full)
                latches.append(latch)
                scan = latch + self.settling + 1                     # SETTLED
                if layer.last and fold == 0:
                    scan = max(scan, self.output_free)
                size = layer.fold_size(fold)
                outputs += range(scan + 1, scan + 1 + size)
                clock = outputs[-1] + (POPULATIONS if learn else 0)  # the last clock of this fold
                start, main = latch, clock + 1
            latched.append(tuple(latches))
        self._reply(outputs, image)
        if learn:
            verdict = max(clock + 1, outputs[-1] + 2 + 1)
            clock = self._reversed(verdict, outputs, items) if image.error else verdict
        self.released.append(clock)
        return tuple(latched)

    def _play(self, layer: LayerDesign, start: int, count: int, latch: Iterable[int]) -> int:
        """The clock in which the last of ``count`` inputs is taken; ``latch``: of the settling under way, if there is one."""
        clock = start + (activation_list.LATENCY if layer.index else image_buffer.LATENCY) - 1
        for _ in range(count):
            clock += 1
            for begun in latch:
                settled = clock - begun - 1
                phase = settled % self.phases
                if 0 <= settled < self.settling and phase not in ISSUE_PHASES:
                    clock += ISSUE_PHASES.start - phase
        return clock

    def _reversed(self, verdict: int, outputs: list[int], items: list[int]) -> int:
        """Reverse circuit, reverse links and updates of all layers; the last clock of the image."""
        layers = self.design.layers
        errors = [clock + 1 + QUEUE_LATENCY for clock in outputs]
        clock = verdict                                              # the last one before ERRORS
        for layer, count in zip(reversed(layers), reversed(items), strict=True):
            if not layer.learns:
                continue
            neuron = 0
            for fold in range(layer.folds):
                size = layer.fold_size(fold)
                if layer.last:
                    for earliest in errors[neuron:neuron + size]:
                        clock = max(clock + 1, earliest)
                else:
                    clock += CLOCKS_PER_ERROR * size
                neuron += size
                settled = clock + DRAIN + 1 + self.settling + 1      # SETTLED
                update = settled + (1 + layer.inputs if layer.reverses else 0) + 1        # UPDATE_START
                latency = activation_list.LATENCY if layer.index else image_buffer.LATENCY
                first = update + latency + (latency + 1) % 2         # a word is fetched in every second clock
                clock = first + 2 * (count - 1) + UPDATED
        return clock
