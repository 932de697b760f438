"""Ranges: what every signal of a network reached in a run, what it could ever reach, and the formats that would do.

Three questions of whoever chooses word lengths, each answered in integers of the arithmetic contract:

- ``record`` runs the definition (``Model``) and keeps least, greatest, saturation and a histogram of each named signal.
- ``Ranges.worst_case`` is an interval analysis (``golden_model.bounds``): nothing can take a sum outside its ``Bound``.
- ``proposed_formats`` are the least words with which the recorded run would have gone the same, bit for bit.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from golden_model.arithmetic import Array
from golden_model.bounds import Bound, magnitude_bits, worst_case
from golden_model.errors import InputError
from golden_model.fixed_point import MOST_BITS, Format, round_shift
from golden_model.model import Model
from golden_model.network import Formats, Network
from golden_model.parameters import Parameters

Progress = Callable[[int], None]
SLICE = 1 << 18                           # signals of the widest layer that one slice of images has at most


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
        """Count an integer array that is not empty. Any shape."""
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

        It is an upper bound: a value may reach an end without having been cut. Extinct populations count where -E* is the
        least displacement.
        """
        if self.format is None:
            return None
        return (self.at_greatest + (self.at_least if self.format.signed else 0)) / self.count

    def real(self, value: int) -> float:
        """The number that an integer of this signal stands for."""
        return value / (1 << self.fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCounts:
    """Images that were run."""

    inferred: int
    learnt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReport:
    """A ``Signal`` as data: format as text, None for an exact sum; bits that hold all values; the histogram as a list."""

    format: str | None
    fraction: int
    least: int
    greatest: int
    count: int
    at_least: int
    at_greatest: int
    bits: int
    histogram: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundReport:
    """A ``golden_model.bounds.Bound`` as data. ``sum``: see there."""

    least: int
    greatest: int
    bits: int
    sum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RangesReport:
    """What ``wuxing ranges --json`` says of signals: reached, worst case, formats that would do; each by name."""

    images: ImageCounts
    signals: Mapping[str, SignalReport]
    worst_case: Mapping[str, BoundReport]
    proposed_formats: Mapping[str, str]


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
        """Learn images in the given order from these parameters, which stay as they are; what is learnt is dropped.

        ``images`` (images, inputs), ``labels`` (images,).
        """
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
            for name, coupling in zip(("K1", "K2", "K3"), layer.coupling, strict=True):
                self(f"{name}[{index}]", coupling, self.network.formats.coupling)
        return model

    def _slices(self, count: int, batch: int) -> list[slice]:
        size = batch * max(1, SLICE // max(self.network.layers) // batch)
        return [slice(start, start + size) for start in range(0, count, size)]

    def worst_case(self) -> dict[str, Bound]:
        """What no run from these parameters could exceed: see ``golden_model.bounds``."""
        return worst_case(self.network, self.parameters)

    def report(self, spare: int = 0) -> RangesReport:
        """All of it as data for a file; the formats have ``spare`` bits more than what was reached."""
        formats = proposed_formats(self, spare)
        return RangesReport(
            images=ImageCounts(inferred=self.inferred, learnt=self.learnt),
            signals={signal.name: SignalReport(
                format=None if signal.format is None else str(signal.format), fraction=signal.fraction, least=signal.least,
                greatest=signal.greatest, count=signal.count, at_least=signal.at_least, at_greatest=signal.at_greatest,
                bits=signal.bits, histogram=signal.histogram.tolist()) for signal in self.signals.values()},
            worst_case={bound.name: BoundReport(least=bound.least, greatest=bound.greatest, bits=bound.bits, sum=bound.sum)
                        for bound in self.worst_case().values()},
            proposed_formats={entry.name: "exact" if (word := getattr(formats, entry.name)) is None else str(word)
                              for entry in fields(formats)})


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
    if name.endswith("_kick"):
        return formats.displacement.fraction + formats.error.fraction
    if name.endswith("_exchange_sum"):
        return formats.displacement.fraction + formats.weight.fraction
    kind, _, rest = name.partition("[")
    layer = int(rest.rstrip("]"))
    left = formats.displacement if kind in ("update", "reverse_link_sum") else formats.weight
    return left.fraction + (formats.weight.fraction if kind == "reverse_link_sum" else network.input_fraction(layer))


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
    limits: dict[str, list[int]] = {entry.name: [] for entry in fields(formats)}
    brackets = []
    for signal in ranges.signals.values():
        ends = [signal.least, signal.greatest]
        if signal.format is not None:
            limits[_format_of(signal.name)] += ends
        elif signal.name.endswith("_bracket"):
            brackets += ends
    if formats.bracket is not None:
        shift = formats.exact_bracket_fraction - formats.bracket_fraction
        limits["bracket"] = [int(round_shift(np.int64(end), shift)) for end in brackets]
    if (greatest := max(limits["displacement"], default=0)) < formats.displacement.greatest:
        limits["displacement"].append(greatest + 1)              # the upper limit has a meaning: it closes the reverse gate
    neuron, learning, one = network.neuron, network.learning, formats.displacement.one
    limits["displacement"] += [round(-value * one) for value in neuron.rest] + [round(learning.margin * one)]
    limits["displacement"].append(round(neuron.gate_floor * one))
    limits["drive"].append(round(network.initialisation.bias * formats.drive.one))
    limits["coupling"] += [round(value * formats.coupling.one)
                           for name in ("K1", "K2", "K3") for value in getattr(neuron, name)]
    if learning.trains_K:
        limits["coupling"].append(round(learning.K3_minimum * formats.coupling.one))
    if not ranges.learnt:
        for name in ("displacement", "error"):                 # the reverse circuit uses them
            limits[name] += [getattr(formats, name).least, getattr(formats, name).greatest]
    return replace(formats, **{name: _least_format(getattr(formats, name), values, spare)
                               for name, values in limits.items() if values})


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
