"""Packets of the host link, and the streams of chunks within them. ``docs/link.md`` says the same in words.

A packet goes over the line as COBS, with a zero at its end. Its last four bytes are the CRC-32 of those before them. From
the host::

    flags, protocol | number | sequence | chunks ...             | CRC-32

from the chip::

    number | session | flags, log2 of the buffer | expected | room | chunks ... | CRC-32
"""
from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from cobs import cobs

from golden_model.errors import InputError

PROTOCOL = 1                              # bits [7:4] of a host packet's first byte; the chip ignores others
CHECK_BYTES = 4
HOST_HEADER, CHIP_HEADER = 3, 5
LAST, ZEROS, MOST_COUNT = 0x80, 0x40, 63  # of a chunk's first byte: frame ends here; words are zero and not sent; words


class HostFlag(IntFlag):
    """Bits [3:0] of a host packet's first byte."""

    ASK = 1                               # answer, if only with a header
    AGAIN = 2                             # send again all replies that are not acknowledged
    OPEN = 4                              # ``number`` is that of a new session; all replies so far count as acknowledged
    ROUND = 8                             # changes whenever the host goes back or asks what arrived


class ChipFlag(IntFlag):
    """Bits [3:0] of a chip packet's third byte."""

    MISSING = 1                           # a packet came, but not the expected one
    MISSING_ROUND = 2                     # ROUND of that one
    FRAME_OPEN = 4                        # words are on their way to the core, or it waits for the rest of a frame
    ROUND = 8                             # of the last intact packet


@dataclass(frozen=True, kw_only=True)
class ChipPacket:
    """A packet from the chip taken apart. ``room``: 256ths of the buffer that are free, 255 if it is empty."""

    number: int
    session: int
    flags: ChipFlag
    buffer: int                           # bytes
    expected: int
    room: int
    chunks: bytes

    @property
    def free(self) -> int:
        """Bytes that may be sent beyond the packet before ``expected``, check bytes included."""
        return self.room * self.buffer // 256


def to_line(content: bytes) -> bytes:
    """A packet as it goes over the line."""
    return cobs.encode(content + zlib.crc32(content).to_bytes(CHECK_BYTES, "little")) + b"\0"


def from_line(line: bytes) -> bytes | None:
    """The content of a packet without its zero; None if anything is wrong with it."""
    try:
        packet = cobs.decode(line)
    except cobs.DecodeError:
        return None
    content, check = packet[:-CHECK_BYTES], packet[-CHECK_BYTES:]
    return content if len(packet) > CHECK_BYTES and check == zlib.crc32(content).to_bytes(CHECK_BYTES, "little") else None


def host_packet(flags: HostFlag, number: int, sequence: int = 0, chunks: bytes = b"") -> bytes:
    """A packet to the chip, ready for the line."""
    return to_line(bytes([flags | PROTOCOL << 4, number, sequence]) + chunks)


def chip_packet(content: bytes) -> ChipPacket | None:
    """What ``from_line`` gave; None if no chip says that."""
    if len(content) < CHIP_HEADER:
        return None
    number, session, flags, expected, room = content[:CHIP_HEADER]
    return ChipPacket(number=number, session=session, flags=ChipFlag(flags & 15), buffer=1 << (flags >> 4), expected=expected,
                      room=room, chunks=content[CHIP_HEADER:])


# ----------------------------------------------------------------- chunks

def chunks(words: Sequence[int], most: int = MOST_COUNT) -> list[bytes]:
    """A frame as chunks of up to ``most`` words: each a byte (last, zeros, count), then its words unless they are zero."""
    if not words:
        raise InputError("a frame must have one word or more, not none")
    parts: list[tuple[bool, list[int]]] = []                   # zeros or not, and the words
    for word in words:
        zero = word == 0
        if not parts or parts[-1][0] != zero or len(parts[-1][1]) == most:
            parts.append((zero, []))
        parts[-1][1].append(word)
    packets = []
    for place, (zero, content) in enumerate(parts, 1):
        head = len(content) | (ZEROS if zero else 0) | (LAST if place == len(parts) else 0)
        packets.append(bytes([head]) + (b"" if zero else b"".join(word.to_bytes(4, "little") for word in content)))
    return packets


class Frames:
    """Chunks to frames; they may be cut into pieces anywhere."""

    def __init__(self) -> None:
        self._bytes, self._words = bytearray(), list[int]()

    def feed(self, data: bytes) -> list[list[int]]:
        """The frames that these bytes complete."""
        self._bytes += data
        done, at = [], 0
        while at < len(self._bytes):
            head = self._bytes[at]
            count, zeros = head & MOST_COUNT, bool(head & ZEROS)
            after = at + 1 + (0 if zeros else 4 * count)
            if after > len(self._bytes):
                break
            self._words += [0] * count if zeros else [int.from_bytes(self._bytes[place:place + 4], "little")
                                                      for place in range(at + 1, after, 4)]
            if head & LAST and count:
                done.append(self._words)
                self._words = []
            at = after
        del self._bytes[:at]
        return done
