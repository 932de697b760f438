"""``Network``: the one validated description that software and hardware share.

It holds no parameters that are learnt, only what must be agreed on before there are any. Golden model, engine, RTL
generator, boards and reports all read this object; two parties that hold descriptions of the same ``digest`` compute
the same bits.
"""
from __future__ import annotations

import hashlib
import json
import math
import reprlib
import sys
import tomllib
from dataclasses import dataclass, field, fields, replace
from typing import Any

from golden_model.errors import InputError
from golden_model.fixed_point import MOST_BITS, Format

ELEMENTS = 5                              # Wood, Fire, Earth, Metal, Water
MOST_NEURONS = 1 << 20                    # of one layer; more is a mistyped size or a hostile file
PARAMETER_SETS = ("links", "bias", "K1", "K2", "K3")
Rates = tuple[float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """The five populations of a neuron: default rates, rest values, and where signals enter and leave.

    A neuron keeps its own K when K is trained; these are the values that training starts from.
    """

    K1: Rates = (0.5,) * 5                # generation: K1[i] couples i to its mother i-1
    K2: Rates = (0.5,) * 5                # overcoming: K2[i] couples i to its prey i+2
    K3: Rates = (1.0,) * 5                # self-limitation; > 0 propagator, 0 oscillator
    rest: Rates = (1.0,) * 5              # rest populations E*
    input_element: int = 0                # a: where the drive enters and the reverse signal leaves
    output_element: int = 1               # b: where the signal leaves and the error enters
    gate_floor: float = 1 / 16            # least gate of the reverse circuit

    def __post_init__(self) -> None:
        for name in ("K1", "K2", "K3", "rest"):
            values = getattr(self, name)
            if not isinstance(values, (tuple, list)) or len(values) != ELEMENTS:
                raise InputError(f"neuron.{name} must be five numbers, one per element, not {_shown(values)}")
            object.__setattr__(self, name, tuple(_number(value, f"neuron.{name}") for value in values))
        if min(self.K3) < 0:
            raise InputError(f"neuron.K3 must be 0 (oscillator) or more (propagator), not {min(self.K3):g}")
        if min(self.rest) <= 0:
            raise InputError(f"neuron.rest must be positive populations, not {min(self.rest):g}")
        for name in ("input_element", "output_element"):
            _whole(getattr(self, name), f"neuron.{name}", 0, ELEMENTS - 1)
        _set_numbers(self, "neuron", "gate_floor")
        if not 0 < self.gate_floor < min(self.rest):
            raise InputError(f"neuron.gate_floor must lie between 0 and the least rest value, not {self.gate_floor:g}")


@dataclass(frozen=True, kw_only=True)
class Integration:
    """Improved Euler with a fixed number of steps. ``dt`` is in the time unit of 1 / K."""

    dt: float = 0.5                       # a power of two, so that hardware shifts
    steps: int = 8                        # per settling, forward or reverse

    def __post_init__(self) -> None:
        _set_numbers(self, "integration", "dt")
        if not (2**-12 <= self.dt <= 1 and math.frexp(self.dt)[0] == 0.5):
            raise InputError(f"integration.dt must be a power of two from 2**-12 to 1, not {self.dt:g}")
        _whole(self.steps, "integration.steps", 1, 100_000)

    @property
    def exponent(self) -> int:
        """d, where dt = 2**-d."""
        return 1 - math.frexp(self.dt)[1]


@dataclass(frozen=True, kw_only=True)
class Formats:
    """The words of the arithmetic contract. The ranges bind the float model as well, which only does not round."""

    displacement: Format = Format.parse("Q1.12")   # s, predictor w, reverse r; clamped after every half step
    drive: Format = Format.parse("Q4.12")          # u, which saturates, and bias, which is held like a weight
    weight: Format = Format.parse("Q2.14")         # link C; an update that would overflow is dropped
    input: Format = Format.parse("UQ0.8")          # a pixel: the byte as it is
    error: Format = Format.parse("Q1.12")          # reverse drive e; saturates
    coupling: Format = Format.parse("Q2.1")        # K1, K2, K3
    bracket: Format | None = None                  # operand B of the multiplier; None: exact, not rounded

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, str) and not (entry.name == "bracket" and value == "exact"):
                object.__setattr__(self, entry.name, Format.parse(value))
            elif value == "exact":
                object.__setattr__(self, entry.name, None)
            elif not isinstance(value, Format) and not (entry.name == "bracket" and value is None):
                raise InputError(f'formats.{entry.name} must be a format like "Q1.12", not {_shown(value)}')
        for name in ("displacement", "drive", "weight", "error", "coupling"):
            if not getattr(self, name).signed:
                raise InputError(f"formats.{name} must be signed, not {getattr(self, name)}; write Qm.f without the U")
        for name in ("drive", "error"):
            if getattr(self, name).fraction != self.displacement.fraction:
                raise InputError(f"formats.{name} must have the {self.displacement.fraction} fraction bits of "
                                 f"formats.displacement, not {getattr(self, name).fraction}")
        least, most = self.displacement.fraction, self.exact_bracket_fraction
        if self.bracket is not None and not (self.bracket.signed and least <= self.bracket.fraction <= most):
            raise InputError(f"formats.bracket must be signed with {least} to {most} fraction bits (those of the exact "
                             f"bracket), not {self.bracket}")

    @property
    def exact_bracket_fraction(self) -> int:
        """Fraction bits of the unrounded bracket, a sum of products K x."""
        return self.displacement.fraction + self.coupling.fraction

    @property
    def bracket_fraction(self) -> int:
        """Fraction bits of the multiplier's operand B."""
        return self.exact_bracket_fraction if self.bracket is None else self.bracket.fraction


@dataclass(frozen=True, kw_only=True)
class Initialisation:
    """Random links before learning: uniform in +-gain * sqrt(3 / inputs), then rounded to the weight format."""

    input_gain: float = 2.2               # of the first layer, whose inputs are mostly zero
    gain: float = 1.0                     # of all other layers
    bias: float = -1.0

    def __post_init__(self) -> None:
        _set_numbers(self, "initialisation", "input_gain", "gain", "bias")
        if min(self.input_gain, self.gain) < 0:
            raise InputError(f"initialisation gains must be 0 or more, not {min(self.input_gain, self.gain):g}")


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Rates of the local products (0: that set of parameters is not trained), error margin, and schedule.

    The change of a parameter is the rate times the sum of its products over the images of a batch. The schedule halves
    every rate ``halvings`` times at even distances within ``epochs``. Integer learning needs powers of two.
    """

    links: float = 2**-4
    bias: float = 2**-4
    K1: float = 0.0
    K2: float = 0.0
    K3: float = 0.0
    K3_minimum: float = 0.5               # keeps a trained neuron a propagator
    margin: float = 0.5                   # tau: an output that is right by it says nothing
    epochs: int = 60
    halvings: int = 5
    batch: int = 1                        # images between two updates
    dropout: float = 0.2                  # share of the input words set to zero at random when an image is learnt
    frozen: int = 0                       # layers, from the first, that are not trained
    average: int = 0                      # last epochs whose parameters are averaged into the result; 0: a sixth of all

    def __post_init__(self) -> None:
        _set_numbers(self, "learning", *PARAMETER_SETS, "margin", "K3_minimum", "dropout")
        for name in PARAMETER_SETS:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"learning.{name} must be a rate from 0 to 1, not {getattr(self, name):g}")
        if not 0 < self.margin < 1:
            raise InputError(f"learning.margin must lie between 0 and 1, not {self.margin:g}")
        if self.K3_minimum <= 0:
            raise InputError(f"learning.K3_minimum must be positive to keep propagators, not {self.K3_minimum:g}")
        _whole(self.epochs, "learning.epochs", 1, 1_000_000)
        _whole(self.halvings, "learning.halvings", 0, 30)
        _whole(self.batch, "learning.batch", 1, 65_536)
        if not 0 <= self.dropout < 1:
            raise InputError(f"learning.dropout must be a share from 0 to below 1, not {self.dropout:g}")
        _whole(self.frozen, "learning.frozen", 0, 1_000)
        _whole(self.average, "learning.average", 0, self.epochs)

    def halvings_before(self, epoch: int) -> int:
        """How often the rates were halved before ``epoch`` (0, 1, ...) begins."""
        return min(epoch * (self.halvings + 1) // self.epochs, self.halvings)

    @property
    def averaged_epochs(self) -> int:
        """How many epochs, the last ones, are averaged into the result."""
        return self.average or max(self.epochs // 6, 1)

    @property
    def trains_K(self) -> bool:
        return max(self.K1, self.K2, self.K3) > 0

    def exponents(self, epoch: int) -> dict[str, int | None]:
        """For each parameter set the shift n of its integer rate 2**-n in ``epoch``; None: not trained."""
        shifts: dict[str, int | None] = {}
        for name in PARAMETER_SETS:
            mantissa, exponent = math.frexp(getattr(self, name))
            if mantissa not in (0.0, 0.5):
                rate = getattr(self, name)
                raise InputError(f"learning.{name} must be a power of two for integer arithmetic, not {rate:g}; "
                                 f"the nearest is 2**{round(math.log2(rate))}")
            shifts[name] = 1 - exponent + self.halvings_before(epoch) if mantissa else None
        return shifts

    def slowest(self) -> dict[str, int | None]:
        """As ``exponents``, for the least rate that the schedule can reach, rounded down to a power of two."""
        return {name: 1 - math.frexp(rate)[1] + self.halvings if (rate := getattr(self, name)) else None
                for name in PARAMETER_SETS}


@dataclass(frozen=True, kw_only=True)
class Network:
    """Everything that golden model and hardware must agree on before a parameter is learnt.

    Raises
    ------
    InputError
        In one sentence, for the first field that cannot be used.
    """

    layers: tuple[int, ...]
    neuron: Neuron = field(default_factory=Neuron)
    integration: Integration = field(default_factory=Integration)
    formats: Formats = field(default_factory=Formats)
    initialisation: Initialisation = field(default_factory=Initialisation)
    learning: Learning = field(default_factory=Learning)
    seed: int = 0

    def __post_init__(self) -> None:
        layers: Any = self.layers
        if isinstance(layers, list):
            layers = tuple(layers)
        if not isinstance(layers, tuple) or len(layers) < 2:
            raise InputError(f"layers must have at least two sizes, not {_shown(layers)}")
        object.__setattr__(self, "layers", layers)
        for size in self.layers:
            _whole(size, "each size in layers", 1, MOST_NEURONS)
        for name, section in SECTIONS.items():
            if not isinstance(getattr(self, name), section):
                raise InputError(f"{name} must be a {section.__name__}, not {_shown(getattr(self, name))}")
        _whole(self.seed, "seed", 0, 2**63 - 1)

    # ------------------------------------------------------------- integers of the arithmetic contract

    @property
    def predictor_shift(self) -> int:
        """k of the predictor: w = narrow(((s + s) << k) + gate * B, k + 1)."""
        return self.formats.bracket_fraction + self.integration.exponent - 1

    @property
    def corrector_shift(self) -> int:
        """k of the corrector: s' = narrow(((s + w) << k) + gate * B, k + 1)."""
        return self.predictor_shift + 1

    def input_fraction(self, layer: int) -> int:
        """Fraction bits of what layer ``layer`` (0: the first with neurons) receives."""
        return self.formats.displacement.fraction if layer else self.formats.input.fraction

    def link_shift(self, layer: int) -> int:
        """Bits that a forward link sum drops to become a drive."""
        return self.formats.weight.fraction + self.input_fraction(layer) - self.formats.drive.fraction

    @property
    def reverse_link_shift(self) -> int:
        """Bits that a reverse link sum drops to become an error."""
        return self.formats.weight.fraction + self.formats.displacement.fraction - self.formats.error.fraction

    def update_shift(self, layer: int, exponent: int) -> int:
        """Bits that a product r x drops to become a change of weight at rate 2**-``exponent``."""
        return self.formats.displacement.fraction + self.input_fraction(layer) - self.formats.weight.fraction + exponent

    def coupling_shift(self, exponent: int) -> int:
        """Bits that a product of two displacements drops to become a change of K at rate 2**-``exponent``."""
        return 2 * self.formats.displacement.fraction - self.formats.coupling.fraction + exponent

    def check_fixed(self) -> None:
        """Raise an ``InputError`` if the integers of the contract cannot be formed for this description."""
        formats, neuron = self.formats, self.neuron
        for name in ("K1", "K2", "K3"):
            for value in getattr(neuron, name):
                formats.coupling.exact(value, f"neuron.{name}")
        for value in neuron.rest:
            formats.displacement.exact(-value, "-neuron.rest (the displacement of an extinct element)")
        formats.displacement.exact(neuron.gate_floor, "neuron.gate_floor")
        formats.displacement.exact(self.learning.margin, "learning.margin")
        formats.drive.exact(self.initialisation.bias, "initialisation.bias")
        if self.learning.trains_K:
            formats.coupling.exact(self.learning.K3_minimum, "learning.K3_minimum")
        exponents = self.learning.exponents(0)
        for layer in range(len(self.layers) - 1):
            if (missing := -self.link_shift(layer)) > 0:
                raise InputError(f"formats.weight must have at least {formats.weight.fraction + missing} fraction bits for "
                                 f"the drive of layer {layer}, not {formats.weight.fraction}")
            if exponents["links"] is not None and (excess := -self.update_shift(layer, exponents["links"])) > 0:
                raise InputError(f"formats.weight must have at most {formats.weight.fraction - excess} fraction bits for "
                                 f"the products of layer {layer} at this rate, not {formats.weight.fraction}")
        for name in ("K1", "K2", "K3"):
            if (rate := exponents[name]) is not None and (excess := -self.coupling_shift(rate)) > 0:
                raise InputError(f"formats.coupling must have at most {formats.coupling.fraction - excess} fraction bits for "
                                 f"the products of {name} at this rate, not {formats.coupling.fraction}")
        name, bits = max(self.widths().items(), key=lambda item: item[1])
        if bits > MOST_BITS:
            remedy = "greater rates of learning" if name.startswith("updated") else "narrower formats"
            raise InputError(f"every exact sum must fit {MOST_BITS} bits, not {bits} for {name}; choose {remedy}")

    def widths(self, any_coupling: bool = False) -> dict[str, int]:
        """Bits (signed) that each exact sum of the contract can need, whatever the parameters: interval analysis.

        Names: ``bracket``, ``product`` (gate times bracket), ``half_step`` (the sum before its narrowing),
        ``link_sum[k]``, ``reverse_link_sum[k]`` and ``update[k]`` (the products of a batch) of each layer; and of what is
        trained ``updated_weight[k]``, ``updated_bias``, ``updated_coupling``, where the parameter, shifted to the weight of
        the products, is added to them: as wide as the least rate of the schedule makes it.

        K that is not trained is the description's, unless ``any_coupling`` says that parameters bring their own.
        """
        formats = self.formats
        signal = -formats.displacement.least
        bias = -formats.drive.least
        drive = max(bias, -formats.error.least)
        if any_coupling or self.learning.trains_K:                   # to anything that the format holds
            rates = ELEMENTS * -formats.coupling.least
        else:
            K1, K2, K3 = self.neuron.K1, self.neuron.K2, self.neuron.K3
            rates = max(math.ceil(formats.coupling.one * (
                abs(K1[i]) + abs(K1[(i + 1) % 5]) + abs(K2[i]) + abs(K2[i - 2]) + K3[i])) for i in range(ELEMENTS))
        bracket = rates * signal + (drive << formats.coupling.fraction)
        operand = bracket if formats.bracket is None else -formats.bracket.least
        gate = math.ceil(max(self.neuron.rest) * formats.displacement.one) + formats.displacement.greatest
        widths = {"bracket": _signed_bits(bracket), "product": _signed_bits(gate * operand),
                  "half_step": _signed_bits((2 * signal << self.corrector_shift) + gate * operand
                                            + (1 << self.corrector_shift))}
        weight, batch, slowest = -formats.weight.least, self.learning.batch, self.learning.slowest()
        for layer, (inputs, outputs) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            reach = signal if layer else max(formats.input.greatest, -formats.input.least)
            widths[f"link_sum[{layer}]"] = _signed_bits(inputs * reach * weight
                                                        + (bias << max(self.link_shift(layer), 0)))
            widths[f"reverse_link_sum[{layer}]"] = _signed_bits(outputs * signal * weight)
            widths[f"update[{layer}]"] = _signed_bits(batch * signal * reach)
            if (rate := slowest["links"]) is not None:
                widths[f"updated_weight[{layer}]"] = _signed_bits(batch * signal * reach
                                                                  + (weight << max(self.update_shift(layer, rate), 0)))
        if (rate := slowest["bias"]) is not None:
            widths["updated_bias"] = _signed_bits(batch * signal + (bias << rate))
        if couplings := [rate for name in ("K1", "K2", "K3") if (rate := slowest[name]) is not None]:
            widths["updated_coupling"] = _signed_bits(2 * batch * signal**2 + (
                -formats.coupling.least << max(self.coupling_shift(max(couplings)), 0)))
        return widths

    # ------------------------------------------------------------- JSON and TOML

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON or TOML; ``from_dict`` gives an equal description back."""
        data: dict[str, Any] = {"layers": list(self.layers), "seed": self.seed}
        for name, section in SECTIONS.items():
            entries = {entry.name: getattr(getattr(self, name), entry.name) for entry in fields(section)}
            if name == "formats":
                entries = {key: "exact" if value is None else str(value) for key, value in entries.items()}
            data[name] = {key: list(value) if isinstance(value, tuple) else value for key, value in entries.items()}
        return data

    @classmethod
    def from_dict(cls, data: Any) -> Network:
        """A description from plain data; what is not named has its default value."""
        if not isinstance(data, dict):
            raise InputError(f"a network description must be a table, not {type(data).__name__}")
        known = {"layers", "seed", *SECTIONS}
        arguments: dict[str, Any] = {}
        for key, value in data.items():
            if key not in known:
                raise InputError(f"a network description has no entry {_shown(key)}; it has {', '.join(sorted(known))}")
            if key in SECTIONS:
                if not isinstance(value, dict):
                    raise InputError(f"{key} must be a table, not {_shown(value)}")
                names = [entry.name for entry in fields(SECTIONS[key])]
                for name in value:
                    if name not in names:
                        raise InputError(f"{key} has no entry {_shown(name)}; it has {', '.join(names)}")
                value = SECTIONS[key](**value)
            arguments[key] = value
        if "layers" not in arguments:
            raise InputError("a network description must have layers, for example [784, 128, 10]")
        return cls(**arguments)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Network:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"a network description must be valid JSON: {error}") from None
        return cls.from_dict(data)

    def to_toml(self) -> str:
        import tomli_w
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Network:
        try:
            data = tomllib.loads(text)
        except (ValueError, RecursionError) as error:            # ValueError: an integer of too many digits, too
            raise InputError(f"a network description must be valid TOML: {error}") from None
        return cls.from_dict(data)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: equal for equal descriptions."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def with_learning(self, **changes: Any) -> Network:
        """The same network with some entries of ``learning`` replaced."""
        return replace(self, learning=replace(self.learning, **changes))


SECTIONS: dict[str, Any] = {"neuron": Neuron, "integration": Integration, "formats": Formats,
                            "initialisation": Initialisation, "learning": Learning}


def _number(value: Any, name: str) -> float:
    """``value`` as a float, never -0.0: descriptions that are equal must have the same digest."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value) + 0.0
    raise InputError(f"{name} must be a finite number, not {_shown(value)}")


def _set_numbers(section: Any, prefix: str, *names: str) -> None:
    for name in names:
        object.__setattr__(section, name, _number(getattr(section, name), f"{prefix}.{name}"))


def _whole(value: Any, name: str, least: int, greatest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        raise InputError(f"{name} must be a whole number from {least} to {greatest}, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """``repr`` for messages, cut short where a file holds something huge or deep."""
    brief = reprlib.Repr()
    brief.maxlist = brief.maxtuple = brief.maxdict = 8
    brief.maxstring = brief.maxother = brief.maxlong = 80
    try:
        return brief.repr(value)
    except ValueError:                                           # an integer of more digits than Python prints
        return "something too large to print"


def _signed_bits(magnitude: int) -> int:
    """Bits of a two's complement word that holds -magnitude..magnitude."""
    return magnitude.bit_length() + 1
