"""Remedies that suffice for hardware: changes of a description, each tried out before it is named, that a multiplier takes."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from golden_model.errors import InputError
from golden_model.fixed_point import Format

if TYPE_CHECKING:
    from hdl.choices import Choices

LEAST = 4                                 # fraction bits that are tried
_trying: ContextVar[bool] = ContextVar("trying", default=False)


def remedy(design: Choices) -> str:
    """What to set so that ``design`` is accepted: the longest words that the operands of its target take, with as many halvings
    as can be."""
    if _trying.get():                     # the sentence of a design that is only tried is read by nobody
        return ""
    token = _trying.set(True)
    try:
        for changes in _candidates(design):
            if _accepted(design, changes):
                return "set " + ", ".join(f"{section}.{name} = {value if section == 'learning' else json.dumps(str(value))}"
                                          for section, entries in changes.items() for name, value in entries.items())
    finally:
        _trying.reset(token)
    return "choose formats of fewer bits"


def _candidates(design: Choices) -> Iterator[dict[str, dict[str, Any]]]:
    most, formats, halvings = design.operand_bits, design.network.formats, design.network.learning.halvings
    if design.learns and design.network.learning.magnification:
        yield {"learning": {"magnification": []}}
    for fraction in range(min(formats.displacement.fraction, most - 2), LEAST - 1, -1):
        narrow = {"displacement": _cut(formats.displacement, fraction, most - 2),            # it is doubled, and a gate
                  "drive": _cut(formats.drive, fraction, most), "error": _cut(formats.error, fraction, most)}
        for weight in {formats.weight.fraction: 0, most - 2: 0, fraction: 0}:
            words = narrow | {"weight": _cut(formats.weight, min(weight, formats.weight.fraction), most)}
            for bracket in (formats.bracket, Format(most, fraction)):
                for fewer in range(halvings, -1, -1) if design.learns else (halvings,):
                    changed = {name: word for name, word in (words | {"bracket": bracket}).items()
                               if word != getattr(formats, name)}
                    yield {"formats": changed, "learning": {"halvings": fewer} if fewer != halvings else {}}


def _cut(word: Format, fraction: int, most: int) -> Format:
    """So many fraction bits, and at most so many altogether; at least the sign."""
    return Format(max(min(word.bits - word.fraction + fraction, most), fraction + 1), fraction)


def _accepted(design: Choices, changes: dict[str, dict[str, Any]]) -> bool:
    network = design.network
    try:
        replace(design, network=replace(network, **{name: replace(getattr(network, name), **entries)
                                                    for name, entries in changes.items()}))
    except InputError:
        return False
    return True
