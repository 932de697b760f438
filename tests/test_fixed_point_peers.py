"""Fixed point beside other libraries: apytypes and fxpmath narrow to the same words, and formats go to fxpmath and back."""
import itertools

import apytypes
import numpy as np
import pytest
from fxpmath import Fxp
from hypothesis import example, given
from hypothesis import strategies as st

from golden_model.fixed_point import Format, Overflow, Rounding, narrow
from random_formats import FITTING, fails, formats, roundings, words

# ---------------------------------------------------------------- apytypes

APY_ROUNDING = {Rounding.HALF_UP: apytypes.QuantizationMode.TIES_POS, Rounding.HALF_EVEN: apytypes.QuantizationMode.TIES_EVEN,
                Rounding.FLOOR: apytypes.QuantizationMode.TO_NEG, Rounding.TOWARDS_ZERO: apytypes.QuantizationMode.TO_ZERO}
APY_OVERFLOW = {Overflow.SATURATE: apytypes.OverflowMode.SAT, Overflow.WRAP: apytypes.OverflowMode.WRAP}


def apy_words(numbers):
    """Signed integers of an APyFixedArray."""
    half = 1 << (numbers.bits - 1)
    return [(int(word) ^ half) - half for word in numbers.to_bits()]


@pytest.mark.parametrize("overflow", FITTING)
@pytest.mark.parametrize("rounding", Rounding)
def test_apytypes_agrees_on_small_words(rounding, overflow):
    values = list(range(-256, 256))
    for shift, bits in itertools.product(range(7), range(1, 8)):
        theirs = apytypes.APyFixedArray(values, bits=9, frac_bits=shift).cast(
            bits=bits, frac_bits=0, quantization=APY_ROUNDING[rounding], overflow=APY_OVERFLOW[overflow])
        assert narrow(values, shift, Format(bits, 0), rounding, overflow).tolist() == apy_words(theirs)


@given(st.lists(words, min_size=1), st.integers(0, 62), formats, roundings, st.sampled_from(FITTING))
def test_apytypes_agrees_on_wide_words(values, shift, to, rounding, overflow):
    to = Format(to.bits, to.fraction)                  # apytypes has signed words only
    theirs = apytypes.APyFixedArray(values, bits=63, frac_bits=to.fraction + shift).cast(
        bits=to.bits, frac_bits=to.fraction, quantization=APY_ROUNDING[rounding], overflow=APY_OVERFLOW[overflow])
    assert narrow(values, shift, to, rounding, overflow).tolist() == apy_words(theirs)


@given(st.integers(1, 24), st.integers(1, 24), st.data())
def test_apytypes_agrees_on_result_widths(a_bits, b_bits, data):
    """The rows a + b and a * b of the table are the rules of apytypes (operands of one fraction)."""
    a = apytypes.APyFixed(data.draw(st.integers(0, 2**a_bits - 1)), bits=a_bits, frac_bits=3)
    b = apytypes.APyFixed(data.draw(st.integers(0, 2**b_bits - 1)), bits=b_bits, frac_bits=3)
    assert ((a + b).bits, (a + b).frac_bits) == (max(a_bits, b_bits) + 1, 3)
    assert ((a * b).bits, (a * b).frac_bits) == (a_bits + b_bits, 6)


# ---------------------------------------------------------------- fxpmath

FXP_ROUNDING = {Rounding.HALF_UP: "nearest_posinf", Rounding.HALF_EVEN: "around", Rounding.FLOOR: "floor",
                Rounding.TOWARDS_ZERO: "trunc"}


@pytest.mark.parametrize("overflow", FITTING)
@pytest.mark.parametrize("rounding", Rounding)
def test_fxpmath_agrees_on_small_formats(rounding, overflow):
    values = np.arange(-96, 97) / 16
    for bits, fraction, signed in itertools.product(range(2, 6), range(3), (True, False)):
        theirs = Fxp(values, signed, bits, fraction, rounding=FXP_ROUNDING[rounding], overflow=overflow.value)
        assert Format(bits, fraction, signed).quantise(values, rounding, overflow).tolist() == theirs.val.tolist()


@given(st.lists(st.floats(-1e4, 1e4), min_size=1), st.integers(2, 40), st.data(), roundings, st.sampled_from(FITTING))
def test_fxpmath_agrees(values, bits, data, rounding, overflow):
    to = Format(bits, data.draw(st.integers(0, bits)), data.draw(st.booleans()))
    theirs = Fxp(np.array(values), to.signed, to.bits, to.fraction, rounding=FXP_ROUNDING[rounding], overflow=overflow.value)
    assert to.quantise(values, rounding, overflow).tolist() == theirs.val.tolist()


@given(formats, st.data())
@example(Format(62, 0), None)
@example(Format(62, 62, False), None)
def test_fxp_round_trip(to, data):
    inner = data.draw(st.lists(st.integers(to.least, to.greatest))) if data else []
    integers = [to.least, to.greatest, *inner]
    number = to.to_fxp(integers)
    assert (number.n_word, number.n_frac, number.signed) == (to.bits, to.fraction, to.signed)
    if to.bits <= 53:
        assert np.asarray(number.get_val()).tolist() == to.real(integers).tolist()
    back, same = Format.from_fxp(number)
    assert back == to
    assert same.dtype == np.int64
    assert same.tolist() == integers


def test_fxp_of_user_shapes():
    to = Format.parse("Q1.12")
    assert Format.from_fxp(to.to_fxp(-4096)) == (to, -4096)
    matrix = np.arange(6).reshape(2, 3)
    assert Format.from_fxp(to.to_fxp(matrix))[1].tolist() == matrix.tolist()
    assert Format.from_fxp(Fxp(0.75, True, 16, 14)) == (Format.parse("Q2.14"), 3 << 12)
    assert Format.from_fxp(Fxp(255 / 256, False, 8, 8)) == (Format.parse("UQ0.8"), 255)


def test_fxp_rounds_half_up_and_saturates_as_we_do():
    number = Format(8, 0).to_fxp([0, 0, 0, 0])
    number([2.5, -2.5, 300, -300])
    assert number.val.tolist() == [3, -2, 127, -128]


def test_from_fxp_copies():
    number = Format(8, 0).to_fxp([1, 2, 3])
    Format.from_fxp(number)[1][:] = 0
    assert number.val.tolist() == [1, 2, 3]


def test_what_the_conversions_refuse():
    with fails("integers must lie in -4096..4095 (format Q1.12), not 4096"):
        Format.parse("Q1.12").to_fxp([0, 4096])
    with fails("an Fxp must hold at least one value: fxpmath has no empty arrays"):
        Format(8, 4).to_fxp(np.zeros(0, np.int64))
    with fails("a complex Fxp has no format here: pass its real and imaginary part one by one"):
        Format.from_fxp(Fxp(1 + 1j, True, 8, 4))
    with fails("an Fxp with scale 2 and bias 1 has no format here: pass one with scale 1 and bias 0"):
        Format.from_fxp(Fxp(1.5, True, 8, 4, scale=2, bias=1))
    with fails("a format must have 1 to 62 bits, not 64"):
        Format.from_fxp(Fxp(1, True, 64, 0))
    with fails("a format of 8 bits must have 0 to 8 fraction bits, not -2"):
        Format.from_fxp(Fxp(4, True, 8, -2))
