"""One rule for all caches: a folder that is named, else the user's, else a private one; never one that others can write."""
from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from golden_model import parameters
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.storage import cache, model_file
from golden_model.storage.cache import CacheWarning

ROOT = Path(__file__).parent.parent
LIMIT = 3600                              # seconds after which a program of a test hangs


@pytest.fixture
def unnamed(monkeypatch, tmp_path, tmp_path_factory):
    """No folder is named, and the user's cache folder is an empty one. What a test exports is forgotten after it, and temporary
    folders go with those of pytest: processes of xdist end so that nothing else would remove them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setenv(cache.VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return tmp_path


def test_the_folder_that_is_named_comes_before_that_of_the_user(unnamed, monkeypatch):
    assert cache.root() == unnamed / "user/wuxing"
    monkeypatch.setenv(cache.VARIABLE, str(unnamed / "named/deep"))
    assert cache.root() == unnamed / "named/deep"
    assert cache.part("rtl") == unnamed / "named/deep/rtl"
    for place in (cache.root(), cache.part("rtl")):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_relative_folder_does_not_move_with_the_process(unnamed, monkeypatch):
    monkeypatch.chdir(unnamed)
    monkeypatch.setenv(cache.VARIABLE, "near")
    assert cache.root() == unnamed / "near"


def warned(folder: Path) -> tuple[Path, str]:
    """The folder that serves in place of one that cannot, and what is said."""
    with pytest.warns(CacheWarning) as record:
        result = cache.root()
    assert len(record) == 1
    assert result != folder
    assert stat.S_IMODE(result.stat().st_mode) == 0o700
    assert cache.root() == result, "and it is not said again"
    assert os.environ[cache.VARIABLE] == str(result), "children use the same"
    return result, str(record[0].message)


def test_where_the_named_folder_cannot_be_a_temporary_one_serves(unnamed, monkeypatch):
    (unnamed / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(unnamed / "file/in"))
    _, record = warned(unnamed / "file/in")
    assert record == (f"WUXING_CACHE must name a folder that you and nobody else can write, but {unnamed}/file is a file; "
                    f"every run compiles anew until you set WUXING_CACHE to such a folder")


def test_where_that_of_the_user_cannot_be_a_temporary_one_serves(unnamed, monkeypatch):
    (unnamed / "user").write_text("")
    _, record = warned(unnamed / "user/wuxing")
    assert record == (f"what is compiled must be kept in a folder that you and nobody else can write, but {unnamed}/user is a "
                    f"file; every run compiles anew until you set WUXING_CACHE to such a folder")


@pytest.mark.parametrize(("place", "mode"), [("named", 0o777), ("named", 0o1777), ("", 0o777), ("named", 0o722)])
def test_a_folder_that_others_can_write_is_not_used(unnamed, monkeypatch, place, mode):
    (unnamed / "named").mkdir(0o700)
    (unnamed / place).chmod(mode)
    monkeypatch.setenv(cache.VARIABLE, str(unnamed / "named"))
    _, record = warned(unnamed / "named")
    assert f"but others can write {unnamed / place}; every run" in record
    (unnamed / place).chmod(0o700)


def test_a_folder_in_one_where_each_has_his_own_is_used(unnamed, monkeypatch):
    """As in /tmp, whose sticky bit lets nobody exchange what is another's."""
    unnamed.chmod(0o1777)
    monkeypatch.setenv(cache.VARIABLE, str(unnamed / "named"))
    assert cache.root() == unnamed / "named"


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_not_used(unnamed, monkeypatch):
    (unnamed / "named").mkdir(0o700)
    os.chown(unnamed / "named", 12345, 12345)
    monkeypatch.setenv(cache.VARIABLE, str(unnamed / "named"))
    assert f"but {unnamed / 'named'} belongs to another user; every run" in warned(unnamed / "named")[1]


def test_a_part_that_others_can_write_is_refused(unnamed):
    cache.part("rtl").chmod(0o777)
    with pytest.raises(InputError, match=r"rtl must be a folder that you and nobody else can write, but others can write .*rtl"
                                         r"; remove it or set WUXING_CACHE to another folder$"):
        cache.part("rtl")


def test_without_even_a_temporary_folder_one_must_be_named(unnamed, monkeypatch):
    (unnamed / "user").write_text("")
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: (_ for _ in ()).throw(FileNotFoundError(2, "No usable folder")))
    with pytest.raises(InputError, match=r"^compiled code must have a folder that can be written, but there is none, not even "
                                         r"a temporary one \(No usable folder\); set WUXING_CACHE to a folder$"):
        cache.root()
    assert cache.environment() == dict(os.environ)


def test_the_caches_of_tools_are_parts_of_ours(unnamed, monkeypatch):
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    content = cache.environment()
    assert (content["XDG_CACHE_HOME"], content["YOWASP_CACHE_DIR"]) == (str(cache.root()), str(cache.root() / "yowasp"))
    monkeypatch.setenv("YOWASP_CACHE_DIR", "/elsewhere")
    assert cache.environment()["YOWASP_CACHE_DIR"] == "/elsewhere"


@pytest.fixture
def model(tmp_path):
    """A model file that nobody has trained, and that is small."""
    network = Network(layers=(64, 2, 10))
    model_file.save(tmp_path / "m.npz", network, "fixed", parameters.initial(network, "fixed"), {})
    return tmp_path / "m.npz"


def program(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python program in a process of its own, in a folder."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("YOWASP_CACHE_DIR", "MPLCONFIGDIR")}
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=LIMIT,
                          env={**inherited, "PYTHONPATH": str(ROOT), **environment}, check=False)


def test_without_any_folder_that_can_be_written_programs_work_with_one_sentence(tmp_path, model):
    """As for a user of a container who owns nothing: neither home, nor cache, nor the place of installation."""
    (tmp_path / "file").write_text("")
    nowhere = {name: str(tmp_path / "file/in") for name in ("HOME", "XDG_CACHE_HOME", "WUXING_CACHE")}
    output = program(tmp_path, "-m", "wuxing", "--version", **nowhere)
    assert (output.returncode, output.stderr) == (0, "")
    for arguments in (("-m", "wuxing", "verilog", model, "-o", "core"), ("-c", "import wuxing.reports.plots")):
        output = program(tmp_path, *arguments, **nowhere)
        assert output.returncode == 0, output.stderr
        assert output.stderr.count("WUXING_CACHE must name a folder that you and nobody else can write") == 1
        assert "matplotlib" not in output.stderr.lower().replace("matplotlib_folder", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["core", "file", "m.npz"]


@pytest.mark.early
def test_any_letters_may_be_in_the_name_of_the_cache(tmp_path, model):
    """Spaces, letters beyond ASCII and quotes, and the same for the folder in which it is started."""
    place = tmp_path / "dépôt \"de\" café"
    place.mkdir()
    names = {name: str(place / "cache") for name in ("HOME", "XDG_CACHE_HOME", "WUXING_CACHE")}
    checked = program(place, "-m", "wuxing", "cosim", model, "--dataset", "digits", "--images", "2", "--learn", "1", **names)
    assert (checked.returncode, checked.stderr) == (0, "")
    output = program(place, "-m", "wuxing", "cache", **names)
    assert output.stdout.splitlines()[0] == str(place / "cache")
    assert program(place, "-m", "wuxing", "cache", "--clear", **names).returncode == 0
    assert [path for path in (place / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"] == []
