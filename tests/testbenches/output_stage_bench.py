"""cocotb testbench of the output stage: outputs of images come with pauses; classes, answers, errors and verdicts are compared.

Settings: ``network`` (JSON), ``learns``; ``images``, how many; ``stalls``, how often each side hesitates; ``seed``. The
scoreboard is ``learning.output_error`` of the golden model and the first of the greatest outputs.
"""
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden_model.arithmetic import Fixed
from golden_model.learning import output_error
from golden_model.network import Network
from hdl.design import Design
from hdl.layer_design import LayerDesign
from hdl.scan import output_layout
from testbenches.cases import each_case
from testbenches.ports import Packing, Ports

PATIENCE = 60_000                         # clocks in which everything must be done
OPTIONAL = ("job_label",)                 # of a single neuron
VERDICT_LATENCY = 1                       # clocks from the last output to the verdict

Word = tuple[int, int, int, int]          # of an answer: value, last, first, changed


@dataclass(kw_only=True)
class Image:
    """Outputs of one image, what is to be done with it, and what must come out."""

    outputs: list[int]
    label: int
    learn: int
    want_outputs: int
    errors: list[int]

    @property
    def answer(self) -> list[Word]:
        changed = int(self.learn and any(self.errors))
        words = [self.outputs.index(max(self.outputs)), *(self.outputs if self.want_outputs else [])]
        return [(word, int(place == len(words) - 1), int(place == 0), changed) for place, word in enumerate(words)]


class Images:
    """Random images of a last layer: outputs at the margins and limits, about half of them without an error."""

    def __init__(self, layer: LayerDesign, learns: bool, chance: random.Random, coverage: Counter[str]) -> None:
        self.layer, self.learns, self.chance, self.coverage = layer, learns, chance, coverage
        self.arithmetic, self.s = Fixed(layer.network), layer.formats.displacement
        self.margin = self.s.exact(layer.network.learning.margin, "learning.margin")

    def _word(self, least: int, greatest: int) -> int:
        near = [least, greatest, self.margin, -self.margin, self.margin - 1, 1 - self.margin, 0]
        word = self.chance.choice([*near, self.chance.randint(least, greatest)])
        return min(greatest, max(least, word))

    def image(self) -> Image:
        chance, s, neurons = self.chance, self.s, self.layer.neurons
        label = chance.randrange(neurons)
        outputs = [self._word(s.least, s.greatest) for _ in range(neurons)]
        if chance.random() < 0.5:
            outputs = [self._word(s.least, -self.margin) for _ in range(neurons)]
            outputs[label] = self._word(self.margin, s.greatest)
            if chance.random() < 0.4:                                      # one output alone is off its margin, by one
                outputs[-1] = self.margin - 1 if label == neurons - 1 else 1 - self.margin
        result = output_error(self.arithmetic, np.array([outputs]), np.array([label]), self.layer.index)[0]
        image = Image(outputs=outputs, label=label, learn=int(self.learns and chance.random() < 0.7),
                      want_outputs=chance.randrange(2), errors=[int(error) for error in result])
        to = self.layer.formats.error
        if image.learn:
            self.coverage["learnt" if any(image.errors) else "without error"] += 1
            self.coverage["error at a limit"] += bool({to.least, to.greatest} & set(image.errors))
            self.coverage["last output alone errs"] += image.errors[-1] != 0 and not any(image.errors[:-1])
        else:
            self.coverage["inferred"] += 1
        self.coverage["with outputs" if image.want_outputs else "class alone"] += 1
        self.coverage["greatest twice"] += outputs.count(max(outputs)) > 1
        return image


class Layer:
    """The layer before the unit, and its commands: jobs, outputs, and who takes the errors. One image is learnt at a time."""

    def __init__(self, ports: Ports, chance: random.Random, stalls: float, images: Sequence[Image], packing: Packing) -> None:
        self.ports, self.chance, self.stalls, self.packing = ports, chance, stalls, packing
        self.jobs, self.left, self.place = list(images), list(images), 0
        self.free = self.offers = self.writes = self.takes = False
        self.due: dict[int, Image] = {}                                    # verdicts by clock
        self.errors: list[int] = []                                        # still to come, of the image in learning
        self.waiting: int | None = None                                    # what is on offer and not taken
        self.clock = 0
        self.waits = 0

    def drive(self) -> None:
        self.clock += 1
        self.offers = bool(self.jobs) and (self.offers or self.chance.random() >= self.stalls)
        job = self.jobs[0] if self.jobs else None
        begins = self.place > 0 or (self.free and not self.errors and not self.due)
        self.writes = bool(self.left) and begins and self.chance.random() >= self.stalls
        word = {"value": 0, "last": 0, "learn": 0}
        if self.writes:
            image = self.left[0]
            last = self.place == len(image.outputs) - 1
            word = {"value": image.outputs[self.place], "last": int(last), "learn": image.learn}
            self.place = 0 if last else self.place + 1
            if last:
                self.left.pop(0)
                if image.learn:
                    self.due[self.clock + VERDICT_LATENCY] = image
        self.takes = bool(self.errors) and self.chance.random() >= self.stalls
        self.ports.set(job_valid=self.offers, job_learn=job.learn if job else 0, job_label=job.label if job else 0,
                       job_want_outputs=job.want_outputs if job else 0, outputs_valid=self.writes,
                       outputs=self.packing.pack(word), errors_ready=self.takes)

    def look(self) -> None:
        ports = self.ports
        self.free = bool(ports.get("outputs_free")) and not self.writes
        self.waits += not self.free
        if self.offers and ports.get("job_ready"):
            self.jobs.pop(0)
            self.offers = False
        if ports.get("errors_valid") and self.errors:                      # on offer early: who learns awaits the verdict
            result = ports.signed("errors_data")
            assert result == self.errors[0], f"the next error must be {self.errors[0]}, not {result}"
            if self.takes:
                self.errors.pop(0)
        image = self.due.pop(self.clock, None)
        verdict = ports.get("verdict")
        assert verdict == (image is not None), f"a verdict must come {VERDICT_LATENCY} clock after an image to learn: {verdict}"
        if image is not None:
            right = any(image.errors)
            result = ports.get("verdict_error")
            assert result == right, f"the verdict on errors {image.errors} must be {right}, not {result}"
            self.errors = list(image.errors) if right else []


class Host:
    """Takes the answers."""

    def __init__(self, ports: Ports, chance: random.Random, stalls: float, images: Sequence[Image]) -> None:
        self.ports, self.chance, self.stalls = ports, chance, stalls
        self.expected = [word for image in images for word in image.answer]
        self.taken, self.ready, self.waits = 0, False, 0
        self.waiting: Word | None = None

    def drive(self) -> None:
        self.ready = self.chance.random() >= self.stalls
        self.ports.set(result_ready=self.ready)

    def look(self) -> None:
        ports = self.ports
        if not ports.get("result_valid"):
            assert self.waiting is None, f"the answer {self.waiting} must stay until it is taken"
            return
        value, first = ports.signed("result_value"), ports.get("result_first")
        word = value, ports.get("result_last"), first, ports.get("result_changed")
        assert self.taken < len(self.expected), f"no answer must come unasked: {word}"
        right = self.expected[self.taken]
        assert word == right, f"word {self.taken} of the answers must be {right}, not {word}"
        self.waiting = None if self.ready else word
        self.waits += not self.ready
        self.taken += self.ready


@each_case
async def answers_errors_and_verdicts_are_those_of_the_golden_model(dut: Any, options: Any) -> None:
    coverage = Counter[str]()
    layer = Design(network=Network.from_json(options["network"]), learns=options["learns"]).layers[-1]
    chance, stalls = random.Random(options["seed"]), options["stalls"]
    source = Images(layer, options["learns"], chance, coverage)
    images = [source.image() for _ in range(options["images"])]
    ports = Ports(dut, OPTIONAL)
    before = Layer(ports, chance, stalls, images, Packing(output_layout(layer.formats)))
    host = Host(ports, chance, stalls, images)
    await ports.start(job_valid=0, job_learn=0, job_label=0, job_want_outputs=0, outputs_valid=0, outputs=0, errors_ready=0,
                      result_ready=0)
    rest = 0
    for _ in range(PATIENCE):
        before.drive()
        host.drive()
        await ports.settled()
        before.look()
        host.look()
        done = not (before.left or before.jobs or before.due or before.errors) and host.taken == len(host.expected)
        rest = rest + 1 if done else 0
        idle = ports.get("idle")
        assert not (idle and before.place > before.writes), "it must not be idle after the first output of an image"
        await ports.tick()
        if rest > 2 * layer.neurons + 4:
            break
    else:
        raise AssertionError(f"all images must be answered within {PATIENCE} clocks, not {host.taken} words")
    assert idle, "it must be idle in the end"
    goals = ["inferred", "with outputs", "class alone", "greatest twice"]
    goals += ["learnt", "without error", "last output alone errs"] if options["learns"] else []
    if options["learns"] and layer.formats.error.bits <= layer.formats.displacement.bits:
        goals.append("error at a limit")
    if layer.neurons == 1:
        goals.remove("greatest twice")
    assert all(coverage[name] for name in goals), f"each of {goals} must occur: {coverage}"
    assert (host.waits > 0) == (stalls > 0), "the host must hesitate if it is told to"
