"""Machine code in the cache: it is that of the present sources, whatever was inlined; damaged files are as if not there."""
from __future__ import annotations

import ast
import itertools
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
from golden_model.errors import InternalError
from golden_model.kernels import circuit
from golden_model.model import Model
from golden_model.network import Network

ROOT = Path(__file__).parent.parent
LIMIT = 3600                              # seconds after which a program of a test hangs
SETTLED = """
import numpy as np
from golden_model.engine import CompiledModel
from golden_model.kernels import learn
from golden_model.network import Network
words = CompiledModel(Network(layers=(2, 16)), "fixed").outputs(np.array([[250, 20]], np.uint8))
print(sum(learn.infer.stats.cache_hits.values()), words.tolist())
"""


def settled(folder: Path, cache: Path) -> tuple[bool, str]:
    """One layer settled by the engine whose package lies in ``folder``: whether its machine code was there, and all words."""
    ran = subprocess.run([sys.executable, "-c", SETTLED], cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=True,
                         env={**os.environ, "PYTHONPATH": str(folder), "WUXING_CACHE": str(cache)})
    assert ran.stderr == ""
    hit, _, words = ran.stdout.partition(" ")
    return hit == "1", words


def test_a_change_of_what_is_inlined_is_seen_with_a_warm_cache(tmp_path):
    """Without the rounding of ``half_step``, in a module of ``kernels`` that others inline, the bits must be others."""
    shutil.copytree(ROOT / "golden_model", tmp_path / "golden_model", ignore=shutil.ignore_patterns("__pycache__"))
    cold, right = settled(tmp_path, tmp_path / "cache")
    warm, again = settled(tmp_path, tmp_path / "cache")
    assert (cold, warm) == (False, True)
    assert again == right
    words = tmp_path / "golden_model/kernels/words.py"
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
    assert sorted(item for item, _ in ran) == [False, True]
    assert ran[0][1] == ran[1][1]


def test_without_a_cache_folder_it_is_compiled_all_the_same(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    cache = compiling._Kept(len)
    monkeypatch.setattr(compiling, "machine_code", lambda: None)
    assert cache.load_overload(None, None) is None
    cache.save_overload(None, None)
    assert cache.cache_path is None


def test_sources_are_all_modules_that_kernels_import():
    names = {path.relative_to(ROOT / "golden_model").as_posix() for path in compiling.sources(compiling._modules)}
    kernels = {path.relative_to(ROOT / "golden_model").as_posix() for path in (ROOT / "golden_model/kernels").iterdir()
               if path.suffix == ".py"}
    assert len(kernels) >= 8
    assert kernels | {"__init__.py", "robustness/__init__.py", "robustness/upsets.py", "compiling.py"} <= names
    assert not {"data/datasets.py", "network.py", "engine.py"} & names, "a change there must not cost minutes of compiling"


def test_no_import_is_missed_in_whatever_statement_it_stands():
    text = """
def f():
    if x:
        pass
    elif y:
        import a
    try:
        import b
    except OSError:
        import c
    else:
        import d
    finally:
        with z:
            import e
    match x:
        case 1:
            import f
    while x:
        for y in z:
            class C:
                async def g():
                    import g
"""
    names = [each.names[0].name for each in compiling._statements(ast.parse(text)) if isinstance(each, ast.Import)]
    assert sorted(names) == list("abcdefg")
    for path in sorted(ROOT.glob("*/**/*.py")):
        if path.is_relative_to(ROOT / "golden_model"):
            tree = ast.parse(path.read_bytes())
            walked, stepped = ({each for each in nodes if isinstance(each, ast.Import | ast.ImportFrom)}
                               for nodes in (ast.walk(tree), compiling._statements(tree)))
            assert walked == stepped, path


def test_numba_is_ready_without_scipy_and_still_takes_its_blas():
    """SciPy is a fifth of the time of a short command that needs the engine."""
    program = """
import sys
import numpy as np
from golden_model.engine import CompiledModel
from golden_model.network import Network
CompiledModel(Network(layers=(2, 16)), "fixed").outputs(np.array([[250, 20]], np.uint8))
assert not any(name.startswith("scipy.linalg") for name in sys.modules)
import numba
product = numba.njit(lambda a, b: (np.convolve(a, b), np.dot(a, b)))
assert [np.asarray(each).tolist() for each in product(np.array([1.0, 2.0]), np.array([3.0, 4.0]))] == [[3.0, 10.0, 8.0], 11.0]
assert "scipy.linalg.cython_blas" in sys.modules
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT, check=False, cwd=ROOT)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_package_is_a_source_of_machine_code_as_its_modules_are(monkeypatch, tmp_path):
    """Whatever its ``__init__`` says, it may be inlined; a name of a package and one of a module both lead to files."""
    package = tmp_path / "golden_model"
    (package / "inner/deep").mkdir(parents=True)
    texts = {"__init__": "", "inner/__init__": "from golden_model import other", "inner/deep/__init__": "", "other": "",
             "inner/deep/words": "import golden_model.last", "last": "", "unread": "",
             "kernels": "from golden_model.inner.deep import words"}
    for name, text in texts.items():
        (package / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.setattr(compiling, "__file__", str(package / "compiling.py"))
    results = [path.relative_to(package).with_suffix("").as_posix() for path in compiling.sources({"golden_model.kernels"})]
    assert set(results) == set(texts) - {"unread"}
    before = compiling.sources_hash()
    monkeypatch.setattr(compiling, "_modules", {"golden_model.kernels"})
    hashes = {before, compiling.sources_hash()}
    (package / "inner/__init__.py").write_text("", "utf-8")
    hashes.add(compiling.sources_hash())
    (package / "inner/deep/__init__.py").write_text("X = 1", "utf-8")
    assert len(hashes | {compiling.sources_hash()}) == 4
    (package / "kernels.py").write_text("from . import other", "utf-8")
    with pytest.raises(InternalError, match=r"kernels\.py must import by whole names, not relative to itself"):
        compiling.sources({"golden_model.kernels"})


def test_two_kernels_of_one_name_are_refused():
    """One out of the cache and one compiled in this process can have the same symbol, and either would be found."""
    def variant(number):
        def writes(values):
            values[0] = number
        return compiling.kernel(writes)

    variant(1)
    with pytest.raises(InternalError, match=r"each kernel must have a name of its own, but there are two .*<locals>\.writes"):
        variant(2)
    names = {circuit.settle(*flags).py_func.__qualname__ for flags in itertools.product((False, True), repeat=4)}
    names |= {circuit.half_step_of_all(*flags).py_func.__qualname__ for flags in itertools.product((False, True), repeat=3)}
    assert len(names) == 24


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
    model, other, engine = Model(network, arithmetic), Interpreted(network, arithmetic), CompiledModel(network, arithmetic)
    for each in (model, other, engine):
        each.learn(images, labels)
    assert other.outputs(images).dtype == engine.outputs(images).dtype
    np.testing.assert_array_equal(other.outputs(images), model.outputs(images).astype(other.outputs(images).dtype))
    for one, two in zip(other.parameters, engine.parameters, strict=True):
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
    lines = [subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True,
                            timeout=LIMIT, env={**os.environ, "NUMBA_DISABLE_JIT": disabled}).stdout for disabled in ("1", "0")]
    assert lines[0] == lines[1] != ""
