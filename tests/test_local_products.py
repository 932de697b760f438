"""Local products are the gradient of the loss: one neuron and a whole two-layer network, at exact equilibria.

Nothing here evaluates a chain rule: every product takes the forward and the reverse displacement at the two ends of its
parameter, and is compared with central differences of the loss.
"""
import numpy as np
import pytest

from golden_model.network import Neuron
from golden_model.theory.integrators import integrate
from golden_model.theory.neuron import (
    Ring,
    adjoint,
    bracket,
    derivative,
    equilibrium,
    local_products,
    response,
    reverse_derivative,
)

STEP = 1e-5                                               # of the central differences
MARGIN = 1e-2                                             # least distance of any population from its extinction kink
CLOSE = 2e-9                                              # what is left of rounding and of the differences' curvature


def numeric(loss, array):
    """-dLoss/d(array) by central differences; the array is changed in place and restored."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + STEP
        above = loss()
        array[index] = value - STEP
        below = loss()
        array[index] = value
        gradient[index] = -(above - below) / (2 * STEP)
    return gradient


def distance_to_kink(ring, s, u):
    """The least population of a living population, or least shrinkage of an extinct one."""
    rest = ring.rest if ring.rest.ndim == np.ndim(s) else ring.rest[:, None]
    return np.where(s > -rest, rest + s, -bracket(ring, s, u)).min()


def draw(rng, shape, rest):
    """K and rest values; ``rest`` "one" or "any"."""
    return {"K1": rng.uniform(-1, 1, shape), "K2": rng.uniform(-1, 1, shape), "K3": rng.uniform(0.4, 1.5, shape),
            "rest": np.ones(shape) if rest == "one" else rng.uniform(0.4, 2, shape)}


# ---------------------------------------------------------------- one neuron


@pytest.mark.parametrize("rest", ["one", "any"])
def test_products_of_one_neuron_are_the_gradient(rest):
    """Random K of both signs, drives in all populations, an error in all populations: K1, K2, K3, u, and E* where extinct."""
    rng, compared, extinct = np.random.default_rng(11), 0, 0
    while compared < 30:
        values, u, target = draw(rng, 5, rest), rng.uniform(-2, 2, 5), rng.uniform(-0.5, 0.5, 5)
        ring = Ring(**values)
        s = equilibrium(ring, u)
        if distance_to_kink(ring, s, u) < MARGIN:
            continue

        def loss(values=values, u=u, target=target):
            return np.sum((target - equilibrium(Ring(**values), u)) ** 2) / 2

        e = target - s
        r = adjoint(ring, s, e)
        products = dict(zip(("K1", "K2", "K3"), local_products(r, s), strict=True))
        for name, product in products.items():
            np.testing.assert_allclose(product, numeric(loss, values[name]), rtol=1e-8, atol=CLOSE)
        np.testing.assert_allclose(r, numeric(loss, u), rtol=1e-8, atol=CLOSE)
        rest_product = np.where(s > -ring.rest, 0, -(ring.matrix.T @ r + e))
        np.testing.assert_allclose(rest_product, numeric(loss, values["rest"]), rtol=1e-8, atol=CLOSE)
        compared, extinct = compared + 1, extinct + bool((s == -ring.rest).any())
    assert 5 <= extinct <= 25                             # both kinds of equilibrium were compared


@pytest.mark.parametrize("u", [-0.9, 0.6, 2.5, 7.5, -3.0])
def test_products_of_the_default_neuron_driven_at_its_input(u):
    """Error at the output alone; at u = 7.5 the third, at u = -3 the input population is extinct."""
    values = {name: np.array(getattr(Neuron(), name)) for name in ("K1", "K2", "K3")}
    drive = np.array(u)

    def loss():
        ring = Ring(**values)
        return (0.3 - equilibrium(ring, ring.drive(drive))[1]) ** 2 / 2

    ring = Ring(**values)
    s = equilibrium(ring, ring.drive(drive))
    r = adjoint(ring, s, ring.error(0.3 - s[1]))
    for name, product in zip(values, local_products(r, s), strict=True):
        np.testing.assert_allclose(product, numeric(loss, values[name]), rtol=1e-8, atol=CLOSE)
    assert r[0] == pytest.approx(float(numeric(loss, drive)), abs=CLOSE)
    if u == -3:
        assert r[0] == 0                                  # an extinct input says nothing about its drive


def test_products_at_a_threshold_are_one_sided():
    """On either side of a kink they are that side's gradient; the two differ."""
    ring = Ring.of(Neuron())
    kink = response(ring).thresholds[0]
    signals = []
    for u in (kink - 0.01, kink + 0.01):
        s = equilibrium(ring, ring.drive(u))
        signals.append(adjoint(ring, s, ring.error(1.0))[0])
    np.testing.assert_allclose(signals, [0, 27 / 61], rtol=1e-12)


def test_products_of_finite_settling_approach_the_gradient():
    """Improved Euler with the default dt = 1/2, forward and reverse from rest: the more steps, the nearer."""
    rng = np.random.default_rng(12)
    ring = Ring(K1=rng.uniform(0.3, 0.7, (5, 50)), K2=rng.uniform(0.3, 0.7, (5, 50)), K3=rng.uniform(0.8, 1.2, (5, 50)))
    u = ring.drive(rng.uniform(-1, 1, 50))
    exact_s = equilibrium(ring, u)
    exact = np.stack(local_products(adjoint(ring, exact_s, ring.error(0.5 - exact_s[1])), exact_s))
    errors = []
    for steps in (4, 8, 16, 32, 64):
        s = integrate(lambda x: derivative(ring, x, u), np.zeros((5, 50)), 0.5, steps)
        e = ring.error(0.5 - s[1])
        r = integrate(lambda x, e=e, s=s: reverse_derivative(ring, x, e, s), np.zeros((5, 50)), 0.5, steps)
        errors.append(np.linalg.norm(np.stack(local_products(r, s)) - exact) / np.linalg.norm(exact))
    assert (np.diff(errors) < 0).all()
    assert errors[1] < 0.25                               # the 8 steps of the default network
    assert errors[-1] < 1e-5


# ---------------------------------------------------------------- a whole network


class TwoLayers:
    """3 inputs, 4 hidden neurons, 2 outputs, each neuron with its own K and rest values; nothing clamped or rounded."""

    def __init__(self, rng, rest):
        self.x = rng.uniform(-1, 1, 3)
        self.links = [rng.uniform(-1.2, 1.2, (4, 3)), rng.uniform(-1.2, 1.2, (2, 4))]
        self.bias = [rng.uniform(-2.5, 2.5, 4), rng.uniform(-1, 1, 2)]
        self.rates = [draw(rng, (5, neurons), rest) for neurons in (4, 2)]
        self.label = int(rng.integers(2))

    def forward(self):
        """Ring, drive and equilibrium of each layer."""
        x, layers = self.x, []
        for links, bias, rates in zip(self.links, self.bias, self.rates, strict=True):
            ring = Ring(**rates)
            u = ring.drive(links @ x + bias)
            s = equilibrium(ring, u)
            layers.append((ring, u, s))
            x = s[ring.output_population]
        return layers

    def error(self, outputs, margin=0.5):
        """The hinge of the model: nothing where the output is right by the margin."""
        e = np.minimum(0, -margin - outputs)
        e[self.label] = max(0.0, margin - outputs[self.label])
        return e

    def loss(self):
        ring, _, s = self.forward()[-1]
        return np.sum(self.error(s[ring.output_population]) ** 2) / 2

    def products(self):
        """Local products of links, bias and K of each layer, by forward and reverse signals through the same links."""
        layers = self.forward()
        ring, _, s = layers[-1]
        e = self.error(s[ring.output_population])
        results = []
        for k in (1, 0):
            ring, _, s = layers[k]
            r = adjoint(ring, s, ring.error(e))
            left = r[ring.input_population]
            entered = layers[k - 1][2][layers[k - 1][0].output_population] if k else self.x
            results.insert(0, (np.outer(left, entered), left, *local_products(r, s)))
            e = self.links[k].T @ left
        return results


@pytest.mark.parametrize("rest", ["one", "any"])
def test_products_of_a_two_layer_network_are_the_gradient(rest):
    """Links, biases, K1, K2, K3 of both layers, in 12 random networks with living and extinct populations."""
    rng, compared, extinct, hidden = np.random.default_rng(13), 0, 0, 0.0
    while compared < 12:
        net = TwoLayers(rng, rest)
        layers = net.forward()
        if min(distance_to_kink(ring, s, u) for ring, u, s in layers) < MARGIN:
            continue
        outputs = layers[-1][2][layers[-1][0].output_population]
        if np.abs(np.abs(outputs) - 0.5).min() < 1e-3 or not net.error(outputs).any():
            continue                                      # at the hinge's own kink, or nothing to learn
        for k, (links, bias, K1, K2, K3) in enumerate(net.products()):
            pairs = [(links, net.links[k]), (bias, net.bias[k]),
                     *((product, net.rates[k][name]) for name, product in (("K1", K1), ("K2", K2), ("K3", K3)))]
            for product, parameter in pairs:
                gradient = numeric(net.loss, parameter)
                np.testing.assert_allclose(product, gradient, rtol=1e-8, atol=CLOSE)
            if k == 0:
                hidden = max(hidden, np.abs(links).max())
        extinct += sum(int((s == -ring.rest).sum()) for ring, _, s in layers)
        compared += 1
    assert extinct >= 10
    assert hidden > 0.1                                   # errors do reach the first layer


def test_every_small_step_along_the_products_lowers_the_loss():
    """All parameters together, 100 steps: the loss falls at each, to a fifth in the end."""
    net = TwoLayers(np.random.default_rng(16), "any")
    losses = [net.loss()]
    for _ in range(100):
        for k, (links, bias, K1, K2, K3) in enumerate(net.products()):
            net.links[k] += 0.1 * links
            net.bias[k] += 0.1 * bias
            for name, product in (("K1", K1), ("K2", K2), ("K3", K3)):
                net.rates[k][name] += 0.05 * product
        losses.append(net.loss())
    assert losses[0] > 0.05
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.2 * losses[0]
