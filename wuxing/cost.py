"""What a network costs in hardware: bits of its parameters; by estimate clocks, cells and time of the core that learns it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from golden_model import parameters
from golden_model.errors import InputError
from golden_model.network import Network

if TYPE_CHECKING:
    from hdl.design import Design

TARGET = "ecp5"                           # of a core for which no board is named
FLOAT = "float arithmetic has no hardware; choose fixed"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Costs of one network; None where there is no core that learns it, or no board to ask.

    ``memory_bits``: of all parameters. ``cycles_per_image``, ``cycles_per_learnt_image``: exact, of images sent without pause,
    of learnt ones all with an error. ``cells``: logic cells of the core alone. ``microseconds_per_learnt_image``: at the
    clock of the board. ``fits``: whether core and host link fit the board. ``no_core``: the sentence that says why there is
    no core, else empty.
    """

    memory_bits: int
    board: str | None
    units: list[int] | None = None
    arrangement: str | None = None
    cycles_per_image: float | None = None
    cycles_per_learnt_image: float | None = None
    cells: int | None = None
    microseconds_per_learnt_image: float | None = None
    fits: bool | None = None
    no_core: str = ""


def of(network: Network, arithmetic: str, board: str | None, nonzero: int) -> Cost:
    """The cost of a network whose images have ``nonzero`` inputs that are not 0, on the board of that name or on none.

    Raises
    ------
    InputError
        If there is no such board.
    """
    check_board(board)
    bits = memory_bits(network)
    if arithmetic == "float":
        return Cost(memory_bits=bits, board=board, no_core=FLOAT)
    try:
        core = design(network, board)
    except InputError as error:
        return Cost(memory_bits=bits, board=board, no_core=str(error))
    from hdl import estimate
    from hdl.cells import core_cells
    clocks = estimate.clocks(core, nonzero)
    time = fits = None
    if board is not None and clocks.learnt is not None:
        from boards import fit, platforms
        platform = platforms.by_name(board)
        time, fits = clocks.learnt / platform.clock, fit.fit(platform, core).fits
    return Cost(memory_bits=bits, board=board, units=list(core.units), arrangement=core.arrangement,
                cycles_per_image=clocks.inferred, cycles_per_learnt_image=clocks.learnt, cells=core_cells(core).cells,
                microseconds_per_learnt_image=time, fits=fits)


def design(network: Network, board: str | None = None) -> Design:
    """The core that learns this network: what ``wuxing build`` chooses for the board, else one unit for each neuron.

    Raises
    ------
    InputError
        If there is no such core.
    """
    from hdl.design import Design
    if board is None:
        return Design(network=network, units=network.layers[1:], target=TARGET)
    from boards import fit, platforms
    return fit.chosen(platforms.by_name(board), network)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMemory:
    """A layer's inputs and neurons, parameters by kind, and bits of memory for those that a neuron or link has of its own.

    K is memory only where it is trained; else it is the description's, wired, and counts 0.
    """

    inputs: int
    neurons: int
    links: int
    biases: int
    K: int
    bits: int


def memory(network: Network) -> list[LayerMemory]:
    """Of every layer."""
    formats, result = network.formats, []
    for shapes in parameters.layer_shapes(network):
        neurons, inputs = shapes["weights"]
        couplings = shapes["coupling"][0] * shapes["coupling"][1] * neurons if network.learning.trains_K else 0
        result.append(LayerMemory(
            inputs=inputs, neurons=neurons, links=neurons * inputs, biases=neurons, K=couplings,
            bits=neurons * inputs * formats.weight.bits + neurons * formats.drive.bits + couplings * formats.coupling.bits))
    return result


def memory_bits(network: Network) -> int:
    """Bits of all parameters that a neuron or link has of its own."""
    return sum(layer.bits for layer in memory(network))


def nonzero_inputs(images: npt.NDArray[np.uint8]) -> int:
    """How many inputs of an image (n, inputs) are not 0 in the mean, as a whole number."""
    return round(np.count_nonzero(images) / len(images))


def check_board(name: str | None) -> None:
    """Raise an ``InputError`` unless it is None or the name of a board."""
    if name is None:
        return
    from boards.platforms import PLATFORMS
    if not isinstance(name, str) or name not in PLATFORMS:
        raise InputError(f"board must be one of {', '.join(PLATFORMS)}, not {name!r}; wuxing boards lists them")


def pareto(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Which rows no other row beats: none is as good in every column and better in one (less is better)."""
    def beats(one: Sequence[float], other: Sequence[float]) -> bool:
        return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)

    return [not any(beats(other, row) for other in costs) for row in costs]
