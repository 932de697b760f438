"""Bits and sentences that were recorded once stay as they are, whatever is built anew: see recorded_runs.py."""
from __future__ import annotations

import pytest

import recorded_runs
from golden_model.engine import CompiledModel
from golden_model.model import Model
from golden_model.network import Network
from golden_model.robustness import faults

RECORDED = recorded_runs.recorded()
KINDS = ("answers", "parameters", "memory", "outputs")
USUAL = {f"{shape}.0" for shape in range(17)}            # default words
OWN_K = {0: "134", 1: "23", 2: "234", 3: "34", 4: "13", 5: "24", 6: "23", 11: "1234", 12: "234", 13: "134", 14: "1234",
         15: "134", 16: "1234"}
CHEAP = USUAL - {"12.0"} | {f"{shape}.{variant}" for shape, variants in OWN_K.items() for variant in variants} | {
    f"faults.{kind}.{shape}" for kind in (0, 1) for shape in (1, 4, 6)}


def test_enough_is_recorded_and_no_two_runs_are_one():
    runs = RECORDED["runs"]
    assert set(recorded_runs.names()) == set(runs)
    assert len(runs) >= 60
    assert len(RECORDED["refusals"]) >= 30
    assert len({run["parameters"] for run in runs.values()}) == len(runs)


@pytest.mark.parametrize("name", RECORDED["runs"])
def test_the_definition_computes_the_recorded_bits(name):
    run, broken = RECORDED["runs"][name], recorded_runs.broken(name)
    network = Network.from_dict(run["network"])
    assert (network.digest, network.widths()) == (run["digest"], run["widths"])
    model = Model(network, "fixed") if broken is None else faults.FaultyModel(network, None, broken)
    assert recorded_runs.learnt(model, name) == {kind: run[kind] for kind in KINDS}


@pytest.mark.parametrize("name", [name if name in CHEAP else pytest.param(name, marks=pytest.mark.long)
                                  for name in RECORDED["runs"]])
def test_the_compiled_engine_computes_the_recorded_bits(name):
    """Those runs always whose machine code few types of words and other tests need as well; the others by --long."""
    run, broken = RECORDED["runs"][name], recorded_runs.broken(name)
    network = Network.from_dict(run["network"])
    model = (CompiledModel(network, "fixed", threads=1) if broken is None
             else faults.FaultyCompiledModel(network, None, broken))
    assert recorded_runs.learnt(model, name) == {kind: run[kind] for kind in KINDS}


@pytest.mark.parametrize("index", range(len(RECORDED["refusals"])))
def test_a_wrong_description_is_refused_in_the_recorded_sentence(index):
    wrong = RECORDED["refusals"][index]
    assert recorded_runs.refusal(wrong["network"]) == wrong["sentence"]
