"""What the model states about one neuron, each statement a test: fixed point, energy, drive, reversal."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from golden_model import arithmetic, circuits
from golden_model.errors import InputError
from golden_model.network import Integration, Network, Neuron
from golden_model.theory.integrators import RK4, integrate
from golden_model.theory.neuron import (
    MIRROR,
    Ring,
    adjoint,
    bracket,
    coupling_matrix,
    derivative,
    energy,
    energy_derivative,
    equilibrium,
    response,
    reverse_derivative,
)
from random_rings import DEFAULT, NONE, five, properties, random_rings, rings, states

# ---------------------------------------------------------------- the equations


@properties
@given(five(-10, 10), five(-10, 10))
def test_the_coupling_is_antisymmetric_for_any_K(K1, K2):
    A = coupling_matrix(K1, K2)
    np.testing.assert_array_equal(A, -A.T)
    for i in range(5):                                    # row by row as the equations are written
        expected = np.zeros(5)
        expected[i - 1], expected[(i + 1) % 5] = K1[i], -K1[(i + 1) % 5]
        expected[(i + 2) % 5], expected[i - 2] = K2[i], -K2[i - 2]
        np.testing.assert_array_equal(A[i], expected)


def test_the_bracket_of_one_displaced_population_by_hand():
    """Population 0 displaced by 1: its child 1 gains K1_1, its mother 4 loses K1_0, its predator 3 gains K2_3, its prey 2
    loses K2_0, and it limits itself by K3_0."""
    neuron = Ring(K1=[1, 2, 3, 4, 5], K2=[10, 20, 30, 40, 50], K3=[100, 200, 300, 400, 500])
    np.testing.assert_array_equal(bracket(neuron, np.eye(5)[0], NONE), [-100, 2, -10, 40, -1])


@properties
@given(rings(0), states(), five(-3, 3))
def test_forward_and_reverse_derivative_are_their_matrix_forms(neuron, multiple, u):
    s, M = neuron.rest * (multiple - 1), neuron.matrix
    np.testing.assert_allclose(M + M.T, -2 * np.diag(neuron.K3), atol=1e-15)
    np.testing.assert_allclose(bracket(neuron, s, u), M @ s + u, atol=1e-12)
    np.testing.assert_allclose(derivative(neuron, s, u), (neuron.rest + s) * (M @ s + u), atol=1e-11)
    np.testing.assert_allclose(reverse_derivative(neuron, u, s, s), (neuron.rest + s) * (M.T @ u + s), atol=1e-11)


def test_many_neurons_are_each_of_them():
    """Couplings (5, N), states (5, images, N): every function equals itself on one neuron and one image."""
    rng, neurons = random_rings(1, 3)
    one = [Ring(K1=neurons.K1[:, n], K2=neurons.K2[:, n], K3=neurons.K3[:, n], rest=neurons.rest[:, n]) for n in range(3)]
    u, s, e = (rng.uniform(-2, 2, (5, 4, 3)) for _ in range(3))
    s = neurons.rest[:, None] * (np.exp(s) - 1)
    settled = equilibrium(neurons, u)
    together = [bracket(neurons, s, u), derivative(neurons, s, u), reverse_derivative(neurons, e, u, s), settled,
                adjoint(neurons, settled, e), energy(neurons, s, settled), energy_derivative(neurons, s, u, settled)]
    for image in range(4):
        for n, ring in enumerate(one):
            us, ss, es, at = u[:, image, n], s[:, image, n], e[:, image, n], settled[:, image, n]
            alone = [bracket(ring, ss, us), derivative(ring, ss, us), reverse_derivative(ring, es, us, ss),
                     equilibrium(ring, us), adjoint(ring, at, es), energy(ring, ss, at), energy_derivative(ring, ss, us, at)]
            for many, single in zip(together, alone, strict=True):
                np.testing.assert_allclose(many[..., image, n], single, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(neurons.matrix, [ring.matrix for ring in one])
    drive = np.array([1.0, -1, 0.5, 0, 2])                # one drive (5,) for all neurons (5, N)
    np.testing.assert_allclose(equilibrium(neurons, drive).T, [equilibrium(ring, drive) for ring in one], atol=1e-12)


@pytest.mark.parametrize("rest", [1.0, 0.625])
def test_the_network_settles_by_the_same_equations(rest):
    """Where no signal leaves its range, the float circuits of the network are these equations under improved Euler."""
    neuron = Neuron(K1=(0.5, 0.75, 0.25, 0.5, 1), K2=(0.5, 0.25, 1, 0.75, 0.5), K3=(1, 1.25, 0.75, 1, 1.5), rest=(rest,) * 5)
    network = Network(layers=(2, 3), neuron=neuron, integration=Integration(dt=0.25, steps=12))
    ring, reals = Ring.of(neuron), arithmetic.create_arithmetic(network, "float")
    couplings = np.repeat(np.array([neuron.K1, neuron.K2, neuron.K3])[:, :, None], 3, axis=2)
    drives, errors = np.array([[-0.4, 0.1, 0.5], [0.2, -0.1, 0.3]]), np.array([[0.3, -0.2, 0.1], [0.5, 0, -0.4]])
    s = circuits.settle(reals, drives, couplings)
    r = circuits.settle_reverse(reals, s, errors, couplings)
    u, e = ring.drive(drives), ring.error(errors)
    start = np.zeros(s.shape)
    np.testing.assert_allclose(integrate(lambda x: derivative(ring, x, u), start, 0.25, 12), s, atol=1e-14)
    np.testing.assert_allclose(integrate(lambda x: reverse_derivative(ring, x, e, s), start, 0.25, 12), r, atol=1e-14)


# ---------------------------------------------------------------- 1. fixed point


@properties
@given(rings(0))
def test_rest_is_a_fixed_point_for_every_K(neuron):
    np.testing.assert_array_equal(derivative(neuron, NONE, NONE), NONE)


# ---------------------------------------------------------------- 3. constant drive


@properties
@given(rings(), five(-4, 4))
def test_there_is_exactly_one_saturated_equilibrium(neuron, u):
    """The solution fulfils the complementarity conditions, and no other set of living populations does."""
    s, M = equilibrium(neuron, u), neuron.matrix
    E, b = neuron.rest + s, M @ s + u
    living = E > 0
    assert (E >= 0).all()
    np.testing.assert_array_equal(s[~living], -neuron.rest[~living])
    scale = 1 + np.abs(M) @ np.abs(s) + np.abs(u)
    assert (np.abs(b[living]) <= 1e-12 * scale[living]).all()
    assert (b[~living] <= 1e-12 * scale[~living]).all()
    for mask in range(32):
        other = (mask >> np.arange(5)) % 2 == 1
        if (other == living).all():
            continue
        t = -neuron.rest.copy()
        if other.any():
            fixed = M[np.ix_(other, ~other)] @ t[~other] if not other.all() else 0
            t[other] = np.linalg.solve(M[np.ix_(other, other)], -u[other] - fixed)
        violation = np.where(other, -(neuron.rest + t), M @ t + u).max()
        assert violation > 0 or np.allclose(t, s, atol=1e-9)      # the same point, met at a threshold


def test_every_interior_start_reaches_the_equilibrium_of_its_drive():
    """300 random neurons with drives in every population; V about the equilibrium proves it, time 100 shows it."""
    rng, neurons = random_rings(4, 300)
    u = rng.uniform(-2, 2, (5, 300))
    goal = equilibrium(neurons, u)
    living = neurons.rest + goal > 0
    margin = np.where(living, neurons.rest + goal, -bracket(neurons, goal, u)).min(axis=0)
    assert np.bincount(living.sum(axis=0), minlength=6)[2:].min() >= 3     # from two to five alive: all cases are met
    s = neurons.rest * (rng.uniform(0.1, 2, (5, 300)) - 1)
    distance = [energy(neurons, s, goal)]
    for _ in range(20):
        s = integrate(lambda x: derivative(neurons, x, u), s, 0.05, 100, RK4)
        distance.append(energy(neurons, s, goal))
        assert (energy_derivative(neurons, s, u, goal) <= 1e-13).all()
    assert (np.diff(distance, axis=0) <= 1e-12).all()
    clear = margin > 0.2                                  # near a threshold a population dies, or returns, slowly
    assert clear.sum() > 150
    np.testing.assert_allclose(s[:, clear], goal[:, clear], atol=1e-6)
    np.testing.assert_allclose(s, goal, atol=0.02)


@properties
@given(rings(), states(0), five(-3, 3))
def test_the_energy_about_the_equilibrium_never_grows(neuron, multiple, u):
    s, goal = neuron.rest * (multiple - 1), equilibrium(neuron, u)
    assert energy(neuron, s, goal) >= 0
    assert energy_derivative(neuron, s, u, goal) <= -np.sum(neuron.K3 * (s - goal) ** 2) + 1e-9


def test_the_default_response_in_closed_form():
    """Slope 27/61 between the thresholds; the input population starves at u = -61/41, where the output stops at -27/41."""
    curve = response(DEFAULT)
    np.testing.assert_allclose(curve.thresholds, [-61 / 41, 61 / 9, 25], rtol=1e-14)
    np.testing.assert_array_equal(curve.living, [[0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 0, 1, 0]])
    np.testing.assert_allclose(curve.slope[1], [41 / 61, 27 / 61, -9 / 61, 3 / 61, -1 / 61], rtol=1e-14)
    outputs = [-27 / 41, -27 / 41, -27 / 61, 0, 13.5 / 61, 2.7]
    np.testing.assert_allclose(curve([-100, -2, -1, 0, 0.5, 6.1]), outputs, rtol=1e-13)


@properties
@given(rings(), arrays(np.float64, 40, elements=st.floats(-30, 30)))
def test_the_response_is_continuous_and_piecewise_linear_in_the_drive(neuron, drives):
    curve = response(neuron)
    s = equilibrium(neuron, neuron.drive(drives))
    size = 1 + np.abs(s).max()
    np.testing.assert_allclose(curve.displacement(drives), s, atol=1e-9 * size)
    np.testing.assert_allclose(curve(drives), s[neuron.output_population], atol=1e-9 * size)
    assert (np.diff(curve.thresholds) > 0).all()
    assert len(curve.thresholds) <= 31
    for index, u in enumerate(curve.thresholds):
        left, right = (curve.constant[k] + curve.slope[k] * u for k in (index, index + 1))
        np.testing.assert_allclose(left, right, atol=1e-9 * (1 + np.abs(left).max()))
        changing = curve.living[index] != curve.living[index + 1]
        assert changing.any()                             # the threshold is extinction
        np.testing.assert_allclose(left[changing], -neuron.rest[changing], atol=1e-9 * (1 + np.abs(left).max()))


def test_thresholds_scale_with_the_rest_values():
    neuron = Ring(K1=DEFAULT.K1, K2=DEFAULT.K2, K3=DEFAULT.K3, rest=np.full(5, 0.25))
    np.testing.assert_allclose(response(neuron).thresholds, response(DEFAULT).thresholds / 4, rtol=1e-14)


# ---------------------------------------------------------------- 4. reversal


def test_the_reverse_circuit_settles_to_the_adjoint():
    """From rest, gated by the forward equilibrium: M^T r + e = 0 where alive, r = 0 where extinct."""
    rng, neurons = random_rings(6, 200)
    e = rng.uniform(-1, 1, (5, 200))
    s = equilibrium(neurons, rng.uniform(-2, 2, (5, 200)))
    living = neurons.rest + s > 0
    assert living.any(axis=0).all()
    assert not living.all()
    r = adjoint(neurons, s, e)
    assert (r[~living] == 0).all()
    assert np.abs((np.einsum("nji,jn->in", neurons.matrix, r) + e)[living]).max() < 1e-12
    s, r, e, living, ring = _clear(neurons, s, r, e, living)
    settled = integrate(lambda x: reverse_derivative(ring, x, e, s), np.zeros(r.shape), 0.05, 4000, RK4)
    assert (settled[~living] == 0).all()
    np.testing.assert_allclose(settled, r, atol=1e-6)


def _clear(neurons, s, r, e, living):
    """The neurons whose least living population, which sets the pace of the reverse circuit, is above 0.2."""
    keep = np.where(living, neurons.rest + s, 1).min(axis=0) > 0.2
    assert keep.sum() > 100
    ring = Ring(K1=neurons.K1[:, keep], K2=neurons.K2[:, keep], K3=neurons.K3[:, keep], rest=neurons.rest[:, keep])
    return s[:, keep], r[:, keep], e[:, keep], living[:, keep], ring


@properties
@given(rings(), states(), five(-1, 1), five(-1, 1))
def test_the_reverse_circuit_is_the_forward_form_on_the_ring_read_backwards(neuron, multiple, r, e):
    """K1'_e = K1_{1-e}, K2'_e = K2_{-e-2}, K3'_e = K3_{-e}, E*'_e = E*_{-e}; no sign is flipped."""
    mirrored, s = neuron.mirrored, neuron.rest * (multiple - 1)
    for i in range(5):
        assert mirrored.K1[i] == neuron.K1[(1 - i) % 5]
        assert mirrored.K2[i] == neuron.K2[(-i - 2) % 5]
        assert mirrored.K3[i] == neuron.K3[-i % 5]
        assert mirrored.rest[i] == neuron.rest[-i % 5]
    forward_form = (mirrored.rest + s[MIRROR]) * bracket(mirrored, r[MIRROR], e[MIRROR])
    np.testing.assert_allclose(forward_form[MIRROR], reverse_derivative(neuron, r, e, s), rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(mirrored.matrix, neuron.matrix.T[np.ix_(MIRROR, MIRROR)])
    np.testing.assert_array_equal(neuron.error(0.5)[MIRROR], mirrored.drive(0.5))
    np.testing.assert_array_equal(neuron.drive(0.5)[MIRROR], mirrored.error(0.5))
    twice = mirrored.mirrored
    assert (twice.input_population, twice.output_population) == (neuron.input_population, neuron.output_population)
    for name in ("K1", "K2", "K3", "rest"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(neuron, name))


def test_the_default_ring_is_its_own_mirror_image():
    mirrored = DEFAULT.mirrored
    np.testing.assert_array_equal(mirrored.matrix, DEFAULT.matrix)
    assert (mirrored.input_population, mirrored.output_population) == (4, 0)


@properties
@given(rings(), st.floats(-5, 5))
def test_the_reverse_signal_of_a_unit_error_is_the_slope_of_the_response(neuron, u):
    curve = response(neuron)
    if curve.thresholds.size and np.abs(curve.thresholds - u).min() < 1e-6:
        return                                            # at a threshold the slope has two values
    r = adjoint(neuron, equilibrium(neuron, neuron.drive(u)), neuron.error(1.0))
    slope = curve.slope[np.searchsorted(curve.thresholds, u), neuron.output_population]
    assert r[neuron.input_population] == pytest.approx(slope, abs=1e-10)


# ---------------------------------------------------------------- what cannot be used


@pytest.mark.parametrize(("make", "text"), [
    (lambda: Ring(K1=[1, 2, 3], K2=NONE, K3=NONE), "K1 must have the five populations on its first axis, not shape (3,)"),
    (lambda: Ring(K1=0.5, K2=NONE, K3=NONE), "K1 must have the five populations on its first axis, not shape ()"),
    (lambda: Ring(K1=NONE, K2=[0, 0, np.nan, 0, 0], K3=NONE), "K2 must be finite numbers, not nan"),
    (lambda: Ring(K1=NONE, K2=NONE, K3=[1, 1, -0.5, 1, 1]), "K3 must be 0 (oscillator) or more (propagator), not -0.5"),
    (lambda: Ring(K1=NONE, K2=NONE, K3=NONE, rest=NONE), "rest must be positive populations, not 0"),
    (lambda: Ring(K1=NONE, K2=NONE, K3=NONE, output_population=5),
     "output_population must be a whole number from 0 to 4, not 5"),
    (lambda: Ring(K1=np.zeros((5, 2)), K2=np.zeros((5, 3)), K3=NONE),
     "arrays must have the same axes behind the five populations, or length 1, not (5, 2), (5, 3), (5, 1), (5, 1)"),
    (lambda: Ring.of(Neuron(), np.zeros((2, 5))), "coupling must have shape (3, 5) or (3, 5, neurons): K1, K2, K3, not (2, 5)"),
    (lambda: equilibrium(Ring(K1=NONE, K2=NONE, K3=[0, 1, 1, 1, 1]), NONE),
     ("K3 must be positive in every population for one equilibrium that all starts reach, not 0; follow an oscillator in time "
      "with integrate")),
    (lambda: equilibrium(DEFAULT, [0, np.inf, 0, 0, 0]), "u must be finite numbers, not inf"),
    (lambda: response(Ring(K1=np.zeros((5, 2)), K2=NONE, K3=np.ones(5))),
     "a response must be of one neuron, with couplings of shape (5,), not (5, 2)"),
    (lambda: energy(DEFAULT, [-1.5, 0, 0, 0, 0]),
     "populations must be 0 or more, not -0.5; a displacement lies at or above minus the rest value"),
])
def test_unusable_input_gets_one_sentence(make, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        make()


def test_the_ring_of_a_description_takes_trained_couplings():
    description = Neuron(K1=(1, 2, 3, 4, 5), rest=(0.5,) * 5, input_population=2, output_population=4)
    coupling = np.arange(30.0).reshape(3, 5, 2)
    ring = Ring.of(description, coupling)
    np.testing.assert_array_equal([ring.K1, ring.K2, ring.K3], coupling)
    np.testing.assert_array_equal(ring.rest, np.full((5, 2), 0.5))
    assert (ring.input_population, ring.output_population) == (2, 4)
    np.testing.assert_array_equal(Ring.of(description).K1, [1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="read-only"):
        ring.K1[0] = 1
    couplings = np.ones((5, 2))
    ring = Ring(K1=couplings, K2=couplings, K3=couplings, rest=couplings)
    couplings[:] = 7                                      # the ring keeps its own copies
    np.testing.assert_array_equal([ring.K1, ring.K2, ring.K3, ring.rest], np.ones((4, 5, 2)))
