"""What a design costs: clocks, exactly (``hdl.timing``), and bits of memory. For cells of an FPGA see ``hdl.cells``."""
from __future__ import annotations

import functools
from dataclasses import dataclass

from hdl import timing
from hdl.design import Design
from hdl.frames import MOST_COUNT

WARM_UP, MEASURED = 12, 24                # images before and within the steady state
CLOCKS = {"ecp5": 100.0, "ice40": 24.0}   # MHz that a core is to reach at least


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Per image, in the steady state of equal images sent without pause; ``latency`` from the first word to the reply."""

    inferred: float
    latency: int
    learnt: float | None
    learnt_without_error: float | None


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bits of a core's memories."""

    weights: int
    lists: int
    queues: int


# ----------------------------------------------------------------- clocks

@functools.lru_cache(maxsize=256)                         # several boards have the same chip
def clocks(design: Design, nonzero: int) -> Clocks:
    """Clocks of images with ``nonzero`` inputs that are not 0, evenly spread, and no output that is.

    Raises
    ------
    InputError
        If there are not so many inputs.
    """
    inputs = design.network.layers[0]
    spread = [(place + 1) * nonzero // inputs > place * nonzero // inputs for place in range(inputs)]
    hidden = tuple([True] * size for size in design.network.layers[1:-1])

    def period(learn: bool, error: bool) -> tuple[float, int]:
        image = timing.Image(nonzero=nonzero, inputs=spread, hidden=hidden, learn=learn, error=error)
        answered = timing.answers(design, [image] * (WARM_UP + MEASURED))
        return (answered[-1] - answered[WARM_UP - 1]) / MEASURED, answered[0] + 1

    inferred, latency = period(learn=False, error=False)
    learns = design.learns
    return Clocks(inferred=inferred, latency=latency, learnt=period(learn=True, error=True)[0] if learns else None,
                  learnt_without_error=period(learn=True, error=False)[0] if learns else None)


# ----------------------------------------------------------------- memory

def memory(design: Design) -> Memory:
    """Memories of weights and of K; the lists of inputs (two banks), the images of convolutions and the words of a WRITE; the
    queues of errors and outputs, and sums."""
    layers = design.network.layers
    words = -(-layers[0] // 4)
    place = (words - 1).bit_length()
    lists = (2 << place) * (36 + place) + 32 * (MOST_COUNT + 1)
    queues = 0
    for layer in design.layers:
        formats = layer.formats
        if layer.walked is not None:
            lists += layer.inputs * (formats.displacement.bits if layer.index else 8)
        elif layer.index:
            lists += (2 << (layer.inputs - 1).bit_length()) * (formats.displacement.bits + layer.inputs.bit_length())
    queues += layers[-1] * design.network.formats.displacement.bits
    queues += sum((array.last.neurons + 1) * array.formats.error.bits for array in design.arrays
                  if array.learns or (design.learns and array is design.arrays[-1]))
    queues += sum(array.reverse_words * array.reverse_sum_bits for array in design.arrays if array.reverses)
    queues += sum(array.units * array.gathered_words * array.gathered_bits for array in design.arrays if array.gathers)
    weights = sum(array.units * shape.depth * shape.word_bits for array in design.arrays for shape in array.memories.values())
    return Memory(weights=weights, lists=lists, queues=queues)
