"""Bounds: what the exact sums of a network could ever reach, by interval analysis of the arithmetic contract.

No image and no parameters can take a sum outside its ``Bound``: of full, sparse and convolutional layers, which differ in how
many links and uses they add up, and of recurrent ones, whose reciprocal links are one more sum.
"""
from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from golden_model import circuits
from golden_model.fixed_point import round_shift
from golden_model.network import ELEMENTS, Formats, Network
from golden_model.parameters import Parameters


def magnitude_bits(value: int) -> int:
    """Bits of a value beside its sign: 0 for 0 and -1, 12 for 4095 and -4096."""
    return (value if value >= 0 else ~value).bit_length()


@dataclass(frozen=True)
class Interval:
    """All integers from ``least`` to ``greatest``, with the arithmetic of intervals (Moore 1966)."""

    least: int
    greatest: int

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.least + other.least, self.greatest + other.greatest)

    def __neg__(self) -> Interval:
        return Interval(-self.greatest, -self.least)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        ends = [a * b for a in (self.least, self.greatest) for b in (other.least, other.greatest)]
        return Interval(min(ends), max(ends))

    def times(self, count: int) -> Interval:
        """The sum of ``count`` independent values."""
        return Interval(count * self.least, count * self.greatest)

    def __lshift__(self, bits: int) -> Interval:
        return Interval(self.least << bits, self.greatest << bits)

    def __or__(self, other: Interval) -> Interval:
        """The least interval that has both."""
        return Interval(min(self.least, other.least), max(self.greatest, other.greatest))

    @property
    def bits(self) -> int:
        """Bits of the least two's complement word that holds all of them."""
        return max(map(magnitude_bits, (self.least, self.greatest))) + 1


@dataclass(frozen=True)
class Bound:
    """The interval that an exact sum never leaves. ``sum`` says in words what is added."""

    name: str
    interval: Interval
    sum: str

    @property
    def least(self) -> int:
        return self.interval.least

    @property
    def greatest(self) -> int:
        return self.interval.greatest

    @property
    def bits(self) -> int:
        """Bits (signed) of the accumulator that can never overflow."""
        return self.interval.bits


def worst_case(network: Network, parameters: Parameters | None = None) -> dict[str, Bound]:
    """Interval analysis of every exact sum, by name, whatever images and parameters: none of them can ever saturate.

    The words that enter are bounded by their formats and clamps, forward displacements by extinction (-E*), K that is not
    trained by the description, or by the K of ``parameters`` if a model has others. Every sum is linear in each of its
    words, so its bounds are at corners; the gate and the bracket it multiplies are taken as independent, which can only
    widen. ``Network.widths`` states the same bounds with equal ends either way and one bracket for both directions; without
    ``parameters`` no ``bits`` here is greater.

    Names are those of the observed signals, and for what no observer is shown: ``biased_link_sum[k]`` (what is narrowed to a
    drive), ``margin_difference[k]`` (to an output error), ``..._half_step`` (to a displacement, rounding included), and
    ``updated_weight[k]``, ``updated_bias[k]``, ``updated_K1[k]`` ... of what is trained, at the least rate of the rate
    schedule, and where an instinct is pid ``links_local_product_sum[k]``, ``links_integral_sum[k]`` and so on.
    """
    network.check_fixed()
    formats, neuron, batch = network.formats, network.neuron, network.learning.batch
    word = {entry.name: Interval(value.least, value.greatest) for entry in fields(formats)
            if (value := getattr(formats, entry.name)) is not None}
    rest = [round(value * formats.displacement.one) for value in neuron.rest]
    s = [Interval(-value, formats.displacement.greatest) for value in rest]      # clamped at extinction
    r = word["displacement"]
    slowest = network.learning.slowest()
    described = np.round(np.array([neuron.K1, neuron.K2, neuron.K3]) * formats.coupling.one).astype(np.int64)
    bounds: dict[str, Bound] = {}

    def bound(name: str, interval: Interval, what: str) -> Interval:
        bounds[name] = Bound(name, interval, what)
        return interval

    def circuit(name: str, x: list[Interval], gate: list[Interval], drive: Interval, element: int,
                rates: list[list[Interval]], other: int | None = None) -> None:
        """Union over the elements of the ring, which share one datapath. ``other``: the element that reciprocal links drain."""
        K1, K2, K3 = rates
        brackets = [K1[i] * x[i - 1] - K1[(i + 1) % 5] * x[(i + 1) % 5] + K2[i] * x[(i + 2) % 5]
                    - K2[i - 2] * x[i - 2] - K3[i] * x[i] for i in range(ELEMENTS)]
        brackets[element] += drive << formats.coupling.fraction
        if other is not None:                                 # links bring as much to the one as they take from the other
            brackets[element] += word["drive"] << formats.coupling.fraction
            brackets[other] += -(word["drive"] << formats.coupling.fraction)
        bound(f"{name}_bracket", _union(brackets), "five products K s, and the drive")
        products = [gate[i] * _operand(formats, brackets[i]) for i in range(ELEMENTS)]
        bound(f"{name}_product", _union(products), "population or gate times the operand B")
        shift = network.corrector_shift                       # the greater of both; B does not depend on it
        half = Interval(1 << shift, 1 << shift)
        bound(f"{name}_half_step", _union([((x[i] + x[i]) << shift) + products[i] + half for i in range(ELEMENTS)]),
              "two displacements, shifted, the product, and half for rounding")

    def updated(bound_name: str, name: str, shown: str, k: int, products: Interval) -> None:
        """A parameter of set ``name`` before its narrowing, if it is trained; ``products``: the exact sum."""
        if (rate := slowest[name]) is None:
            return
        parameter = network.parameter_format(name)
        old = Interval(parameter.least, parameter.greatest)
        instinct = network.learning.instinct(name)
        if instinct == "sign":
            step = network.sign_step(name, rate)
            bound(bound_name, old + Interval(-step, step), f"the {shown} and a step")
            return
        what = "its products"
        if instinct == "pid":
            controller, leak = network.controller(name, k), network.learning.leak_shift
            q, integral = word["local_product"], word["integral"]
            bound(f"{name}_local_product_sum[{k}]", products << max(-controller.product_shift, 0), f"{batch} products")
            bound(f"{name}_integral_sum[{k}]", ((integral + q) << leak) + (-integral if leak else Interval(0, 0)),
                  "the integral and the word of a product, less the leak")
            products = (products.times(controller.proportional) + integral.times(controller.integral)
                        + (q - q).times(controller.derivative))
            what = "the three terms of its instinct"
        bound(bound_name, (old << network.change_shift(name, k, rate)) + products, f"the {shown}, shifted, and {what}")

    gates = [Interval(0, value + formats.displacement.greatest) for value in rest]
    mirror = circuits.MIRROR
    sizes = list(zip(network.layers, network.layers[1:], strict=False))
    for k, (inputs, neurons) in enumerate(sizes):
        x = s[neuron.output_element] if k else word["input"] << network.input_shift(0)
        wiring = network.wirings[k]
        coupling = described[:, :, None] if parameters is None else parameters[k].coupling
        if parameters is None:
            coupling = coupling.copy()
            coupling[2] = [[formats.coupling.exact(K3, "K3")] for K3 in wiring.damping(network.neuron.K3)]
        K = [[word["coupling"] if getattr(network.learning, name) else Interval(int(each.min()), int(each.max()))
              for each in rates] for name, rates in zip(("K1", "K2", "K3"), coupling, strict=True)]
        fan_in = wiring.fan_in(inputs)
        links = bound(f"link_sum[{k}]", (x * word["weight"]).times(fan_in), f"{fan_in} products of a link and its input")
        bound(f"biased_link_sum[{k}]", links + (word["drive"] << network.link_shift(k)), "the link sum and the bias, shifted")
        mutual = wiring.reciprocal
        circuit(f"displacement[{k}]", s, gates, word["drive"], neuron.input_element, K,
                neuron.output_element if mutual else None)
        circuit(f"reverse[{k}]", [r] * ELEMENTS, [gates[i] for i in mirror], word["error"],
                int(mirror[neuron.output_element]), _mirrored(K), int(mirror[neuron.input_element]) if mutual else None)
        if mutual:
            ends = _union([s[neuron.input_element], s[neuron.output_element]])
            for name, signals in (("displacement", ends), ("reverse", r)):
                bound(f"{name}[{k}]_exchange_sum", (signals * word["weight"]).times(neurons),
                      f"{neurons} products of a reciprocal link and a displacement")
        if k:
            fan_out = wiring.fan_out(neurons) * wiring.held
            bound(f"reverse_link_sum[{k}]", (r * word["weight"]).times(fan_out),
                  f"{fan_out} products of a link and a reverse displacement")
        count = batch * wiring.uses
        product = r * x
        if mutual:
            product |= r * ends - r * ends
        products = bound(f"update[{k}]", product.times(count), f"{count} products of a reverse displacement and an input")
        updated(f"updated_weight[{k}]", "links", "weight", k, products)
        updated(f"updated_bias[{k}]", "bias", "bias", k, r.times(count))
        product = r * _union(s)
        for name, change in (("K1", product - product), ("K2", product - product), ("K3", -product)):
            updated(f"updated_{name}[{k}]", name, name, k, change.times(count))
    margin = formats.displacement.exact(network.learning.margin, "learning.margin")
    out = s[neuron.output_element]
    bound(f"margin_difference[{len(sizes) - 1}]", Interval(-margin - out.greatest, margin - out.least),
          "the margin and an output")
    return bounds


def _operand(formats: Formats, bracket: Interval) -> Interval:
    if formats.bracket is None:
        return bracket
    least, greatest = (formats.bracket.least, formats.bracket.greatest)
    shift = formats.exact_bracket_fraction - formats.bracket_fraction
    return Interval(*(min(max(int(round_shift(np.int64(end), shift)), least), greatest)
                      for end in (bracket.least, bracket.greatest)))


def _mirrored(K: list[list[Interval]]) -> list[list[Interval]]:
    element = np.arange(ELEMENTS)
    places = circuits.mirrored(np.stack([element] * 3))
    return [[rates[int(place)] for place in row] for rates, row in zip(K, places, strict=True)]


def _union(intervals: list[Interval]) -> Interval:
    return Interval(min(each.least for each in intervals), max(each.greatest for each in intervals))
