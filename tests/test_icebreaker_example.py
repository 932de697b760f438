"""The example of a core in somebody's own design: images come in over a serial line, classes go out."""
from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from amaranth.sim import Simulator

from golden_model.model import Model
from golden_model.network import Formats, Integration, Network
from golden_model.parameters import initial
from hdl.design import Design

DIVISOR = 4


def example():
    path = Path(__file__).parent.parent / "examples/icebreaker_uart.py"
    spec = importlib.util.spec_from_file_location("icebreaker_uart", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_images_over_the_line_are_answered_with_their_classes():
    network = Network(layers=(8, 3, 4), integration=Integration(dt=0.5, steps=2), formats=Formats(bracket="Q4.12"))
    rng = np.random.default_rng(4)
    values = initial(network, "fixed")
    for layer in values:
        layer.weights[:] = rng.integers(-2**12, 2**12, layer.weights.shape)
        layer.bias[:] = 0
    golden = Model(network, "fixed", values)
    design = Design(network=network, arrangement="time-shared", target="ice40", learns=False)
    top = example().ImagesOverUart(design, golden.parameters, DIVISOR)
    images = rng.integers(0, 256, (10, 8), dtype=np.uint8)
    images[rng.random(images.shape) < 0.6] = 0
    answers = []

    async def sender(context):
        await context.tick().repeat(4)
        for byte in images.reshape(-1):
            for bit in (0, *(int(byte) >> place & 1 for place in range(8)), 1):
                context.set(top.rx, bit)
                await context.tick().repeat(DIVISOR)

    async def receiver(context):
        while len(answers) < len(images):
            while context.get(top.tx):
                await context.tick()
            await context.tick().repeat(DIVISOR + DIVISOR // 2)            # into the middle of the first bit
            value = 0
            for place in range(8):
                value |= context.get(top.tx) << place
                await context.tick().repeat(DIVISOR)
            answers.append(value)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(sender)
    simulator.add_testbench(receiver)
    simulator.run()
    assert answers == golden.predict(images).tolist()
    assert len(set(answers)) > 1
