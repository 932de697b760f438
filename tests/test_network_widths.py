"""The integers a description implies: shifts as the arithmetic contract has them, widths proved by brute force."""
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.arithmetic import Fixed
from golden_model.circuits import settle, settle_reverse
from golden_model.network import Formats, Integration, Learning, Network, Neuron

DEFAULT = Network(layers=(784, 128, 10))


def test_shifts_of_the_default_are_those_of_the_contract():
    DEFAULT.check_fixed()
    assert (DEFAULT.predictor_shift, DEFAULT.corrector_shift) == (13, 14)
    assert (DEFAULT.link_shift(0), DEFAULT.link_shift(1)) == (14 + 8 - 12, 14 + 12 - 12)
    assert DEFAULT.reverse_link_shift == 14
    assert (DEFAULT.update_shift(0, 4), DEFAULT.update_shift(1, 4)) == (12 + 8 - 14 + 4, 12 + 12 - 14 + 4)
    assert DEFAULT.change_shift("K1", 0, 4) == 12 + 12 - 1 + 4
    assert (DEFAULT.input_fraction(0), DEFAULT.input_fraction(1)) == (8, 12)
    assert DEFAULT.formats.bracket_fraction == DEFAULT.formats.exact_bracket_fraction == 13


def test_shifts_with_a_rounded_bracket_and_another_step():
    network = Network(layers=(4, 2), formats=Formats(bracket="Q4.12"), integration=Integration(dt=1 / 8))
    assert (network.formats.bracket_fraction, network.formats.exact_bracket_fraction) == (12, 13)
    assert network.integration.exponent == 3
    assert (network.predictor_shift, network.corrector_shift) == (14, 15)


@pytest.mark.parametrize("exponent", range(13))
def test_exponent_of_dt(exponent):
    assert Integration(dt=2.0**-exponent).exponent == exponent


def test_widths_of_the_default():
    assert DEFAULT.widths() == {
        "bracket": 18, "product": 31, "half_step": 31,
        "link_sum[0]": 34, "reverse_link_sum[0]": 36, "update[0]": 21, "updated_weight[0]": 32,
        "link_sum[1]": 36, "reverse_link_sum[1]": 32, "update[1]": 26, "updated_weight[1]": 36, "updated_bias": 26}
    assert Network(layers=(4, 784, 10)).widths()["link_sum[1]"] == 38          # too many for 36 bits


@pytest.mark.parametrize(("K", "steps", "bits"), [
    ("K1", [0, 3, 0, 0, 0], 16),                       # 3 steps in the brackets of 0 and 1
    ("K1", [3, -3, 0, 0, 0], 17),                      # 6 in that of 0, from its mother and its child
    ("K1", [3, 0, -3, 0, 0], 16),
    ("K2", [0, 3, 0, 0, 0], 16),
    ("K2", [3, 0, -3, 0, 0], 17),                      # 6 in that of 2, from its prey and its predator
    ("K2", [3, -3, 0, 0, 0], 16),
    ("K3", [0, 3, 0, 3, 0], 16),
])
def test_width_of_the_bracket_follows_the_ring(K, steps, bits):
    """Besides the rates, in steps of 1/2 times a signal of 2**12, a drive of 2**13 steps: 5 or 8 times 2**12."""
    rates = {"K1": [0] * 5, "K2": [0] * 5, "K3": [0] * 5, K: [step / 2 for step in steps]}
    assert Network(layers=(2, 1), formats=Formats(drive="Q1.12"), neuron=Neuron(**rates)).widths()["bracket"] == bits


def needed(values):
    """Bits of the least two's complement word that holds the extremes of ``values``."""
    least, greatest = int(np.min(values)), int(np.max(values))
    return next(bits for bits in itertools.count(1) if -2**(bits - 1) <= least and greatest < 2**(bits - 1))


def ends(to):
    return np.array([to.least, to.greatest])


def corners(to):
    """Every choice of five values at the ends of a format: (5, 32)."""
    return np.array(list(itertools.product(ends(to), repeat=5))).T


SMALL = [Formats(), Formats(bracket="Q4.12"),
         Formats(displacement="Q1.3", drive="Q3.3", error="Q2.3", weight="Q2.2"),
         Formats(displacement="Q2.4", drive="Q2.4", error="Q4.4", weight="Q1.6", coupling="Q2.3", input="Q2.3"),
         Formats(displacement="Q1.5", drive="Q4.5", error="Q1.5", weight="Q2.9", coupling="Q4.0", bracket="Q3.5",
                 input="UQ1.4")]
NAMES = ["contract", "16-bit operand", "4-bit signals", "wide errors", "whole couplings"]
FLOOR = 1 / 8                                          # a gate that all of them hold


# K1, K2, K3 in steps of the coupling's format
COUPLINGS = {"uniform": ([1] * 5, [1] * 5, [2] * 5), "uneven": ([3, 0, 0, -4, 1], [0, -4, 2, 0, 3], [0, 1, 3, 0, 2]),
             "none": ([0] * 5, [0] * 5, [0] * 5), "trained": ([0] * 5, [0] * 5, [1] * 5)}


@pytest.mark.parametrize("K", COUPLINGS)
@pytest.mark.parametrize("formats", SMALL, ids=NAMES)
def test_widths_of_settling_are_attained(formats, K):
    """Every corner of the ranges, brute force: no sum needs more bits than stated, and the worst at most one less.

    The extremes are at corners, because each sum is linear in each of its variables. Trained couplings take every value of
    their format; those of unit 0 stand for all.
    """
    one, trained = formats.coupling.one, K == "trained"
    K1, K2, K3 = (np.array(steps)[:, None, None] for steps in COUPLINGS[K])
    network = Network(
        layers=(2, 1), formats=formats, learning=Learning(K1=2**-4 if trained else 0.0, K3_minimum=1.0),
        neuron=Neuron(**{name: [step / one for step in steps]
                         for name, steps in zip(("K1", "K2", "K3"), COUPLINGS[K], strict=True)}, gate_floor=FLOOR))
    network.check_fixed()
    if trained:
        zero, (mother, child, prey, predator, own) = np.zeros((1, 1), np.int64), corners(formats.coupling)[:, None, :]
        K1, K2, K3 = [mother, child, zero, zero, zero], [prey, zero, zero, predator, zero], [own, zero, zero, zero, zero]
    displacement = formats.displacement
    x = corners(displacement)[:, :, None]
    gates = (displacement.one + displacement.greatest, displacement.exact(FLOOR, "gate"))
    shift = network.corrector_shift
    result = {"bracket": [], "product": [], "half_step": []}
    for i, u in itertools.product((0,) if trained else range(5), [*ends(formats.drive), *ends(formats.error)]):
        b = (K1[i] * x[i - 1] - K1[(i + 1) % 5] * x[(i + 1) % 5] + K2[i] * x[(i + 2) % 5] - K2[i - 2] * x[i - 2]
             - K3[i] * x[i] + one * u)
        result["bracket"] += [b.min(), b.max()]
        if formats.bracket is not None:
            b = np.clip(b >> (formats.exact_bracket_fraction - formats.bracket_fraction), *ends(formats.bracket))
        for gate in gates:
            result["product"] += [(gate * b).min(), (gate * b).max()]
            for s in ends(displacement):
                whole = ((s + x[i]) << shift) + gate * b + (1 << shift)
                result["half_step"] += [whole.min(), whole.max()]
    for name, extremes in result.items():
        assert network.widths()[name] - 1 <= needed(extremes) <= network.widths()[name], name


@pytest.mark.parametrize("formats", SMALL, ids=NAMES)
@pytest.mark.parametrize(("rate", "halvings"), [(5, 2), (0, 0)])
@pytest.mark.parametrize("layers", [(1, 1), (3, 2, 1), (5, 7, 4, 3), (784, 128, 10)])
def test_widths_of_links_are_attained(formats, layers, rate, halvings):
    """Batches of 3, from a rate of 2**-rate that is halved so often."""
    learning = Learning(links=2.0**-rate, bias=2.0**-rate, K2=2.0**-rate, batch=3, halvings=halvings)
    network = Network(layers=layers, formats=formats, learning=learning, neuron=Neuron(K1=(0,) * 5, K2=(0,) * 5))
    widths = network.widths()

    def attained(name, sums):
        assert widths[name] - 1 <= needed(sums) <= widths[name], name

    def shifted(to, shift):
        return [end << shift for end in (to.least, to.greatest)]

    signal, weight = shifted(formats.displacement, 0), shifted(formats.weight, 0)
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(layers)):
        x = signal if layer else shifted(formats.input, 0)
        bias = shifted(formats.drive, network.link_shift(layer))
        kept = shifted(formats.weight, network.update_shift(layer, rate + halvings))
        attained(f"link_sum[{layer}]", [inputs * a * b + c for a, b, c in itertools.product(x, weight, bias)])
        attained(f"reverse_link_sum[{layer}]", [outputs * a * b for a, b in itertools.product(signal, weight)])
        attained(f"update[{layer}]", [3 * a * b for a, b in itertools.product(signal, x)])
        attained(f"updated_weight[{layer}]", [3 * a * b + c for a, b, c in itertools.product(signal, x, kept)])
    attained("updated_bias", [3 * a + b for a, b in itertools.product(signal, shifted(formats.drive, rate + halvings))])
    kept = shifted(formats.coupling, network.change_shift("K1", 0, rate + halvings))
    attained("updated_coupling", [3 * (a * b - c * d) + e for a, b, c, d, e in itertools.product(*[signal] * 4, kept)])


@pytest.mark.parametrize("formats", SMALL, ids=NAMES)
@pytest.mark.parametrize(("name", "products"), [("K2", 2), ("K3", 1)])
def test_widths_of_coupling_follow_the_products_of_the_set(formats, name, products):
    """K1 and K2 stand in two equations, so that two products move each; K3 stands in one."""
    network = Network(layers=(2, 1), formats=formats, learning=Learning(**{name: 2.0**-5}, halvings=0, K3_minimum=1.0),
                      neuron=Neuron(K1=(0,) * 5, K2=(0,) * 5))
    signal, kept = ends(formats.displacement), [end << network.change_shift(name, 0, 5) for end in ends(formats.coupling)]
    sums = [products * int(a) * int(b) + int(c) for a, b, c in itertools.product(signal, signal, kept)]
    sums += [-products * int(a) * int(b) + int(c) for a, b, c in itertools.product(signal, signal, kept)]
    width = network.widths()["updated_coupling"]
    assert width - 1 <= needed(sums) <= width


@given(st.sampled_from(SMALL), st.integers(0, 2**32 - 1), st.booleans())
def test_settling_stays_within_its_widths(formats, seed, trained):
    """The circuits themselves, at random and saturating drives, errors and couplings."""
    network = Network(layers=(2, 6), formats=formats, learning=Learning(K1=2**-4 if trained else 0.0, K3_minimum=1.0),
                      neuron=Neuron(K1=(0,) * 5, K2=(1,) * 5, gate_floor=FLOOR), integration=Integration(steps=3))
    widths, random = network.widths(), np.random.default_rng(seed)
    exact = []

    def observer(name, values, to):
        if to is None:
            exact.append(name)
            assert needed(values) <= widths[name.partition("]_")[2]], name

    def extremes(to, shape):
        return random.choice([to.least, to.greatest, 0, int(random.integers(to.least, to.greatest, endpoint=True))], shape)

    fixed = Fixed(network, observer)
    coupling = np.array([[[0]], [[formats.coupling.one]], [[formats.coupling.one]]]) * np.ones((3, 5, 6), np.int64)
    if trained:
        coupling = extremes(formats.coupling, (3, 5, 6))
    s = settle(fixed, extremes(formats.drive, (4, 6)), coupling)
    settle_reverse(fixed, s, extremes(formats.error, (4, 6)), coupling)
    assert set(exact) == {"displacement[0]_bracket", "displacement[0]_product", "reverse[0]_bracket", "reverse[0]_product"}
