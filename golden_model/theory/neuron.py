"""One neuron in real numbers: five populations on a ring, for any couplings K1, K2, K3 and any rest values.

This is the theory in float64, unclamped: the forward and the reverse circuit, their exact equilibria, the energy, and
the local products that are the gradient there. What the network computes is its clamped counterpart in finite time.

Arrays have the five populations on their first axis; the axes behind it broadcast as NumPy does: couplings (5,) or (5, N) meet
states (5,), (5, N) or (5, images, N). Populations, displacements and rest values share one unit; a drive is K times
that unit, and time is in units of 1 / drive.

Sources: Y. Takeuchi, Global Dynamical Properties of Lotka-Volterra Systems, World Scientific 1996, chapter 3 (saturated
equilibrium, linear complementarity, Lyapunov function); J. Hofbauer and K. Sigmund, Evolutionary Games and Population
Dynamics, Cambridge 1998, chapter 15.
"""
from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError
from golden_model.network import POPULATIONS, Neuron
from golden_model.ring import CHILD, MOTHER, PREDATOR, PREY

Reals = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

MIRROR = -np.arange(POPULATIONS) % POPULATIONS  # population e of the ring read backwards is population MIRROR[e]
_ROUND_OFF = 1e-12                        # of a condition that holds with equality, relative to its terms
_CHUNK = 4096                             # neurons solved together, in less than 100 MB
# every set of living populations, all alive first
_SUPPORTS = np.array(list(itertools.product((True, False), repeat=POPULATIONS)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Ring:
    """The constants of one neuron, or of N neurons that each have their own.

    Parameters
    ----------
    K1, K2 : (5,) or (5, N)
        Generation (K1[i] couples i to its mother i-1) and overcoming (K2[i] couples i to its prey i+2), of any sign.
    K3 : (5,) or (5, N)
        Self-limitation, >= 0. All positive: a propagator. All zero: an oscillator.
    rest : (5,) or (5, N)
        Rest populations E*, positive; 1 by default.
    input_population, output_population : int
        Where drive enters and the reverse signal leaves (a); where the signal leaves and the error enters (b).

    All four arrays are kept as read-only float64 of one common shape.
    """

    K1: npt.NDArray[np.float64]
    K2: npt.NDArray[np.float64]
    K3: npt.NDArray[np.float64]
    rest: npt.NDArray[np.float64] = field(default_factory=lambda: np.ones(POPULATIONS))
    input_population: int = 0
    output_population: int = 1

    def __post_init__(self) -> None:
        arrays = _align(*(_five(getattr(self, name), name) for name in ("K1", "K2", "K3", "rest")))
        for name, array in zip(("K1", "K2", "K3", "rest"), _broadcast(*arrays), strict=True):
            if not np.isfinite(array).all():
                raise InputError(f"{name} must be finite numbers, not {array[~np.isfinite(array)].flat[0]}")
            kept = array.copy()
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)
        if self.K3.size and self.K3.min() < 0:
            raise InputError(f"K3 must be 0 (oscillator) or more (propagator), not {self.K3.min():g}")
        if self.rest.size and self.rest.min() <= 0:
            raise InputError(f"rest must be positive populations, not {self.rest.min():g}")
        for name in ("input_population", "output_population"):
            population = getattr(self, name)
            if isinstance(population, bool) or not isinstance(population, int) or not 0 <= population < POPULATIONS:
                raise InputError(f"{name} must be a whole number from 0 to {POPULATIONS - 1}, not {population!r}")

    @classmethod
    def of(cls, neuron: Neuron, coupling: npt.ArrayLike | None = None) -> Ring:
        """The ring of a description; ``coupling`` (3, 5) or (3, 5, N) replaces its K1, K2, K3 by trained ones."""
        values = np.array([neuron.K1, neuron.K2, neuron.K3] if coupling is None else coupling, np.float64)
        if values.ndim < 2 or values.shape[:2] != (3, POPULATIONS):
            raise InputError(f"coupling must have shape (3, 5) or (3, 5, neurons): K1, K2, K3, not {values.shape}")
        return cls(K1=values[0], K2=values[1], K3=values[2], rest=np.array(neuron.rest),
                   input_population=neuron.input_population, output_population=neuron.output_population)

    @property
    def mirrored(self) -> Ring:
        """The ring read backwards (population e takes the place of -e), on which the reverse circuit has the forward form.

        Errors enter it at its input population and reverse signals leave at its output population. Mirroring twice gives
        the ring itself.
        """
        e = np.arange(POPULATIONS)
        return Ring(K1=self.K1[(1 - e) % POPULATIONS], K2=self.K2[(-e - 2) % POPULATIONS], K3=self.K3[MIRROR],
                    rest=self.rest[MIRROR], input_population=int(MIRROR[self.output_population]),
                    output_population=int(MIRROR[self.input_population]))

    @property
    def matrix(self) -> Reals:
        """M = A - diag(K3), shape (5, 5) or (N, 5, 5)."""
        return coupling_matrix(self.K1, self.K2) - np.moveaxis(self.K3, 0, -1)[..., None] * np.eye(POPULATIONS)

    def drive(self, values: npt.ArrayLike) -> Reals:
        """Scalar drives (...) as drives (5, ...) of the input population alone."""
        return _at(self.input_population, values)

    def error(self, values: npt.ArrayLike) -> Reals:
        """Scalar errors (...) as errors (5, ...) of the output population alone."""
        return _at(self.output_population, values)


# ---------------------------------------------------------------- the equations


def coupling_matrix(K1: npt.ArrayLike, K2: npt.ArrayLike) -> Reals:
    """The antisymmetric matrix A of both cycles: (5, 5), or (N, 5, 5) for couplings (5, N)."""
    generation, overcoming = _broadcast(*_align(_five(K1, "K1"), _five(K2, "K2")))
    i = np.arange(POPULATIONS)
    gains = np.zeros((*generation.shape[1:], POPULATIONS, POPULATIONS))
    gains[..., i, i - 1] = np.moveaxis(generation, 0, -1)
    gains[..., i, (i + 2) % POPULATIONS] = np.moveaxis(overcoming, 0, -1)
    return gains - np.swapaxes(gains, -1, -2)


def bracket(ring: Ring, s: npt.ArrayLike, u: npt.ArrayLike) -> Reals:
    """b = M s + u, the growth per head of each population, for displacements s (5, ...) and drives u (5, ...)."""
    K1, K2, K3, s, u = _align(ring.K1, ring.K2, ring.K3, _five(s, "s"), _five(u, "u"))
    return _cycles(K1, K2, s) - K3 * s + u


def derivative(ring: Ring, s: npt.ArrayLike, u: npt.ArrayLike) -> Reals:
    """ds/dt = (E* + s) o (M s + u): the forward circuit. ``s`` (5, ...), ``u`` (5, ...), and so is ds/dt."""
    rest, displacement = _align(ring.rest, _five(s, "s"))
    growth, population_size = _align(bracket(ring, s, u), rest + displacement)
    return population_size * growth


def reverse_derivative(ring: Ring, r: npt.ArrayLike, e: npt.ArrayLike, s: npt.ArrayLike) -> Reals:
    """dr/dt = (E* + s) o (M^T r + e): both cycles run backwards, gated by the forward populations E* + s.

    r, e, s : (5, ...), reverse displacement, error, and the (settled) forward displacement.
    """
    K1, K2, K3, rest, r, e, s = _align(ring.K1, ring.K2, ring.K3, ring.rest, _five(r, "r"), _five(e, "e"), _five(s, "s"))
    return (rest + s) * (-_cycles(K1, K2, r) - K3 * r + e)


def energy(ring: Ring, s: npt.ArrayLike, about: npt.ArrayLike | None = None) -> Reals:
    """V = sum_i (E_i - E°_i - E°_i ln(E_i / E°_i)), never negative and zero only at E = E°; shape (...).

    E° = E* + ``about`` is the rest point by default; at the saturated equilibrium of a drive V is the Lyapunov function
    that proves it is reached. V is infinite where a population is extinct that is alive in E°.

    ``s`` (5, ...), ``about`` (5, ...).

    Raises
    ------
    InputError
        If a population, of the state or of ``about``, is negative.
    """
    rest, s, centre = _align(ring.rest, _five(s, "s"), _five(np.zeros(POPULATIONS) if about is None else about, "about"))
    centre, population_size = rest + centre, rest + s
    if min(centre.min(initial=0), population_size.min(initial=0)) < 0:
        raise InputError(f"populations must be 0 or more, not {min(centre.min(initial=0), population_size.min(initial=0)):g}; "
                         f"a displacement lies at or above minus the rest value")
    centre, population_size = _broadcast(centre, population_size)
    with np.errstate(divide="ignore"):                    # the logarithm of 0 is the infinite energy of an extinct population
        gap = population_size - centre
        logarithm = np.log1p(np.divide(gap, centre, out=np.zeros_like(gap), where=centre > 0))
    return np.sum(gap - np.multiply(centre, logarithm, out=np.zeros_like(gap), where=centre > 0), axis=0)


def energy_derivative(ring: Ring, s: npt.ArrayLike, u: npt.ArrayLike, about: npt.ArrayLike | None = None) -> Reals:
    """dV/dt = -sum_i K3_i (s_i - s°_i)^2 + (s - s°).(M s° + u) along the forward circuit, with s° = ``about``; shape (...).

    About rest (the default) it is -sum_i K3_i s_i^2 + s.u. About the saturated equilibrium of u no term is positive.
    ``s``, ``u`` and ``about`` are (5, ...).
    """
    centre = np.zeros(POPULATIONS) if about is None else _five(about, "about")
    K3, gap_from, gap_to, push = _align(ring.K3, _five(s, "s"), centre, bracket(ring, centre, u))
    gap = gap_from - gap_to
    return np.sum(gap * push - K3 * gap**2, axis=0)


# ---------------------------------------------------------------- exact equilibria


def equilibrium(ring: Ring, u: npt.ArrayLike) -> Reals:
    """The saturated equilibrium s (5, ...) of constant drives u (5, ...): the one that every interior start reaches.

    Living populations have (M s + u)_i = 0, extinct ones s_i = -E*_i (exactly) and (M s + u)_i <= 0. This linear
    complementarity problem has exactly one solution, because -M has the positive definite symmetric part diag(K3).
    It is solved by trying the 32 sets of living populations: 32 solutions of a 5 x 5 system per neuron, whatever K.

    Raises
    ------
    InputError
        If a K3 is 0 (a neuron that oscillates settles nowhere) or a drive is not finite.
    """
    _check_propagator(ring)
    K1, K2, K3, rest, drives = _broadcast(*_align(ring.K1, ring.K2, ring.K3, ring.rest, _five(u, "u")))
    if not np.isfinite(drives).all():
        raise InputError(f"u must be finite numbers, not {drives[~np.isfinite(drives)].flat[0]}")
    matrix = coupling_matrix(K1, K2) - np.moveaxis(K3, 0, -1)[..., None] * np.eye(POPULATIONS)
    flat = [np.moveaxis(array, 0, -1).reshape(-1, POPULATIONS) for array in (rest, drives)]
    matrices, solution = matrix.reshape(-1, POPULATIONS, POPULATIONS), np.empty(flat[0].shape)
    for first in range(0, len(solution), _CHUNK):
        part = slice(first, first + _CHUNK)
        solution[part] = _saturated(matrices[part], flat[0][part], flat[1][part])
    return np.moveaxis(solution.reshape(*rest.shape[1:], POPULATIONS), -1, 0)


def _saturated(matrix: Reals, rest: Reals, drive: Reals) -> Reals:
    """The equilibria s (N, 5) of N neurons: of the candidates of all supports, the one that misses no condition."""
    living = _SUPPORTS[:, None, :]
    s = _solve(matrix, living, -drive, -rest)                        # (32, N, 5)
    terms = matrix * s[..., None, :]
    growth, size = terms.sum(-1) + drive, np.abs(terms).sum(-1) + np.abs(drive)
    # relative to its terms, so that a support at its threshold is not lost to rounding
    short = np.where(living, -(rest + s) / (rest + np.abs(s)), growth / np.where(size > 0, size, 1)).max(-1)
    choice = np.where(short <= _ROUND_OFF, 0, short).argmin(0)
    return np.maximum(s[choice, np.arange(len(rest))], -rest)


def adjoint(ring: Ring, s: npt.ArrayLike, e: npt.ArrayLike) -> Reals:
    """The equilibrium r (5, ...) of the reverse circuit for errors e (5, ...), gated by a forward ``equilibrium`` s.

    (M^T r + e)_i = 0 in living populations, r_i = 0 in extinct ones (s_i = -E*_i): the adjoint state of the forward
    equilibrium, so that r is also the negative gradient of the loss in the drive of every population.

    Raises
    ------
    InputError
        If a K3 is 0, because the reverse circuit of an oscillator settles nowhere.
    """
    _check_propagator(ring)
    K1, K2, K3, rest, s, e = _broadcast(*_align(ring.K1, ring.K2, ring.K3, ring.rest, _five(s, "s"), _five(e, "e")))
    turned = -coupling_matrix(K1, K2) - np.moveaxis(K3, 0, -1)[..., None] * np.eye(POPULATIONS)
    living, errors = np.moveaxis(s > -rest, 0, -1), np.moveaxis(e, 0, -1)
    return np.moveaxis(_solve(turned, living, -errors, np.zeros(errors.shape)), -1, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Response:
    """The equilibrium of one neuron as a function of the drive of its input population: linear in P pieces.

    thresholds (P-1,), ascending: the drives at which a population goes extinct or returns. In piece p, between
    thresholds p-1 and p, the populations ``living[p]`` (5,) are alive and s = ``constant[p]`` + ``slope[p]`` u.
    """

    thresholds: Reals
    living: Booleans
    constant: Reals
    slope: Reals
    output_population: int

    def displacement(self, u: npt.ArrayLike) -> Reals:
        """s (5, ...) at drives u (...)."""
        drives = np.asarray(u, np.float64)
        piece = np.searchsorted(self.thresholds, drives)
        return np.moveaxis(self.constant[piece] + self.slope[piece] * drives[..., None], -1, 0)

    def __call__(self, u: npt.ArrayLike) -> Reals:
        """The output s_b (...) at drives u (...)."""
        return self.displacement(u)[self.output_population]


def response(ring: Ring) -> Response:
    """The piecewise linear response of one neuron (couplings (5,)) with its exact thresholds.

    Each of the 32 sets of living populations holds over one interval of drives (its conditions are linear in u), and the
    equilibrium is unique: the intervals tile the line, so there are at most 31 thresholds.

    Raises
    ------
    InputError
        If a K3 is 0, or if the ring holds more than one neuron.
    """
    _check_propagator(ring)
    if ring.K1.shape != (POPULATIONS,):
        raise InputError(f"a response must be of one neuron, with couplings of shape (5,), not {ring.K1.shape}")
    matrix, unit = ring.matrix, ring.drive(1.0)
    intervals = []
    for living in _SUPPORTS:
        constant = _solve(matrix, living, np.zeros(POPULATIONS), -ring.rest)
        slope = _solve(matrix, living, -unit, np.zeros(POPULATIONS))
        # population of a living, shrinkage of an extinct population, both level + tilt u >= 0 where this support holds
        level = np.where(living, ring.rest + constant, -matrix @ constant)
        tilt = np.where(living, slope, -(matrix @ slope + unit))
        level[np.abs(level) <= _ROUND_OFF * (ring.rest + np.abs(matrix) @ np.abs(constant))] = 0
        tilt[np.abs(tilt) <= _ROUND_OFF * (unit + np.abs(slope).max() + np.abs(matrix) @ np.abs(slope))] = 0
        if (level[tilt == 0] < 0).any():
            continue
        low = (-level[tilt > 0] / tilt[tilt > 0]).max(initial=-np.inf)
        high = (-level[tilt < 0] / tilt[tilt < 0]).min(initial=np.inf)
        intervals.append((low, high, living, constant, slope))
    pieces, reach = [], -np.inf
    for low, high, living, constant, slope in sorted(intervals, key=lambda piece: piece[:2]):
        if high > reach + _ROUND_OFF * (1 + abs(reach) if np.isfinite(reach) else 0):
            pieces.append((max(low, reach), living, constant, slope))
            reach = high
    lows, livings, constants, slopes = zip(*pieces, strict=True)
    return Response(thresholds=np.array(lows[1:]), living=np.array(livings), constant=np.array(constants),
                    slope=np.array(slopes), output_population=ring.output_population)


# ---------------------------------------------------------------- learning


def local_products(r: npt.ArrayLike, s: npt.ArrayLike) -> tuple[Reals, Reals, Reals]:
    """The products (dK1, dK2, dK3), each (5, ...), of reverse and forward displacement at the two ends of each coupling.

    With s an ``equilibrium`` and r its ``adjoint`` for the error e = -dLoss/ds they ARE -dLoss/dK1, -dLoss/dK2 and
    -dLoss/dK3, and r is -dLoss/du, for any K and any rest values: the equations (M s + u)_i = 0 of the living populations,
    which are all that is differentiated, do not contain E*. (E* itself matters only where a population is extinct:
    -dLoss/dE*_j = -(M^T r + e)_j there, 0 elsewhere.)
    """
    r, s = _align(_five(r, "r"), _five(s, "s"))
    return (r * np.roll(s, 1, axis=0) - np.roll(r, 1, axis=0) * s,
            r * np.roll(s, -2, axis=0) - np.roll(r, -2, axis=0) * s,
            -r * s)


# ---------------------------------------------------------------- arrays


def _cycles(K1: Reals, K2: Reals, x: Reals) -> Reals:
    """A x by its neighbours: gains from mother and prey, losses to child and predator."""
    return K1 * x.take(MOTHER, 0) - (K1 * x).take(CHILD, 0) + K2 * x.take(PREY, 0) - (K2 * x).take(PREDATOR, 0)


def _solve(matrix: Reals, living: Booleans, right: Reals, extinct: Reals) -> Reals:
    """x with (matrix x)_i = right_i in living populations and x_i = extinct_i in the others; populations on the LAST axis."""
    system = np.where(living[..., :, None], matrix, np.eye(POPULATIONS))
    x = np.linalg.solve(system, np.where(living, right, extinct)[..., None])[..., 0]
    return np.where(living, x, extinct) + 0.0             # no negative zeros


def _check_propagator(ring: Ring) -> None:
    if ring.K3.size and ring.K3.min() <= 0:
        raise InputError("K3 must be positive in every population for one equilibrium that all starts reach, not 0; "
                         "follow an oscillator in time with integrate")


def _at(population: int, values: npt.ArrayLike) -> Reals:
    array = np.asarray(values, np.float64)
    full = np.zeros((POPULATIONS, *array.shape))
    full[population] = array
    return full


def _five(values: npt.ArrayLike, name: str) -> Reals:
    array = np.asarray(values, np.float64)
    if array.ndim == 0 or array.shape[0] != POPULATIONS:
        raise InputError(f"{name} must have the five populations on its first axis, not shape {array.shape}")
    return array


def _align(*arrays: Reals) -> tuple[Reals, ...]:
    """The arrays with axes inserted behind the populations until all have as many."""
    if len(present := {array.ndim for array in arrays}) == 1:
        return arrays
    axes = max(present)
    return tuple(array.reshape(POPULATIONS, *(1,) * (axes - array.ndim), *array.shape[1:]) for array in arrays)


def _broadcast(*arrays: Reals) -> tuple[Reals, ...]:
    try:
        return tuple(np.broadcast_arrays(*arrays))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise InputError(f"arrays must have the same axes behind the five populations, or length 1, not {shapes}") from None
