"""The settling circuits in integers, against the arithmetic contract written out word by word in plain Python."""
from __future__ import annotations

import random

import numpy as np
import pytest
from fxpmath import Fxp
from hypothesis import given
from hypothesis import strategies as st

from golden_model.arithmetic import Fixed, Float
from golden_model.circuits import MIRROR, mirrored, reverse_gate, settle, settle_reverse
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Network, Neuron
from golden_model.parameters import initial

DEFAULT = Network(layers=(1, 1))


def coupling_of(network, neurons=1):
    words = initial(network, "fixed")[0].coupling
    return np.repeat(words[:, :, :1], neurons, axis=2)


def contract(drive, population, gate=None, steps=8):
    """hardware.md for the default neuron, one neuron, Python integers: B twice the bracket, k = 13, then 14."""
    def half(s, x, g, k):
        out = []
        for i in range(5):
            b = x[i - 1] - x[(i + 1) % 5] + x[(i + 2) % 5] - x[i - 2] - 2 * x[i] + (2 * drive if i == population else 0)
            out.append(max(-4096, min(4095, (s[i] + x[i] + ((g[i] * b) >> k) + 1) >> 1)))
        return out
    s = [0] * 5
    for _ in range(steps):
        w = half(s, s, gate or [4096 + v for v in s], 13)
        s = half(s, w, gate or [4096 + v for v in w], 14)
    return s


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=6))
def test_forward_settling_is_the_contract_word_by_word(drives):
    result = settle(Fixed(DEFAULT), np.array([drives]), coupling_of(DEFAULT, len(drives)))
    assert result[:, 0].T.tolist() == [contract(drive, 0) for drive in drives]


@given(st.integers(-32768, 32767), st.integers(-4096, 4095))
def test_reverse_settling_is_the_contract_on_the_mirrored_ring(drive, error):
    fixed = Fixed(DEFAULT)
    s = settle(fixed, np.array([[drive]]), coupling_of(DEFAULT))
    gate = [256 if v >= 4095 or 4096 + v < 256 else 4096 + v for v in (s[-e % 5, 0, 0] for e in range(5))]
    r = contract(error, 4, gate)
    result = settle_reverse(fixed, s, np.array([[error]]), coupling_of(DEFAULT))
    assert result[:, 0, 0].tolist() == [r[-e % 5] for e in range(5)]


def test_a_half_step_is_one_rounding_of_the_exact_sum():
    """fxpmath forms the exact sum and floors it once after half a step is added; so must the narrowing."""
    fixed, word = Fixed(DEFAULT), DEFAULT.formats.displacement
    source = random.Random(3)
    for corrector in (False, True):
        for _ in range(200):
            s, x = source.randint(-4096, 4095), source.randint(-4096, 4095)
            gate, b = source.randint(0, 8191), source.randint(-90112, 90112)
            k = 14 if corrector else 13
            exact = Fxp(((s + x) * 2**k + gate * b) / 2 ** (k + 1), True, 52, k + 1)
            half_added = Fxp(exact.get_val() + 0.5, True, 40, 0, rounding="floor")
            expected = min(max(int(half_added.val), word.least), word.greatest)
            result = fixed.half_step(*(np.array([[[v]]]) for v in (s, x, gate, b)), corrector, -4096, "displacement[0]")
            assert result.item() == expected


@pytest.mark.parametrize("error", [0, 1, -1, 4095, -4096])
def test_without_error_the_reverse_circuit_rests_and_with_it_stays_in_range(error):
    fixed = Fixed(DEFAULT)
    drives = np.arange(-32768, 32768, 64)[None]
    coupling = coupling_of(DEFAULT, drives.size)
    r = settle_reverse(fixed, settle(fixed, drives, coupling), np.full(drives.shape, error), coupling)
    if error != -1:                           # half up: a step of -1/2 is none, a step of +1/2 is one
        assert r.any() == (error != 0), "an error must be heard somewhere, silence nowhere"
    assert r.min() >= -4096
    assert r.max() <= 4095


def test_drives_reach_extinction_and_the_upper_limit_and_the_gate_floor_holds_there():
    fixed = Fixed(DEFAULT)
    drives = np.arange(-32768, 32768, 16)[None]
    s = settle(fixed, drives, coupling_of(DEFAULT, drives.size))
    assert (s <= 16 - 4096).any(), "no population came near extinction"
    assert (s == 4095).any(), "no population saturated"
    gate = reverse_gate(fixed, s)
    assert gate.min() == 256
    assert (gate[s == 4095] == 256).all()
    assert (gate[s <= 16 - 4096] == 256).all()
    inside = (s < 4095) & (s >= 256 - 4096)
    np.testing.assert_array_equal(gate[inside], (4096 + s)[inside])


def test_mirror_is_its_own_inverse_and_turns_the_causal_arrows():
    K = np.arange(15).reshape(3, 5, 1)
    np.testing.assert_array_equal(mirrored(mirrored(K)), K)
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(5))
    assert mirrored(K)[0, :, 0].tolist() == [1, 0, 4, 3, 2]
    assert mirrored(K)[1, :, 0].tolist() == [8, 7, 6, 5, 9]
    assert mirrored(K)[2, :, 0].tolist() == [10, 14, 13, 12, 11]


@pytest.mark.parametrize("fraction", [8, 10, 12, 14])
def test_integers_approach_reals_as_words_grow(fraction):
    """General K per population. The distance is some steps of the word, whatever its length."""
    network = Network(
        layers=(1, 1), neuron=Neuron(K1=(0.5, 0.75, 0.25, 0.5, 1), K2=(0.5, 0.25, 0.75, 1, 0.5), K3=(1, 0.75, 1, 1.25, 1)),
        formats=Formats(displacement=Format(fraction + 1, fraction), drive=Format(fraction + 4, fraction),
                        error=Format(fraction + 1, fraction), coupling=Format(4, 2)))
    drives = np.arange(-2, 2, 0.125)[None]
    coupling = coupling_of(network, drives.size)
    s = settle(Float(network), drives, coupling / 4)
    words = settle(Fixed(network), (drives * 2**fraction).astype(np.int64), coupling)
    assert np.abs(words - s * 2**fraction).max() < 6
    r = settle_reverse(Float(network), s, np.full(drives.shape, 0.25), coupling / 4)
    back = settle_reverse(Fixed(network), words, np.full(drives.shape, 2**fraction // 4), coupling)
    open_gate = (words.min(axis=0) > -(2**fraction) * 0.9)[0]           # near the floor the gates may differ
    assert open_gate.sum() > 8
    assert np.abs(back - r * 2**fraction)[:, 0, open_gate].max() < 12


def test_a_population_stops_at_extinction_for_any_rest_value():
    network = Network(layers=(1, 1), neuron=Neuron(rest=(0.5, 0.75, 1, 0.625, 0.5)))
    drives = np.arange(-32768, 32768, 64)[None]
    for s in (settle(Fixed(network), drives, coupling_of(network, drives.size)) / 4096,
              settle(Float(network), drives / 4096, coupling_of(network, drives.size) / 2)):
        population_size = s + np.array(network.neuron.rest)[:, None, None]
        assert population_size.min() >= 0
        assert population_size.min() < 1 / 256


def test_a_rounded_operand_changes_bits_but_not_much():
    """Where a multiplier takes 16 bits the bracket is rounded once: part of the description."""
    narrow = Network(layers=(1, 1), formats=Formats(bracket=Format.parse("Q4.12")))
    drives = np.arange(-8000, 8000, 7)[None]
    exact, rounded = (settle(Fixed(n), drives, coupling_of(n, drives.size)) for n in (DEFAULT, narrow))
    assert (exact != rounded).any()
    assert np.abs(exact - rounded).max() <= 8


def test_records_hold_every_step():
    network = Network(layers=(1, 1), integration=Integration(steps=5))
    states, back = [], []
    s = settle(Fixed(network), np.array([[3000]]), coupling_of(network), record=states)
    r = settle_reverse(Fixed(network), s, np.array([[900]]), coupling_of(network), record=back)
    assert len(states) == len(back) == 5
    np.testing.assert_array_equal(states[-1], s)
    np.testing.assert_array_equal(back[-1], r)
    assert [state[:, 0, 0].tolist() for state in states] == [contract(3000, 0, steps=k) for k in range(1, 6)]


def test_a_rest_value_beyond_the_range_is_refused():
    with pytest.raises(InputError, match=r"neuron.rest must be at most 1, the range of formats.displacement \(Q1.12\), not 2"):
        Float(Network(layers=(1, 1), neuron=Neuron(rest=(2, 1, 1, 1, 1))))
