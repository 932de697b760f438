"""The checks of RTL against golden model notice planted bugs: a few here, all of them with ``--long``."""
from __future__ import annotations

import re
import shutil

import pytest

import mutation
from golden_model.errors import InputError
from mutants import MUTANTS, Mutant

SAMPLE = ("update that overflows is not held", "gates not mirrored", "overlong frames accepted")


def test_there_are_many_and_every_one_still_has_its_place(tmp_path):
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20
    shutil.copytree(mutation.HDL, tmp_path / "hdl")
    for mutant in MUTANTS:
        before = (tmp_path / "hdl" / mutant.file).read_text("utf-8")
        mutation.plant(mutant, tmp_path / "hdl")
        after = (tmp_path / "hdl" / mutant.file).read_text("utf-8")
        assert after != before
        compile(after, mutant.file, "exec")
        (tmp_path / "hdl" / mutant.file).write_text(before, "utf-8")


def test_a_mutant_whose_text_is_gone_is_refused(tmp_path):
    (tmp_path / "ring.py").write_text("nothing\n", "utf-8")
    text = "the text of mutant 'x' must occur once in ring.py, not 0 times; bring tests/mutants.py up to date"
    with pytest.raises(InputError, match=re.escape(text)):
        mutation.plant(Mutant("x", "ring.py", "something", "else"), tmp_path)


@pytest.mark.early
def test_planted_bugs_are_caught_and_the_unchanged_design_passes():
    outcomes = mutation.run([mutant for mutant in MUTANTS if mutant.name in SAMPLE])
    assert [outcome.mutant for outcome in outcomes if outcome.caught_by] == list(SAMPLE)


@pytest.mark.long
def test_every_planted_bug_is_caught():
    assert [outcome.mutant for outcome in mutation.run() if not outcome.caught_by] == []
