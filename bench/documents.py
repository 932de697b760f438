"""Writes the figures of README.md and docs into their places: what stands between two marks is made here.

    python bench/documents.py            # or: make documents
    python bench/documents.py --check    # changes nothing; exit code 1 and the names, if something is not up to date

The figures come from docs/figures (`python bench/figures.py`), bench/synthesis.json (`python bench/synthesis.py`), docs/reports
(`wuxing build`) and, for clocks by formula, from hdl/estimate.py. The pictures of docs/pictures are drawn as well, and
docs/api.md is written from the docstrings of the public names.
"""
from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pictures
import program_tables
import reference
from markdown_table import table

from boards import fit
from golden_model.network import Network
from golden_model.storage.atomic_write import write_atomically
from hdl import estimate
from hdl.design import Design
from hdl.operations import PARALLEL, TIME_SHARED, TIME_SHARED_RECURRENT, WINDOWED

ROOT = Path(__file__).resolve().parents[1]
USUAL = 149                               # of the 784 pixels of an MNIST image are not 0
CLOCK = {"ecp5": 100, "ice40": 30}        # MHz of the two headline boards

Json = dict[str, Any]


def record(name: str) -> Json:
    """A file of docs/figures."""
    content: Json = json.loads((ROOT / f"docs/figures/{name}.json").read_text("utf-8"))
    return content


def report(name: str) -> Json:
    """What ``wuxing build`` said of one of the three builds."""
    content: Json = json.loads((ROOT / f"docs/reports/{name}.json").read_text("utf-8"))
    return content


def synthesis(command: str) -> Json:
    """The entry of bench/synthesis.json that ``python bench/synthesis.py`` with these words made."""
    entries = json.loads((ROOT / "bench/synthesis.json").read_text("utf-8"))
    result: Json = next(entry for entry in entries if entry["command"] == f"python bench/synthesis.py {command}")
    return result


# ----------------------------------------------------------------- Markdown

def code(command: str) -> str:
    return f"`{command}`"


def percent(value: float, spread: float | None = None) -> str:
    return f"{value:.2f} %" if spread is None else f"{value:.2f} ± {spread:.2f} %"


def transcribed(*records: Json) -> str:
    """A sentence, if figures are not those of a run that was recorded."""
    commands = [code(each["command"]) for each in records if "transcript" in each]
    return f"\n\nNot measured by a recorded run yet: {', '.join(commands)}." if commands else ""


def us(clocks: float, target: str) -> float:
    return clocks / CLOCK[target]


def rounded(value: float, digits: int) -> str:
    """With so many significant digits, and commas."""
    return f"{float(f'{value:.{digits}g}'):,.0f}"


# ----------------------------------------------------------------- accuracy

def accuracy(spreads: bool) -> str:
    """Networks of MNIST in float and in integers; README without spreads, docs/learning.md with them."""
    rows, used = [], []
    for name in ("compare-784-128-10", "compare-784-256-128-10"):
        result = record(name)
        spread = result["spread"] if spreads else {}
        rows.append(["-".join(map(str, result["layers"])),
                     percent(result["float_accuracy"], spread.get("float_accuracy")),
                     percent(result["fixed_accuracy"], spread.get("fixed_accuracy")),
                     f"{result['gap_points']:.2f} points", code(result["command"])])
        used.append(result)
    for name, remark in (("train-784-32-10", ""), ("train-784-256-128-10-shifted", ", images shifted by up to one pixel")):
        result = record(name)
        rows.append(["-".join(map(str, result["layers"])) + remark, "",
                     percent(result["mean"], result["spread"] if spreads else None), "", code(result["command"])])
        used.append(result)
    first = used[0]
    remark = (f"The last layer alone, with the hidden links left as they were drawn, reaches "
            f"{percent(first['last_layer_only_accuracy'])}, and logistic regression {percent(first['logistic_accuracy'])}. S "
            f"is 0, 1 and 2.")
    if spreads:
        p_values = "; ".join(f"seed {run['seed']}: p = {run['p_value']:.2g}" for run in first["runs"])
        remark = (f"Beside 784-128-10 in the same runs: the float network quantised afterwards "
                f"{percent(first['quantised_accuracy'])}, its last layer alone (hidden links frozen) "
                f"{percent(first['last_layer_only_accuracy'], first['spread']['last_layer_only_accuracy'])}, scikit-learn's "
                f"logistic regression after 100 iterations {percent(first['logistic_accuracy'])}. Float and integers agree "
                f"on {percent(first['agreement'])} of the test images. McNemar's test between the two learners, {p_values}. "
                f"S is 0, 1 and 2.")
    return table(("network", "float", "integers", "gap", "command"), rows) + f"\n\n{remark}" + transcribed(*used)


def alternatives() -> str:
    result = record("alternatives")
    return table(("setting", "held-out accuracy"),
                 ([name, percent(value)] for name, value in result["held_out_accuracy"].items())) + transcribed(result)


def brightness() -> str:
    result = record("brightness")
    rows = [[row["images"], row["encoding"], percent(row["float_accuracy"]), percent(row["fixed_accuracy"])]
            for row in result["rows"]]
    return table(("images", "encoding", "float", "integers"), rows) + transcribed(result)


def own_table() -> str:
    """From a table to Verilog: each command with its seconds."""
    result = record("own-table")
    rows = [[code(command), f"{seconds:.0f} s"] for command, seconds in zip(result["commands"], result["seconds"], strict=True)]
    size = f"{result['samples']:,} samples, {result['values']} values and {result['classes']} classes"
    return (f"A table of {size}, to a network that learnt it in integers and its Verilog: {sum(result['seconds']):.0f} seconds "
            f"on {result['cores']} cores of {result['processor']} ({code(result['command'])} makes the table and measures "
            f"it).\n\n"
            + table(("command", "time"), rows) + f"\n\nThe model has {percent(result['accuracy'])} of the test samples right, "
            f"and {percent(result['usual_accuracy'])} without the first command.") + transcribed(result)


def methods() -> str:
    """Networks in integers beside the best of what is measured in the same run."""
    rows = []
    records = [record(name) for name in ("pictures", "recordings")]
    for result in records:
        for dataset, reached in result["values"].items():
            others = {name: value for name, value in reached.items() if not name.endswith(": integers")}
            for name, value in reached.items():
                if name not in others:
                    kind = name.removesuffix(": integers")
                    beside = [f"{method.removeprefix(f'{kind}: ')} {other:.2f}" for method, other in others.items()
                              if method.startswith(f"{kind}: ") or ": " not in method]
                    rows.append([f"{dataset.rpartition('/')[2].removesuffix('.npz')}, {kind}", percent(value),
                                 "; ".join(beside), code(result["command"])])
    return table(("data and network", "integers", "others in the same run, %", "command"), rows) + transcribed(*records)


def tables() -> str:
    """The classifier beside scikit-learn's on small tables; the best of each in bold."""
    result = record("tables")
    names = list(next(iter(result["accuracy"].values())))
    rows = []
    for name, figures in result["accuracy"].items():
        best = max(each["mean"] for each in figures.values())
        cells = [percent(each["mean"], each["spread"]) for each in figures.values()]
        rows.append([name, *(f"**{text}**" if each["mean"] == best else text
                             for text, each in zip(cells, figures.values(), strict=True))])
    return (table(("table", *names), rows) + f"\n\nFrom {code(result['command'])}: five folds, {result['seeds']} seeds of "
            f"folds and networks, mean and standard deviation of the seeds' means. Integers, float and `MLPClassifier` have "
            f"one hidden layer of {result['hidden']}.")


# ----------------------------------------------------------------- hardware

def core(layers: tuple[int, ...]) -> Design:
    return Design(network=Network(layers=layers))


def time_shared(layers: tuple[int, ...]) -> Design:
    return Design(network=fit.network_for("ice40", layers), arrangement="time-shared", target="ice40")


def clocks_of(result: Json) -> str:
    return f"{result['cycles_per_image']:,.1f}, {result['cycles_per_learnt_image']:,.1f}"


def equal(result: Json) -> str:
    return f"{result['mismatches']:,} of {result['words_compared']:,} words differ"


def headline() -> str:
    """784-128-10 on an ECP5."""
    trained, simulated, virtual = (record(name) for name in ("train-784-128-10", "cosim-784-128-10", "run-ulx3s-85f"))
    untrained = record("cosim-784-128-10-untrained")
    alone, built = synthesis("784-128-10 --seeds 1"), report("ulx3s-85f-784-128-10")
    clocks = estimate.clocks(core((784, 128, 10)), USUAL)
    images, learnt = simulated["images"], simulated["learnt"]
    inferred, once, fresh = (us(count, "ecp5") for count in (simulated["cycles_per_image"],
                                                             simulated["cycles_per_learnt_image"],
                                                              untrained["cycles_per_learnt_image"]))
    rows = [
        [f"integers, {trained['epochs']} epochs (seed 0)", f"{percent(trained['accuracies'][0])} of the MNIST test images",
         code(trained["command"])],
        [(f"RTL against the golden model, this model: {images:,} test images inferred, "
          f"{learnt:,} learnt"),
         equal(simulated), code(simulated["command"])],
        ["clocks for an inferred image, for a learnt one (mean of these)", clocks_of(simulated), "the same"],
        [f"the same for the first {untrained['learnt']:,} images of a network that is **not trained**", clocks_of(untrained),
         f"{code(untrained['command'])} ([how](docs/hardware.md#an-untrained-network))"],
        ["core alone on ECP5, placed and routed",
         f"{alone['area']:,} COMB, {alone['area_per_unit']:.0f} a unit, {alone['runs'][0]['MHz']:.1f} MHz",
         code(alone["command"])],
        ["bitstream for the ULX3S 85F, host link included",
         (f"{100 * built['use']['cells']['share']:.0f} % of its cells, {built['clock']['reached_MHz']:.1f} MHz for a clock "
          f"of {built['clock']['MHz']:.0f}"), code("wuxing build model.npz --board ulx3s-85f")],
        [(f"a virtual ULX3S 85F, serial line included: {virtual['inferred']['images']} images inferred, "
          f"{virtual['learnt']['images']} learnt"), equal(virtual), code(virtual["command"])],
        ["at 100 MHz", (f"{rounded(1e6 / inferred, 3)} images inferred a second; a learnt one takes {once:.2f} us when "
                        f"trained (mean), {fresh:.2f} us when not"), "the clocks above"],
    ]
    return table(("what", "figure", "command"), rows) + (
        f"\n\nAn image with an error takes {clocks.learnt:,.0f} clocks to learn, one without "
        f"{clocks.learnt_without_error:,.0f}: the better a network is, the faster it learns."
    ) + transcribed(trained, simulated, untrained, virtual)


def small() -> str:
    """784-32-10 and 784-64-10 on an iCE40UP5K."""
    trained, wider = record("train-icebreaker-784-32-10"), record("train-icebreaker-784-64-10")
    simulated, untrained, wide = (record(name) for name in ("cosim-784-32-10-time-shared",
                                                            "cosim-784-32-10-time-shared-untrained",
                                                            "cosim-784-64-10-time-shared"))
    virtual, built, second = record("run-icebreaker"), report("icebreaker-784-32-10"), report("icebreaker-784-64-10")
    alone = synthesis("784-32-10 --target ice40 --arrangement time-shared --clock 30")
    rows = [
        [f"integers, {trained['epochs']} epochs", (f"{percent(trained['accuracies'][0])} of the MNIST test images (seeds 0 to "
                                                  f"2: "
         f"{trained['mean']:.2f} in the mean)"), code(trained["command"].replace("--seed S", "-o m32.npz"))],
        ["core alone, placed and routed", f"{alone['area']:,} of 5,280 logic cells, {alone['runs'][0]['MHz']:.1f} MHz",
         code(alone["command"])],
        ["clocks for an inferred image, for a learnt one (mean)", (f"{clocks_of(simulated)}: "
         f"{us(simulated['cycles_per_learnt_image'], 'ice40') / 1000:.2f} ms at 30 MHz"), code(simulated["command"])],
        [(f"the same for the first {untrained['learnt']} images of a network that is **not "
         f"trained**"), (f"{clocks_of(untrained)}: "
         f"{us(untrained['cycles_per_learnt_image'], 'ice40') / 1000:.2f} ms"), code(untrained["command"])],
        ["bitstream for the iCEBreaker, host link included", (f"{built['use']['cells']['used']:,} of "
         f"{built['use']['cells']['there']:,} logic cells, {built['clock']['reached_MHz']:.1f} MHz for a clock of "
         f"{built['clock']['MHz']:.0f}"), code("wuxing build m32.npz --board icebreaker")],
        [(f"a virtual iCEBreaker, serial line included: {virtual['inferred']['images']} images inferred, "
          f"{virtual['learnt']['images']} learnt"), equal(virtual), code(virtual["command"])],
    ]
    return table(("what", "figure", "command"), rows) + (
        f"\n\n784-64-10 fits the same chip: {percent(wider['accuracies'][0])} of the test images after {wider['epochs']} "
        f"epochs (seed 0; {wider['mean']:.2f} in the mean of seeds 0 to 2), {second['use']['cells']['used']:,} logic cells, "
        f"{second['clock']['reached_MHz']:.1f} MHz, {us(wide['cycles_per_learnt_image'], 'ice40'):.0f} us a learnt image in "
        f"the mean."
    ) + transcribed(trained, simulated, untrained, virtual, wider, wide)


def clocks(design: Design, target: str, latency: bool) -> str:
    """What an image of the usual size takes, by formula."""
    result = estimate.clocks(design, USUAL)
    rows = [["inferred", f"{result.inferred:,.0f}", f"{1e6 * CLOCK[target] / result.inferred:,.0f} images a second"]]
    for name, count in (("learnt, with an error", result.learnt), ("learnt, without an error", result.learnt_without_error),
                        ("first word of an image to its reply", result.latency if latency else None)):
        if count is not None:
            rows.append([name, f"{count:,.0f}", f"{us(count, target):.{1 if target == 'ecp5' else 0}f} us"])
    return table(("", "clocks", f"at {CLOCK[target]} MHz"), rows)


def untrained() -> str:
    rows = []
    for name, title, target in (("784-128-10", "784-128-10, a unit for each neuron", "ecp5"),
                                ("784-32-10-time-shared", "784-32-10 on four units", "ice40"),
                                ("784-64-10-time-shared", "784-64-10 on four units", "ice40")):
        trained, fresh = record(f"cosim-{name}"), record(f"cosim-{name}-untrained")
        rows.append([title, *(f"{each['cycles_per_learnt_image']:,.1f} ({us(each['cycles_per_learnt_image'], target):.1f} us)"
                              for each in (trained, fresh)), str(trained["learnt"]), code(trained["command"])])
    records = [record(f"cosim-{name}{which}") for name in ("784-128-10", "784-32-10-time-shared", "784-64-10-time-shared")
               for which in ("", "-untrained")]
    return table(("core", ("clocks of a learnt image, "
                          "trained"), "not trained", "images", "command"), rows) + transcribed(*records)


def cells() -> str:
    """Cores alone, by Yosys and nextpnr."""
    rows = []
    for words in ("784-128-10 --seeds 1", "784-16-10 --seeds 1", "64-8-4 --seeds ''",
                  "64-8-4 --target ice40 --most-units 2 --seeds ''"):
        result = synthesis(words)
        device, ecp5 = result["device"], result["target"] == "ecp5"
        rows.append([code(result["command"]), f"{sum(result['units'])}", f"{result['area']:,}",
                     f"{result['area_per_unit']:,.0f}",
                     f"{device['TRELLIS_FF']:,}" if ecp5 else "in the cells",
                     f"{device['MULT18X18D' if ecp5 else 'ICESTORM_DSP']}, {device['DP16KD' if ecp5 else 'ICESTORM_RAM']}"])
    large, middle = synthesis("784-128-10 --seeds 1"), synthesis("784-16-10 --seeds 1")
    built = report("ulx3s-85f-784-128-10")
    return table(("command", "units", "cells", "a unit", "flip-flops", "multipliers, block RAMs"), rows) + (
        f"\n\nWithout seeds a core is not placed. With seed 1, asked for {large['goal_MHz']} MHz, 784-128-10 reaches "
        f"{large['runs'][0]['MHz']:.1f} MHz (its multipliers and memories on the floorplan of `boards/floorplan.py`; half an "
        f"hour in all) and 784-16-10 {middle['runs'][0]['MHz']:.1f} MHz. Their critical paths go from {path(large)}, and "
        f"from {path(middle)}. For a board, host link included, 784-128-10 reaches {built['clock']['reached_MHz']:.1f} MHz "
        f"with `wuxing build` ([boards.md](boards.md)).")


def path(result: Json) -> str:
    run = result["runs"][0]
    return f"`{run['from']}` to `{run['to']}`"


BUILDS = {                                # of a report: the records of co-simulation and training of its network
    "icebreaker-784-32-10": ("cosim-784-32-10-time-shared", "train-icebreaker-784-32-10"),
    "icebreaker-784-64-10": ("cosim-784-64-10-time-shared", "train-icebreaker-784-64-10"),
    "ulx3s-85f-784-128-10": ("cosim-784-128-10", "train-784-128-10"),
    "ulx3s-85f-convolutions": ("cosim-convolutions", "train-convolutions"),
    "ulx3s-12f-small-convolutions": ("cosim-small-convolutions", "train-small-convolutions"),
    "ulx3s-85f-couplings": ("cosim-couplings", "train-couplings")}


def build(name: str) -> str:
    """One of the builds of docs/boards.md, in words."""
    result = report(name)
    use, images = result["use"], result["images"]
    parts = {"cells": "logic cells", "flip_flops": "flip-flops", "multipliers": "multipliers", "block_rams": "block RAMs",
             "spram": "SPRAM blocks"}
    counts = ", ".join(f"{use[part]['used']:,} of {use[part]['there']:,} {note}"
                       + (f" ({100 * use[part]['share']:.0f} %)" if part == "cells" else "")
                       for part, note in parts.items() if part in use)
    learnt, without = images["learnt"], images["learnt_without_error"]
    note = (f"{counts}; {result['clock']['reached_MHz']:.1f} MHz for a clock of {result['clock']['MHz']:.0f} MHz, met by seed "
            f"{result['seed']}. An image with {USUAL} pixels that are not 0 is inferred in {images['inferred']['us']:.2f} us "
            f"and learnt in {learnt['us']:.2f} us with an error, in {without['us']:.2f} us without.")
    simulated, trained = BUILDS[name]
    measured, model = record(simulated), record(trained)
    MHz = result["clock"]["MHz"]
    return note + (
        f" In the mean over images of MNIST, with the trained model ({percent(model['accuracies'][0])} of the test images "
        f"after {model['epochs']} epochs), an inferred one takes {measured['cycles_per_image'] / MHz:.2f} us and a learnt "
        f"one {measured['cycles_per_learnt_image'] / MHz:.2f} us ({measured['cycles_per_image']:,.1f} and "
        f"{measured['cycles_per_learnt_image']:,.1f} clocks, {code(measured['command'])}). Its reports: "
        f"[HTML](reports/{name}.html), [JSON](reports/{name}.json); the energy there is an estimate.")


def kinds() -> str:
    """Each kind of network on a board: accuracy, clocks, cells, rate of the clock."""
    rows = []
    for title, trained, simulated, built in (
            ("784-128-10, a unit for each neuron", "train-784-128-10", "cosim-784-128-10", "ulx3s-85f-784-128-10"),
            ("784-32-10 on 4 units", "train-icebreaker-784-32-10", "cosim-784-32-10-time-shared", "icebreaker-784-32-10"),
            ("28x28, 5x5/2 x 16, 5x5/2 x 32, 128, 10 on 16 units", "train-convolutions", "cosim-convolutions",
             "ulx3s-85f-convolutions"),
            ("28x28, 7x7/3 x 8, 4x4/2 x 24, 10 on 2 units", "train-small-convolutions", "cosim-small-convolutions",
             "ulx3s-12f-small-convolutions"),
            ("28 rows of 28, 96 neurons with reciprocal links, 64, 10", "train-recurrent", "cosim-recurrent", ""),
            ("784-256-10 on 13 units, K alone learns", "train-couplings", "cosim-couplings", "ulx3s-85f-couplings")):
        measured = record(simulated)
        if not built:
            rows.append([title, percent(record(trained)["accuracies"][0]), f"{measured['cycles_per_image']:,.0f}",
                         f"{measured['cycles_per_learnt_image']:,.0f}",
                         f"{measured['words_compared']:,} ({measured['mismatches']})", "simulated alone", "", ""])
            continue
        result = report(built)
        use, clock = result["use"], result["clock"]
        rows.append([title, percent(record(trained)["accuracies"][0]),
                     f"{measured['cycles_per_image']:,.0f}", f"{measured['cycles_per_learnt_image']:,.0f}",
                     f"{measured['words_compared']:,} ({measured['mismatches']})", result["title"],
                     f"{use['cells']['used']:,}, {use['multipliers']['used']}, {use['block_rams']['used']}",
                     f"{clock['MHz']:.0f} ({clock['reached_MHz']:.1f})"])
    return table(("network", "MNIST", "clocks of an inferred image", "of a learnt one", "words compared (different)", "board",
                  "cells, multipliers, block RAMs", "MHz (reached)"), rows)


def line() -> str:
    """What the serial line costs."""
    from boards import platforms
    from boards.uart import BITS
    from wuxing.commands.boards import LINE_BYTES
    result = record("run-icebreaker")
    parameters = 32 * 785 + 10 * 33
    bauds = sorted({platform.baud for platform in platforms.PLATFORMS.values()})
    speeds = ", ".join(f"{baud / BITS / LINE_BYTES:,.0f} at {baud / 1e6:g} Mbaud" for baud in bauds)
    seconds = (5 * parameters + 11 * -(-parameters // 48)) * 10 / 2e6
    return table(("", "figure", "from"), [
        ["bytes to the board for an MNIST image", (f"{result['inferred']['bytes_per_image']:.0f} inferred, "
                                                   f"{result['learnt']['bytes_per_image']:.0f} learnt"),
                                                   code(result["command"])],
        ["images a second that the line carries, MNIST", speeds, f"{LINE_BYTES} bytes of 10 bits, as `wuxing boards` says"],
        ["reading a model of 784-32-10 back", f"{parameters:,} parameters, {seconds:.1f} s at 2 Mbaud",
         "5 bytes a parameter, 11 more a packet of 48"],
    ]) + transcribed(result)


def virtual() -> str:
    result = record("run-icebreaker")
    return (f"With a network 784-32-10 ({code(result['command'])}), {result['inferred']['images']} images inferred and "
            f"{result['learnt']['images']} learnt on a virtual iCEBreaker, {result['mismatches'] or 'none'} of "
            f"{result['words_compared']:,} words differ{'s' if not result['mismatches'] else ''}.") + transcribed(result)


# ----------------------------------------------------------------- beside others

# What is measured, MNIST, a learnt image, inferred, why it is not the same.
OTHERS = [
    ("convolutional Tsetlin machine: Tunheim et al., [IEEE TCAS-I 2024](https://doi.org/10.1109/TCSI.2024.3519191)",
     "97.6 %", "25 us", "134,000 /s",
     ("runs on a Zynq UltraScale+ at 50 MHz, where its energy was measured too; one bit a pixel, logic clauses in place of "
      "neurons, a far larger chip; by clocks (1,250 a learnt image) the two are close")),
    ("784-200-200-10 with direct feedback: Park, Lee, Jeon, IEEE JSSC 55, 2020", "about 98 %", "10 us", "",
     "an ASIC of 65 nm, made and measured; two hidden layers, another rule"),
    ("back-propagation on Loihi: Renner et al., Nature Communications 15, 2024", "about 96 %", "1.5 ms", "",
     "spiking neurons on a chip that was made for them; its merit is energy, not time"),
    ("NITRO-D: Pirillo, Colombo, Roveri, [ECAI 2025](https://arxiv.org/abs/2407.11698)", "97.36 %, fully connected", "", "",
     ("software, no chip; integers alone, as here, but with blocks of layers that have losses of their own; its subject is "
      "deep convolutional networks, of which this hardware has small ones")),
    ("[SC-NeuroCore](https://github.com/anulum/sc-neurocore)", "", "", "",
     ("an open toolkit whose Python is bit-true to its Verilog, with proofs of one neuron; it trains in software and does not "
      "learn on the chip")),
]


def yardsticks() -> str:
    compared, simulated, fresh = (
        record(name) for name in ("compare-784-128-10", "cosim-784-128-10", "cosim-784-128-10-untrained"))
    once, first = (us(each["cycles_per_learnt_image"], "ecp5") for each in (simulated, fresh))
    ours = ("**this project**, 784-128-10", percent(compared["fixed_accuracy"]),
            f"{once:.2f} us trained, {first:.2f} us not (means)", f"{rounded(1e8 / simulated['cycles_per_image'], 3)} /s",
            "ECP5-85 at 100 MHz: placed, routed and simulated, not measured on a board")
    return table(("what", "MNIST", "a learnt image", "inferred", "not the same, because"), [ours, *OTHERS]) + transcribed(
        compared, simulated, fresh)


def speed() -> str:
    result = record("speed")
    speeds = result["images_per_second"]
    return (f"784-128-10 on one thread of {result.get('processor', 'a Xeon')}: "
            f"{rounded(speeds['compiled']['learn_first_epoch'], 2)} images learnt per second one at a time in the first "
            f"epoch, bit-accurate, which is **{result['learning_over_pytorch']:.1f} times** PyTorch's one-image SGD of a "
            f"plain MLP of the same sizes in the same run ({rounded(speeds['pytorch']['learn_first_epoch'], 3)} a second); "
            f"inference at {result['inference_over_pytorch']:.2f} of PyTorch's batched forward pass; the compiled engine "
            f"{result['compiled_over_numpy_model']:.0f} times the NumPy model; {result['peak_memory_mib']:.0f} MiB at most for "
            f"a pass over MNIST.") + transcribed(result)


# ----------------------------------------------------------------- where it goes

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"accuracy": lambda: accuracy(False), "methods": methods, "headline": headline,
                  "small": small, "yardsticks": yardsticks, "speed": speed},
    "docs/data.md": {"brightness": brightness},
    "docs/own_data.md": {"own table": own_table},
    "docs/learning.md": {"results": lambda: accuracy(True), "alternatives": alternatives},
    "docs/classifier.md": {"tables": tables},
    "docs/hardware.md": {"phases": program_tables.phases, "items": lambda: program_tables.operations(PARALLEL),
                         "program": lambda: program_tables.program("parallel"),
                         "time-shared program": lambda: program_tables.program("time-shared"),
                         "time-shared items": lambda: program_tables.operations(TIME_SHARED),
                         "clocks": lambda: clocks(core((784, 128, 10)), "ecp5", True), "untrained": untrained,
                         "time-shared clocks": lambda: clocks(time_shared((784, 32, 10)), "ice40", False), "cells": cells,
                         "convolution program": lambda: program_tables.program("convolutions"),
                         "convolution items": lambda: program_tables.operations(WINDOWED),
                         "convolution clocks": lambda: program_tables.convolutions((4, 8, 16, 32), USUAL),
                         "recurrent program": lambda: program_tables.program("recurrent"),
                         "recurrent items": lambda: program_tables.operations(TIME_SHARED_RECURRENT),
                         "recurrent clocks": lambda: program_tables.recurrent((4, 8, 16), USUAL),
                         "arrangements": lambda: program_tables.arrangements((784, 96, 48, 24, 10), 8, USUAL)},
    "docs/boards.md": {name: (lambda name=name: build(name)) for name in BUILDS},
    "docs/networks.md": {"kinds": kinds},
    "docs/link.md": {"line": line, "virtual": virtual},
}


def filled(document: str) -> str:
    """The document's text with all of its parts as the figures have them."""
    content = (ROOT / document).read_text("utf-8")
    for name, part in PARTS[document].items():
        begin, end = f"<!-- generated by make documents: {name} -->\n", f"<!-- end of {name} -->"
        if (content.count(begin), content.count(end)) != (1, 1):
            sys.exit(f"{document} must have both marks of {name} once, {begin.strip()} and {end}; mend or write them")
        before, rest = content.split(begin)
        content = before + begin + wrapped(part()) + "\n" + end + rest.split(end)[1]
    return content


def wrapped(part: str) -> str:
    """Sentences in lines of at most 128 columns; tables as they are."""
    return "\n\n".join(block if block.startswith("|") else lines(block) for block in part.split("\n\n"))


def lines(block: str) -> str:
    """Broken between words, but never inside back quotes."""
    rows = [""]
    for word in re.findall(r"(?:`[^`]*`|\[[^\]]*\]|\S)+", block):
        rows = [*rows[:-1], f"{rows[-1]} {word}".strip()] if len(rows[-1]) + 1 + len(word) <= 128 else [*rows, word]
    return "\n".join(rows)


def outdated() -> dict[str, str]:
    """Paths, as seen from the top of the project, of what is not as it would be written now, with what it would be."""
    pages = {document: filled(document) for document in PARTS}
    pages |= {f"docs/pictures/{name}.svg": draw() for name, draw in pictures.drawings().items()}
    pages["docs/api.md"] = reference.page()
    return {name: text for name, text in pages.items()
            if not (ROOT / name).exists() or (ROOT / name).read_text("utf-8") != text}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, and say what is not up to date")
    check = parser.parse_args().check
    changed = outdated()
    for name, text in changed.items():
        if not check:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(ROOT / name, text)
        print(f"{'is not up to date' if check else 'wrote'}: {name}")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
