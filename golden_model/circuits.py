"""Settling: the forward circuit, and the same circuit on the ring read backwards, which is the reverse circuit.

    dE_i/dt = E_i b_i,  b_i = K1_i s_{i-1} - K1_{i+1} s_{i+1} + K2_i s_{i+2} - K2_{i-2} s_{i-2} - K3_i s_i + u_i

Arrays: signals have shape (5, images, neurons), drives and errors (images, neurons), K (3, 5, neurons). Index 0 runs over
the populations of the ring. The arithmetic decides whether they are reals or integers of the contract.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from golden_model.ring import CHILD, MIRROR, MOTHER, POPULATIONS, PREDATOR, PREY, mirrored

if TYPE_CHECKING:                         # descriptions know circuits by their wirings, and arithmetics know descriptions
    from golden_model.arithmetic import Arithmetic, Array

__all__ = ["MIRROR", "bracket", "improved_euler", "mirrored", "reverse_gate", "settle", "settle_reverse"]


def bracket(x: Array, drive: Array, population: int, coupling: Array) -> Array:
    """b of the equations at evaluation point x, exact. ``drive`` enters ``population``, scaled like the products K x.

    ``x`` (5, images, N), ``drive`` (images, N), ``coupling`` (3, 5, N); b has the shape of ``x``.
    """
    K1, K2, K3 = coupling[:, :, None, :]
    b = (K1 * x.take(MOTHER, 0) - (K1 * x).take(CHILD, 0)            # generation: from the mother, to the child
         + K2 * x.take(PREY, 0) - (K2 * x).take(PREDATOR, 0)         # overcoming: from the prey, to the predator
         - K3 * x)                                                   # self-limitation
    b[population] += drive
    return b


def improved_euler(arithmetic: Arithmetic, s: Array, gate: Array | None, drive: Array, population: int, coupling: Array,
                   name: str) -> Array:
    """One step in Shu-Osher form: w = s + dt f(s), s' = (s + w + dt f(w)) / 2; each half step is rounded once.

    ``gate`` None: the forward circuit, gated by its own populations E* + x, which cannot fall below zero.
    ``s``, ``gate`` (5, images, N), ``drive`` (images, N), ``coupling`` (3, 5, N); the new state has the shape of ``s``.
    """
    low = arithmetic.low[:, None, None] if gate is None else arithmetic.least
    rest = arithmetic.rest[:, None, None]
    x = s
    for corrector in (False, True):
        b = arithmetic.operand(bracket(x, drive, population, coupling), name)
        x = arithmetic.half_step(s, x, rest + x if gate is None else gate, b, corrector, low, name)
    return x


def settle(arithmetic: Arithmetic, drive: Array, coupling: Array, layer: int = 0, record: list[Array] | None = None) -> Array:
    """Forward circuit from rest: displacements (5, images, neurons) after the description's number of steps.

    ``record`` collects the state after every step.
    """
    population = arithmetic.network.neuron.input_population
    return _steps(arithmetic, None, drive, population, coupling, f"displacement[{layer}]", record)


def reverse_gate(arithmetic: Arithmetic, s: Array) -> Array:
    """Gates of the reverse circuit: the settled populations, but the floor when extinct or at the upper limit.

    A saturated neuron can still learn its way back because of the floor.
    ``s`` (5, images, N), and so are the gates.
    """
    population_size = arithmetic.rest[:, None, None] + s
    return np.where((s >= arithmetic.high) | (population_size < arithmetic.floor), arithmetic.floor, population_size)


def settle_reverse(arithmetic: Arithmetic, s: Array, error: Array, coupling: Array, layer: int = 0,
                   record: list[Array] | None = None) -> Array:
    """Reverse circuit, error in at the output population: r (5, images, neurons), in the order of the forward populations.

    It is the forward circuit on the mirrored ring, gated by the settled forward populations ``s``.
    """
    population = int(MIRROR[arithmetic.network.neuron.output_population])
    gate = reverse_gate(arithmetic, s)[MIRROR]
    r = _steps(arithmetic, gate, error, population, mirrored(coupling), f"reverse[{layer}]", record)
    if record is not None:
        record[:] = [state[MIRROR] for state in record]
    return r[MIRROR]


def _steps(arithmetic: Arithmetic, gate: Array | None, drive: Array, population: int, coupling: Array, name: str,
           record: list[Array] | None) -> Array:
    state = np.zeros((POPULATIONS, *drive.shape), drive.dtype)
    for step in range(arithmetic.network.integration.steps):
        state = arithmetic.disturbed(state, name, step)
        state = improved_euler(arithmetic, state, gate, drive * arithmetic.drive_scale, population, coupling, name)
        if record is not None:
            record.append(state)
    return state
