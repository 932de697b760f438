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


@pytest.mark.parametrize("name", RECORDED["runs"])
def test_the_compiled_engine_computes_the_recorded_bits(name):
    run, broken = RECORDED["runs"][name], recorded_runs.broken(name)
    network = Network.from_dict(run["network"])
    model = (CompiledModel(network, "fixed", threads=1) if broken is None
             else faults.FaultyCompiledModel(network, None, broken))
    assert recorded_runs.learnt(model, name) == {kind: run[kind] for kind in KINDS}


@pytest.mark.parametrize("index", range(len(RECORDED["refusals"])))
def test_a_wrong_description_is_refused_in_the_recorded_sentence(index):
    wrong = RECORDED["refusals"][index]
    assert recorded_runs.refusal(wrong["network"]) == wrong["sentence"]
