"""Explicit Runge-Kutta methods as checked data, and the loop that runs them.

The hardware and its golden model take improved Euler; Euler and classic RK4 are here for comparison in float64.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

Reals = npt.NDArray[np.float64]
Field = Callable[[Reals], npt.ArrayLike]  # the right-hand side f of dx/dt = f(x)


@dataclass(frozen=True, kw_only=True)
class Tableau:
    """The Butcher tableau of an explicit Runge-Kutta method with S stages, in exact fractions.

    Stage i evaluates ``k_i = f(x + dt * sum_j a[i][j] k_j)`` at time ``t + c[i] dt``; the step is
    ``x + dt * sum_i b[i] k_i``.

    Raises
    ------
    InputError
        If ``a`` is not S rows of S entries, zero on and above the diagonal; if a coefficient is not an int or a
        ``Fraction``; if a ``c[i]`` is not the sum of row i; or if ``order`` is not the greatest order, 1 to 4, whose
        conditions (Hairer, Norsett & Wanner 1993, table II.2.1) hold exactly. Orders above 4 are not told from 4.
    """

    name: str
    a: tuple[tuple[Fraction | int, ...], ...]
    b: tuple[Fraction | int, ...]
    c: tuple[Fraction | int, ...]
    order: int
    source: str                           # where the method was published

    def __post_init__(self) -> None:
        stages = len(self.b)
        if stages == 0 or [len(row) for row in self.a] != [stages] * stages or len(self.c) != stages:
            raise InputError(f"tableau {self.name}: a must be {stages} rows of {stages} entries and c must have {stages}, as "
                             f"many as b, not rows of {[len(row) for row in self.a]} and {len(self.c)}")
        for value in (*self.b, *self.c, *(entry for row in self.a for entry in row)):
            if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
                raise InputError(f"tableau {self.name}: every coefficient must be an int or a Fraction, which are exact, "
                                 f"not {value!r}")
        for i, row in enumerate(self.a):
            if any(row[i:]):
                raise InputError(f"tableau {self.name}: a must be zero on and above the diagonal (an explicit method), "
                                 f"not {', '.join(map(str, row))} in row {i}")
            if sum(row) != self.c[i]:
                raise InputError(f"tableau {self.name}: c[{i}] must be the sum {sum(row)} of row {i} of a, not {self.c[i]}")
        reached = self._order_reached()
        if self.order != reached or reached == 0:
            raise InputError(f"tableau {self.name}: order must be {reached}, up to which the order conditions hold, "
                             f"not {self.order}" if reached else
                             f"tableau {self.name}: the entries of b must sum to 1, not {sum(self.b)}")

    def _order_reached(self) -> int:
        """The greatest order, at most 4, all of whose conditions hold: one condition for each rooted tree."""
        c: tuple[Fraction | int, ...] = self.c

        def weigh(values: Any) -> Fraction | int:
            return sum(b * value for b, value in zip(self.b, values, strict=True))

        def inner(values: Any) -> list[Fraction | int]:
            return [sum(a * value for a, value in zip(row, values, strict=True)) for row in self.a]

        square, ac = [x**2 for x in c], inner(c)
        conditions: dict[int, list[tuple[Fraction | int, Fraction]]] = {
            1: [(weigh([1] * len(c)), Fraction(1))],
            2: [(weigh(c), Fraction(1, 2))],
            3: [(weigh(square), Fraction(1, 3)), (weigh(ac), Fraction(1, 6))],
            4: [(weigh([x**3 for x in c]), Fraction(1, 4)),
                (weigh([x * y for x, y in zip(c, ac, strict=True)]), Fraction(1, 8)),
                (weigh(inner(square)), Fraction(1, 12)), (weigh(inner(ac)), Fraction(1, 24))],
        }
        for order, pairs in conditions.items():
            if any(value != required for value, required in pairs):
                return order - 1
        return 4


_HALF, _THIRD, _SIXTH = Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)

EULER = Tableau(
    name="Euler", order=1, a=((0,),), b=(1,), c=(0,),
    source="L. Euler, Institutiones calculi integralis, vol. 1, 1768")

# the same map as the strong-stability-preserving pair of Euler steps w = x + dt f(x), x' = (x + w + dt f(w)) / 2 of
# C.-W. Shu and S. Osher, J. Comput. Phys. 77, 1988, which is the form that the integers of the contract use
IMPROVED_EULER = Tableau(
    name="improved Euler", order=2, a=((0, 0), (1, 0)), b=(_HALF, _HALF), c=(0, 1),
    source="C. Runge, Math. Ann. 46, 1895; K. Heun, Z. Math. Phys. 45, 1900")

RK4 = Tableau(
    name="classic Runge-Kutta", order=4,
    a=((0, 0, 0, 0), (_HALF, 0, 0, 0), (0, _HALF, 0, 0), (0, 0, 1, 0)), b=(_SIXTH, _THIRD, _THIRD, _SIXTH),
    c=(0, _HALF, _HALF, 1), source="W. Kutta, Z. Math. Phys. 46, 1901")


def integrate(field: Field, state: npt.ArrayLike, dt: float, steps: int, method: Tableau = IMPROVED_EULER,
              record: bool = False) -> Reals:
    """Run ``steps`` steps of dx/dt = field(x) from ``state``.

    Parameters
    ----------
    field : callable
        Takes the state, returns its time derivative in the same shape. It must not keep or change its argument.
    state : float array of any shape
        The start; it is not changed.
    dt : float
        Step, positive, in the time unit of ``field``.
    steps : int
        0 or more.
    record : bool
        Whether to return the whole trajectory.

    Returns
    -------
    float64 array of the shape of ``state``, or (steps + 1, ...) with the start first if ``record``.

    Raises
    ------
    InputError
        If ``dt`` or ``steps`` cannot be used, or if the state does not stay finite: the step is then too long for this
        explicit method, or the equation itself has no bounded solution.
    """
    if not (math.isfinite(dt) and dt > 0):
        raise InputError(f"dt must be a positive finite number, not {dt!r}")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InputError(f"steps must be a whole number from 0, not {steps!r}")
    x = np.array(state, np.float64)
    rows = [[(j, dt * float(value)) for j, value in enumerate(row) if value] for row in (*method.a, method.b)]
    trajectory = np.empty((steps + 1, *x.shape)) if record else None
    if trajectory is not None:
        trajectory[0] = x
    with np.errstate(over="ignore", invalid="ignore"):    # reported below in one sentence
        for step in range(1, steps + 1):
            slopes: list[Reals] = []
            for row in rows[:-1]:
                slopes.append(np.asarray(field(_combine(x, row, slopes)), np.float64))
            x = _combine(x, rows[-1], slopes)
            if not np.isfinite(x).all():
                raise InputError(f"the solution must stay finite, but step {step} of {method.name} with dt = {dt:g} left the "
                                 f"range of floating point: take a smaller dt, or check that the equation is bounded")
            if trajectory is not None:
                trajectory[step] = x
    return x if trajectory is None else trajectory


def _combine(x: Reals, row: list[tuple[int, float]], slopes: list[Reals]) -> Reals:
    total = x
    for j, factor in row:
        total = total + factor * slopes[j]
    return total
