"""cocotb testbench of adder trees side by side: sums of random and extreme products over all folds, and their latency.

Settings: ``trees``, a table of name to {``network``: its JSON, ``layer``, ``units``}; ``passes``, how often all inputs are
summed; ``seed``. The scoreboard is ``Fixed.error``; errors must come in the clock in which they are due, and in no other.
"""
from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np

from golden_model.arithmetic import Fixed
from golden_model.network import Network
from hdl.adder_tree import levels
from hdl.design import Design
from testbenches.cases import each_case
from testbenches.ports import Ports

BETWEEN_FOLDS = 3                         # clocks at least: a fold settles before the next one's products come


class Tree:
    """One tree: what it is given in which clock, and what must come out when."""

    def __init__(self, name: str, options: dict[str, Any], passes: int, seed: int) -> None:
        self.name, self.chance = name, random.Random(f"{seed} {name}")
        network = Network.from_json(options["network"])
        self.layer = Design(network=network, units=tuple(options["units"])).layers[options["layer"]]
        self.arithmetic, self.coverage = Fixed(network), Counter[str]()
        self.stimuli: dict[int, dict[str, int]] = {}
        self.due: dict[int, int] = {}
        self.clock = 1
        for _ in range(passes):
            self._pass()

    def _products(self, extreme: int, fold: int) -> list[int]:
        """Weight times reverse signal of each unit; units without a neuron give zero."""
        weight, signal = self.layer.formats.weight, self.layer.formats.displacement
        words = []
        for unit in range(self.layer.units):
            if unit >= self.layer.fold_size(fold):
                words.append(0)
            elif extreme:
                words.append(weight.least * (signal.least if extreme > 0 else signal.greatest))
            else:
                word = self.chance.randint(weight.least, weight.greatest) * self.chance.randint(signal.least, signal.greatest)
                words.append(word >> self.chance.choice([0, 2, 6]))
        return words

    def _pass(self) -> None:
        layer, hesitation = self.layer, self.chance.choice([0, 0, 0.4])
        extreme = [self.chance.choice([0, 0, 1, -1]) for _ in range(layer.inputs)]
        sums = [0] * layer.inputs
        for fold in range(layer.folds):
            for place in range(layer.inputs):
                while self.chance.random() < hesitation:
                    self.clock += 1
                products = self._products(extreme[place], fold)
                sums[place] += sum(products)
                inputs = {f"products_{unit}": word for unit, word in enumerate(products)}
                self.stimuli[self.clock] = inputs | {"valid": 1, "first": fold == 0, "last": fold == layer.folds - 1}
                if fold == layer.folds - 1:
                    error = int(self.arithmetic.error(np.array(sums[place]), layer.index - 1))
                    self.due[self.clock + levels(layer.units) + 2] = error
                    to = layer.formats.error
                    self.coverage["least" if error == to.least else "greatest" if error == to.greatest else "between"] += 1
                self.clock += 1
            self.clock += BETWEEN_FOLDS


@each_case
async def every_sum_comes_when_it_is_due(dut: Any, options: Any) -> None:
    trees = [Tree(name, tree, options["passes"], options["seed"]) for name, tree in options["trees"].items()]
    nothing = {tree.name: {"valid": 0, "first": 0, "last": 0} | {f"products_{unit}": 1 for unit in range(
        tree.layer.units)} for tree in trees}
    ports = Ports(dut)
    await ports.start(**{f"{tree.name}_{port}": value for tree in trees for port, value in nothing[tree.name].items()})
    for clock in range(max(tree.clock for tree in trees) + 20):
        for tree in trees:
            inputs = nothing[tree.name] | tree.stimuli.get(clock, {})
            ports.set(**{f"{tree.name}_{port}": int(value) for port, value in inputs.items()})
        await ports.settled()
        for tree in trees:
            valid, right = ports.get(f"{tree.name}_error_valid"), tree.due.get(clock)
            assert valid == (right is not None), f"{tree.name}: in clock {clock} must be {right}, not {valid}"
            if right is not None:
                result = ports.signed(f"{tree.name}_error")
                assert result == right, f"{tree.name}: error in clock {clock} must be {right}, not {result}"
        await ports.tick()
    coverage = sum((tree.coverage for tree in trees), Counter[str]())
    assert all(coverage[name] for name in ("least", "greatest", "between")), f"saturation must occur: {coverage}"
