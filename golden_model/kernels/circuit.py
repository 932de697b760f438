"""The circuit of a block of neurons: settling, either way, and the gates of the way back.

Layout. Neurons come in blocks of ``LANES``, one vector register or two, padded with silent ones. The state of a layer is
[block, population, lane], so that a step of a block stays in the innermost cache. The population that is driven is always row
0: the ring is relabelled by rotation for the forward circuit and by rotation and reflection for the reverse circuit
(``rows``), which are therefore one and the same function.
"""
from __future__ import annotations

from numba import njit

from golden_model.compiling import kernel
from golden_model.kernels import words
from golden_model.kernels.plan import LANES, ROWS
from golden_model.kernels.words import cast
from golden_model.robustness import upsets


@njit(forceinline=True)
def bracket(x0, x1, x2, x3, x4, drive, coupling, rows, unit):
    """The five brackets, exact, scaled like the products K x (by adders: twice the bracket).

    Scalars, but for ``coupling`` (3, 5, units).
    """
    if coupling is None:
        return (cast(x4 - x1 + x2 - x3 - x0 - x0 + drive, drive), cast(x0 - x2 + x3 - x4 - x1 - x1, drive),
                cast(x1 - x3 + x4 - x0 - x2 - x2, drive), cast(x2 - x4 + x0 - x1 - x3 - x3, drive),
                cast(x3 - x0 + x1 - x2 - x4 - x4, drive))
    g, o, k = rows
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
def half(s, x, gate, b, rate, low, high, rounding):
    """All of it scalars."""
    return words.half_step(s, x, gate, words.rounded(b, rounding), rate, low, high)


@kernel
def settle(drive, gate, state, rows, steps, blocks, unit_at, const, coupling, rounding, hit=None):
    """Improved Euler from rest for one layer, in place in ``state`` [block, row, lane].

    ``gate`` None: the forward circuit, gated by its own populations; else gates laid out like ``state``. ``hit``: None, or
    what of ``golden_model.robustness.upsets`` strikes words before each step.
    ``drive`` (lanes,), ``state`` and ``gate`` (lanes * ROWS,).
    """
    e0, e1, e2, e3, e4 = const.rest
    high, low, p, c, scale = const.high, const.least, const.predictor, const.corrector, const.drive_scale
    l0, l1, l2, l3, l4 = low, low, low, low, low
    if gate is None:
        l0, l1, l2, l3, l4 = cast(-e0, low), cast(-e1, low), cast(-e2, low), cast(-e3, low), cast(-e4, low)
    for block in range(blocks):
        at = block * ROWS * LANES
        for lane in range(ROWS * LANES):
            state[at + lane] = 0
        for step in range(steps):
            if hit is not None:
                upsets.strike(state, at, block, step, hit, (l0, l1, l2, l3, l4), high)
            for lane in range(LANES):
                i0 = at + lane
                i1, i2, i3, i4 = i0 + LANES, i0 + 2 * LANES, i0 + 3 * LANES, i0 + 4 * LANES
                unit = unit_at + block * LANES + lane
                u = cast(drive[block * LANES + lane] * scale, scale)
                s0, s1, s2, s3, s4 = state[i0], state[i1], state[i2], state[i3], state[i4]
                if gate is None:
                    g0, g1, g2 = cast(e0 + s0, s0), cast(e1 + s1, s0), cast(e2 + s2, s0)
                    g3, g4 = cast(e3 + s3, s0), cast(e4 + s4, s0)
                else:
                    g0, g1, g2, g3, g4 = gate[i0], gate[i1], gate[i2], gate[i3], gate[i4]
                b0, b1, b2, b3, b4 = bracket(s0, s1, s2, s3, s4, u, coupling, rows, unit)
                w0 = half(s0, s0, g0, b0, p, l0, high, rounding)
                w1 = half(s1, s1, g1, b1, p, l1, high, rounding)
                w2 = half(s2, s2, g2, b2, p, l2, high, rounding)
                w3 = half(s3, s3, g3, b3, p, l3, high, rounding)
                w4 = half(s4, s4, g4, b4, p, l4, high, rounding)
                if gate is None:
                    g0, g1, g2 = cast(e0 + w0, s0), cast(e1 + w1, s0), cast(e2 + w2, s0)
                    g3, g4 = cast(e3 + w3, s0), cast(e4 + w4, s0)
                b0, b1, b2, b3, b4 = bracket(w0, w1, w2, w3, w4, u, coupling, rows, unit)
                state[i0] = half(s0, w0, g0, b0, c, l0, high, rounding)
                state[i1] = half(s1, w1, g1, b1, c, l1, high, rounding)
                state[i2] = half(s2, w2, g2, b2, c, l2, high, rounding)
                state[i3] = half(s3, w3, g3, b3, c, l3, high, rounding)
                state[i4] = half(s4, w4, g4, b4, c, l4, high, rounding)


@kernel
def reverse_gates(state, gates, blocks, gate_rows, const):
    """Settled populations in mirrored order; the floor where extinct or at the upper limit.

    ``state``, ``gates`` (lanes * ROWS,), ``gate_rows`` (5,).
    """
    floor, high = const.floor, const.high
    for row in range(ROWS):
        source = gate_rows[row]
        rest = const.rest[source]
        for block in range(blocks):
            to, at = (block * ROWS + row) * LANES, (block * ROWS + source) * LANES
            for lane in range(LANES):
                s = state[at + lane]
                population_size = cast(rest + s, s)
                gates[to + lane] = floor if s >= high or population_size < floor else population_size


@kernel
def settle_positions(drive, gate, state, rows, plan, layer, const, store, hit):
    """``settle`` at each position of a layer; positions with parameters in common have the same K.

    ``drive`` (lanes,), ``state`` and ``gate`` (lanes * ROWS,), of all positions.
    """
    blocks, unit_at = plan.blocks[layer], plan.unit_at[layer]
    lanes, positions = blocks * LANES, plan.tied[layer]
    if store.coupling is None or positions == 1:
        settle(drive, gate, state, rows, plan.steps, plan.own[layer] * positions * blocks, unit_at, const, store.coupling,
               store.rounding, hit)
        return
    for position in range(positions):
        part = slice(position * lanes * ROWS, (position + 1) * lanes * ROWS)
        settle(drive[position * lanes:(position + 1) * lanes], None if gate is None else gate[part], state[part], rows,
               plan.steps, blocks, unit_at, const, store.coupling, store.rounding, upsets.at_position(hit, position))
