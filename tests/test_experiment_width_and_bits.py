"""Experiment ``width-and-bits``: formats and costs of a combination, the front, what is claimed."""
from __future__ import annotations

import pytest

from golden_model.network import Integration, Network
from hdl import estimate
from hdl.design import Design
from wuxing.experiments import width_and_bits
from wuxing.experiments.summary import Run


def network(word=12, weight=14, steps=8, hidden=32):
    return Network(layers=(784, hidden, 10), formats=width_and_bits.formats(word, weight), integration=Integration(steps=steps))


def run(accuracy, test, **where):
    setting = {"word": 12, "weight": 14, "steps": 8, "hidden": 32} | where
    it = network(**setting)
    return Run(setting | {"network": it.to_dict(), "dataset": "mnist", "train_images": 100},
               {"accuracy": accuracy, "test": test})


def test_the_longest_words_are_the_default_formats():
    assert network() == Network(layers=(784, 32, 10))


def test_costs_are_those_of_parameters_and_of_a_core():
    it = network(steps=4)
    result = width_and_bits.cost(it)
    assert result["memory_bits"] == (784 * 32 + 32 * 10) * 16 + 42 * 16
    assert result["clocks"] == estimate.clocks(Design(network=it, units=(32, 10)), 149).learnt
    assert result["core"]
    assert width_and_bits.cost(network(weight=11, steps=4))["memory_bits"] == (784 * 32 + 320) * 13 + 42 * 16
    assert not width_and_bits.cost(network(weight=8))["core"]                 # rounding would take more than 18 bits


@pytest.mark.parametrize(("word", "weight"), [(8, 8), (8, 11), (10, 14)])
def test_clocks_of_a_core_do_not_depend_on_its_words(word, weight):
    it = network(word, weight)
    assert width_and_bits.cost(it)["clocks"] == estimate.clocks(Design(network=it, units=(32, 10)), 149).learnt


def test_the_front_is_chosen_on_held_out_images():
    runs = [run(90.0, 99.0), run(91.0, 50.0, hidden=16), run(80.0, 80.0, hidden=64), run(85.0, 85.0, steps=4)]
    summary = width_and_bits.summarise(runs)
    assert [point["front"] for point in summary.values["points"]] == [False, True, False, True]
    assert [row[3] for row in summary.tables[1].rows] == ["16", "32"]


def test_claims_look_at_one_axis_at_a_time():
    def holds(**accuracies):
        points = [{"word": word, "weight": weight, "steps": steps, "hidden": hidden, "accuracy": 97.0, "front": True}
                  for word in (8, 10, 12) for weight in (8, 14) for steps in (4, 8) for hidden in (32, 64)]
        for axis, (value, accuracy) in accuracies.items():
            for point in points:
                if point[axis] == value:
                    point["accuracy"] = accuracy
        return [claim.holds for claim in width_and_bits.check({"points": points})]

    assert holds(hidden=(32, 95.0), weight=(8, 90.0)) == [True] * 5
    assert holds(hidden=(32, 97.5), word=(10, 95.0), steps=(4, 93.0)) == [False, False, False, False, True]
