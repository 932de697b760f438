"""Hypothesis strategies of formats, words and modes of narrowing, and the pattern of a refusal."""
import re

import pytest
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import MOST_BITS, Format, Overflow, Rounding

SMALL = [Format(bits, 0, signed) for bits in range(1, 7) for signed in (True, False)]
FITTING = (Overflow.SATURATE, Overflow.WRAP)           # the modes that need no earlier value

formats = st.integers(1, MOST_BITS).flatmap(
    lambda bits: st.builds(Format, st.just(bits), st.integers(0, bits), st.booleans()))
words = st.integers(-2**62 + 1, 2**62 - 1)             # what narrow promises to take
floats = st.floats(allow_nan=False, allow_infinity=False)
roundings, overflows = st.sampled_from(Rounding), st.sampled_from(Overflow)


def fails(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")
