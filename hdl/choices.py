"""``Choices``: what all layers and arrays of a core depend on: its network, kind of neuron and target, and what it learns.

The rates that a core takes are here, too: of links, biases and K, as ranges of rate shifts.
"""
from __future__ import annotations

from dataclasses import dataclass

from golden_model.network import Network
from hdl.multiplier import OPERAND_BITS

COUPLINGS = ("K1", "K2", "K3")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What every array of a core has in common; ``hdl.design.Design`` says what it means."""

    network: Network
    kind: str = "shift"
    target: str = "portable"
    learns: bool = True

    @property
    def operand_bits(self) -> int:
        """Bits of both operands of the multiplier."""
        return OPERAND_BITS[self.target]

    def links_rate_shifts(self) -> range:
        """The rate shifts n of the links' learning rates 2**-n that the core takes; none if they are not learnt."""
        return self._rate_shifts("links")

    def bias_rate_shifts(self) -> range:
        return self._rate_shifts("bias")

    def by_sign(self, name: str) -> bool:
        """Whether the core learns links or biases by the sign of their products."""
        learning = self.network.learning
        return self.learns and learning.instinct(name) == "sign" and learning.rate_shifts(0)[name] is not None

    def K_rate_shifts(self) -> range:
        """Of the fastest of K1, K2 and K3; the others keep their distance from it. None if no K is learnt."""
        own = [shifts for name in COUPLINGS if (shifts := self._rate_shifts(name))]
        return min(own, key=lambda shifts: shifts.start) if own else range(0)

    @property
    def learns_K(self) -> bool:
        return self.learns and self.network.learning.trains_K

    @property
    def learns_words(self) -> bool:
        """Whether updates of weight memory have a purpose; a core that learns nothing at all has them, too."""
        return not self.learns_K or bool(self.links_rate_shifts() or self.bias_rate_shifts())

    @property
    def signs(self) -> bool:
        """Whether it learns any of them so."""
        return self.by_sign("links") or self.by_sign("bias")

    @property
    def sign_shift(self) -> int:
        """The reverse signal's sign comes to operand B as plus or minus 2**sign_shift, a half."""
        return self.network.formats.displacement.fraction - 1

    def _rate_shifts(self, name: str) -> range:
        if not self.learns:
            return range(0)
        first, last = self.network.learning.rate_shifts(0)[name], self.network.learning.greatest_rate_shifts()[name]
        return range(0) if first is None or last is None else range(first, last + 1)


def remedy_of_wired_K(network: Network) -> str:
    """What to do about parameters with K of their own where some layer has an array that cannot have them; "" if none has."""
    if any(wiring.reciprocal for wiring in network.wirings):          # beside which no K is trained
        return "train it anew, which leaves K as they are, as a recurrent layer needs"
    convolves = any(wiring.tied for wiring in network.wirings)
    return "train it with learning.K1, K2 and K3 = 0, as convolutions need" if convolves else ""


def rate_shift_bits(allowed: range) -> int:
    """Bits of a port for the rate shifts of a learning rate, one if there are none. No wider: Verilog has no name for a part of
    a port."""
    return max(1, (allowed.stop - 1).bit_length())
