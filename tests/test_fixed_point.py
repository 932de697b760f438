"""Formats and narrowing against exact fractions, apytypes and fxpmath: small widths exhaustively, ties and extremes by hand."""
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from golden_model.fixed_point import Format, Overflow, Rounding, narrow, round_shift
from random_formats import FITTING, SMALL, fails, floats, formats, overflows, roundings, words

# ---------------------------------------------------------------- the oracle: exact fractions

ORACLE = {Rounding.HALF_UP: lambda value: math.floor(value + Fraction(1, 2)), Rounding.HALF_EVEN: round,
          Rounding.FLOOR: math.floor, Rounding.TOWARDS_ZERO: math.trunc}


def fitted(value, to, overflow, held=None):
    """An integer brought into a format, from the definition of the mode."""
    if overflow is Overflow.SATURATE:
        return min(max(value, to.least), to.greatest)
    if overflow is Overflow.WRAP:
        return (value - to.least) % 2**to.bits + to.least
    return value if to.least <= value <= to.greatest else held


def test_every_narrowing_of_small_words():
    values = np.arange(-300, 300)
    held = -values // 7
    for rounding, shift in itertools.product(Rounding, range(10)):
        exact = [ORACLE[rounding](Fraction(int(value), 2**shift)) for value in values]
        assert round_shift(values, shift, rounding).tolist() == exact
        for to, overflow in itertools.product(SMALL, Overflow):
            word = narrow(values, shift, to, rounding, overflow, held if overflow is Overflow.HOLD else None)
            assert word.dtype == np.int64
            assert word.tolist() == [fitted(value, to, overflow, old)
                                     for value, old in zip(exact, held.tolist(), strict=True)], (to, rounding, overflow)


@given(st.lists(words, min_size=1), st.integers(0, 80), formats, roundings, overflows, words)
@example([2**62 - 1, -2**62 + 1], 63, Format(62, 0), Rounding.HALF_UP, Overflow.SATURATE, 0)
@example([2**62 - 1, -2**62 + 1], 0, Format(62, 0, False), Rounding.HALF_UP, Overflow.WRAP, 0)
def test_narrowing_of_wide_words(values, shift, to, rounding, overflow, held):
    word = narrow(values, shift, to, rounding, overflow, held if overflow is Overflow.HOLD else None)
    assert word.tolist() == [fitted(ORACLE[rounding](Fraction(value, 2**shift)), to, overflow, held) for value in values]


@pytest.mark.parametrize(("rounding", "expected"), [
    # -7/2 -5/2 -3/2 -1/2  1/2  3/2  5/2  7/2
    (Rounding.HALF_UP, [-3, -2, -1, 0, 1, 2, 3, 4]),
    (Rounding.HALF_EVEN, [-4, -2, -2, 0, 0, 2, 2, 4]),
    (Rounding.FLOOR, [-4, -3, -2, -1, 0, 1, 2, 3]),
    (Rounding.TOWARDS_ZERO, [-3, -2, -1, 0, 0, 1, 2, 3]),
])
def test_ties(rounding, expected):
    ties = np.arange(-7, 8, 2)
    assert round_shift(ties, 1, rounding).tolist() == expected
    assert narrow(ties * 2**40, 41, Format(4, 0), rounding).tolist() == np.clip(expected, -8, 7).tolist()
    assert Format(4, 0).quantise(ties / 2, rounding).tolist() == expected
    assert Format(20, 16).quantise(ties / 2**17, rounding).tolist() == expected


def test_beside_a_tie():
    below, above = np.nextafter(0.5, 0), np.nextafter(0.5, 1)
    for rounding in (Rounding.HALF_UP, Rounding.HALF_EVEN):
        assert Format(4, 0).quantise([-above, -below, below, above], rounding).tolist() == [-1, 0, 0, 1]
        assert round_shift([-513, -511, 511, 513], 10, rounding).tolist() == [-1, 0, 0, 1]


def test_extremes_of_the_contract():
    displacement = Format.parse("Q1.12")
    values = [-4097, -4096, -1, 0, 4095, 4096, 12_287, 12_288]
    assert narrow(values, 0, displacement).tolist() == [-4096, -4096, -1, 0, 4095, 4095, 4095, 4095]
    assert narrow(values, 0, displacement, overflow=Overflow.WRAP).tolist() == [4095, -4096, -1, 0, 4095, -4096, 4095, -4096]
    assert narrow(values, 0, displacement, overflow=Overflow.HOLD, held=7).tolist() == [7, -4096, -1, 0, 4095, 7, 7, 7]
    # a sum that rounding alone carries out of the range
    assert narrow([8191, 8190, -8193, -8194], 1, displacement).tolist() == [4095, 4095, -4096, -4096]
    assert narrow([8191], 1, displacement, overflow=Overflow.WRAP).tolist() == [-4096]
    assert narrow([8191], 1, displacement, overflow=Overflow.HOLD, held=[123]).tolist() == [123]
    pixel = Format.parse("UQ0.8")
    assert narrow([-1, 255, 256], 0, pixel).tolist() == [0, 255, 255]
    assert narrow([-1, 255, 256], 0, pixel, overflow=Overflow.WRAP).tolist() == [255, 255, 0]


def test_narrow_takes_scalars_and_empty_arrays_and_leaves_its_input_alone():
    assert narrow(5, 1, Format(8, 0)) == 3
    assert narrow(np.uint8(255), 0, Format(8, 0)) == 127
    assert narrow(np.zeros((0, 3), np.int16), 2, Format(8, 0)).shape == (0, 3)
    values = np.arange(5)
    for shift in (0, 1):
        narrow(values, shift, Format(2, 0))[:] = 9
        round_shift(values, shift)[:] = 9
    assert values.tolist() == [0, 1, 2, 3, 4]


def test_what_narrow_refuses():
    to = Format(8, 0)
    with fails("a narrowing must shift right by 0 or more bits, not -1"):
        narrow([1], -1, to)
    with fails("narrowing with overflow HOLD needs the held values, not None"):
        narrow([1], 0, to, overflow=Overflow.HOLD)
    with fails("values to narrow must be integers that int64 holds, not float64"):
        narrow([1.0], 0, to)
    with fails("values to narrow must be integers that int64 holds, not bool"):
        narrow([True], 0, to)
    with fails("values to narrow must be integers that int64 holds, not uint64"):
        narrow(np.array([2**63], np.uint64), 0, to)
    with fails("values to narrow must be integers that int64 holds, not object"):
        narrow([2**70], 0, to)
    with fails("held values must be integers that int64 holds, not float64"):
        narrow([300], 0, to, overflow=Overflow.HOLD, held=[0.5])


# ---------------------------------------------------------------- the table of result widths

def signed_bits(*values):
    """The least two's complement word that holds all values."""
    return next(bits for bits in itertools.count(1) if all(-2**(bits - 1) <= value < 2**(bits - 1) for value in values))


def ends(a):
    return a.least, a.greatest


def test_table_of_result_widths():
    for a, b in itertools.product([Format(bits, 0, signed) for bits in range(1, 9) for signed in (True, False)], repeat=2):
        a_bits, b_bits = a.bits + (not a.signed), b.bits + (not b.signed)
        products = [x * y for x in ends(a) for y in ends(b)]
        rows = [(signed_bits(a.least + b.least, a.greatest + b.greatest), max(a_bits, b_bits) + 1)]
        rows += [(signed_bits(*(n * product for product in products)), a_bits + b_bits + int(math.log2(n)))
                 for n in (1, 2, 3, 4, 5, 7, 8, 784)]
        rows += [(signed_bits(*(end << k for end in ends(a))), a_bits + k) for k in range(4)]
        for needed, table in rows:
            assert needed == table if a.signed and b.signed else needed <= table


@given(st.integers(0, 12), st.integers(0, 12), st.integers(-2**12, 2**12 - 1), st.integers(-2**12, 2**12 - 1),
       st.integers(0, 8))
def test_table_of_fraction_bits(a_fraction, b_fraction, x, y, k):
    a, b = Format(13, a_fraction), Format(13, b_fraction)
    assert Format(26, a_fraction + b_fraction).real(x * y) == a.real(x) * b.real(y)
    assert Format(40, a_fraction + k).real(x << k) == a.real(x)
    k = min(k, a_fraction)
    narrowed = Format(20, a_fraction - k)
    error = Fraction(narrowed.real(narrow(x, k, narrowed))) - Fraction(a.real(x))
    assert Fraction(-1, 2 * narrowed.one) < error <= Fraction(1, 2 * narrowed.one)      # half up: never half a step down


# ---------------------------------------------------------------- quantise

@pytest.mark.parametrize("rounding", Rounding)
def test_every_quantisation_to_small_formats(rounding):
    eighths = np.arange(-160, 161) / 8
    steps = np.concatenate([eighths, np.nextafter(eighths, -np.inf), np.nextafter(eighths, np.inf), [-0.0]])
    for fraction in range(4):
        values = steps / 2**fraction
        exact = [ORACLE[rounding](Fraction(value) * 2**fraction) for value in values.tolist()]
        for bits, signed, overflow in itertools.product(range(max(fraction, 1), 6), (True, False), FITTING):
            to = Format(bits, fraction, signed)
            assert to.quantise(values, rounding, overflow).tolist() == [fitted(value, to, overflow) for value in exact]


@given(st.lists(floats, min_size=1), formats, roundings, st.sampled_from(FITTING))
@example([1e300, -1e300, 2.0**61, -2.0**61, -2.0**61 - 2048], Format(62, 0), Rounding.HALF_UP, Overflow.SATURATE)
@example([1e300, 2.0**62], Format(62, 0, False), Rounding.HALF_UP, Overflow.SATURATE)
@example([1.7e308, -1.7e308], Format(62, 62), Rounding.FLOOR, Overflow.SATURATE)
@example([1.7e308, -1.7e308, 2.0**62 + 1024], Format(13, 12), Rounding.TOWARDS_ZERO, Overflow.WRAP)
@example([5e-324, -5e-324, -0.0], Format(62, 62), Rounding.FLOOR, Overflow.WRAP)
def test_quantisation_is_exact_for_every_float(values, to, rounding, overflow):
    exact = [ORACLE[rounding](Fraction(value) * to.one) for value in values]
    word = to.quantise(values, rounding, overflow)
    assert word.dtype == np.int64
    assert word.tolist() == [fitted(value, to, overflow) for value in exact]


@given(st.lists(st.floats(-100, 100), min_size=1), st.integers(1, 40), roundings, overflows)
def test_quantise_and_narrow_agree(values, fraction, rounding, overflow):
    """A value on a fine grid becomes the same word, whether as a real or as an integer."""
    overflow = Overflow.SATURATE if overflow is Overflow.HOLD else overflow
    to, fine = Format(fraction + 4, fraction), Format(60, fraction + 5)
    grid = fine.quantise(values)
    assert to.quantise(fine.real(grid), rounding, overflow).tolist() == narrow(grid, 5, to, rounding, overflow).tolist()


def test_what_quantise_refuses():
    for value in (np.nan, np.inf, -np.inf):
        with fails("values to quantise must be finite, not NaN or infinite"):
            Format(8, 4).quantise([0.0, value])
    with fails("quantise has no earlier value to hold: overflow must be SATURATE or WRAP, not HOLD"):
        Format(8, 4).quantise([0.0], overflow=Overflow.HOLD)


@given(formats, st.data())
def test_real_and_back(to, data):
    most = 2**53
    words_of_it = data.draw(st.lists(st.integers(max(to.least, -most), min(to.greatest, most)), min_size=1))
    assert [Fraction(value) for value in to.real(words_of_it).tolist()] == [Fraction(word, to.one) for word in words_of_it]
    for rounding, overflow in itertools.product(Rounding, FITTING):
        assert to.quantise(to.real(words_of_it), rounding, overflow).tolist() == words_of_it


# ---------------------------------------------------------------- formats

@given(formats)
def test_a_format_reads_what_it_writes(to):
    assert Format.parse(str(to)) == to
    assert hash(Format.parse(str(to))) == hash(to)


@pytest.mark.parametrize(("text", "bits", "least", "greatest", "minimum", "maximum"), [
    ("Q1.12", 13, -4096, 4095, -1.0, 4095 / 4096),
    ("Q4.12", 16, -32768, 32767, -8.0, 32767 / 4096),
    ("Q2.14", 16, -32768, 32767, -2.0, 32767 / 16384),
    ("UQ0.8", 8, 0, 255, 0.0, 255 / 256),
    ("Q1.0", 1, -1, 0, -1.0, 0.0),
    ("UQ1.0", 1, 0, 1, 0.0, 1.0),
    ("Q0.4", 4, -8, 7, -0.5, 7 / 16),
    ("Q62.0", 62, -2**61, 2**61 - 1, -2.0**61, 2.0**61),
    ("UQ0.62", 62, 0, 2**62 - 1, 0.0, 1.0),
])
def test_ranges_of_formats(text, bits, least, greatest, minimum, maximum):
    to = Format.parse(text)
    assert (str(to), to.bits, to.least, to.greatest) == (text, bits, least, greatest)
    assert (to.minimum, to.maximum) == (minimum, maximum)              # of 62 bits: the nearest float64
    assert to.one == 2**to.fraction


@pytest.mark.parametrize("text", ["", "1.12", "q1.12", "Q1", "Q1.", "Q.12", "SQ1.12", "Q-1.12", "Q1.12 ", "Q1.12\n", "Q١.٢",
                                  "Q1000.0", 12, None, ["Q1.12"]])
def test_what_is_no_format(text):
    with fails(f'a format must be written like "Q1.12" (signed) or "UQ0.8" (unsigned), not {text!r}'):
        Format.parse(text)


def test_formats_out_of_range():
    for text, bits in (("Q0.0", 0), ("Q63.0", 63), ("UQ60.3", 63), ("Q999.999", 1998)):
        with fails(f"a format must have 1 to 62 bits, not {bits}"):
            Format.parse(text)
    for bits in (8.0, True, "8", None):
        with fails(f"a format must have 1 to 62 bits, not {bits!r}"):
            Format(bits, 0)
    for fraction in (-1, 9, 4.0, False):
        with fails(f"a format of 8 bits must have 0 to 8 fraction bits, not {fraction!r}"):
            Format(8, fraction)
    with fails("a format must be signed (True) or unsigned (False), not 1"):
        Format(8, 4, 1)


def test_constants_held_by_small_formats():
    for bits, fraction, signed in itertools.product(range(1, 6), range(3), (True, False)):
        if fraction <= bits:
            to = Format(bits, fraction, signed)
            values = {word / to.one: word for word in range(to.least, to.greatest + 1)}
            for eighth in range(-300, 301):
                assert to.holds(eighth / 8) == (eighth / 8 in values)
            for value, word in values.items():
                assert to.exact(value, "x") == word


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, np.float64(1e308), 10**400, -(10**400), 5e-324, 2**62])
def test_constants_that_nothing_holds(value):
    assert not Format(62, 62, False).holds(value)
    assert not Format(62, 0).holds(value)


def test_wide_constants_are_held_exactly():
    assert Format(62, 0).holds(2**61 - 1)
    assert Format(62, 0).exact(2**61 - 1, "x") == 2**61 - 1
    assert not Format(62, 0).holds(2**61)
    assert not Format(62, 0).holds(2.0**61)                            # float64 of the greatest rounds up to it
    assert Format(62, 0).holds(-2.0**61)


def test_constants_that_are_not_held():
    coupling = Format.parse("Q2.1")
    assert coupling.exact(0.5, "neuron.K1") == 1
    assert coupling.exact(-2, "neuron.K1") == -4
    for value, output, remedy in ((0.3, "0.3", "0.5, which is near"), (0.1, "0.1", "0.5, which is near"),
                                  (-0.1, "-0.1", "-0.5, which is near"), (2, "2", "Q3.1, which holds it"),
                                  (-2.5, "-2.5", "Q3.1, which holds it"), (0.0625, "0.0625", "Q2.4, which holds it"),
                                  (8.25, "8.25", "Q5.2, which holds it"), (1e9, "1e+09", "1.5, which is near"),
                                  (np.nan, "nan", "a finite value"), (np.inf, "inf", "a finite value")):
        with fails(f"neuron.K1 must be a multiple of 0.5 in [-2, 1.5] to be held in Q2.1, not {output}; choose {remedy}"):
            coupling.exact(value, "neuron.K1")
        if np.isfinite(value):                                         # what is proposed suffices
            word, _, what = remedy.partition(", which ")
            assert Format.parse(word).holds(value) if what == "holds it" else coupling.holds(float(word))
    with fails("neuron.K1 must be a multiple of 0.25 in [0, 3.75] to be held in UQ2.2, not -1; choose 0.0, which is near"):
        Format.parse("UQ2.2").exact(-1, "neuron.K1")


# ---------------------------------------------------------------- check

def test_check_takes_every_kind_of_integers():
    to = Format(8, 4)
    for start in (np.array([-128, 127], np.int8), np.array([0, 127], np.uint64), [-128, 127], -128, np.int16(127),
                   np.zeros((2, 0), np.int32)):
        checked = to.check(start, "x")
        assert checked.dtype == np.int64
        assert checked.tolist() == np.asarray(start).tolist()
    assert Format(62, 0, False).check(np.array([2**62 - 1], np.uint64), "x").tolist() == [2**62 - 1]
    assert Format(20, 0).check(np.array([-128, 127], np.int8), "x").tolist() == [-128, 127]      # a word wider than its type
    original = np.array([1, 2])
    to.check(original, "x")[:] = 0
    assert original.tolist() == [1, 2]


def test_check_names_the_first_that_does_not_fit():
    to = Format(8, 4)
    with fails("bias of layer 1 must lie in -128..127 (format Q4.4), not 200"):
        to.check([[0, 127], [200, -300]], "bias of layer 1")
    with fails("x must lie in -128..127 (format Q4.4), not -129"):
        to.check(-129, "x")
    with fails("x must lie in 0..255 (format UQ4.4), not -1"):
        Format(8, 4, False).check([5, -1], "x")
    with fails(f"x must lie in -128..127 (format Q4.4), not {2**64 - 1}"):
        to.check(np.array([2**64 - 1], np.uint64), "x")
    with fails(f"x must lie in 0..{2**62 - 1} (format UQ62.0), not {2**62}"):
        Format(62, 0, False).check([2**62], "x")
    for values, kind in (([0.0], "float64"), ([True], "bool"), ([2**70], "object"), ([1j], "complex128"), (["1"], "<U1")):
        with fails(f"x must be integers of format Q4.4, not {kind}"):
            to.check(values, "x")
