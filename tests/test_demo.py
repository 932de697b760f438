"""The demonstration: it ends well whatever data there are, tells its story on two screens, and leaves what it says."""
import json
import re
import shlex
import shutil
import sys

import pytest

from golden_model.data import datasets
from wuxing.cli import main
from wuxing.commands import demo

SCREENS, COLUMNS = 2 * 45, 100


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """In an empty folder, with fewer epochs; without data unless a test says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WUXING_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "DATA", tuple(demo.Data(name=data.name, what=data.what, compared=2, trained=2, larger=data.larger)
                                            for data in demo.DATA))


def screens(capsys):
    """The lines of the story. It says nothing else, and fits two screens."""
    output = capsys.readouterr()
    assert output.err == ""
    lines = output.out.splitlines()
    assert len(lines) <= SCREENS
    assert [line for line in lines if len(line) > COLUMNS] == []
    return lines


def check_folder(lines):
    """The story names what lies in its folder, and no more."""
    begin = next(index for index, line in enumerate(lines) if line.startswith("In build/demo, made in "))
    names = [name.strip(",") for line in lines[begin + 1:lines.index("", begin)] for name in line[3:25].split()]
    for name in names:
        assert list(demo.Path("build/demo").glob(name.rstrip("/"))), name
    for file in demo.Path("build/demo").iterdir():
        assert any(file.match(name.rstrip("/")) for name in names), file


def test_without_compilers_the_story_ends_with_the_verilog(monkeypatch, capsys):
    """What runs Verilog is left out, and the story says how to have it."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *rest, **more: None if name == "perl" else which(name, *rest, **more))
    monkeypatch.setattr(datasets, "available", lambda name: name == "digits")
    assert main(["demo"]) == 0
    lines = screens(capsys)
    assert lines[1] == "Data: 1,797 small images of digits from scikit-learn: 1,437 to learn from, 360 to test."
    assert "There is no perl here, so that Verilog cannot be compiled and nothing runs it." in lines
    assert "With g++, make, perl: wuxing cosim build/demo/model.npz" in lines
    commands = [shlex.split(line)[2] for line in lines if line.startswith("   $ ")]
    assert commands == ["compare", "train", "info", "ranges", "verilog"]
    compared = json.loads(demo.Path("build/demo/compare.json").read_text("utf-8"))
    row = next(line for line in lines if line.startswith("   integers, which never see a float"))
    assert f" {compared['fixed_accuracy']:.2f} %" in row
    check_folder(lines)


def test_without_pseudo_terminals_it_ends_with_the_model_for_the_board(monkeypatch, capsys):
    """As on Windows: it is said what lacks, and the end names no file that is not there."""
    monkeypatch.setitem(sys.modules, "pty", None)
    monkeypatch.setattr(demo.Demonstration, "simulate", lambda self: None)       # which compiles a core
    monkeypatch.setattr(datasets, "available", lambda name: name == "digits")
    assert main(["demo"]) == 0
    lines = screens(capsys)
    assert "a virtual board must have the pseudo-terminals of Linux or macOS" in " ".join(" ".join(lines).split())
    assert [shlex.split(line)[2] for line in lines if line.startswith("   $ ")][-2:] == ["verilog", "train"]
    check_folder(lines)


@pytest.mark.long                         # compiles two cores
@pytest.mark.parametrize("data", ["digits", "mnist-5k"])
def test_the_whole_story(data, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "available", lambda name: name == data)
    assert main(["demo"]) == 0
    lines = screens(capsys)
    commands = [shlex.split(line)[2] for line in lines if line.startswith("   $ ")]
    assert commands == ["compare", "train", "info", "ranges", "verilog", "cosim", "train", "run"]
    equal = [re.search(r"\b0 of ([\d,]+) words differ", line) for line in lines]
    cosim, run = (int(match[1].replace(",", "")) for match in equal if match)
    for name, words in (("cosim", cosim), ("run", run)):
        assert json.loads(demo.Path(f"build/demo/{name}.json").read_text("utf-8"))["words_compared"] == words
    check_folder(lines)


def test_the_largest_data_set_that_is_there_is_taken(monkeypatch):
    taken = []
    monkeypatch.setattr(demo.Demonstration, "run", lambda self: taken.append(self.data.name))
    for there in (("digits",), ("mnist-5k", "digits"), ("mnist", "mnist-5k", "digits")):
        monkeypatch.setattr(datasets, "available", there.__contains__)
        assert main(["demo"]) == 0
    assert taken == ["digits", "mnist-5k", "mnist"]


def test_every_data_set_has_the_images_that_the_demo_takes():
    for data in demo.DATA:
        numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d(?= to | images to)", data.what)]
        assert min(numbers) >= demo.IMAGES >= demo.LEARN
    data = datasets.load("digits")
    assert (len(data.train_labels), len(data.test_labels)) == (1437, 360)


def test_a_step_that_fails_ends_the_demo_with_its_sentence_and_code(monkeypatch, capsys):
    monkeypatch.setattr(demo, "DATA", (demo.Data(name="digits", what="none", compared=0, trained=1),))
    assert main(["demo", "-o", "out"]) == 2
    output = capsys.readouterr()
    assert output.err == "wuxing: learning.epochs must be a whole number from 1 to 1000000, not 0\n"
    assert output.out.splitlines()[-1] == "   $ wuxing compare --dataset digits --epochs 0 --report out"


def test_a_folder_that_cannot_be_made(capsys):
    demo.Path("file").write_text("")
    assert main(["demo", "-o", "file"]) == 2
    assert capsys.readouterr().err == "wuxing: file must be a folder that can be made, but: File exists; choose another place\n"
