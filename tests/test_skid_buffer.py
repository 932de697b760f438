# amaranth: UnusedElaboratable=no
"""Skid buffer and shift queue: proved to be queues, for every input in every clock; full throughput; bugs are found."""
import re

import pytest
from amaranth.hdl import Assert, Cover, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from formal import check, keeps_offers
from golden_model.errors import InputError
from hdl import skid_buffer
from hdl.skid_buffer import ShiftQueue, SkidBuffer, Word
from planted_bugs import planted


class QueueProof(wiring.Component):
    """Claims that ``queue`` is a queue of ``capacity`` items: a model beside it, fed by the same transfers.

    ``stored(k)`` is where the queue keeps its k-th item from the exit, ``present(k)`` whether it is there: k-induction
    starts from any state, so that registers which nobody sees yet must be compared as well.
    """

    def __init__(self, queue, capacity, stored, present, ready_after_reset):
        self.queue, self.capacity, self.stored, self.present = queue, capacity, stored, present
        self.ready_after_reset = ready_after_reset
        super().__init__({"i": In(stream.Signature(queue.shape)), "o": Out(stream.Signature(queue.shape))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self.queue
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        wiring.connect(m, wiring.flipped(self.o), queue.o)
        width = len(Value.cast(queue.o.payload))
        model = [Signal(width, name=f"model_{k}") for k in range(self.capacity)]
        count, started = Signal(range(self.capacity + 2)), Signal()
        put, get = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
        left = Signal.like(count)
        m.d.comb += left.eq(count - get)
        m.d.sync += [count.eq(left + put), started.eq(1)]
        for k, item in enumerate(model):
            with m.If(put & (left == k)):
                m.d.sync += item.eq(queue.i.payload)
            if k + 1 < self.capacity:
                with m.Elif(get):
                    m.d.sync += item.eq(model[k + 1])
            with m.If(k < count):
                m.d.comb += Assert(Value.cast(self.stored(k)) == item, f"item {k} is what was put in")
            m.d.comb += Assert(self.present(k) == (k < count), f"item {k} is there, or is not")
        m.d.comb += [
            Assert(count <= self.capacity, "never more than the capacity"),
            Assert(queue.o.valid == (count != 0), "what is inside is on offer"),
            Assert((queue.o.payload if width == 1 else Value.cast(queue.o.payload)) == Value.cast(self.stored(0)),
                   "what is on offer is the oldest"),
            Assert(queue.i.ready == ((count < self.capacity) & (started | self.ready_after_reset)), "room is room"),
            Cover(count == self.capacity, "full"),
            Cover(started & (count == 0) & (model[-1] == 1), "empty again"),
        ]
        keeps_offers(m, queue.o, "output")
        return m


def skid_proof(shape, module=skid_buffer):
    buffer = module.SkidBuffer(shape)
    return QueueProof(buffer, 2, lambda k: (buffer.o.payload, buffer.spare)[k], lambda k: (buffer.o.valid, buffer.held)[k], 0)


def queue_proof(shape, depth, module=skid_buffer):
    queue = module.ShiftQueue(shape, depth)
    return QueueProof(queue, depth, lambda k: queue.slots[k], lambda k: queue.filled[k], 1)


PROOFS = {"skid of 1 bit": lambda: skid_proof(1), "skid of words": lambda: skid_proof(Word),
          "queue of 1": lambda: queue_proof(3, 1), "queue of 2": lambda: queue_proof(Word, 2),
          "queue of 6": lambda: queue_proof(4, 6)}


@pytest.mark.parametrize("name", PROOFS)
def test_it_is_a_queue_whatever_comes(name):
    """Nothing dropped, doubled, reordered or changed while waiting: by induction, for all inputs and resets."""
    verdict = check(PROOFS[name](), depth=2)
    assert (verdict.status, verdict.failed) == ("PASS", ())


@pytest.mark.parametrize("name", PROOFS)
def test_it_gets_full_and_empty(name):
    """The proofs are not about a queue in which nothing can happen."""
    assert check(PROOFS[name](), mode="cover", depth=16).passed


BUGS = {
    "spare is forgotten": (lambda bad: skid_proof(4, bad), "valid.eq(self.held | (self.i.valid & ready))",
                           "valid.eq(self.i.valid & ready)"),
    "spare is given twice": (lambda bad: skid_proof(4, bad), "self.held.eq(0), ready.eq(1)", "ready.eq(1)"),
    "ready stays high": (lambda bad: skid_proof(4, bad), "[self.held.eq(1), ready.eq(0)]", "[self.held.eq(1)]"),
    "output changes while it waits": (lambda bad: skid_proof(4, bad), "~self.o.valid | self.o.ready",
                                      "self.i.valid | self.o.ready"),
    "spare overtaken": (lambda bad: skid_proof(4, bad), "with m.If(self.held):", "with m.If(self.held & ~self.i.valid):"),
    "spare overwritten": (lambda bad: skid_proof(4, bad), "with m.If(ready):", "with m.If(self.i.valid):"),
    "full queue takes one more": (lambda bad: queue_proof(4, 3, bad), "ready.eq(~self.filled[-1])", "ready.eq(1)"),
    "lost when one comes and one goes": (lambda bad: queue_proof(4, 3, bad), "m.If(put & ~get)", "m.If(put & ~self.o.ready)"),
    "new item overtakes": (lambda bad: queue_proof(4, 3, bad), "self.filled[k + 1]", "self.filled[k]"),
    "slots do not move on": (lambda bad: queue_proof(4, 3, bad), "slot.eq(self.slots[k + 1])", "slot.eq(self.slots[k])"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    proof, right, wrong = BUGS[name]
    verdict = check(proof(planted("hdl.skid_buffer", right, wrong)), mode="bmc", depth=9)
    assert verdict.status == "FAIL"
    assert verdict.failed
    assert "$enddefinitions" in verdict.trace


@pytest.mark.parametrize("queue", [lambda: SkidBuffer(8), lambda: ShiftQueue(8, 2), lambda: ShiftQueue(8, 5)],
                         ids=["skid", "queue of 2", "queue of 5"])
def test_one_item_a_clock_with_a_latency_of_one(queue):
    queue = queue()
    sent, taken = list(range(50, 90)), []

    async def bench(ctx):
        ctx.set(queue.o.ready, 1)
        await ctx.tick()
        waiting = list(sent)
        for _ in range(len(sent) + 1):
            ctx.set(queue.i.valid, bool(waiting))
            ctx.set(queue.i.payload, waiting[0] if waiting else 0)
            if waiting:
                assert ctx.get(queue.i.ready)
                waiting.pop(0)
            if ctx.get(queue.o.valid):
                taken.append(ctx.get(queue.o.payload))
            await ctx.tick()

    simulator = Simulator(queue)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert taken == sent


@pytest.mark.parametrize("depth", [0, -1, 1.5, True])
def test_a_queue_of_nothing_is_refused(depth):
    with pytest.raises(InputError, match=f"^{re.escape(f'a queue must have a depth of 1 or more items, not {depth!r}')}$"):
        ShiftQueue(1, depth)
