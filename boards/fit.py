"""Does a core fit a board? By the estimate of its cells (``hdl.estimate``) and the measured ones of what is beside it."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from boards.platforms import Platform
from boards.system import SLOTS, buffer_bytes
from golden_model.errors import InputError
from golden_model.network import Network
from hdl.cells import Cells, block_rams, core_cells
from hdl.design import Design, units_within, usual_arrangement

NAMES = {"cells": "logic cells", "flip_flops": "flip-flops", "multipliers": "multipliers", "block_rams": "block RAMs",
         "spram": "SPRAM blocks"}
USABLE = {"cells": 0.95, "flip_flops": 0.95}      # of all that there are: place and route needs some room
# Host link, PLL and reset without the link's buffers, as nextpnr packs a board with them less the core without. An iCE40UP5K is
# nearly full with a network of digits and has no cell to spare; ECP5 is given an eighth more than the 587 and 341 that it takes
LINK = {"ecp5": Cells(cells=660, flip_flops=390, multipliers=0, block_rams=0),
        "ice40": Cells(cells=650, flip_flops=335, multipliers=0, block_rams=0)}
SLOT_BYTES = 256                          # of the link's buffer for replies, each
SPRAM_WORDS, SPRAM_BITS = 16_384, 16
DIGITS = (784, 10)                        # inputs and outputs of the networks that capacities are stated for
# Entries of a network description that the multipliers of a family need: a bracket of 16 bits, and rates with which an input
# times the rate has as many
NEEDS: dict[str, dict[str, Any]] = {"ecp5": {}, "ice40": {"formats": {"bracket": "Q4.12"}, "learning": {"halvings": 3}}}
FOLDED = 4                                # folds of a layer from which on another arrangement is looked at
BEHIND_RECURRENT = 8                      # units of the array behind a recurrent layer, which takes far longer in any case
ROOM = 2                                  # hidden neurons by which the estimate of a full board is not to be trusted


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a design with its link needs of a board's device, ``parts``: by name how many, and how many there are."""

    platform: Platform
    design: Design
    parts: Mapping[str, tuple[int, int]]

    @property
    def missing(self) -> list[str]:
        """What there is too little of, as a person says it: "49,705 of 24,288 logic cells"."""
        return [f"{count:,} of {has:,} {NAMES[name]}" for name, (count, has) in self.parts.items()
                if count > USABLE.get(name, 1) * has]

    @property
    def fits(self) -> bool:
        return not self.missing


def fit(platform: Platform, design: Design) -> Fit:
    """The design with its host link on the board.

    Raises
    ------
    InputError
        If the design is for another family of devices.
    """
    if design.target != platform.target:
        raise InputError(f"the design must be of target {platform.target} for {platform.name}, not {design.target}; generate "
                         f"it for this board")
    core = asdict(core_cells(design)) | {"spram": _spram(design)}
    link = asdict(LINK[platform.target])
    link["block_rams"] += sum(block_rams(platform.target, words, 8)
                              for words in (buffer_bytes(design.network), SLOT_BYTES * SLOTS[platform.target]))
    return Fit(platform=platform, design=design, parts={name: (core.get(name, 0) + link.get(name, 0), has)
                                                        for name, has in platform.device.has.items()})


def _spram(design: Design) -> int:
    """Blocks of SPRAM that hold the weights of time-shared arrays."""
    return sum(array.units * -(-array.depth // SPRAM_WORDS) * -(-array.word_bits // SPRAM_BITS)
               for array in design.arrays if array.time_shared)


def check(platform: Platform, design: Design) -> Fit:
    """As ``fit``.

    Raises
    ------
    InputError
        Also if it does not fit: with what there is too little of, and what to shrink.
    """
    result = fit(platform, design)
    if result.fits:
        return result
    sizes = "-".join(map(str, design.network.layers))
    sentence = (f"{sizes} on {', '.join(map(str, design.units))} processing units must fit the {platform.device.name} of "
            f"{platform.title}, but needs {' and '.join(result.missing)}")
    smaller = _within(platform, design)
    if smaller is not None:
        units = f"--most-units {max(smaller.units)}"
        if any(wiring.reciprocal for wiring in design.network.wirings):       # which has all its units in any case
            units = f"--units {','.join(map(str, smaller.units))}"
        raise InputError(f"{sentence}; give {units}")
    inputs, outputs = design.network.layers[0], design.network.layers[-1]
    most = largest(platform, inputs, outputs, learns=design.learns) if len(design.network.layers) == 3 else None
    shrink = "choose fewer inputs or smaller layers"
    if most is not None:
        shrink = f"of {inputs}-H-{outputs} the largest that fits has H = {most.network.layers[1]}"
    raise InputError(f"{sentence}; {shrink}, or take a larger board")


def chosen(platform: Platform, network: Network, *, kind: str = "shift", learns: bool = True,
           arrangement: str | None = None) -> Design:
    """The design with the most processing units that fit; if none fits, that with the fewest, for ``check`` to refuse.

    ``arrangement``: by default the platform's; with convolutions or a recurrent layer ``usual_arrangement``; a time-shared
    array where one for each layer would have so few units (weights of two ports take twice the memory) that it is done sooner.

    Raises
    ------
    InputError
        If the network cannot be made a circuit for this device.
    """
    usual = arrangement or usual_arrangement(network, platform.arrangement)
    design = _of(platform, network, usual, kind=kind, learns=learns)
    if arrangement is None and usual == "parallel" and max(_folds(design)) >= FOLDED:
        try:
            alternative = _of(platform, network, "time-shared", kind=kind, learns=learns)
        except InputError:                                    # of its rest values, or of programmable neurons that learn no K
            return design
        # a word is read or written in a clock, so that an update takes twice the time
        sooner = 2 * sum(_folds(alternative)) <= max(_folds(design))
        if fit(platform, alternative).fits and (sooner or not fit(platform, design).fits):
            return alternative
    return design


def _of(platform: Platform, network: Network, arrangement: str, *, kind: str, learns: bool) -> Design:
    """``chosen`` in this arrangement."""
    recurrent = any(wiring.reciprocal for wiring in network.wirings)
    most = BEHIND_RECURRENT if recurrent else min(max(network.layers[1:]), platform.device.has["multipliers"])
    whole = Design(network=network, units=units_within(network, max(network.layers[1:]), arrangement), kind=kind,
                   target=platform.target, learns=learns, arrangement=arrangement)
    if not recurrent and fit(platform, whole).fits:
        return whole
    return _within(platform, whole, most) or replace(whole, units=units_within(network, 1, arrangement))


def _within(platform: Platform, design: Design, most: int | None = None) -> Design | None:
    """The same network with the most units in a layer with which it fits, at most ``most``, but none that spares no fold."""
    network = design.network

    def within(count: int) -> Design:
        return replace(design, units=units_within(network, count, design.arrangement))

    attempts = set()
    for count in range(most or max(network.layers[1:]), 0, -1):
        smaller = within(count)
        if smaller.units not in attempts and fit(platform, smaller).fits:
            while count > 1 and _folds(fewer := within(count - 1)) == _folds(smaller):
                count, smaller = count - 1, fewer
            return smaller
        attempts.add(smaller.units)
    return None


def _folds(design: Design) -> list[int]:
    return [layer.folds for layer in design.layers]


def network_for(target: str, layers: tuple[int, ...], wiring: tuple[str, ...] = ()) -> Network:
    """The description with its defaults; for iCE40 with words that its 16-bit multiplier takes."""
    return Network.from_dict(NEEDS[target] | {"layers": list(layers), "wiring": {"layers": list(wiring)}})


def described(platform: Platform, description: Mapping[str, Any], inputs: int, outputs: int, usual: int) -> dict[str, Any]:
    """A network description completed for a board; what it says itself stays.

    Words and rates become such as the board's multipliers take. Where ``layers`` are missing they become ``inputs``, one hidden
    layer, ``outputs``: a hidden layer of the ``usual`` size, or of the largest power of two that surely fits with learning.

    Raises
    ------
    InputError
        If layers are missing and no network with these words can be made a circuit for the board, or none is small enough.
    """
    completed = dict(description)
    for section, entries in NEEDS[platform.target].items():
        own = description.get(section, {})
        completed[section] = entries | own if isinstance(own, Mapping) else own    # what is no table, from_dict refuses
    if "layers" in completed:
        return completed

    def fits(hidden: int) -> bool:
        network = Network.from_dict(completed | {"layers": [inputs, hidden, outputs]})
        return fit(platform, chosen(platform, network)).fits

    sizes = [usual, *(1 << power for power in reversed(range(usual.bit_length())) if 1 << power < usual)]
    for hidden in sizes:
        if fits(hidden + ROOM):
            return completed | {"layers": [inputs, hidden, outputs]}
    raise InputError(f"{platform.title} must hold a network {inputs}-H-{outputs}, but not even H = {sizes[-1]} fits; take a "
                     f"larger board or smaller images")


def largest(platform: Platform, inputs: int = DIGITS[0], outputs: int = DIGITS[1], *, folded: bool = True,
            learns: bool = True) -> Design | None:
    """The design with the largest hidden layer that fits, the most units of those; None if one neuron is too much.

    ``folded``: a unit may serve several neurons; else each has its own. A time-shared array has four.
    """
    def fitting(hidden: int) -> Design | None:
        network = network_for(platform.target, (inputs, hidden, outputs))
        if folded and platform.arrangement == "time-shared":
            design = Design(network=network, target=platform.target, learns=learns, arrangement="time-shared")
        elif folded:
            design = chosen(platform, network, learns=learns)
        else:
            design = Design(network=network, target=platform.target, learns=learns, arrangement=platform.arrangement,
                            units=units_within(network, max(network.layers[1:]), platform.arrangement))
        return design if fit(platform, design).fits else None

    return greatest(fitting)


def greatest(fitting: Callable[[int], Design | None]) -> Design | None:
    """The design of the greatest size 1, 2, ... for which there is one, where a greater network takes more; None if there is
    none."""
    best, low, high = None, 0, 1
    while (design := fitting(high)) is not None:
        best, low, high = design, high, 2 * high
    while high - low > 1:                                 # low fits, high does not
        middle = (low + high) // 2
        if (design := fitting(middle)) is not None:
            best, low = design, middle
        else:
            high = middle
    return best
