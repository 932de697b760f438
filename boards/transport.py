"""Frames to a board and replies from it, over a line that loses and changes bits. ``docs/link.md`` has the protocol."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import choice, randbelow

from boards import packets
from boards.packets import ChipFlag, ChipPacket, Frames, HostFlag
from boards.serial_port import SerialPort
from golden_model.errors import DeviceError
from hdl import frames

MOST_CHUNKS = 240                         # bytes of chunks in a packet: short ones survive noise, long ones carry less besides
MOST_FLYING = 64                          # packets that are not acknowledged; their numbers have 8 bits
MOST_SESSION = 255
ATTEMPTS, RESTART = 3, 3.0                # to open a session; seconds without any progress after which it is tried again
MARKERS = 16                              # frames whose replies tell those of an earlier session from ours
LONGEST_FRAME = 1 + (1 << 16) // 4        # words; no core has a longer one
FIRST_WAIT, LEAST_WAIT, MOST_WAIT = 0.3, 0.02, 1.0    # seconds without news after which the board is asked


@dataclass
class Statistics:
    """Packets since the port was opened. ``damaged``: pieces of the line from the board whose CRC was wrong."""

    bytes_sent: int = 0
    sent: int = 0
    resent: int = 0
    received: int = 0
    repeated: int = 0
    damaged: int = 0
    asks: int = 0
    reconnected: int = 0


@dataclass
class _Flying:
    """A packet that is not acknowledged. ``round``: when it was last sent; ``at``: when it was first sent, 0 if again."""

    sequence: int
    chunks: bytes
    round: int
    at: float


class Transport:
    """Carries frames out once each, in order, and returns their replies.

    Every packet has a number and a CRC-32; what was lost or damaged is sent again, by either side, until it is there; the
    gateware never does anything twice. No more is sent than the board has room for.

    Parameters
    ----------
    port, baud : see ``SerialPort``.
    patience : float
        Seconds without a sound from the board until it counts as absent.
    stuck : float
        Seconds in which the link answers, but the core does nothing, until it counts as stuck.

    Raises
    ------
    DeviceError
        If the port cannot be used or nothing answers; from any method also ``ConnectionLost`` when the port goes away.
    """

    def __init__(self, port: str, baud: int = 1_000_000, *, patience: float = 5.0, stuck: float = 60.0) -> None:
        self.baud, self.patience, self.stuck = baud, patience, stuck
        self.statistics, self.lost = Statistics(), False  # lost: the port is not there
        self._replies: list[list[int]] = []
        self._on_progress: Callable[[int, int], None] | None = None
        self._port = SerialPort(port, baud)
        try:
            self._begin()
        except BaseException:
            self._port.close()
            raise

    @property
    def name(self) -> str:
        """The port."""
        return self._port.name

    def close(self) -> None:
        self._port.close()

    # ------------------------------------------------------------- frames

    def exchange(self, requests: Sequence[Sequence[int]],
                 on_progress: Callable[[int, int], None] | None = None) -> list[list[int]]:
        """One reply for each frame. After a ``ConnectionLost``, ``reconnect`` and ``resume`` give them.

        ``on_progress``: called with replies so far, and frames.
        """
        self.resume()                                     # what an interrupted call left
        self._outstanding, self._on_progress = len(requests), on_progress
        self._enqueue(requests)
        return self.resume()

    def resume(self) -> list[list[int]]:
        """The replies of the last ``exchange``, once all are there."""
        self._heard_at = self._moved_at = time.monotonic()
        while len(self._replies) < self._outstanding:
            before = len(self._replies)
            self._pump()
            if self._on_progress is not None and len(self._replies) > before:
                self._on_progress(len(self._replies), self._outstanding)
        replies, self._replies, self._outstanding = self._replies, [], 0
        return replies

    def reconnect(self, port: str | None = None) -> None:
        """Open the port again, or another one, and go on with the same session: what was under way is not lost.

        Raises
        ------
        DeviceError
            If the port cannot be opened; if the board was without power or another program used it meanwhile.
        """
        self._port.close()
        self.lost = True
        self._port = SerialPort(port or self._port.name, self.baud)
        self.lost = False
        self.statistics.reconnected += 1
        self._line = b""
        self._heard_at = self._moved_at = time.monotonic()
        self._send_raw(b"\0")
        self._ask(again=True)
        heard = self.statistics.received
        while self.statistics.received == heard:
            self._pump()

    # ------------------------------------------------------------- session

    def _begin(self) -> None:
        """A new session, whatever state an earlier one left the board in."""
        self._session = randbelow(MOST_SESSION)
        for attempt in range(ATTEMPTS):
            self._start()
            while self._opening:
                self._pump()
            if self._settled(last=attempt == ATTEMPTS - 1):
                return

    def _start(self) -> None:
        """Forget everything and ask for a session."""
        self._opening = True
        self._queue: deque[bytes] = deque()
        self._flying: deque[_Flying] = deque()
        self._outstanding, self._frames, self._line = 0, Frames(), b""
        self._next, self._expected, self._room, self._round = 0, 0, 0, 0     # _expected: number of the chip's next packet
        self._owed = self._gap = False                    # an acknowledgement; a request to send again, made already
        self._wait, self._smooth = FIRST_WAIT, 0.0
        self._asks, self._unsure = 0, False
        self._heard_at = self._moved_at = time.monotonic()
        self._send_raw(b"\0")
        self._send_open()

    def _settled(self, last: bool) -> bool:
        """Complete a frame that was cut off, so that it is refused; then drop replies up to those of our own frames.

        False if nothing moves, unless it is the last attempt: the answer was one to an earlier session of the same number.
        """
        counts = [choice((1, 2)) for _ in range(MARKERS)]
        expected = [frames.header(frames.Opcode.READ | frames.REPLY, 0, count) for count in counts]
        filler = [[0] * LONGEST_FRAME] if self._unsure else []
        self._replies = []
        self._enqueue(filler + [frames.read(0, 0, 0, count) for count in counts])
        while [reply[0] for reply in self._replies[-MARKERS:]] != expected:
            self._pump()
            if not last and time.monotonic() - self._moved_at > RESTART:
                return False
        self._replies = []
        return True

    def _enqueue(self, requests: Sequence[Sequence[int]]) -> None:
        """Frames as packets of whole chunks, so that a frame is never cut within a chunk, whatever becomes of this process."""
        batch = bytearray()
        for request in requests:
            for chunk in packets.chunks(request, (MOST_CHUNKS - 1) // 4):
                if len(batch) + len(chunk) > MOST_CHUNKS:
                    self._queue.append(bytes(batch))
                    batch.clear()
                batch += chunk
        if batch:
            self._queue.append(bytes(batch))

    # ------------------------------------------------------------- line

    def _pump(self) -> None:
        """Send what may be sent, hear what has come, ask if nothing comes."""
        self._send_what_fits()
        if self._owed:
            self._send(HostFlag(0))
        if data := self._port.read():
            self._line += data
            *lines, self._line = self._line.split(b"\0")
            for line in filter(None, lines):
                self._hear(line)
        now = time.monotonic()
        if now - self._heard_at > self.patience:
            raise DeviceError(self._silence())
        if now - self._moved_at > self.stuck:
            raise DeviceError(f"the core at {self.name} must take or answer a frame within {self.stuck:g} seconds, but has "
                              f"not, although its link answers; load the bitstream again")
        if now >= self._ask_time + self._wait:
            self._asks += 1
            if self._opening:
                self._wait *= 2                           # on a slow line the answer must have time to come
                self._send_open()
            else:
                self._wait = min(self._wait * 2, MOST_WAIT)
                self._ask(again=self._asks > 1)

    def _hear(self, line: bytes) -> None:
        content = packets.from_line(line)
        packet = None if content is None else packets.chip_packet(content)
        if packet is None:
            self.statistics.damaged += 1
            return
        self.statistics.received += 1
        self._heard_at = time.monotonic()
        if self._opening:
            if packet.session != self._session:
                return
            self._opening, self._expected, self._next = False, packet.number, packet.expected
            self._unsure = bool(packet.flags & ChipFlag.FRAME_OPEN) or packet.room != 255
        elif packet.session != self._session:
            raise DeviceError(f"the board at {self.name} must keep its session, but it was without power or another program "
                              f"used it; open it again and load the model")
        if packet.number != self._expected:
            self.statistics.repeated += 1
            self._owed = True
            if (packet.number - self._expected) % 256 < 128 and not self._gap:
                self._gap = True
                self._send(HostFlag.AGAIN)
            return
        self._in_order(packet)

    def _in_order(self, packet: ChipPacket) -> None:
        self._expected = (self._expected + 1) % 256
        self._owed, self._gap, self._asks, self._room = True, False, 0, packet.free
        now, arrived = time.monotonic(), None
        while self._flying and 0 < (packet.expected - self._flying[0].sequence) % 256 <= len(self._flying):
            arrived = self._flying.popleft()
            if arrived.at:
                took = now - arrived.at
                self._smooth = took if not self._smooth else 0.8 * self._smooth + 0.2 * took
        self._wait = min(max(2 * self._smooth, LEAST_WAIT), MOST_WAIT) if self._smooth else FIRST_WAIT
        self._ask_time = now
        if packet.flags & ChipFlag.MISSING and bool(packet.flags & ChipFlag.MISSING_ROUND) == bool(self._round):
            self._round ^= 1
            self._send_again()
        elif bool(packet.flags & ChipFlag.ROUND) == bool(self._round) and any(one.round != self._round for one in self._flying):
            self._send_again()                            # all that was sent in the round before has arrived or is lost
        if packet.chunks or arrived is not None:
            self._moved_at = now
        self._replies += self._frames.feed(packet.chunks)

    # ------------------------------------------------------------- sending

    def _send_what_fits(self) -> None:
        flying = sum(len(one.chunks) for one in self._flying)
        while self._queue and len(self._flying) < MOST_FLYING and (
                flying + len(self._queue[0]) + packets.CHECK_BYTES <= self._room):
            one = _Flying(self._next, self._queue.popleft(), self._round, time.monotonic())
            self._next = (self._next + 1) % 256
            self._flying.append(one)
            flying += len(one.chunks)
            self._send(HostFlag(0), one)

    def _send_again(self) -> None:
        for one in self._flying:
            one.round, one.at = self._round, 0.0
            self.statistics.resent += 1
            self._send(HostFlag(0), one)

    def _ask(self, again: bool) -> None:
        """Have the board say what it has, in a new round, so that the answer covers all that was sent before."""
        self.statistics.asks += 1
        if any(one.round == self._round for one in self._flying):
            self._round ^= 1
        self._send(HostFlag.ASK | (HostFlag.AGAIN if again else HostFlag(0)))

    def _send_open(self) -> None:
        """Each time with another number: an answer then means that no earlier request is still on its way."""
        self._session = self._session % MOST_SESSION + 1
        self._send_raw(packets.host_packet(HostFlag.OPEN | HostFlag.ASK, self._session))
        self._ask_time = time.monotonic()

    def _send(self, flags: HostFlag, one: _Flying | None = None) -> None:
        self._owed = False
        self._ask_time = time.monotonic()
        if self._round:
            flags |= HostFlag.ROUND
        sequence, chunks = (0, b"") if one is None else (one.sequence, one.chunks)
        self._send_raw(packets.host_packet(flags, self._expected, sequence, chunks))

    def _send_raw(self, data: bytes) -> None:
        self.statistics.sent += 1
        self.statistics.bytes_sent += len(data)
        self._port.write(data)

    def _silence(self) -> str:
        damaged = f", and {self.statistics.damaged} damaged pieces came" if self.statistics.damaged else ""
        return (f"a Wuxing board must answer at {self.name}, but none has for {self.patience:g} seconds{damaged}; check that "
                f"this is the right port and baud rate ({self.baud:,}) and that the bitstream is loaded")
