# amaranth: UnusedElaboratable=no
"""The whole core under cocotb, on Icarus and Verilator: AXI4-Stream models with pauses, random frames, scoreboard, traces."""
import functools
import json
import random
import re
import subprocess
from collections import Counter

import numpy as np
import pytest

from command_model import CYCLES_WORD
from golden_backend import command_model, snapshot
from golden_model import learning, parameters
from golden_model.data import datasets
from golden_model.errors import DeviceError, InputError, ToolError
from golden_model.network import Initialisation, Integration, Learning, Network
from golden_model.storage import model_file
from hdl import emit, frames
from hdl.design import Design
from hdl.frames import Opcode, Status
from sim import cocotb_runner
from sim.cocotb_runner import CocotbCore
from sim.cosim import cosim
from sim.rtl_model import RtlModel
from wuxing.cli import main

NETWORK = Network(layers=(5, 4, 3), integration=Integration(steps=2), learning=Learning(epochs=4, halvings=1))
DESIGN = Design(network=NETWORK, units=(2, 3))
VALUES = parameters.initial(NETWORK, "fixed")


@functools.cache
def verilog():
    return emit.to_verilog(DESIGN)


def core(simulator, **options):
    return RtlModel(NETWORK, verilog(), engine=functools.partial(CocotbCore, simulator=simulator), patience=20_000, **options)


def images(count):
    chance = np.random.default_rng(1)
    share = chance.choice([0, 0.5, 1], (count, 1))
    pictures = chance.integers(0, 256, (count, 5)) * (chance.random((count, 5)) < share)
    return pictures.astype(np.uint8), chance.integers(0, 3, count)


@pytest.mark.parametrize(("simulator", "count"), [("icarus", 150), ("verilator", 600)])
def test_random_frames(simulator, count):
    chance, model = random.Random(1), command_model(DESIGN, VALUES)
    rtl = core(simulator)
    rtl.load_parameters(VALUES)
    rtl.soft_reset()
    counts, stalled = Counter(), Counter()
    for idle, stall in ((0, 0), (0.3, 0), (0, 0.5), (0.3, 0.6)):
        requests = [model.random_frame(chance) for _ in range(count // 4)]
        expected = [model.answer(request) for request in requests]
        before = dict(rtl.core.waits)
        result = rtl.core.exchange([word for request in requests for word in request], [len(request) for request in requests],
                                   idle=idle, stall=stall, seed=count, patience=20_000)
        for request, right, words in zip(requests, expected, result.replies, strict=True):
            words = [int(word) for word in words]
            if len(words) == 1 + frames.STATUS_WORDS and words[0] == Opcode.STATUS | frames.REPLY:
                words[CYCLES_WORD] = 0
            assert words == right, f"{request}: {words} instead of {right}"
            counts[request[0] & 0xFF, right[0] >> 8 & 0xFF] += 1
        assert (np.diff(result.answered) > 0).all()
        assert (result.answered > result.sent).all()
        stalled.update({name for name in before if rtl.core.waits[name] > before[name]})
    assert np.array_equal(snapshot(rtl.parameters), snapshot(model.backend.layers))
    rtl.core.close()
    assert stalled == {"s_axis": 4, "m_axis": 2}, "the core makes the sender wait, and the receiver the core"
    assert {opcode for opcode, status in counts if status == Status.OK} == set(map(int, Opcode))
    assert {status for _, status in counts} >= {Status.OK, Status.UNKNOWN, Status.SHORT, Status.LONG, Status.ADDRESS}


def test_a_reset_in_the_middle():
    rtl = core("icarus")
    rtl.load_parameters(VALUES)
    pictures, labels = images(4)
    rtl.teach(pictures, labels)
    rtl.reset(3)
    report = rtl.status()
    assert (report.learnt, report.inferred, report.refused) == (0, 0, 0)
    assert rtl.core.clocks == rtl.clocks > 0
    rtl.load_parameters(VALUES)
    outputs = rtl.infer(pictures, outputs=True).outputs
    assert outputs.shape == (4, 3)
    rtl.core.close()
    with pytest.raises(InputError, match=r"^wuxing_core must still be running, but it was closed; make another$"):
        rtl.status()


def test_cosim_and_the_trace_of_a_difference(tmp_path, monkeypatch):
    pictures, labels = images(6)
    arguments = DESIGN, VALUES, pictures, pictures, labels
    options = {"engine": "cocotb", "simulator": "icarus", "idle": 0.2, "stall": 0.2, "verilog": verilog(),
               "keep": tmp_path / "difference.fst"}
    report = cosim(*arguments, **options)
    assert (report.mismatches, report.states_compared, report.trace) == (0, 0, None)
    assert report.words_compared == 12 * 4 + sum(layer.weights.size + layer.bias.size for layer in VALUES)
    assert set(report.versions) == {"python", "wuxing", "numpy", "amaranth", "cocotb", "cocotbext-axi", "Icarus Verilog"}

    right = learning.output_error
    monkeypatch.setattr(learning, "output_error", lambda *result_: -right(*result_))
    report = cosim(*arguments, **options)
    assert report.mismatches > 0
    assert re.fullmatch(r"(weight|bias), after \d learnt images, layer \d, .*", report.first.sentence), report.first.sentence
    assert report.trace == str(tmp_path / "difference.fst")
    assert (tmp_path / "difference.fst").stat().st_size > 1000


@pytest.mark.parametrize(("options", "sentence"), [
    ({"simulator": "vcs"}, "simulator must be verilator or icarus, not 'vcs'"),
    ({"public": [("a", "b")]},
     ("probes must be left out with cocotb, which sees the ports of the core only; take the compiled engine to look inside"))])
def test_what_cannot_be_used_is_refused(options, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        CocotbCore("", "wuxing_core", **options)


def test_a_missing_package_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setattr(cocotb_runner, "_installed", lambda package: package != "cocotbext.axi")
    sentence = ("the cocotb engine must find the package cocotbext-axi, but it is not installed; "
                "pip install 'wuxing[cocotb]' brings it")
    with pytest.raises(ToolError, match=f"^{re.escape(sentence)}$"):
        CocotbCore("", "wuxing_core")


def test_verilog_that_is_refused_is_told_with_the_reason():
    with pytest.raises(ToolError, match=r"^wuxing_core must be accepted and run by icarus under cocotb, but: .*syntax error"):
        CocotbCore("module wuxing_core(;", "wuxing_core", simulator="icarus")


SILENT = """module wuxing_core(input clk, input rst, input [31:0] s_axis_tdata, input s_axis_tvalid, input s_axis_tlast,
    output s_axis_tready, output reg [31:0] m_axis_tdata, output reg m_axis_tvalid, output m_axis_tlast, input m_axis_tready);
    assign s_axis_tready = 1, m_axis_tlast = 1;
    initial begin m_axis_tvalid = 0; m_axis_tdata = 0; end
    always @(posedge clk) if (s_axis_tvalid && s_axis_tdata[0]) m_axis_tvalid <= 1;
    always @(posedge clk) m_axis_tdata <= m_axis_tdata + 1;
endmodule
"""


def test_a_core_that_is_stuck_or_changes_its_word_is_told():
    unsteady = CocotbCore(SILENT, "wuxing_core", simulator="icarus")
    with pytest.raises(DeviceError, match=r"^wuxing_core must take or give a word within 500 clocks, but it has not since "
                                          r"clock \d+: 1 of 1 frames were sent and 0 of 1 replies came; look at a trace of "
                                          r"the clocks before$"):
        unsteady.exchange([2], [1], patience=500)
    with pytest.raises(DeviceError, match=r"^wuxing_core must obey its interface, but: m_axis must hold its word until it is "
                                          r"taken, but it changed at clock \d+$"):
        unsteady.exchange([1], [1], stall=0.9, patience=500, replies=20)
    unsteady.close()


# ---------------------------------------------------------------- the command


@pytest.fixture
def model(tmp_path):
    """A model file for the digits, 64-3-10."""
    network = Network(layers=(64, 3, 10), integration=Integration(steps=2), initialisation=Initialisation(bias=0.0))
    path = tmp_path / "model.npz"
    model_file.save(path, network, "fixed", parameters.initial(network, "fixed"),
                    {"dataset": "digits", "dataset_sha256": datasets.load("digits").sha256})
    return path


OPTIONS = ["--images", "3", "--learn", "2", "--units", "2", "--engine", "cocotb", "--simulator", "icarus", "-q"]


def test_the_command_says_that_all_words_are_equal(model, tmp_path, capsys):
    result = tmp_path / "result.json"
    assert main(["cosim", str(model), *OPTIONS, "--json", str(result)]) == 0
    output, content = capsys.readouterr(), json.loads(result.read_text())
    assert output.out.startswith("equal: 290 words compared, 0 of them states of neurons")
    assert output.err == ""
    assert (content["images"], content["learnt"], content["mismatches"], content["units"]) == (3, 2, 0, [2, 2])
    assert content["words_compared"] == 5 * 11 + 65 * 3 + 4 * 10
    assert {"cycles_per_image", "cycles_per_learnt_image", "images_per_second", "digest", "seed", "versions", "model",
            "dataset_sha256"} < set(content)


def test_the_command_ends_with_1_if_a_word_differs(model, capsys, monkeypatch):
    right = learning.output_error
    monkeypatch.setattr(learning, "output_error", lambda *arguments: -right(*arguments))
    assert main(["cosim", str(model), *OPTIONS]) == 1
    output = capsys.readouterr()
    assert re.match(r"\d+ words differ: ", output.out)
    assert re.match(r"the first difference: (weight|bias), after \d learnt images, .* expected, .* found; a trace is in ",
                    output.err)
    assert model.with_suffix(".fst").stat().st_size > 1000


@pytest.mark.parametrize(("options", "sentence"), [
    (["--images", "400"], "--images must be at most the 360 test images that there are, not 400"),
    (["--units", "2,x"], "--units must be whole numbers with commas between them, as 128,10, not '2,x'"),
    (["--units", "4"], "layer 0 must have 1 to 3 processing units, one per neuron at most, not 4")])
def test_the_command_refuses_what_it_cannot_use(model, capsys, options, sentence):
    assert main(["cosim", str(model), *options]) == 2
    assert capsys.readouterr().err == f"wuxing: {sentence}\n"


def test_what_all_cores_have_in_common_is_compiled_once(tmp_path, monkeypatch):
    """Objects of Verilator's own sources come from the first build with the same options, and make takes them as they are."""
    monkeypatch.setenv("WUXING_CACHE", str(tmp_path / "cache"))
    for name, options, result in (("first", ["-O0"], False), ("second", ["-O0"], True), ("third", ["-O0", "--trace"], False)):
        build = tmp_path / name
        with cocotb_runner.runtime_kept(build, options):
            assert (build / "verilated.o").is_file() is result
            build.mkdir(exist_ok=True)
            (build / "Vtop.mk").write_text("verilated.o: Vtop.mk\n\techo compiled > verilated.o\n", "utf-8")
            subprocess.run(["make", "-f", "Vtop.mk"], cwd=build, check=True, capture_output=True)
        assert (build / "verilated.o").read_text("utf-8") == "compiled\n"
        assert ((build / "verilated.o").stat().st_mtime == cocotb_runner.LATER) is result
