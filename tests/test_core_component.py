"""A core is an ordinary Amaranth component: Amaranth's own simulator runs it, with everything inside, as the golden model."""
from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden_model.model import Model
from golden_model.network import Formats, Integration, Learning, Network
from hdl import frames, memory_contents, parameter_frames
from hdl.core import Core
from hdl.design import Design
from hdl.frames import Opcode
from hdl.parts import Inside

NETWORK = Network(layers=(5, 4, 3), integration=Integration(dt=0.5, steps=2), learning=Learning(links=0.25, bias=0.25))
DESIGNS = {
    "parallel": Design(network=NETWORK),
    "folds, memories of LUTs": Design(network=NETWORK, units=(2, 3), learns=True),
    "time-shared": Design(network=NETWORK, units=(2, 2), arrangement="time-shared"),
    "programmable": Design(network=Network(layers=(5, 4, 3), integration=NETWORK.integration, learning=NETWORK.learning,
                                           formats=Formats(bracket="Q6.12")), kind="programmable")}
PATIENCE = 20_000


async def exchanged(context, core, words):
    """One frame in, one out."""
    reply = []
    context.set(core.m_axis_tready, 1)
    waiting = list(words)
    for _ in range(PATIENCE):
        context.set(core.s_axis_tvalid, bool(waiting))
        if waiting:
            context.set(core.s_axis_tdata, waiting[0])
            context.set(core.s_axis_tlast, len(waiting) == 1)
        taken = waiting and context.get(core.s_axis_tready)
        if context.get(core.m_axis_tvalid):
            reply.append(context.get(core.m_axis_tdata))
            if context.get(core.m_axis_tlast):
                await context.tick()
                return reply
        await context.tick()
        if taken:
            waiting.pop(0)
    raise AssertionError(f"a reply must come within {PATIENCE} clocks")


@pytest.mark.parametrize("name", DESIGNS)
def test_amaranths_simulator_sees_the_golden_model(name):
    design = DESIGNS[name]
    golden = Model(design.network, "fixed")
    core = Core(design, Inside(memory_contents.words(design, golden.parameters)))
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (4, 5), dtype=np.uint8), rng.integers(0, 3, 4)
    images[rng.random(images.shape) < 0.3] = 0
    before, compared = golden.parameters, 0

    async def host(context):
        nonlocal compared
        await context.tick().repeat(3)                                 # copies of the reset
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            learn = number % 2 == 1
            header = frames.header(Opcode.LEARN if learn else Opcode.INFER, frames.WANT_OUTPUTS) | int(label) * learn << 16
            padded = np.zeros(8, np.uint8)
            padded[:5] = image
            reply = await exchanged(context, core, [header, *map(int, padded.view(np.uint32))])
            outputs = golden.outputs(image[None])[0]
            assert [word - (word >> 31 << 32) for word in reply[1:]] == outputs.tolist()
            assert reply[0] >> 16 == golden.predict(image[None])[0]
            compared += len(outputs)
            if learn:
                golden.learn(image[None], labels[number:number + 1])
        requests = parameter_frames.reads(design.network, design.kind == "programmable")
        replies = [frames.parse(await exchanged(context, core, request)) for request in requests]
        learnt = parameter_frames.parameters(design.network, replies, design.kind == "programmable")
        for layer, expected in zip(learnt, golden.parameters, strict=True):
            assert np.array_equal(layer.weights, expected.weights)
            assert np.array_equal(layer.bias, expected.bias)
            compared += layer.weights.size

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.run()
    assert compared == 4 * 3 + 5 * 4 + 4 * 3
    assert any(not np.array_equal(old.weights, new.weights) for old, new in zip(before, golden.parameters, strict=True))
