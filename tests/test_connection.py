"""``Connection`` against a virtual board with a real core: everything as the golden model, bit for bit, whatever goes wrong."""
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import boards.virtual
from boards.connection import Connection
from boards.serial_port import ConnectionLost
from boards.transport import Transport
from boards.virtual import VirtualBoard
from golden_model import parameters
from golden_model.errors import DeviceError, InputError
from golden_model.model import Model
from golden_model.network import Learning, Network
from golden_model.storage import model_file
from hdl import frames
from hdl.design import Design
from hdl.frames import Status

ROOT = Path(__file__).parent.parent
PATIENCE = 60                             # seconds: other programs may need the machine
NETWORK = Network(layers=(30, 6, 4), learning=Learning(epochs=4, halvings=1))


@pytest.fixture(scope="module")
def library():
    return boards.virtual.library(Design(network=NETWORK, units=(2, 2)))


@pytest.fixture
def virtual(library):
    with VirtualBoard(library) as virtual:
        yield virtual


@pytest.fixture
def start():
    return parameters.initial(NETWORK, "fixed")


@pytest.fixture
def connection(virtual, start):
    with Connection(NETWORK, virtual.port, patience=PATIENCE) as connection:
        connection.load_parameters(start)
        yield connection


def same(one, other):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == getattr(b, name).dtype
               for a, b in zip(one, other, strict=True) for name in ("weights", "bias", "coupling"))


def test_parameters_come_back(connection, start):
    assert not connection.programmable
    assert same(connection.parameters, start)


@pytest.mark.parametrize("noise", [0, 1e-4])
def test_everything_is_as_in_the_golden_model(virtual, connection, start, blobs, noise, tmp_path):
    virtual.noise(noise, seed=1)
    images, labels = blobs
    model = Model(NETWORK, "fixed", start)
    expected = model.outputs(images[:60])
    result = connection.infer(images[:60], outputs=True)
    assert np.array_equal(result.outputs, expected)
    assert np.array_equal(result.classes, expected.argmax(1))
    for epoch in (0, 2):
        connection.set_learning_rates(epoch)
        part = slice(60 + 20 * epoch, 100 + 20 * epoch)
        assert np.array_equal(connection.teach(images[part], labels[part]).classes,
                              model.learn(images[part], labels[part], epoch))
    values = connection.parameters
    assert not same(values, start)
    for name, learnt in (("board.npz", values), ("golden.npz", model.parameters)):
        model_file.save(tmp_path / name, network=NETWORK, arithmetic="fixed", parameters=learnt, record={})
    assert (tmp_path / "board.npz").read_bytes() == (tmp_path / "golden.npz").read_bytes()
    report = connection.status()
    assert (report.inferred, report.learnt, report.refused) == (60, 80, 0)   # nothing was asked that must be refused
    assert (virtual.flipped > 0) == (noise > 0)
    assert (connection.transport.statistics.damaged > 0) == (noise > 0)


def test_rates_counters_and_no_images(connection, blobs):
    connection.set_rate_shifts(5, 5)
    connection.infer(blobs[0][:3])
    report = connection.status()
    assert (report.links_rate_shift, report.bias_rate_shift, report.inferred) == (5, 5, 3)
    connection.soft_reset()
    assert (connection.status().inferred, connection.status().links_rate_shift) == (0, 4)
    result = connection.infer(blobs[0][:0], outputs=True)
    assert (result.classes.shape, result.outputs.shape, result.images_per_second) == ((0,), (0, 4), None)


def test_what_does_not_fit_the_network_is_refused_before_it_is_sent(connection, blobs):
    with pytest.raises(InputError, match=re.escape("images must be uint8 of shape (images, 30), not uint8 of shape (600, 29)")):
        connection.infer(blobs[0][:, :29])
    with pytest.raises(InputError, match=re.escape("labels must be outputs 0..3 of this network, not 4")):
        connection.teach(blobs[0][:2], np.array([0, 4]))
    with pytest.raises(DeviceError, match=r"^RATE must be accepted by the core, but it answered RATE with status "
                                          r"RATE; see docs/registers.md$"):
        connection.set_rate_shifts(1, 1)
    assert connection.status().last_error is Status.RATE


def test_a_bitstream_of_another_network(virtual):
    other = NETWORK.with_learning(margin=0.25)
    message = (f"model and bitstream must be of the same network, but the digest of the model begins with "
               f"{other.digest[:16]} and that of the board at {virtual.port} with {NETWORK.digest[:16]}; build this model and "
               f"load its bitstream")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Connection(other, virtual.port)
    Connection(NETWORK, virtual.port, patience=PATIENCE).close()                             # it is free again


def test_an_interrupted_call_is_finished_after_the_cable_is_back(virtual, connection, start, blobs):
    images, labels = blobs

    def pull(done, total):
        if done >= 20 and not pulled.is_set():
            pulled.set()
            virtual.unplug()

    pulled = threading.Event()
    with pytest.raises(ConnectionLost):
        connection.teach(images[:100], labels[:100], on_progress=pull)
    with pytest.raises(DeviceError, match=rf"^port {virtual.port} must be there, but it is not"):
        connection.resume()
    virtual.plug()
    result = connection.resume()
    model = Model(NETWORK, "fixed", start)
    assert np.array_equal(result.classes, model.learn(images[:100], labels[:100]))
    assert same(connection.parameters, model.parameters)
    assert connection.status().learnt == 100


def test_a_cable_that_comes_back_in_time_is_not_noticed(virtual, start, blobs):
    images, labels = blobs

    def hands():
        begun.wait()
        for _ in range(3):
            virtual.unplug()
            time.sleep(0.1)
            virtual.plug()
            time.sleep(0.1)

    with Connection(NETWORK, virtual.port, patience=PATIENCE, reconnect_for=PATIENCE) as connection:
        connection.load_parameters(start)
        begun, person = threading.Event(), threading.Thread(target=hands)
        person.start()
        result = connection.teach(images[:300], labels[:300], on_progress=lambda done, total: begun.set())
        person.join()
        model = Model(NETWORK, "fixed", start)
        assert np.array_equal(result.classes, model.learn(images[:300], labels[:300]))
        assert same(connection.parameters, model.parameters)
        assert connection.transport.statistics.reconnected > 0


def test_a_board_that_was_without_power(library, virtual, connection):
    virtual.unplug()
    with pytest.raises(ConnectionLost):
        connection.status()
    with VirtualBoard(library) as fresh:
        message = (f"the board at {fresh.port} must keep its session, but it was without power or another program used it; "
                   f"open it again and load the model")
        with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
            connection.resume(fresh.port)


def test_nothing_to_resume(connection):
    message = "a call must have been interrupted before it can be resumed, but none was"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        connection.resume()


HOST = """
import sys, numpy as np
from boards.connection import Connection
from golden_model.network import Network
found = np.load(sys.argv[2])
connection = Connection(Network.from_json(sys.argv[3]), sys.argv[1], patience=60)
connection.teach(found["images"], found["labels"], on_progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.parametrize("after", [0, 7, 31])
def test_a_host_that_is_killed(virtual, start, blobs, tmp_path, after):
    """Each image was learnt once or not at all; the next host finds out how many, and finds the board ready."""
    images, labels = blobs
    with Connection(NETWORK, virtual.port, patience=PATIENCE) as connection:
        connection.load_parameters(start)
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    with subprocess.Popen([sys.executable, "-c", HOST, virtual.port, tmp_path / "images.npz", NETWORK.to_json()], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True) as host:
        for line in host.stdout:
            if int(line) > after:
                break
        host.send_signal(signal.SIGKILL)
    with Connection(NETWORK, virtual.port, patience=PATIENCE) as connection:
        learnt = connection.status().learnt
        assert after < learnt < len(images)
        model = Model(NETWORK, "fixed", start)
        model.learn(images[:learnt], labels[:learnt])
        assert same(connection.parameters, model.parameters)
        rest = slice(learnt, learnt + 20)
        assert np.array_equal(connection.teach(images[rest], labels[rest]).classes, model.learn(images[rest], labels[rest]))
        assert same(connection.parameters, model.parameters)


def random_bytes(virtual, start, count):
    """Random bytes into the port, some of them in pieces of real packets; then everything is as before."""
    chance = random.Random(9)
    with Connection(NETWORK, virtual.port, patience=PATIENCE) as connection:
        connection.load_parameters(start)
        connection.soft_reset()
    transport = Transport(virtual.port, patience=PATIENCE)
    for _ in range(-(-count // 4096)):
        transport._port.write(chance.randbytes(4096))
        transport._port.read()
    transport.close()
    with Connection(NETWORK, virtual.port, patience=PATIENCE) as connection:
        assert same(connection.parameters, start)
        report = connection.status()
        assert (report.inferred, report.learnt, report.changed) == (0, 0, 0)


def test_random_bytes_change_nothing(virtual, start):
    random_bytes(virtual, start, 40_000)


@pytest.mark.long
def test_a_million_random_bytes_change_nothing(virtual, start):
    random_bytes(virtual, start, 1_000_000)


@pytest.mark.long
def test_6_000_images_over_a_bad_line(virtual, start, blobs):
    """Nothing wrong is accepted: every reply right, every image learnt once, through flipped bits in both directions."""
    images, labels = blobs
    model = Model(NETWORK, "fixed", start)
    with Connection(NETWORK, virtual.port, patience=PATIENCE) as connection:
        connection.load_parameters(start)
        virtual.noise(1e-4, seed=2)
        expected = model.outputs(images)
        for count in range(10):
            assert np.array_equal(connection.infer(images, outputs=True).outputs, expected), count
        assert np.array_equal(connection.teach(images, labels).classes, model.learn(images, labels))
        assert same(connection.parameters, model.parameters)
        assert frames.status_report(frames.parse(connection.transport.exchange([frames.status()])[0])).learnt == len(images)
        assert virtual.flipped > 500
        assert connection.transport.statistics.damaged > 100
