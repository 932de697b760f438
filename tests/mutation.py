"""Mutation: do the checks of RTL against golden model notice a bug? Each of ``mutants`` is planted and tried.

A trial is a subprocess that imports a mutated copy of the package ``hdl``, emits one small core, compiles it and runs the
checks below. The core is chosen so that everything is in it: three layers, folded and not, reverse links of both kinds;
parameters close to the limits of their words, images with saturated, extinct and silent neurons.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Formats, Network
from golden_model.parameters import Parameters, initial
from mutants import MUTANTS, Mutant

CHECKS = ("outputs", "classes", "parameters", "status", "frames")
CORES: dict[str, dict[str, Any]] = {      # how the cores are designed in which mutants are tried
    "parallel": {}, "time-shared": {"arrangement": "time-shared"}, "memory": {"target": "ecp5"}, "short links": {}}
FORMATS = {"short links": Formats(weight=Format.parse("Q2.12"))}    # usual ones fill a word of weight memory
HDL = Path(__file__).parent.parent / "hdl"
PATIENCE = 50_000                         # clocks after which a core that says nothing hangs


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial found: the checks that failed, or why it came to no end (``hang``: the core did not answer;
    ``refusal``: it refused what it must accept)."""

    mutant: str
    caught_by: tuple[str, ...]


def run(mutants: Sequence[Mutant] = MUTANTS, on_outcome: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """The unchanged design, which must pass, and then every mutant. ``seen`` is told each outcome as it comes.

    Raises
    ------
    InputError
        If the unchanged design fails, or a mutant's text is not there exactly once.
    """
    for core in dict.fromkeys(mutant.core for mutant in mutants):
        unchanged = _trial(None, core)
        if unchanged.caught_by:
            raise InputError(f"the unchanged design must pass all checks, but failed {', '.join(unchanged.caught_by)}; mend "
                             f"it first")
    outcomes = []
    for mutant in mutants:
        outcomes.append(_trial(mutant, mutant.core))
        on_outcome(outcomes[-1])
    return outcomes


def _trial(mutant: Mutant | None, core: str) -> Outcome:
    with TemporaryDirectory(prefix="wuxing-mutant-") as folder:
        shutil.copytree(HDL, Path(folder, "hdl"), ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            plant(mutant, Path(folder, "hdl"))
        # the working directory, with the copy, comes first on the path of python -c
        done = subprocess.run([sys.executable, "-c", f"from mutation import check; print(check({core!r}))"],
                              cwd=folder, capture_output=True, text=True, check=False,
                              env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)}, timeout=3600)
    name = "" if mutant is None else mutant.name
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        if last.startswith("sim.compiled.Stuck: "):
            return Outcome(mutant=name, caught_by=("hang",))
        if "golden_model.errors.DeviceError" in last and "must be accepted by the core" in last:
            return Outcome(mutant=name, caught_by=("refusal",))
        raise InputError(f"a trial must come to an end, but {name or 'the unchanged design'} stopped with: {last}")
    return Outcome(mutant=name, caught_by=tuple(json.loads(done.stdout.splitlines()[-1])))


def plant(mutant: Mutant, package: Path) -> None:
    """Change one file of a copy of ``hdl``."""
    path = package / mutant.file
    text = path.read_text("utf-8")
    if (count := text.count(mutant.old)) != 1:
        raise InputError(f"the text of mutant {mutant.name!r} must occur once in {mutant.file}, not {count} times; bring "
                         f"tests/mutants.py up to date")
    path.write_text(text.replace(mutant.old, mutant.new), "utf-8")


def check(core: str) -> str:
    """Run the checks on one of ``CORES`` of whatever ``hdl`` is imported here: JSON, the names of those that failed."""
    from hdl import emit, frames
    from hdl.design import Design
    from sim.rtl_model import RtlModel

    network, values = subject(FORMATS.get(core, Formats()))
    design = Design(network=network, units=(3, 3, 3), **CORES[core])
    rtl = RtlModel(network, emit.for_simulators(design), idle=0.1, stall=0.2, patience=PATIENCE)
    golden = Model(network, "fixed", values)
    rtl.load_parameters(values)
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (40, network.layers[0]), dtype=np.uint8)
    images[random.random(images.shape) < 0.4] = 0
    images[5], images[6] = 0, 255
    labels = random.integers(0, network.layers[-1], len(images))
    failed = dict.fromkeys(CHECKS, False)

    answers = rtl.infer(images, outputs=True)
    expected = golden.outputs(images)
    failed["outputs"] = answers.outputs is None or not np.array_equal(answers.outputs, expected)
    failed["classes"] = not np.array_equal(answers.classes, golden.predict(images))
    changed = 0
    for epoch, part in enumerate((slice(0, 15), slice(15, 30), slice(30, 40))):
        before = golden.parameters
        learnt = rtl.learn(images[part], labels[part], epoch)
        failed["classes"] |= not np.array_equal(learnt, golden.learn(images[part], labels[part], epoch))
        changed += _differs(before, golden.parameters)
        failed["parameters"] |= _differs(rtl.parameters, golden.parameters)
    quiet = golden.parameters                          # an image without any error, then one that errs
    quiet[-1].weights[:], quiet[-1].bias[:] = 0, -3 * network.formats.drive.one
    quiet[-1].bias[1] = 3 * network.formats.drive.one
    golden = Model(network, "fixed", quiet)
    rtl.load_parameters(quiet)
    for some, right in ((images[:4], np.array([1, 2, 1, 1])), (images[4:8], np.array([1, 1, 3, 1]))):
        rtl.teach(some, right)
        golden.learn(some, right, 2)
        failed["parameters"] |= _differs(rtl.parameters, golden.parameters)
    report = rtl.status()
    failed["status"] = (report.inferred, report.learnt, report.refused) != (len(images), len(images) + 8, 0) or not changed
    refusals = {frames.Status.SHORT: frames.infer(images[0])[:-1], frames.Status.LONG: [*frames.infer(images[0]), 0],
                frames.Status.ADDRESS: frames.read(0, 0, network.layers[0], 2), frames.Status.UNKNOWN: [0x7F]}
    link = int(golden.parameters[0].weights[1, 2])                 # with a bit above its format, which is not kept
    rtl.exchange([frames.write(0, 1, 2, [link + (1 << network.formats.weight.bits)])])
    replies = rtl.exchange(list(refusals.values()))
    failed["frames"] = [reply.status for reply in replies] != list(refusals) or _differs(rtl.parameters, golden.parameters)
    rtl.soft_reset()
    after = rtl.status()
    failed["status"] |= (after.inferred, after.learnt, after.changed, after.refused, after.links_rate_shift) != (
        0, 0, 0, 0, network.learning.rate_shifts(0)["links"])
    return json.dumps([name for name in CHECKS if failed[name]])


def subject(formats: Formats) -> tuple[Network, Parameters]:
    """The network of the trials, and parameters of which some are about to overflow."""
    network = Network(layers=(7, 6, 3, 8), seed=1, formats=formats).with_learning(epochs=3, halvings=2)
    values = initial(network, "fixed")
    random = np.random.default_rng(2)
    for index, layer in enumerate(values):
        weight, drive = network.formats.weight, network.formats.drive
        limits = random.choice([weight.least, weight.least + 1, weight.greatest, weight.greatest - 1], layer.weights.shape)
        layer.weights[:] = np.where(random.random(layer.weights.shape) < 0.15, limits, layer.weights)
        layer.bias[:] = random.integers(-(drive.one >> 1), drive.one >> 1, layer.bias.shape)
        layer.bias[0] = (drive.greatest, drive.least, drive.greatest - 2)[index % 3]
    values[-1].weights[:, 0] = weight.greatest        # all errors of one input point the same way: their sum saturates
    last = values[-1]
    last.weights[5], last.bias[2:6:3] = last.weights[2], 3 * network.formats.drive.one     # two greatest outputs, equal
    return network, values


def _differs(one: Parameters, other: Parameters) -> bool:
    return any(not (np.array_equal(a.weights, b.weights) and np.array_equal(a.bias, b.bias))
               for a, b in zip(one, other, strict=True))
