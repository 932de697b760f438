"""Faults of a core's netlist: does a conversation notice each of them?

``mutate`` of Yosys changes one bit of one cell: it inverts it, ties it to a constant, or does so when another bit is set. All
mutations lie in one netlist, each behind an input of its own, and are simulated many at a time by ``lanes``. What the netlist
without mutations answers is compared with the golden model word by word, and its clocks are recorded; a mutation is caught as
soon as a port differs from that in any clock. What survives goes to ``unseen``.
"""
from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from boards import tools
from command_model import CYCLES_WORD, CommandModel
from gates import Gates, read
from golden_backend import command_model
from golden_model import parameters
from golden_model.fixed_point import Array
from golden_model.network import Formats, Integration, Learning, Network, Wiring
from hdl import emit, frames
from hdl.design import Design
from hdl.frames import Opcode
from lanes import BITS, CLOCKS, READY, REPLY, REPLY_DATA, REPLY_LAST, RST, SAME, WORDS, Lanes
from unseen import Machine

# links, biases and K of three widths; a layer in two folds and one with a unit for each neuron
NETWORK = Network(layers=(3, 2, 2), integration=Integration(steps=2), learning=Learning(epochs=4, halvings=3),
                  formats=Formats(displacement="Q1.10", weight="Q2.8", drive="Q4.10", coupling="Q2.3", bracket="Q6.10",
                                  error="Q1.10"))
CORES = {"parallel": Design(network=NETWORK, units=(1, 2)),
         "time-shared": Design(network=NETWORK, units=(1, 1), arrangement="time-shared"),
         "programmable": Design(network=NETWORK, units=(1, 2), kind="programmable"),
         "convolution": Design(units=(1, 1), network=replace(NETWORK, layers=(4, 4, 2), wiring=Wiring(
             layers=("convolution 1x2 stride 1 of 2x2x1", "full"))))}
NOTHING = np.zeros(0, np.int64)
FRAMES = 20                               # of a part
FLAT = """read_verilog core.v
hierarchy -top wuxing_core
setattr -mod -unset keep_hierarchy
proc
flatten -noscopeinfo
opt -full
wreduce
opt_clean
rename wuxing_core netlist
write_rtlil flat.il
mutate -list {count} -seed {seed} -ctrl mutant 1 1 -o list.txt netlist t:$meminit* %d
"""
GATES = """read_rtlil flat.il
script mutations.txt
memory -nomap
memory_map
opt_clean
techmap
setundef -zero -undriven
setattr -unset init w:*
setundef -init -zero
dfflegalize -cell $_DFF_P_ 01
opt_clean
write_json gates.json
"""
INSTANCE = re.compile(r"\S+ +\w+ +\(")
LINE = re.compile(r"-src core\.v:(\d+)")


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """``command``: of Yosys, without the input that it lies behind. ``line``: of the emitted Verilog, as text."""

    command: str
    line: str


def mutated(design: Design, count: int, seed: int = 1) -> tuple[Gates, list[Mutation]]:
    """The gates of a core with about so many mutations, and these; number k lies behind input ``mutant<k>``.

    Left out are those of clocks, of asynchronous resets, and of enables that a memory does not have. Registers begin with
    zeros: Yosys finds no first value for one whose output was mutated, and a conversation begins with a reset.
    """
    with tempfile.TemporaryDirectory(prefix="wuxing-netlist-", dir=Path.cwd()) as name:
        folder = Path(name)
        verilog = emit.to_verilog(design)
        (folder / "core.v").write_text(verilog, "utf-8")
        (folder / "list.ys").write_text(FLAT.format(count=count, seed=seed), "utf-8")
        tools.run("yosys", ["-q", "-s", "list.ys"], folder)
        readers = set(re.findall(r"cell \$memrd\S* (\S+)", (folder / "flat.il").read_text("utf-8")))
        lines, mutations, commands = verilog.splitlines(), [], []
        for command in (folder / "list.txt").read_text("utf-8").splitlines():
            port, cell = (re.search(rf"-{word} (\S+)", command)[1] for word in ("port", "cell"))
            if port in ("CLK", "ARST") or (port == "EN" and cell in readers):
                continue
            texts = [lines[int(place) - 1].strip() for place in LINE.findall(command)]
            inner = [text for text in texts if not INSTANCE.fullmatch(text)]
            mutations.append(Mutation(command=re.sub(r"-ctrl \S+ \d+ \d+ ", "", command), line=[*texts[:1], *inner][-1]
                                      if texts else ""))
            commands.append(re.sub(r"-ctrl \S+ \d+ \d+", f"-ctrl mutant{len(commands)} 1 1", command))
        (folder / "mutations.txt").write_text("\n".join(commands) + "\n", "utf-8")
        (folder / "gates.ys").write_text(GATES, "utf-8")
        tools.run("yosys", ["-q", "-s", "gates.ys"], folder)
        return read((folder / "gates.json").read_text("utf-8"), "netlist"), mutations


# ------------------------------------------------------------- what is said


@dataclass(frozen=True, kw_only=True)
class Part:
    """Frames that are sent together. ``cut``: clocks after which a reset cuts them off, or None; then the first ones of these
    replies have come. ``reset``: clocks of reset before. A reply without words: it is not known."""

    requests: list[list[int]]
    replies: list[Array]
    idle: float
    stall: float
    reset: int = 0
    cut: int | None = None


class Conversation:
    """Random frames of all kinds, right and wrong, in parts; ``next`` gives one after the other.

    Parameters
    ----------
    design : Design
    seed : int
    """

    def __init__(self, design: Design, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.values = parameters.initial(design.network, "fixed")
        self.model: CommandModel = command_model(design, self.values)
        self.design, self.unsure, self.reset = design, True, 2

    def next(self) -> Part:
        chance, model = self.chance, self.model
        reset, self.reset = self.reset, 0
        if self.unsure:                                          # what the memories hold: read it, then write it all
            self.unsure = False
            known = self._part(self._accesses(write=True), reset)
            reading = self._accesses(write=False)
            return replace(known, requests=reading + known.requests, replies=[np.zeros(0)] * len(reading) + known.replies)
        cut = chance.randrange(1, 60 * FRAMES) if chance.random() < 0.15 else None
        requests = [model.random_frame(chance) for _ in range(FRAMES)]
        if chance.random() < 0.1:
            requests += self._accesses(write=False)
        part = self._part(requests, reset, cut)
        self.unsure = cut is not None and any(each[0] & 0xFF in (Opcode.LEARN, Opcode.WRITE) for each in requests)
        if cut is not None or chance.random() < 0.1:
            self.reset = chance.choice([1, 1, 2, 3])
            model.reset()
        return part

    def _part(self, requests: list[list[int]], reset: int, cut: int | None = None) -> Part:
        replies = [np.array(self.model.answer(request), np.uint32) for request in requests]
        return Part(requests=requests, replies=replies, reset=reset, cut=cut, idle=self.chance.choice([0, 0, 0.2, 0.8]),
                    stall=self.chance.choice([0, 0, 0.2, 0.8]))

    def _accesses(self, *, write: bool) -> list[list[int]]:
        """Every parameter, in frames for a neuron each, in any order."""
        result = []
        for layer, values in enumerate(self.values):
            count = self.model.parameters(layer)
            for neuron in range(len(values.bias)):
                result.append(frames.write(layer, neuron, 0, [self.chance.getrandbits(32) for _ in range(count)]) if write
                              else frames.read(layer, neuron, 0, count))
        self.chance.shuffle(result)
        return result


class Recording:
    """What goes into a core without mutations and comes out, clock by clock.

    Raises
    ------
    AssertionError
        If a reply is not that of the golden model.
    """

    def __init__(self, lanes: Lanes, design: Design, seed: int = 1, watched: Array = NOTHING) -> None:
        self.watched, self.history = watched, []
        self.lanes, self.conversation, self.values = lanes, Conversation(design, seed), lanes.values(1)
        self.random, self.frames = np.random.default_rng(seed), 0

    def next(self) -> tuple[Array, Array]:
        part = self.conversation.next()
        self.frames += len(part.requests)
        words = np.array([word for request in part.requests for word in request], np.uint32)
        lasts = np.concatenate([np.arange(len(request)) == len(request) - 1 for request in part.requests])
        most = part.reset + (part.cut or 200 * len(words) + 2_000 * len(part.requests))
        chances = np.stack([self.random.random(most) >= part.idle, self.random.random(most) >= part.stall,
                            self.random.integers(0, 1 << 32, most)], axis=1).astype(np.uint32)
        goes, comes, history = self.lanes.recorded(self.values, words, lasts, chances, len(part.replies), part.reset,
                                                   self.watched)
        self.history.append(history)
        self._check(part, goes, comes)
        return goes, comes

    @staticmethod
    def _check(part: Part, goes: Array, comes: Array) -> None:
        answer_rows = comes[(comes[:, REPLY] & goes[:, READY] & ~goes[:, RST] & 1).astype(bool)]
        replies = np.split(answer_rows[:, REPLY_DATA], np.flatnonzero(answer_rows[:, REPLY_LAST]) + 1)[:-1]
        assert part.cut is not None or len(replies) == len(part.replies), "a core must answer every frame"
        for reply, right, request in zip(replies, part.replies, part.requests, strict=False):
            if len(reply) == 1 + frames.STATUS_WORDS and reply[0] == Opcode.STATUS | frames.REPLY:
                reply = reply.copy()
                reply[CYCLES_WORD] = 0
            assert not right.size or np.array_equal(reply, right), f"{request} must be answered with {right}, not {reply}"


# ------------------------------------------------------------- what notices what


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """``how``: of each mutation, ``lanes.SAME`` if nothing differed, or ``WORDS`` or ``CLOCKS``. ``when``: the clock, or -1.
    ``clocks``: of the conversation. ``frames``: in it. ``history``: what the watched
    nodes of the core without mutations were in each clock."""

    how: Array
    when: Array
    clocks: int
    frames: int
    history: Array


def judged(design: Design, gates: Gates, count: int, clocks: int, seed: int = 1, *, watched: Array = NOTHING,
           say: Callable[[str], object] = lambda _: None, lanes_at_once: int = 512) -> Verdicts:
    """Try so many mutations in a conversation of so many clocks."""
    lanes = Lanes(gates=gates)
    recording = Recording(lanes, design, seed, watched)
    how, when = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    alive, start = np.arange(count), lanes.values(1)
    bits = np.repeat(lanes.kept(start, np.array([0])), count, axis=1)
    passed, step = 0, 2_000
    while passed < clocks and alive.size:
        goes, comes = (np.concatenate(each) for each in zip(*_while(recording, min(step, clocks - passed)), strict=True))
        following = []
        for first in range(0, alive.size, lanes_at_once):
            some = alive[first:first + lanes_at_once]
            values = lanes.values(-(-some.size // BITS))
            lanes.restore(values, bits[:, first:first + lanes_at_once])
            lanes.choose(values, some)
            clock, what = lanes.replayed(values, goes, comes)
            clock, what = clock[:some.size], what[:some.size]
            how[some] = what
            when[some[clock >= 0]] = clock[clock >= 0] + passed
            following.append(lanes.kept(values, np.flatnonzero(what == SAME)))
        bits = np.concatenate(following, axis=1)
        alive = alive[how[alive] == SAME]
        passed, step = passed + len(goes), min(2 * step, 40_000)
        say(f"{alive.size} mutations left after {passed:,} clocks, {recording.frames:,} frames")
    return Verdicts(how=how, when=when, clocks=passed, frames=recording.frames, history=np.concatenate(recording.history))


def _while(recording: Recording, clocks: int) -> list[tuple[Array, Array]]:
    """Parts of so many clocks or more together."""
    result = []
    while clocks > 0:
        result.append(recording.next())
        clocks -= len(result[-1][0])
    return result


@dataclass(frozen=True, kw_only=True)
class Score:
    """Of a core. ``words``, ``clocks``: mutations that a word, or the clock of one, told first; ``unseen``: of the others,
    those that are proven to show nothing at the ports, ever; ``survivors``: those that are neither. ``length``: clocks of the
    conversation; ``frames``: in it."""

    tried: int
    words: int
    clocks: int
    unseen: tuple[Mutation, ...]
    survivors: tuple[Mutation, ...]
    length: int
    frames: int

    @property
    def caught(self) -> float:
        """Share of the faults: of the mutations that are not proven to show nothing."""
        return (self.words + self.clocks) / max(1, self.tried - len(self.unseen))


def score(design: Design, count: int, clocks: int, seed: int = 1, say: Callable[[str], object] = lambda _: None) -> Score:
    """Try about so many mutations in a conversation of about so many clocks. ``say`` is told how far it is."""
    gates, mutations = mutated(design, count, seed)
    say(f"{len(mutations)} mutations in {len(gates.nodes):,} gates")
    machine = Machine(gates)
    places = machine.small()
    verdicts = judged(design, gates, len(mutations), clocks, seed, watched=np.array(gates.registers)[places], say=say)
    held = machine.learn(places, verdicts.history)
    left = np.flatnonzero(verdicts.how == SAME)
    say(f"{len(left)} mutations left; {held} clauses about states that are never reached")
    unseen = []
    for number, place in enumerate(left, 1):
        if machine.unseen(int(place)):
            unseen.append(int(place))
        if number % 50 == 0:
            say(f"of {number} mutations left {len(unseen)} show nothing")
    return Score(tried=len(mutations), words=int((verdicts.how == WORDS).sum()), clocks=int((verdicts.how == CLOCKS).sum()),
                 unseen=tuple(mutations[place] for place in unseen),
                 survivors=tuple(mutations[place] for place in left if int(place) not in unseen),
                 length=verdicts.clocks, frames=verdicts.frames)
