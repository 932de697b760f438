"""Designs whose Verilog is recorded, so that a change that must not alter them is seen to leave every byte.

``PYTHONPATH=tests python tests/emitted_designs.py`` writes the record ``emitted_designs.json`` anew. Only a change of circuits
needs that, with its reason in the change's message. ``pytest --long tests/test_emitted_designs.py`` compares all of them.
"""
from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from boards import fit
from design_combinations import covering, design_of
from golden_model.network import Formats, Learning, Network, Neuron, Wiring
from golden_model.storage.atomic_write import write_atomically
from hdl import emit
from hdl.design import Design, units_within

RECORD = Path(__file__).with_suffix(".json")
WIDE = Formats(bracket="Q4.12")           # of both operands of the iCE40's multiplier
UNEQUAL = {"K1": (0.5, 1.0, -0.5, 1.5, 0.0), "rest": (0.5, 0.75, 1.0, 1.0, 0.75), "input_population": 3}


# Layers, target, most units of a layer and arrangement of the designs of bench/synthesis.json
SYNTHESISED = (((784, 128, 10), "ecp5", 128, "parallel"), ((784, 16, 10), "ecp5", 128, "parallel"),
               ((64, 8, 4), "ecp5", 128, "parallel"), ((64, 8, 4), "ice40", 2, "parallel"),
               ((784, 32, 10), "ice40", 4, "time-shared"), ((64, 8, 4), "ice40", 2, "time-shared"),
               ((784, 32, 10), "ecp5", 4, "time-shared"))
CHAIN = (12, 9, 7, 5, 3)


@functools.cache
def designs() -> dict[str, Design]:
    """By name: those of the covering array of options; those that are synthesised; and what both lack: folds of a layer that
    sends errors back, more clusters than one branch of the control word has, a chain of time-shared layers,
    recurrent layers."""
    chosen = {f"covering {number}": design_of(choice) for number, choice in enumerate(covering())}
    for layers, target, most, arrangement in SYNTHESISED:
        network = fit.network_for(target, layers)
        units = units_within(network, most, arrangement)
        chosen[f"{'-'.join(map(str, layers))} {target} {arrangement} {most}"] = Design(
            network=network, target=target, arrangement=arrangement, units=units)
    for kind in ("shift", "programmable"):
        for learns in (True, False):
            network = Network(layers=(20, 70, 9, 5), neuron=Neuron(**UNEQUAL), formats=WIDE)
            chosen[f"20-70-9-5 {kind} {'learns' if learns else 'infers'} in folds"] = Design(
                network=network, kind=kind, learns=learns, units=(35, 3, 5), target="ecp5" if learns else "portable")
    for arrangement, target, units in (("parallel", "portable", (5, 3)), ("time-shared", "ecp5", (4, 3))):
        learning = Learning(links=2.0**-4 if target == "ecp5" else 0.0, bias=0.0, K1=2.0**-8, K2=2.0**-9, K3=2.0**-8,
                            halvings=3)
        network = Network(layers=(20, 9, 3), formats=Formats(bracket="Q6.12", coupling="Q2.22"), learning=learning)
        chosen[f"20-9-3 {arrangement} learns K"] = Design(network=network, kind="programmable", units=units, target=target,
                                                         arrangement=arrangement)
    for learns, words, layers in ((True, ("recurrent 2 steps 2 K3 0.5", "full", "full"), (6, 5, 4, 3)),
                                  (False, ("recurrent 3 steps 1 K3 1", "full"), (6, 4, 3))):
        network = Network(layers=layers, formats=Formats(bracket="Q6.12"), wiring=Wiring(layers=words))
        chosen[f"{'-'.join(map(str, layers))} recurrent {'learns' if learns else 'infers'}"] = Design(
            network=network, learns=learns, target="ecp5" if learns else "portable", units=(layers[1], *[2] * (len(words) - 1)))
    chosen["time-shared chain"] = Design(network=fit.network_for("ice40", CHAIN), arrangement="time-shared", units=(2, 2, 2, 2),
                                        target="ice40")
    chosen["chain, half of it frozen"] = Design(network=Network(layers=CHAIN, learning=Learning(frozen=2), formats=WIDE),
                                               units=(4, 3, 2, 3))
    return chosen


def digest(design: Design) -> str:
    """SHA-256 of the whole text."""
    return hashlib.sha256(emit.to_verilog(design).encode()).hexdigest()


def recorded() -> dict[str, str]:
    return json.loads(RECORD.read_text("utf-8"))


if __name__ == "__main__":
    write_atomically(RECORD, json.dumps({name: digest(design) for name, design in designs().items()}, indent=1) + "\n")
