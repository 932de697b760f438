"""cocotb testbench of a layer: parameters written, images inferred and learnt, parameters read back, all with hesitation.

Settings: ``network`` (JSON), ``layer``, ``units``, ``kind``, ``learns``; ``images``, how many; ``stalls``, how often each
side hesitates; ``seed``. The scoreboard is the golden model: outputs of every image, errors for the layer before, parameters.
"""
from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np

from golden_model import circuits, links
from golden_model.arithmetic import Fixed
from golden_model.fixed_point import Overflow, narrow
from golden_model.network import Network
from hdl.design import Design
from hdl.layer_design import LayerDesign
from testbenches.cases import each_case
from testbenches.layer_sides import Image, Sink, Source, flags
from testbenches.ports import Ports

PATIENCE = 5_000                          # clocks in which something must happen
TREE_LATENCY = 20                         # clocks in which the last errors leave the adder tree, at most
OPTIONAL = ("access_neuron", "errors_data")


class GoldenLayer:
    """A layer of the golden model with random parameters."""

    def __init__(self, layer: LayerDesign, chance: np.random.Generator) -> None:
        self.layer, self.network, self.arithmetic = layer, layer.network, Fixed(layer.network)
        formats, neuron = layer.formats, layer.network.neuron
        shape = layer.neurons, layer.inputs
        limits = chance.choice([formats.weight.least, formats.weight.greatest], shape)
        usual = chance.integers(formats.weight.least // 4, formats.weight.greatest // 4, shape)
        self.weights = np.where(chance.random(shape) < 0.3, limits, usual)
        self.bias = chance.integers(formats.drive.least // 8, formats.drive.greatest // 8, layer.neurons)
        if layer.design.kind == "programmable":
            coupling = chance.integers(0, formats.coupling.greatest // 2, (3, 5, layer.neurons))
        else:
            one = formats.coupling.one
            coupling = np.array([[round(value * one) for value in rates] for rates in (neuron.K1, neuron.K2, neuron.K3)])
            coupling = np.repeat(coupling[:, :, None], layer.neurons, axis=2)
        self.coupling = coupling

    def parameters(self) -> dict[tuple[int, int], int]:
        """Words by neuron and row."""
        columns = [self.weights, self.bias[:, None]]
        if self.layer.design.kind == "programmable":
            columns.append(self.coupling.reshape(15, -1).T)
        return {place: int(word) for place, word in np.ndenumerate(np.hstack(columns))}

    def forward(self, image: Image) -> list[int]:
        """Outputs; keeps what learning needs."""
        arithmetic, index = self.arithmetic, self.layer.index
        values = np.array([image.inputs])
        self.x = arithmetic.encode(values) if index == 0 else values
        drive = links.forward(arithmetic, self.x, self.weights, self.bias, index)
        self.s = circuits.settle(arithmetic, drive, self.coupling, index)
        return [int(word) for word in self.s[self.network.neuron.output_population, 0]]

    def learn(self, errors: list[int], links_rate_shift: int, bias_rate_shift: int) -> list[int]:
        """Update; the errors of the layer before."""
        layer, network = self.layer, self.network
        r = circuits.settle_reverse(self.arithmetic, self.s, np.array([errors]), self.coupling, layer.index)
        signal = r[network.neuron.input_population]
        back = links.reverse(self.arithmetic, signal, self.weights, layer.index - 1)[0].tolist() if layer.reverses else []
        shift = network.update_shift(layer.index, links_rate_shift)
        self.weights = narrow((self.weights << shift) + signal.T @ self.x, shift, layer.formats.weight,
                              overflow=Overflow.HOLD, held=self.weights)
        self.bias = narrow((self.bias << bias_rate_shift) + signal[0], bias_rate_shift, layer.formats.drive,
                           overflow=Overflow.HOLD, held=self.bias)
        return [int(word) for word in back]


class Bench:
    """The layer with all its sides, clock by clock."""

    def __init__(self, dut: Any, layer: LayerDesign, stalls: float, seed: int) -> None:
        chance = random.Random(seed)
        self.ports, self.layer = Ports(dut, OPTIONAL), layer
        self.source, self.sink = Source(self.ports, chance, stalls), Sink(self.ports, chance, stalls, layer)
        self.back: list[int] = []
        self.word = 0

    async def start(self, **rates: int) -> None:
        self.source.drive()
        self.sink.drive()
        await self.ports.start(access_valid=0, access_write=0, access_neuron=0, access_row=0, access_data=0, **rates)

    async def clock(self) -> None:
        """One clock of everything; ends where the next one's inputs can be set."""
        ports = self.ports
        self.source.drive()
        self.sink.drive()
        await ports.settled()
        self.source.look()
        self.sink.look()
        if self.layer.reverses and ports.get("back_valid"):
            self.back.append(ports.signed("back"))
        self.idle, self.accessed = ports.get("idle"), ports.get("access_done")
        if self.accessed:
            self.word = ports.signed("access_word")
        await ports.tick()

    async def until_idle(self) -> None:
        for _ in range(PATIENCE):
            await self.clock()
            if self.idle and not self.source.waiting and not self.sink.expected:
                for _ in range(TREE_LATENCY):
                    await self.clock()
                return
        raise AssertionError(f"the layer must become idle within {PATIENCE} clocks")

    async def access(self, neuron: int, row: int, word: int | None = None) -> int:
        """Write a parameter, or read one."""
        self.ports.set(access_valid=1, access_write=word is not None, access_neuron=neuron, access_row=row)
        self.ports.set(access_data=word or 0)
        for _ in range(PATIENCE):
            await self.clock()
            if self.accessed:
                self.ports.set(access_valid=0)
                return self.word
        raise AssertionError(f"row {row} of neuron {neuron} must be given within {PATIENCE} clocks")


@each_case
async def outputs_errors_and_parameters_are_those_of_the_golden_model(dut: Any, options: Any) -> None:
    network = Network.from_json(options["network"])
    design = Design(network=network, units=tuple(options["units"]), kind=options["kind"], learns=options["learns"])
    layer, coverage = design.layers[options["layer"]], Counter[str]()
    chance = np.random.default_rng(options["seed"])
    golden, bench = GoldenLayer(layer, chance), Bench(dut, layer, options["stalls"], options["seed"])
    rates = {name: network.learning.rate_shifts(0)[name] or 0 for name in ("links", "bias")}
    await bench.start(links_rate_shift=rates["links"], bias_rate_shift=rates["bias"])
    for (neuron, row), word in golden.parameters().items():
        await bench.access(neuron, row, word)
    await check_parameters(bench, golden)

    most = layer.input_word.greatest
    for number in range(options["images"]):
        learns = design.learns and number % 3 > 0                          # then two that follow one another
        shape = layer.inputs
        values = chance.integers(-most, most, shape) if layer.index else chance.integers(1, 256, shape)
        image = Image(inputs=(values * (chance.random(shape) < 0.7)).tolist(), learn=learns)
        if learns and layer.learns and chance.random() < 0.8:
            error = layer.formats.error
            image.errors = chance.integers(error.least, error.greatest, layer.neurons, endpoint=True).tolist()
        bench.source.waiting.append(image)
        bench.sink.expected.append(image)
        expected = golden.forward(image)
        if learns or number % 3 == 0 and number + 3 >= options["images"]:
            await bench.until_idle()
        else:                                                              # inferences follow one another without a pause
            second = Image(inputs=image.inputs[::-1])
            bench.source.waiting.append(second)
            bench.sink.expected.append(second)
            await bench.until_idle()
            right = golden.forward(second)
            assert second.outputs == right, f"outputs of the image after {number} must be {right}, not {second.outputs}"
            coverage["overlapped"] += 1
        assert image.outputs == expected, f"outputs of image {number} must be {expected}, not {image.outputs}"
        assert image.flags == flags(layer.neurons, learns)
        assert image.plays == layer.folds * (2 if image.errors is not None else 1)
        coverage["inferred"] += 1
        if image.errors is not None:
            back = golden.learn(image.errors, rates["links"], rates["bias"])
            assert bench.back == back, f"errors of the layer before must be {back}, not {bench.back}"
            bench.back = []
            await check_parameters(bench, golden, sample=number)
            coverage["learnt"] += 1
        assert not bench.back, "an error for the layer before without anything learnt"
    await check_parameters(bench, golden)
    goals = ["inferred", *(["learnt"] if layer.learns else []), "overlapped"]
    assert all(coverage[name] for name in goals), f"each of {goals} must occur: {coverage}"
    assert bench.sink.waits > 0 or options["stalls"] == 0, "the receiver must hesitate"


async def check_parameters(bench: Bench, golden: GoldenLayer, sample: int | None = None) -> None:
    """All parameters, or three of them."""
    words = list(golden.parameters().items())
    if sample is not None:
        words = random.Random(sample).sample(words, min(3, len(words)))
    for (neuron, row), right in words:
        result = await bench.access(neuron, row)
        assert result == right, f"row {row} of neuron {neuron} must be {right}, not {result}"
