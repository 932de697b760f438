"""Running a cocotb testbench of one component: Verilog out of Amaranth, a simulator, the bench, its verdict."""
from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amaranth.lib import wiring
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hdl.verilog_text import readable
from hdl.yosys import converted

SETTINGS = "WUXING_BENCH"                 # environment variable with the settings of a bench as JSON
TOP = "bench_top"
BUILD_ARGUMENTS = {"icarus": ["-g2005"],  # cocotb asks for -g2012, whose always @* blocks miss time 0
                   "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-O0"]}


def run_bench(folder: Path, component: wiring.Component, bench: str, settings: Mapping[str, Any], *,
              simulator: str = "icarus", modules: str = "", memories: str = "") -> None:
    """Simulate ``component`` under ``testbenches.<bench>``.

    Parameters
    ----------
    folder : an empty folder for everything that is written.
    component : with plain ports, see ``testbenches.flat_ports``.
    settings : plain data for JSON; the bench reads it with ``settings()``.
    modules : Verilog of the modules that the component instantiates, as Yosys writes it.
    memories : Verilog that stays as it is.

    Raises
    ------
    AssertionError
        With the simulator's log, if a test of the bench fails or there is none.
    """
    source, log = folder / "top.v", folder / "test.log"
    text = converted(component, TOP)[0] + modules
    source.write_text(readable(text) + memories, "utf-8")
    runner = get_runner(simulator)
    with _precompiled_headers():
        runner.build(sources=[source], hdl_toplevel=TOP, build_dir=folder / "build", build_args=BUILD_ARGUMENTS[simulator],
                     timescale=("1ns", "1ps"), log_file=folder / "build.log")
    try:
        results = runner.test(hdl_toplevel=TOP, test_module=f"testbenches.{bench}", test_dir=folder,
                              build_dir=folder / "build", results_xml=str(folder / "results.xml"), log_file=log,
                              extra_env={SETTINGS: json.dumps(settings)})
    except SystemExit:                                    # the runner's way to say that a test failed
        raise AssertionError(log.read_text("utf-8")) from None
    tests, failed = get_results(results)
    assert tests > 0, f"{bench} must have tests"
    assert failed == 0, log.read_text("utf-8")


@contextmanager
def _precompiled_headers() -> Iterator[None]:
    """Verilator as packaged for Python forgets the option by which larger models include their precompiled headers."""
    before = os.environ.get("MAKEFLAGS")
    os.environ["MAKEFLAGS"] = f"{before or ''} CFG_CXXFLAGS_PCH_I=-include".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["MAKEFLAGS"]
        else:
            os.environ["MAKEFLAGS"] = before


def settings() -> Any:
    """What was given to ``run_bench``, in the simulator's process."""
    return json.loads(os.environ[SETTINGS])
