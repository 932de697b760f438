"""What surrounds a layer: the list that it plays, the receiver of its outputs, and who says what is to be learnt.

Each side sets its inputs at the beginning of a clock (``drive``) and looks at the outputs at its end (``look``). All of them
hesitate with a given probability, and keep the rules of ``hdl.image_buffer.source_ports`` and ``hdl.sequencer``.
"""
from __future__ import annotations

import random
from dataclasses import dataclass, field

from hdl.activation_list import LATENCY
from hdl.layer_design import LayerDesign
from hdl.scan import output_layout
from testbenches.ports import Packing, Ports

Item = tuple[int, int, int]               # index, value, last


@dataclass(kw_only=True)
class Image:
    """An image as a layer meets it; ``errors`` None: it had none, or is not learnt."""

    inputs: list[int]
    learn: bool = False
    errors: list[int] | None = None
    plays: int = 0
    outputs: list[int] = field(default_factory=list)
    flags: list[tuple[int, int]] = field(default_factory=list)            # last and learn of each output

    def items(self) -> list[Item]:
        return [(index, value, 0) for index, value in enumerate(self.inputs) if value] + [(len(self.inputs), 0, 1)]


class Source:
    """Plays the list of the first image that is not released yet, as often as it is asked, ``LATENCY`` clocks after it is."""

    def __init__(self, ports: Ports, chance: random.Random, stalls: float) -> None:
        self.ports, self.chance, self.stalls = ports, chance, stalls
        self.waiting: list[Image] = []
        self.list: list[Item] = []
        self.offered, self.wait = False, 0

    def drive(self) -> None:
        ports = self.ports
        self.wait -= self.wait > 0
        self.offered = bool(self.list) and not self.wait and (self.offered or self.chance.random() >= self.stalls)
        index, value, last = self.list[0] if self.offered else (0, 0, 0)
        ports.set(available=bool(self.waiting), learn=bool(self.waiting) and self.waiting[0].learn, items_valid=self.offered,
                  items_index=index, items_value=value, items_last=last)

    def look(self) -> None:
        ports = self.ports
        if self.offered and ports.get("items_ready"):
            self.list.pop(0)
            self.offered = False
        start, release = ports.get("start"), ports.get("release")
        assert not (start and release), "start and release must not come together"
        if start or release:
            assert self.waiting, "only an image that is available can be started or released"
        if start:
            self.list, self.offered, self.wait = self.waiting[0].items(), False, LATENCY
            self.waiting[0].plays += 1
        if release:
            assert not self.list, "a list must be played to its end before it is released"
            self.waiting.pop(0)


class Sink:
    """Takes outputs. After the last one of an image that is learnt it says whether there was an error, and sends errors."""

    def __init__(self, ports: Ports, chance: random.Random, stalls: float, layer: LayerDesign) -> None:
        self.ports, self.chance, self.stalls, self.learns = ports, chance, stalls, layer.learns
        self.packing = Packing(output_layout(layer.formats))
        self.expected: list[Image] = []
        self.done: list[Image] = []
        self.free = True
        self.verdict_in = 0                                               # clocks; 0: none is due
        self.judged: Image | None = None
        self.errors: list[int] = []
        self.offered = False
        self.amid = False
        self.waits = 0                                                    # clocks in which an output had to wait, at least

    def drive(self) -> None:
        ports = self.ports
        if not self.amid:
            self.free = self.chance.random() >= self.stalls
            self.waits += not self.free
        verdict = self.verdict_in == 1
        self.verdict_in -= self.verdict_in > 0
        error = False
        if verdict and self.judged is not None and self.judged.errors is not None:
            error, self.errors = True, list(self.judged.errors)
        self.offered = bool(self.errors) and not verdict and (self.offered or self.chance.random() >= self.stalls)
        ports.set(outputs_free=self.free and not self.amid, verdict=verdict, verdict_error=error, errors_valid=self.offered,
                  errors_data=self.errors[0] if self.offered else 0)

    def look(self) -> None:
        ports = self.ports
        if self.offered and ports.get("errors_ready"):
            self.errors.pop(0)
            self.offered = False
        if not ports.get("outputs_valid"):
            return
        assert self.expected, "an output of an image that was not given"
        image = self.expected[0]
        result = self.packing.unpack(ports.get("outputs"))
        last, learn = result["last"], result["learn"]
        image.outputs.append(result["value"])
        image.flags.append((last, learn))
        self.amid = not last
        if last:
            self.done.append(self.expected.pop(0))
            if learn and self.learns:
                self.judged = image
                self.verdict_in = 2 + int(self.chance.random() * 10 * (self.stalls > 0))


def flags(neurons: int, learn: bool) -> list[tuple[int, int]]:
    """What must come beside the outputs of an image."""
    return [(int(place == neurons - 1), int(learn)) for place in range(neurons)]
