"""cocotb testbench of adder trees side by side: sums of random and extreme products over all folds, and when they come.

Settings: ``trees``, a table of name to {``network``: its JSON, ``units``, ``arrangement``}; ``passes``, how often all inputs
are summed; ``seed``. The scoreboard is ``Fixed.error``. Errors of a layer of its own must come in the clock in which they are
due, and in no other; those of a time-shared array when they are asked for, of a layer while those of the next are summed.
"""
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Generator
from typing import Any

import numpy as np

from golden_model.arithmetic import Fixed
from golden_model.network import Network
from hdl.adder_tree import levels
from hdl.design import Design
from hdl.layer_design import LayerDesign
from testbenches.cases import each_case
from testbenches.ports import Ports

Clocks = Generator[dict[str, int], int | None, None]      # yields inputs, is sent the error of this clock
PATIENCE = 20                             # clocks that an error may take, with receivers that hesitate
BETWEEN_FOLDS = 3                         # clocks at least: a fold settles before the next one's products come


class Tree:
    """One tree of ``units``, and its scoreboard."""

    def __init__(self, name: str, options: dict[str, Any], seed: int) -> None:
        self.name, self.chance, self.coverage = name, random.Random(f"{seed} {name}"), Counter[str]()
        network = Network.from_json(options["network"])
        self.array = Design(network=network, units=tuple(options["units"]), arrangement=options["arrangement"]).arrays[-1]
        self.arithmetic = Fixed(network)
        self.idle = {"valid": 0, "first": 0} | {f"products_{unit}": 1 for unit in range(self.array.units)}

    def products(self, layer: LayerDesign, extreme: int, fold: int) -> list[int]:
        """Weight times reverse signal of each unit; units without a neuron give zero."""
        weight, signal = layer.formats.weight, layer.formats.displacement
        words = []
        for unit in range(self.array.units):
            if unit >= layer.fold_size(fold):
                words.append(0)
            elif extreme:
                words.append(weight.least * (signal.least if extreme > 0 else signal.greatest))
            else:
                word = self.chance.randint(weight.least, weight.greatest) * self.chance.randint(signal.least, signal.greatest)
                words.append(word >> self.chance.choice([0, 2, 6]))
        return words

    def extremes(self, layer: LayerDesign) -> list[int]:
        return [self.chance.choice([0, 0, 1, -1]) for _ in range(layer.inputs)]

    def error(self, layer: LayerDesign, total: int) -> int:
        error, to = int(self.arithmetic.error(np.array(total), layer.index - 1)), layer.formats.error
        self.coverage["least" if error == to.least else "greatest" if error == to.greatest else "between"] += 1
        return error


class TreeAtOnce(Tree):
    """What it is given in which clock, and what must come out when."""

    def __init__(self, name: str, options: dict[str, Any], passes: int, seed: int) -> None:
        super().__init__(name, options, seed)
        self.idle |= {"last": 0}
        self.stimuli: dict[int, dict[str, int]] = {}
        self.due: dict[int, int] = {}
        self.clock = 1
        for _ in range(passes):
            self._pass(self.array.first)

    def _pass(self, layer: LayerDesign) -> None:
        hesitation, extreme, sums = self.chance.choice([0, 0, 0.4]), self.extremes(layer), [0] * layer.inputs
        for fold in range(layer.folds):
            for place in range(layer.inputs):
                while self.chance.random() < hesitation:
                    self.clock += 1
                products = self.products(layer, extreme[place], fold)
                sums[place] += sum(products)
                inputs = {f"products_{unit}": word for unit, word in enumerate(products)}
                self.stimuli[self.clock] = inputs | {"valid": 1, "first": fold == 0, "last": fold == layer.folds - 1}
                if fold == layer.folds - 1:
                    self.due[self.clock + levels(layer.units) + 2] = self.error(layer, sums[place])
                self.clock += 1
            self.clock += BETWEEN_FOLDS

    def inputs(self, clock: int) -> dict[str, int]:
        return self.idle | self.stimuli.get(clock, {})

    def check(self, ports: Ports, clock: int) -> bool:
        """Compare; whether it goes on."""
        valid, right = ports.get(f"{self.name}_error_valid"), self.due.get(clock)
        assert valid == (right is not None), f"{self.name}: in clock {clock} must be {right}, not {valid}"
        if right is not None:
            result = ports.signed(f"{self.name}_error")
            assert result == right, f"{self.name}: error in clock {clock} must be {right}, not {result}"
        return clock < self.clock + 20


class TreeOnRequest(Tree):
    """A life, clock by clock: it yields what the tree is given and is sent the error that came, if any."""

    def __init__(self, name: str, options: dict[str, Any], passes: int, seed: int) -> None:
        super().__init__(name, options, seed)
        self.idle |= {"begin": 0, "bank": 0, "ask": 0, "ask_bank": 0, "errors_ready": 0}
        self.life = self._life(passes)
        self.stimulus: dict[str, int] | None = next(self.life)

    def _life(self, passes: int) -> Clocks:
        for _ in range(passes):
            waiting: list[int] = []                                       # errors of the layer after
            for layer in reversed(self.array.layers):
                held = {"bank": layer.index & 1, "ask_bank": ~layer.index & 1}
                extreme = self.extremes(layer)
                sums = [0] * layer.inputs
                if waiting:
                    yield held | {"ask": 1}
                for fold in range(layer.folds):
                    count = layer.fold_size(fold) if waiting else 0
                    yield from self._take(held, waiting[:count])
                    waiting = waiting[count:]
                    if layer.reverses:
                        yield from self._fold(held, layer, fold, extreme, sums)
                waiting = [self.error(layer, total) for total in sums] if layer.reverses else []

    def _take(self, held: dict[str, int], errors: list[int]) -> Clocks:
        for number, right in enumerate(errors):
            result: int | None = None
            for _ in range(PATIENCE):
                result = yield held | {"errors_ready": self.chance.random() < 0.8}
                if result is not None:
                    break
            assert result == right, f"{self.name}: error {number} must be {right}, not {result}"

    def _fold(self, held: dict[str, int], layer: LayerDesign, fold: int, extreme: list[int],
              sums: list[int]) -> Clocks:
        held |= {"first": fold == 0}
        yield held | {"begin": 1}
        hesitation = self.chance.choice([0, 0, 0.4])
        for place in range(layer.inputs):
            while self.chance.random() < hesitation:
                yield held
            products = self.products(layer, extreme[place], fold)
            sums[place] += sum(products)
            yield held | {"valid": 1} | {f"products_{unit}": word for unit, word in enumerate(products)}
        for _ in range(levels(self.array.units) + BETWEEN_FOLDS):
            yield held

    def inputs(self, clock: int) -> dict[str, int]:
        return self.idle | (self.stimulus or {})

    def check(self, ports: Ports, clock: int) -> bool:
        if self.stimulus is not None:
            comes = self.inputs(clock)["errors_ready"] and ports.get(f"{self.name}_errors_valid")
            try:
                self.stimulus = self.life.send(ports.signed(f"{self.name}_errors_data") if comes else None)
            except StopIteration:
                self.stimulus = None
        return self.stimulus is not None


@each_case
async def every_sum_comes_when_it_is_due(dut: Any, options: Any) -> None:
    trees = [(TreeOnRequest if tree["arrangement"] == "time-shared" else TreeAtOnce)(
        name, tree, options["passes"], options["seed"]) for name, tree in options["trees"].items()]
    ports = Ports(dut)
    await ports.start(**{f"{tree.name}_{port}": value for tree in trees for port, value in tree.idle.items()})
    clock, goes_on = 0, True
    while goes_on:
        for tree in trees:
            ports.set(**{f"{tree.name}_{port}": int(value) for port, value in tree.inputs(clock).items()})
        await ports.settled()
        going_on = [tree.check(ports, clock) for tree in trees]            # of each of them, or one would stand still
        goes_on = any(going_on)
        await ports.tick()
        clock += 1
    coverage = sum((tree.coverage for tree in trees), Counter[str]())
    assert all(coverage[name] for name in ("least", "greatest", "between")), f"saturation must occur: {coverage}"
