"""Sites for the multipliers and memories of a large array: each one's own, side by side, and only where they help."""
import re

import pytest

from boards import floorplan
from golden_model.network import Network
from hdl.design import Design

LARGE = Design(network=Network(layers=(784, 128, 10)), target="ecp5")


def test_every_element_has_sites_of_its_own_side_by_side():
    found = floorplan.sites("--85k", LARGE)
    assert set(found) == {(layer.index, element) for layer in LARGE.layers for element in range(layer.elements)}
    for which in (0, 1):
        assert len({pair[which] for pair in found.values()}) == len(found)
    for multiplier, memory in found.values():
        (x, y), (across, along) = (map(int, re.match(r"X(\d+)/Y(\d+)/", site).groups()) for site in (multiplier, memory))
        assert abs(x - across) <= 2
        assert along == y + 12
    ys = [int(re.search(r"Y(\d+)", found[0, element][0])[1]) for element in range(128)]
    assert ys == sorted(ys)
    assert {re.search(r"Y(\d+)", found[1, element][0])[1] for element in range(10)} == {"34"}


@pytest.mark.parametrize(("device", "design"), [
    ("--25k", LARGE),
    ("--85k", Design(network=Network(layers=(784, 32, 10)), target="ecp5")),
    ("--85k", Design(network=Network(layers=(784, 128, 10)), target="ecp5", elements=(64, 10))),
    ("--85k", Design(network=Network(layers=(784, 150, 10)), target="ecp5")),
    ("--85k", Design(network=Network(layers=(784, 32, 10)), target="ecp5", elements=(4, 4), arrangement="shared"))])
def test_other_arrays_are_left_to_the_placer(device, design):
    assert floorplan.sites(device, design) == {}


def test_only_multipliers_and_memories_of_elements_are_told_their_sites():
    chosen = floorplan.sites("--85k", LARGE)
    cells = {"core.layer_0.element_7.multiplier.dsp": "MULT18X18D", "core.layer_1.weights_3.memory.0.0": "DP16KD",
             "core.layer_0.element_7.weight_TRELLIS_FF_Q": "TRELLIS_FF", "core.commands.images.bank.0.0": "DP16KD"}
    module = {"cells": {name: {"type": kind, "attributes": {}} for name, kind in cells.items()}}
    assert floorplan.plan(module, chosen) == 2
    told = [cell["attributes"].get("BEL") for cell in module["cells"].values()]
    assert told == [chosen[0, 7][0], chosen[1, 3][1], None, None]
    assert floorplan.plan(module, {}) == 0
