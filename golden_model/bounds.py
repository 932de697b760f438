"""Bounds: what the exact sums of a network could ever reach, by interval analysis of the arithmetic contract.

One analysis, of two sets of words that may enter it:

- ``worst_case``: words as far as clamps and the parameters of a model let them go. No image can take a sum outside its
  ``Bound``; least and greatest are those that a sum can be driven to, where no gate closes on the way.
- ``widths``: any words of the formats. These are the bits that the contract states (``docs/arithmetic.md``), on which engine
  and hardware build: a description is fit for integers if none of them is above ``MOST_BITS``.

It holds for full, sparse, convolutional and recurrent layers, which differ in how many links and uses they add up, and in
whether reciprocal links are one more sum.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from golden_model.fixed_point import Format, round_shift
from golden_model.ring import MIRROR, POPULATIONS, mirrored

if TYPE_CHECKING:                         # a description asks for its own widths
    from golden_model.network import Formats, Network
    from golden_model.parameters import Parameters


def magnitude_bits(value: int) -> int:
    """Bits of a value beside its sign: 0 for 0 and -1, 12 for 4095 and -4096."""
    return (value if value >= 0 else ~value).bit_length()


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers from ``least`` to ``greatest``, with the arithmetic of intervals (Moore 1966)."""

    least: int
    greatest: int

    @classmethod
    def of(cls, value: int) -> Interval:
        """That value alone."""
        return cls(value, value)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.least + other.least, self.greatest + other.greatest)

    def __neg__(self) -> Interval:
        return Interval(-self.greatest, -self.least)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.least - other.greatest, self.greatest - other.least)

    def __mul__(self, other: Interval) -> Interval:
        a, b = self.least * other.least, self.least * other.greatest      # no list: most of the time of a description's checks
        c, d = self.greatest * other.least, self.greatest * other.greatest
        return Interval(min(a, b, c, d), max(a, b, c, d))

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


class Words(NamedTuple):
    """What may enter the sums: an interval for each word, in units of its format.

    ``displacement``: of the five populations. ``gate``: of the forward circuit. ``operand``: the least and the greatest of the
    bracket once it is narrowed. ``K``: of each layer K1, K2, K3 of the five populations. ``anywhere``: whether links may come
    to any population, as in a datapath that serves all five.
    """

    displacement: list[Interval]
    reverse: Interval
    gate: list[Interval]
    input: Interval
    weight: Interval
    drive: Interval
    error: Interval
    local_product: Interval
    integral: Interval
    operand: Interval | None
    K: list[list[list[Interval]]]
    parameters: dict[str, Interval]
    anywhere: bool


def worst_case(network: Network, parameters: Parameters | None = None) -> dict[str, Bound]:
    """Interval analysis of every exact sum, by name, whatever images and parameters: none of them can ever saturate.

    The words that enter are bounded by their formats and clamps, forward displacements by extinction (-E*), K that is not
    trained by the description, or by the K of ``parameters`` if a model has others. Every sum is linear in each of its
    words, so its bounds are at corners; the gate and the bracket it multiplies are taken as independent, which can only
    widen.

    Names are those of the observed signals, and for what no observer is shown: ``biased_link_sum[k]`` (what is narrowed to a
    drive), ``margin_difference[k]`` (to an output error), ``..._half_step`` (to a displacement, rounding included), and
    ``updated_weight[k]``, ``updated_bias[k]``, ``updated_K1[k]`` ... of what is trained, at the least rate of the schedule, and
    where an instinct is pid ``links_local_product_sum[k]``, ``links_integral_sum[k]`` and so on.

    Raises
    ------
    InputError
        If the description is not fit for integers.
    """
    network.check_fixed()
    bounds = _Analysis(network, _words_in_use(network, parameters)).bounds
    del bounds["reverse_link_sum[0]"]                              # nothing asks for the errors of pixels
    return bounds


def widths(network: Network, any_coupling: bool = False) -> dict[str, int]:
    """Bits (signed) that each exact sum of the contract can need, whatever the parameters: see ``Network.widths``."""
    return dict(_widths(network, any_coupling))


@lru_cache(maxsize=1024)
def _widths(network: Network, any_coupling: bool) -> tuple[tuple[str, int], ...]:
    bounds = _Analysis(network, words_of_formats(network, any_coupling)).bounds
    layers = range(len(network.layers) - 1)

    def most(names: list[str]) -> int:
        return max((bounds[name].bits for name in names if name in bounds), default=0)

    def ends_in(ending: str) -> list[str]:
        return [name for name in bounds if name.endswith(ending)]

    result = {name: most(ends_in(f"]_{name}")) for name in ("bracket", "product", "half_step", "exchange_sum", "kick")}
    for layer in layers:
        result[f"link_sum[{layer}]"] = most([f"biased_link_sum[{layer}]"])
        result |= {f"{name}[{layer}]": most([f"{name}[{layer}]"]) for name in ("reverse_link_sum", "update", "updated_weight")}
    result["updated_bias"] = most([f"updated_bias[{layer}]" for layer in layers])
    result["updated_coupling"] = most([f"updated_{name}[{layer}]" for name in ("K1", "K2", "K3") for layer in layers])
    result |= {name: most([each for layer in layers for each in ends_in(f"_{name}_sum[{layer}]")])
               for name in ("local_product", "integral")}
    return tuple((name, bits) for name, bits in result.items() if bits)


def _words_in_use(network: Network, parameters: Parameters | None) -> Words:
    formats, neuron = network.formats, network.neuron
    word = {entry.name: Interval(value.least, value.greatest) for entry in fields(formats)
            if (value := getattr(formats, entry.name)) is not None}
    rest = [round(value * formats.displacement.one) for value in neuron.rest]
    description = np.round(np.array([neuron.K1, neuron.K2, neuron.K3]) * formats.coupling.one).astype(np.int64)
    K = []
    for layer, wiring in enumerate(network.wirings):
        coupling = description[:, :, None] if parameters is None else parameters[layer].coupling
        if parameters is None:
            coupling = coupling.copy()
            coupling[2] = [[formats.coupling.exact(K3, "K3")] for K3 in wiring.damping(neuron.K3)]
        K.append([[word["coupling"] if getattr(network.learning, name) else Interval(int(each.min()), int(each.max()))
                   for each in populations] for name, populations in zip(("K1", "K2", "K3"), coupling, strict=True)])
    return Words(displacement=[Interval(-value, formats.displacement.greatest) for value in rest],      # clamped at extinction
                 reverse=word["displacement"], gate=[Interval(0, value + formats.displacement.greatest) for value in rest],
                 input=word["input"], weight=word["weight"], drive=word["drive"], error=word["error"],
                 local_product=word["local_product"], integral=word["integral"], operand=word.get("bracket"), K=K,
                 parameters={"links": word["weight"], "bias": word["drive"],
                             **dict.fromkeys(("K1", "K2", "K3"), word["coupling"])}, anywhere=False)


def words_of_formats(network: Network, any_coupling: bool = False) -> Words:
    """Any words of the formats, with equal ends either way: what is added may as well be taken away."""
    formats, neuron = network.formats, network.neuron

    def word(to: Format) -> Interval:
        most = max(to.greatest, -to.least)
        return Interval(-most, most)

    s, coupling = word(formats.displacement), word(formats.coupling)
    K = [[[coupling] * POPULATIONS] * 3] * len(network.wirings)
    if not any_coupling and not network.learning.trains_K:
        K = [[[_steps(value, formats.coupling) for value in values]
              for values in (neuron.K1, neuron.K2, wiring.damping(neuron.K3))] for wiring in network.wirings]
    gate = math.ceil(max(neuron.rest) * formats.displacement.one) + formats.displacement.greatest
    return Words(displacement=[s] * POPULATIONS, reverse=s, gate=[Interval(0, gate)] * POPULATIONS, input=word(formats.input),
                 weight=word(formats.weight), drive=word(formats.drive), error=word(formats.error),
                 local_product=word(formats.local_product), integral=word(formats.integral),
                 operand=None if formats.bracket is None else word(formats.bracket), K=K,
                 parameters={"links": word(formats.weight), "bias": word(formats.drive),
                             **dict.fromkeys(("K1", "K2", "K3"), coupling)}, anywhere=True)


def _steps(value: float, to: Format) -> Interval:
    most = math.ceil(abs(value) * to.one)
    return Interval(-most, most)


class _Analysis:
    """The bounds of all sums, layer after layer, in the order in which an image and its learning form them."""

    def __init__(self, network: Network, words: Words) -> None:
        self.network, self.words, self.bounds = network, words, dict[str, Bound]()
        for layer in range(len(network.wirings)):
            self._layer(layer)
        margin = round(network.learning.margin * network.formats.displacement.one)
        out = words.displacement[network.neuron.output_population]
        self._bound(f"margin_difference[{len(network.wirings) - 1}]", Interval(-margin - out.greatest, margin - out.least),
                    "the margin and an output")

    def _bound(self, name: str, interval: Interval, what: str) -> Interval:
        self.bounds[name] = Bound(name, interval, what)
        return interval

    def _layer(self, k: int) -> None:
        network, words, wiring = self.network, self.words, self.network.wirings[k]
        neuron, batch, s, r = network.neuron, network.learning.batch, words.displacement, words.reverse
        inputs, neurons = network.layers[k:k + 2]
        x = s[neuron.output_population] if k else words.input << max(network.input_shift(0), 0)
        fan_in = wiring.fan_in(inputs)
        links = self._bound(f"link_sum[{k}]", (x * words.weight).times(fan_in), f"{_products(fan_in)} of a link and its input")
        bias = words.drive << max(network.link_shift(k), 0)
        self._bound(f"biased_link_sum[{k}]", links + bias, "the link sum and the bias, shifted")
        self._circuits(k)
        ends = _union([s[neuron.input_population], s[neuron.output_population]])
        if wiring.reciprocal:
            self._reciprocal(k, ends)
        fan_out = wiring.fan_out(neurons) * (wiring.held if k else 1)
        self._bound(f"reverse_link_sum[{k}]", (r * words.weight).times(fan_out),
                    f"{_products(fan_out)} of a link and a reverse displacement")
        count = batch * wiring.uses
        product = r * x | r * ends - r * ends if wiring.reciprocal else r * x
        products = self._bound(f"update[{k}]", product.times(count),
                               f"{_products(count)} of a reverse displacement and an input")
        self._updated(f"updated_weight[{k}]", "links", "weight", k, products)
        self._updated(f"updated_bias[{k}]", "bias", "bias", k, r.times(count))
        product = r * _union(s)
        for name, change in (("K1", product - product), ("K2", product - product), ("K3", -product)):
            self._updated(f"updated_{name}[{k}]", name, name, k, change.times(count))

    def _circuits(self, k: int) -> None:
        """There and back. Reciprocal links bring as much to one population as they take from the other."""
        words, neuron, mutual = self.words, self.network.neuron, self.network.wirings[k].reciprocal
        self._circuit(f"displacement[{k}]", words.displacement, words.gate, words.drive, neuron.input_population, words.K[k],
                      neuron.output_population if mutual else None)
        self._circuit(f"reverse[{k}]", [words.reverse] * POPULATIONS, [words.gate[i] for i in MIRROR], words.error,
                      int(MIRROR[neuron.output_population]), _mirrored(words.K[k]),
                      int(MIRROR[neuron.input_population]) if mutual else None)

    def _circuit(self, name: str, x: list[Interval], gate: list[Interval], drive: Interval, population: int,
                 K: list[list[Interval]], other: int | None) -> None:
        """Union over the ring, which shares one datapath. ``other``: the population that reciprocal links drain."""
        formats, words, (K1, K2, K3) = self.network.formats, self.words, K
        links = [Interval(0, 0)] * POPULATIONS
        links[population] += drive << formats.coupling.fraction
        if other is not None:
            links[population] += words.drive << formats.coupling.fraction
            links[other] += -(words.drive << formats.coupling.fraction)
        if words.anywhere:
            links = [_union(links)] * POPULATIONS
        brackets = [K1[i] * x[i - 1] - K1[(i + 1) % 5] * x[(i + 1) % 5] + K2[i] * x[(i + 2) % 5]
                    - K2[i - 2] * x[i - 2] - K3[i] * x[i] + links[i] for i in range(POPULATIONS)]
        self._bound(f"{name}_bracket", _union(brackets), "five products K s, and the drive")
        products = [gate[i] * _operand(formats, words, brackets[i]) for i in range(POPULATIONS)]
        self._bound(f"{name}_product", _union(products), "population or gate times the operand B")
        shift = self.network.corrector_shift                  # the greater of both; B does not depend on it
        half = Interval.of(1 << shift)
        self._bound(f"{name}_half_step", _union([((x[i] + x[i]) << shift) + products[i] + half for i in range(POPULATIONS)]),
                    "two displacements, shifted, the product, and half for rounding")

    def _reciprocal(self, k: int, ends: Interval) -> None:
        network, words = self.network, self.words
        own, _ = network.wirings[k].shape(*network.layers[k:k + 2])
        for name, signals in (("displacement", ends), ("reverse", words.reverse)):
            self._bound(f"{name}[{k}]_exchange_sum", (signals * words.weight).times(own),
                        f"{_products(own)} of a reciprocal link and a displacement")
        kick = words.gate[network.neuron.output_population] * words.error
        self._bound(f"reverse[{k}]_kick", (words.reverse << network.formats.error.fraction) + kick,
                    "a reverse displacement, shifted, and the product of a gate and an error")

    def _updated(self, bound_name: str, name: str, text: str, k: int, products: Interval) -> None:
        """A parameter of set ``name`` before its narrowing, if it is trained; ``products``: the exact sum."""
        network, words, learning = self.network, self.words, self.network.learning
        if (rate_shift := learning.greatest_rate_shifts()[name]) is None:
            return
        old, instinct, what = words.parameters[name], learning.instinct(name), "its products"
        if instinct == "sign":
            step = network.sign_step(name, rate_shift)
            self._bound(bound_name, old + Interval(-step, step), f"the {text} and a step")
            return
        if instinct == "pid":
            controller, leak = network.controller(name, k), learning.leak_shift
            q, integral = words.local_product, words.integral
            self._bound(f"{name}_local_product_sum[{k}]", products << max(-controller.product_shift, 0),
                        _products(learning.batch))
            self._bound(f"{name}_integral_sum[{k}]", ((integral + q) << leak) + (-integral if leak else Interval(0, 0)),
                        "the integral and the word of a product, less the leak")
            products = (products.times(controller.proportional) + integral.times(controller.integral)
                        + (q - q).times(controller.derivative))
            what = "the three terms of its instinct"
        self._bound(bound_name, (old << max(network.change_shift(name, k, rate_shift), 0)) + products,
                    f"the {text}, shifted, and {what}")


def _products(count: int) -> str:
    return f"{count} product{'s' if count > 1 else ''}"


def _operand(formats: Formats, words: Words, bracket: Interval) -> Interval:
    if words.operand is None:
        return bracket
    if words.anywhere:
        return words.operand
    shift = formats.exact_bracket_fraction - formats.bracket_fraction
    return Interval(*(min(max(int(round_shift(np.int64(end), shift)), words.operand.least), words.operand.greatest)
                      for end in (bracket.least, bracket.greatest)))


def _mirrored(K: list[list[Interval]]) -> list[list[Interval]]:
    places = mirrored(np.stack([np.arange(POPULATIONS)] * 3))
    return [[populations[int(place)] for place in row] for populations, row in zip(K, places, strict=True)]


def _union(intervals: list[Interval]) -> Interval:
    return Interval(min(each.least for each in intervals), max(each.greatest for each in intervals))
