"""Ranges: what every signal of a network reached in a run, what it could ever reach, and the formats that would do.

Three questions of whoever chooses word lengths, each answered in integers of the arithmetic contract:

- ``record`` runs the definition (``Model``) and keeps least, greatest, saturation and a histogram of each named signal.
- ``worst_case`` is an interval analysis: no image and no parameters can take a sum outside its ``Bound``.
- ``proposed_formats`` are the least words with which the recorded run would have gone the same, bit for bit.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import circuits
from golden_model.arithmetic import Array
from golden_model.errors import InputError
from golden_model.fixed_point import MOST_BITS, Format, round_shift
from golden_model.model import Model
from golden_model.network import ELEMENTS, Formats, Network
from golden_model.parameters import Parameters

Progress = Callable[[int], None]
SLICE = 1 << 18                           # signals of the widest layer that one slice of images has at most


def magnitude_bits(value: int) -> int:
    """Bits of a value beside its sign: 0 for 0 and -1, 12 for 4095 and -4096."""
    return (value if value >= 0 else ~value).bit_length()


# ----------------------------------------------------------------- what was reached

@dataclass(kw_only=True)
class Signal:
    """All values that one named signal took.

    ``format`` is None for exact sums, which have no word and cannot saturate. ``fraction``: fraction bits of the integers.
    ``histogram[b]`` counts values with b bits beside the sign, 2**(b-1) <= magnitude < 2**b. ``at_least`` and
    ``at_greatest`` count values at the two ends of the format.
    """

    name: str
    format: Format | None
    fraction: int
    least: int
    greatest: int
    histogram: npt.NDArray[np.int64]
    count: int = 0
    at_least: int = 0
    at_greatest: int = 0

    def add(self, values: Array) -> None:
        """Count an integer array that is not empty."""
        least, greatest = int(values.min()), int(values.max())
        self.least, self.greatest = min(self.least, least), max(self.greatest, greatest)
        self.count += values.size
        magnitudes = values ^ (values >> 63)
        if max(magnitude_bits(least), magnitude_bits(greatest)) <= 52:
            bits = np.frexp(magnitudes.astype(np.float64))[1]                # exact, and faster
        else:
            bits = np.searchsorted(1 << np.arange(MOST_BITS + 1), magnitudes, side="right")
        self.histogram += np.bincount(bits.ravel(), minlength=self.histogram.size)
        if self.format is not None:
            if least == self.format.least:
                self.at_least += int(np.count_nonzero(values == least))
            if greatest == self.format.greatest:
                self.at_greatest += int(np.count_nonzero(values == greatest))

    @property
    def bits(self) -> int:
        """Bits of the least word that holds all values, its sign included if it has one."""
        signed = self.format is None or self.format.signed
        return max(1, max(map(magnitude_bits, (self.least, self.greatest))) + signed)

    @property
    def at_ends(self) -> float | None:
        """Share of the values at an end of the format (at zero, an unsigned word has no end); None for exact sums.

        It is an upper bound: a value may reach an end without having been cut. Extinct elements count where -E* is the
        least displacement.
        """
        if self.format is None:
            return None
        return (self.at_greatest + (self.at_least if self.format.signed else 0)) / self.count

    def real(self, value: int) -> float:
        """The number that an integer of this signal stands for."""
        return value / (1 << self.fraction)


class Ranges:
    """An observer of ``golden_model.arithmetic.Fixed`` that keeps what it is shown.

    ``signals``: by name, in the order in which they first appeared. ``inferred``, ``learnt``: images that were run.
    ``parameters``: those that the last run started from.
    """

    def __init__(self, network: Network) -> None:
        network.check_fixed()
        self.network = network
        self.signals: dict[str, Signal] = {}
        self.inferred = self.learnt = 0
        self.parameters: Parameters | None = None

    def __call__(self, name: str, values: Array, to: Format | None) -> None:
        if values.size == 0:
            return
        if name not in self.signals:
            first = int(values.flat[0])
            self.signals[name] = Signal(name=name, format=to, fraction=fraction_bits(self.network, name, to), least=first,
                                        greatest=first, histogram=np.zeros(MOST_BITS + 2, np.int64))
        self.signals[name].add(values)

    def infer(self, parameters: Parameters, images: Array, progress: Progress | None = None) -> None:
        """Run images (n, inputs) of uint8 through the network; ``progress`` is told how many were done since."""
        model = self._model(parameters)
        for part in self._slices(len(images), 1):
            model.outputs(images[part])
            self.inferred += len(images[part])
            if progress is not None:
                progress(len(images[part]))

    def learn(self, parameters: Parameters, images: Array, labels: Array, epoch: int = 0,
              progress: Progress | None = None) -> None:
        """Learn images in the given order from these parameters, which stay as they are; what is learnt is dropped."""
        if len(labels) != len(images):
            raise InputError(f"labels must be one for each of the {len(images)} images to learn, not {len(labels)}")
        model = self._model(parameters)
        for part in self._slices(len(images), self.network.learning.batch):
            model.learn(images[part], labels[part], epoch)
            self.learnt += len(images[part])
            if progress is not None:
                progress(len(images[part]))

    def _model(self, parameters: Parameters) -> Model:
        model = Model(self.network, "fixed", parameters, self)
        self.parameters = model.parameters
        for index, layer in enumerate(model.layers):          # what is not trained is never shown by the arithmetic
            self(f"weight[{index}]", layer.weights, self.network.formats.weight)
            self(f"bias[{index}]", layer.bias, self.network.formats.drive)
            for name, rates in zip(("K1", "K2", "K3"), layer.coupling, strict=True):
                self(f"{name}[{index}]", rates, self.network.formats.coupling)
        return model

    def _slices(self, count: int, batch: int) -> list[slice]:
        size = batch * max(1, SLICE // max(self.network.layers) // batch)
        return [slice(start, start + size) for start in range(0, count, size)]

    def worst_case(self) -> dict[str, Bound]:
        """What no run from these parameters could exceed: see ``worst_case`` of this module."""
        return worst_case(self.network, self.parameters)

    def to_dict(self, spare: int = 0) -> dict[str, Any]:
        """Plain data for JSON: ``images``, ``signals``, ``worst_case`` and ``proposed_formats``."""
        bounds, formats = self.worst_case(), proposed_formats(self, spare)
        return {
            "images": {"inferred": self.inferred, "learnt": self.learnt},
            "signals": {signal.name: {
                "format": None if signal.format is None else str(signal.format), "fraction": signal.fraction,
                "least": signal.least, "greatest": signal.greatest, "count": signal.count, "at_least": signal.at_least,
                "at_greatest": signal.at_greatest, "bits": signal.bits, "histogram": signal.histogram.tolist(),
            } for signal in self.signals.values()},
            "worst_case": {bound.name: {"least": bound.least, "greatest": bound.greatest, "bits": bound.bits,
                                        "sum": bound.sum} for bound in bounds.values()},
            "proposed_formats": {entry.name: "exact" if (word := getattr(formats, entry.name)) is None else str(word)
                                 for entry in fields(formats)}}


def record(network: Network, parameters: Parameters, images: Array, labels: Array | None = None) -> Ranges:
    """Ranges of inferring ``images`` and, if there are ``labels``, of then learning them, from a copy of ``parameters``.

    Parameters
    ----------
    network : Network
    parameters : Parameters
        Integers of the network's formats; they stay as they are.
    images : uint8 array (n, inputs)
    labels : int array (n,), optional

    Raises
    ------
    InputError
        If parameters, images or labels do not fit the network.
    """
    ranges = Ranges(network)
    ranges.infer(parameters, images)
    if labels is not None:
        ranges.learn(parameters, images, labels)
    return ranges


def fraction_bits(network: Network, name: str, to: Format | None) -> int:
    """Fraction bits of a named signal: those of its format, or of the products that an exact sum adds."""
    if to is not None:
        return to.fraction
    formats = network.formats
    if name.endswith("_bracket"):
        return formats.exact_bracket_fraction
    if name.endswith("_product"):
        return formats.displacement.fraction + formats.bracket_fraction
    if name.endswith("_exchange_sum"):
        return formats.displacement.fraction + formats.weight.fraction
    kind, _, rest = name.partition("[")
    layer = int(rest.rstrip("]"))
    left = formats.displacement if kind in ("update", "reverse_link_sum") else formats.weight
    return left.fraction + (formats.weight.fraction if kind == "reverse_link_sum" else network.input_fraction(layer))


# ----------------------------------------------------------------- what can ever be reached

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
    ``updated_weight[k]``, ``updated_bias[k]``, ``updated_K1[k]`` ... of what is trained, at the least rate of the schedule, and
    where an instinct is pid ``links_local_product_sum[k]``, ``links_integral_sum[k]`` and so on.
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
        x = s[neuron.output_element] if k else word["input"] << network.input_shift
        recurrence = None if k else network.wiring.recurrence
        coupling = described[:, :, None] if parameters is None else parameters[k].coupling
        if parameters is None and recurrence:
            coupling = coupling.copy()
            coupling[2] = formats.coupling.exact(recurrence.K3, "K3 of the recurrent layer")
        K = [[word["coupling"] if getattr(network.learning, name) else Interval(int(each.min()), int(each.max()))
              for each in rates] for name, rates in zip(("K1", "K2", "K3"), coupling, strict=True)]
        fan_in = network.wiring.fan_in(k, inputs)
        links = bound(f"link_sum[{k}]", (x * word["weight"]).times(fan_in), f"{fan_in} products of a link and its input")
        bound(f"biased_link_sum[{k}]", links + (word["drive"] << network.link_shift(k)), "the link sum and the bias, shifted")
        circuit(f"displacement[{k}]", s, gates, word["drive"], neuron.input_element, K,
                neuron.output_element if recurrence else None)
        circuit(f"reverse[{k}]", [r] * ELEMENTS, [gates[i] for i in mirror], word["error"],
                int(mirror[neuron.output_element]), _mirrored(K), int(mirror[neuron.input_element]) if recurrence else None)
        if recurrence:
            ends = _union([s[neuron.input_element], s[neuron.output_element]])
            for name, signals in (("displacement", ends), ("reverse", r)):
                bound(f"{name}[{k}]_exchange_sum", (signals * word["weight"]).times(neurons),
                      f"{neurons} products of a reciprocal link and a displacement")
        if k:
            fan_out = network.wiring.fan_out(k, neurons)
            bound(f"reverse_link_sum[{k}]", (r * word["weight"]).times(fan_out),
                  f"{fan_out} products of a link and a reverse displacement")
        count = batch * network.wiring.uses(k)
        product = r * x
        if recurrence:
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


# ----------------------------------------------------------------- what would do

def proposed_formats(ranges: Ranges, spare: int = 0) -> Formats:
    """For each format of the network the least of the same fraction that holds all that was seen, and ``spare`` bits more.

    With ``spare`` 0 the recorded run goes the same with them, bit for bit: no value is cut that was not cut before. They
    also hold the constants of the description (rest, margin, initial bias, K), so that ``check_fixed`` passes. A word
    that was seen at both its ends is proposed as it is; whether it should be wider, only a wider run can say. What was not
    run (learning, of images that were inferred only) keeps its format.
    """
    if not 0 <= spare < MOST_BITS:
        raise InputError(f"spare bits must be 0 to {MOST_BITS - 1}, not {spare}")
    network, formats = ranges.network, ranges.network.formats
    seen: dict[str, list[int]] = {entry.name: [] for entry in fields(formats)}
    brackets = []
    for signal in ranges.signals.values():
        ends = [signal.least, signal.greatest]
        if signal.format is not None:
            seen[_format_of(signal.name)] += ends
        elif signal.name.endswith("_bracket"):
            brackets += ends
    if formats.bracket is not None:
        shift = formats.exact_bracket_fraction - formats.bracket_fraction
        seen["bracket"] = [int(round_shift(np.int64(end), shift)) for end in brackets]
    if (greatest := max(seen["displacement"], default=0)) < formats.displacement.greatest:
        seen["displacement"].append(greatest + 1)              # the upper limit has a meaning: it closes the reverse gate
    neuron, learning, one = network.neuron, network.learning, formats.displacement.one
    seen["displacement"] += [round(-value * one) for value in neuron.rest] + [round(learning.margin * one)]
    seen["displacement"].append(round(neuron.gate_floor * one))
    seen["drive"].append(round(network.initialisation.bias * formats.drive.one))
    seen["coupling"] += [round(value * formats.coupling.one) for name in ("K1", "K2", "K3") for value in getattr(neuron, name)]
    if learning.trains_K:
        seen["coupling"].append(round(learning.K3_minimum * formats.coupling.one))
    if not ranges.learnt:
        for name in ("displacement", "error"):                 # the reverse circuit uses them
            seen[name] += [getattr(formats, name).least, getattr(formats, name).greatest]
    return replace(formats, **{name: _least_format(getattr(formats, name), values, spare)
                               for name, values in seen.items() if values})


def _least_format(word: Format, values: list[int], spare: int) -> Format:
    kept = [min(max(value, word.least), word.greatest) for value in values]
    bits = max(map(magnitude_bits, kept)) + word.signed
    return replace(word, bits=min(max(bits + spare, word.fraction, 1), MOST_BITS))


def _format_of(name: str) -> str:
    """The entry of ``Formats`` that a named signal has."""
    kind = name.partition("[")[0]
    for word in ("local_product", "integral"):
        if kind.endswith(f"_{word}"):
            return word
    return {"reverse": "displacement", "bias": "drive", "K1": "coupling", "K2": "coupling", "K3": "coupling"}.get(kind, kind)
