"""``Compiled``: frames in bulk, stalls, clocks, probes, traces, and cores that misbehave. The core is tests/frame_core.v."""
from __future__ import annotations

import gc
import re
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.errors import DeviceError, InputError
from hdl import frames
from hdl.frames import Opcode, Status
from sim import compiled
from sim.compiled import Compiled, Probe

ROOT = Path(__file__).parent.parent
CORE = (ROOT / "tests/frame_core.v").read_text("utf-8")
INPUTS, OUTPUTS = 6, 3
PROBES = [Probe(strobe="unit.done", signed=("unit.sum", "unit.narrow"), unsigned=("unit.base", "unit.wide")),
          Probe(strobe=None, unsigned=("state", "s_axis_tvalid", "s_axis_tdata"))]
PUBLIC = [("frame_core", "parameters"), ("output_unit", "*")]
HANG, FINISH, FICKLE = 1, 2, 3            # faults that the argument of RESET plants


@pytest.fixture
def core():
    return Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC)


def send(core, requests, **options):
    """Frames as lists, replies as lists."""
    words = [word for request in requests for word in request]
    exchange = core.exchange(np.array(words, np.uint32), np.array([len(request) for request in requests]), **options)
    return [reply.tolist() for reply in exchange.replies]


def write(values):
    """Frames that write (outputs, inputs + 1) parameters."""
    return [frames.write(0, neuron, 0, row) for neuron, row in enumerate(values.tolist())]


def expected(values, images):
    """Replies of the core to INFER with outputs."""
    outputs = images.astype(np.int64) @ values[:, :INPUTS].T + values[:, INPUTS]
    return [[Opcode.INFER | frames.REPLY | int(row.argmax()) << 16, *(int(word) & 0xFFFFFFFF for word in row)]
            for row in outputs], outputs


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    return random.integers(-2**20, 2**20, (OUTPUTS, INPUTS + 1)), random.integers(0, 256, (40, INPUTS)).astype(np.uint8)


def test_frames_are_answered_in_order(core, case):
    values, images = case
    replies = send(core, write(values) + [frames.infer(image, outputs=True) for image in images])
    assert replies[:OUTPUTS] == [[Opcode.WRITE | frames.REPLY | (INPUTS + 1) << 16]] * OUTPUTS
    assert replies[OUTPUTS:] == expected(values, images)[0]


@settings(max_examples=20)
@given(idle=st.floats(0, 0.99), stall=st.floats(0, 0.99), seed=st.integers(0, 2**64 - 1))
def test_stalls_change_the_clocks_and_nothing_else(idle, stall, seed):
    random = np.random.default_rng(0)
    values, images = random.integers(-100, 100, (OUTPUTS, INPUTS + 1)), random.integers(0, 256, (5, INPUTS)).astype(np.uint8)
    requests = write(values) + [frames.infer(image, outputs=True) for image in images] + [frames.read(0, 2, 1, 4)]
    core = Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC)
    plain = send(core, requests)
    clocks = core.clocks
    assert send(core, requests, idle=idle, stall=stall, seed=seed) == plain
    assert core.clocks - clocks >= clocks - 2                    # of the reset
    assert plain[OUTPUTS:-1] == expected(values, images)[0]


def test_stalls_are_as_frequent_as_asked_and_the_same_for_the_same_seed(core):
    requests = [frames.read(0, 0, 0, INPUTS + 1)] * 300           # 2 words in, 8 out, some clocks between
    words = len(requests) * 2, len(requests) * (INPUTS + 2)

    def clocks(**options):
        before = core.clocks
        send(core, requests, **options)
        return core.clocks - before

    plain = clocks()
    assert clocks() == clocks(seed=5) == plain
    idle, stalled = clocks(idle=0.5, seed=1), clocks(stall=0.75, seed=1)
    assert words[0] / 2 * 0.85 < idle - plain < words[0] / 2 * 1.15   # 1 clock on average; the first word's while it waits
    assert words[1] * 3 * 0.9 < stalled - plain < words[1] * 3 * 1.1
    assert clocks(idle=0.5, seed=1) == idle
    assert clocks(stall=0.75, seed=1) == stalled
    assert clocks(idle=0.5, seed=2) != idle
    assert clocks(stall=0.75, seed=2) != stalled


def test_in_pauses_the_data_are_random(core):
    for idle, least, most in ((0, 0, 1), (0.9, 50, 10_000)):
        core.samples(1)
        send(core, [frames.status()] * 10, idle=idle)
        values = core.samples(1).values
        assert least <= len(set(values["s_axis_tdata"][values["s_axis_tvalid"] == 0].tolist())) <= most


def test_clocks_of_an_exchange_are_those_of_its_words(core):
    start = core.clocks
    status = np.array([frames.status()[0]] * 2, np.uint32)
    exchange = core.exchange(status, [1, 1])
    assert exchange.started.tolist() == exchange.sent.tolist()
    first, second = exchange.sent.tolist()
    assert first == start
    assert exchange.answered.tolist()[0] == first + 2 + frames.STATUS_WORDS + 1 == second - 1     # decode, execute, 13 words
    assert core.clocks == exchange.answered[1] + 1
    assert [frames.status_report(frames.parse(reply.tolist())).cycles for reply in exchange.replies] == [first, second]


def test_instances_are_independent(case):
    values, images = case
    one, other = (Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC) for _ in range(2))
    assert one.library == other.library
    send(one, write(values))
    clocks = other.clocks
    requests = [frames.infer(image, outputs=True) for image in images]
    assert send(one, requests) == expected(values, images)[0]
    assert other.clocks == clocks
    assert send(other, requests) == expected(values * 0, images)[0]


def test_an_instance_is_freed_with_its_last_reference():
    core = Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC)
    freed = core._finalizer
    reference = weakref.ref(core)
    assert freed.alive
    del core
    gc.collect()
    assert reference() is None
    assert not freed.alive


def test_instances_are_freed_in_any_order():
    """The runtime keeps one context for a thread: freeing an instance must not use that of one freed before."""
    one, other = (Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC) for _ in range(2))
    other.close()
    assert len(send(one, [frames.status()])) == 1
    one.close()


def test_closing_twice_frees_once(core):
    core.close()
    core.close()
    assert not core._finalizer.alive


# ---------------------------------------------------------------- cores and callers that misbehave


def test_a_core_that_hangs_is_an_error_and_a_reset_mends_it(core):
    clocks = core.clocks
    message = (f"frame_core must take or give a word within 500 clocks, but it has not since clock {clocks + 1}: 1 of 2 frames "
               f"were sent and 0 of 2 replies came; look at a trace of the clocks before")
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        send(core, [[frames.header(Opcode.RESET, 0, HANG)], frames.status()], patience=500)
    assert core.clocks == clocks + 501
    core.reset()
    assert len(send(core, [frames.status()])[0]) == 1 + frames.STATUS_WORDS


def test_a_core_that_answers_too_little_is_an_error(core):
    with pytest.raises(DeviceError, match="1 of 1 frames were sent and 1 of 2 replies came"):
        send(core, [frames.status()], replies=2, patience=100)


def test_a_core_that_ends_the_simulation_is_an_error(core):
    other = Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC)
    with pytest.raises(DeviceError, match=r"^frame_core must obey its interface, but: .*core\.v:\d+: \$finish$"):
        send(core, [[frames.header(Opcode.RESET, 0, FINISH)]])
    assert len(send(other, [frames.status()])) == 1


def test_a_reply_that_changes_while_it_waits_is_an_error(core):
    send(core, [[frames.header(Opcode.RESET, 0, FICKLE)]])
    message = "frame_core must obey its interface, but: m_axis must hold its word until it is taken, but it changed at clock "
    with pytest.raises(DeviceError, match=rf"^{message}\d+$"):
        send(core, [frames.status()], stall=0.5)


def test_logic_that_does_not_settle_is_an_error(monkeypatch):
    text = CORE.replace("assign s_axis_tready = state == RECEIVE;",
                        "wire loop = ~(loop & s_axis_tvalid); assign s_axis_tready = state == RECEIVE & loop;")
    core = Compiled(text, "frame_core", probes=PROBES, public=PUBLIC)
    with pytest.raises(DeviceError, match=r"^frame_core must obey its interface, but: .*did not converge"):
        send(core, [frames.status()])


@pytest.mark.parametrize(("words", "lengths", "count"), [([1, 2], [1], 1), ([1, 2], [3, -1], 2), ([1], [1, 0], 1)])
def test_lengths_must_fit_the_words(core, words, lengths, count):
    message = f"lengths must be 1 or more for each frame and add up to the {len(words)} words, not to {count}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        core.exchange(np.array(words, np.uint32), lengths)


@pytest.mark.parametrize(("options", "message"), [
    ({"idle": 1}, "idle must be a chance from 0 to below 1, not 1"),
    ({"stall": -0.1}, "stall must be a chance from 0 to below 1, not -0.1"),
    ({"stall": float("nan")}, "stall must be a chance from 0 to below 1, not nan"),
])
def test_chances_have_a_range(core, options, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        send(core, [frames.status()], **options)


def test_a_great_chance_still_lets_words_pass(core):
    assert len(send(core, [frames.status()], idle=0.9999, stall=0.9999)[0]) == 1 + frames.STATUS_WORDS


# ---------------------------------------------------------------- parts of frames


def test_half_a_frame_and_a_reset(core, case):
    values, images = case
    send(core, write(values))
    image = frames.infer(images[0], outputs=True)
    half = core.exchange(np.array(image, np.uint32), [len(image)], most_clocks=2)
    assert (half.started.size, half.sent.size, half.ends.size) == (1, 0, 0)
    core.reset()
    assert send(core, [image]) == expected(values, images[:1])[0]


def test_a_reset_drops_a_reply_that_waits(core):
    waiting = core.exchange(np.array(frames.read(0, 0, 0, 7), np.uint32), [2], stall=0.99, seed=1, most_clocks=20)
    assert (waiting.sent.size, waiting.ends.size) == (1, 0)
    core.reset()
    assert len(send(core, [frames.status()])[0]) == 1 + frames.STATUS_WORDS


def test_clocks_pass_without_requests(core):
    before = core.clocks
    exchange = core.exchange(np.array(frames.status(), np.uint32), [1], replies=0)
    assert exchange.ends.size == 0
    later = core.run(compiled.SLICE + 10)
    assert core.clocks == before + 1 + compiled.SLICE + 10
    assert [reply.size for reply in later.replies] == [1 + frames.STATUS_WORDS]
    assert core.run(5).replies == []


def test_no_frames_take_no_clocks(core):
    before = core.clocks
    assert send(core, []) == []
    assert core.clocks == before


def test_a_refused_frame_leaves_the_next_one_alone(core):
    damaged = [[0xFF], [frames.header(Opcode.INFER)], [*frames.infer(np.zeros(INPUTS, np.uint8)), 7, 8],
               frames.read(1, 0, 0, 1), frames.read(0, 0, 0, INPUTS + 2), [0] * 600]
    replies = [frames.parse(reply) for reply in send(core, [frame for pair in zip(damaged, [frames.status()] * 6, strict=True)
                                                            for frame in pair])]
    statuses = [Status.UNKNOWN, Status.SHORT, Status.LONG, Status.ADDRESS, Status.ADDRESS, Status.UNKNOWN]
    assert [reply.status for reply in replies[::2]] == statuses
    reports = [frames.status_report(reply) for reply in replies[1::2]]
    assert [report.refused for report in reports] == [1, 2, 3, 4, 5, 6]
    assert [report.last_error for report in reports] == statuses


# ---------------------------------------------------------------- probes, memories, traces


def test_probes_see_what_the_core_computes(core, case):
    values, images = case
    send(core, write(values))
    core.samples(0)
    core.samples(1)
    before = core.clocks
    replies = send(core, [frames.infer(image, outputs=True) for image in images])
    reference, outputs = expected(values, images)
    assert replies == reference
    samples = core.samples(0)
    sums = samples.values["unit.sum"]
    assert (sums.reshape(-1, OUTPUTS) == outputs).all()
    assert sums.dtype == np.int64
    assert samples.values["unit.base"].reshape(-1, OUTPUTS).tolist() == [[0, 7, 14]] * len(images)
    assert (np.diff(samples.clocks)[::OUTPUTS] == INPUTS + 1).all()
    assert core.samples(0).clocks.size == 0
    states = core.samples(1)
    assert states.clocks.tolist() == list(range(before, core.clocks))
    assert set(states.values["state"].tolist()) == {0, 1, 2, 3}


def test_signed_and_wide_signals_are_read_whole(core, case):
    values, images = case
    send(core, [*write(values), frames.infer(images[0])])
    samples = core.samples(0).values
    sums = expected(values, images[:1])[1][0]
    assert samples["unit.narrow"].dtype == np.int64
    assert samples["unit.narrow"].tolist() == [(int(x) + 4096) % 8192 - 4096 for x in sums]
    wide = [int(low) | int(high) << 64 for low, high in samples["unit.wide"]]
    assert wide == [(int(x) & 0xFFFFFFFF) << 68 | base << 52 | INPUTS << 36 | (int(x) & 0xFFFFFFFF) << 4 | 9
                    for x, base in zip(sums, (0, 7, 14), strict=True)]


def test_memories_are_read_as_they_are(core, case):
    values, _ = case
    send(core, write(values))
    assert core.peek("parameters").astype(np.uint32).view(np.int32).reshape(values.shape).tolist() == values.tolist()
    assert core.peek("unit.total").shape == (1, 1)


@pytest.mark.parametrize(("path", "module"), [("unit.nothing", "frame_core.unit"), ("other.nothing", "frame_core.other"),
                                              ("nothing", "frame_core")])
def test_a_signal_that_is_not_there_is_named(core, path, module):
    message = (f"a probed signal must exist and be public, but {path} does not (looked for nothing in module {module}); mind "
               f"the names of the emitted Verilog, or pass (module, variable) as public")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        core.peek(path)


def test_a_memory_is_no_probe(monkeypatch, core):
    monkeypatch.setattr(compiled.verilate, "build", lambda *arguments: core.library)
    message = "a probed signal must be one word, not a memory like parameters; read memories with peek"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Compiled(CORE, "frame_core", probes=[Probe(strobe=None, unsigned=("parameters",))])


def test_traces_begin_and_end_where_they_are_told(tmp_path):
    core = Compiled(CORE, "frame_core", trace=True)
    plain = Compiled(CORE, "frame_core", probes=PROBES, public=PUBLIC)
    requests = [frames.status()] * 20
    sizes = []
    for name, count in (("short", 1), ("long", 20)):
        core.start_trace(tmp_path / f"{name}.fst")
        assert send(core, requests[:count]) == send(plain, requests[:count])
        core.stop_trace()
        send(core, requests)
        send(plain, requests)
        data = (tmp_path / f"{name}.fst").read_bytes()
        assert data[0] == 0                                      # block of type FST_BL_HDR
        start, end = (int.from_bytes(data[at:at + 8], "big") for at in (9, 17))
        sizes.append(end - start)
    clocks = 2 + frames.STATUS_WORDS + 2
    assert sizes == [2 * clocks - 1, 2 * 20 * clocks - 1]
    core.stop_trace()


def test_a_trace_must_have_been_asked_for_and_must_be_writable(core, tmp_path):
    with pytest.raises(InputError, match=re.escape("a trace must have been asked for when the model was made: "
                                                   "Compiled(..., trace=True)")):
        core.start_trace(tmp_path / "x.fst")
    core.stop_trace()
    traced = Compiled(CORE, "frame_core", trace=True)
    message = f"{tmp_path}/none/x.fst must be a file that can be written for the trace, but: No such file or directory"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        traced.start_trace(tmp_path / "none/x.fst")
    assert len(send(traced, [frames.status()])) == 1


def test_nothing_is_printed(tmp_path):
    program = ("import numpy; from pathlib import Path; from sim.compiled import Compiled\n"
               "from golden_model.errors import DeviceError\n"
               "core = Compiled(Path('tests/frame_core.v').read_text(), 'frame_core', trace=True)\n"
               f"core.start_trace({str(tmp_path / 'x.fst')!r}); core.exchange(numpy.array([1], numpy.uint32), [1])\n"
               f"try: core.exchange(numpy.array([{frames.header(Opcode.RESET, 0, FINISH)}], numpy.uint32), [1])\n"
               "except DeviceError: pass")
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("", "")
