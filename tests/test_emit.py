"""A core as files: readable Verilog that three tools accept, memory contents that it starts with, a manifest that is true."""
from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Learning, Network, Wiring
from golden_model.parameters import initial
from hdl import emit, frames
from hdl.design import Design
from sim import simulators
from small_cores import DESIGNS, cells, every_design, files, folders, parameters

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder():
    """A function: the folder with the files of a design."""
    with folders() as function:
        yield function


# ---------------------------------------------------------------- it computes from its files alone

BENCH = """\
module bench;
  reg clk = 0;
  reg rst = 1;
  reg [32:0] requests [0:{last}];
  integer next = 0;
  integer clocks = 0;
  integer replies = 0;
  wire [31:0] reply;
  wire ready, valid, last;
  wux_instance_name core (.clk(clk), .rst(rst), .s_axis_tdata(requests[next][31:0]), .s_axis_tvalid(!rst && next <= {last}),
    .s_axis_tready(ready), .s_axis_tlast(requests[next][32]),
    .m_axis_tdata(reply), .m_axis_tvalid(valid), .m_axis_tready(1'b1), .m_axis_tlast(last));
  initial $readmemh("requests.hex", requests);
  always #1 clk = ~clk;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    rst <= clocks < 2;
    if (!rst && ready && next <= {last}) next <= next + 1;
    if (!rst && valid) $display("%h %b", reply, last);
    if (!rst && valid && last) replies <= replies + 1;
    if (replies == {replies} || clocks == 20000) $finish;
  end
endmodule
""".replace("wux_instance_name", f"{emit.TOP}_instance")


def simulated(place, tmp_path, requests):
    """Replies of the core in Icarus, those that come within 20,000 clocks."""
    work = shutil.copytree(place, tmp_path / "work")
    words = [word | (position == len(request) - 1) << 32 for request in requests for position, word in enumerate(request)]
    (work / "requests.hex").write_text("".join(f"{word:09x}\n" for word in words))
    (work / "bench.v").write_text(BENCH.format(last=len(words) - 1, replies=len(requests)))
    subprocess.run([simulators.icarus().path, "-g2005", "-o", "bench", "-s", "bench", "bench.v", emit.VERILOG, emit.INSTANCE,
                    *cells(place)], cwd=work, check=True)
    ran = subprocess.run(["vvp", "-n", "bench"], cwd=work, capture_output=True, text=True, check=True)
    replies, reply = [], []
    for line in ran.stdout.splitlines():
        if match := re.fullmatch(r"([0-9a-f]{8}) ([01])", line):
            reply.append(int(match[1], 16))
            if match[2] == "1":
                replies.append(frames.parse(reply))
                reply = []
        else:
            assert "$finish" in line, line
    return replies


@pytest.mark.parametrize("name", ["folded", "infers", "ecp5", "ice40", "programmable", "time-shared", "time-shared ice40",
                                  "learns K", "time-shared learns K"])
def test_the_folder_alone_infers_and_learns_as_the_golden_model(folder, tmp_path, name):
    network, random = DESIGNS[name].network, np.random.default_rng(2)
    images = random.integers(0, 256, (2, network.layers[0]), np.uint8)
    model = Model(network, "fixed", parameters(name))
    requests, expected = [frames.infer(images[0], outputs=True)], [model.outputs(images[:1])[0]]
    if DESIGNS[name].learns:
        requests += [frames.learn(images[1], 0), frames.infer(images[1], outputs=True)]
        model.learn(images[1:], np.array([0]))
        expected.append(model.outputs(images[1:])[0])
    replies = simulated(folder(name), tmp_path, [*requests, frames.status()])
    assert [reply.status for reply in replies] == [frames.Status.OK] * (len(requests) + 1)
    results = [[frames.signed(word) for word in reply.words] for reply in replies if reply.opcode == frames.Opcode.INFER]
    assert results == [list(outputs) for outputs in expected]
    assert any(word for words in results for word in words)
    assert frames.status_report(replies[-1]).digest == frames.digest_word(network.digest)


# ---------------------------------------------------------------- memories and manifest


def read(place, memory):
    """The signed words of each of its files."""
    words = [[int(line, 16) for line in (place / file).read_text().splitlines()] for file in memory["files"]]
    assert all(len(own) == memory["depth"] for own in words)
    return [[word - (word >> memory["word_bits"] - 1 << memory["word_bits"]) for word in own] for own in words]


@every_design
def test_memories_hold_the_parameters_at_the_addresses_of_the_manifest(folder, name):
    """Read back with nothing but the manifest, as a program of somebody else would."""
    place = folder(name)
    manifest = json.loads((place / "manifest.json").read_text())
    for index, (entry, values) in enumerate(zip(manifest["layers"], parameters(name), strict=True)):
        memory = entry["memory"]
        words = [[int(line, 16) for line in (place / file).read_text().splitlines()] for file in memory["files"]]
        assert len(words) == entry["units"]
        assert all(len(own) == memory["depth"] for own in words)
        words_of_K = read(place, entry["K_memory"]) if "K_memory" in entry else None
        for neuron in range(entry["channels"]):
            fold, unit = divmod(neuron, entry["units"])
            start = memory["base"] + fold * memory["rows_per_neuron"]
            own = words[unit][start:start + memory["rows_per_neuron"]]
            own = [word - (word >> memory["word_bits"] - 1 << memory["word_bits"]) for word in own]

            def part(what, own=own, rows=memory["rows"]):
                return own[rows[what][0]:rows[what][1] + 1]
            assert part("links") == list(values.weights[neuron]), index
            assert part("bias") == [values.bias[neuron]]
            parameters_there = entry["parameters"]
            if words_of_K is not None:
                K_memory = entry["K_memory"]
                first = K_memory["base"] + fold * K_memory["rows_per_neuron"]
                assert [words_of_K[unit][first + K_memory["rows"][f"K{k}"][0]:][:5] for k in (1, 2, 3)] \
                    == values.coupling[:, :, neuron].tolist()
                assert [entry["parameters"][f"K{k}"][0] for k in (1, 2, 3)] == [entry["inputs"] + 1 + 5 * k for k in range(3)]
                parameters_there = {key: entry["parameters"][key] for key in ("links", "bias")}
            elif manifest["kind"] == "programmable":
                assert [part(f"K{k}") for k in (1, 2, 3)] == values.coupling[:, :, neuron].tolist()
            assert {key: memory["rows"][key] for key in parameters_there} == parameters_there


def test_the_manifest_says_what_the_design_is(folder):
    manifest = emit.read_manifest(folder("ice40"))
    network = DESIGNS["ice40"].network
    emit.check_manifest(manifest, network)
    assert Network.from_dict(manifest["network"]) == network
    assert manifest["generator"] == f"wuxing {metadata.version('wuxing')}"
    assert (manifest["top"], manifest["kind"], manifest["target"], manifest["learns"]) == (emit.TOP, "shift", "ice40", True)
    assert (manifest["units"], manifest["multipliers"], manifest["operand_bits"]) == ([2, 3], 5, 16)
    assert manifest["formats"]["bracket"] == {"format": "Q4.12", "bits": 16, "fraction": 12, "signed": True}
    assert manifest["frames"] == {"magic": "0x31585557", "digest": f"0x{frames.digest_word(network.digest):016x}",
                                  "word_bits": 32, "image_bytes": 5, "image_words": 2, "classes": 3, "most_count": 255}
    assert manifest["rate_shifts"] == {name: {"least_rate_shift": 4, "greatest_rate_shift": 7, "initial_rate_shift": 4}
                                 for name in ("links", "bias")}
    assert [(entry["inputs"], entry["neurons"], entry["units"], entry["folds"]) for entry in manifest["layers"]] \
        == [(5, 4, 2, 2), (4, 3, 3, 1)]
    assert manifest["memory_bits"] == sum(entry["units"] * entry["memory"]["depth"] * entry["memory"]["word_bits"]
                                          for entry in manifest["layers"])
    assert manifest["latencies"]["settling"] == 160
    assert set(manifest["files"]) == {path.name for path in folder("ice40").iterdir()} - {"manifest.json"}
    for file, entry in manifest["files"].items():
        data = (folder("ice40") / file).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_what_does_not_learn_has_no_rates():
    assert json.loads(files("infers")["manifest.json"])["rate_shifts"] == {"links": None, "bias": None}
    assert "LEARN" in files("folded")["registers.md"]
    assert not re.search(r"\| (LEARN|RATE) \|.*image|learning rate 2\*\*-n", files("infers")["registers.md"])


def test_registers_say_the_addresses_of_this_core():
    text = files("programmable")["registers.md"]
    for row in ("| 0 | 0 to 2 | 0 to 4 | links | Q2.14 |", "| 0 | 0 to 2 | 5 | bias | Q4.12 |",
                "| 0 | 0 to 2 | 6 to 10 | K1 | Q2.1 |", "| 1 | 0 to 1 | 14 to 18 | K3 | Q2.1 |",
                "| 0x04 | INFER | 2: the image | none, or 2 outputs if bit 8 of the header was set |",
                "| links | 4 | 9 | 4 |", "| 4 | ADDRESS | no such layer, neuron or parameter, or a count of 0 or above 255 |"):
        assert row in text.splitlines()


def test_kind_shift_takes_no_k_of_the_model():
    values = initial(DESIGNS["folded"].network, "fixed")
    values[1].coupling[2, 4, 1] += 1
    message = ("coupling of layer 1 must be that of the description, because kind shift has its K wired, but the model brings "
               "K of its own; choose kind programmable")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        emit.memory_files(DESIGNS["folded"], values)


def test_convolutions_are_not_sent_to_a_kind_that_they_do_not_have():
    design = Design(network=Network(layers=(6, 8, 3), wiring=Wiring(layers=("convolution 2x2 stride 1 of 3x2x1", "full"))))
    values = initial(design.network, "fixed")
    values[0].coupling[2, 4, 1] += 1
    with pytest.raises(InputError, match=re.escape("; train it with learning.K1, K2 and K3 = 0, as convolutions need")):
        emit.memory_files(design, values)


def test_neurons_of_a_recurrent_layer_have_the_k_of_the_description():
    network = Network(layers=(4, 3, 2), formats=Formats(bracket="Q6.12"), wiring=Wiring(layers=("recurrent 2 steps 1 K3 0.5",
                                                                                            "full")))
    values = initial(network, "fixed")
    assert emit.memory_files(Design(network=network), values)
    values[1].coupling[2, 4, 1] += 1
    message = ("coupling of layer 1 must be that of the description, because kind shift has its K wired, but the model brings "
               "K of its own; train it anew, which leaves K as they are, as a recurrent layer needs")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        emit.memory_files(Design(network=network), values)


def test_model_and_verilog_must_be_of_one_network():
    manifest, network = json.loads(files("folded")["manifest.json"]), DESIGNS["folded"].network.with_learning(margin=0.25)
    message = (f"model and Verilog must be of the same network, but the digest of the model begins with {network.digest[:16]} "
               f"and that of the Verilog with {DESIGNS['folded'].network.digest[:16]}; emit the Verilog of this model again")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        emit.check_manifest(manifest, network)


@pytest.mark.parametrize("name", ["folded", "time-shared"])
def test_networks_of_one_digest_have_one_verilog(name):
    """Seed, start and length of a training are no part of a circuit; what is one changes the digest, and says so."""
    design = DESIGNS[name]
    for other in (replace(design.network, seed=5), replace(design.network, initialisation=Initialisation(gain=0.5, bias=0)),
                  design.network.with_learning(epochs=7, dropout=0.0, average=1)):
        assert emit.to_verilog(replace(design, network=other), initialised=True) == files(name)[emit.VERILOG]
    variant = replace(design, network=design.network.with_learning(halvings=4))
    assert emit.to_verilog(variant, initialised=True) != files(name)[emit.VERILOG]


@pytest.mark.parametrize("name", ["time-shared learns K", "convolution infers"])
def test_a_text_without_contents_is_what_would_be_made_without_them(name):
    """``to_verilog`` makes it from the text with contents."""
    assert emit.to_verilog(DESIGNS[name]) == emit.all_to_verilog([DESIGNS[name]])[0] != files(name)[emit.VERILOG]


AGAIN = "write the folder again with wuxing verilog"


@pytest.mark.parametrize(("file", "content", "message"), [
    ("manifest.json", None, f"{{path}} must be the manifest of a core, but: No such file or directory; {AGAIN}"),
    ("manifest.json", "{", f"{{path}} must be the manifest of a core, but is not valid JSON; {AGAIN}"),
    ("manifest.json", "[]", f"{{path}} must have the format 'wuxing manifest 1', not 'None'; {AGAIN}"),
    ("manifest.json", '{"format": "x"}', f"{{path}} must have the format 'wuxing manifest 1', not 'x'; {AGAIN}"),
    ("manifest.json", '{"format": "wuxing manifest 1", "files": {"../x": {}}}',
     f"{{path}} must list its files by name, but does not; {AGAIN}"),
    ("manifest.json", '{"format": "wuxing manifest 1"}', f"{{path}} must list its files by name, but does not; {AGAIN}"),
    ("weights_1_1.hex", None, f"{{path}} must be there as its manifest says, but: No such file or directory; {AGAIN}"),
    ("weights_1_1.hex", "0\n", f"{{path}} must be as its manifest says, but was changed; {AGAIN}"),
])
def test_a_manifest_that_is_not_true_is_refused(folder, tmp_path, file, content, message):
    place = shutil.copytree(folder("folded"), tmp_path / "core")
    path = place / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=f"^{re.escape(message.format(path=path))}$"):
        emit.read_manifest(place)


# ---------------------------------------------------------------- the document


def rows(heading):
    """First cells of the table of ``docs/verilog.md`` that begins with ``heading``: every name in back quotes."""
    text = (ROOT / "docs/verilog.md").read_text()
    table = re.search(rf"^\| {heading} \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    return [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_the_document_names_every_file_and_entry():
    manifest = json.loads(files("ecp5")["manifest.json"])
    assert rows("entry") == list(manifest)
    named = [name.replace("L_E", r"\d+_\d+").replace(".", r"\.") for name in rows("file")]
    for name in files("ecp5"):
        assert sum(bool(re.fullmatch(pattern, name)) for pattern in named) == 1, name
    modules = {module for name in ("ecp5", "time-shared")
               for module in re.findall(r"^module (\\\S+ |\w+)", files(name)[emit.VERILOG], re.MULTILINE)}
    assert {name.replace("_L", "_0") for name in rows("module")} < modules


def test_the_instance_of_the_document_is_that_of_the_template():
    block = re.search(r"```verilog\n(.*?)```", (ROOT / "docs/verilog.md").read_text(), re.DOTALL)[1]
    template = files("folded")["instance.v"]
    instance = template[template.index(f"  {emit.TOP} core ("):template.index("endmodule")]
    assert [line.strip() for line in instance.splitlines()] == [line.strip() for line in block.splitlines()]


def test_the_settings_of_the_document_fit_the_small_dsp_block():
    text = (ROOT / "docs/verilog.md").read_text()
    bracket = re.search(r'`formats\.bracket = "(\S+)"`', text)[1]
    halvings = int(re.search(r"`learning\.halvings = (\d+)`", text)[1])
    network = Network(layers=(784, 32, 10), formats=Formats(bracket=bracket), learning=Learning(halvings=halvings))
    Design(network=network, target="ice40")
    with pytest.raises(InputError):
        Design(network=Network(layers=(784, 32, 10)), target="ice40")
