"""The transport against a virtual board with a small core: frames of all lengths, noise, cables, sessions, silence."""
import os
import pty
import random
import re
import threading
import time
import tty

import pytest

from boards import packets, transport, virtual
from boards.packets import HostFlag
from boards.serial_port import ConnectionLost, SerialPort
from boards.transport import Transport
from boards.virtual_chip import VirtualChip
from golden_model.errors import DeviceError, InputError
from golden_model.network import Network
from hdl import frames
from hdl.design import Design
from hdl.frames import Opcode, Status
from small_core import small_core

NETWORK = Network(layers=(300, 2))
LEARN = [frames.header(Opcode.LEARN, 0, 1), *[0x01010101] * 75]


@pytest.fixture(scope="module")
def library():
    return virtual.library(Design(network=NETWORK), core=small_core(NETWORK))


@pytest.fixture
def board(library):
    with virtual.VirtualBoard(library) as board:
        yield board


@pytest.fixture
def link(board):
    link = Transport(board.port, patience=60)
    yield link
    link.close()


def parsed(link, *requests):
    return [frames.parse(reply) for reply in link.exchange(requests)]


def learnt(link):
    return frames.status_report(parsed(link, frames.status())[0]).learnt


def some_frames(chance, count):
    """Writes and the reads that must give back what was written, images, frames that are refused."""
    requests, expected = [], []
    for _ in range(count):
        start, number = chance.randrange(200), chance.randrange(1, 100)
        values = [chance.choice([0, chance.randrange(2**31)]) for _ in range(number)]
        requests += [frames.write(0, 1, start, values), frames.read(0, 1, start, number), [chance.randrange(1, 100) << 8]]
        expected += [(Opcode.WRITE, Status.OK, ()), (Opcode.READ, Status.OK, tuple(values)), (0, Status.UNKNOWN, ())]
    return requests, expected


@pytest.mark.parametrize(("noise", "count"), [(0, 60), (1e-4, 60), (3e-4, 20)])
def test_every_frame_gets_its_reply_whatever_the_line_does(board, link, noise, count):
    board.noise(noise, seed=3)
    requests, expected = some_frames(random.Random(1), count)
    before = learnt(link)
    result = parsed(link, *requests, *[LEARN] * count)
    assert [(reply.opcode, reply.status, reply.words) for reply in result[:len(requests)]] == expected
    assert learnt(link) - before == count
    assert (board.flipped > 0) == (noise > 0)
    assert (link.statistics.resent > 0) == (noise > 0)


def test_frames_flow_while_replies_come(board, link):
    """What the line needs, and little more, as long as nothing is lost.

    The chip's clock runs on while a busy machine keeps the host waiting, so the least of several tries counts.
    """
    line = len(b"".join(packets.host_packet(HostFlag(0), 0, 0, b"".join(packets.chunks(LEARN))) for _ in range(50)))
    least = None
    for _ in range(10):
        before = board.clocks
        parsed(link, *[LEARN] * 50)
        assert link.statistics.resent == 0
        least = min(least or board.clocks, board.clocks - before)
        if least < 1.5 * line * 20 + 50_000:
            break
    assert least < 1.5 * line * 20 + 50_000


def test_a_header_is_of_one_moment(library):
    """A packet arrives while a header is built, at every distance: what is expected is never half old, half new."""
    chip, number, left, answers = VirtualChip(library, virtual.DIVISOR), 0, b"", set()
    image = b"".join(packets.chunks([frames.header(Opcode.INFER), *[0] * 75]))     # takes the core 600 clocks
    for gap in range(500):
        first = 2 * gap
        for sequence in (first, first + 1):
            line = packets.host_packet(HostFlag(0), number, sequence % 256, image)
            chip.send(line)
            left += chip.run(10 * virtual.DIVISOR * len(line) + (gap if sequence == first else 3000))
        *lines, left = left.split(b"\0")
        packet = [packets.chip_packet(packets.from_line(line)) for line in lines]
        number = (packet[-1].number + 1) % 256
        assert len(packet) == 2
        assert packet[1].expected == (first + 2) % 256
        answers.add((packet[0].expected - first) % 256)
    assert answers == {1, 2}


def test_no_frames(link):
    assert link.exchange([]) == []


def test_progress_is_told(link):
    progress = []
    link.exchange([frames.status()] * 30, on_progress=lambda done, total: progress.append((done, total)))
    assert progress[-1] == (30, 30)
    assert progress == sorted(set(progress))


def test_the_cable_is_pulled_and_put_back(board, link):
    chance, total = random.Random(4), 200

    def hands():
        for _ in range(3):
            time.sleep(chance.uniform(0.02, 0.1))
            board.unplug()
            time.sleep(0.05)
            board.plug()

    person = threading.Thread(target=hands)
    person.start()
    losses, replies = 0, None
    try:
        replies = link.exchange([LEARN] * total)
    except ConnectionLost as lost:
        message = str(lost)
        while replies is None:
            losses += 1
            try:
                time.sleep(0.05)
                link.reconnect()
                replies = link.resume()
            except DeviceError:
                continue
    person.join()
    assert losses > 0
    assert re.fullmatch(rf"the connection to {board.port} must last, but it was lost \(.*\); plug the board in again and "
                        r"reconnect", message)
    assert len(replies) == total
    assert learnt(link) == total


def test_a_session_that_another_one_took_over_is_not_resumed(board, link):
    link.close()
    Transport(board.port, patience=60).close()
    message = (f"the board at {board.port} must keep its session, but it was without power or another program used it; open "
               f"it again and load the model")
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        link.reconnect()


@pytest.mark.parametrize("words", [1, 40, 76])
def test_a_new_session_is_not_confused_by_what_an_old_one_left(board, words):
    """Frames under way, replies not read, the last frame cut off: a LEARN that must not be completed by what comes next."""
    for left in range(4):
        first = Transport(board.port, patience=60)
        first._enqueue([LEARN] * left + [frames.read(0, 0, 0, 200)])
        first._queue.append(b"".join(packets.chunks(LEARN, 20)[:-1]) if words > 1 else b"\x01\x05\0\1\0")
        first._send_what_fits()
        first.close()
        second = Transport(board.port, patience=60)
        reply, status = parsed(second, frames.read(0, 0, 0, 1), frames.status())
        assert (reply.opcode, reply.argument) == (Opcode.READ, 1)
        assert frames.status_report(status).learnt <= sum(range(left + 1))
        second.close()


def test_a_host_that_asks_for_a_session_several_times(board, monkeypatch):
    """It asks again before an answer can come, because bytes of somebody else are on the line: none of it does harm later."""
    for wait in ("FIRST_WAIT", "LEAST_WAIT"):
        monkeypatch.setattr(transport, wait, 0.0005)
    for seed in range(3):
        port = SerialPort(board.port, 1_000_000)
        port.write(random.Random(seed).randbytes(6000))
        port.close()
        link = Transport(board.port, patience=60, stuck=60)
        assert link.statistics.sent > 3
        assert len(link.exchange([LEARN] * 10)) == 10
        link.close()


def test_a_core_that_hangs(board):
    link = Transport(board.port, patience=60, stuck=0.5)
    message = (f"the core at {board.port} must take or answer a frame within 0.5 seconds, but has not, although its link "
               f"answers; load the bitstream again")
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        link.exchange([[frames.header(Opcode.RESET, 0, 1)]])
    link.close()


def test_a_port_that_is_not_there(tmp_path):
    with pytest.raises(DeviceError, match=rf"^port {tmp_path}/none must be there, but it is not; plug the board in or choose "
                                          r"another port \(there are: .*\)$"):
        Transport(str(tmp_path / "none"))


def test_a_port_that_another_program_has_open(board, link):
    message = f"port {board.port} must be free, but another program has it open; close that program first"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        Transport(board.port)
    assert learnt(link) == 0


def test_a_file_is_no_port(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match=rf"^port {tmp_path}/file must be a serial port of 1000000 baud, but: .*; choose "
                                          "another port or --baud$"):
        SerialPort(str(tmp_path / "file"), 1_000_000)


@pytest.mark.parametrize("noise", [b"", b"login: \0\xff\0 hello \0"])
def test_something_else_at_the_port(noise):
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    talker = threading.Timer(0.1, os.write, (master, noise))     # opening the port drops what came before
    talker.start()
    damaged = ", and 3 damaged pieces came" if noise else ""
    message = (f"a Wuxing board must answer at {name}, but none has for 0.3 seconds{damaged}; check that this is the right "
               f"port and baud rate (115,200) and that the bitstream is loaded")
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        Transport(name, 115_200, patience=0.3)
    talker.join()
    os.close(master)
    os.close(slave)


def test_the_process_of_a_virtual_board_that_ended(board):
    board._process.kill()
    message = "the process of the virtual board must run, but it ended with code -9; start the virtual board again"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        _ = board.clocks


def test_noise_is_a_chance(board):
    with pytest.raises(InputError, match=f"^{re.escape('noise must be a chance from 0 to below 1, not 1.5')}$"):
        board.noise(1.5)
