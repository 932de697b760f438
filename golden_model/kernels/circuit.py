"""The circuit of a block of neurons: settling, either way, and the gates of the way back.

Layout. Neurons come in blocks of ``LANES``, one vector register or two, padded with silent ones. The state of a layer is
[block, population, lane], so that a step of a block stays in the innermost cache. The population that is driven is always row
0: the ring is relabelled by rotation for the forward circuit and by rotation and reflection for the reverse circuit
(``rows``), which are therefore one and the same function.

What a network's circuit has no use for is left out when it is compiled: ``settle`` and ``half_step_of_all`` are made once for
each combination.
"""
from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from golden_model.compiling import kernel
from golden_model.kernels import words
from golden_model.kernels.plan import LANES, ROWS
from golden_model.kernels.words import cast
from golden_model.robustness import upsets


@njit(forceinline=True)
def bracket(x0, x1, x2, x3, x4, drive, coupling, g, o, k, unit, adders):
    """The five brackets, exact, scaled like the products K x (by ``adders``, for K of 1/2, 1/2 and 1: twice the bracket).

    Scalars, but for ``coupling`` (3, 5, units) and the rows (5,) of K1, K2, K3 that each population uses.
    """
    if adders:
        return (cast(x4 - x1 + x2 - x3 - x0 - x0 + drive, drive), cast(x0 - x2 + x3 - x4 - x1 - x1, drive),
                cast(x1 - x3 + x4 - x0 - x2 - x2, drive), cast(x2 - x4 + x0 - x1 - x3 - x3, drive),
                cast(x3 - x0 + x1 - x2 - x4 - x4, drive))
    g0, g1, g2, g3, g4 = (coupling[0, g[0], unit], coupling[0, g[1], unit], coupling[0, g[2], unit],
                          coupling[0, g[3], unit], coupling[0, g[4], unit])
    o0, o1, o2, o3, o4 = (coupling[1, o[0], unit], coupling[1, o[1], unit], coupling[1, o[2], unit],
                          coupling[1, o[3], unit], coupling[1, o[4], unit])
    return (cast(g0 * x4 - g1 * x1 + o0 * x2 - o3 * x3 - coupling[2, k[0], unit] * x0 + drive, drive),
            cast(g1 * x0 - g2 * x2 + o1 * x3 - o4 * x4 - coupling[2, k[1], unit] * x1, drive),
            cast(g2 * x1 - g3 * x3 + o2 * x4 - o0 * x0 - coupling[2, k[2], unit] * x2, drive),
            cast(g3 * x2 - g4 * x4 + o3 * x0 - o1 * x1 - coupling[2, k[3], unit] * x3, drive),
            cast(g4 * x3 - g0 * x0 + o4 * x1 - o2 * x2 - coupling[2, k[4], unit] * x4, drive))


@njit(forceinline=True)
def _half(s, x, gate, b, rate, low, high, rounds, shift, least, greatest):
    """One population of one neuron: half an improved-Euler step with the bracket ``b``. All of it scalars."""
    return words.half_step(s, x, gate, words.rounded(b, shift, least, greatest) if rounds else b, rate, low, high)


@njit(forceinline=True)
def _five(values):
    """A row (5,) as scalars, for loops."""
    return np.uint64(values[0]), np.uint64(values[1]), np.uint64(values[2]), np.uint64(values[3]), np.uint64(values[4])


@cache
def settle(adders: bool, rounds: bool, gated: bool, strikes: bool) -> Any:
    """A kernel that settles one layer; the parts are: K by adders, the bracket is rounded, gates are given, upsets strike."""
    way = 1 if gated else 0

    def settle_layer(drive, gate, state, here, const, coupling, hit):
        """Improved Euler from rest for one layer, in place in ``state`` [block, row, lane], the blocks of all positions.

        Forward it is gated by its own populations and ``gate`` is any array, in reverse by gates laid out like ``state``.
        ``hit`` (8,): what ``upsets.aim`` wrote. Positions with parameters in common have the same K.
        ``drive`` (lanes,), ``state`` and ``gate`` (lanes * ROWS,).
        """
        rest, rows = const.rest, const.rows
        e0, e1, e2, e3, e4 = rest[0], rest[1], rest[2], rest[3], rest[4]
        g, o, k = _five(rows[way, 0]), _five(rows[way, 1]), _five(rows[way, 2])
        high, low, p, c, scale = const.high, const.least, const.predictor, const.corrector, const.drive_scale
        shift, least, greatest, steps = const.bracket_shift, const.bracket_least, const.bracket_high, const.steps
        l0, l1, l2, l3, l4 = low, low, low, low, low
        if not gated:
            l0, l1, l2, l3, l4 = cast(-e0, low), cast(-e1, low), cast(-e2, low), cast(-e3, low), cast(-e4, low)
        unit_at, tied, blocks = here.unit_at, here.tied, here.blocks
        for block in range(here.own * tied * blocks):
            at, first = block * ROWS * LANES, block * LANES
            units = np.uint64(unit_at + (block // (tied * blocks) * blocks + block % blocks) * LANES)   # never from the end
            for lane in range(ROWS * LANES):
                state[at + lane] = 0
            for step in range(steps):
                if strikes:
                    upsets.strike(state, at, block, step, hit, (l0, l1, l2, l3, l4), high)
                for lane in range(LANES):
                    i0 = at + lane
                    i1, i2, i3, i4 = i0 + LANES, i0 + 2 * LANES, i0 + 3 * LANES, i0 + 4 * LANES
                    unit = units + np.uint64(lane)
                    u = cast(drive[first + lane] * scale, scale)
                    s0, s1, s2, s3, s4 = state[i0], state[i1], state[i2], state[i3], state[i4]
                    if gated:
                        g0, g1, g2, g3, g4 = gate[i0], gate[i1], gate[i2], gate[i3], gate[i4]
                    else:
                        g0, g1, g2 = cast(e0 + s0, s0), cast(e1 + s1, s0), cast(e2 + s2, s0)
                        g3, g4 = cast(e3 + s3, s0), cast(e4 + s4, s0)
                    b0, b1, b2, b3, b4 = bracket(s0, s1, s2, s3, s4, u, coupling, g, o, k, unit, adders)
                    w0 = _half(s0, s0, g0, b0, p, l0, high, rounds, shift, least, greatest)
                    w1 = _half(s1, s1, g1, b1, p, l1, high, rounds, shift, least, greatest)
                    w2 = _half(s2, s2, g2, b2, p, l2, high, rounds, shift, least, greatest)
                    w3 = _half(s3, s3, g3, b3, p, l3, high, rounds, shift, least, greatest)
                    w4 = _half(s4, s4, g4, b4, p, l4, high, rounds, shift, least, greatest)
                    if not gated:
                        g0, g1, g2 = cast(e0 + w0, s0), cast(e1 + w1, s0), cast(e2 + w2, s0)
                        g3, g4 = cast(e3 + w3, s0), cast(e4 + w4, s0)
                    b0, b1, b2, b3, b4 = bracket(w0, w1, w2, w3, w4, u, coupling, g, o, k, unit, adders)
                    state[i0] = _half(s0, w0, g0, b0, c, l0, high, rounds, shift, least, greatest)
                    state[i1] = _half(s1, w1, g1, b1, c, l1, high, rounds, shift, least, greatest)
                    state[i2] = _half(s2, w2, g2, b2, c, l2, high, rounds, shift, least, greatest)
                    state[i3] = _half(s3, w3, g3, b3, c, l3, high, rounds, shift, least, greatest)
                    state[i4] = _half(s4, w4, g4, b4, c, l4, high, rounds, shift, least, greatest)
    settle_layer.__qualname__ = f"settle_{adders:d}{rounds:d}{gated:d}{strikes:d}"
    return kernel(settle_layer)


@cache
def half_step_of_all(adders: bool, rounds: bool, gated: bool) -> Any:
    """A kernel for half a step of a recurrent layer; the parts are those of ``settle``."""
    way = 1 if gated else 0

    def half_step_of_layer(s, x, to, gate, drive, gained, lost, rate, here, const, coupling):
        """``to`` from the state ``s`` at the point of evaluation ``x``; the row that is asked loses what links take.

        Forward no population falls below the floor and ``gate`` is any array.
        ``s``, ``x``, ``to``, ``gate`` (lanes * ROWS,), ``drive``, ``gained``, ``lost`` (lanes,).
        """
        rest, rows, row = const.rest, const.rows, const.output_row
        e0, e1, e2, e3, e4 = rest[0], rest[1], rest[2], rest[3], rest[4]
        g, o, k = _five(rows[way, 0]), _five(rows[way, 1]), _five(rows[way, 2])
        high, low, scale, floor = const.high, const.least, const.drive_scale, const.floor
        shift, least, greatest = const.bracket_shift, const.bracket_least, const.bracket_high
        l0, l1, l2, l3, l4 = low, low, low, low, low
        if not gated:
            l0, l1, l2 = cast(floor - e0, low), cast(floor - e1, low), cast(floor - e2, low)
            l3, l4 = cast(floor - e3, low), cast(floor - e4, low)
        first = np.uint64(here.unit_at)                                                       # unsigned: never from the end
        for block in range(here.blocks):
            for lane in range(LANES):
                n = block * LANES + lane
                i0 = block * ROWS * LANES + lane
                i1, i2, i3, i4 = i0 + LANES, i0 + 2 * LANES, i0 + 3 * LANES, i0 + 4 * LANES
                x0, x1, x2, x3, x4 = x[i0], x[i1], x[i2], x[i3], x[i4]
                if gated:
                    g0, g1, g2, g3, g4 = gate[i0], gate[i1], gate[i2], gate[i3], gate[i4]
                else:
                    g0, g1, g2 = cast(e0 + x0, x0), cast(e1 + x1, x0), cast(e2 + x2, x0)
                    g3, g4 = cast(e3 + x3, x0), cast(e4 + x4, x0)
                u, v = cast((drive[n] + gained[n]) * scale, scale), cast(lost[n] * scale, scale)
                b0, b1, b2, b3, b4 = bracket(x0, x1, x2, x3, x4, u, coupling, g, o, k, first + np.uint64(n), adders)
                zero = cast(0, v)
                b0, b1 = cast(b0 - (v if row == 0 else zero), v), cast(b1 - (v if row == 1 else zero), v)
                b2, b3 = cast(b2 - (v if row == 2 else zero), v), cast(b3 - (v if row == 3 else zero), v)
                b4 = cast(b4 - (v if row == 4 else zero), v)
                to[i0] = _half(s[i0], x0, g0, b0, rate, l0, high, rounds, shift, least, greatest)
                to[i1] = _half(s[i1], x1, g1, b1, rate, l1, high, rounds, shift, least, greatest)
                to[i2] = _half(s[i2], x2, g2, b2, rate, l2, high, rounds, shift, least, greatest)
                to[i3] = _half(s[i3], x3, g3, b3, rate, l3, high, rounds, shift, least, greatest)
                to[i4] = _half(s[i4], x4, g4, b4, rate, l4, high, rounds, shift, least, greatest)
    half_step_of_layer.__qualname__ = f"half_step_{adders:d}{rounds:d}{gated:d}"
    return kernel(half_step_of_layer)


@kernel
def reverse_gates(state, gates, blocks, const):
    """Settled populations in mirrored order; the floor where extinct or at the upper limit.

    ``state``, ``gates`` (lanes * ROWS,).
    """
    floor, high, rests, sources = const.floor, const.high, const.rest, const.gate_rows
    for row in range(ROWS):
        source = sources[row]
        rest = rests[source]
        for block in range(blocks):
            to, at = (block * ROWS + row) * LANES, (block * ROWS + source) * LANES
            for lane in range(LANES):
                s = state[at + lane]
                population_size = cast(rest + s, s)
                gates[to + lane] = floor if s >= high or population_size < floor else population_size
