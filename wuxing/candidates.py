"""The settings among which ``wuxing tune`` chooses: drawn at random from those that made a difference on other data.

After J. Bergstra and Y. Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012: most settings matter little
on a given problem, which ones differs, and random choices waste no trainings on those that do not.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden_model.data.datasets import Dataset
from golden_model.errors import InputError
from golden_model.network import Network
from wuxing.options import Settings, default_layers

STREAM = 0x7EAE                           # tells these random numbers from others that start from the same seed
CHANGED = 2 / 3                           # the chance that a setting is drawn anew, and not as usual: what is usual is not bad
MOST_DRAWS = 20                           # for each setting that is wanted: some do not fit a board, or its words

# What each choice sets in a description, and its values; hidden layers and encodings follow from the data
ENTRIES: dict[str, tuple[str, ...]] = {
    "rate": ("learning.links", "learning.bias"), "dropout": ("learning.dropout",), "hidden": ("layers",),
    "input gain": ("initialisation.input_gain",), "gain": ("initialisation.gain",)}
VALUES: dict[str, Sequence[float]] = {
    "rate": (2**-3, 2**-4, 2**-5), "dropout": (0.0, 0.1, 0.2), "input gain": (1.1, 2.2, 3.3), "gain": (1.0, 1.8, 2.8)}
PICTURES_DROPOUT = (0.0, 0.1, 0.2, 0.3)
ENCODINGS = {"table": ("quantile", "minmax", "standard", "quantile thermometer:4"),
             "sequence": ("minmax", "standard", "quantile"), "image": ()}

Choices = Mapping[str, Any]               # by the names of ``ENTRIES``, and ``encoding``


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A setting that is tried: what is chosen in it, as text, and the network and the words of the encoding that follow.

    The first one is what ``wuxing train`` does by itself. ``encoding``: None: as usual for such data.
    """

    choices: Mapping[str, str]
    network: Network
    encoding: str | None


def axes(settings: Settings, data: Dataset) -> dict[str, Sequence[Any]]:
    """What is chosen among, by name: all that options and configuration file leave open."""
    described = settings.described()
    hidden = default_layers(data)[1]
    values: dict[str, Sequence[Any]] = VALUES | {"hidden": ((hidden // 2,), (hidden,), (2 * hidden,), (2 * hidden, hidden))}
    if data.of_images:
        values["dropout"] = PICTURES_DROPOUT
    result = {name: values[name] for name, entries in ENTRIES.items()
              if not any(_has(described, entry) for entry in entries)}
    if settings.recipe() is None and (words := ENCODINGS[data.kind]):
        result["encoding"] = words
    return result


def drawn(settings: Settings, data_of: Callable[[str | None], Dataset], count: int, epochs: int,
          arithmetic: str) -> list[Candidate]:
    """So many different settings, or all that there are; the first is what is usual, and the seed draws the others.

    ``data_of``: the data set with an encoding of these words. ``epochs``: of each network.

    Raises
    ------
    InputError
        If nothing is left to choose, or the usual network cannot be used.
    """
    usual = None if settings.recipe() is None else str(settings.recipe())
    data = data_of(usual)
    open_axes = axes(settings, data)
    if not open_axes:
        raise InputError("tune must have something left to choose, but options and configuration file say all; leave out one "
                         "of --layers, --learning-rate, --dropout and --encoding, and its entry in the file")
    first = _candidate(settings, {}, usual, data_of, epochs, arithmetic)
    first = replace(first, choices={name: _text(_usual(first, name, data)) for name in open_axes})
    candidates, known = [first], {_key(first, data)}
    random = np.random.default_rng([settings.seed or 0, STREAM])
    for _ in range(MOST_DRAWS * count):
        if len(candidates) == count:
            break
        choices = {name: values[int(random.integers(len(values)))] if random.random() < CHANGED else _usual(first, name, data)
                   for name, values in open_axes.items()}
        try:
            candidate = _candidate(settings, choices, usual, data_of, epochs, arithmetic)
        except InputError:                                # does not fit the board, or integers
            continue
        if (key := _key(candidate, data_of(candidate.encoding))) not in known:
            known.add(key)
            candidates.append(candidate)
    if len(candidates) == 1:
        raise InputError("tune must have two settings to compare, but none beside the usual one makes a network that can be "
                         "used; leave more of the settings open, or take a larger board")
    return candidates


def _candidate(settings: Settings, choices: Choices, usual: str | None, data_of: Callable[[str | None], Dataset],
               epochs: int, arithmetic: str) -> Candidate:
    encoding = choices.get("encoding", usual)
    data = data_of(encoding)
    described = settings.described()
    for name, value in choices.items():
        for entry in ENTRIES.get(name, ()):
            _set(described, entry, [data.train_images.shape[1], *value, data.classes] if name == "hidden" else value)
    network = settings.network(data, described)
    average = min(network.learning.average, epochs)
    network = network.with_learning(epochs=epochs, average=average)
    if arithmetic == "fixed":
        network.check_fixed()
    return Candidate(choices={name: _text(value) for name, value in choices.items()}, network=network, encoding=encoding)


def _usual(first: Candidate, name: str, data: Dataset) -> Any:
    """The value that an axis has in the first candidate."""
    if name == "encoding":
        return str(data.recipe)
    if name == "hidden":
        return first.network.layers[1:-1]
    section, _, entry = ENTRIES[name][0].partition(".")
    return getattr(getattr(first.network, section), entry)


def _key(candidate: Candidate, data: Dataset) -> tuple[str, str]:
    """Equal for candidates whose trainings are the same."""
    return candidate.network.to_json(), str(data.recipe)


def _has(described: Mapping[str, Any], entry: str) -> bool:
    section, _, name = entry.rpartition(".")
    return name in (described.get(section, {}) if section else described)


def _set(described: dict[str, Any], entry: str, value: Any) -> None:
    section, _, name = entry.rpartition(".")
    if section:
        described[section] = described.get(section, {}) | {name: value}
    else:
        described[name] = value


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
