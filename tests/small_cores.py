"""Small cores of every kind, target and arrangement as their files: read, linted and simulated by several tests."""
from __future__ import annotations

import functools
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from golden_model.network import Formats, Learning, Network, Neuron, Wiring
from golden_model.parameters import Layer, initial
from hdl import emit
from hdl.design import Design

UNEVEN = Neuron(K1=(0.5, 1, 0.5, 0.5, 1.5), K2=(1, 0.5, 0.5, 0.5, 0.5), K3=(1, 1, 0.5, 1, 1), rest=(1, 0.5, 1, 1, 1))
DESIGNS = {
    "folded": Design(network=Network(layers=(6, 4, 3)), units=(3, 2)),
    "infers": Design(network=Network(layers=(5, 3, 2)), units=(2, 2), learns=False),
    "ecp5": Design(network=Network(layers=(5, 2, 2)), target="ecp5"),
    "ice40": Design(network=Network(layers=(5, 4, 3), neuron=UNEVEN, formats=Formats(bracket="Q4.12"),
                                    learning=Learning(halvings=3)), target="ice40", units=(2, 3)),
    "programmable": Design(network=Network(layers=(5, 3, 2), formats=Formats(bracket="Q6.12")), kind="programmable",
                           units=(2, 2)),
    "time-shared": Design(network=Network(layers=(6, 5, 4, 3)), units=(2, 2, 2), arrangement="time-shared"),
    "time-shared ice40": Design(network=Network(layers=(5, 4, 3), formats=Formats(bracket="Q4.12"),
                                                learning=Learning(halvings=3)),
                                target="ice40", arrangement="time-shared"),
    "time-shared infers": Design(network=Network(layers=(5, 3)), units=(2,), arrangement="time-shared", learns=False),
    "convolutions": Design(network=Network(layers=(30, 32, 12, 3), wiring=Wiring(layers=(
        "convolution 2x3 stride 1 of 5x6x1", "convolution 2x2 stride 2 of 4x4x2", "full"))), units=(2, 2, 2)),
    "convolution infers": Design(network=Network(layers=(12, 4), wiring=Wiring(layers=("convolution 2x3 stride 1 of 3x4x1",))),
                                 units=(1,), learns=False),
    "learns K": Design(network=Network(layers=(5, 3, 2), formats=Formats(bracket="Q6.12", coupling="Q2.22"),
                                       learning=Learning(K1=2.0**-8, K2=2.0**-8, K3=2.0**-9, halvings=3)), kind="programmable",
                        units=(2, 2)),
    "time-shared learns K": Design(network=Network(layers=(5, 4, 3), formats=Formats(bracket="Q4.12", coupling="Q2.18"),
                                                   learning=Learning(links=0.0, bias=0.0, K3=2.0**-5, halvings=3)),
                                   kind="programmable", target="ice40", units=(2, 2), arrangement="time-shared"),
    "least": Design(network=Network(layers=(1, 1))),
}
every_design = pytest.mark.parametrize("name", DESIGNS)


@functools.cache
def files(name):
    """The files of a design by their names."""
    return emit.core_files(DESIGNS[name], parameters(name))


def parameters(name):
    """Random ones of the whole range, K too where it is in memory."""
    network, random = DESIGNS[name].network, np.random.default_rng(1)
    values = []
    for layer in initial(network, "fixed"):
        weight, bias = (random.integers(word.least, word.greatest, shape, endpoint=True) for word, shape in (
            (network.formats.weight, layer.weights.shape), (network.formats.drive, layer.bias.shape)))
        coupling = layer.coupling
        if DESIGNS[name].kind == "programmable":
            coupling = random.integers(network.formats.coupling.least, network.formats.coupling.greatest, coupling.shape,
                                       endpoint=True)
        values.append(Layer(weight // 8, bias // 2, coupling))
    return values


@contextmanager
def folders():
    """A function: the folder with the files of a design."""
    with tempfile.TemporaryDirectory() as base:
        def folder(name):
            place = Path(base) / name
            if not place.exists():
                place.mkdir()
                for file, text in files(name).items():
                    (place / file).write_text(text)
            return place
        yield folder


def cells(place):
    """The cells of the vendor that the core in a folder needs."""
    return list(emit.cells(DESIGNS[place.name]))
