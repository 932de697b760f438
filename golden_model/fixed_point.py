"""Fixed-point numbers: formats, named rounding and overflow, and the one function that narrows.

Integers are carried as int64 without their binary point; a ``Format`` says where the point is. Sums and products are
exact until ``narrow``, the only place where bits are lost:

=====================  =====================================  =====================================
operation              fraction bits of the exact result      bits of the exact result (signed)
=====================  =====================================  =====================================
``a + b``              ``f`` (both operands alike)            ``max(a.bits, b.bits) + 1``
``a * b``              ``a.fraction + b.fraction``            ``a.bits + b.bits``
sum of ``n`` products  ``a.fraction + b.fraction``            ``a.bits + b.bits + floor(log2(n))``
``a << k``             ``a.fraction + k``                     ``a.bits + k``
``narrow(a, k, to)``   ``to.fraction == a.fraction - k``      ``to.bits``
=====================  =====================================  =====================================

Signed operands can need every one of these bits. An unsigned operand counts with one bit more (its sign, always zero).
"""
from __future__ import annotations

import math
import re
import reprlib
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

if TYPE_CHECKING:
    from fxpmath import Fxp

Integers = npt.NDArray[np.int64]
Array = npt.NDArray[Any]                  # signals and parameters: integers of a format, or reals
MOST_BITS = 62                            # a word and one carry still fit an int64
MOST_USUAL = 24                           # bits of a format that a refusal proposes


class Rounding(Enum):
    """What happens to the fraction that a narrowing shifts out."""

    HALF_UP = "half_up"                   # add half, shift right: ties towards plus infinity (the hardware's)
    HALF_EVEN = "half_even"               # ties to the even neighbour (IEEE 754, fxpmath's "around")
    FLOOR = "floor"                       # shift right: towards minus infinity
    TOWARDS_ZERO = "towards_zero"         # drop the fraction of the magnitude


class Overflow(Enum):
    """What happens to a rounded value that lies outside the target format."""

    SATURATE = "saturate"                 # the nearest value the format has
    WRAP = "wrap"                         # modulo 2**bits
    HOLD = "hold"                         # the value held before stays (a write enable that is not given)


@dataclass(frozen=True)
class Format:
    """A fixed-point format of ``bits`` bits, ``fraction`` of them behind the point.

    Written ``Qm.f`` (signed, two's complement, ``m`` counts the sign) or ``UQm.f`` (unsigned), with ``m + f`` bits:
    ``Q1.12`` has 13 bits and covers [-1, 1) in steps of 2**-12.

    Raises
    ------
    InputError
        If ``bits`` is not in 1..62 or ``fraction`` is not in 0..``bits``.
    """

    bits: int
    fraction: int
    signed: bool = True

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= MOST_BITS:
            raise InputError(f"a format must have 1 to {MOST_BITS} bits, not {self.bits!r}")
        if type(self.fraction) is not int or not 0 <= self.fraction <= self.bits:
            raise InputError(f"a format of {self.bits} bits must have 0 to {self.bits} fraction bits, not {self.fraction!r}")
        if type(self.signed) is not bool:
            raise InputError(f"a format must be signed (True) or unsigned (False), not {self.signed!r}")

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read ``"Q1.12"`` or ``"UQ0.8"``."""
        match = re.fullmatch(r"(U?)Q([0-9]{1,3})\.([0-9]{1,3})", text) if isinstance(text, str) else None
        if match is None:
            raise InputError(f'a format must be written like "Q1.12" (signed) or "UQ0.8" (unsigned), not '
                             f"{reprlib.repr(text)}")
        whole, fraction = int(match[2]), int(match[3])
        return cls(whole + fraction, fraction, signed=not match[1])

    def __str__(self) -> str:
        return f"{'' if self.signed else 'U'}Q{self.bits - self.fraction}.{self.fraction}"

    @property
    def least(self) -> int:
        """The least integer of the format."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def greatest(self) -> int:
        """The greatest integer of the format."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def one(self) -> int:
        """The integer that stands for 1 (it need not be in range)."""
        return 1 << self.fraction

    @property
    def minimum(self) -> float:
        """The least value."""
        return self.least / self.one

    @property
    def maximum(self) -> float:
        """The greatest value."""
        return self.greatest / self.one

    def holds(self, value: float) -> bool:
        """Whether ``value`` is exactly one of the format's values."""
        if not -2.0**MOST_BITS <= value <= 2.0**MOST_BITS:       # NaN and infinities too
            return False
        scaled = (value if isinstance(value, int) else float(value)) * self.one        # exact: by a power of two, below 2**125
        return scaled % 1 == 0 and self.least <= scaled <= self.greatest

    def exact(self, value: float, name: str) -> int:
        """The integer of a constant that must be held exactly; ``name`` is for the message."""
        if not self.holds(value):
            raise InputError(f"{name} must be a multiple of {1 / self.one:g} in [{self.minimum:g}, {self.maximum:g}] to be "
                             f"held in {self}, not {value:g}; choose {self._instead_of(value)}")
        return int(value * self.one)

    def _instead_of(self, value: float) -> str:
        """A wider format that holds a constant, if a word of usual width does; else the nearest value that is not 0."""
        if not math.isfinite(value):
            return "a finite value"
        exact = Fraction(value)
        for bits in range(self.bits, MOST_USUAL + 1):
            for fraction in range(self.fraction, bits + 1):
                if bits - fraction >= self.bits - self.fraction and (wider := Format(bits, fraction, self.signed)).holds(value):
                    return f"{wider}, which holds it"
        near = min(max(round(exact * self.one), self.least), self.greatest)
        if near == 0:
            near = 1 if value > 0 else max(self.least, -1)
        return f"{near / self.one!r}, which is near"

    def quantise(self, values: npt.ArrayLike, rounding: Rounding = Rounding.HALF_UP,
                 overflow: Overflow = Overflow.SATURATE) -> Integers:
        """Real values to integers of this format.

        Exact for every float64, subnormal or huge: rounding happens once. NaN and infinities raise an ``InputError``.
        Any shape, which is kept.
        """
        if overflow is Overflow.HOLD:
            raise InputError("quantise has no earlier value to hold: overflow must be SATURATE or WRAP, not HOLD")
        reals = np.asarray(values, np.float64)
        if not np.all(np.isfinite(reals)):
            raise InputError("values to quantise must be finite, not NaN or infinite")
        reach = 2.0 ** (self.bits - self.fraction)               # beyond every value of the format
        if overflow is Overflow.SATURATE:
            reals = np.clip(reals, -reach, reach)
        else:
            reals = np.fmod(reals, reach)                        # exact, and a whole number of turns of the word
        scaled = reals * self.one                                # exact too: a power of two, at most 2**62
        whole = np.floor(scaled)
        if rounding is Rounding.HALF_UP:
            whole = whole + (scaled - whole >= 0.5)
        elif rounding is Rounding.HALF_EVEN:
            whole = np.rint(scaled)
        elif rounding is Rounding.TOWARDS_ZERO:
            whole = np.trunc(scaled)
        return _overflow(whole.astype(np.int64), self, overflow, None)

    def real(self, integers: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Integers of this format to real values (exact up to 53 bits). Any shape, which is kept."""
        return np.asarray(integers, np.float64) / self.one

    def to_fxp(self, integers: npt.ArrayLike) -> Fxp:
        """Integers of this format as an ``fxpmath.Fxp``, which rounds half up and saturates what it is given later.

        Any shape, which is kept.
        """
        from fxpmath import Fxp
        checked = self.check(integers, "integers")
        if checked.size == 0:
            raise InputError("an Fxp must hold at least one value: fxpmath has no empty arrays")
        return Fxp(checked, signed=self.signed, n_word=self.bits, n_frac=self.fraction, raw=True,
                   overflow="saturate", rounding="nearest_posinf")

    @classmethod
    def from_fxp(cls, number: Fxp) -> tuple[Format, Integers]:
        """The format and the integers of an ``fxpmath.Fxp``, copied."""
        if np.iscomplexobj(number.val):
            raise InputError("a complex Fxp has no format here: pass its real and imaginary part one by one")
        if number.scaled:
            raise InputError(f"an Fxp with scale {number.scale} and bias {number.bias} has no format here: pass one with "
                             "scale 1 and bias 0")
        return cls(int(number.n_word), int(number.n_frac), bool(number.signed)), np.array(number.val, np.int64)

    def check(self, integers: npt.ArrayLike, name: str) -> Integers:
        """``integers`` as int64 if every one lies in this format, else an error that names the first that does not.

        Any shape, which is kept.
        """
        array = np.asarray(integers)
        if array.dtype.kind not in "iu":
            raise InputError(f"{name} must be integers of format {self}, not {array.dtype}")
        outside = (array < self.least) | (array > self.greatest)
        if outside.any():
            raise InputError(f"{name} must lie in {self.least}..{self.greatest} (format {self}), not {array[outside].flat[0]}")
        return array.astype(np.int64)


def round_shift(values: npt.ArrayLike, shift: int, rounding: Rounding = Rounding.HALF_UP) -> Integers:
    """``values / 2**shift`` as integers, rounded; ``shift`` >= 0, values of less than 2**62. Overflow is not looked at.

    Any shape, which is kept.
    """
    value = _int64(values, "values to narrow")
    if shift < 0:
        raise InputError(f"a narrowing must shift right by 0 or more bits, not {shift}")
    if shift == 0:
        return value.copy()
    shift = min(shift, MOST_BITS + 1)                            # all that is further away rounds alike; int64 has no more
    half = 1 << (shift - 1)
    if rounding is Rounding.HALF_UP:
        return (value + half) >> shift
    if rounding is Rounding.FLOOR:
        return value >> shift
    if rounding is Rounding.TOWARDS_ZERO:
        return (value + np.where(value < 0, (1 << shift) - 1, 0)) >> shift
    return (value + (half - 1) + ((value >> shift) & 1)) >> shift


def narrow(values: npt.ArrayLike, shift: int, to: Format, rounding: Rounding = Rounding.HALF_UP,
           overflow: Overflow = Overflow.SATURATE, held: npt.ArrayLike | None = None) -> Integers:
    """The one place where bits are lost: drop ``shift`` fraction bits, then bring into the range of ``to``.

    Any shape, which is kept.

    Parameters
    ----------
    values : int array
        Exact integers with ``to.fraction + shift`` fraction bits, of magnitude less than 2**62 (not checked).
    shift : int
        Fraction bits to drop, 0 or more.
    rounding, overflow
        What happens to the fraction and to values out of range.
    held : int array, only with ``Overflow.HOLD``
        What stays where the rounded value does not fit.

    Returns
    -------
    int64 array of integers of format ``to``.

    Raises
    ------
    InputError
        If ``values`` or ``held`` are not integers, ``shift`` is negative, or HOLD has nothing to hold.
    """
    return _overflow(round_shift(values, shift, rounding), to, overflow, held)


def _overflow(value: Integers, to: Format, overflow: Overflow, held: Any) -> Integers:
    if overflow is Overflow.SATURATE:
        return np.minimum(np.maximum(value, to.least), to.greatest)             # in half of the time that np.clip takes
    if overflow is Overflow.WRAP:
        return ((value - to.least) & ((1 << to.bits) - 1)) + to.least
    if held is None:
        raise InputError("narrowing with overflow HOLD needs the held values, not None")
    return np.where((value >= to.least) & (value <= to.greatest), value, _int64(held, "held values"))


def _int64(values: npt.ArrayLike, name: str) -> Integers:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or not np.can_cast(array.dtype, np.int64):
        raise InputError(f"{name} must be integers that int64 holds, not {array.dtype}")
    return array.astype(np.int64, copy=False)
