"""Upsets: single bits of state words that flip while neurons settle. Which ones is a hash of where and when, nothing else.

A state word is hit before a step with a probability, and one of its bits, any of them, flips. The hash is the finaliser of
SplitMix64 (Steele, Lea, Flood 2014), applied to one number after the other: seed; number of the image since the model was made;
way (0 forward, 1 reverse) and layer; step and population; neuron. Order of computing and size of batches change nothing of it.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from golden_model.compiling import kernel
from golden_model.kernels.plan import LANES, ROWS
from golden_model.kernels.words import cast, clamp

put: Any = cast                           # whose first argument, the typing context, is Numba's affair
Array = npt.NDArray[Any]
FORWARD, REVERSE = 0, 1
KEY, THRESHOLD, BITS, NUMBER, FIRST, TURN = range(6)      # what ``table`` holds, all uint64
G, A, B = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
S27, S30, S31, S32 = (np.uint64(each) for each in (27, 30, 31, 32))
LOW, ONE = np.uint64(0xFFFFFFFF), np.uint64(1)


def _mixed(key: Any, number: Any) -> Any:
    x = (key ^ number) + G
    x = (x ^ (x >> S30)) * A
    x = (x ^ (x >> S27)) * B
    return x ^ (x >> S31)


mixed_word = njit(forceinline=True)(_mixed)


def mixed(key: Array, number: Any) -> Array:
    """The hash of ``key`` and one more number; uint64 arrays, of which one has an axis at least. Any shapes that broadcast."""
    return np.asarray(_mixed(np.asarray(key, np.uint64), np.asarray(number, np.uint64)))


def threshold(share: float) -> int:
    """Of the upper 32 bits of a hash: below it a word is hit."""
    return round(share * 2**32)


def place(high: int, low: int) -> int:
    """Two numbers below 2**32 in one."""
    return high << 32 | low


def masks(seed: int, numbers: Array, way: int, layer: int, step: int, neurons: int, share: float, bits: int) -> Array:
    """What to exclusive-or state words with before a step: int64 (populations, images, neurons).

    ``numbers`` (images,); populations are those of the forward ring, whichever way. Words have ``bits`` bits, of which the sign
    reaches up to the end of an int64.
    """
    image = mixed(mixed(np.array([seed]), numbers), place(way, layer))
    populations = np.arange(ROWS, dtype=np.uint64) + np.uint64(step << 32)
    hashes = mixed(mixed(image[None, :], populations[:, None])[:, :, None], np.arange(neurons))
    bit = ((hashes & LOW) * np.uint64(bits) >> S32).astype(np.int64)
    flipped = np.where(bit == bits - 1, -1 << bits - 1, np.int64(1) << bit)
    return np.where((hashes >> S32) < np.uint64(threshold(share)), flipped, 0)


def table(seed: int, share: float, bits: int, input_population: int, output_row: int) -> Array:
    """What compiled loops read; entry ``NUMBER`` counts the images that were settled forward."""
    return np.array([seed, threshold(share), bits, 0, input_population, output_row], np.uint64)


@kernel
def aim(hit: Any, upsets: Any, back: Any, way: Any, layer: Any, neurons: Any, blocks: Any) -> None:
    """Write what ``strike`` reads for one image, way and layer. ``back``: images since the one that is meant.

    ``hit`` (8,) uint64, ``upsets`` as ``table`` has them; ``neurons`` and ``blocks``: those of each position.
    """
    image = mixed_word(upsets[KEY], upsets[NUMBER] - np.uint64(back))
    hit[0] = mixed_word(image, np.uint64(way) << S32 | np.uint64(layer))
    hit[1], hit[2], hit[3], hit[4] = upsets[THRESHOLD], upsets[BITS], upsets[FIRST], upsets[TURN]
    hit[5], hit[6], hit[7] = np.uint64(way), np.uint64(neurons), np.uint64(blocks)


@kernel
def strike(state: Any, at: Any, block: Any, step: Any, hit: Any, lows: Any, high: Any) -> None:
    """Flip bits in the words of a block before a step, in place; populations stay at 0 or above. Padding is left alone.

    ``state`` (words,), ``hit`` (8,), ``lows`` (5,).
    """
    key, limit, bits, way = hit[0], hit[1], hit[2], np.int64(hit[5])
    first, turn, neurons, blocks = np.int64(hit[3]), np.int64(hit[4]), np.int64(hit[6]), np.int64(hit[7])
    position, block = block // blocks, block % blocks
    for row in range(ROWS):
        population = (first + row) % ROWS if way == FORWARD else (first + turn - row) % ROWS
        here = mixed_word(key, np.uint64(step) << S32 | np.uint64(population))
        for lane in range(min(LANES, neurons - block * LANES)):
            word = mixed_word(here, np.uint64(position * neurons + block * LANES + lane))
            if word >> S32 < limit:
                bit = (word & LOW) * bits >> S32
                flipped = np.int64(1) << np.int64(bit)
                if bit == bits - np.uint64(1):
                    flipped = -flipped
                s = state[at + row * LANES + lane]
                state[at + row * LANES + lane] = clamp(put(np.int64(s) ^ flipped, s), lows[row], high)
