"""Experiment ``sparse``: links are counted and left out as each wiring says; what is claimed."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.engine import CompiledModel
from golden_model.network import Network, Wiring
from wuxing.experiments import description, sparse


def network(way, share, inputs=784, hidden=256, classes=10):
    layers, words = sparse.wired(way, share, inputs, hidden, classes)
    return Network(layers=layers, wiring=Wiring(layers=words))


@pytest.mark.parametrize(("way", "share", "layers", "links"), [
    ("both", 1.0, (784, 256, 10), 203_264), ("first", 1.0, (784, 256, 10), 203_264), ("narrow", 1.0, (784, 256, 10), 203_264),
    ("both", 0.5, (784, 256, 10), 256 * 392 + 10 * 128), ("both", 0.01, (784, 256, 10), 256 * 8 + 10 * 3),
    ("first", 0.1, (784, 256, 10), 256 * 69 + 2560), ("first", 0.01, (784, 256, 10), 256 + 2560),
    ("narrow", 0.1, (784, 26, 10), 26 * 794), ("narrow", 0.0001, (784, 1, 10), 794),
    ("one-to-one", None, (784, 784, 10), 784 + 7840)])
def test_links_are_as_few_as_each_wiring_says(way, share, layers, links):
    network_of = network(way, share)
    assert network_of.layers == layers
    assert sparse.links(network_of) == links
    started = CompiledModel(network_of, "fixed").parameters
    assert sum(np.count_nonzero(layer.weights) for layer in started) == pytest.approx(links, rel=0.01)


def test_tasks_name_their_links():
    tasks = sparse.tasks(description.load("sparse", quick=True).settings)
    for setting in tasks:
        assert setting["links"] == sparse.links(Network.from_dict(setting["network"]))
    assert {setting["way"] for setting in tasks} == set(sparse.WIRINGS)
    assert len([setting for setting in tasks if setting["way"] == "one-to-one"]) == 3


def test_claims_compare_equal_numbers_of_links():
    def values(quarter, first, both, narrow, one, least):
        result = {way: {"1": {"accuracy": 97.0}, "0.25": {"accuracy": quarter}, "0.1": {"accuracy": tenth},
                        "0.01": {"accuracy": least}} for way, tenth in {"first": first, "both": both, "narrow": narrow}.items()}
        return result | {"one-to-one": {"accuracy": one}}

    def holds(*figures):
        return [claim.holds for claim in sparse.check(values(*figures))]

    assert holds(96, 96, 95, 95, 90, 60) == [True] * 6
    assert holds(93, 95, 96, 96, 70, 40) == [False] * 6
