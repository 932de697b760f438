# amaranth: UnusedElaboratable=no
"""Command decoder: every frame gets exactly one right reply, whatever comes and whoever hesitates."""
import re

import numpy as np
import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from formal import check, keeps_offers
from golden_model.errors import InputError
from hdl import frames
from hdl.commands import Commands
from hdl.frames import Status
from planted_bugs import planted
from testbenches.flat_ports import FlatPorts
from testbenches.run import Case, run_bench, verdicts

USUAL = {"layers": (13, 4, 3), "learns": True, "digest": 0x0123456789ABCDEF, "links_rate_shifts": (2, 9),
         "bias_rate_shifts": (0, 16), "initial_links": 4, "initial_bias": 5, "programmable": False,
         "parameter_bits": (11, 16, 5)}
NO_RATE_SHIFTS = {"links_rate_shifts": (0, 0), "bias_rate_shifts": (0, 0), "initial_links": None, "initial_bias": None}


def decoder(settings, commands=Commands):
    arguments = settings | {name: range(*settings[name]) for name in settings if name.endswith("_rate_shifts")}
    return commands(arguments.pop("layers"), **arguments)


def case(settings, commands=Commands, **bench):
    """Random frames under cocotb."""
    options = {"seed": 1, "pauses": 0.3, "frames": 300, "coverage": False} | settings | bench
    return Case(component=FlatPorts(decoder(settings, commands)), settings=options)


CONFIGURATIONS = {
    "learning, two layers": USUAL,
    "inference only, one layer, one output": USUAL | {"layers": (4, 1), "learns": False} | NO_RATE_SHIFTS,
    "programmable, three layers, one input": USUAL | {"layers": (1, 6, 5, 2), "programmable": True, "digest": 2**64 - 1},
    "links are not learnt, words of one width": USUAL | {"layers": (4, 2, 3), "links_rate_shifts": (0, 0),
                                                         "initial_links": None, "parameter_bits": (16, 16, 16),
                                                         "programmable": True},
    "bias is not learnt, K is widest": USUAL | {"layers": (4, 2, 3), "bias_rate_shifts": (0, 0), "initial_bias": None,
                                                "parameter_bits": (7, 7, 32), "programmable": True},
    "K alone learns": USUAL | NO_RATE_SHIFTS | {"layers": (4, 2, 3), "programmable": True, "parameter_bits": (9, 9, 24),
                                                "K_rate_shifts": (8, 15), "initial_K": 8},
    "all learn": USUAL | {"layers": (5, 3), "programmable": True, "K_rate_shifts": (3, 17), "initial_K": 4},
}


EXCHANGES = [("learning, two layers", 0), *((name, 0.4) for name in CONFIGURATIONS)]         # with pauses so often


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {(name, pauses): case(CONFIGURATIONS[name], frames=150, pauses=pauses) for name, pauses in EXCHANGES}
    wrong = {name: case(USUAL, planted("hdl.commands", *bug).Commands, frames=800, pauses=0.2) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "commands_bench")


@pytest.mark.parametrize(("name", "pauses"), EXCHANGES)
def test_random_frames_on_icarus(findings, name, pauses):
    assert not findings[name, pauses], findings[name, pauses]


def test_random_frames_on_verilator_with_every_opcode_and_status(tmp_path):
    run_bench(tmp_path, case(USUAL, frames=500, coverage=True), "commands_bench", simulator="verilator")


BUGS = {
    "word after the last is taken": ("image & one_left & label_fits", "image & (one_left | left.all()) & label_fits"),
    "label is not checked": ("one_left & label_fits", "one_left"),
    "refused image stays in the buffer": ("images.discard.eq(1)", "images.discard.eq(0)"),
    "idle is not waited for": ("quiet = ~owed.o.valid & resting", "quiet = ~owed.o.valid"),
    "reply changes while it waits": ("free = ~self.m_axis.valid | self.m_axis.ready", "free = Const(1)"),
    "last parameter cannot be reached": ("(index + count <= parameters)", "(index + count < parameters)"),
    "count is cut to eight bits": (", argument[8:])", ")"),
    "length is counted in eight bits": ("left.eq(left - needed)", "left.eq((left - needed)[:8])"),
    "neuron beyond the last": ("(neuron <= last_neuron)", "(neuron <= last_neuron + 1)"),
    "words that were not needed are taken": ("over.eq(~needed)", "over.eq(0)"),
    "rate shift of a refused frame": (
        "with m.If(status != Status.OK):", "with m.If((status != Status.OK) & ~is_[Opcode.RATE]):"),
    "a link takes the bits of a bias": ("word: Value = links if len(bias) == len(links)", "word: Value = bias if True"),
    "a bias takes the bits of a link": ("is_bias.eq(frame.index == inputs)", "is_bias.eq(0)"),
    "a written word keeps its upper bits": ("written[:bits].as_signed() for bits", "written for bits"),
    "images that changed nothing are counted": ("& result.first & result.changed &", "& result.first &"),
    "learnt images count as inferred": ("with m.If(owed.o.payload):\n                m.d.sync += learnt",
                                        "with m.If(0):\n                m.d.sync += learnt"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError|SimTimeoutError", findings[name])


class Proof(wiring.Component):
    """Claims about the streams of a decoder whose surroundings keep their side of the rules and are otherwise free."""

    def __init__(self, commands=Commands):
        self.dut = decoder(USUAL | {"layers": (3, 2, 2)}, commands)
        super().__init__(dict(self.dut.signature.members.items()))

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for name, member in dut.signature.members.items():
            if member.is_signature:
                wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(dut, name))
            elif member.flow == In:
                m.d.comb += getattr(dut, name).eq(getattr(self, name))
        keeps_offers(m, dut.s_axis, "s_axis", Assume)
        keeps_offers(m, dut.result, "result", Assume)
        keeps_offers(m, dut.access_reply, "access_reply", Assume)
        for name in ("m_axis", "job", "access"):
            keeps_offers(m, getattr(dut, name), name)

        # items are withdrawn by start and release only
        offered, before = Signal(), Signal.like(Value.cast(dut.items.payload))
        m.d.sync += [offered.eq(dut.items.valid & ~dut.items.ready & ~dut.start & ~dut.release), before.eq(dut.items.payload)]
        with m.If(offered):
            m.d.comb += Assert(dut.items.valid & (Value.cast(dut.items.payload) == before), "items stay")

        # the counter of words never wraps, and the decoder knows where a frame ends
        taken = dut.s_axis.valid & dut.s_axis.ready
        in_frame, counting, counted = Signal(), Signal(), Signal.like(dut.left)
        m.d.sync += [counting.eq(taken & dut.in_frame), counted.eq(dut.left)]
        with m.If(taken):
            m.d.sync += in_frame.eq(~dut.s_axis.payload.last)
        m.d.comb += Assert(dut.in_frame == in_frame, "frames end with their last word")
        with m.If(counting):
            m.d.comb += [Assert(dut.left == Mux(counted.all(), counted, (counted - 1)[:17]), "every word is counted once"),
                         Assert(dut.over == counted.all(), "one word too many is too many")]
        m.d.comb += Assert(dut.left.all() | ~dut.left[-1], "never less than none")
        return m


def test_streams_and_the_end_of_frames_are_kept_for_ever():
    verdict = check(Proof(), depth=3)
    assert (verdict.status, verdict.failed) == ("PASS", ())


@pytest.mark.parametrize(("right", "wrong", "failed"), [
    ("free = ~self.m_axis.valid | self.m_axis.ready", "free = Const(1)", "m_axis stays"),
    ('get.en.eq(phase.ongoing("FETCH"))', "get.en.eq(1)", "access stays the same"),
    ('m.next = "COMPARE"\n                with m.Else', 'm.next = "WORDS"\n                with m.Else',
     "frames end with their last word"),
    ("left.eq(left - needed)", "left.eq(left - 1)", "never less than none"),
    ("over.eq(~needed)", "over.eq(left.any())", "one word too many is too many"),
])
def test_a_planted_bug_breaks_the_proof(right, wrong, failed):
    verdict = check(Proof(planted("hdl.commands", right, wrong).Commands), depth=3)
    assert not verdict.passed
    assert any(message.startswith(failed) for message in verdict.failed)


# ---------------------------------------------------------------- clocks, resets, parameters


class Host:
    """Sends frames and takes replies in Amaranth's simulator; the network behind is one that answers at once.

    Its class is the number of nonzero inputs modulo the outputs, its outputs are all that number.
    """

    def __init__(self, dut):
        self.dut, self.replies, self.clock, self.taken_at = dut, [], 0, []

    def run(self, bench, top=None):
        """``top``: the decoder with something around it."""
        simulator = Simulator(self.dut if top is None else top)
        simulator.add_clock(1e-6)
        for background in (self.receive, self.network):
            simulator.add_testbench(background, background=True)
        simulator.add_testbench(bench)
        simulator.run()

    async def receive(self, ctx):
        """Collects replies; counts the clocks; notes when a word was accepted."""
        dut, words = self.dut, []
        ctx.set(dut.m_axis.ready, 1)
        async for _clock, _reset, valid, payload, taken in ctx.tick().sample(
                dut.m_axis.valid, dut.m_axis.payload, dut.s_axis.valid & dut.s_axis.ready):
            if valid:
                words.append(payload.data)
                if payload.last:
                    self.replies.append(words)
                    words = []
            if taken:
                self.taken_at.append(self.clock)
            self.clock += 1

    async def network(self, ctx):
        dut, result = self.dut, self.dut.result.payload
        ctx.set(dut.items.ready, 1)
        ctx.set(dut.result.valid, 0)
        while True:
            ctx.set(dut.idle, ~ctx.get(dut.available) & 1)
            if not ctx.get(dut.available):
                await ctx.tick()
                continue
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            inputs = 0
            while not (ctx.get(dut.items.valid) and ctx.get(dut.items.payload.last)):
                inputs += ctx.get(dut.items.valid)
                await ctx.tick()
            job = dut.job.payload
            learn, want, label = ctx.get(job.learn), ctx.get(job.want_outputs), ctx.get(job.label)
            ctx.set(dut.release, 1)
            ctx.set(dut.job.ready, 1)
            await ctx.tick()
            ctx.set(dut.release, 0)
            ctx.set(dut.job.ready, 0)
            words = [inputs % dut.outputs, *([inputs] * dut.outputs if want else [])]
            ctx.set(dut.result.valid, 1)
            for k, word in enumerate(words):
                ctx.set(result, {"value": word, "first": k == 0, "last": k == len(words) - 1,
                                 "changed": learn and word != label})
                while not ctx.get(dut.result.ready):
                    await ctx.tick()
                await ctx.tick()
            ctx.set(dut.result.valid, 0)

    async def send(self, ctx, frame, end=True):
        dut = self.dut
        ctx.set(dut.s_axis.valid, 1)
        for k, word in enumerate(frame):
            ctx.set(dut.s_axis.payload, {"data": word, "last": end and k == len(frame) - 1})
            while not ctx.get(dut.s_axis.ready):
                await ctx.tick()
            await ctx.tick()
        ctx.set(dut.s_axis.valid, 0)

    async def ask(self, ctx, frame, **options):
        """Send a frame and wait for its reply."""
        before = len(self.replies)
        await self.send(ctx, frame, **options)
        while len(self.replies) == before:
            await ctx.tick()
        assert len(self.replies) == before + 1
        return frames.parse(self.replies[-1])


IMAGE = np.array([0, 7, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 9], np.uint8)


@pytest.mark.parametrize("inputs", [1, 13, 40])
def test_an_image_is_received_in_one_clock_a_word_and_its_header(inputs):
    """Zeros, so that the network keeps up with the shortest images: 4 clocks after the first ones."""
    host = Host(decoder(USUAL | {"layers": (inputs, 3)}))
    image = np.zeros(inputs, np.uint8)

    async def bench(ctx):
        for _ in range(2 if inputs == 1 else 8):
            await host.send(ctx, frames.infer(image))

    host.run(bench)
    assert host.taken_at == list(range(len(host.taken_at)))
    assert len(host.taken_at) == (2 if inputs == 1 else 8) * (1 + -(-inputs // 4))


def test_counters_rates_and_the_last_error_in_status():
    check_counters(Commands)


@pytest.mark.parametrize(("right", "wrong"), [
    ("report.last_error.eq(Status.OK)", "[]"), ("[rate.register.eq(rate.initial) for", "[[] for"),
    ("for counter in (inferred, learnt, changed, refused, cycles)]", "for counter in (inferred, learnt, changed, refused)]"),
    ("[refused.eq(refused + 1), last_error.eq(status)]", "[refused.eq(refused + 1)]"),
    ("each.register.eq(operand.word_select(place, 8))", "each.register.eq(operand[:8])"),
])
def test_a_planted_bug_shows_in_status(right, wrong):
    with pytest.raises(AssertionError):
        check_counters(planted("hdl.commands", right, wrong).Commands)


def check_counters(commands):
    host = Host(decoder(USUAL, commands))

    reset_at = [0]

    async def status(ctx):
        before = host.clock - reset_at[0]
        report = frames.status_report(await host.ask(ctx, frames.status()))
        assert before - 10 <= report.cycles <= host.clock - reset_at[0] + 10
        assert (report.magic, report.digest, report.revision) == (frames.MAGIC, USUAL["digest"], frames.REVISION)
        assert (report.learns, report.programmable) == (True, False)
        assert (report.links_rate_shifts, report.bias_rate_shifts) == (range(2, 9), range(16))
        counters = "inferred", "learnt", "changed", "refused", "links_rate_shift", "bias_rate_shift", "last_error"
        return {name: getattr(report, name) for name in counters}

    async def bench(ctx):
        fresh = {"inferred": 0, "learnt": 0, "changed": 0, "refused": 0, "links_rate_shift": 4, "bias_rate_shift": 5,
                 "last_error": Status.OK}
        assert await status(ctx) == fresh
        for _ in range(3):
            assert (await host.ask(ctx, frames.infer(IMAGE))).argument == 0
        assert (await host.ask(ctx, frames.learn(IMAGE, 0))).status == Status.OK                  # no error
        reply = await host.ask(ctx, frames.learn(IMAGE, 2, outputs=True))
        assert (reply.argument, reply.words) == (0, (3, 3, 3))
        assert (await host.ask(ctx, frames.learn(IMAGE, 3))).status == Status.LABEL
        assert (await host.ask(ctx, frames.rate_shifts(8, 15))).status == Status.OK
        assert (await host.ask(ctx, frames.rate_shifts(9, 15))).status == Status.RATE
        assert (await host.ask(ctx, frames.infer(IMAGE)[:-1])).status == Status.SHORT
        expected = {"inferred": 3, "learnt": 2, "changed": 1, "refused": 3, "links_rate_shift": 8, "bias_rate_shift": 15,
                    "last_error": Status.SHORT}
        assert await status(ctx) == expected
        assert (ctx.get(host.dut.links_rate_shift), ctx.get(host.dut.bias_rate_shift)) == (8, 15)
        assert (await host.ask(ctx, frames.reset())).status == Status.OK
        reset_at[0] = host.clock
        assert await status(ctx) == fresh

    host.run(bench)


@pytest.mark.parametrize("cut", [frames.infer(IMAGE)[:2], frames.infer(IMAGE), frames.write(0, 1, 2, [5, 6])[:3],
                                 frames.status(), [0xFFFFFFFF, 0, 0]],
                         ids=["image", "whole image", "write", "status", "rubbish"])
def test_a_hard_reset_amid_a_frame_is_a_fresh_start(cut):
    """What was under way is dropped: no reply, no entry left in the image buffer, counters at zero."""
    host, reset = Host(decoder(USUAL)), Signal()

    async def bench(ctx):
        await host.ask(ctx, frames.infer(IMAGE))
        await host.send(ctx, cut, end=False)
        ctx.set(reset, 1)
        await ctx.tick().repeat(2)
        ctx.set(reset, 0)
        assert (await host.ask(ctx, frames.infer(np.zeros(13, np.uint8), outputs=True))).words == (0, 0, 0)
        report = frames.status_report(await host.ask(ctx, frames.status()))
        assert (report.inferred, report.refused) == (1, 0)
        assert report.cycles < 100

    host.run(bench, ResetInserter({"sync": reset})(host.dut))


@pytest.mark.parametrize(("changes", "message"), [
    ({"layers": [3, 2]}, "layers must be a tuple of 2 to 257 sizes, not [3, 2]"),
    ({"layers": (3,)}, "layers must be a tuple of 2 to 257 sizes, not (3,)"),
    ({"layers": (3, 0)}, "each size in layers must be a whole number from 1 to 65519, not 0"),
    ({"layers": (65_520, 2)}, "each size in layers must be a whole number from 1 to 65519, not 65520"),
    ({"layers": (3, 2.0)}, "each size in layers must be a whole number from 1 to 65519, not 2.0"),
    ({"digest": 1 << 64}, "digest must be a number of 64 bits, not 18446744073709551616"),
    ({"links_rate_shifts": (3, 3)}, "initial_links must be None, because these parameters are not learnt, not 4"),
    ({"bias_rate_shifts": (0, 256)}, "bias_rate_shifts must be a range within 0 to 254, or empty, not range(0, 256)"),
    ({"bias_rate_shifts": (0, 9, 2)}, "bias_rate_shifts must be a range within 0 to 254, or empty, not range(0, 9, 2)"),
    ({"initial_bias": None}, "initial_bias must be one of the rate shifts 0 to 15, not None"),
    ({"initial_links": 9}, "initial_links must be one of the rate shifts 2 to 8, not 9"),
])
def test_what_frames_cannot_express_is_refused(changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        decoder(USUAL | changes)
