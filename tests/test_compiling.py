"""Machine code in the cache: it is that of the present sources, whatever was inlined; damaged files are as if not there."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from golden_model import compiling
from golden_model.engine import CompiledModel, Interpreted
from golden_model.model import Model
from golden_model.network import Network

ROOT = Path(__file__).parent.parent
LIMIT = 3600                              # seconds after which a program of a test hangs
SETTLED = """
import numpy as np
from golden_model import kernels
from golden_model.engine import CompiledModel
from golden_model.network import Network
model = CompiledModel(Network(layers=(2, 16)), "fixed")
plan, state = model._plan, np.zeros(5 * 16, np.int32)
kernels.settle(np.arange(-800, 800, 100, dtype=np.int32), None, state, plan.forward_rows, 8, 1, 0, model._words, None, None)
stats = kernels.settle.stats
print(sum(stats.cache_hits.values()), state.tolist())
"""


def settled(folder: Path, cache: Path) -> tuple[bool, str]:
    """One layer settled by the engine whose package lies in ``folder``: whether its machine code was there, and all words."""
    ran = subprocess.run([sys.executable, "-c", SETTLED], cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=True,
                         env={**os.environ, "PYTHONPATH": str(folder), "WUXING_CACHE": str(cache)})
    assert ran.stderr == ""
    found, _, words = ran.stdout.partition(" ")
    return found == "1", words


def test_a_change_of_what_is_inlined_is_seen_with_a_warm_cache(tmp_path):
    """Without the rounding of ``half_step``, which ``words`` defines and ``kernels`` inlines, the bits must be others."""
    shutil.copytree(ROOT / "golden_model", tmp_path / "golden_model", ignore=shutil.ignore_patterns("__pycache__"))
    cold, right = settled(tmp_path, tmp_path / "cache")
    warm, again = settled(tmp_path, tmp_path / "cache")
    assert (cold, warm) == (False, True)
    assert again == right
    words = tmp_path / "golden_model/words.py"
    text = words.read_text("utf-8")
    assert text.count("cast(s + x + scaled + 1, s)") == 1
    words.write_text(text.replace("cast(s + x + scaled + 1, s)", "cast(s + x + scaled, s)"), "utf-8")
    assert settled(tmp_path, tmp_path / "cache")[1] != right
    words.write_text(text, "utf-8")
    assert settled(tmp_path, tmp_path / "cache") == (True, right), "and that of the old text is still there"
    for path in (tmp_path / "cache").rglob("*.nbc"):
        path.write_bytes(path.read_bytes()[:1000])
    assert settled(tmp_path, tmp_path / "cache") == (False, right), "what is damaged is compiled again"


def test_copies_of_the_same_sources_share_machine_code_and_processes_compile_it_once(tmp_path):
    """A checkout and an installation; both begin at once, and one of them waits for the other."""
    for name in ("one", "other"):
        shutil.copytree(ROOT / "golden_model", tmp_path / name / "golden_model", ignore=shutil.ignore_patterns("__pycache__"))
    with ThreadPoolExecutor() as pool:
        ran = list(pool.map(lambda name: settled(tmp_path / name, tmp_path / "cache"), ("one", "other")))
    assert sorted(found for found, _ in ran) == [False, True]
    assert ran[0][1] == ran[1][1]


def test_without_a_cache_folder_it_is_compiled_all_the_same(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    made = compiling._Kept(len)
    monkeypatch.setattr(compiling, "machine_code", lambda: None)
    assert made.load_overload(None, None) is None
    made.save_overload(None, None)
    assert made.cache_path is None


def test_sources_are_all_modules_that_kernels_import():
    names = {path.stem for path in compiling.sources(compiling._modules)}
    assert {"kernels", "shared_kernels", "recurrent_kernels", "upsets", "words", "plan"} <= names
    assert "datasets" not in names, "a change there must not cost minutes of compiling"


def test_machine_code_of_old_sources_goes(monkeypatch, tmp_path):
    monkeypatch.setenv("WUXING_CACHE", str(tmp_path))
    folders = []
    for state in range(compiling.STATES + 3):
        monkeypatch.setattr(compiling, "sources_hash", lambda state=state: f"state-{state}")
        folders.append(compiling.machine_code.__wrapped__())
        os.utime(folders[-1] / "lock", (1000 + state, 1000 + state))
    assert sorted(path for path in (tmp_path / "numba").iterdir()) == sorted(folders[3:])


def test_two_processes_take_turns(monkeypatch, tmp_path):
    """While one reads or writes, the other waits: they would take the same file for different types."""
    monkeypatch.setenv("WUXING_CACHE", str(tmp_path))
    compiling.machine_code.cache_clear()
    try:
        kept = compiling._Kept(settled)
        folder, numbas = kept._cache()
        assert folder.is_relative_to(tmp_path)
        order = []

        def load(sig, context):
            order.append("locked" if subprocess.run([sys.executable, "-c", HELD, str(folder / "lock")],
                                                    check=False, timeout=LIMIT).returncode else "free")

        monkeypatch.setattr(numbas, "load_overload", load)
        kept.load_overload(None, None)
        assert order == ["locked"]
    finally:
        compiling.machine_code.cache_clear()


HELD = """
import fcntl, sys
fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)
"""


@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_where_nothing_may_be_compiled_the_definition_computes(arithmetic):
    network, images, labels = Network(layers=(30, 8, 4)), np.full((3, 30), 200, np.uint8), np.array([0, 1, 2])
    model, other, compiled = Model(network, arithmetic), Interpreted(network, arithmetic), CompiledModel(network, arithmetic)
    for each in (model, other, compiled):
        each.learn(images, labels)
    assert other.outputs(images).dtype == compiled.outputs(images).dtype
    np.testing.assert_array_equal(other.outputs(images), model.outputs(images).astype(other.outputs(images).dtype))
    for one, two in zip(other.parameters, compiled.parameters, strict=True):
        assert [array.dtype for array in (one.weights, one.bias, one.coupling)] == [
            array.dtype for array in (two.weights, two.bias, two.coupling)]


def test_numba_may_be_told_to_compile_nothing():
    program = """
import numpy as np
from golden_model.engine import CompiledModel
from golden_model.robustness.faults import Faults, FaultyCompiledModel
from golden_model.network import Network
network, images = Network(layers=(6, 3, 2)), np.arange(12, dtype=np.uint8).reshape(2, 6)
for model in (CompiledModel(network, "fixed", threads=2), FaultyCompiledModel(network, None, Faults())):
    model.learn(images, np.array([0, 1]))
    print(model.outputs(images).tolist())
"""
    said = [subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True,
                           env={**os.environ, "NUMBA_DISABLE_JIT": disabled}).stdout for disabled in ("1", "0")]
    assert said[0] == said[1] != ""
