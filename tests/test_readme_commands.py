"""The README's table of commands runs from top to bottom, each with what those above it made."""
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from golden_model.storage import model_file
from wuxing import designs
from wuxing.cli import main

ROOT = Path(__file__).parent.parent
SMALL = {"mnist-5k": "digits"}            # and the networks are smaller, so that cores compile fast
NETWORK = ["--layers", "64,4,10", "--epochs", "3"]


def commands():
    """The commands of the table, in order, without ``wuxing``."""
    section = (ROOT / "README.md").read_text("utf-8").split("\n## Commands\n")[1].split("\n## ")[0]
    results = [shlex.split(command) for command in re.findall(r"^\| `(wuxing [^`]+)` \|", section, re.MULTILINE)]
    assert len(results) > 10
    assert all(words[0] == "wuxing" for words in results)
    return [words[1:] for words in results]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A newcomer's: no data, the examples beside."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WUXING_DATA", raising=False)
    return tmp_path


def test_the_table_has_every_command():
    from wuxing.cli import complete
    assert {words[0] for words in commands()} == set(complete().commands)


@pytest.mark.early
def test_the_table_runs_with_small_networks(folder, capsys):
    """But for ``demo``, which has tests of its own, and ``build``, whose place and route takes minutes: it is asked whether it
    would take the model."""
    for words in commands():
        name, *rest = [SMALL.get(word, word) for word in words]
        if name == "demo":
            continue
        if name == "build":
            source = designs.read(Path(rest[0]))
            design = designs.for_board(designs.platform_of(None, source.record), source)
            assert design.arrangement == "time-shared"
            continue
        more = {"train": NETWORK, "compare": NETWORK, "experiment": ["--quick"]}.get(name, [])
        assert main([name, *rest, *more]) == 0, (words, capsys.readouterr().err)
    assert model_file.load(folder / "icebreaker.npz").record["board"] == "icebreaker"
    assert (folder / "build/mnist/index.html").is_file()
    assert (folder / "core/core.v").is_file() or list((folder / "core").glob("*.v"))


@pytest.mark.long                         # the table as it stands: trains, compiles two cores, places and routes
def test_the_table_runs_as_it_stands(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))           # empty
    for words in commands():
        ran = subprocess.run([sys.executable, "-m", "wuxing", *words], capture_output=True, text=True, check=False,
                             timeout=3600)
        assert ran.returncode == 0, (words, ran.stdout[-2000:], ran.stderr[-2000:])
    assert list((folder / "build/icebreaker").glob("*.bin"))
