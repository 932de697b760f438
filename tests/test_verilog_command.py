"""``wuxing verilog``: what it writes, that it writes the same again, what it never destroys, and its sentences."""
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from golden_model.data.encoding import Encoding
from golden_model.data.recipe import Recipe
from golden_model.errors import InputError
from golden_model.network import Formats, Learning, Network
from golden_model.parameters import initial, quantised, to_real
from golden_model.storage import model_file
from hdl import emit
from wuxing.cli import main
from wuxing.commands import verilog

NETWORK = Network(layers=(3, 2, 3), seed=5)


def described(folder, network=NETWORK, name="network.toml"):
    path = folder / name
    path.write_text(network.to_toml() if name.endswith("toml") else network.to_json())
    return path


def modelled(folder, network=NETWORK, arithmetic="fixed", change=0):
    """A model file whose first bias differs by ``change`` from what it was before learning."""
    values = initial(network, arithmetic)
    values[0].bias[0] += change
    model_file.save(folder / "model.npz", network, arithmetic, values, {"dataset": "digits"})
    return folder / "model.npz"


def run(*arguments):
    return main(["verilog", *map(str, arguments)])


def refused(capsys, *arguments):
    """The one sentence on stderr."""
    assert run(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err.removeprefix("wuxing: ").rstrip("\n")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def words(folder, file):
    return [int(line, 16) for line in (folder / file).read_text().splitlines()]


def planted(folder, name="old"):
    """A folder that looks as if this command had written it."""
    place = folder / name
    place.mkdir()
    listing = {"a.v": "module a; endmodule\n"}
    manifest = {"format": emit.FORMAT, "files": {}}
    for file, text in listing.items():
        (place / file).write_text(text)
        manifest["files"][file] = {"bytes": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


# ---------------------------------------------------------------- what it writes


def test_a_description_becomes_a_folder_and_the_same_again(tmp_path, capsys):
    out, result = tmp_path / "core", tmp_path / "result.json"
    assert run(described(tmp_path), "-o", out, "--units", "2,2", "--json", result) == 0
    content = json.loads(result.read_text())
    manifest = emit.read_manifest(out)
    emit.check_manifest(manifest, NETWORK)
    output = capsys.readouterr().out
    assert f"{out}: 3-2-3 that infers and learns, shift, portable\ndigest {NETWORK.digest}\n" in output
    assert re.search(r"^ +1 +2 +3 +2 +2 +16 +16 +512$", output, re.MULTILINE)
    assert f"{len(manifest['files']) + 1} files: wuxing_core.v and instance.v" in output
    assert content == {"folder": str(out), "manifest": str(out / "manifest.json"),
                    **{key: manifest[key] for key in ("digest", "top", "kind", "target", "learns", "units", "multipliers",
                                                      "memory_bits", "files")}}
    assert set(contents(out)) == {"wuxing_core.v", "instance.v", "lint.vlt", "registers.md", "manifest.json",
                                  *(f"weights_{layer}_{unit}.hex" for layer in (0, 1) for unit in (0, 1))}
    start = initial(NETWORK, "fixed")[0]
    assert words(out, "weights_0_1.hex")[:4] == [int(word) & 0xFFFF for word in (*start.weights[1], start.bias[1])]

    before = contents(out)
    assert run(described(tmp_path, name="network.json"), "-o", out, "--units", 2) == 0         # replaces the old folder
    assert contents(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"core", "result.json", "network.toml", "network.json"}


def test_a_model_puts_its_parameters_into_the_memories(tmp_path, capsys):
    out = tmp_path / "core"
    out.mkdir()                                               # an empty folder is as good as none
    assert run(modelled(tmp_path, change=7), "-o", out, "--no-learning", "--most-units", 2, "--json", "-") == 0
    output = capsys.readouterr()
    assert (json.loads(output.out)["learns"], json.loads(output.out)["units"]) == (False, [2, 2])
    assert "3-2-3 that infers, shift, portable" in output.err
    assert words(out, "weights_0_0.hex")[3] == int(initial(NETWORK, "fixed")[0].bias[0]) + 7 & 0xFFFF


def test_a_float_model_is_rounded_and_says_so(tmp_path, capsys):
    out, model = tmp_path / "core", modelled(tmp_path, arithmetic="float", change=0.3)
    assert run(model, "-o", out, "--units", 1, "--no-learning") == 0
    assert capsys.readouterr().err == "a float model: its parameters were rounded to the formats of its network\n"
    expected = to_real(NETWORK, initial(NETWORK, "fixed"))
    expected[0].bias[0] += 0.3
    assert words(out, "weights_0_0.hex")[3] == int(quantised(NETWORK, expected)[0].bias[0]) & 0xFFFF


def test_programmable_neurons_take_the_k_of_the_model(tmp_path, capsys):
    network = Network(layers=(2, 1), formats=Formats(bracket="Q6.12"), learning=Learning(K1=2**-6))
    values = initial(network, "fixed")
    values[0].coupling[:] = np.arange(15).reshape(3, 5, 1) % 3
    model_file.save(tmp_path / "model.npz", network, "fixed", values, {})
    assert refused(capsys, tmp_path / "model.npz", "-o", tmp_path / "core", "--no-learning", "--kind", "shift") == (
        "coupling of layer 0 must be that of the description, because kind shift has its K wired, but the model brings K of "
        "its own; choose kind programmable")
    assert run(tmp_path / "model.npz", "-o", tmp_path / "core", "--no-learning") == 0      # as the description says
    assert words(tmp_path / "core", "weights_0_0.hex")[3:18] == [k % 3 for k in range(15)]


# ---------------------------------------------------------------- what it refuses


def test_sentences_about_the_model(tmp_path, capsys):
    out = tmp_path / "core"
    missing, broken, bytes_, small = (tmp_path / name for name in ("no.toml", "broken.json", "bytes.toml", "small.toml"))
    broken.write_text("{")
    bytes_.write_bytes(b"\xe9")
    small.write_text("layers = [3]")
    assert refused(capsys, missing, "-o", out) == (
        f"network description {missing} must be a file that can be read, but: No such file or directory; give the path of a "
        f"TOML or JSON file, or of a model file that ends in .npz")
    assert refused(capsys, bytes_, "-o", out) == (
        f"network description {bytes_} must be text in UTF-8, but is not; give the path of a TOML or JSON file, or of a model "
        f"file that ends in .npz")
    assert refused(capsys, broken, "-o", out).startswith(
        f"network description {broken}: a network description must be valid JSON: ")
    assert refused(capsys, small, "-o", out) == (
        f"network description {small}: layers must have at least two sizes, not (3,)")
    assert refused(capsys, tmp_path / "no.npz", "-o", out).startswith(f"model file {tmp_path / 'no.npz'} must be a whole file")
    assert not out.exists()


@pytest.mark.parametrize(("options", "message"), [
    (["--elements", "2"], "--elements is called --units now; give --units in its place"),
    (["--most-elements", "2"], "--most-elements is called --most-units now; give --most-units in its place"),
    (["--units", "two"], "--units must be whole numbers with commas between them, as 128,10, not 'two'"),
    (["--units", "3"], "layer 0 must have 1 to 2 processing units, one per neuron at most, not 3"),
    (["--units", "2,3,1"], "units must name one number for each of 2 layers, not 3"),
    (["--units", "2", "--most-units", "2"], "--units and --most-units must not both be given; choose one"),
    (["--most-units", "0"], "a layer must have at least 1 processing unit, not 0"),
    (["--kind", "analogue"], "kind must be shift or programmable, not 'analogue'"),
    (["--target", "xilinx"], "target must be portable, ecp5 or ice40, not 'xilinx'"),
])
def test_sentences_about_the_design(tmp_path, capsys, options, message):
    assert refused(capsys, described(tmp_path), "-o", tmp_path / "core", *options) == message
    assert not (tmp_path / "core").exists()


def test_what_has_no_hardware_is_said_before_anything_is_written(tmp_path, capsys):
    out = tmp_path / "core"
    batch = described(tmp_path, Network(layers=(3, 2), learning=Learning(batch=4)))
    assert refused(capsys, batch, "-o", out) == "a core learns one image at a time, so learning.batch must be 1, not 4"
    assert refused(capsys, modelled(tmp_path), "-o", out, "--target", "ice40").startswith("the bracket must fit the 16-bit")
    report = tmp_path / "no" / "x"
    assert refused(capsys, described(tmp_path), "-o", out, "--json", report).startswith(f"{report} must be a file")
    assert not out.exists()


def test_only_folders_of_this_command_are_replaced(tmp_path, capsys):
    model, other = described(tmp_path), "choose another folder or remove this one"
    foreign, added, variant = (planted(tmp_path, name) for name in ("foreign", "added", "changed"))
    (foreign / "manifest.json").unlink()
    (added / "thesis.tex").write_text("years of work")
    (variant / "a.v").write_text("module a; // years of work\nendmodule\n")
    before = {place: contents(place) for place in (foreign, added, variant)}
    assert refused(capsys, model, "-o", foreign) == (
        f"{foreign} must be new, empty or of this command, but holds 'a.v' and no manifest.json; {other}")
    assert refused(capsys, model, "-o", added) == (
        f"{added} must hold only what this command wrote, or it is not replaced, but holds 'thesis.tex'; {other}")
    assert refused(capsys, model, "-o", variant) == (
        f"{variant} must be as this command wrote it, or it is not replaced, but: {variant / 'a.v'} must be as its manifest "
        f"says, but was changed; write the folder again with wuxing verilog; {other}")
    assert refused(capsys, model, "-o", model) == f"{model} must be a folder, but is a file; choose another name"
    deep = tmp_path / "no" / "core"
    assert refused(capsys, model, "-o", deep) == (
        f"{deep} must be a folder that can be made, but there is no folder {deep.parent}; make it first")
    assert {place: contents(place) for place in (foreign, added, variant)} == before


# ---------------------------------------------------------------- all or nothing

NEW = {"b.v": "module b; endmodule\n", "manifest.json": "{}"}


def test_an_old_folder_is_replaced_whole(tmp_path):
    place = planted(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(place)
    verilog.write_folder(link, NEW)
    assert contents(place) == {name: text.encode() for name, text in NEW.items()}
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "old"]


def failing(number, error):
    """``Path.rename``, but the call of that number (0: the first) raises."""
    calls, original = [], Path.rename

    def rename(self, target):
        calls.append(target)
        if len(calls) == number + 1:
            raise error
        return original(self, target)
    return rename


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("number", [0, 1])
def test_whatever_fails_the_old_folder_is_there(tmp_path, monkeypatch, number, error):
    place = planted(tmp_path)
    before = contents(place)
    monkeypatch.setattr("pathlib.Path.rename", failing(number, error))
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else InputError
    message = (f"{place} must be a folder that can be written, but: No space left on device; what was there before is "
               f"unchanged, choose another place or mend this one")
    with pytest.raises(expected, match=f"^{re.escape(message)}$" if expected is InputError else None):
        verilog.write_folder(place, NEW)
    assert contents(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_what_changed_while_verilog_was_made_is_not_destroyed(tmp_path):
    place = planted(tmp_path)
    (place / "new.txt").write_text("")
    with pytest.raises(InputError, match="holds 'new.txt'"):
        verilog.write_folder(place, NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_the_manifest_says_what_to_send(tmp_path):
    """The encoding of the model file, and nothing else of the folder depends on it."""
    model, values = modelled(tmp_path), initial(NETWORK, "fixed")
    assert run(model, "-o", tmp_path / "plain", "-q") == 0
    encoding = Encoding.fit([[1.5, 7.0, 3.0], [2.5, 9.0, 3.0]], ["no", "yes"], Recipe.parse("minmax"), features=["a", "b", "c"])
    model_file.save(model, NETWORK, "fixed", values, {}, encoding)
    assert run(model, "-o", tmp_path / "core", "-q") == 0
    plain, manifest = (json.loads((tmp_path / folder / "manifest.json").read_text("utf-8")) for folder in ("plain", "core"))
    assert Encoding.from_dict(manifest["encoding"]).encode([[2.0, 9.0, 4.0]]).tolist() == [[128, 255, 0]]
    assert manifest["encoding"]["classes"] == ["no", "yes"]
    assert plain["encoding"] is None
    assert manifest | {"encoding": None} == plain
