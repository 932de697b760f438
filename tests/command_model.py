"""What a core must answer: the command set of ``docs/registers.md`` in plain Python, and random frames to try it with.

The model keeps counters, rates and status codes. What a network would do with an image or a parameter it asks of a ``Backend``.
"""
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hdl import frames
from hdl.frames import Opcode, Status

CYCLES_WORD = 8                           # of a STATUS reply, header included: the one word that a model does not know


class Backend(Protocol):
    """The network behind the commands."""

    def infer(self, image: bytes) -> tuple[int, list[int]]:
        """The class of ``image`` and its outputs, signed."""

    def learn(self, image: bytes, label: int, links_rate_shift: int, bias_rate_shift: int,
              K_rate_shift: int) -> tuple[int, list[int], bool]:
        """The same, before learning; and whether there was an error to learn from. 0 for parameters that are not learnt."""

    def write(self, layer: int, neuron: int, index: int, word: int) -> None:
        """Set a parameter from the low bits of a word of 32 bits."""

    def read(self, layer: int, neuron: int, index: int) -> int:
        """A parameter, signed."""


@dataclass(kw_only=True)
class CommandModel:
    """Answers one frame after the other.

    ``layers``: inputs, then neurons of each layer. ``digest``: 64 bits. Exponents: ranges, and their values after a reset; an
    empty range and None for parameters that are not learnt. ``shapes``: of each layer the neurons that have parameters of their
    own, and the links of each; by default all to all.
    """

    layers: tuple[int, ...]
    backend: Backend
    digest: int
    links_rate_shifts: range
    bias_rate_shifts: range
    initial_links: int | None
    initial_bias: int | None
    learns: bool = True
    programmable: bool = False
    shapes: Sequence[tuple[int, int]] = ()
    K_rate_shifts: range = range(0)
    initial_K: int | None = None
    inferred: int = field(default=0, init=False)
    learnt: int = field(default=0, init=False)
    changed: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    last_error: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.links_rate_shift, self.bias_rate_shift, self.K_rate_shift = self.initial_links, self.initial_bias, self.initial_K
        self.shapes = self.shapes or tuple(zip(self.layers[1:], self.layers, strict=False))

    def reset(self) -> None:
        """As after ``rst`` or RESET. Parameters stay."""
        self.inferred = self.learnt = self.changed = self.refused = self.last_error = 0
        self.links_rate_shift, self.bias_rate_shift, self.K_rate_shift = self.initial_links, self.initial_bias, self.initial_K

    def answer(self, frame: Sequence[int]) -> list[int]:
        """The reply to a frame of one word or more, as words. Word ``CYCLES_WORD`` of a STATUS reply is 0."""
        opcode, option, argument = frame[0] & 0xFF, frame[0] >> 8 & 0xFF, frame[0] >> 16
        status = self.judged(frame)
        if status != Status.OK:
            self.refused += 1
            self.last_error = status
            return [opcode | frames.REPLY | status << 8]
        value, words = self._done(Opcode(opcode), option, argument, list(frame[1:]))
        return [opcode | frames.REPLY | value << 16, *(word & 0xFFFFFFFF for word in words)]

    def judged(self, frame: Sequence[int]) -> Status:
        """The first of what is wrong with a frame."""
        code, layer, argument, words = frame[0] & 0xFF, frame[0] >> 8 & 0xFF, frame[0] >> 16, len(frame) - 1
        if code not in tuple(Opcode):
            return Status.UNKNOWN
        opcode, image_words = Opcode(code), -(-self.layers[0] // 4)
        expected = {Opcode.STATUS: 0, Opcode.RESET: 0, Opcode.READ: 1, Opcode.RATE: 1, Opcode.WRITE: 1 + argument,
                    Opcode.INFER: image_words, Opcode.LEARN: image_words}[opcode]
        if opcode in (Opcode.LEARN, Opcode.RATE) and not self.learns:
            return Status.NO_LEARNING
        if opcode == Opcode.LEARN and not words:
            return Status.NO_IMAGE
        if words != expected:
            return Status.SHORT if words < expected else Status.LONG
        if opcode in (Opcode.READ, Opcode.WRITE) and not self._addressed(layer, frame[1], argument):
            return Status.ADDRESS
        if opcode == Opcode.LEARN and argument >= self.layers[-1]:
            return Status.LABEL
        if opcode == Opcode.RATE and not (frame[1] & 0xFF in (self.links_rate_shifts or [frames.NO_RATE_SHIFT])
                                          and frame[1] >> 8 & 0xFF in (self.bias_rate_shifts or [frames.NO_RATE_SHIFT])
                                          and frame[1] >> 16 & 0xFF in (self.K_rate_shifts or range(256))):
            return Status.RATE
        return Status.OK

    def _addressed(self, layer: int, address: int, count: int) -> bool:
        if layer >= len(self.layers) - 1 or not 1 <= count <= frames.MOST_COUNT:
            return False
        return address >> 16 < self.shapes[layer][0] and (address & 0xFFFF) + count <= self.parameters(layer)

    def parameters(self, layer: int) -> int:
        """Parameters of a neuron: its links, its bias, its K if they are programmable."""
        return self.shapes[layer][1] + 1 + (15 if self.programmable else 0)

    def _done(self, opcode: Opcode, option: int, argument: int, words: list[int]) -> tuple[int, list[int]]:
        """Carries out a frame in which nothing is wrong: value of the reply's header, and the words after it."""
        if opcode == Opcode.STATUS:
            return 0, [frames.MAGIC, self.digest & 0xFFFFFFFF, self.digest >> 32, self.inferred, self.learnt, self.changed,
                       self.refused, 0,
                       frames.rate_bits(self.links_rate_shift, self.bias_rate_shift) | (self.K_rate_shift or 0) << 16,
                       self.last_error, *self._capabilities()]
        if opcode == Opcode.RESET:
            self.reset()
            return 0, []
        if opcode == Opcode.RATE:
            self.links_rate_shift = words[0] & 0xFF if self.links_rate_shifts else None
            self.bias_rate_shift = words[0] >> 8 & 0xFF if self.bias_rate_shifts else None
            self.K_rate_shift = words[0] >> 16 & 0xFF if self.K_rate_shifts else None
            return 0, []
        if opcode in (Opcode.READ, Opcode.WRITE):
            neuron, index = words[0] >> 16, words[0] & 0xFFFF
            if opcode == Opcode.READ:
                return argument, [self.backend.read(option, neuron, index + k) for k in range(argument)]
            for k, word in enumerate(words[1:]):
                self.backend.write(option, neuron, index + k, word)
            return argument, []
        image = b"".join(word.to_bytes(4, "little") for word in words)[:self.layers[0]]
        if opcode == Opcode.INFER:
            winner, outputs = self.backend.infer(image)
            self.inferred += 1
        else:
            winner, outputs, error = self.backend.learn(image, argument, self.links_rate_shift or 0, self.bias_rate_shift or 0,
                                                         self.K_rate_shift or 0)
            self.learnt += 1
            self.changed += error
        return winner, outputs if option & frames.WANT_OUTPUTS else []

    def _capabilities(self) -> tuple[int, int]:
        """Bit 0: it learns, 1: K of its own, 2: they learn, with their range in [15:8] and [23:16]; 24: revision. Then the
        ranges of links and biases."""
        least, greatest = (self.K_rate_shifts.start, self.K_rate_shifts.stop - 1) if self.K_rate_shifts else (0, 0)
        flags = self.learns | self.programmable << 1 | bool(self.K_rate_shifts) << 2
        own = frames.capabilities(self.learns, self.programmable, self.links_rate_shifts, self.bias_rate_shifts)
        return flags | least << 8 | greatest << 16 | 1 << 24, own[1]

    # ------------------------------------------------------------- frames to try

    def random_frame(self, chance: random.Random, damaged: float = 0.4) -> list[int]:
        """A frame for this network; with probability ``damaged`` something may be wrong with it."""
        if chance.random() >= damaged:
            return self._good_frame(chance, list(Opcode) + 2 * [Opcode.INFER, Opcode.LEARN, Opcode.READ, Opcode.WRITE])
        frame = self._good_frame(chance, list(Opcode))
        kind = chance.randrange(7)
        if kind == 0:                                                     # cut short
            return frame[:chance.choice([1, len(frame) - 1 or 1, chance.randrange(1, len(frame) + 1)])]
        if kind == 1:                                                     # too long
            return frame + [chance.getrandbits(32) for _ in range(chance.choice([1, 1, 2, 5, 256]))]
        if kind == 2:                                                     # any header
            return [chance.getrandbits(32), *frame[1:]]
        if kind == 3:                                                     # any opcode near the known ones
            return [frame[0] & ~0xFF | chance.choice([0, 8, 0x7F, 0x80, 0x81, 0x84, 0xFF, *range(10)]), *frame[1:]]
        if kind == 4:                                                     # any argument: label or count
            more = (frame[0] >> 16) + 256 & 0xFFFF
            counted = frame[0] & 0xFF in (Opcode.READ, Opcode.WRITE)
            others = [255, 256, more] if counted else [self.layers[-1], chance.getrandbits(16)]
            argument = chance.choice([0, more, *others])
            header = frame[0] & 0xFFFF | argument << 16
            if frame[0] & 0xFF == Opcode.WRITE and argument <= 2 * frames.MOST_COUNT and chance.random() < 0.7:
                return [header, frame[1], *(chance.getrandbits(32) for _ in range(argument))]
            return [header, *frame[1:]]
        if kind == 5:                                                     # the first address that does not exist
            layer, count = chance.randrange(len(self.layers) - 1), chance.choice([1, 2])
            neuron, index = chance.choice([(self.shapes[layer][0], 0), (0, self.parameters(layer) - count + 1), (0, 0)])
            return frames.read(layer if neuron or index else len(self.layers) - 1, neuron, index, count)
        if frame[0] & 0xFF == Opcode.RATE:                                # the first exponents that do not exist
            return frames.rate_shifts(*(chance.choice([max(allowed.start - 1, 0), allowed.stop & 0xFF])
                                 for allowed in (self.links_rate_shifts, self.bias_rate_shifts, self.K_rate_shifts)))
        return [frame[0], *(chance.choice([word, word + chance.choice([-1, 1, 1 << 16, 1 << 8]), chance.getrandbits(32)])
                            & 0xFFFFFFFF for word in frame[1:])]          # fields that do not fit, or do

    def _good_frame(self, chance: random.Random, opcodes: Sequence[Opcode]) -> list[int]:
        opcode = chance.choice(opcodes)
        if opcode in (Opcode.STATUS, Opcode.RESET):
            return [frames.header(opcode, chance.getrandbits(8), chance.getrandbits(16))]
        if opcode == Opcode.RATE:
            header, rates = frames.rate_shifts(*(chance.choice(allowed) if allowed else None
                                          for allowed in (self.links_rate_shifts, self.bias_rate_shifts, self.K_rate_shifts)))
            return [header, rates | (chance.getrandbits(8) << 24 if self.K_rate_shifts else chance.getrandbits(16) << 16)]
        if opcode in (Opcode.INFER, Opcode.LEARN):
            share = chance.choice([0, 0.1, 0.5, 1])
            words = [sum(chance.choice([1, 0x80, 0xFF, chance.getrandbits(8)]) << 8 * k for k in range(4)
                         if chance.random() < share) for _ in range(-(-self.layers[0] // 4))]
            argument = chance.randrange(self.layers[-1]) if opcode == Opcode.LEARN else chance.getrandbits(16)
            return [frames.header(opcode, chance.getrandbits(8), argument), *words]
        layer = chance.randrange(len(self.layers) - 1)
        neuron = chance.randrange(self.shapes[layer][0])
        count = min(chance.choice([1, 2, chance.randrange(1, 256)]), self.parameters(layer))
        index = chance.choice([0, self.parameters(layer) - count, chance.randrange(self.parameters(layer) - count + 1)])
        if opcode == Opcode.READ:
            return frames.read(layer, neuron, index, count)
        return frames.write(layer, neuron, index, [chance.getrandbits(32) for _ in range(count)])
