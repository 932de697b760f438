"""Sites for the multipliers and memories of a large array: each one's own, side by side, and only where they help."""
import re
from itertools import pairwise
from pathlib import Path

import pytest

from boards import floorplan
from golden_model.network import Network
from hdl.control import CLUSTER
from hdl.design import Design

LARGE = Design(network=Network(layers=(784, 128, 10)), target="ecp5")


def column(site: str) -> int:
    return int(site.split("/")[0][1:])


def test_every_unit_has_sites_of_its_own_side_by_side():
    result = floorplan.sites("--85k", LARGE)
    assert set(result.units) == {(layer.index, unit) for layer in LARGE.layers for unit in range(layer.units)}
    multipliers, memories = zip(*result.units.values(), strict=True)
    assert len(set(multipliers)) == 138
    assert len({*memories, *result.central}) == 138 + floorplan.CENTRAL
    for multiplier, memory in result.units.values():
        (x, y), (across, along) = (map(int, re.match(r"X(\d+)/Y(\d+)/", site).groups()) for site in (multiplier, memory))
        assert abs(x - across) <= 2
        assert along == y + 12


def test_bands_follow_each_other_and_cut_no_cluster():
    result = floorplan.sites("--85k", LARGE).units
    ys = [int(re.search(r"Y(\d+)", result[0, unit][0])[1]) for unit in range(128)]
    assert ys == sorted(ys)
    assert {y: ys.count(y) for y in ys} == {10: 48, 34: 32, 58: 48}
    assert all(len(set(ys[start:start + CLUSTER])) == 1 for start in range(0, 128, CLUSTER))
    xs = [column(result[0, unit][0]) for unit in range(128)]
    assert max(abs(after - before) for before, after in pairwise(xs)) < 60         # across what lies in the middle
    assert abs(xs[48] - xs[47]) < 10
    assert abs(xs[80] - xs[79]) < 10


def test_what_all_units_share_lies_in_the_middle():
    result = floorplan.sites("--85k", LARGE)
    few = [result.units[1, unit][1] for unit in range(10)]
    assert {re.search(r"Y(\d+)", site)[1] for site in (*few, *result.central)} == {"46"}
    around = [column(result.units[0, unit][1]) for unit in (63, 64)]
    assert all(around[1] < column(site) < around[0] for site in (*few, *result.central))
    assert around[1] > 30
    assert around[0] < 90


@pytest.mark.parametrize(("device", "design"), [
    ("--25k", LARGE),
    ("--85k", Design(network=Network(layers=(784, 32, 10)), target="ecp5")),
    ("--85k", Design(network=Network(layers=(784, 128, 10)), target="ecp5", units=(64, 10))),
    ("--85k", Design(network=Network(layers=(784, 150, 10)), target="ecp5")),
    ("--85k", Design(network=Network(layers=(784, 32, 10)), target="ecp5", units=(4, 4), arrangement="time-shared"))])
def test_other_arrays_are_left_to_the_placer(device, design):
    assert floorplan.sites(device, design) == floorplan.NONE


def test_a_recurrent_layer_has_sites_and_the_small_array_behind_it_has_none():
    """Its units keep all in one memory; those of a time-shared array that learns have one for gates, too."""
    network = Network.from_toml((Path(__file__).parent.parent / "examples/recurrent.toml").read_text("utf-8"))
    design = Design(network=network, target="ecp5", units=(96, 4, 4), arrangement="time-shared 0-0,1-2")
    units = floorplan.sites("--85k", design).units
    assert set(units) == {(0, unit) for unit in range(96)}
    assert len({site for pair in units.values() for site in pair}) == 2 * 96


def test_multipliers_and_memories_are_told_their_sites_and_nothing_else_is():
    choice = floorplan.sites("--85k", LARGE)
    cells = {"core.layer_0.unit_7.multiplier.dsp": "MULT18X18D", "core.layer_1.weights_3.memory.0.0": "DP16KD",
             "core.layer_0.unit_7.weight_TRELLIS_FF_Q": "TRELLIS_FF", "core.commands.images.bank.0.0": "DP16KD",
             "link.requests.ring.0.0": "DP16KD", "core.elsewhere.dsp": "MULT18X18D"}
    module = {"cells": {name: {"type": kind, "attributes": {}} for name, kind in cells.items()}}
    assert floorplan.plan(module, choice) == 4
    places = [cell["attributes"].get("BEL") for cell in module["cells"].values()]
    assert places == [choice.units[0, 7][0], choice.units[1, 3][1], None, choice.central[0], choice.central[1], None]


def test_more_central_memories_than_sites_are_left_to_the_placer():
    module = {"cells": {f"core.bank.{number}": {"type": "DP16KD"} for number in range(floorplan.CENTRAL + 2)}}
    assert floorplan.plan(module, floorplan.sites("--85k", LARGE)) == floorplan.CENTRAL
    assert floorplan.plan(module, floorplan.NONE) == 0
