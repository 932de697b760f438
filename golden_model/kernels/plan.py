"""What the compiled loops read: a network description translated into numbers and places.

``golden_model.engine`` fills these tables. What a layer has no use for is zero there; what a whole network has no use for is
None, and then the loops that would read it are not compiled.
"""
from __future__ import annotations

from typing import Any, NamedTuple

LANES = 16                                # neurons of a block
ROWS = 5                                  # of a block: one for each population of the ring
PROPORTIONAL, SIGN, PID = range(3)


class Plan(NamedTuple):
    """Sizes and places. Arrays have one entry per layer of neurons, all int64.

    Neurons stand at positions, ``own`` times ``tied`` of them: one for a layer that sees all its inputs. Tied positions have
    their parameters in common.
    """

    inputs: Any              # links of a neuron
    neurons: Any             # of one position: the channels of a convolution
    blocks: Any              # of one position
    own: Any                 # positions that have parameters of their own
    tied: Any                # positions, of each of these, that have them in common
    emissions: Any           # frames of which it passes on what its neurons say
    weight_at: Any           # first weight of the layer in ``Store.weights``
    unit_at: Any             # first neuron of the layer in ``Store.bias``, a multiple of LANES
    lane_at: Any             # first lane of the layer in states and errors; each position, or emission, has its own blocks
    signal_at: Any           # first input of the layer in a row of signals; one more entry: the outputs
    link_shift: Any
    reverse_shift: Any
    chunk: Any               # inputs whose products fit the narrow accumulator together
    lanes: int               # of all layers
    signals: int             # inputs of all layers and outputs
    steps: int
    output_row: int          # row of the output population forward, and of the input population in reverse
    forward_rows: Any        # three tuples of five: the row of K1, K2, K3 that row j uses
    reverse_rows: Any
    gate_rows: Any           # five: the forward row whose population gates row j of the reverse circuit
    frozen: int              # layers that are not trained


class Windows(NamedTuple):
    """What the positions of each layer see; a layer that sees all its inputs has one position.

    Also of a network of which a layer passes on several frames: its errors lie in their lanes like those of positions.
    """

    base_at: Any             # first position of the layer in ``bases``
    bases: Any               # the input at the first tap of each position, from the layer's first
    tap_at: Any              # first tap of the layer in ``taps``; one more entry
    taps: Any                # how far behind the first each tap's input is
    chunk: Any               # products r x that fit the narrow accumulator together
    whole: Any               # 1 for a layer that sees all its inputs from one position, else 0


class Frames(NamedTuple):
    """How recurrent layers run. Arrays have one entry per layer of neurons."""

    number: Any              # of frames; 0 for a layer that is not recurrent
    steps: Any               # for each frame
    course_at: Any           # first word of the layer in a course; one more entry
    pair_at: Any             # first of the layer's reciprocal links, which are held twice more
    exchange_shift: int      # from a sum over reciprocal links to a word
    kick_shift: int          # from gate times error to a word
    hold: Any                # what a sum over the steps of a frame is multiplied by: dt of reals, 1


class Words(NamedTuple):
    """Constants of the arithmetic, all in the type of the signals."""

    predictor: Any           # shift or factor of the half steps
    corrector: Any
    least: Any
    high: Any
    floor: Any
    margin: Any
    drive_least: Any
    drive_high: Any
    error_least: Any
    error_high: Any
    weight_least: Any
    weight_high: Any
    coupling_least: Any
    coupling_high: Any
    coupling_minimum: Any    # of K3
    drive_scale: Any
    rest: Any                # five, by row
    decode: Any              # (256,): the word of a byte


class Store(NamedTuple):
    """Parameters, and what pid instincts remember. ``coupling`` (3, 5, units) by row, or None for K = 1/2, 1/2, 1 by adders.

    Weights are [input, neuron], for each own position: an input that is zero is a row that is never touched. A memory is
    (integral or previous, ...) with the places of its parameters, in the wide type, or has no place at all.
    """

    weights: Any
    bias: Any
    coupling: Any
    rounding: Any            # None, or (shift, least, greatest) of the operand B
    mask: Any                # 1 for each weight whose link exists, else 0; empty: all exist
    links_memory: Any        # (2, weights)
    bias_memory: Any         # (2, units)
    coupling_memory: Any     # (2, 3, 5, units)
    upsets: Any = None       # None, or the table of ``golden_model.robustness.upsets``


class Instinct(NamedTuple):
    """How a parameter set learns in one epoch. Arrays: one entry per layer for links and biases, one for each of K."""

    kind: int                # PROPORTIONAL, SIGN or PID
    trains: Any
    rate: Any                # shifts or factors of what is proportional or pid
    step: Any                # the change of a sign instinct
    gains: Any               # (entries, 3): P, I and D in the wide type
    product_shift: Any       # from an exact sum of products to the word of it
    leak: Any                # shift or factor, in the wide type
    limits: Any              # of that word and of the integral: least, greatest, least, greatest, in the wide type


class Instincts(NamedTuple):
    links: Instinct
    bias: Instinct
    K: Instinct
