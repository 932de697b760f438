# amaranth: UnusedElaboratable=no
"""Any frames at all, through the compiled core: one right reply to each, no hang, and the right parameters afterwards."""
import functools
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from command_model import CYCLES_WORD
from golden_backend import command_model, snapshot
from golden_model import parameters
from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Learning, Network, Wiring
from hdl import core, emit, frames
from hdl.design import Design
from hdl.frames import Opcode, Status
from planted_bugs import planted
from sim.compiled import Stuck
from sim.rtl_model import RtlModel

# links, biases and K of three widths, so that words have bits above their format
NETWORK = Network(layers=(5, 4, 3), integration=Integration(steps=2), learning=Learning(epochs=4, halvings=3),
                  formats=Formats(displacement="Q1.10", weight="Q2.8", drive="Q4.10", coupling="Q2.3", bracket="Q6.10",
                                  error="Q1.10"))
LEARNING_K = replace(NETWORK, formats=replace(NETWORK.formats, coupling=Format.parse("Q2.18")), learning=Learning(
    epochs=4, halvings=3, bias=0.0, K1=2.0**-5, K2=2.0**-5, K3=2.0**-6))
DESIGNS = {"parallel": Design(network=NETWORK, units=(2, 3)),
           "time-shared": Design(network=NETWORK, units=(2, 2), arrangement="time-shared"),
           "programmable": Design(network=NETWORK, units=(2, 3), kind="programmable"),
           "K learns": Design(network=LEARNING_K, units=(2, 3), kind="programmable"),
           "K learns, time-shared": Design(network=LEARNING_K, units=(2, 2), kind="programmable", arrangement="time-shared")}
CONVOLUTIONS = Design(units=(2, 2, 2), network=replace(NETWORK, layers=(8, 12, 4, 3), wiring=Wiring(layers=(
    "convolution 1x2 stride 1 of 2x4x1", "convolution 2x2 stride 2 of 2x3x2", "full"))))
RECURRENT = Design(network=replace(NETWORK, layers=(6, 4, 3), wiring=Wiring(layers=("recurrent 3 steps 1 K3 0.5", "full"))))
BOTH = {arrangement: Design(network=NETWORK, units=(2, 3), arrangement=arrangement)
        for arrangement in ("time-shared 0-0", "time-shared 1-1")} | {
            "convolutions": CONVOLUTIONS, "recurrent": RECURRENT}


verilog = functools.cache(emit.to_verilog)
pytestmark = pytest.mark.usefixtures("optimised_cores")


class Conversation:
    """A core and its model; ``seen`` counts (opcode, status), ``resets`` those in the middle of something.

    Up to ``most`` frames follow one another; then, with probability ``cut``, they are cut off by a reset of 1 to 3 clocks.
    ``text``: makes the Verilog of the design.
    """

    def __init__(self, design, seed, most=300, cut=0.1, text=verilog):
        self.most, self.cut = most, cut
        self.chance, self.coverage, self.resets, self.seed = random.Random(seed), Counter(), 0, seed
        values = parameters.initial(design.network, "fixed")
        self.rtl = RtlModel(design.network, text(design), patience=20_000)
        self.rtl.load_parameters(values)
        self.model = command_model(design, values)
        self.rtl.reset()
        self.under_way = snapshot(values)    # before the last frame: a reply to LEARN comes before its image is learnt

    def go(self, count):
        """So many random frames."""
        while count > 0:
            number = min(count, self.chance.randint(1, self.most))
            requests = [self.model.random_frame(self.chance) for _ in range(number)]
            states = [self.under_way, snapshot(self.model.backend.layers)]
            replies = []
            for request in requests:
                replies.append(self.model.answer(request))
                states.append(snapshot(self.model.backend.layers))
            reset = self.chance.random() < self.cut
            self.exchange(requests, replies, self.chance.randrange(1, 60 * number) if reset else None)
            self.under_way = states[-2]
            if reset:
                self.reset(states)
            count -= number

    def exchange(self, requests, replies, clocks):
        self.seed += 1
        pause = self.chance.choice([0, 0.2, 0.8])
        result = self.rtl.core.exchange(
            np.array([word for request in requests for word in request], np.uint32), np.array([len(r) for r in requests]),
            idle=pause, stall=self.chance.choice([0, 0.2, 0.8]), seed=self.seed, patience=20_000, most_clocks=clocks).replies
        if clocks is None:
            assert len(result) == len(requests)
        for request, expected, words in zip(requests, replies, result, strict=False):
            words = [int(word) for word in words]
            if len(words) == 1 + frames.STATUS_WORDS and words[0] == Opcode.STATUS | frames.REPLY:
                assert words[CYCLES_WORD] > 0
                words[CYCLES_WORD] = 0
            assert words == expected, f"{request}: {words} instead of {expected}"
            self.coverage[request[0] & 0xFF, expected[0] >> 8 & 0xFF] += 1

    def reset(self, states):
        """In the middle of anything. Every parameter is as before or as after one and the same frame."""
        self.resets += 1
        self.rtl.reset(self.chance.randint(1, 3))
        self.model.reset()
        values = self.rtl.parameters
        result = snapshot(values)
        assert any(((result == before) | (result == after)).all() for before, after in zip(states, states[1:], strict=False))
        self.model.backend.layers = values
        self.under_way = result

    def end(self):
        report = self.rtl.status()
        model = self.model
        assert (report.inferred, report.learnt, report.changed) == (model.inferred, model.learnt, model.changed)
        assert np.array_equal(snapshot(self.rtl.parameters), snapshot(model.backend.layers))


def converse(arrangement, count):
    conversation = Conversation((DESIGNS | BOTH)[arrangement], 1, cut=0.25)
    conversation.go(count)
    conversation.end()
    assert conversation.resets > count // 3000
    known = {(opcode, status) for opcode, status in conversation.coverage if opcode in tuple(Opcode)}
    assert {opcode for opcode, _ in known} == set(map(int, Opcode))
    assert {status for _, status in conversation.coverage} == set(map(int, Status)) - {Status.NO_LEARNING}


@pytest.mark.parametrize("arrangement", DESIGNS)
def test_10_000_random_frames(arrangement):
    converse(arrangement, 10_000)


@pytest.mark.long
@pytest.mark.parametrize("arrangement", [*DESIGNS, *BOTH])
def test_100_000_random_frames(arrangement):
    converse(arrangement, 100_000)


@pytest.mark.parametrize("arrangement", [*DESIGNS, "convolutions", "recurrent"])
def test_500_resets(arrangement):
    """Of one clock too: every part of the core must have it in the same clock, and no word may pass meanwhile."""
    conversation = Conversation((DESIGNS | BOTH)[arrangement], 3, most=8, cut=1)
    conversation.go(2200)
    conversation.end()
    assert conversation.resets > 450


BUGS = {
    "layers are reset a clock late": ("hdl.core", "Core", '{"source": ResetSignal()}',
                                      '{"source": ResetSignal() if name == CENTRE else ResetSignal(CENTRE)}'),
    "words pass in the clock of the reset": ("hdl.core_ports", "commands_of", 'if domain != "sync":', "if False:")}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_the_reset_is_noticed(bug, monkeypatch):
    module, name, *change = BUGS[bug]
    monkeypatch.setattr(emit, "to_verilog", emit.to_verilog.__wrapped__)     # nothing that was kept before
    monkeypatch.setattr({"hdl.core": emit, "hdl.core_ports": core}[module], name, getattr(planted(module, *change), name))
    with pytest.raises((Stuck, AssertionError)):
        Conversation(DESIGNS["parallel"], 3, most=8, cut=1, text=emit.to_verilog).go(2200)


def test_a_parameter_that_is_wrong_is_noticed():
    conversation = Conversation(DESIGNS["parallel"], 2)
    conversation.go(50)
    conversation.model.backend.layers[1].weights[2, 3] ^= 1
    with pytest.raises(AssertionError):
        conversation.end()
