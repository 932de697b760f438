"""cocotb testbench of the command decoder: random frames against the command model, with a pretended network behind it.

Settings: the arguments of ``Commands``, ``frames`` (how many), ``seed``, ``pauses`` (how often each side hesitates: 0 to 1)
and ``coverage`` (whether every status of every opcode must occur). Each frame must get exactly one right reply, in order.
"""
from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from command_model import CYCLES_WORD, CommandModel
from hdl import frames
from hdl.frames import Opcode, Status
from testbenches.cases import each_case

PERIOD = 10                               # ns


class PretendedNetwork:
    """Any function of image, label and rates will do, so long as an error in one of them is likely to show."""

    def __init__(self, layers: Sequence[int], parameter_bits: Sequence[int]) -> None:
        self.layers, self.parameter_bits = layers, parameter_bits
        self.outputs = layers[-1]
        self.parameters: dict[tuple[int, int, int], int] = {}

    def infer(self, image: bytes) -> tuple[int, list[int]]:
        total = sum((k + 3) * byte for k, byte in enumerate(image))
        return total % self.outputs, [total * (k + 1) % 8191 - 4096 for k in range(self.outputs)]

    def learn(self, image: bytes, label: int, links_rate_shift: int, bias_rate_shift: int,
              K_rate_shift: int) -> tuple[int, list[int], bool]:
        winner, outputs = self.infer(image)
        return (winner, [word + 7 * links_rate_shift + bias_rate_shift + 300 * K_rate_shift for word in outputs],
                winner != label)

    def write(self, layer: int, neuron: int, index: int, word: int) -> None:
        inputs = self.layers[layer]
        bits = self.parameter_bits[0 if index < inputs else 1 if index == inputs else 2]
        low = word & (1 << bits) - 1
        self.keep(layer, neuron, index, low - (1 << bits) if low >> bits - 1 else low)

    def keep(self, layer: int, neuron: int, index: int, value: int) -> None:
        self.parameters[layer, neuron, index] = value

    def read(self, layer: int, neuron: int, index: int) -> int:
        return self.parameters.get((layer, neuron, index), 1_000 * layer + 100 * neuron + index)


class Bench:
    """The sides of the network, as coroutines: images are played, results given and parameters kept, all with pauses."""

    def __init__(self, dut: Any, settings: dict[str, Any]) -> None:
        self.dut, self.pauses = dut, settings["pauses"]
        self.chance = random.Random(settings["seed"])                     # of the pauses
        self.layers = tuple(settings["layers"])
        self.inputs, self.outputs = self.layers[0], self.layers[-1]
        self.network = PretendedNetwork(self.layers, settings["parameter_bits"])
        self.in_flight: Queue[tuple[bytes, int]] = Queue(maxsize=len(self.layers))
        self.played = self.delivered = 0
        self.ports: dict[str, Any] = {}

    def hesitates(self) -> bool:
        return self.chance.random() < self.pauses

    def pattern(self) -> Iterator[bool]:
        """Pauses of an AXI4-Stream model: calm and restless stretches."""
        while True:
            share = self.chance.choice([0, self.pauses, 0.9 if self.pauses else 0])
            for _ in range(self.chance.randrange(1, 200)):
                yield self.chance.random() < share

    async def tick(self, clocks: int = 1) -> None:
        for _ in range(clocks):
            await RisingEdge(self.dut.clk)

    async def sampled(self, *names: str) -> list[int]:
        """Values of ports at the end of this clock; -1 where a simulator of four values knows none."""
        await ReadOnly()
        return [self.number(name) for name in names]

    def number(self, name: str) -> int:
        if name not in self.ports:
            self.ports[name] = getattr(self.dut, name) if hasattr(self.dut, name) else None
        port = self.ports[name]
        if port is None:                                                  # a field without bits
            return 0
        value = port.value
        return int(value) if value.is_resolvable else -1

    async def wander(self) -> None:
        while self.hesitates():
            await self.tick()

    async def play_images(self) -> None:
        """The first layer: takes each list, now and then more than once, and releases it."""
        dut = self.dut
        while True:
            available, learn = await self.sampled("available", "learn")
            await self.tick()
            if not available:
                continue
            dut.idle.value = 0
            self.played += 1
            image = await self.one_play()
            while self.hesitates():
                assert await self.one_play() == image, "a second play must give the same list"
            assert await self.sampled("available", "learn") == [1, learn]
            await self.tick()
            dut.release.value = 1
            await self.tick()
            dut.release.value = 0
            await self.in_flight.put((image, learn))

    async def one_play(self) -> bytes:
        dut, image, before = self.dut, bytearray(self.inputs), -1
        dut.start.value = 1
        await self.tick()
        dut.start.value = 0
        while True:
            ready = not self.hesitates()
            dut.items_ready.value = ready
            valid, index, value, last = await self.sampled("items_valid", "items_index", "items_value", "items_last")
            await self.tick()
            if valid and ready:
                assert before < index <= self.inputs
                assert (value == 0) == (index == self.inputs) == last
                before = index
                if last:
                    dut.items_ready.value = 0
                    return bytes(image)
                image[index] = value

    async def give_results(self) -> None:
        """The output stage: takes each job when its image comes, and gives class and outputs."""
        dut, chance = self.dut, self.chance
        while True:
            image, learn = await self.in_flight.get()
            await self.wander()
            dut.job_ready.value = 1
            valid, to_learn, label, want = await self.sampled("job_valid", "job_learn", "job_label", "job_want_outputs")
            await self.tick()
            assert valid, "each image must have its job by now"
            assert learn == to_learn
            dut.job_ready.value = 0
            changed = False
            if learn:
                rates = [int(getattr(dut, name).value) if hasattr(dut, name) else 0
                         for name in ("links_rate_shift", "bias_rate_shift", "K_rate_shift")]
                winner, outputs, changed = self.network.learn(image, label, *rates)
            else:
                winner, outputs = self.network.infer(image)
            words = [winner | chance.getrandbits(16) << 16 if self.pauses else winner, *(outputs if want else [])]
            for k, word in enumerate(words):
                await self.wander()
                await self.send("result", value=word & 0xFFFFFFFF, first=k == 0, last=k == len(words) - 1,
                                changed=changed and k == 0)
            await self.tick(chance.randrange(6) if learn else 0)          # learning goes on after the reply
            self.delivered += 1
            if self.played == self.delivered and self.in_flight.empty():
                await self.settle()

    async def settle(self) -> None:
        """Idle again, unless the next image has come."""
        available, = await self.sampled("available")
        await self.tick()
        if not available and self.played == self.delivered:
            self.dut.idle.value = 1

    async def send(self, name: str, **fields: int) -> None:
        for field, value in fields.items():
            getattr(self.dut, f"{name}_{field}").value = int(value)
        valid, ready = getattr(self.dut, f"{name}_valid"), f"{name}_ready"
        valid.value = 1
        while True:
            taken, = await self.sampled(ready)
            await self.tick()
            if taken:
                break
        valid.value = 0

    async def keep_parameters(self) -> None:
        dut = self.dut
        while True:
            ready = not self.hesitates()
            dut.access_ready.value = ready
            valid, write, layer, neuron, index, word = await self.sampled(
                "access_valid", "access_write", "access_layer", "access_neuron", "access_index", "access_data")
            await self.tick()
            if not (valid and ready):
                continue
            dut.access_ready.value = 0
            assert int(dut.idle.value), "parameters are asked for only while the network is idle"
            if write:
                self.network.keep(layer, neuron, index, frames.signed(word))      # what is given is what is kept
            await self.wander()
            await self.send("access_reply", data=self.network.read(layer, neuron, index) & 0xFFFFFFFF)

    async def no_reply_changes_while_it_waits(self) -> None:
        names = "m_axis_tvalid", "m_axis_tready", "m_axis_tdata", "m_axis_tlast"
        waiting: list[int] = []
        while True:
            valid, ready, *payload = await self.sampled(*names)
            assert not waiting or (valid and payload == waiting)
            waiting = payload if valid and not ready else []
            await self.tick()


@each_case
async def every_frame_has_its_reply(dut: Any, options: Any) -> None:
    bench = Bench(dut, options)
    model = CommandModel(
        layers=bench.layers, backend=PretendedNetwork(bench.layers, options["parameter_bits"]), digest=options["digest"],
        learns=options["learns"],
        programmable=options["programmable"], links_rate_shifts=range(*options["links_rate_shifts"]),
        bias_rate_shifts=range(*options["bias_rate_shifts"]), initial_links=options["initial_links"],
        initial_bias=options["initial_bias"], K_rate_shifts=range(*options.get("K_rate_shifts", (0,))),
        initial_K=options.get("initial_K"))
    for name in ("start", "release", "items_ready", "job_ready", "access_ready", "access_reply_valid", "access_reply_data",
                 "result_valid", "result_value", "result_first", "result_last", "result_changed"):
        getattr(dut, name).value = 0
    dut.idle.value = 1
    dut.rst.value = 1
    Clock(dut.clk, PERIOD, "ns").start()
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst, byte_lanes=1)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst, byte_lanes=1)
    if options["pauses"]:
        source.set_pause_generator(bench.pattern())
        sink.set_pause_generator(bench.pattern())
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    for task in (bench.play_images, bench.give_results, bench.keep_parameters, bench.no_reply_changes_while_it_waits):
        cocotb.start_soon(task())

    coverage: Counter[tuple[int, int]] = Counter()
    unanswered: Queue[tuple[list[int], list[int]]] = Queue(maxsize=12)

    async def send_frames() -> None:
        chance = random.Random(options["seed"])
        for _ in range(options["frames"]):
            frame = model.random_frame(chance)
            await unanswered.put((frame, model.answer(frame)))
            await source.send(frame)

    cocotb.start_soon(send_frames())
    for number in range(options["frames"]):
        received = await with_timeout(sink.recv(compact=False), 100_000 * PERIOD, "ns")
        frame, expected = await unanswered.get()
        words = [int(word) for word in received.tdata]
        if len(words) == 1 + frames.STATUS_WORDS and words[0] == Opcode.STATUS | frames.REPLY:
            assert words[CYCLES_WORD] > 0
            words[CYCLES_WORD] = 0
        assert words == expected, f"frame {number} {frame}: {words} instead of {expected}"
        coverage[frame[0] & 0xFF, expected[0] >> 8 & 0xFF] += 1
    await ClockCycles(dut.clk, 50)
    assert sink.empty(), "one reply to a frame, no more"
    if options["coverage"]:
        check_coverage(coverage, options["learns"])


def check_coverage(coverage: Counter[tuple[int, int]], learns: bool) -> None:
    """Every status that an opcode can have must have occurred."""
    short, long, ok = Status.SHORT, Status.LONG, Status.OK
    possible = {Opcode.STATUS: [ok, long], Opcode.RESET: [ok, long], Opcode.INFER: [ok, short, long],
                Opcode.READ: [ok, short, long, Status.ADDRESS], Opcode.WRITE: [ok, short, long, Status.ADDRESS],
                Opcode.RATE: [ok, short, long, Status.RATE] if learns else [Status.NO_LEARNING],
                Opcode.LEARN: [ok, short, long, Status.LABEL, Status.NO_IMAGE] if learns else [Status.NO_LEARNING]}
    goals = set(itertools.chain.from_iterable(((int(opcode), int(status)) for status in statuses)
                                               for opcode, statuses in possible.items()))
    known = {pair: count for pair, count in coverage.items() if pair[0] in tuple(Opcode)}
    assert set(known) == goals, f"not seen: {goals - set(known)}; impossible: {set(known) - goals}"
    assert any(status == Status.UNKNOWN for _, status in coverage), "an unknown opcode must be among the frames"
