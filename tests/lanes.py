"""A netlist of gates simulated in many lanes at once: bit l of each word is the netlist with mutation l.

A conversation is recorded once, from the netlist without mutations: what goes in and comes out in each clock. Lanes are given
what went in, and the first clock in which something else comes out is kept.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from gates import AND, MUX, SOURCE, XOR, Gates
from golden_model.fixed_point import Array

IN = ("rst", "s_axis_tvalid", "s_axis_tlast", "m_axis_tready", "s_axis_tdata")        # columns of what goes in, in this order
OUT = ("s_axis_tready", "m_axis_tvalid", "m_axis_tlast", "m_axis_tdata")
RST, VALID, LAST, READY, DATA = range(5)
TAKEN, REPLY, REPLY_LAST, REPLY_DATA = range(4)
BITS = 64                                 # lanes of a word
SAME, WORDS, CLOCKS = range(3)            # what differs first: a word that comes out, or the clock in which it does


@dataclass(kw_only=True)
class Lanes:
    """The gates as arrays. Members as the kernels below take them."""

    gates: Gates

    def __post_init__(self) -> None:
        gates, nodes = self.gates, self.gates.nodes
        self.operations = [number for number, node in enumerate(nodes) if node[0] in (AND, XOR, MUX)]
        rows = np.zeros((len(self.operations), 8), np.int64)
        for row, number in zip(rows, self.operations, strict=True):
            kind, *literals = nodes[number]
            row[:2] = kind, number
            for place, literal in enumerate(literals):
                row[2 + 2 * place:4 + 2 * place] = literal >> 1, -(literal & 1)
        self.rows = rows
        self.sources = np.array([literal >> 1 for name in IN for literal in gates.inputs[name]])
        self.sinks = np.array([literal for name in OUT for literal in gates.outputs[name]])
        self.registers, self.follows = np.array(gates.registers), np.array(gates.follows)
        assert all(nodes[source][0] == SOURCE for source in self.sources)

    def values(self, words: int) -> Array:
        """Of all nodes in so many words of lanes: registers as they begin."""
        values = np.zeros((len(self.gates.nodes), words), np.uint64)
        values[self.registers] = -np.array(self.gates.begins, np.int64)[:, None].astype(np.uint64)
        return values

    def choose(self, values: Array, mutations: Sequence[int]) -> None:
        """Lane l has mutation number mutations[l]."""
        for lane, number in enumerate(mutations):
            [literal] = self.gates.inputs[f"mutant{number}"]
            values[literal >> 1, lane // BITS] |= np.uint64(1) << np.uint64(lane % BITS)

    def recorded(self, values: Array, words: Array, lasts: Array, chances: Array, replies: int, reset: int,
                 watched: Array) -> tuple[Array, Array, Array]:
        """Send words to lane 0: in and out of each clock, uint32 of ``IN`` and ``OUT``, until there are so many replies.

        Third, uint8, what the ``watched`` nodes are in each clock. ``chances``: of each clock (0: begin no word; 0: take no
        word; any data while there is none to send), uint32; there are no more clocks. ``reset``: so many come first; words that
        are offered meanwhile are any.
        """
        clocks = len(chances)
        goes, comes = np.zeros((clocks, len(IN)), np.uint32), np.zeros((clocks, len(OUT)), np.uint32)
        history = np.zeros((clocks, watched.size), np.uint8)
        ran = _record(self.rows, self.sources, self.sinks, self.registers, self.follows, values, words, lasts, chances, replies,
                      reset, goes, comes, watched, history)
        return goes[:ran], comes[:ran], history[:ran]

    def replayed(self, values: Array, goes: Array, comes: Array) -> tuple[Array, Array]:
        """Of each lane: the first clock in which something else comes out, or -1, and what it is."""
        when, how = np.full(values.shape[1] * BITS, -1, np.int64), np.zeros(values.shape[1] * BITS, np.int64)
        _replay(self.rows, self.sources, self.sinks, self.registers, self.follows, values, goes, comes, when, how)
        return when, how

    def kept(self, values: Array, lanes: Array) -> Array:
        """Registers and lanes' bits: (registers, lanes) uint8."""
        bits = np.unpackbits(np.ascontiguousarray(values[self.registers]).view(np.uint8), axis=1, bitorder="little")
        return bits[:, lanes]

    def restore(self, values: Array, bits: Array) -> None:
        """What ``kept`` gave, in the first lanes."""
        padded = np.zeros((len(self.registers), values.shape[1] * BITS), np.uint8)
        padded[:, :bits.shape[1]] = bits
        values[self.registers] = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


@njit(cache=True)
def _settle(rows, sources, values, goes):
    words = values.shape[1]
    for place in range(sources.size):
        bit = goes[place] & 1 if place < 4 else goes[4] >> np.uint32(place - 4) & 1
        for word in range(words):
            values[sources[place], word] = ~np.uint64(0) if bit else np.uint64(0)
    for row in range(rows.shape[0]):
        kind, to, a, b, c = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 4], rows[row, 6]
        not_a, not_b, not_c = np.uint64(rows[row, 3]), np.uint64(rows[row, 5]), np.uint64(rows[row, 7])
        if kind == 2:
            for word in range(words):
                values[to, word] = (values[a, word] ^ not_a) & (values[b, word] ^ not_b)
        elif kind == 3:
            for word in range(words):
                values[to, word] = values[a, word] ^ values[b, word]
        else:
            for word in range(words):
                choice = values[a, word]
                values[to, word] = values[b, word] & ~choice | (values[c, word] ^ not_c) & choice


@njit(cache=True)
def _tick(registers, follows, values, following):
    words = values.shape[1]
    for place in range(registers.size):
        inverted = np.uint64(-(follows[place] & 1))
        for word in range(words):
            following[place, word] = values[follows[place] >> 1, word] ^ inverted
    for place in range(registers.size):
        for word in range(words):
            values[registers[place], word] = following[place, word]


@njit(cache=True)
def _record(rows, sources, sinks, registers, follows, values, words, lasts, chances, replies, reset, goes,
            comes, watched, history):
    following = np.empty((registers.size, values.shape[1]), np.uint64)
    at, offering = 0, False
    for clock in range(goes.shape[0]):
        if at == words.size and replies <= 0:
            return clock
        offering = clock >= reset and (offering or (at < words.size and chances[clock, 0] != 0))
        goes[clock, RST] = clock < reset
        goes[clock, VALID] = offering or (clock < reset and chances[clock, 2] >> np.uint32(1) & 1)
        goes[clock, LAST] = lasts[at] if offering else chances[clock, 2] & 1
        goes[clock, DATA] = words[at] if offering else chances[clock, 2]
        goes[clock, READY] = chances[clock, 1] != 0
        _settle(rows, sources, values, goes[clock])
        for place in range(sinks.size):
            bit = (values[sinks[place] >> 1, 0] ^ np.uint64(sinks[place])) & np.uint64(1)
            comes[clock, min(place, REPLY_DATA)] |= np.uint32(bit << np.uint64(max(0, place - REPLY_DATA)))
        for place in range(watched.size):
            history[clock, place] = values[watched[place], 0] & np.uint64(1)
        if offering and comes[clock, TAKEN]:
            at, offering = at + 1, False
        if clock >= reset:
            replies -= comes[clock, REPLY] & goes[clock, READY] & comes[clock, REPLY_LAST]
        _tick(registers, follows, values, following)
    return goes.shape[0]


@njit(cache=True)
def _replay(rows, sources, sinks, registers, follows, values, goes, comes, when, how):
    following = np.empty((registers.size, values.shape[1]), np.uint64)
    for clock in range(goes.shape[0]):
        _settle(rows, sources, values, goes[clock])
        columns = 3 + 32 if comes[clock, REPLY] else 2
        for word in range(values.shape[1]):
            late = other = np.uint64(0)
            for place in range(columns):
                bit = comes[clock, place] & 1 if place < 3 else comes[clock, 3] >> np.uint32(place - 3) & 1
                expected = np.uint64(-np.int64(bit)) ^ np.uint64(-(sinks[place] & 1))
                different = values[sinks[place] >> 1, word] ^ expected
                if place < 2:
                    late |= different
                else:
                    other |= different
            if late | other:
                for lane in range(64):
                    one = np.uint64(lane)
                    if when[64 * word + lane] < 0 and (late | other) >> one & np.uint64(1):
                        when[64 * word + lane] = clock
                        how[64 * word + lane] = 2 if late >> one & np.uint64(1) else 1
        _tick(registers, follows, values, following)
