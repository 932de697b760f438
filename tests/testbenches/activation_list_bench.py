"""cocotb testbench of the list between two layers: images written with pauses, played, broken off, played again, released.

Settings: ``inputs``, ``bits``; ``images``, how many; ``stalls``, how often each side hesitates; ``seed``. Every play must give
the nonzero displacements of its image in their order. Where nobody hesitates, each item must come in the first clock in which
``LATENCY`` and ``THROUGH`` allow it.
"""
from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import signed
from amaranth.lib import data

from hdl.activation_list import LATENCY, THROUGH
from testbenches.cases import each_case
from testbenches.ports import Packing, Ports

PATIENCE = 20_000                         # clocks in which everything must be done
OPTIONAL = ("items_index",)

Item = tuple[int, int, int]               # index, value, last


@dataclass(kw_only=True)
class Image:
    """Displacements, whether the image is to be learnt, and the clock in which each displacement was written."""

    values: list[int]
    learn: int
    written: list[int] = field(default_factory=list)

    def items(self) -> list[Item]:
        return [(index, value, 0) for index, value in enumerate(self.values) if value] + [(len(self.values), 0, 1)]

    def earliest(self) -> list[int]:
        """For each item, the clock from which it can be on offer."""
        return [clock + THROUGH for clock, value in zip(self.written, self.values, strict=True) if value] + [
            self.written[-1] + THROUGH]


class Writer:
    """Writes the images one after the other, the first displacement of each only after it saw a free bank."""

    def __init__(self, ports: Ports, chance: random.Random, stalls: float, images: list[Image], packing: Packing) -> None:
        self.ports, self.chance, self.stalls, self.packing = ports, chance, stalls, packing
        self.left, self.clock = list(images), 0
        self.free = self.closes = False
        self.written: list[Image] = []    # at least one displacement
        self.waits = 0                    # clocks without a free bank

    def drive(self) -> None:
        self.clock += 1
        image = self.left[0] if self.left else None
        writes = image is not None and (bool(image.written) or self.free) and self.chance.random() >= self.stalls
        word = {"value": 0, "last": 0, "learn": 0}
        if writes and image is not None:
            place = len(image.written)
            word = {"value": image.values[place], "last": int(place == len(image.values) - 1), "learn": image.learn}
            if not place:
                self.written.append(image)
            image.written.append(self.clock)
            if word["last"]:
                self.left.pop(0)
        self.closes = bool(word["last"])
        self.ports.set(written_valid=writes, written=self.packing.pack(word))

    def look(self) -> None:
        self.free = bool(self.ports.get("free")) and not self.closes       # it speaks of the next image a clock after the last
        self.waits += bool(self.left) and not self.left[0].written and not self.free


class Player:
    """Plays what is available once or more, sometimes breaks off, releases; compares every item."""

    def __init__(self, ports: Ports, chance: random.Random, stalls: float, writer: Writer, coverage: Counter[str]) -> None:
        self.ports, self.chance, self.stalls, self.writer, self.coverage = ports, chance, stalls, writer, coverage
        self.available = self.playing = self.released = False
        self.items: list[Item] = []
        self.clocks: list[int] = []
        self.started = self.plays = self.number = 0
        self.offered: Item | None = None                                   # of the clock before, not taken
        self.start = self.release = self.ready = False

    def drive(self) -> None:
        hesitates = self.chance.random() < self.stalls
        self.start = self.release = self.ready = False
        if self.playing:
            self.ready = not hesitates
            if self.stalls and self.chance.random() < 0.02:
                self.start, self.coverage["broken off"] = True, self.coverage["broken off"] + 1
            elif self.ready and self.offered is not None and self.offered[2] and self.chance.random() < 0.5:
                self.release = True
                self.coverage["released with the last item"] += 1
        elif self.available and not hesitates:
            if self.plays and self.chance.random() < 0.6:
                self.release, self.coverage["released later"] = True, self.coverage["released later"] + 1
            else:
                self.start, self.coverage["played again"] = True, self.coverage["played again"] + bool(self.plays)
        self.ports.set(items_ready=self.ready, start=self.start, release=self.release)

    def look(self) -> None:
        ports, clock = self.ports, self.writer.clock
        image = self.writer.written[self.number] if self.number < len(self.writer.written) else None
        result = (ports.get("items_index"), ports.signed("items_value"), ports.get("items_last"))
        offered = result if ports.get("items_valid") else None
        assert offered is None or self.playing, f"nothing must be on offer in clock {clock}, before a start or after the end"
        if self.offered is not None and self.playing:
            assert offered == self.offered, f"what waits must stay {self.offered}, not become {offered}"
        self.offered = offered
        if offered is not None and self.ready:
            assert image is not None
            self._take(image, offered, clock)
        if self.start:
            self.items, self.clocks, self.offered, self.playing, self.started = [], [], None, True, clock
            self.plays += 1
        if self.release:
            assert not self.playing, "a list must be played to its end before it is released"
            self.number, self.plays = self.number + 1, 0
        following = self.writer.written[self.number:self.number + 1]
        self.available = bool(ports.get("available")) and not self.release
        if self.available:
            assert following, "an image can only be available once it is being written"
            learn = ports.get("learn")
            assert learn == following[0].learn, f"learn of image {self.number} must be {following[0].learn}, not {learn}"

    def _take(self, image: Image, item: Item, clock: int) -> None:
        right = image.items()[len(self.items)]
        assert item == right, f"item {len(self.items)} of image {self.number} must be {right}, not {item}"
        self.items.append(item)
        self.clocks.append(clock)
        self.offered = None
        self.coverage["played while it is written"] += len(image.written) < len(image.values)
        if not item[2]:
            return
        self.playing = False
        self.coverage["all zero"] += len(self.items) == 1
        self.coverage["none zero"] += len(self.items) == len(image.values) + 1
        if not self.stalls:
            due, clocks = self.started + LATENCY - 1, []
            for earliest in image.earliest():
                due = max(due + 1, earliest)
                clocks.append(due)
            assert self.clocks == clocks, f"items of image {self.number} must come in clocks {clocks}, not {self.clocks}"
            self.coverage["on time"] += 1


def image_of(chance: random.Random, inputs: int, bits: int) -> Image:
    most, zeros = 1 << bits - 1, chance.choice([0, 0.4, 0.9, 1])
    values = [0 if chance.random() < zeros else chance.choice([-most, most - 1, -1, chance.randrange(-most, 0)])
              for _ in range(inputs)]
    return Image(values=values, learn=chance.randrange(2))


@each_case
async def every_play_is_the_list_of_its_image(dut: Any, options: Any) -> None:
    coverage = Counter[str]()
    inputs, bits, stalls = options["inputs"], options["bits"], options["stalls"]
    chance, ports = random.Random(options["seed"]), Ports(dut, OPTIONAL)
    images = [image_of(chance, inputs, bits) for _ in range(options["images"])]
    packing = Packing(data.StructLayout({"value": signed(bits), "last": 1, "learn": 1}))
    writer = Writer(ports, chance, stalls, images, packing)
    player = Player(ports, chance, stalls, writer, coverage)
    await ports.start(written_valid=0, written=0, start=0, release=0, items_ready=0)
    for _ in range(PATIENCE):
        writer.drive()
        player.drive()
        await ports.settled()
        writer.look()
        player.look()
        await ports.tick()
        if player.number == len(images):
            break
    else:
        raise AssertionError(f"all images must be played within {PATIENCE} clocks, not {player.number}")
    coverage["both banks full"] += writer.waits
    assert not player.available, "nothing must be available when all images are released"
    goals = ["all zero", "none zero", "both banks full", "played again", "released later"]
    goals += ["broken off", "released with the last item"] if stalls else ["on time"]
    goals += ["played while it is written"] if inputs > THROUGH + 1 else []
    assert all(coverage[name] for name in goals), f"each of {goals} must occur: {coverage}"
