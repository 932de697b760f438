"""Remedies that suffice: changes of a description, each tried out before it is named, after which its integers exist."""
from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from golden_model.errors import InputError
from golden_model.fixed_point import Format

if TYPE_CHECKING:
    from golden_model.network import Network

RATES = ("links", "bias", "K1", "K2", "K3")
FINEST, COARSEST = 30, 3                  # fraction bits that are tried, from the first downwards
WIDEST = (62, 16, 8, 4, 2, 1)             # bits before the point that are tried
BYTE = 8                                  # fraction bits that an input keeps, for the bytes of images


def remedy(network: Network) -> str:
    """What to choose so that every exact sum fits: entries of the description with values, as ``learning.links = 2**-2``.

    The first of these that suffices: one greater rate, one narrower format, all rates greater, fewer halvings, narrower
    formats, these with the greatest rates and with batches of one image.
    """
    tried: set[frozenset[tuple[Any, Any]]] = set()        # cutting a word at 30 and at 20 bits comes to the same if it has 12
    for changes in _candidates(network):
        if (key := frozenset(changes.items())) in tried:
            continue
        tried.add(key)
        if _suffices(network, changes):
            return ", ".join(f"{section}.{name} = {_text(value)}" for (section, name), value in changes.items())
    return "the default formats, rates and batch, and fewer inputs of a neuron"


Changes = dict[tuple[str, str], Any]


def _candidates(network: Network) -> Iterator[Changes]:
    learning = network.learning
    rates = {name: getattr(learning, name) for name in RATES if getattr(learning, name)}
    for name, rate in rates.items():
        for exponent in range(math.frexp(rate)[1], 2):
            yield {("learning", name): 2.0 ** (exponent - 1)}
    for entry in fields(network.formats):
        if (word := getattr(network.formats, entry.name)) is not None:
            yield from ({("formats", entry.name): str(cut)} for most in WIDEST for fraction in range(FINEST, COARSEST, -1)
                        if (cut := _cut(word, fraction, most)) != word)
    for times in range(1, 1076):
        greater = {("learning", name): min(rate * 2.0**times, 1.0) for name, rate in rates.items()}
        yield {key: value for key, value in greater.items() if value != rates[key[1]]}
        if set(greater.values()) <= {1.0}:
            break
    halvings: list[Changes] = [{("learning", "halvings"): fewer} for fewer in reversed(range(learning.halvings))]
    yield from halvings
    fastest: Changes = {("learning", name): 1.0 for name, rate in rates.items() if rate != 1}
    least: Changes = halvings[-1] if halvings else {}
    formats = list(_narrower(network))
    yield from formats
    for more in (fastest, fastest | least):
        yield more
        for changes in formats:
            yield more | changes
    single: Changes = {("learning", "batch"): 1}
    yield single
    for changes in formats:
        yield fastest | single | changes
        yield fastest | least | single | changes


def _narrower(network: Network) -> Iterator[Changes]:
    """Formats with fewer bits before or behind the point; K keeps its format where it needs it."""
    words = {entry.name: word for entry in fields(network.formats)
             if (word := getattr(network.formats, entry.name)) is not None}
    for most in WIDEST:
        for fraction in range(FINEST, COARSEST, -1):
            narrow = {name: _cut(word, max(fraction, BYTE) if name == "input" else fraction, most)
                      for name, word in words.items()}
            for kept in ((), ("coupling",)):
                choice = narrow | {name: words[name] for name in kept}
                if "bracket" in choice:
                    least = choice["displacement"].fraction
                    bits = min(max(words["bracket"].fraction, least), least + choice["coupling"].fraction)
                    whole = min(words["bracket"].bits - words["bracket"].fraction, max(most, 8))
                    choice["bracket"] = Format(whole + bits, bits)
                yield {("formats", name): str(word) for name, word in choice.items() if word != words[name]}


def _cut(word: Format, fraction: int, whole: int) -> Format:
    fraction, whole = min(word.fraction, fraction), min(word.bits - word.fraction, whole)
    return Format(max(fraction + whole, 1), fraction, word.signed)


def _text(value: Any) -> str:
    """As a description has it; rates as powers of two."""
    return f"2**{math.frexp(value)[1] - 1}" if isinstance(value, float) and value != 1 else json.dumps(value).removesuffix(".0")


def _suffices(network: Network, changes: Changes) -> bool:
    if not changes:
        return False
    sections: dict[str, dict[str, Any]] = {}
    for (section, name), value in changes.items():
        sections.setdefault(section, {})[name] = Format.parse(value) if section == "formats" else value
    try:
        changed = replace(network, **{name: replace(getattr(network, name), **entries) for name, entries in sections.items()})
        changed.check_words()
    except InputError:
        return False
    return changed.fits()
