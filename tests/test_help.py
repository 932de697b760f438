"""Help: every command and option says what it is, also without docstrings."""
import subprocess
import sys

import pytest

from wuxing import cli
from wuxing.cli import COMMANDS, SUMMARY, complete, main


def without_docstrings(*arguments):
    ran = subprocess.run([sys.executable, "-OO", "-m", "wuxing", *arguments], check=True, capture_output=True, text=True)
    return " ".join(ran.stdout.split())


def test_help_without_docstrings():
    output = without_docstrings("--help")
    assert SUMMARY in output
    for name, (_, sentence) in COMMANDS.items():
        assert f"{name} {sentence[:30]}" in output


def test_help_of_each_command_without_docstrings():
    program = ("import sys\n"
               "from wuxing.cli import COMMANDS, main\n"
               "sys.exit(max(main([name, '--help']) for name in COMMANDS))")
    ran = subprocess.run([sys.executable, "-OO", "-c", program], check=True, capture_output=True, text=True)
    output = "".join(ran.stdout.split())                    # lines may end at a hyphen
    for name, (_, sentence) in COMMANDS.items():
        assert f"Usage:wuxing{name}" in output
        assert "".join(sentence.split()) in output


def test_the_list_of_commands_has_whole_sentences(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    assert "..." not in output.replace("[ARGS]...", "")
    assert max(map(len, output.splitlines())) <= 80
    for name, (_, sentence) in COMMANDS.items():
        assert f" {name} {sentence} " in f" {' '.join(output.split())} "


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_says_what_the_docstring_says(name):
    assert COMMANDS[name][1] == cli.function(name).__doc__
    assert cli.wuxing.__doc__ == SUMMARY


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_has_a_sentence(name, capsys):
    assert main([name, "--help"]) == 0
    for option in complete().commands[name].params:
        assert option.help
