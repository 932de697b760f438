"""cocotb testbench of the whole core: carries frames between another process and AXI4-Stream models at the core's ports.

It is the simulator's side of ``sim.cocotb_runner.CocotbCore``, which names the socket in ``CORE_BENCH``. While it waits for the
next order, simulated time stands still. Whatever is sent, the core must hold a reply word until it is taken.
"""
from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from multiprocessing.connection import Client
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

PERIOD = 10                               # ns


class Bench:
    """Source and sink of frames, and a monitor of the replies."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst, byte_lanes=1)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst, byte_lanes=1)
        self.last_word = 0                # clock in which a word last went in or out
        self.waits = {"s_axis": 0, "m_axis": 0}
        self.broken = ""

    async def reset(self, clocks: int) -> None:
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, clocks + 1)
        self.dut.rst.value = 0
        self.source.clear()
        self.sink.clear()
        await RisingEdge(self.dut.clk)

    async def watch(self) -> None:
        """Counts waiting clocks on both sides; a reply word that waits must stay. An edge finds what the clock before had."""
        dut = self.dut
        rst, data, last = dut.rst, dut.m_axis_tdata, dut.m_axis_tlast
        offers, takes, replies, taking = dut.s_axis_tvalid, dut.s_axis_tready, dut.m_axis_tvalid, dut.m_axis_tready
        edge = RisingEdge(dut.clk)
        held: tuple[int, ...] | None = None
        while True:
            await edge
            if rst.value:
                held = None
                continue
            sent, valid = bool(offers.value), bool(replies.value)
            taken, ready = sent and bool(takes.value), valid and bool(taking.value)
            word = (int(data.value), int(last.value)) if valid else ()
            if held is not None and word != held and not self.broken:
                self.broken = f"m_axis must hold its word until it is taken, but it changed at clock {clock() - 1}"
            held = word if valid and not ready else None
            self.waits["s_axis"] += sent and not taken
            self.waits["m_axis"] += valid and not ready
            if taken or ready:
                self.last_word = clock() - 1

    async def exchange(self, order: dict[str, Any]) -> dict[str, Any]:
        chance = random.Random(order["seed"])
        for model, share in ((self.source, order["idle"]), (self.sink, order["stall"])):
            model.set_pause_generator(pattern(random.Random(chance.getrandbits(32)), share) if share else None)
            model.pause = False
        sent: list[AxiStreamFrame] = []
        for request in order["requests"]:
            await self.source.send(AxiStreamFrame(request, tx_complete=sent.append))
        self.last_word = clock()
        received: list[AxiStreamFrame] = []
        stuck = False
        while len(received) < order["replies"] and not stuck:
            try:
                received.append(await with_timeout(self.sink.recv(compact=False), order["patience"] * PERIOD, "ns"))
            except SimTimeoutError:
                stuck = clock() - self.last_word >= order["patience"]
        if self.broken:
            return {"error": self.broken}
        return {"stuck": stuck, "replies": [[int(word) for word in frame.tdata] for frame in received],
                "started": [clock(frame.sim_time_start) for frame in sent],
                "sent": [clock(frame.sim_time_end) for frame in sent],
                "answered": [clock(frame.sim_time_end) for frame in received], "waits": self.waits}


def clock(steps: int | None = None) -> int:
    """A simulated time in clocks; by default the present one."""
    return int(get_sim_time() if steps is None else steps) // int(PERIOD * 1000)


def pattern(chance: random.Random, share: float) -> Iterator[bool]:
    """Pauses of an AXI4-Stream model: calm stretches, stretches with ``share`` of all clocks, and restless ones."""
    while True:
        now = chance.choice([0, share, share, max(share, 0.9)])
        for _ in range(chance.randrange(1, 200)):
            yield chance.random() < now


@cocotb.test()
async def frames_are_carried(dut: Any) -> None:
    settings = json.loads(os.environ["CORE_BENCH"])
    dut.rst.value = 1
    Clock(dut.clk, PERIOD, "ns").start()
    bench = Bench(dut)
    await bench.reset(2)
    cocotb.start_soon(bench.watch())
    with Client(settings["address"], authkey=bytes.fromhex(settings["key"])) as parent:
        parent.send({"clocks": clock()})
        while (order := parent.recv())["do"] != "close":
            if order["do"] == "reset":
                await bench.reset(order["clocks"])
                parent.send({"clocks": clock()})
            else:
                parent.send(await bench.exchange(order) | {"clocks": clock()})
