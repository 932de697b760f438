"""The sections of a network description, each checked when it is made; ``Network`` puts them together."""
from __future__ import annotations

import contextlib
import math
import reprlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.ring import POPULATIONS
from golden_model.wirings import EXAMPLES, LayerWiring, parse

PARAMETER_SETS = ("links", "bias", "K1", "K2", "K3")
MOST_MAGNIFICATION = 12                   # bits of an error behind its point, by default: more, and the least of them saturates
INSTINCTS = ("proportional", "sign", "pid")
PerPopulation = tuple[float, float, float, float, float]
Gains = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """The five populations of a neuron: default couplings, rest values, and where signals enter and leave.

    A neuron keeps its own K when K is trained; these are the values that training starts from.
    """

    K1: PerPopulation = (0.5,) * 5        # generation: K1[i] couples i to its mother i-1
    K2: PerPopulation = (0.5,) * 5        # overcoming: K2[i] couples i to its prey i+2
    K3: PerPopulation = (1.0,) * 5        # self-limitation; > 0 propagator, 0 oscillator
    rest: PerPopulation = (1.0,) * 5      # rest populations E*
    input_population: int = 0             # a: where the drive enters and the reverse signal leaves
    output_population: int = 1            # b: where the signal leaves and the error enters
    gate_floor: float = 1 / 16            # least gate of the reverse circuit

    def __post_init__(self) -> None:
        for name in ("K1", "K2", "K3", "rest"):
            values = sequence(getattr(self, name))
            if values is None or len(values) != POPULATIONS:
                raise InputError(f"neuron.{name} must be five numbers, one for each population, not "
                                 f"{brief(getattr(self, name))}")
            object.__setattr__(self, name, tuple(number(value, f"neuron.{name}") for value in values))
        if min(self.K3) < 0:
            raise InputError(f"neuron.K3 must be 0 (oscillator) or more (propagator), not {min(self.K3):g}")
        if min(self.rest) <= 0:
            raise InputError(f"neuron.rest must be positive populations, not {min(self.rest):g}")
        for name in ("input_population", "output_population"):
            set_whole(self, f"neuron.{name}", 0, POPULATIONS - 1)
        set_numbers(self, "neuron", "gate_floor")
        if not 0 < self.gate_floor < min(self.rest):
            raise InputError(f"neuron.gate_floor must lie between 0 and the least rest value, not {self.gate_floor:g}")


@dataclass(frozen=True, kw_only=True)
class Integration:
    """Improved Euler with a fixed number of steps. ``dt`` is in the time unit of 1 / K."""

    dt: float = 0.5                       # a power of two, so that hardware shifts
    steps: int = 8                        # per settling, forward or reverse

    def __post_init__(self) -> None:
        set_numbers(self, "integration", "dt")
        if not (2**-12 <= self.dt <= 1 and math.frexp(self.dt)[0] == 0.5):
            raise InputError(f"integration.dt must be a power of two from 2**-12 to 1, not {self.dt:g}")
        set_whole(self, "integration.steps", 1, 100_000)

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
    local_product: Format = Format.parse("Q2.14")  # of a pid instinct: the product that is integrated and differenced
    integral: Format = Format.parse("Q4.14")       # of a pid instinct; saturates, which is its anti-windup

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, str) and not (entry.name == "bracket" and value == "exact"):
                object.__setattr__(self, entry.name, Format.parse(value))
            elif value == "exact":
                object.__setattr__(self, entry.name, None)
            elif not isinstance(value, Format) and not (entry.name == "bracket" and value is None):
                raise InputError(f'formats.{entry.name} must be a format like "Q1.12", not {brief(value)}')
        for name in ("displacement", "drive", "weight", "error", "coupling", "local_product", "integral"):
            if not getattr(self, name).signed:
                raise InputError(f"formats.{name} must be signed, not {getattr(self, name)}; write Qm.f without the U")
        for name in ("drive", "error"):
            if getattr(self, name).fraction != self.displacement.fraction:
                raise InputError(f"formats.{name} must have the {self.displacement.fraction} fraction bits of "
                                 f"formats.displacement, not {getattr(self, name).fraction}")
        if self.integral.fraction != self.local_product.fraction:
            raise InputError(f"formats.integral must have the {self.local_product.fraction} fraction bits of "
                             f"formats.local_product, not {self.integral.fraction}")
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
    """Random links before learning: uniform in +-gain * sqrt(3 / links of a neuron), then rounded to the weight format."""

    input_gain: float = 2.2               # of the first layer, whose inputs are mostly zero
    gain: float = 1.0                     # of all other layers
    bias: float = -1.0

    def __post_init__(self) -> None:
        set_numbers(self, "initialisation", "input_gain", "gain", "bias")
        if min(self.input_gain, self.gain) < 0:
            raise InputError(f"initialisation gains must be 0 or more, not {min(self.input_gain, self.gain):g}")


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Learning rates of the local products (0: that set of parameters is not trained), error margin, and rate schedule.

    An instinct turns the sum g of the products of a parameter over the images of a batch into a change, times the learning
    rate: ``proportional`` g itself, ``sign`` 1, 0 or -1, ``pid`` P g + I (integral of g) + D (g - the g before). The rate
    schedule halves every rate ``halvings`` times at even distances within ``epochs``. Integer learning needs powers of two.
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
    magnification: tuple[int, ...] = ()   # bits by which the errors of each hidden layer are magnified in integers; empty: 0
    average: int = 0                      # last epochs whose parameters are averaged into the result; 0: a sixth of all
    links_instinct: str = "proportional"  # or sign, or pid
    bias_instinct: str = "proportional"
    K_instinct: str = "proportional"      # of K1, K2 and K3
    links_gains: Gains = (1.0, 0.0, 0.0)  # P, I and D of a pid instinct, each 0 or a power of two
    bias_gains: Gains = (1.0, 0.0, 0.0)
    K_gains: Gains = (1.0, 0.0, 0.0)
    leak: float = 0.0                     # share of an integral that each update takes away, 0 or a power of two

    def __post_init__(self) -> None:
        set_numbers(self, "learning", *PARAMETER_SETS, "margin", "K3_minimum", "dropout")
        for name in PARAMETER_SETS:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"learning.{name} must be a rate from 0 to 1, not {getattr(self, name):g}")
        if not 0 < self.margin < 1:
            raise InputError(f"learning.margin must lie between 0 and 1, not {self.margin:g}")
        if self.K3_minimum <= 0:
            raise InputError(f"learning.K3_minimum must be positive to keep propagators, not {self.K3_minimum:g}")
        set_whole(self, "learning.epochs", 1, 1_000_000)
        set_whole(self, "learning.halvings", 0, 30)
        set_whole(self, "learning.batch", 1, 65_536)
        if not 0 <= self.dropout < 1:
            raise InputError(f"learning.dropout must be a share from 0 to below 1, not {self.dropout:g}")
        set_whole(self, "learning.frozen", 0, 1_000)
        set_whole(self, "learning.average", 0, self.epochs)
        self._check_magnification()
        self._check_instincts()

    def _check_magnification(self) -> None:
        magnification = sequence(self.magnification)
        if magnification is None:
            raise InputError(f"learning.magnification must be one whole number for each hidden layer, not "
                             f"{brief(self.magnification)}")
        bits = tuple(whole(each, "each of learning.magnification", 0, MOST_MAGNIFICATION) for each in magnification)
        object.__setattr__(self, "magnification", bits if any(bits) else ())      # one way to say it, one digest
        if self.magnification and self.trains_K:
            raise InputError("learning.magnification must be empty where K is trained, whose rate is one for all layers; leave "
                             "it out, or set learning.K1, K2 and K3 to 0")
        if self.magnification and {self.links_instinct, self.bias_instinct} != {"proportional"}:
            raise InputError("learning.magnification must be empty unless the instincts of links and biases are proportional; "
                             "leave it out, or choose proportional instincts")

    def _check_instincts(self) -> None:
        for group in ("links", "bias", "K"):
            instinct, gains = getattr(self, f"{group}_instinct"), sequence(getattr(self, f"{group}_gains"))
            name = f"learning.{group}_gains"
            if instinct not in INSTINCTS:
                raise InputError(f"learning.{group}_instinct must be proportional, sign or pid, not {brief(instinct)}")
            if gains is None or len(gains) != 3:
                raise InputError(f"{name} must be three numbers, P, I and D, not {brief(getattr(self, f'{group}_gains'))}")
            gains = tuple(number(gain, name) for gain in gains)
            object.__setattr__(self, f"{group}_gains", gains)
            for gain in gains:
                if gain and not (2**-16 <= gain <= 16 and math.frexp(gain)[0] == 0.5):
                    raise InputError(f"each of {name} must be 0 or a power of two from 2**-16 to 16, not {gain:g}")
            if not any(gains):
                raise InputError(f"{name} must not all be 0; set the rate to 0 for what is not to learn")
            if instinct != "pid" and gains != (1, 0, 0):
                raise InputError(f"{name} must be (1, 0, 0) unless learning.{group}_instinct is pid, not {brief(gains)}")
        set_numbers(self, "learning", "leak")
        if self.leak and not (2**-16 <= self.leak <= 0.5 and math.frexp(self.leak)[0] == 0.5):
            raise InputError(f"learning.leak must be 0 or a power of two from 2**-16 to 1/2, not {self.leak:g}")
        if self.leak and "pid" not in (self.links_instinct, self.bias_instinct, self.K_instinct):
            raise InputError(f"learning.leak must be 0 unless an instinct is pid, not {self.leak:g}")

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

    def magnified(self, layer: int) -> int:
        """Bits by which errors of a layer (0: the first with neurons) are magnified in integers, and its changes reduced."""
        return self.magnification[layer] if layer < len(self.magnification) else 0

    def instinct(self, name: str) -> str:
        """The instinct of a parameter set: ``proportional``, ``sign`` or ``pid``."""
        return str(getattr(self, f"{_group(name)}_instinct"))

    def gains(self, name: str) -> Gains:
        """P, I and D of a parameter set."""
        gains: Gains = getattr(self, f"{_group(name)}_gains")
        return gains

    @property
    def leak_shift(self) -> int:
        """Shift of the leak 2**-shift; 0: none."""
        return 1 - math.frexp(self.leak)[1] if self.leak else 0

    def rate_shifts(self, epoch: int) -> dict[str, int | None]:
        """For each parameter set the rate shift n of its learning rate 2**-n in ``epoch``; None: not trained."""
        shifts: dict[str, int | None] = {}
        for name in PARAMETER_SETS:
            mantissa, exponent = math.frexp(getattr(self, name))
            if mantissa not in (0.0, 0.5):
                rate = getattr(self, name)
                raise InputError(f"learning.{name} must be a power of two for integer arithmetic, not {rate:g}; "
                                 f"the nearest is 2**{round(math.log2(rate))}")
            shifts[name] = 1 - exponent + self.halvings_before(epoch) if mantissa else None
        return shifts

    def greatest_rate_shifts(self) -> dict[str, int | None]:
        """As ``rate_shifts``, for the least rate that the rate schedule can reach, rounded down to a power of two."""
        return {name: 1 - math.frexp(rate)[1] + self.halvings if (rate := getattr(self, name)) else None
                for name in PARAMETER_SETS}


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Which links exist. A link that does not is zero and stays zero.

    ``layers`` has one word for each layer of neurons: ``full``; ``random K``, K inputs for each neuron, drawn by the seed of
    the network; ``one-to-one``, neuron n hears input n alone; ``convolution 5x5 stride 2 of 28x28x1``, local fields with
    tied links; ``locally-connected 5x5 stride 2 of 28x28x1``, the same fields with links of their own; ``recurrent 28 steps 2
    K3 0.0625``, reciprocal links between its neurons and inputs in frames, of which it passes on the last, or all with ``every
    frame`` behind these words (``golden_model.wirings`` has one file for each). Empty: all layers are full.
    """

    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.layers, (tuple, list)):
            raise InputError(f"wiring.layers must be one word for each layer of neurons, not {brief(self.layers)}")
        object.__setattr__(self, "layers", tuple(self.layers))
        for words in self.layers:
            self._parsed(words)                                                       # refuses what describes no wiring

    @cached_property
    def parsed(self) -> tuple[LayerWiring, ...]:
        """The wiring of each layer of neurons; empty: all are full."""
        return tuple(self._parsed(words) for words in self.layers)

    @staticmethod
    def _parsed(words: Any) -> LayerWiring:
        wiring = parse(words) if isinstance(words, str) else None
        if wiring is None:
            raise InputError(f"each of wiring.layers must be {EXAMPLES}, not {brief(words)}")
        return wiring

    @property
    def drawn(self) -> bool:
        """Whether any links are drawn by the seed of the network."""
        return any(wiring.drawn for wiring in self.parsed)

    def check(self, sizes: tuple[int, ...]) -> None:
        """Raise an ``InputError`` if layers of these sizes, inputs first, cannot be wired so."""
        if self.layers and len(self.layers) != len(sizes) - 1:
            raise InputError(f"wiring.layers must have one word for each of the {len(sizes) - 1} layers of neurons, not "
                             f"{len(self.layers)}")
        for layer, wiring in enumerate(self.parsed):
            wiring.check(layer, sizes[layer], sizes[layer + 1])
        if self.parsed and not self.parsed[-1].answers:
            raise InputError(f"the last of wiring.layers must have one output for each class, not {brief(self.layers[-1])}; "
                             f"put a layer behind it, for example full")


def _group(name: str) -> str:
    return name if name in ("links", "bias") else "K"


def number(value: Any, name: str) -> float:
    """``value`` as a float, never -0.0: descriptions that are equal must have the same digest."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):                # an integer that no float holds
            if math.isfinite(real := float(value)):
                return real + 0.0
    raise InputError(f"{name} must be a finite number, not {brief(value)}")


def set_numbers(section: Any, prefix: str, *names: str) -> None:
    for name in names:
        object.__setattr__(section, name, number(getattr(section, name), f"{prefix}.{name}"))


def whole(value: Any, name: str, least: int, greatest: int) -> int:
    """``value`` as an int, if it is a whole number of Python or NumPy within these limits."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= greatest:
        raise InputError(f"{name} must be a whole number from {least} to {greatest}, not {brief(value)}")
    return int(value)


def set_whole(section: Any, name: str, least: int, greatest: int) -> None:
    """As ``whole``, for the entry of a section that the last part of ``name`` names."""
    entry = name.rpartition(".")[2]
    object.__setattr__(section, entry, whole(getattr(section, entry), name, least, greatest))


def sequence(value: Any) -> tuple[Any, ...] | None:
    """The entries of a tuple, a list or an array of one dimension; None of anything else."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return tuple(value.tolist())
    return tuple(value) if isinstance(value, (tuple, list)) else None


def brief(value: Any) -> str:
    """``repr`` for messages, cut short where a file holds something huge or deep."""
    cut = reprlib.Repr()
    cut.maxlist = cut.maxtuple = cut.maxdict = 8
    cut.maxstring = cut.maxother = cut.maxlong = 80
    try:
        return cut.repr(value)
    except ValueError:                                           # an integer of more digits than Python prints
        return "something too large to print"
