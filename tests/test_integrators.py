"""Tableaux are checked data; every integrator has the order it claims, on the neuron's own equations."""
import functools
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from golden_model.errors import InputError
from golden_model.theory.integrators import EULER, IMPROVED_EULER, RK4, Tableau, integrate
from golden_model.theory.neuron import Ring, adjoint, derivative, equilibrium, reverse_derivative

METHODS = [EULER, IMPROVED_EULER, RK4]
half = Fraction(1, 2)

# methods that the product does not need, to show that the order conditions tell right from wrong
MIDPOINT = Tableau(name="midpoint", order=2, a=((0, 0), (half, 0)), b=(0, 1), c=(0, half), source="Runge 1895")
KUTTA3 = Tableau(name="Kutta's third", order=3, a=((0, 0, 0), (half, 0, 0), (-1, 2, 0)),
                 b=(Fraction(1, 6), Fraction(2, 3), Fraction(1, 6)), c=(0, half, 1), source="Kutta 1901")
THREE_EIGHTHS = Tableau(name="3/8 rule", order=4,
                        a=((0, 0, 0, 0), (Fraction(1, 3), 0, 0, 0), (Fraction(-1, 3), 1, 0, 0), (1, -1, 1, 0)),
                        b=(Fraction(1, 8), Fraction(3, 8), Fraction(3, 8), Fraction(1, 8)),
                        c=(0, Fraction(1, 3), Fraction(2, 3), 1), source="Kutta 1901")


def ring():
    rng = np.random.default_rng(5)
    return Ring(K1=rng.uniform(0.2, 1, 5), K2=rng.uniform(0.2, 1, 5), K3=rng.uniform(0.2, 1, 5), rest=rng.uniform(0.7, 1.5, 5))


def fields():
    """A driven forward circuit, and the reverse circuit gated by its equilibrium: (field, start)."""
    neuron, start = ring(), np.array([0.3, -0.4, 0.5, 0.2, -0.3])
    drive, error = neuron.drive(0.8), neuron.error(0.5)
    settled = equilibrium(neuron, drive)
    return {"forward": (lambda s: derivative(neuron, s, drive), start),
            "reverse": (lambda r: reverse_derivative(neuron, r, error, settled), np.zeros(5))}


@functools.cache
def exact(circuit):
    """The state at time 2, to 1e-12 or better."""
    return integrate(*fields()[circuit], 2**-10, 2 * 2**10, RK4)


@pytest.mark.parametrize("circuit", ["forward", "reverse"])
@pytest.mark.parametrize("method", [*METHODS, MIDPOINT, KUTTA3, THREE_EIGHTHS], ids=lambda method: method.name)
def test_order_of_accuracy_is_the_claimed_one(method, circuit):
    field, start = fields()[circuit]
    steps = 2 ** np.arange(6, 10)                                          # dt from 1/32 to 1/256
    errors = [np.linalg.norm(integrate(field, start, 2 / n, int(n), method) - exact(circuit)) for n in steps]
    order = -np.polyfit(np.log2(steps), np.log2(errors), 1)[0]
    assert order == pytest.approx(method.order, abs=0.06)


def test_improved_euler_equals_its_shu_osher_form():
    """The mean of the start and of two Euler steps, the form of the integers, is the same map up to rounding."""
    field, s = fields()["forward"]
    dt = 0.5
    trajectory = integrate(field, s, dt, 20, IMPROVED_EULER, record=True)
    for expected in trajectory[1:]:
        w = s + dt * field(s)
        s = (s + w + dt * field(w)) / 2
        np.testing.assert_allclose(s, expected, rtol=0, atol=1e-14)


def test_runge_kutta_steps_of_a_linear_equation_are_truncated_exponentials():
    """x' = x: one step multiplies by 1 + dt + dt^2/2 + ... up to the order of the method."""
    dt, taylor, term = 0.25, 1.0, 1.0
    for order, method in enumerate([EULER, IMPROVED_EULER, KUTTA3, RK4], start=1):
        term *= dt / order
        taylor += term
        assert integrate(lambda x: x, 1.0, dt, 1, method) == pytest.approx(taylor, rel=1e-15)


def test_improved_euler_by_hand():
    """x' = -x^2 from 2 with dt = 1/4: k1 = -4, x + dt k1 = 1, k2 = -1, so 2 - (4 + 1) / 8."""
    assert integrate(lambda x: -x**2, [2.0], 0.25, 1) == [1.375]


def test_record_is_the_trajectory_from_the_start():
    field, start = fields()["forward"]
    many = np.stack([start, -start], axis=1)                               # two neurons at once
    neuron = ring()
    trajectory = integrate(lambda s: derivative(neuron, s, neuron.drive(0.8)), many, 0.25, 7, RK4, record=True)
    assert trajectory.shape == (8, 5, 2)
    np.testing.assert_array_equal(trajectory[0], many)
    np.testing.assert_array_equal(trajectory[:, :, 0], integrate(field, start, 0.25, 7, RK4, record=True))
    np.testing.assert_array_equal(trajectory[-1, :, 0], integrate(field, start, 0.25, 7, RK4))
    np.testing.assert_array_equal(integrate(field, start, 0.25, 0, RK4, record=True), [start])


def test_the_start_is_not_changed():
    field, start = fields()["forward"]
    before = start.copy()
    end = integrate(field, start, 0.25, 0)
    end[:] = 9
    integrate(field, start, 0.25, 3)
    np.testing.assert_array_equal(start, before)


def test_all_methods_share_their_fixed_points():
    neuron = ring()
    u, e = neuron.drive(-2.5), neuron.error(0.5)                           # an extinct input unit too
    s = equilibrium(neuron, u)
    r = adjoint(neuron, s, e)
    for method in METHODS:
        np.testing.assert_allclose(integrate(lambda x: derivative(neuron, x, u), s, 0.25, 50, method), s, atol=1e-13)
        np.testing.assert_allclose(integrate(lambda x: reverse_derivative(neuron, x, e, s), r, 0.25, 50, method), r, atol=1e-13)


@pytest.mark.parametrize(("changes", "text"), [
    ({"order": 3}, "tableau improved Euler: order must be 2, up to which the order conditions hold, not 3"),
    ({"order": 1}, "tableau improved Euler: order must be 2, up to which the order conditions hold, not 1"),
    ({"b": (half, Fraction(1, 3))}, "tableau improved Euler: the entries of b must sum to 1, not 5/6"),
    ({"c": (0, half)}, "tableau improved Euler: c[1] must be the sum 1 of row 1 of a, not 1/2"),
    ({"a": ((0, 0), (half, half))},
     "tableau improved Euler: a must be zero on and above the diagonal (an explicit method), not 1/2, 1/2 in row 1"),
    ({"a": ((0, 1), (1, 0))},
     "tableau improved Euler: a must be zero on and above the diagonal (an explicit method), not 0, 1 in row 0"),
    ({"a": ((0,), (1, 0))},
     ("tableau improved Euler: a must be 2 rows of 2 entries and c must have 2, as many as b, "
      "not rows of [1, 2] and 2")),
    ({"b": (0.5, 0.5)}, "tableau improved Euler: every coefficient must be an int or a Fraction, which are exact, not 0.5"),
])
def test_wrong_tableaux_are_refused(changes, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        replace(IMPROVED_EULER, **changes)


@pytest.mark.parametrize(("row", "column"), [(1, 0), (2, 1), (3, 2), (3, 0)])
def test_a_slip_in_the_classic_tableau_is_found(row, column):
    """Any entry moved by 1/100, its c with it: the conditions of some order break."""
    a, c = [list(entries) for entries in RK4.a], list(RK4.c)
    a[row][column] += Fraction(1, 100)
    c[row] += Fraction(1, 100)
    with pytest.raises(InputError, match=r"order must be \d, up to which the order conditions hold, not 4$"):
        replace(RK4, a=tuple(map(tuple, a)), c=tuple(c))


@pytest.mark.parametrize(("arguments", "text"), [
    ({"dt": 0.0, "steps": 1}, "dt must be a positive finite number, not 0.0"),
    ({"dt": float("nan"), "steps": 1}, "dt must be a positive finite number, not nan"),
    ({"dt": 0.5, "steps": -1}, "steps must be a whole number from 0, not -1"),
    ({"dt": 0.5, "steps": 2.0}, "steps must be a whole number from 0, not 2.0"),
])
def test_unusable_requests_get_one_sentence(arguments, text):
    field, start = fields()["forward"]
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        integrate(field, start, **arguments)


def test_a_diverging_solution_is_reported_with_its_step():
    """Euler on x' = 10^100 x with dt = 1: step 3 reaches 10^300, step 4 overflows."""
    text = ("the solution must stay finite, but step 4 of Euler with dt = 1 left the range of floating point: take a smaller "
            "dt, or check that the equation is bounded")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        integrate(lambda x: 1e100 * x, [1.0, 0.0], 1, 99, EULER)
