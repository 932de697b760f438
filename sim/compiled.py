"""``Compiled``: any core with two streams of frames, as a compiled model that Python drives.

It exchanges frames in bulk, with stalls if wanted, counts clocks, reads internal signals, and writes traces. What the
frames mean is not its business.
"""
from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from golden_model.errors import DeviceError, InputError
from golden_model.fixed_point import Array
from sim import verilate

DONE, PAUSED, STUCK, FAILED = range(4)    # what a run of the library returns
SLICE = 100_000                           # clocks between two moments at which Ctrl-C is heard
PATIENCE = 1_000_000                      # clocks without a word in or out before a core counts as stuck


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Signals that are read in every clock in which a strobe is high, before the clock's edge.

    ``strobe``: one-bit signal, or None for every clock. ``signed`` and ``unsigned``: the signals, by how they are read.
    A signal is named by the instances that lead to it and its own name, ``pe_0.acc``; a signal of the top module by its
    name alone. The module of instance ``a.b`` is taken to be ``top.a.b``, as Amaranth names it; where that is not so, the
    variable must be given to ``Compiled`` as ``public``.
    """

    strobe: str | None
    signed: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What a probe has seen: ``clocks`` (n,), and ``values`` of each signal (n,), int64, uint64 for unsigned ones.

    A signal of more than 64 bits is (n, words) uint64, the least significant word first.
    """

    clocks: Array
    values: dict[str, Array]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Reply frames, flat, and the clocks in which frames went in and out.

    ``words``: all replies one after the other, uint32. ``ends`` (replies,): where each ends. ``started`` and ``sent`` of
    each request and ``answered`` of each reply: the clock of its first, its last, and its last word.
    """

    words: Array
    ends: Array
    started: Array
    sent: Array
    answered: Array

    @property
    def replies(self) -> list[Array]:
        """The whole replies as one array each; what came of one that was cut off is not among them."""
        return np.split(self.words, self.ends.astype(np.int64))[:-1]


class Stuck(DeviceError):
    """The core took no word and gave none for too long. ``symptom``: what was seen; the remedy is to look at a trace."""

    def __init__(self, symptom: str, trace: object = "a trace of the clocks before") -> None:
        super().__init__(f"{symptom}; look at {trace}")
        self.symptom = symptom


class Compiled:
    """Any core with the two streams of ``docs/registers.md``, as a compiled model.

    Instances are independent of each other; one instance must be used by one thread at a time.

    Parameters
    ----------
    verilog, top, files, trace : see ``sim.verilate.build``.
    probes : what to read while the model runs; see ``samples``.
    public : further (module, variable) names that probes or ``peek`` name; wildcards ``*`` and ``?``.

    Raises
    ------
    ToolError, InputError
        As ``sim.verilate.build``; ``InputError`` also if a probe names what is not there.
    """

    def __init__(self, verilog: str, top: str, files: Mapping[str, str] | None = None, *, probes: Sequence[Probe] = (),
                 public: Sequence[tuple[str, str]] = (), trace: bool = False) -> None:
        self.top, self.probes, self._traces = top, tuple(probes), trace
        watched = [path for probe in probes for path in (probe.strobe, *probe.signed, *probe.unsigned) if path]
        named = [_split(top, path) for path in watched]
        self.library = verilate.build(verilog, top, files, [*public, *named], trace)
        self._c = _functions(self.library, trace)
        self._core = self._c.wuxing_new()
        if not self._core:
            raise DeviceError(f"{top} must start, but: {_text(self._c.wuxing_error(None))}")
        self._finalizer = weakref.finalize(self, self._c.wuxing_delete, self._core)
        self._bits: list[dict[str, int]] = []
        for probe in self.probes:
            signals = {path: self._find(path, 1) for path in probe.signed + probe.unsigned}
            strobe = self._find(probe.strobe, 1) if probe.strobe else None
            self._bits.append({path: self._c.wuxing_bits(signal) for path, signal in signals.items()})
            self._c.wuxing_watch(self._core, strobe, (ctypes.c_void_p * len(signals))(*signals.values()), len(signals))
        self.reset()

    def close(self) -> None:
        """Free the instance; it cannot be used afterwards. Happens by itself when nothing refers to it any more."""
        self._finalizer()

    @property
    def clocks(self) -> int:
        """Clock cycles that this instance has run, its reset included."""
        return int(self._c.wuxing_clock(self._core))

    def reset(self, clocks: int = 2) -> None:
        """Hold ``rst`` for some clocks. What was half sent is forgotten."""
        self._checked(self._c.wuxing_reset(self._core, clocks))

    def exchange(self, words: Array, lengths: Array, *, replies: int | None = None, idle: float = 0, stall: float = 0,
                 seed: int = 0, patience: int = PATIENCE, most_clocks: int | None = None) -> Exchange:
        """Send frames and collect replies until there are as many as expected.

        Parameters
        ----------
        words, lengths : all request words one after the other, and how many belong to each frame (1 or more).
        replies : how many to wait for; by default one for each frame.
        idle, stall : chance (0 to below 1, in steps of 1/256) of a pause before each request word, and of each clock in
            which no reply word is taken. In pauses ``s_axis_tdata`` and ``s_axis_tlast`` are random.
        seed : of these chances.
        patience : clocks without a word in or out after which the core counts as stuck.
        most_clocks : return after so many clocks, whatever has arrived; what is half sent stays so until ``reset``.

        Raises
        ------
        Stuck
            If the core is stuck.
        InputError
            If it changes a reply word that waits, or ends the simulation.
        """
        words, lengths = np.ascontiguousarray(words, np.uint32), np.asarray(lengths, np.int64)
        if lengths.ndim != 1 or (lengths < 1).any() or lengths.sum() != words.size:
            raise InputError(f"lengths must be 1 or more for each frame and add up to the {words.size} words, not to "
                             f"{lengths.sum()}")
        for name, share in (("idle", idle), ("stall", stall)):
            if not 0 <= share < 1:
                raise InputError(f"{name} must be a chance from 0 to below 1, not {share}")
        ends = np.cumsum(lengths).astype(np.uint64)
        count = lengths.size if replies is None else replies
        self._c.wuxing_request(self._core, _pointer(words, ctypes.c_uint32), _pointer(ends, ctypes.c_uint64), lengths.size,
                               count, min(round(idle * 256), 255), min(round(stall * 256), 255), seed, patience)
        outcome, left = PAUSED, most_clocks
        while outcome == PAUSED and left != 0:
            slice_ = SLICE if left is None else min(SLICE, left)
            outcome = self._checked(self._c.wuxing_run(self._core, slice_))
            left = None if left is None else left - slice_
        result = self._result()
        if outcome == STUCK:
            raise Stuck(f"{self.top} must take or give a word within {patience} clocks, but it has not since clock "
                        f"{self.clocks - patience}: {result.sent.size} of {lengths.size} frames were sent and "
                        f"{result.ends.size} of {count} replies came")
        return result

    def run(self, clocks: int) -> Exchange:
        """Let so many clocks pass without requests, taking what replies come."""
        return self.exchange(np.zeros(0, np.uint32), np.zeros(0), replies=1 << 62, patience=1 << 62, most_clocks=clocks)

    def samples(self, probe: int = 0) -> Samples:
        """What probe number ``probe`` has seen since the last call, which forgets it."""
        count = ctypes.c_uint64()
        start = self._c.wuxing_samples(self._core, probe, ctypes.byref(count))
        bits = self._bits[probe]
        columns = 1 + sum(-(-width // 64) for width in bits.values())
        table = _copied(start, count.value, np.uint64).reshape(-1, columns)
        self._c.wuxing_forget(self._core, probe)
        values, at = {}, 1
        for path, width in bits.items():
            words = -(-width // 64)
            value = table[:, at] if words == 1 else table[:, at:at + words]
            values[path] = _signed(value, width) if path in self.probes[probe].signed else value
            at += words
        return Samples(clocks=table[:, 0].astype(np.int64), values=values)

    def peek(self, path: str) -> Array:
        """A public signal or memory as it is now: uint64 (words of it, words of 64 bits)."""
        signal = self._find(path)
        shape = self._c.wuxing_words(signal), -(-self._c.wuxing_bits(signal) // 64)
        values = np.zeros(shape, np.uint64)
        self._c.wuxing_read(signal, _pointer(values, ctypes.c_uint64))
        return values

    def start_trace(self, path: str | os.PathLike[str]) -> None:
        """Write an FST trace to ``path`` from now on; two time units are one clock. The library must be its variant."""
        if not self._traces:
            raise InputError("a trace must have been asked for when the model was made: Compiled(..., trace=True)")
        try:
            Path(path).open("wb").close()                          # the writer itself would not say
        except OSError as error:
            raise InputError(f"{os.fspath(path)} must be a file that can be written for the trace, but: "
                             f"{error.strerror}") from None
        self._checked(self._c.wuxing_trace(self._core, os.fsencode(path)))

    def stop_trace(self) -> None:
        """End the trace and close its file."""
        if self._traces:
            self._c.wuxing_trace(self._core, None)

    def _find(self, path: str, words: int | None = None) -> int:
        scope, _, name = f"{self.top}.{path}".rpartition(".")
        signal = self._c.wuxing_find(self._core, scope.encode(), name.encode())
        if not signal:
            module, variable = _split(self.top, path)
            raise InputError(f"a probed signal must exist and be public, but {path} does not (looked for {variable} in module "
                             f"{module}); mind the names of the emitted Verilog, or pass (module, variable) as public")
        if words and self._c.wuxing_words(signal) != words:
            raise InputError(f"a probed signal must be one word, not a memory like {path}; read memories with peek")
        return int(signal)

    def _checked(self, outcome: int) -> int:
        if outcome == FAILED:
            raise DeviceError(f"{self.top} must obey its interface, but: {_text(self._c.wuxing_error(self._core))}")
        return outcome

    def _result(self) -> Exchange:
        count = ctypes.c_uint64()
        start = self._c.wuxing_replies(self._core, ctypes.byref(count))
        words = _copied(start, count.value, np.uint32)
        lists = []
        for which in range(4):
            start = self._c.wuxing_list(self._core, which, ctypes.byref(count))
            lists.append(_copied(start, count.value, np.uint64).astype(np.int64))
        return Exchange(words=words, ends=lists[0], started=lists[1], sent=lists[2], answered=lists[3])


# ---------------------------------------------------------------- the library


def _functions(library: Path, trace: bool) -> Any:
    c = ctypes.CDLL(str(library))
    core, number, count = ctypes.c_void_p, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "new": (core, []), "delete": (None, [core]), "error": (ctypes.c_char_p, [core]), "clock": (number, [core]),
        "reset": (ctypes.c_int, [core, number]),
        "request": (None, [core, ctypes.POINTER(ctypes.c_uint32), count, number, number, ctypes.c_uint, ctypes.c_uint, number,
                           number]),
        "run": (ctypes.c_int, [core, number]), "replies": (core, [core, count]), "list": (core, [core, ctypes.c_int, count]),
        "find": (core, [core, ctypes.c_char_p, ctypes.c_char_p]), "bits": (ctypes.c_uint, [core]),
        "words": (ctypes.c_uint, [core]), "read": (None, [core, count]),
        "watch": (None, [core, core, ctypes.POINTER(core), ctypes.c_uint]),
        "samples": (core, [core, ctypes.c_uint, count]), "forget": (None, [core, ctypes.c_uint])}
    if trace:
        signatures["trace"] = (ctypes.c_int, [core, ctypes.c_char_p])
    for name, (result, arguments) in signatures.items():
        function = getattr(c, f"wuxing_{name}")
        function.restype, function.argtypes = result, arguments
    return c


def _pointer(array: Array, kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _copied(start: int | None, count: int, dtype: Any) -> Array:
    if not start or not count:
        return np.zeros(0, dtype)
    return np.frombuffer(ctypes.string_at(start, count * np.dtype(dtype).itemsize), dtype).copy()


def _signed(values: Array, bits: int) -> Array:
    """Words of up to 64 bits as two's complement."""
    if values.ndim > 1:
        return values
    return (values << np.uint64(64 - bits)).view(np.int64) >> np.int64(64 - bits)


def _split(top: str, path: str) -> tuple[str, str]:
    """(module, variable) of a signal, with modules named as Amaranth does."""
    module, _, variable = f"{top}.{path}".rpartition(".")
    return module, variable


def _text(message: bytes | None) -> str:
    return (message or b"").decode(errors="replace")
