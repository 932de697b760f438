# amaranth: UnusedElaboratable=no
"""Command decoder: every frame gets exactly one right reply, whatever comes and whoever hesitates."""
import json

from amaranth.back import verilog
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hdl.commands import Commands
from sim.testbenches.flat_ports import FlatPorts

USUAL = {"layers": (13, 4, 3), "learns": True, "digest": 0x0123456789ABCDEF, "links_exponents": (2, 9),
         "bias_exponents": (0, 16), "initial_links": 4, "initial_bias": 5, "programmable": False}


def decoder(settings, commands=Commands):
    arguments = settings | {name: range(*settings[name]) for name in ("links_exponents", "bias_exponents")}
    return commands(arguments.pop("layers"), **arguments)


def run_bench(folder, simulator, settings, commands=Commands, **bench):
    """Run the cocotb bench on the emitted Verilog; returns its log, and whether it passed."""
    source, log = folder / "commands.v", folder / "test.log"
    source.write_text(verilog.convert(FlatPorts(decoder(settings, commands)), name="commands_top"), "utf-8")
    runner = get_runner(simulator)
    options = {"icarus": ["-g2005"], "verilator": ["-Wno-fatal", "-CFLAGS", "-O0"]}[simulator]
    runner.build(sources=[source], hdl_toplevel="commands_top", build_dir=folder / "build", build_args=options,
                 timescale=("1ns", "1ps"), log_file=folder / "build.log")
    given = {"seed": 1, "pauses": 0.3, "frames": 300, "coverage": False} | settings | bench
    try:
        results = runner.test(hdl_toplevel="commands_top", test_module="sim.testbenches.commands_bench", test_dir=folder,
                              build_dir=folder / "build", results_xml=str(folder / "results.xml"), log_file=log,
                              extra_env={"COMMANDS_BENCH": json.dumps(given)})
    except SystemExit:                                    # the runner's way to say that a test failed
        return log.read_text("utf-8"), False
    assert get_results(results) == (1, 0)
    return log.read_text("utf-8"), True


def test_random_frames_on_icarus(tmp_path):
    log, passed = run_bench(tmp_path, "icarus", USUAL)
    assert passed, log


def test_random_frames_on_verilator(tmp_path):
    log, passed = run_bench(tmp_path, "verilator", USUAL, frames=1000, coverage=True)
    assert passed, log
