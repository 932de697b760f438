"""Does a core fit a board? By the estimate of its cells (``hdl.estimate``) and the measured ones of what is beside it."""
from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from boards.platforms import Board
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Network
from hdl import estimate
from hdl.design import Design, elements_within
from hdl.estimate import Cells

NAMES = {"cells": "logic cells", "flip_flops": "flip-flops", "multipliers": "multipliers", "block_rams": "block RAMs"}
USABLE = {"cells": 0.95, "flip_flops": 0.95, "multipliers": 1.0, "block_rams": 1.0}     # place and route needs some room
# Host link, PLL and reset, as synthesised with a divisor of 50 (ECP5) and 12 (iCE40)
LINK = {"ecp5": Cells(cells=500, flip_flops=400, multipliers=0, block_rams=4),
        "ice40": Cells(cells=450, flip_flops=400, multipliers=0, block_rams=6)}
DIGITS = (784, 10)                        # inputs and outputs of the networks that capacities are stated for


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a design needs of a board's device, ``needs``, and what of it may be used."""

    board: Board
    design: Design
    needs: Cells

    @property
    def parts(self) -> dict[str, tuple[int, int]]:
        """By name of ``Cells``: how many are needed, and how many the device has."""
        return {name: (count, self.board.device.has[name]) for name, count in asdict(self.needs).items()}

    @property
    def missing(self) -> list[str]:
        """What there is too little of, as a person says it: "49,705 of 24,288 logic cells"."""
        return [f"{count:,} of {has:,} {NAMES[name]}" for name, (count, has) in self.parts.items()
                if count > USABLE[name] * has]

    @property
    def fits(self) -> bool:
        return not self.missing


def fit(board: Board, design: Design) -> Fit:
    """The design with its host link on the board.

    Raises
    ------
    InputError
        If the design is for another family of devices.
    """
    if design.target != board.target:
        raise InputError(f"the design must be of target {board.target} for {board.name}, not {design.target}; generate it for "
                         f"this board")
    return Fit(board=board, design=design, needs=estimate.cells(design) + LINK[board.target])


def check(board: Board, design: Design) -> Fit:
    """As ``fit``.

    Raises
    ------
    InputError
        Also if it does not fit: with what there is too little of, and what to shrink.
    """
    found = fit(board, design)
    if found.fits:
        return found
    sizes = "-".join(map(str, design.network.layers))
    said = (f"{sizes} on {', '.join(map(str, design.elements))} processing elements must fit the {board.device.name} of "
            f"{board.title}, but needs {' and '.join(found.missing)}")
    smaller = _within(board, design)
    if smaller is not None:
        raise InputError(f"{said}; give --most-elements {max(smaller.elements)}")
    inputs, outputs = design.network.layers[0], design.network.layers[-1]
    most = largest(board, inputs, outputs, learns=design.learns) if len(design.network.layers) == 3 else None
    shrink = "choose fewer inputs or smaller layers"
    if most is not None:
        shrink = f"of {inputs}-H-{outputs} the largest that fits has H = {most.network.layers[1]}"
    raise InputError(f"{said}; {shrink}, or take a larger board")


def chosen(board: Board, network: Network, *, kind: str = "shift", learns: bool = True) -> Design:
    """The design with the most processing elements that fit; if none fits, that with the fewest, for ``check`` to refuse.

    Raises
    ------
    InputError
        If the network cannot be made a circuit for this device.
    """
    whole = Design(network=network, kind=kind, target=board.target, learns=learns)
    if fit(board, whole).fits:
        return whole
    return _within(board, whole) or replace(whole, elements=elements_within(network, 1))


def _within(board: Board, design: Design) -> Design | None:
    """The same network with the most elements in a layer with which it fits."""
    network = design.network
    tried = set()
    for most in range(max(network.layers[1:]), 0, -1):
        elements = elements_within(network, most)
        if elements not in tried and fit(board, smaller := replace(design, elements=elements)).fits:
            return smaller
        tried.add(elements)
    return None


def network_for(target: str, layers: tuple[int, ...]) -> Network:
    """The description with its defaults; for iCE40 with words that its 16-bit multiplier takes."""
    network = Network(layers=layers)
    if target != "ice40":
        return network
    return replace(network, formats=replace(network.formats, bracket=Format(16, 12)),
                   learning=replace(network.learning, halvings=3))


def largest(board: Board, inputs: int = DIGITS[0], outputs: int = DIGITS[1], *, folded: bool = True,
            learns: bool = True) -> Design | None:
    """The design with the largest hidden layer that fits, the most elements of those; None if one neuron is too much.

    ``folded``: an element may serve several neurons; else each has its own.
    """
    def made(hidden: int) -> Design | None:
        network = network_for(board.target, (inputs, hidden, outputs))
        if folded:
            found = chosen(board, network, learns=learns)
        else:
            found = Design(network=network, target=board.target, learns=learns)
        return found if fit(board, found).fits else None

    best, low, high = None, 0, 1
    while (found := made(high)) is not None:
        best, low, high = found, high, 2 * high
    while high - low > 1:                                 # low fits, high does not
        middle = (low + high) // 2
        if (found := made(middle)) is not None:
            best, low = found, middle
        else:
            high = middle
    return best
