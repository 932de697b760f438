"""Tables at any width: no number and no word is broken or cut, and no line is wider than the screen."""
import ast
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from wuxing.cli import main
from wuxing.reports import console

WUXING = Path(__file__).parent.parent / "wuxing"
words = st.text("abcdefgh-", min_size=1, max_size=9)
texts = st.lists(words, max_size=5).map(" ".join)
numbers = st.one_of(st.integers(-10**9, 10**9).map("{:,}".format), st.floats(0, 100).map("{:.2f} ± 0.12".format), st.just(""))


def text_of(table, width):
    screen = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False)
    screen.print(table)
    return screen.file.getvalue()


@given(st.data(), st.integers(25, 130))
def test_nothing_is_broken_or_cut(data, width):
    left, right = data.draw(st.lists(texts, min_size=1, max_size=3)), data.draw(st.lists(texts, max_size=8))
    rows = data.draw(st.lists(st.tuples(*[texts] * len(left), *[numbers] * len(right)), min_size=1, max_size=4))
    table = console.table(data.draw(texts), left=tuple(left), right=tuple(right))
    for row in rows:
        table.add_row(*row)
    result = text_of(table, width)
    assert max(map(len, result.splitlines()), default=0) <= width
    words = result.split()
    for row in rows:
        for cell in row[:len(left)]:
            assert {*cell.split()} <= {*re.split(r"[\s:]+", result)}
        for cell in filter(None, row[len(left):]):
            assert cell in result
            assert cell.split()[0] in words


def test_columns_that_have_room_stand_side_by_side_and_others_make_paragraphs():
    table = console.table("Speed", left=("",), right=("accuracy %", "learnt/s"))
    table.add_row("float, quantised", "96.39", "159,658")
    table.add_row("fixed", "96.11", "")
    assert [line.rstrip() for line in text_of(table, 40).splitlines()] == [
        "Speed", "                  accuracy %  learnt/s", "─" * 38, "float, quantised       96.39   159,658",
        "fixed                  96.11"]
    assert [line.rstrip() for line in text_of(table, 30).splitlines()] == [
        "Speed", "            accuracy", "                   %  learnt/s", "─" * 30, "float,         96.39   159,658",
        "quantised", "fixed          96.11"]
    assert [line.rstrip() for line in text_of(table, 25).splitlines()] == [
        "Speed", "float, quantised", "  accuracy %: 96.39", "  learnt/s: 159,658", "fixed", "  accuracy %: 96.11"]


def test_tables_are_made_in_one_place():
    makers = {path.name for path in WUXING.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))
              if isinstance(node, ast.ImportFrom) and node.module == "rich.table"}
    assert makers == {"sheet.py"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("sheet") / "m.npz"
    assert main(["train", "--dataset", "digits", "--layers", "64,8,10", "--epochs", "3", "--train-images", "200",
                 "-q", "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize("command", [
    ["info", "{model}"], ["eval", "{model}"], ["ranges", "{model}", "-q"], ["estimate", "{model}"], ["boards"],
    ["verilog", "{model}", "-o", "{folder}"],
    ["compare", "--dataset", "digits", "--train-images", "200", "--test-images", "60", "--epochs", "2", "--seeds", "2", "-q"],
], ids=lambda command: command[0])
def test_a_narrow_screen_shows_the_same_numbers(command, model, tmp_path, monkeypatch, capsys):
    results = {}
    for width in (40, 400):
        monkeypatch.setenv("COLUMNS", str(width))
        capsys.readouterr()
        assert main([part.format(model=model, folder=tmp_path / str(width)) for part in command]) == 0
        output = capsys.readouterr().out
        assert "\u2026" not in output
        assert width == 400 or all(len(line) <= 40 for line in output.splitlines() if line.startswith(("  ", "─")))
        results[width] = {word.strip(".,;:") for word in output.split() if re.fullmatch(r"[-<]?\d[\d.,]*[;:]?", word)}
    timed = re.compile(r"[\d,]{5,}")                       # images a second
    assert {word for word in results[400] if not timed.fullmatch(word)} <= results[40]
    assert len(results[400]) > 8
