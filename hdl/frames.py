"""The frames that a core understands and answers, as data. ``docs/registers.md`` says the same in words.

A frame is a list of 32-bit words, the first one its header. The gateware (``hdl.commands``) and everything that talks to
it (``sim``, ``boards``) take opcodes, status codes and fields from here.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from golden_model.errors import DeviceError

MAGIC = 0x31585557                        # "WUX1", least byte first
REPLY = 0x80                              # set in the opcode of every reply
WANT_OUTPUTS = 0x01                       # option of INFER and LEARN: the reply carries the output displacements
MOST_COUNT = 255                          # parameters of one WRITE or READ frame
STATUS_WORDS = 12
NO_RATE_SHIFT = 0xFF                      # in place of a rate shift: a rate of zero
REVISION = 1                              # of this command set, as STATUS tells it
LEARNING, OWN_K, K_LEARNING = 0x01, 0x02, 0x04      # capabilities: LEARN and RATE; neurons with K of their own, which learns


class Opcode(IntEnum):
    """Header bits [7:0]."""

    STATUS = 0x01
    WRITE = 0x02
    READ = 0x03
    INFER = 0x04
    LEARN = 0x05
    RATE = 0x06
    RESET = 0x07


class Status(IntEnum):
    """Reply header bits [15:8]."""

    OK = 0
    UNKNOWN = 1                           # no such opcode
    SHORT = 2                             # tlast before the last word
    LONG = 3                              # words after the last one
    ADDRESS = 4                           # no such layer, neuron or parameter; or a count of 0 or above MOST_COUNT
    LABEL = 5                             # no such output
    NO_IMAGE = 6                          # LEARN without an image
    RATE = 7                              # a rate shift outside the range of this core
    NO_LEARNING = 8                       # the core was generated without learning


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply taken apart. ``argument`` is header bits [31:16], ``words`` what follows the header."""

    opcode: int
    status: Status
    argument: int
    words: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class StatusReport:
    """The payload of a STATUS reply."""

    magic: int
    digest: int                           # first 64 bits of the network's digest
    inferred: int                         # INFER frames answered since reset
    learnt: int                           # LEARN frames answered since reset
    changed: int                          # of those, images that had an error and changed parameters
    refused: int                          # frames answered with a status other than OK
    cycles: int                           # clock cycles since reset, modulo 2**32
    links_rate_shift: int | None          # learning rate 2**-n in force; None: these parameters are not learnt
    bias_rate_shift: int | None
    last_error: Status                    # of the last refused frame
    revision: int                         # of the command set
    learns: bool                          # LEARN and RATE exist
    programmable: bool                    # neurons have K of their own
    links_rate_shifts: range              # that RATE takes; empty: these parameters are not learnt
    bias_rate_shifts: range
    K_rate_shift: int | None              # of the fastest of K1, K2 and K3
    K_rate_shifts: range


def header(opcode: int, option: int = 0, argument: int = 0) -> int:
    """A request header: opcode [7:0], layer or option [15:8], count or label [31:16]."""
    return opcode | option << 8 | argument << 16


def status() -> list[int]:
    return [header(Opcode.STATUS)]


def reset() -> list[int]:
    return [header(Opcode.RESET)]


def rate_shifts(links_rate_shift: int | None, bias_rate_shift: int | None, K_rate_shift: int | None = None) -> list[int]:
    """Rates 2**-n for the LEARN frames that follow; None for parameters that are not learnt. That of K is the one of the
    fastest of K1, K2 and K3."""
    return [header(Opcode.RATE), rate_bits(links_rate_shift, bias_rate_shift) | (K_rate_shift or 0) << 16]


def rate_bits(links_rate_shift: int | None, bias_rate_shift: int | None) -> int:
    """Both rate shifts n of learning rates 2**-n in 16 bits; None: a rate of zero."""
    links, bias = (NO_RATE_SHIFT if rate_shift is None else rate_shift for rate_shift in (links_rate_shift, bias_rate_shift))
    return links | bias << 8


def capabilities(learns: bool, programmable: bool, links_rate_shifts: range, bias_rate_shifts: range,
                 K_rate_shifts: range = range(0)) -> tuple[int, int]:
    """The words of STATUS that tell what a core can do."""
    flags = (LEARNING if learns else 0) | (OWN_K if programmable else 0)
    if K_rate_shifts:
        flags |= K_LEARNING | rate_bits(K_rate_shifts.start, K_rate_shifts.stop - 1) << 8
    (links, last_links), (bias, last_bias) = ((allowed.start, allowed.stop - 1) if allowed else (None, None)
                                              for allowed in (links_rate_shifts, bias_rate_shifts))
    return flags | REVISION << 24, rate_bits(links, last_links) | rate_bits(bias, last_bias) << 16


def write(layer: int, neuron: int, index: int, values: Sequence[int]) -> list[int]:
    """Parameters ``index``, ``index`` + 1, ... of one neuron; signed words."""
    return [header(Opcode.WRITE, layer, len(values)), index | neuron << 16, *(int(value) & 0xFFFFFFFF for value in values)]


def read(layer: int, neuron: int, index: int, count: int) -> list[int]:
    return [header(Opcode.READ, layer, count), index | neuron << 16]


def infer(image: npt.NDArray[np.uint8], outputs: bool = False) -> list[int]:
    """Classify one image of bytes."""
    return [header(Opcode.INFER, WANT_OUTPUTS if outputs else 0), *packed(image)]


def learn(image: npt.NDArray[np.uint8], label: int, outputs: bool = False) -> list[int]:
    """Learn one image of bytes."""
    return [header(Opcode.LEARN, WANT_OUTPUTS if outputs else 0, label), *packed(image)]


def packed(image: npt.NDArray[np.uint8]) -> list[int]:
    """Bytes, four to a word, the first in bits [7:0]; the last word is filled with zeros."""
    image = np.asarray(image, np.uint8)
    filled = np.zeros(-(-image.size // 4) * 4, np.uint8)
    filled[:image.size] = image.reshape(-1)
    return [int(word) for word in filled.view("<u4")]


def parse(words: Sequence[int]) -> Reply:
    """A reply frame taken apart; ``DeviceError`` for what no core says."""
    if not words or not words[0] & REPLY:
        raise DeviceError(f"a reply must begin with a header that has bit 7 set, not {[hex(word) for word in words[:1]]}")
    code = words[0] >> 8 & 0xFF
    if code not in tuple(Status):
        raise DeviceError(f"a reply must have a known status, not {code}")
    return Reply(opcode=words[0] & 0x7F, status=Status(code), argument=words[0] >> 16, words=tuple(words[1:]))


def signed(word: int) -> int:
    """A 32-bit word of a reply as a signed integer."""
    return word - (1 << 32) if word >> 31 else word


def status_report(reply: Reply) -> StatusReport:
    """The payload of a STATUS reply by name."""
    words = reply.words
    if len(words) != STATUS_WORDS:
        raise DeviceError(f"a STATUS reply must have {STATUS_WORDS} words after its header, not {len(words)}")
    links, bias = (None if each == NO_RATE_SHIFT else each for each in (words[8] & 0xFF, words[8] >> 8 & 0xFF))
    links_rate_shifts, bias_rate_shifts = (_allowed(words[11] >> shift) for shift in (0, 16))
    learns_K = bool(words[10] & K_LEARNING)
    return StatusReport(magic=words[0], digest=words[1] | words[2] << 32, inferred=words[3], learnt=words[4], changed=words[5],
                        refused=words[6], cycles=words[7], links_rate_shift=links, bias_rate_shift=bias,
                        last_error=Status(words[9]), revision=words[10] >> 24, learns=bool(words[10] & LEARNING),
                        programmable=bool(words[10] & OWN_K), links_rate_shifts=links_rate_shifts,
                        bias_rate_shifts=bias_rate_shifts, K_rate_shift=words[8] >> 16 & 0xFF if learns_K else None,
                        K_rate_shifts=_allowed(words[10] >> 8) if learns_K else range(0))


def _allowed(word: int) -> range:
    """The rate shifts from the one in [7:0] to the one in [15:8]."""
    least, greatest = word & 0xFF, word >> 8 & 0xFF
    return range(0) if least == NO_RATE_SHIFT else range(least, greatest + 1)


def digest_word(digest: str) -> int:
    """The 64 bits of a network's SHA-256 that a core knows: bytes 0 to 7, the first one least."""
    return int.from_bytes(bytes.fromhex(digest)[:8], "little")
