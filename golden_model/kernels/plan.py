"""What the compiled loops read: a network description translated into numbers and places.

``golden_model.tables`` fills these records and arrays. Their types depend on nothing but the type of words: what a network has
no use for is zero or empty, so that networks of all kinds have their compiled code in common.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

LANES = 16                                # neurons of a block
ROWS = 5                                  # of a block: one for each population of the ring
PROPORTIONAL, SIGN, PID = range(3)

# Sizes and places of one layer, all int64. Neurons stand at positions, ``own`` times ``tied`` of them: one for a layer that
# sees all its inputs. Tied positions have their parameters in common.
LAYER = np.dtype([(name, np.int64) for name in (
    "inputs",            # links of a neuron
    "neurons",           # of one position: the channels of a convolution
    "blocks",            # of one position
    "own",               # positions that have parameters of their own
    "tied",              # positions, of each of these, that have them in common
    "emissions",         # frames of which it passes on what its neurons say
    "weight_at",         # first weight of the layer in ``Store.weights``
    "unit_at",           # first neuron of the layer in ``Store.bias``, a multiple of LANES
    "lane_at",           # first lane of the layer in states and errors; each position, or emission, has its own blocks
    "signal_at",         # first input of the layer in a row of signals
    "output_at",         # what its neurons say: the first input of the layer after it, or output of the network
    "link_shift",
    "reverse_shift",
    "chunk",             # inputs whose products fit the narrow accumulator together
    "windowed",          # 1 for a layer whose positions see its inputs through windows
    "spread",            # 1 if the layer before has several positions or emissions, in whose lanes its errors lie
    "base_at",           # first position of the layer in ``Store.bases``
    "tap_at",            # first tap of the layer in ``Store.taps``
    "taps",              # how many: inputs that a position sees
    "chunk_of_products",  # products r x that fit the narrow accumulator together
    "frames",            # that a recurrent layer runs through; 0 for a layer that is not recurrent
    "steps",             # for each frame
    "course_at",         # first word of the layer in a course
    "course_end",
    "pair_at",           # first of the layer's reciprocal links, which are held twice more
)], align=True)


def constants_type(word: Any, wide: Any) -> np.dtype[Any]:
    """The record of what all layers have in common, for signals of the type ``word`` and exact sums of the type ``wide``."""
    words = [(name, word) for name in (
        "predictor",     # shift or factor of the half steps
        "corrector",
        "least", "high", "floor", "margin",
        "drive_least", "drive_high", "error_least", "error_high", "weight_least", "weight_high",
        "coupling_least", "coupling_high",
        "coupling_minimum",                       # of K3
        "bracket_shift", "bracket_least", "bracket_high",    # of the operand B, where it is rounded
        "drive_scale")]
    places = [(name, np.int64) for name in (
        "steps",
        "output_row",    # row of the output population forward, and of the input population in reverse
        "frozen",        # layers that are not trained
        "exchange_shift",                         # from a sum over reciprocal links to a word
        "kick_shift")]                            # from gate times error to a word
    return np.dtype([
        *words, *places,
        ("hold", wide),                           # what a sum over the steps of a frame is multiplied by: dt of reals, 1
        ("rest", word, (ROWS,)),                  # by row
        ("decode", word, (256,)),                 # the word of a byte
        ("rows", np.int64, (2, 3, ROWS)),         # forward and in reverse: the row of K1, K2, K3 that row j uses
        ("gate_rows", np.int64, (ROWS,)),         # the forward row whose population gates row j of the reverse circuit
    ], align=True)


def instinct_type(word: Any, wide: Any) -> np.dtype[Any]:
    """The record of how a parameter set of a layer learns in one epoch."""
    shift = np.int64 if np.dtype(word).kind == "i" else word
    return np.dtype([
        ("kind", np.int64),                       # PROPORTIONAL, SIGN or PID
        ("trains", np.int64),                     # 0 or 1
        ("rate", shift),                          # shift or factor of what is proportional or pid
        ("step", word),                           # the change of a sign instinct
        ("product_shift", np.int64),              # from an exact sum of products to the word of it
        ("leak", wide),                           # shift or factor
        *((name, wide) for name in ("gain_P", "gain_I", "gain_D", "product_least", "product_high", "integral_least",
                                    "integral_high")),
    ], align=True)


class Store(NamedTuple):
    """Parameters, what pid instincts remember, and what goes with their places.

    Weights are [input, neuron], for each own position: an input that is zero is a row that is never touched. A memory is
    (integral or previous, ...) with the places of its parameters, in the wide type, or has no place at all.
    """

    weights: Any
    bias: Any                # (units,)
    coupling: Any            # (3, 5, units) by row
    mask: Any                # 1 for each weight whose link exists, else 0; empty: all exist
    links_memory: Any        # (2, weights)
    bias_memory: Any         # (2, units)
    coupling_memory: Any     # (2, 3, 5, units)
    bases: Any               # the input at the first tap of each position, from the layer's first
    taps: Any                # how far behind the first each tap's input is
    upsets: Any              # the table of ``golden_model.robustness.upsets``; empty: none


class Instincts(NamedTuple):
    """Records: of links and of biases one for each layer, of K one for each of K1, K2, K3."""

    links: Any
    bias: Any
    K: Any


class Calls(NamedTuple):
    """Addresses of kernels, chosen for a network; 0: it has no use for that one."""

    settle: int = 0          # circuit.settle, forward
    settle_back: int = 0     # the same in reverse
    drives: int = 0          # taps.drives
    sums_back: int = 0       # taps.reverse_sums
    update: int = 0          # taps.update
    coupling: int = 0        # change.update_coupling
    run: int = 0             # exchange.run
    learn: int = 0           # exchange.learn
    half: int = 0            # circuit.half_step_of_all, forward, for the two before
    half_back: int = 0       # the same in reverse


class Work(NamedTuple):
    """Work space of one image on its way forward; word, wide and exact are types, and sizes those of the greatest layer."""

    narrow: Any              # word (lanes,)
    total: Any               # wide (lanes,)
    drives: Any              # word (lanes of all positions,)
    active: Any              # int64 (inputs + 1,): which are not zero
    values: Any              # word (inputs + 1,): what they are
    hit: Any                 # uint64 (8,): what ``upsets.aim`` writes and ``upsets.strike`` reads
    there: Any               # exact: reciprocal links [pre, post] of all layers, and
    back: Any                # [post, pre]; empty, as all that follows, without recurrent layers
    gained: Any              # word (lanes,): what a step brings
    lost: Any                # word (lanes,): what it takes
    heard: Any               # exact (lanes,): signals of a population
    sums: Any                # exact (LANES,)
    predictor: Any           # word (lanes * ROWS,)


class Room(NamedTuple):
    """What learning needs besides, for the images of a batch."""

    signals: Any             # word (images, signals)
    states: Any              # word (images, lanes * ROWS), and so are
    reverse_states: Any
    courses: Any             # word (images, words): states of recurrent layers before each step and after the last
    errors: Any              # word (images, lanes)
    r: Any                   # word (images, lanes)
    gates: Any               # word (lanes * ROWS,)
    erring: Any              # int64 (images,): 1 for images that had an error
    sums: Any                # wide: sums over links, or over images, of the greatest layer
    circuits: Any            # word (4, lanes * ROWS) of a recurrent layer: gates after and before a step, states now and then
    silent: Any              # word (lanes,) of zeros
    of_steps: Any            # exact (5, instants * lanes) of the greatest recurrent layer
    of_frames: Any           # exact (frames * lanes,)
    products: Any            # exact (inputs * lanes,)
    of_bias: Any             # exact (lanes,)
    of_inputs: Any           # int64 (inputs,): 1 for inputs that were not zero
