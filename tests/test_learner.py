"""One suite for all that infers and learns: the definition, the compiled engine, the emitted Verilog, and a board."""
import re

import numpy as np
import pytest

from boards import virtual
from boards.connection import Connection
from golden_model import training
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.learner import Learner
from golden_model.model import Model
from golden_model.network import Learning, Network, Wiring
from golden_model.parameters import initial
from golden_model.storage.model_file import ARRAYS
from hdl import emit
from hdl.design import Design
from sim.rtl_model import RtlModel
from test_connection import NETWORK as USUAL
from test_connection import PATIENCE, library  # noqa: F401 (a fixture)

LINKS_ALONE = Network(layers=(13, 5, 3), seed=1, learning=Learning(bias=0.0, epochs=3, halvings=2))
CONVOLUTION = Network(layers=(13, 24, 3), seed=1, learning=Learning(epochs=3, halvings=2), wiring=Wiring(layers=(
    "convolution 1x2 stride 1 of 1x13x1", "full")))
ARRANGEMENTS = {"parallel": {"units": (5, 3)}, "time-shared": {"arrangement": "time-shared"}}
pytestmark = pytest.mark.usefixtures("optimised_cores")


@pytest.fixture(scope="module")
def opened(library):                                   # noqa: F811
    with virtual.VirtualBoard(library) as chip, Connection(USUAL, chip.port, patience=PATIENCE) as connection:
        yield connection


def simulated(network, **options):
    return RtlModel(network, emit.to_verilog(Design(network=network, **options)))


@pytest.fixture(scope="module", params=["definition", "compiled", "Verilog", "board", "Verilog, parallel, links alone",
                                        "Verilog, time-shared, links alone", "Verilog, convolution"])
def begun(request):
    """A function: a learner with the parameters of the network's seed."""
    name = request.param
    if name == "board":
        device = request.getfixturevalue("opened")
    elif name.startswith("Verilog"):
        _, *rest = name.split(", ")
        network = CONVOLUTION if rest == ["convolution"] else LINKS_ALONE if rest else USUAL
        device = simulated(network, **ARRANGEMENTS.get(rest[0], {}) if rest else {})
    else:
        engine = Model if name == "definition" else CompiledModel
        return lambda: engine(USUAL, "fixed")

    def begin():
        device.load_parameters(initial(device.network, "fixed"))
        return device
    return begin


def task(network):
    """60 images, most of whose bytes are 0, and their labels."""
    random = np.random.default_rng(5)
    images = random.integers(0, 256, (60, network.layers[0])) * (random.random((60, network.layers[0])) < 0.6)
    return images.astype(np.uint8), random.integers(0, network.layers[-1], 60)


def same(one, other):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == getattr(b, name).dtype
               for a, b in zip(one, other, strict=True) for name in ARRAYS)


def test_all_have_the_protocol(begun):
    assert isinstance(begun(), Learner)


def test_all_have_the_same_words(begun):
    """Outputs, classes and parameters before, while and after they learn, at every rate of the rate schedule and after it."""
    learner = begun()
    images, labels = task(learner.network)
    definition = Model(learner.network, "fixed")
    for epoch in (0, learner.network.learning.epochs - 1, 1, 100):
        assert same(learner.parameters, definition.parameters)
        outputs = learner.outputs(images)
        assert (outputs.dtype, outputs.shape) == (np.int64, (60, learner.network.layers[-1]))
        assert np.array_equal(outputs, definition.outputs(images))
        classes = learner.predict(images)
        assert (classes.dtype, classes.shape) == (np.int64, (60,))
        assert np.array_equal(classes, outputs.argmax(axis=1))
        before = learner.learn(images, labels, epoch)
        assert before.dtype == np.int64
        assert np.array_equal(before, definition.learn(images, labels, epoch))
    assert same(learner.parameters, definition.parameters)
    assert not same(learner.parameters, initial(learner.network, "fixed"))


def test_the_epoch_of_a_lesson_is_the_first_unless_it_is_given(begun):
    learner = begun()
    images, labels = task(learner.network)
    definition = Model(learner.network, "fixed")
    learner.learn(images, labels, learner.network.learning.epochs - 1)
    definition.learn(images, labels, learner.network.learning.epochs - 1)
    learner.learn(images, labels)
    definition.learn(images, labels, 0)
    assert same(learner.parameters, definition.parameters)


def test_parameters_are_a_copy(begun):
    learner = begun()
    learner.parameters[0].weights[:] = 0
    assert same(learner.parameters, initial(learner.network, "fixed"))


def test_lists_and_no_images(begun):
    learner = begun()
    images, labels = task(learner.network)
    definition = Model(learner.network, "fixed")
    assert np.array_equal(learner.outputs(images.tolist()), definition.outputs(images))
    assert np.array_equal(learner.predict(images.astype(np.int32)), definition.predict(images))
    assert np.array_equal(learner.learn(images.tolist(), labels.tolist(), np.uint8(1)), definition.learn(images, labels, 1))
    assert learner.outputs(images[:0]).shape == (0, learner.network.layers[-1])
    assert learner.predict(images[:0]).shape == learner.learn(images[:0], []).shape == (0,)
    assert same(learner.parameters, definition.parameters)


def test_what_is_refused_is_refused_in_the_same_words_and_changes_nothing(begun):
    learner = begun()
    images, labels = task(learner.network)
    inputs, classes = learner.network.layers[0], learner.network.layers[-1]
    shapes = f"images must be uint8 of shape (images, {inputs}), not "
    for call, text in (
            (lambda: learner.outputs(images[:, 1:]), f"{shapes}uint8 of shape (60, {inputs - 1})"),
            (lambda: learner.predict(images / 255), f"{shapes}float64 of shape (60, {inputs})"),
            (lambda: learner.outputs(images - 1.0 > 3), f"{shapes}bool of shape (60, {inputs})"),
            (lambda: learner.predict(images.astype(int) + 256),
             f"images must be bytes, whole numbers 0..255, not {int(images.max()) + 256}; scale them"),
            (lambda: learner.learn(images, labels[1:]), "labels must be integers of shape (60,), not int64 of shape (59,)"),
            (lambda: learner.learn(images, labels + classes),
             f"labels must be outputs 0..{classes - 1} of this network, not {labels.max() + classes}"),
            (lambda: learner.learn(images, labels, -1), "epoch must be a whole number, 0 or more, not -1; the first is 0"),
            (lambda: learner.learn(images, labels, True), "epoch must be a whole number, 0 or more, not True; the first is 0")):
        with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
            call()
    assert same(learner.parameters, initial(learner.network, "fixed"))


def test_accuracy_is_measured_of_all(begun):
    learner = begun()
    images, labels = task(learner.network)
    assert training.accuracy(learner, images, labels) == training.accuracy(Model(learner.network, "fixed"), images, labels)
