"""Reciprocal links: what the post neuron gains the pre neuron loses; the dynamics of a recurrent layer, both ways.

Neuron n hears neuron m through a link C_nm: its input population a is driven by C_nm s_m,b, and the output population b of m by
-C_nm s_n,a. All links together couple the populations of the net antisymmetrically, as K1 and K2 do within a neuron, so the
energy argument of one neuron holds for the net, whatever the links (docs/model.md).

Time goes on from frame to frame, the state is kept. Backwards the same circuit runs on the mirrored ring, with the links
transposed and gated by the populations of the same instant: what it carries is the exact adjoint of the equations.

Arrays: links (N, N), signals (5, images, N), drives (images, N), K (3, 5, N), inputs of all frames (images, frames * M).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from golden_model import circuits
from golden_model.links import exact_product, prepared
from golden_model.ring import POPULATIONS

if TYPE_CHECKING:
    from golden_model.arithmetic import Arithmetic, Array
    from golden_model.wirings.recurrent import Recurrent


@dataclass
class Course:
    """What a layer did: ``states[t]`` (5, images, N) before step t and, last, after the last; the inputs of each frame."""

    states: list[Array]
    frames: list[Array]


def step(arithmetic: Arithmetic, s: Array, gates: tuple[Array, Array] | None, drive: Array, population: int, other: int,
         coupling: Array, links: Array, name: str) -> Array:
    """One step of improved Euler, as ``circuits.improved_euler``, with reciprocal links.

    Population ``population`` is driven by ``drive`` and by the links from ``other`` populations, which lose in return.
    ``gates``: at the predictor and at the corrector; None: the populations themselves, which do not fall below
    ``neuron.gate_floor``. ``s`` (5, images, N), each gate the same, ``drive`` (images, N), ``coupling`` (3, 5, N), ``links``
    (N, N), which may be ``links.prepared``.
    """
    rest, scale = arithmetic.rest[:, None, None], arithmetic.drive_scale
    low = _least(arithmetic) if gates is None else arithmetic.least
    x = s
    for corrector in (False, True):
        gained = arithmetic.exchange(exact_product(x[other], links.T), name)
        lost = arithmetic.exchange(exact_product(x[population], links), name)
        b = circuits.bracket(x, (drive + gained) * scale, population, coupling)
        b[other] -= lost * scale
        gate = rest + x if gates is None else gates[corrector]
        x = arithmetic.half_step(s, x, gate, arithmetic.operand(b, name), corrector, low, name)
    return x


def _least(arithmetic: Arithmetic) -> Array:
    """The displacement below which no population falls: one that has come to zero would be lost for the frames to come."""
    return arithmetic.low[:, None, None] + arithmetic.floor


def _prepared(arithmetic: Arithmetic, links: Array) -> Array:
    """For products with displacements."""
    return prepared(links, -arithmetic.formats.displacement.least)


def run(arithmetic: Arithmetic, recurrence: Recurrent, drives: list[Array], frames: list[Array], coupling: Array, links: Array,
        layer: int) -> Course:
    """From rest through all frames, each with its drives (images, N)."""
    neuron, name = arithmetic.network.neuron, f"displacement[{layer}]"
    states = [np.zeros((POPULATIONS, *drives[0].shape), drives[0].dtype)]
    links = _prepared(arithmetic, links)
    for drive in drives:
        for _ in range(recurrence.steps):
            states[-1] = np.maximum(arithmetic.disturbed(states[-1], name, len(states) - 1), _least(arithmetic))
            states.append(step(arithmetic, states[-1], None, drive, neuron.input_population, neuron.output_population, coupling,
                               links, name))
    return Course(states, frames)


def run_reverse(arithmetic: Arithmetic, steps: int, course: Course, errors: list[Array], coupling: Array, links: Array,
                layer: int) -> list[Array]:
    """r (5, images, N) at every instant, like ``course.states``, from errors (images, N) after each of the last frames.

    An error is a kick of population b at the end of its frame; between kicks nothing drives the reverse circuit but its own
    state. ``steps``: of a frame.
    """
    neuron, mirror = arithmetic.network.neuron, circuits.MIRROR
    population, other = int(mirror[neuron.output_population]), int(mirror[neuron.input_population])
    gates = [circuits.reverse_gate(arithmetic, s)[mirror] for s in course.states]
    links = _prepared(arithmetic, links)
    turned, silent, last = circuits.mirrored(coupling), np.zeros_like(errors[-1]), len(gates) - 1
    at = {last - back * steps: error for back, error in enumerate(reversed(errors))}
    r = np.zeros_like(course.states[0])
    signals: list[Array] = []
    name = f"reverse[{layer}]"
    for instant in range(last, -1, -1):
        if instant < last:
            signals[-1] = arithmetic.disturbed(signals[-1], name, last - instant - 1)
            r = step(arithmetic, signals[-1], (gates[instant + 1], gates[instant]), silent, population, other, turned, links.T,
                     name)
        if instant in at:
            r[population] = arithmetic.kick(r[population], gates[instant][population] * at[instant], layer)
        signals.append(r)
    return [signal[mirror] for signal in reversed(signals)]


def products(arithmetic: Arithmetic, recurrence: Recurrent, course: Course, signals: list[Array]) -> tuple[Array, Array]:
    """The local products, exact, over images and steps: of links (N, M + N), inputs first, and of biases (N,).

    Of an input link r_n,a x; of a reciprocal link r_n,a s_m,b - r_m,b s_n,a, its own antisymmetric product; at each step of
    the state before it and the reverse signal after it.
    """
    a, b = arithmetic.network.neuron.input_population, arithmetic.network.neuron.output_population
    steps = recurrence.steps
    of_frames = [sum(signal[a] for signal in signals[1 + index * steps:1 + (index + 1) * steps])
                 for index in range(recurrence.frames)]
    inputs = sum(exact_product(r.T, x) for r, x in zip(of_frames, course.frames, strict=True))
    mutual = sum(exact_product(r[a].T, s[b]) - exact_product(s[a].T, r[b])
                 for r, s in zip(signals[1:], course.states[:-1], strict=True))
    return np.concatenate([inputs, mutual], axis=1), sum(r.sum(axis=0) for r in of_frames)
