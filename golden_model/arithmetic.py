"""The two arithmetics: where an exact sum becomes a word.

The circuits, links and learning rules are written once, in sums and products. Each such expression ends in one method
of ``Fixed`` (one narrowing of the contract) or of ``Float`` (the same range without rounding). Nothing else rounds.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from golden_model.errors import InputError
from golden_model.fixed_point import Array, Format, Overflow, Rounding, narrow
from golden_model.network import Learning, Network

Observer = Callable[[str, Array, Format | None], None]

UP, SATURATE, HOLD = Rounding.HALF_UP, Overflow.SATURATE, Overflow.HOLD


class Fixed:
    """Integers of the arithmetic contract. All arrays are int64.

    Methods work on every entry: arrays may have any shape, and what is returned has the same, but for those that say theirs.

    Parameters
    ----------
    network : Network
    observer : callable(name, values, format), optional
        Is shown every named signal; ``format`` is None for exact sums that have no word of their own.
    """

    name = "fixed"

    def __init__(self, network: Network, observer: Observer | None = None) -> None:
        network.check_fixed()
        self.network, self.observer = network, observer
        self.formats = formats = network.formats
        self.low = np.array([formats.displacement.exact(-value, "-neuron.rest") for value in network.neuron.rest])
        self.rest = -self.low
        self.least, self.high = formats.displacement.least, formats.displacement.greatest
        self.floor = formats.displacement.exact(network.neuron.gate_floor, "neuron.gate_floor")
        self.margin = formats.displacement.exact(network.learning.margin, "learning.margin")
        self.drive_scale = formats.coupling.one

    def encode(self, images: Array) -> Array:
        """Bytes to words of the input format: a byte stands for byte / 256."""
        pixels = np.asarray(images, np.int64)
        shift = 8 - self.formats.input.fraction
        if shift < 0:
            return self.observe("input", narrow(pixels << -shift, 0, self.formats.input, UP, SATURATE), self.formats.input)
        return self.observe("input", narrow(pixels, shift, self.formats.input, UP, SATURATE), self.formats.input)

    def as_displacements(self, x: Array, layer: int) -> Array:
        """Inputs of ``layer`` with the fraction bits of displacements, exact."""
        return x << self.network.input_shift(layer)

    def drive(self, sums: Array, bias: Array, layer: int) -> Array:
        """u = narrow(link sum + bias)."""
        shift = self.network.link_shift(layer)
        self.observe(f"link_sum[{layer}]", sums, None)
        return self.observe(f"drive[{layer}]", narrow(sums + (bias << shift), shift, self.formats.drive, UP, SATURATE),
                         self.formats.drive)

    def disturbed(self, state: Array, name: str, step: int) -> Array:
        """The state before a step: as it is. ``golden_model.robustness.faults`` flips bits here."""
        return state

    def operand(self, bracket: Array, name: str) -> Array:
        """The multiplier's operand B: the bracket as it is, or rounded once where a multiplier is narrow."""
        self.observe(f"{name}_bracket", bracket, None)
        if self.formats.bracket is None:
            return bracket
        return narrow(bracket, self.formats.exact_bracket_fraction - self.formats.bracket_fraction, self.formats.bracket,
                      UP, SATURATE)

    def half_step(self, s: Array, x: Array, gate: Array, operand: Array, corrector: bool, low: Any, name: str) -> Array:
        """Half an improved-Euler step: narrow(s + x + 2 dt f(x)) / 2 for the predictor, with dt for the corrector."""
        shift = self.network.corrector_shift if corrector else self.network.predictor_shift
        product = self.observe(f"{name}_product", gate * operand, None)
        word = narrow(((s + x) << shift) + product, shift + 1, self.formats.displacement, UP, SATURATE)
        return self.observe(name if corrector else f"{name}_predictor", np.maximum(word, low), self.formats.displacement)

    def exchange(self, sums: Array, name: str) -> Array:
        """What reciprocal links bring to a neuron or take from it: narrow(link sum), a word like a drive."""
        self.observe(f"{name}_exchange_sum", sums, None)
        return narrow(sums, self.formats.weight.fraction, self.formats.drive, UP, SATURATE)

    def kick(self, r: Array, products: Array, layer: int) -> Array:
        """The reverse signal after an error at the end of a frame: r + narrow(gate * error), rounded and saturated once."""
        shift = self.formats.error.fraction
        sums = self.observe(f"reverse[{layer}]_kick", (r << shift) + products, None)
        return narrow(sums, shift, self.formats.displacement, UP, SATURATE)

    def output_error(self, difference: Array, layer: int) -> Array:
        """The error at the output neurons, saturated."""
        return self.observe(f"error[{layer}]", narrow(difference, 0, self.formats.error, UP, SATURATE), self.formats.error)

    def error(self, sums: Array, layer: int, exponent: int = 0) -> Array:
        """e = narrow(2**-exponent * reverse link sum), the error of ``layer``."""
        self.observe(f"reverse_link_sum[{layer + 1}]", sums, None)
        word = narrow(sums, self.network.reverse_shift(layer) + exponent, self.formats.error, UP, SATURATE)
        return self.observe(f"error[{layer}]", word, self.formats.error)

    def updated_weights(self, weights: Array, changes: Array, layer: int, epoch: int) -> Array:
        """C + narrow(rate * change); a weight whose sum would overflow is held. ``changes``: see ``golden_model.instincts``."""
        rate_shift = self.rate_shift("links", epoch)
        if rate_shift is None:
            return weights
        word = self._updated("links", weights, changes, layer, rate_shift)
        return self.observe(f"weight[{layer}]", word, self.formats.weight)

    def updated_bias(self, bias: Array, changes: Array, layer: int, epoch: int) -> Array:
        """bias + narrow(rate * change); a bias whose sum would overflow is held."""
        rate_shift = self.rate_shift("bias", epoch)
        if rate_shift is None:
            return bias
        return self.observe(f"bias[{layer}]", self._updated("bias", bias, changes, layer, rate_shift), self.formats.drive)

    def updated_coupling(self, coupling: Array, changes: Array, name: str, layer: int, epoch: int) -> Array:
        """K + narrow(rate * change); a K whose sum would overflow, and a K3 that would fall under its minimum, is held."""
        rate_shift = self.rate_shift(name, epoch)
        if rate_shift is None:
            return coupling
        word = self._updated(name, coupling, changes, layer, rate_shift)
        if name == "K3":
            minimum = self.formats.coupling.exact(self.network.learning.K3_minimum, "learning.K3_minimum")
            word = np.where(word < minimum, coupling, word)
        return self.observe(f"{name}[{layer}]", word, self.formats.coupling)

    def _updated(self, name: str, old: Array, changes: Array, layer: int, rate_shift: int) -> Array:
        to = self.network.parameter_format(name)
        if self.network.learning.instinct(name) == "sign":
            return narrow(old + changes * self.network.sign_step(name, rate_shift), 0, to, UP, HOLD, held=old)
        shift = self.network.change_shift(name, layer, rate_shift)
        return narrow((old << shift) + changes, shift, to, UP, HOLD, held=old)

    def local_product(self, products: Array, name: str, layer: int) -> Array:
        """q = narrow(products): the word that a pid instinct integrates and remembers, saturated."""
        shift = self.network.controller(name, layer).product_shift
        return narrow(products << max(-shift, 0), max(shift, 0), self.formats.local_product, UP, SATURATE)

    def integral(self, integral: Array, word: Array, name: str, layer: int) -> Array:
        """I = narrow(I - leak * I + q), saturated: the anti-windup of a pid instinct."""
        shift = self.network.learning.leak_shift
        exact = (integral + word << shift) - (integral if shift else 0)
        return narrow(exact, shift, self.formats.integral, UP, SATURATE)

    def gains(self, name: str, layer: int) -> tuple[int, int, int]:
        """P, I and D as multipliers that give all three terms the fraction bits of ``Network.controller``."""
        controller = self.network.controller(name, layer)
        return controller.proportional, controller.integral, controller.derivative

    def rate_shift(self, name: str, epoch: int) -> int | None:
        return self.network.learning.rate_shifts(epoch)[name]

    def observe(self, name: str, values: Array, to: Format | None) -> Array:
        if self.observer is not None:
            self.observer(name, values, to)
        return values


class Float:
    """Reals in the ranges of the same formats. All arrays are float64.

    Shapes are those of ``Fixed``: any shape where none is said.
    """

    name = "float"

    def __init__(self, network: Network, observer: Observer | None = None) -> None:
        self.network, self.observer = network, observer
        self.formats = formats = network.formats
        self.rest = np.array(network.neuron.rest)
        self.low = -self.rest
        self.least, self.high = formats.displacement.minimum, formats.displacement.maximum
        self.floor, self.margin = network.neuron.gate_floor, network.learning.margin
        self.drive_scale = 1
        if self.low.min() < self.least:
            raise InputError(f"neuron.rest must be at most {-self.least:g}, the range of formats.displacement "
                             f"({formats.displacement}), not {-self.low.min():g}")

    def encode(self, images: Array) -> Array:
        """Bytes to reals: a byte stands for byte / 256."""
        return np.asarray(images, np.float64) / 256

    def as_displacements(self, x: Array, layer: int) -> Array:
        return x

    def drive(self, sums: Array, bias: Array, layer: int) -> Array:
        return self._clamped(sums + bias, self.formats.drive)

    def disturbed(self, state: Array, name: str, step: int) -> Array:
        return state

    def operand(self, bracket: Array, name: str) -> Array:
        return bracket

    def half_step(self, s: Array, x: Array, gate: Array, operand: Array, corrector: bool, low: Any, name: str) -> Array:
        dt = self.network.integration.dt * (1 if corrector else 2)
        return np.clip((s + x + dt * gate * operand) / 2, low, self.high)

    def exchange(self, sums: Array, name: str) -> Array:
        return self._clamped(sums, self.formats.drive)

    def kick(self, r: Array, products: Array, layer: int) -> Array:
        return self._clamped(r + products, self.formats.displacement)

    def output_error(self, difference: Array, layer: int) -> Array:
        return self._clamped(difference, self.formats.error)

    def error(self, sums: Array, layer: int, exponent: int = 0) -> Array:
        return self._clamped(sums / (1 << exponent), self.formats.error)

    def updated_weights(self, weights: Array, changes: Array, layer: int, epoch: int) -> Array:
        learning_rate = self.learning_rate("links", epoch) / 2**self.network.dwell(layer)
        return self._held(weights, changes * learning_rate, self.formats.weight)

    def updated_bias(self, bias: Array, changes: Array, layer: int, epoch: int) -> Array:
        return self._held(bias, changes * self.learning_rate("bias", epoch) / 2**self.network.dwell(layer), self.formats.drive)

    def updated_coupling(self, coupling: Array, changes: Array, name: str, layer: int, epoch: int) -> Array:
        new = self._held(coupling, changes * self.learning_rate(name, epoch), self.formats.coupling)
        return np.where(new < self.network.learning.K3_minimum, coupling, new) if name == "K3" else new

    def local_product(self, products: Array, name: str, layer: int) -> Array:
        return self._clamped(products, self.formats.local_product)

    def integral(self, integral: Array, word: Array, name: str, layer: int) -> Array:
        return self._clamped(integral - self.network.learning.leak * integral + word, self.formats.integral)

    def gains(self, name: str, layer: int) -> tuple[float, float, float]:
        return self.network.learning.gains(name)

    def observe(self, name: str, values: Array, to: Format | None) -> Array:
        return values                             # ranges are a matter of integers

    def learning_rate(self, name: str, epoch: int) -> float:
        return learning_rate(self.network.learning, name, epoch)

    @staticmethod
    def _clamped(values: Array, to: Format) -> Array:
        return np.minimum(np.maximum(values, to.minimum), to.maximum)

    @staticmethod
    def _held(old: Array, change: Array, to: Format) -> Array:
        new = old + change
        return np.where((new >= to.minimum) & (new <= to.maximum), new, old)


Arithmetic = Fixed | Float


def learning_rate(learning: Learning, name: str, epoch: int) -> float:
    """The rate of a parameter set (``links``, ``bias``, ``K1``, ``K2``, ``K3``) in ``epoch``."""
    return float(getattr(learning, name)) / (1 << learning.halvings_before(epoch))


def create_arithmetic(network: Network, arithmetic: str, observer: Observer | None = None) -> Arithmetic:
    """``Fixed`` or ``Float`` by name."""
    if arithmetic not in ("fixed", "float"):
        raise InputError(f"arithmetic must be float or fixed, not {arithmetic!r}")
    return Fixed(network, observer) if arithmetic == "fixed" else Float(network, observer)
