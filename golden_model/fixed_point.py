"""Fixed-point numbers: formats, named rounding and overflow, and the one function that narrows.

Integers are carried as int64 without their binary point; a ``Format`` says where the point is. Sums and products are
exact until ``narrow``, the only place where bits are lost:

=====================  =====================================  =====================================
operation              fraction bits of the exact result      bits of the exact result (signed)
=====================  =====================================  =====================================
``a + b``              ``f`` (both operands alike)            ``max(a.bits, b.bits) + 1``
``a * b``              ``a.fraction + b.fraction``            ``a.bits + b.bits``
sum of ``n`` products  ``a.fraction + b.fraction``            ``a.bits + b.bits + ceil(log2(n))``
``a << k``             ``a.fraction + k``                     ``a.bits + k``
``narrow(a, k, to)``   ``to.fraction == a.fraction - k``      ``to.bits``
=====================  =====================================  =====================================

An unsigned operand counts with one bit more (its sign, always zero).
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

if TYPE_CHECKING:
    from fxpmath import Fxp

Integers = npt.NDArray[np.int64]
MOST_BITS = 62                            # a word and one carry still fit an int64


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
        if not 1 <= self.bits <= MOST_BITS:
            raise InputError(f"a format must have 1 to {MOST_BITS} bits, not {self.bits}")
        if not 0 <= self.fraction <= self.bits:
            raise InputError(f"a format of {self.bits} bits must have 0 to {self.bits} fraction bits, not {self.fraction}")

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read ``"Q1.12"`` or ``"UQ0.8"``."""
        match = re.fullmatch(r"(U?)Q(\d{1,3})\.(\d{1,3})", text) if isinstance(text, str) else None
        if match is None:
            raise InputError(f'a format must be written like "Q1.12" (signed) or "UQ0.8" (unsigned), not {text!r}')
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
        scaled = value * self.one
        return bool(scaled == np.floor(scaled)) and self.least <= scaled <= self.greatest

    def exact(self, value: float, name: str) -> int:
        """The integer of a constant that must be held exactly; ``name`` is for the message."""
        if not self.holds(value):
            raise InputError(f"{name} must be a multiple of {1 / self.one:g} in [{self.minimum:g}, {self.maximum:g}] to be "
                             f"held in {self}, not {value:g}; choose another value or a wider format")
        return int(value * self.one)

    def quantise(self, values: npt.ArrayLike, rounding: Rounding = Rounding.HALF_UP,
                 overflow: Overflow = Overflow.SATURATE) -> Integers:
        """Real values to integers of this format.

        Exact for every float64: the scaling by a power of two loses nothing, rounding happens once.
        """
        if overflow is Overflow.HOLD:
            raise InputError("quantise has no earlier value to hold: overflow must be SATURATE or WRAP, not HOLD")
        scaled = np.asarray(values, np.float64) * self.one
        if not np.all(np.isfinite(scaled)):
            raise InputError("values to quantise must be finite, not NaN or infinite")
        whole = np.floor(scaled)
        rest = scaled - whole
        if rounding is Rounding.HALF_UP:
            whole += rest >= 0.5
        elif rounding is Rounding.HALF_EVEN:
            whole = np.rint(scaled)
        elif rounding is Rounding.TOWARDS_ZERO:
            whole = np.trunc(scaled)
        if overflow is Overflow.SATURATE:
            return np.clip(whole, self.least, self.greatest).astype(np.int64)
        if np.any(np.abs(whole) >= 2.0**62):
            raise InputError("values to wrap must be below 2**62 steps of the format; use SATURATE for larger ones")
        return _overflow(whole.astype(np.int64), self, overflow, None)

    def real(self, integers: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Integers of this format to real values (exact up to 53 bits)."""
        return np.asarray(integers, np.float64) / self.one

    def to_fxp(self, integers: npt.ArrayLike) -> Fxp:
        """Integers of this format as an ``fxpmath.Fxp`` array that rounds and saturates like this format."""
        from fxpmath import Fxp
        checked = self.check(integers, "integers")
        return Fxp(checked, signed=self.signed, n_word=self.bits, n_frac=self.fraction, raw=True,
                   overflow="saturate", rounding="floor")

    @classmethod
    def from_fxp(cls, number: Fxp) -> tuple[Format, Integers]:
        """The format and the integers of an ``fxpmath.Fxp``."""
        if np.iscomplexobj(number.val):
            raise InputError("a complex Fxp has no format here: pass its real and imaginary part one by one")
        return (cls(int(number.n_word), int(number.n_frac), bool(number.signed)), np.asarray(number.val, np.int64))

    def check(self, integers: npt.ArrayLike, name: str) -> Integers:
        """``integers`` as int64 if every one lies in this format, else an error that names the first that does not."""
        array = np.asarray(integers)
        if array.dtype.kind not in "iu":
            raise InputError(f"{name} must be integers of format {self}, not {array.dtype}")
        outside = (array < self.least) | (array > self.greatest)
        if outside.any():
            raise InputError(f"{name} must lie in {self.least}..{self.greatest} (format {self}), not {array[outside].flat[0]}")
        return array.astype(np.int64)


def round_shift(values: npt.ArrayLike, shift: int, rounding: Rounding = Rounding.HALF_UP) -> Integers:
    """``values / 2**shift`` as integers, rounded; ``shift`` >= 0. Overflow is not looked at."""
    value = np.asarray(values, np.int64)
    if shift < 0:
        raise InputError(f"a narrowing must shift right by 0 or more bits, not {shift}")
    if shift == 0:
        return value.copy()
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

    Parameters
    ----------
    values : int array
        Exact integers with ``to.fraction + shift`` fraction bits, of less than 2**62.
    shift : int
        Fraction bits to drop, 0 or more.
    rounding, overflow
        What happens to the fraction and to values out of range.
    held : int array, only with ``Overflow.HOLD``
        What stays where the rounded value does not fit.

    Returns
    -------
    int64 array of integers of format ``to``.
    """
    return _overflow(round_shift(values, shift, rounding), to, overflow, held)


def _overflow(value: Integers, to: Format, overflow: Overflow, held: Any) -> Integers:
    if overflow is Overflow.SATURATE:
        return np.clip(value, to.least, to.greatest)
    if overflow is Overflow.WRAP:
        return ((value - to.least) & ((1 << to.bits) - 1)) + to.least
    if held is None:
        raise InputError("narrowing with overflow HOLD needs the held values, not None")
    return np.where((value >= to.least) & (value <= to.greatest), value, np.asarray(held, np.int64))
