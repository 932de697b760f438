"""Running a cocotb testbench: Verilog out of Amaranth, a simulator, the bench, its verdicts.

Starting a simulator with Python in it takes longer than most benches, so one start examines many cases: components of different
shapes, and such with planted bugs.
"""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from amaranth.lib import wiring
from cocotb_tools.runner import get_runner

from hdl.verilog_text import readable
from hdl.yosys import all_converted
from sim.cocotb_runner import BUILD_ARGUMENTS, make_flags, runtime_kept
from testbenches.cases import SETTINGS

TOP = "bench_top"
PORT = re.compile(r"^ *(input|output) (\[\d+:\d+\] )?(\\\S+ |\w+);", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What one run of a bench examines.

    component : with plain ports, see ``testbenches.flat_ports``.
    settings : plain data for JSON, which the bench is given.
    parts : components whose modules the component instantiates, by the names that these have.
    """

    component: wiring.Component
    settings: Mapping[str, Any]
    parts: Mapping[str, wiring.Component] | None = None


def verdicts(folder: Path, cases: Mapping[str, Case], bench: str, *, simulator: str = "icarus",
             memories: str = "") -> dict[str, str]:
    """Simulate each case under ``testbenches.<bench>``: why the bench refuses it, by its name; empty if it does not.

    Parameters
    ----------
    folder : an empty folder for everything that is written.
    simulator : "icarus", or "verilator" for a single case.
    memories : Verilog for all cases that stays as it is.

    Raises
    ------
    AssertionError
        With the simulator's log, if there is no verdict on each case.
    """
    source, log, setup, results = (folder / name for name in ("top.v", "test.log", "settings.json", "results.xml"))
    tops = [TOP] if len(cases) == 1 else [f"case_{number}" for number in range(len(cases))]
    components = [(part, name) for case, top in zip(cases.values(), tops, strict=True)
                  for name, part in {**(case.parts or {}), top: case.component}.items()]
    texts = iter(all_converted(components))
    text = ""
    for case, top in zip(cases.values(), tops, strict=True):
        modules = readable("".join(next(texts)[0] for _ in range(1 + len(case.parts or {}))))
        for name in case.parts or ():                     # other cases have others of this name
            modules = re.sub(rf"\b{name}\b", f"{top}_{name}", modules)
        text += modules
        if len(cases) > 1:
            text += _held(modules, top)
    if len(cases) > 1:
        text += f"module {TOP}();\n" + "".join(f"  held_{top} {top}_();\n" for top in tops) + "endmodule\n"
    source.write_text(text + memories, "utf-8")
    instances = [""] if len(cases) == 1 else [f"{top}_" for top in tops]
    setup.write_text(json.dumps([[name, dict(case.settings)] for name, case in zip(instances, cases.values(), strict=True)]),
                     "utf-8")
    runner = get_runner(simulator)
    options = BUILD_ARGUMENTS[simulator]
    with ExitStack() as stack:
        if simulator == "verilator":
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("MAKEFLAGS", make_flags(source.stat().st_size))
            stack.enter_context(runtime_kept(folder / "build", options))
        runner.build(sources=[source], hdl_toplevel=TOP, build_dir=folder / "build", build_args=options,
                     timescale=("1ns", "1ps"), log_file=folder / "build.log")
    try:
        runner.test(hdl_toplevel=TOP, test_module=f"testbenches.{bench}", test_dir=folder, build_dir=folder / "build",
                    results_xml=str(results), log_file=log, extra_env={SETTINGS: str(setup)})
    except SystemExit:                                    # the runner's way to say that a test failed
        assert results.is_file(), log.read_text("utf-8")
    outcomes = [_complaint(test) for test in ElementTree.parse(results).getroot().iter("testcase")]
    assert len(outcomes) == len(cases), log.read_text("utf-8")
    return dict(zip(cases, outcomes, strict=True))


def run_bench(folder: Path, case: Case, bench: str, *, simulator: str = "icarus", memories: str = "") -> None:
    """``verdicts`` of a single case; AssertionError with the reason, if it is refused."""
    result = verdicts(folder, {bench: case}, bench, simulator=simulator, memories=memories)[bench]
    assert not result, result


def _held(text: str, module: str) -> str:
    """A module without ports that holds ``module`` of ``text``, with registers and wires of the names of its ports."""
    header = text.index(f"module {module}(")
    ports = PORT.findall(text[header:text.index("endmodule", header)])
    lines = [f"{'reg' if way == 'input' else 'wire'} {bits}{name};" for way, bits, name in ports]
    return "\n  ".join([f"module held_{module}();", *lines, f"{module} held (", ",\n  ".join(
        f".{name}({name})" for _, _, name in ports), ");\nendmodule\n"])


def _complaint(test: ElementTree.Element) -> str:
    """The exception that ended a test of cocotb, its name and what it says, then where; empty if the test passed."""
    wrong = [child for child in test if child.tag in ("failure", "error", "skipped")]
    return "\n".join(f"{child.get('type', child.tag)}: {child.get('message', '')}\n{child.text or ''}" for child in wrong)
