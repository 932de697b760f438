"""A ring of registers turns, takes in, keeps and clears; rings in memories are compared with it in ``test_control``."""
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from hdl.ring import shift_ring


def test_a_ring_turns_takes_keeps_and_clears():
    m = Module()
    shift, new, clear, word = Signal(), Signal(), Signal(), Signal(signed(4))
    places = shift_ring(m, "ring", 4, shift=shift, new=new, word=word, clear=clear)

    async def bench(ctx):
        async def clock(**inputs):
            for signal, value in ((shift, "shift"), (new, "new"), (clear, "clear"), (word, "word")):
                ctx.set(signal, inputs.get(value, 0))
            await ctx.tick()
            return [ctx.get(place) for place in places]

        for number in (-8, 1, 2, 3, 7):
            held = await clock(shift=1, new=1, word=number)
        assert held == [-8, 1, 2, 3, 7]
        assert await clock(new=1, word=5) == held
        assert await clock(shift=1, word=5) == [1, 2, 3, 7, -8]
        assert await clock(shift=1, new=1, word=5) == [2, 3, 7, -8, 5]
        assert await clock(shift=1, new=1, clear=1, word=6) == [0] * 5

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
