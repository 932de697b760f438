"""``Network``: the one validated description that software and hardware share.

It holds no parameters that are learnt, only what must be agreed on before there are any. Golden model, engine, RTL
generator, boards and reports all read this object; two parties whose descriptions have the same ``digest`` compute the
same bits from the same parameters, images and rates.
"""
from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

from golden_model.errors import InputError
from golden_model.fixed_point import MOST_BITS, Format
from golden_model.sections import (
    PARAMETER_SETS,
    POPULATIONS,
    Formats,
    Initialisation,
    Integration,
    Learning,
    Neuron,
    Wiring,
    brief,
    sequence,
    set_whole,
    whole,
)
from golden_model.wirings import Full, LayerWiring

__all__ = ["POPULATIONS", "PARAMETER_SETS", "Formats", "Initialisation", "Integration", "Learning", "Network", "Neuron",
           "Wiring"]

TRAINING = ("epochs", "dropout", "average")    # entries of ``learning`` that no circuit and no engine needs for a bit
BYTE_ORDER_MARK = "\ufeff"                # which some editors put at the beginning of UTF-8
MOST_NEURONS = 1 << 20                    # of one layer; more is a mistyped size or a hostile file


class Controller(NamedTuple):
    """Integers of a pid instinct: S = ``proportional`` g + ``integral`` I + ``derivative`` (q - q before), exact."""

    product_shift: int                    # bits that g drops to become the word q; negative: that it gains
    proportional: int                     # multipliers: 0 or powers of two
    integral: int
    derivative: int
    fraction: int                         # fraction bits of S


@dataclass(frozen=True, kw_only=True)
class Network:
    """Everything that golden model and hardware must agree on before a parameter is learnt.

    Parameters
    ----------
    layers : tuple of int
        Sizes from inputs (the pixels of an image, 0..255 each) to classes.
    neuron, integration, formats, initialisation, learning, wiring
        Sections of the description, each with defaults of its own.
    seed : int
        Draws the initial links, random wirings, and what training draws.

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
    wiring: Wiring = field(default_factory=Wiring)
    seed: int = 0

    def __post_init__(self) -> None:
        layers = sequence(self.layers)
        if layers is None or len(layers) < 2:
            raise InputError(f"layers must have at least two sizes, not {brief(self.layers if layers is None else layers)}")
        object.__setattr__(self, "layers", tuple(whole(size, "each size in layers", 1, MOST_NEURONS) for size in layers))
        for name, section in SECTIONS.items():
            if not isinstance(getattr(self, name), section):
                raise InputError(f"{name} must be a {section.__name__}, not {brief(getattr(self, name))}")
        set_whole(self, "seed", 0, 2**63 - 1)
        if self.learning.frozen >= len(self.layers):
            raise InputError(f"learning.frozen must be 0 to {len(self.layers) - 1} for layers {self.layers}, not "
                             f"{self.learning.frozen}")
        hidden = len(self.layers) - 2
        if self.learning.magnification and len(self.learning.magnification) != hidden:
            raise InputError(f"learning.magnification must be one whole number for each of {hidden} hidden layers, not "
                             f"{brief(self.learning.magnification)}")
        self.wiring.check(self.layers)
        if all(wiring == Full() for wiring in self.wirings):                          # one way to say it, one digest
            object.__setattr__(self, "wiring", Wiring())
        if self.learning.magnification and any(wiring.reciprocal for wiring in self.wirings):
            raise InputError("learning.magnification must be empty in a network with a recurrent layer, but is not")
        if self.learning.trains_K and not all(wiring.learns_K for wiring in self.wirings):
            raise InputError("learning.K1, K2 and K3 must be 0 in a network with a recurrent layer, whose K is not trained, "
                             "but are not")

    @cached_property
    def wirings(self) -> tuple[LayerWiring, ...]:
        """The wiring of each layer of neurons."""
        return self.wiring.parsed or (Full(),) * (len(self.layers) - 1)

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
        word = self.formats.displacement if layer else self.formats.input
        return word.fraction + self.input_shift(layer)

    def input_shift(self, layer: int) -> int:
        """Bits by which an input word is shifted left for a first layer whose reciprocal links carry displacements; else 0."""
        shifted = layer == 0 and self.wirings[0].reciprocal
        return self.formats.displacement.fraction - self.formats.input.fraction if shifted else 0

    def link_shift(self, layer: int) -> int:
        """Bits that a forward link sum drops to become a drive."""
        return self.formats.weight.fraction + self.input_fraction(layer) - self.formats.drive.fraction

    @property
    def reverse_link_shift(self) -> int:
        """Bits that a reverse link sum drops to become an error that is not magnified."""
        return self.formats.weight.fraction + self.formats.displacement.fraction - self.formats.error.fraction

    def reverse_shift(self, layer: int) -> int:
        """Bits that a reverse link sum drops to become an error of ``layer``, magnified against those of the next layer."""
        return self.reverse_link_shift - self.learning.magnified(layer) + self.learning.magnified(layer + 1)

    def update_shift(self, layer: int, rate_shift: int) -> int:
        """Bits that a product r x drops to become a change of weight at learning rate 2**-``rate_shift``."""
        return self.formats.displacement.fraction + self.input_fraction(layer) - self.formats.weight.fraction + rate_shift

    def parameter_format(self, name: str) -> Format:
        """The format of the parameters of a set (``links``, ``bias``, ``K1``, ``K2``, ``K3``)."""
        return {"links": self.formats.weight, "bias": self.formats.drive}.get(name, self.formats.coupling)

    def product_fraction(self, name: str, layer: int) -> int:
        """Fraction bits of the exact local products of a set."""
        reverse = self.formats.displacement.fraction
        return reverse + {"links": self.input_fraction(layer), "bias": 0}.get(name, reverse)

    def controller(self, name: str, layer: int) -> Controller:
        """The pid instinct of a set: its exact sum has the fraction bits of its finest term, at least the parameter's."""
        product, word = self.product_fraction(name, layer), self.formats.local_product.fraction
        exponents = [math.frexp(gain)[1] - 1 if gain else None for gain in self.learning.gains(name)]
        terms = [None if exponent is None else fraction - exponent
                 for exponent, fraction in zip(exponents, (product, word, word), strict=True)]
        fraction = max(self.parameter_format(name).fraction, *(term for term in terms if term is not None))
        proportional, integral, derivative = (0 if term is None else 1 << fraction - term for term in terms)
        return Controller(product - word, proportional, integral, derivative, fraction)

    def change_shift(self, name: str, layer: int, rate_shift: int) -> int:
        """Bits that the exact sum of a proportional or pid instinct drops to become a change at 2**-``rate_shift``."""
        pid = self.learning.instinct(name) == "pid"
        fraction = self.controller(name, layer).fraction if pid else self.product_fraction(name, layer)
        taken_back = self.dwell(layer) + self.learning.magnified(layer)
        return fraction - self.parameter_format(name).fraction + rate_shift + taken_back

    def dwell(self, layer: int) -> int:
        """d, where the learning rates of a layer are divided by 2**d; 0 unless it is recurrent."""
        return self.wirings[layer].dwell

    def sign_step(self, name: str, rate_shift: int) -> int:
        """The change that a sign instinct makes at learning rate 2**-``rate_shift``: at least one step, see ``check_fixed``."""
        return 1 << max(self.parameter_format(name).fraction - rate_shift, 0)

    def check_fixed(self) -> None:
        """Raise an ``InputError`` if the integers of the contract cannot be formed for this description."""
        self.check_words()
        if not self.fits():
            from golden_model.remedies import remedy
            name, bits = max(self.widths().items(), key=lambda item: item[1])
            raise InputError(f"every exact sum must fit {MOST_BITS} bits, not {bits} for {name}; choose {remedy(self)}")

    def check_words(self) -> None:
        """Raise an ``InputError`` if a constant, a rate or a shift of the contract has no word; widths are not looked at."""
        formats, neuron = self.formats, self.neuron
        for name in ("K1", "K2", "K3"):
            for value in getattr(neuron, name):
                formats.coupling.exact(value, f"neuron.{name}")
        for value in neuron.rest:
            formats.displacement.exact(-value, "-neuron.rest (the displacement of an extinct population)")
        formats.displacement.exact(neuron.gate_floor, "neuron.gate_floor")
        formats.displacement.exact(self.learning.margin, "learning.margin")
        formats.drive.exact(self.initialisation.bias, "initialisation.bias")
        if self.learning.trains_K:
            formats.coupling.exact(self.learning.K3_minimum, "learning.K3_minimum")
        for wiring in self.wirings:
            wiring.check_words(formats)
        self._check_rates()

    def _check_rates(self) -> None:
        """That no sum would have to be shifted left on its way to a word: of all layers and sets at once."""
        formats, rate_shifts, layers = self.formats, self.learning.rate_shifts(0), range(len(self.layers) - 1)
        weight, coupling = formats.weight.fraction, formats.coupling.fraction
        if (least := min([self.reverse_shift(layer) for layer in layers[:-1]], default=0)) < 0:
            raise InputError(f"learning.magnification must rise by at most {self.reverse_link_shift} from a hidden layer to "
                             f"the one before it, not by {self.reverse_link_shift - least}")
        layer = min(layers, key=self.link_shift)
        if (missing := -self.link_shift(layer)) > 0:
            raise InputError(f"formats.weight must have at least {weight + missing} fraction bits for the drive of layer "
                             f"{layer}, not {weight}")
        if (rate_shift := rate_shifts["links"]) is not None:
            excess, layer = max((-self.change_shift("links", layer, rate_shift), layer) for layer in layers)
            if excess > 0:
                raise InputError(f"formats.weight must have at most {weight - excess} fraction bits for the products of layer "
                                 f"{layer} at this rate, not {weight}; choose such a format, or learning.links = 2**-"
                                 f"{rate_shift + excess} or less")
        if couplings := [(-self.change_shift(name, 0, rate_shift), name, rate_shift) for name in ("K1", "K2", "K3")
                         if (rate_shift := rate_shifts[name]) is not None]:
            excess, name, _ = max(couplings)
            if excess > 0:
                rates = ", ".join(f"learning.{each} = 2**-{rate_shift + over} or less"
                                  for over, each, rate_shift in couplings if over > 0)
                raise InputError(f"formats.coupling must have at most {coupling - excess} fraction bits for the products of "
                                 f"{name} at this rate, not {coupling}; choose {rates}")
        self._check_sign_steps()

    def _check_sign_steps(self) -> None:
        """That every step of a sign instinct is one of its format; the remedy is one for all sets together."""
        halvings = self.learning.halvings
        slow = {name: (greatest_rate_shifts, least)
                for name, greatest_rate_shifts in self.learning.greatest_rate_shifts().items()
                if greatest_rate_shifts is not None
                and self.learning.instinct(name) == "sign"
                and greatest_rate_shifts > (least := self.parameter_format(name).fraction)}
        if slow:
            layers = range(len(self.layers) - 1)
            room = [self.product_fraction(name, layer) for name in slow if name != "bias" for layer in layers]
            fewer = min(halvings, *room, *(least for _, least in slow.values()))      # more, and a shift would be to the left
            rates = [f"learning.{name} = {f'2**-{least - fewer} or more' if least > fewer else '1'}"
                     for name, (_, least) in slow.items()]
            if fewer < halvings:
                rates.insert(0, f"learning.halvings = {fewer}")
            name, (greatest_rate_shifts, least) = next(iter(slow.items()))
            raise InputError(f"a sign instinct must change by a step of {self.parameter_format(name)} (2**{-least}) or more, "
                             f"not by 2**{-greatest_rate_shifts} as learning.{name} after {halvings} halvings; choose "
                             f"{', '.join(rates)}")

    def fits(self) -> bool:
        """Whether every exact sum fits the 62 bits of a word of this program."""
        return max(self.widths().values()) <= MOST_BITS

    def widths(self, any_coupling: bool = False) -> dict[str, int]:
        """Bits (signed) that each exact sum of the contract can need, whatever the parameters: interval analysis.

        Names: ``bracket``, ``product`` (gate times bracket), ``half_step`` (the sum before its narrowing),
        ``link_sum[k]``, ``reverse_link_sum[k]`` and ``update[k]`` (the products of a batch) of each layer; and of what is
        trained ``updated_weight[k]``, ``updated_bias``, ``updated_coupling``, where the parameter, shifted to the weight of
        the products, is added to them: as wide as the least rate of the rate schedule makes it. Where an instinct is pid also
        ``local_product`` (before its narrowing) and ``integral``.

        K that is not trained is the description's, unless ``any_coupling`` says that parameters bring their own.
        """
        from golden_model.bounds import widths
        return widths(self, any_coupling)

    # ------------------------------------------------------------- JSON and TOML

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON or TOML; ``from_dict`` gives an equal description back."""
        data: dict[str, Any] = {"layers": list(self.layers), "seed": self.seed}
        for name, section in SECTIONS.items():
            entries = {entry.name: getattr(getattr(self, name), entry.name) for entry in fields(section)}
            if name == "formats":
                entries = {key: "exact" if value is None else str(value) for key, value in entries.items()}
            data[name] = {key: list(value) if isinstance(value, tuple) else value for key, value in entries.items()}
        if not self.learning.magnification:                    # files and digests of before have no such entry
            del data["learning"]["magnification"]
        return data

    @classmethod
    def from_dict(cls, data: Any) -> Network:
        """A description from plain data; what is not named has its default value."""
        arguments = parsed(data)
        if "layers" not in arguments:
            raise InputError("a network description must have layers, for example [784, 128, 10]")
        return cls(**arguments)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Network:
        try:
            data = json.loads(text.removeprefix(BYTE_ORDER_MARK))
        except (ValueError, RecursionError) as error:
            raise InputError(f"a network description must be valid JSON: {error}") from None
        return cls.from_dict(data)

    def to_toml(self) -> str:
        import tomli_w
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Network:
        try:
            data = tomllib.loads(text.removeprefix(BYTE_ORDER_MARK))
        except (ValueError, RecursionError) as error:            # ValueError: an integer of too many digits, too
            raise InputError(f"a network description must be valid TOML: {error}") from None
        return cls.from_dict(data)

    def binding(self) -> dict[str, Any]:
        """What two parties must agree on to compute equal bits from equal parameters, images and rates: plain data.

        All of ``to_dict`` but what only training reads: ``initialisation``; of ``learning`` the entries of ``TRAINING``; and
        ``seed``, unless links are drawn from it. ``halvings`` stays, because it says how small rates can become, by which
        hardware is built; ``epochs`` goes, because whoever teaches says when each rate comes into force.
        """
        data = self.to_dict()
        del data["initialisation"]
        for name in TRAINING:
            del data["learning"][name]
        if not self.wiring.drawn:
            del data["seed"]
        return data

    @property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) of the canonical JSON of ``binding``, with the names of ``BEFORE``."""
        data = self.binding()
        for section, names in BEFORE.items():
            words = {new: old for old, new in names.items()}
            data[section] = {words.get(name, name): value for name, value in data[section].items()}
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def with_learning(self, **changes: Any) -> Network:
        """The same network with some entries of ``learning`` replaced."""
        return replace(self, learning=replace(self.learning, **changes))


# Words of before, in files that were written then, and in the digest, which must stay what it was for bitstreams and models.
BEFORE = {"neuron": {"input_element": "input_population", "output_element": "output_population"}}

SECTIONS: dict[str, Any] = {"neuron": Neuron, "integration": Integration, "formats": Formats,
                            "initialisation": Initialisation, "learning": Learning, "wiring": Wiring}


def _renamed(section: str, entries: dict[str, Any]) -> dict[str, Any]:
    """The entries of a section under the names of today; an ``InputError`` if one is there under both."""
    before = BEFORE.get(section, {})
    for old, new in before.items():
        if old in entries and new in entries:
            raise InputError(f"{section}.{old} must not be beside {section}.{new}, its name today; leave it out")
    return {before.get(name, name): value for name, value in entries.items()}


def parsed(data: Any) -> dict[str, Any]:
    """The entries of a description as ``Network`` takes them, from plain data that may lack some; sections are checked.

    Raises
    ------
    InputError
        For the first entry that there is not or that cannot be used.
    """
    if not isinstance(data, dict):
        raise InputError(f"a network description must be a table, not {type(data).__name__}")
    known = {"layers", "seed", *SECTIONS}
    arguments: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            raise InputError(f"a network description has no entry {brief(key)}; it has {', '.join(sorted(known))}")
        if key in SECTIONS:
            if not isinstance(value, dict):
                raise InputError(f"{key} must be a table, not {brief(value)}")
            value = _renamed(key, value)
            names = [entry.name for entry in fields(SECTIONS[key])]
            for name in value:
                if name not in names:
                    raise InputError(f"{key} has no entry {brief(name)}; it has {', '.join(names)}")
            value = SECTIONS[key](**value)
        arguments[key] = value
    return arguments
