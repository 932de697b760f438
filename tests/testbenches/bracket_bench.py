"""cocotb testbench of bracket circuits side by side: rings of random and extreme words, against ``circuits.bracket``.

Settings: ``units``, a table of name to {``network``: its JSON, ``layer``}; ``rings``, how many; ``seed``. Every unit gets rings
of the forward and of the reverse circuit, one each ten clocks as in a half step, and between them words that must come through
its broadcast register alone.
"""
from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden_model import circuits
from golden_model.arithmetic import Fixed
from golden_model.network import POPULATIONS, Network
from hdl.control import control_layout
from hdl.design import Design
from testbenches.cases import each_case
from testbenches.ports import Packing, Ports

PERIOD = 2 * POPULATIONS                  # five taps, five new words
LATENCY = 2                               # clocks from a tap to its bracket


@dataclass(frozen=True, kw_only=True)
class Ring:
    """Five words, the drive that enters at ``entrance``, and a word that goes ``through`` alone after them."""

    words: list[int]
    drive: int
    through: int
    reverse: bool
    entrance: int


class Unit:
    """One bracket circuit, its control and its scoreboard."""

    def __init__(self, name: str, options: dict[str, Any], seed: int) -> None:
        self.name, self.chance = name, random.Random(f"{seed} {name}")
        network = Network.from_json(options["network"])
        self.layer = Design(network=network).layers[options["layer"]]
        self.packing = Packing(control_layout(self.layer))
        self.arithmetic, self.formats, self.neuron = Fixed(network), network.formats, network.neuron
        K = np.array([[round(value * network.formats.coupling.one) for value in rates]
                      for rates in (self.neuron.K1, self.neuron.K2, self.neuron.K3)])
        self.couplings = [rates[:, :, None] for rates in (K, circuits.mirrored(K))]
        self.now = self.following = self.random_ring()
        self.expected: dict[int, int] = {}                                # operand by clock
        self.coverage: Counter[str] = Counter()

    def word(self, bits: int) -> int:
        """Any word of the width, the limits and their neighbours often."""
        least, greatest = -(1 << bits - 1), (1 << bits - 1) - 1
        corners = [least, least + 1, -1, 0, 1, greatest - 1, greatest]
        return self.chance.choice(corners + [self.chance.randint(least, greatest)] * len(corners))

    def random_ring(self) -> Ring:
        formats, reverse = self.formats, self.chance.random() < 0.5
        return Ring(words=[self.word(formats.displacement.bits) for _ in range(POPULATIONS)],
                    drive=self.word(formats.drive.bits), through=self.word(self.layer.broadcast_bits), reverse=reverse,
                    entrance=-self.neuron.output_population % POPULATIONS if reverse else self.neuron.input_population)

    def expect(self, ring: Ring, clock: int) -> None:
        """``ring`` is tapped from ``clock`` on."""
        x, drive = np.array(ring.words).reshape(POPULATIONS, 1, 1), np.array([[ring.drive * self.arithmetic.drive_scale]])
        exact = circuits.bracket(x, drive, ring.entrance, self.couplings[ring.reverse])
        operand = self.arithmetic.operand(exact, "point")[:, 0, 0]
        self.expected |= {clock + LATENCY + population: int(operand[population]) for population in range(POPULATIONS)}
        self.expected[clock + LATENCY + POPULATIONS + 1] = ring.through << self.layer.operand_scale
        self.coverage["reverse" if ring.reverse else "forward"] += 1
        if self.formats.bracket is not None:
            self.coverage["saturated"] += int((operand == self.formats.bracket.greatest).sum())
            self.coverage["saturated below"] += int((operand == self.formats.bracket.least).sum())

    def inputs(self, phase: int) -> dict[str, int]:
        """What is driven in a phase of the half step: five taps, while the next ring comes in five phases later."""
        ring, tapping = self.now, phase < POPULATIONS
        fields = {"state_shift": 1, "state_new": not tapping, "self_enable": tapping,
                  "coupling_enable": 1 <= phase <= POPULATIONS, "reverse": ring.reverse}
        if "population_self" in self.packing.fields:
            fields |= {"population_difference": phase % POPULATIONS, "population_self": (phase - 1) % POPULATIONS}
        broadcast = ring.drive if phase == ring.entrance + 1 else ring.through if phase == POPULATIONS + LATENCY else 0
        return {f"{self.name}_control": self.packing.pack({name: int(value) for name, value in fields.items()}),
                f"{self.name}_word": 0 if tapping else self.following.words[phase - POPULATIONS],
                f"{self.name}_broadcast": broadcast}


@each_case
async def every_bracket_is_that_of_the_circuits(dut: Any, options: Any) -> None:
    ports = Ports(dut)
    units = [Unit(name, unit, options["seed"]) for name, unit in options["units"].items()]
    await ports.start(**{f"{unit.name}_{port}": 0 for unit in units for port in ("control", "word", "broadcast")})
    for clock in range(PERIOD * (options["rings"] + 1)):
        phase = clock % PERIOD
        for unit in units:
            if phase == POPULATIONS:
                unit.following = unit.random_ring()
                unit.expect(unit.following, clock + POPULATIONS)
            if phase == 0:
                unit.now = unit.following
            ports.set(**unit.inputs(phase))
        await ports.settled()
        for unit in units:
            if clock in unit.expected:
                result, right = ports.signed(f"{unit.name}_operand"), unit.expected[clock]
                assert result == right, f"{unit.name}: operand in phase {phase} must be {right}, not {result}, of {unit.now}"
                unit.coverage["compared"] += 1
        await ports.tick()
    coverage: Counter[str] = Counter()
    for unit in units:
        assert unit.coverage["compared"] == (POPULATIONS + 1) * options["rings"]
        coverage += unit.coverage
    goals = ["forward", "reverse"]
    if any(unit.formats.bracket is not None for unit in units):
        goals += ["saturated", "saturated below"]
    assert all(coverage[name] for name in goals), f"each of {goals} must be seen: {coverage}"
