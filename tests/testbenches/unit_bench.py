"""cocotb testbench of one processing unit: whole lives of neurons, against circuits and arithmetic of the golden model.

Settings: ``network`` (JSON), ``layer``, ``units``, ``kind``, ``target``, ``learns``, ``arrangement``; ``neurons``, how many;
``seed``; ``coverage``, what must have occurred. The unit is driven by ``unit_program``; its weight memory is a table here.
Compared are all five words after every half step, forward and reverse, products of reverse links, and every word of memory.
"""
from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np

from golden_model import circuits
from golden_model.arithmetic import Fixed
from golden_model.fixed_point import Format, Overflow, narrow
from golden_model.network import POPULATIONS, Network
from hdl.array_design import ArrayDesign
from hdl.control import control_layout
from hdl.design import Design
from hdl.layer_design import LayerDesign
from testbenches.cases import each_case
from testbenches.ports import Packing, Ports
from testbenches.unit_program import PRODUCT, WORD, Program, TimeSharedProgram


class Neuron:
    """The scoreboard of one neuron: its parameters, and what the golden model makes of them."""

    def __init__(self, layer: LayerDesign, chance: random.Random, coverage: Counter[str]) -> None:
        self.layer, self.network, self.formats = layer, layer.network, layer.formats
        self.chance, self.coverage = chance, coverage
        self.half_steps: list[list[int]] = []
        self.arithmetic = Fixed(self.network, self._half_step)
        self.fold = chance.randrange(layer.folds)
        self.base = self.fold * layer.rows
        extreme = chance.random() < 0.5
        self.weights = [self._word(self.formats.weight, extreme) for _ in range(layer.inputs)]
        self.bias = self._word(self.formats.drive, extreme)
        self.inputs = [chance.choice([0, self._input(extreme)]) for _ in range(layer.inputs)]
        one, neuron = self.formats.coupling.one, self.network.neuron
        coupling = np.array([[round(value * one) for value in rates] for rates in (neuron.K1, neuron.K2, neuron.K3)])
        if layer.design.kind == "programmable":
            K = self.formats.coupling
            coupling = np.array([[chance.randint(K.least // 2, K.greatest // 2) for _ in range(POPULATIONS)] for _ in range(3)])
            coupling[2] = np.abs(coupling[2])
        self.coupling = coupling

    def _word(self, to: Format, extreme: bool) -> int:
        if extreme:
            return self.chance.choice([to.least, to.least + 1, to.greatest, to.greatest - 1])
        return self.chance.randint(to.least, to.greatest) >> self.chance.choice([1, 3, 5])

    def _input(self, extreme: bool) -> int:
        word = self.layer.input_word
        return self.chance.choice([word.least, word.greatest]) if extreme else self.chance.randint(word.least, word.greatest)

    def _half_step(self, name: str, values: Any, to: Format | None) -> None:
        """Every state that the circuits pass through, in the order of the ring that settles."""
        if values.shape[0] == POPULATIONS and to is self.formats.displacement:
            self.half_steps.append([int(value) for value in values[:, 0, 0]])

    def memory(self) -> dict[int, int]:
        words = {self.base + row: weight for row, weight in enumerate(self.weights)}
        words[self.base + self.layer.bias_row] = self.bias
        if self.layer.design.kind == "programmable":
            words |= {self.base + self.layer.coupling_row + place: int(value)
                      for place, value in enumerate(self.coupling.reshape(-1))}
        return words

    def forward(self) -> None:
        index = self.layer.index
        sums = sum(weight * value for weight, value in zip(self.weights, self.inputs, strict=True))
        drive = self.arithmetic.drive(np.array([[sums]]), np.array([[self.bias]]), index)
        self.s = circuits.settle(self.arithmetic, drive, self.coupling[:, :, None], index)
        drives = self.formats.drive
        self.coverage["drive saturated"] += int(drive[0, 0]) in (drives.least, drives.greatest)
        states = np.array(self.half_steps)
        low = self.arithmetic.low
        self.coverage["extinct"] += int(((states == low) & ((low > self.arithmetic.least) | (low.max() == low.min()))).sum())
        self.coverage["saturated"] += int((states == self.arithmetic.high).sum())

    def reverse(self) -> None:
        errors = self.formats.error
        self.error = self.chance.choice([errors.least, errors.greatest, self.chance.randint(errors.least, errors.greatest)])
        error, before = np.array([[self.error]]), len(self.half_steps)
        r = circuits.settle_reverse(self.arithmetic, self.s, error, self.coupling[:, :, None], self.layer.index)
        self.r = int(r[self.network.neuron.input_population, 0, 0])
        gates = circuits.reverse_gate(self.arithmetic, self.s)
        self.coverage["gate floor"] += int((gates == self.arithmetic.floor).sum())
        states = np.array(self.half_steps[before:])
        self.coverage["reverse saturated"] += int((np.abs(states) >= self.formats.displacement.greatest).sum())

    def learnt(self, links: int | None, bias: int | None) -> dict[int, int]:
        """Memory after the update with rates 2**-links and 2**-bias; None: not learnt."""
        words = self.memory()
        if links is not None:
            shift = self.network.update_shift(self.layer.index, links)
            for row, (weight, value) in enumerate(zip(self.weights, self.inputs, strict=True)):
                words[self.base + row] = self._updated(weight, self.r * value, shift, self.formats.weight)
        if bias is not None:
            words[self.base + self.layer.bias_row] = self._updated(self.bias, self.r, bias, self.formats.drive)
        return words

    def _updated(self, word: int, product: int, shift: int, to: Format) -> int:
        exact = np.array((word << shift) + product)
        free = int(narrow(exact, shift, Format(62, 0)))
        self.coverage["held"] += not to.least <= free <= to.greatest
        self.coverage["changed"] += free != word
        return int(narrow(exact, shift, to, overflow=Overflow.HOLD, held=np.array(word)))


class Bench:
    """The unit, its weight memory, and the lines on which it is watched.

    What a program says of ``BESIDE`` does not stand in the control word of a time-shared array.
    """

    BESIDE = ("address", "slot")
    NUMBER = 1                            # of the unit, where it has one

    def __init__(self, dut: Any, array: ArrayDesign, place: int) -> None:
        self.array, self.place, self.layer, self.ports = array, place, array.layers[place], Ports(dut)
        self.packing = Packing(control_layout(array))
        self.memory: dict[int, int] = {}
        self.outputs: list[int] = []
        self.products: list[int] = []

    async def start(self) -> None:
        if self.array.time_shared:
            await self.ports.start(control=0, number=self.NUMBER, slot=0, fetched=0)
        else:
            await self.ports.start(control=0, first=1, token_before=0, fetched=0, word=0)

    def program(self, base: int = 0, slot: int = 0) -> Program:
        if self.array.time_shared:
            return TimeSharedProgram(self.layer, base, slot, self.NUMBER)
        return Program(self.layer, base)

    async def run(self, program: Program) -> None:
        """Carry a program out. Afterwards ``outputs[k]`` and ``products[k]`` are what was there in clock k."""
        if self.array.time_shared:
            await self._run_with_one_port(program)
            return
        self.outputs, self.products = [], []
        before, requests = (0, 0), dict[str, int]()                        # fetched and word; control a clock ago
        for clock in range(max(program.words, default=0) + 8):
            control = program.words.get(clock, {})
            self.ports.set(control=self.packing.pack(control), fetched=before[0], word=before[1])
            await self.ports.settled()
            self.outputs.append(self.ports.signed("output"))
            self.products.append(self.ports.signed("product"))
            after = self.memory.get(control.get("address", 0), 0), before[0]
            if self.ports.get("write_enable"):
                assert requests.get("write"), f"clock {clock} writes, but was not told to"
                self.memory[requests["write_address"]] = self.ports.signed("write_data")
            await self.ports.tick()
            before, requests = after, control

    async def _run_with_one_port(self, program: Program) -> None:
        self.outputs, self.products = [], []
        fetched, earlier = 0, dict[str, int]()                             # and control of a clock ago
        for clock in range(max(program.words, default=0) + 8):
            control = program.words.get(clock, {})
            address, slot = (control.get(name, 0) for name in self.BESIDE)
            word = {name: value for name, value in control.items() if name not in self.BESIDE}
            self.ports.set(control=self.packing.pack(word), slot=slot, fetched=fetched)
            await self.ports.settled()
            self.outputs.append(self.ports.signed("output"))
            self.products.append(self.ports.signed("product"))
            if self.ports.get("write_enable"):
                assert earlier.get("judge") or earlier.get("load_one"), f"clock {clock} writes, but was not told to"
                self.memory[address] = self.ports.signed("write_data")
            else:
                fetched = self.memory.get(address, 0)
            await self.ports.tick()
            earlier = control


def check_half_steps(bench: Bench, starts: list[int], neuron: Neuron, first: int, what: str) -> None:
    """The ring was shown from each of ``starts`` on: these are the states after one half step, two, and so on."""
    output = neuron.network.neuron.output_population
    for number, start in enumerate(starts):
        right = neuron.half_steps[first + number]
        result = [0] * POPULATIONS
        for turn in range(POPULATIONS):
            result[(output + turn) % POPULATIONS] = bench.outputs[start + turn + bench.program().OUTPUT]
        assert result == right, f"{what} half step {number} must be {right}, not {result}"
        neuron.coverage["half steps"] += 1


@each_case
async def every_neuron_is_that_of_the_golden_model(dut: Any, options: Any) -> None:
    network = Network.from_json(options["network"])
    design = Design(network=network, units=tuple(options["units"]), kind=options["kind"], target=options["target"],
                    learns=options["learns"], arrangement=options["arrangement"])
    chance, coverage = random.Random(options["seed"]), Counter[str]()
    array, place = next((array, place) for array in design.arrays for place, layer in enumerate(array.layers)
                        if layer.index == options["layer"])
    bench = Bench(dut, array, place)
    await bench.start()
    prepare = bench.program()
    prepare.begin()
    await bench.run(prepare)
    for _ in range(options["neurons"]):
        neuron = Neuron(bench.layer, chance, coverage)
        bench.memory = neuron.memory()
        await live(bench, neuron)
    await (check_number if array.time_shared else check_token)(bench)
    missing = [name for name in options["coverage"] if not coverage[name]]
    assert not missing, f"{missing} must occur: {coverage}"


async def check_token(bench: Bench) -> None:
    """Without the token nothing is shown and what is for one unit is not written; with it, both."""
    bench.memory = {}
    program = bench.program()
    program.at(0, token_next=1, clear=1)                                   # no unit before it has the token
    program.at(1, latch_output=1)
    program.at(2, write=1, load=1, load_data=5, write_address=0, write_one=1)
    program.at(3, write=1, load=1, load_data=6, write_address=1)
    program.at(5, address=1)
    program.at(5 + WORD, show_word=1, token_first=1)
    program.at(6 + WORD, show_word=1, write=1, load=1, load_data=7, write_address=2, write_one=1)
    program.at(6, address=1)
    await bench.run(program)
    assert bench.memory == {1: 6, 2: 7}, f"the token decides who writes, but the memory holds {bench.memory}"
    output = bench.outputs[5 + WORD], bench.outputs[6 + WORD]
    assert output == (0, 6), f"the word 6 must be shown once the token is there, but {output} was"


async def check_number(bench: Bench) -> None:
    """What is for one unit is done by the one whose number is named: words are written, errors added."""
    bench.memory, other = {}, 1 - bench.NUMBER
    program = bench.program()
    for address, unit in enumerate((bench.NUMBER, other)):
        program.at(4 * address + 1, broadcast_a=5 + address, load_one=1, unit=unit)
        program.at(4 * address + 2, load=1, address=address)
    program.clock = 8
    power = bench.array.link_shift - bench.array.error_split               # two errors; only the second one is for this unit
    for number, unit in enumerate((other, bench.NUMBER)):
        program.at(program.clock + number, broadcast_b=1 << power)
        program.at(program.clock + number + 1, broadcast_a=1 + number << bench.array.error_split)
        program.at(program.clock + number + PRODUCT, accumulate_one=1, unit=unit)
    program.clock += PRODUCT + 2
    program.latch()
    program.at(program.clock, drive_enable=1)                              # alone in the bracket, and times 1
    program.at(program.clock + 1, broadcast_a=1)
    await bench.run(program)
    assert bench.memory == {0: 5}, f"the number decides who writes, but the memory holds {bench.memory}"
    result = bench.products[program.clock + PRODUCT]
    assert result == 2, f"the drive must be the error 2 of this unit, not {result}"


async def live(bench: Bench, neuron: Neuron) -> None:
    """Links, settling, and if the layer learns, error, reverse circuit, reverse links and update."""
    layer, network = neuron.layer, neuron.network
    half_steps, bias_row = 2 * network.integration.steps, neuron.base + layer.bias_row
    slot = bench.array.slots[bench.place] + neuron.fold
    program = bench.program(neuron.base, slot)
    items = [(neuron.base + row, value) for row, value in enumerate(neuron.inputs) if value]
    program.links([*((address, value << layer.alignment) for address, value in items), (bias_row, 1 << layer.link_shift)])
    program.latch()
    output = program.settle(False, half_steps)
    if layer.saves_state:
        program.save()
    await bench.run(program)
    neuron.forward()
    check_half_steps(bench, output, neuron, 0, "forward")
    if not layer.learns:
        return
    program = bench.program(neuron.base, slot)
    if layer.saves_state:
        for population, word in enumerate(neuron.s[:, 0, 0]):
            saved = bench.memory[neuron.base + layer.state_row + population]
            assert saved == word, f"state of population {population} must be saved as {word}, not {saved}"
        program.settle(False, 1)                                           # as if another fold had used the rings
        program.restore()
    else:
        program.gates()
    if bench.array.folds > 1 and bench.array.time_shared:                  # as if another fold had been settled in between
        between = bench.program(slot=(slot + 1) % bench.array.folds)
        between.clock = program.clock
        between.settle(False, 1)
        between.gates()
        program.words |= between.words
        program.clock = between.clock
    neuron.reverse()
    program.error(neuron.error)
    program.latch()
    output = program.settle(True, half_steps)
    tree = program.clock
    program.tree([neuron.base + row for row in range(layer.inputs)])
    learning = network.learning
    links, bias = (None if first is None else neuron.chance.randint(first, learning.greatest_rate_shifts()[name] or first)
                   for name, first in ((name, learning.rate_shifts(0)[name]) for name in ("links", "bias")))
    scaled = []
    if links is not None:
        distance = bench.array.update_shift - network.update_shift(layer.index, links)
        scaled = [(address, value << distance, False) for address, value in items]
    if bias is not None:
        scaled.append((bias_row, 1 << bench.array.update_shift - bias, True))
    program.updates(scaled)
    await bench.run(program)
    check_half_steps(bench, output, neuron, half_steps, "reverse")
    products = bench.products[tree + PRODUCT:][:layer.inputs]
    right = [weight * neuron.r for weight in neuron.weights]
    assert products == right, f"reverse links must be {right}, not {products}"
    for address, word in neuron.learnt(links, bias).items():
        result = bench.memory[address]
        assert result == word, f"word {address - neuron.base} must be {word} after the update, not {result}"
        neuron.coverage["words"] += 1
