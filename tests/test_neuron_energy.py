"""The energy of a neuron: its rate, propagators that lose it, oscillators that keep it, and what makes one of the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.theory.integrators import IMPROVED_EULER, RK4, integrate
from golden_model.theory.neuron import (
    Ring,
    bracket,
    derivative,
    energy,
    energy_derivative,
)
from random_rings import DEFAULT, NONE, five, properties, random_rings, rings, states


@properties
@given(rings(0), states(), five(-2, 2))
def test_the_energy_changes_at_its_stated_rate(neuron, multiple, u):
    """dV/dt = -sum K3 s^2 + s.u, against the derivative of V along the circuit by central differences."""
    s = neuron.rest * (multiple - 1)
    stated = -np.sum(neuron.K3 * s**2) + s @ u
    assert energy_derivative(neuron, s, u) == pytest.approx(stated, rel=1e-12, abs=1e-12)
    h = 1e-5 * (neuron.rest + s) * bracket(neuron, s, u)
    scale = 1 + np.abs(bracket(neuron, s, u)).max() ** 3 * 40
    assert (energy(neuron, s + h) - energy(neuron, s - h)) / 2e-5 == pytest.approx(stated, abs=1e-9 * scale)


@properties
@given(rings(0), states())
def test_the_energy_is_positive_away_from_rest(neuron, multiple):
    E = neuron.rest * multiple
    value = energy(neuron, E - neuron.rest)
    assert value == pytest.approx(np.sum(E - neuron.rest - neuron.rest * np.log(E / neuron.rest)), abs=1e-12)
    assert value >= 0
    assert (value == 0) == bool((E - neuron.rest == 0).all()) or np.abs(multiple - 1).max() < 1e-7
    assert energy(neuron, NONE) == 0


def test_the_energy_of_an_extinct_population_is_infinite_unless_it_is_at_home_there():
    gone = np.array([-1, 0, 0, 0, 0.5])
    assert energy(DEFAULT, gone) == np.inf
    assert energy(DEFAULT, gone, about=gone) == 0
    assert energy(DEFAULT, NONE, about=gone) == pytest.approx(1 + 1 - 1.5 - 1.5 * np.log(1 / 1.5))


def test_a_propagator_returns_to_rest_from_every_start_and_its_energy_only_falls():
    rng, neurons = random_rings(2, 50)
    start = neurons.rest * (rng.uniform(0.05, 3, (5, 50)) - 1)
    trajectory = integrate(lambda s: derivative(neurons, s, NONE), start, 0.02, 3000, RK4, record=True)
    V = np.array([energy(neurons, s) for s in trajectory[::10]])
    assert (np.diff(V, axis=0) <= 1e-16).all()
    assert (np.diff(V[:20], axis=0) < 0).all()
    assert np.abs(trajectory[-1]).max() < 1e-4


def oscillators():
    """Eight neurons with K3 = 0, the first two with uniform K: (ring, start)."""
    rng, neurons = random_rings(3, 8, K3=(0, 0), K=(0.3, 0.8))
    K1, K2, rest = neurons.K1.copy(), neurons.K2.copy(), neurons.rest.copy()
    K1[:, :2] = K2[:, :2] = 0.5
    rest[:, :2] = 1
    return Ring(K1=K1, K2=K2, K3=neurons.K3, rest=rest), rest * rng.uniform(-0.5, 0.5, (5, 8))


@properties
@given(rings(0), states())
def test_an_oscillator_conserves_its_energy(neuron, multiple):
    free = Ring(K1=neuron.K1, K2=neuron.K2, K3=NONE, rest=neuron.rest)
    assert energy_derivative(free, neuron.rest * (multiple - 1), NONE) == 0


def test_an_oscillator_cycles_for_ever():
    """RK4 over time 200: V keeps its value, and the output still swings as far as at first."""
    neurons, start = oscillators()
    trajectory = integrate(lambda s: derivative(neurons, s, NONE), start, 0.05, 4000, RK4, record=True)
    V = energy(neurons, np.moveaxis(trajectory, 1, 0))
    np.testing.assert_allclose(V, np.broadcast_to(V[0], V.shape), rtol=2e-4)
    first, last = np.ptp(trajectory[:1000, 1], axis=0), np.ptp(trajectory[-1000:, 1], axis=0)
    assert first.min() > 0.05
    np.testing.assert_allclose(last, first, rtol=0.3)         # two periods beat: not quite the same stretch


def test_the_energy_of_an_oscillator_drifts_with_the_third_power_of_dt():
    """Improved Euler, time 100, dt = 1/20, 1/40, 1/80: the mean of V over the second half minus the mean over the first
    shrinks 8 times for each halving. (The means remove the bounded ripple of V, of second order in dt, which covers the
    drift over a few periods.) The drift is upwards."""
    neurons, start = oscillators()
    drifts = []
    for steps in (2000, 4000, 8000):
        trajectory = integrate(lambda s: derivative(neurons, s, NONE), start, 100 / steps, steps, IMPROVED_EULER, record=True)
        V = energy(neurons, np.moveaxis(trajectory, 1, 0))
        drifts.append(V[steps // 2:].mean(axis=0) - V[:steps // 2].mean(axis=0))
    assert np.min(drifts) > 0
    powers = np.polyfit([2.0, 1, 0], np.log2(drifts), 1)[0]
    np.testing.assert_allclose(powers, 3, atol=0.12)


@pytest.mark.parametrize("raised", [(0, 1, 2, 3, 4), (0,), (1,), (3,)])
def test_raising_K3_makes_an_oscillator_a_propagator(raised):
    """In all populations, or in a single one, whose neighbours the cycles damp with it."""
    start = np.array([0.2, -0.1, 0.3, -0.2, 0.1])
    K3 = np.where(np.isin(np.arange(5), raised), 1.0, 0.0)
    damped = Ring(K1=DEFAULT.K1, K2=DEFAULT.K2, K3=K3)
    s = integrate(lambda s: derivative(damped, s, NONE), start, 0.1, 3000, RK4)
    assert energy(damped, s) < 1e-10 * energy(damped, start)


@pytest.mark.parametrize("population", range(5))
def test_a_drive_that_opposes_its_population_makes_an_oscillator_a_propagator(population):
    """u = -g s_a through a link from a neuron to itself is K3_a = g."""
    free = Ring(K1=DEFAULT.K1, K2=DEFAULT.K2, K3=NONE, input_population=population)
    start = np.array([0.2, -0.1, 0.3, -0.2, 0.1])
    s = integrate(lambda s: derivative(free, s, free.drive(-s[population])), start, 0.1, 3000, RK4)
    assert energy(free, s) < 1e-10 * energy(free, start)
    damped, opposed = Ring(K1=free.K1, K2=free.K2, K3=np.eye(5)[population]), free.drive(-start[population])
    np.testing.assert_allclose(derivative(damped, start, NONE), derivative(free, start, opposed), atol=1e-16)


@properties
@given(rings(), states(), st.floats(-2, 2))
def test_a_constant_drive_does_not_settle_an_oscillator(neuron, multiple, u):
    """A of odd size has a null vector k: sum_i k_i ln E_i moves at the constant rate k_a u, so no equilibrium keeps all
    populations alive unless k_a u = 0."""
    free = Ring(K1=neuron.K1, K2=neuron.K2, K3=NONE, rest=neuron.rest, input_population=neuron.input_population)
    k, s = np.linalg.svd(free.matrix)[2][-1], neuron.rest * (multiple - 1)
    assert k @ bracket(free, s, free.drive(u)) == pytest.approx(k[free.input_population] * u, abs=1e-11)


@pytest.mark.parametrize("u", [0.3, -0.3])
def test_a_constant_drive_feeds_or_starves_an_oscillator_without_end(u):
    """Uniform K: sum ln E grows by u t. The populations grow, or die out one after the other; what lives still cycles."""
    free, start = Ring(K1=DEFAULT.K1, K2=DEFAULT.K2, K3=NONE), np.array([0.2, -0.1, 0.3, -0.2, 0.1])
    trajectory = integrate(lambda s: derivative(free, s, free.drive(u)), start, 0.02, 2000, RK4, record=True)
    logarithms = np.log1p(trajectory).sum(axis=1)
    np.testing.assert_allclose(logarithms - logarithms[0], u * np.linspace(0, 40, 2001), atol=2e-3)
    assert np.ptp(trajectory[-500:, 4]) > 0.05
