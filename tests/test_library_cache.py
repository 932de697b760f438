"""The folder of compiled cores: a bound, nothing in use goes, nothing is loaded that others could have written."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim import library_cache

ROOT = Path(__file__).parent.parent
USES = """
import sys
from sim import library_cache
library_cache.kept(sys.argv[1], lambda folder: (folder / "core.so").write_bytes(bytes(1000)))
print("used", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def rtl(monkeypatch, tmp_path):
    """An empty folder, and a function that leaves a folder of some bytes there, not in use any more."""
    monkeypatch.setenv("WUXING_CACHE", str(tmp_path))
    monkeypatch.setattr(library_cache, "_used", {})

    def library(name, size, used):
        place = library_cache.kept(name, lambda folder: (folder / "core.so").write_bytes(bytes(size)))
        library_cache._used.pop(place).close()
        os.utime(place / "sums.json", (used, used))
        return place
    yield library
    for mark in library_cache._used.values():
        mark.close()


def test_those_not_used_for_longest_go_first(rtl):
    old, new, middle = rtl("old", 1000, 1), rtl("new", 1000, 3), rtl("middle", 1000, 2)
    least = sum(path.stat().st_size for path in new.iterdir())
    assert library_cache.trim(old.parent, 2 * least) == (2, 2 * least)
    assert [path.exists() for path in (old, middle, new)] == [False, True, True]
    rtl("middle", 1000, 4)                                        # used again
    assert library_cache.trim(old.parent, least) == (1, least)
    assert [path.exists() for path in (old, middle, new)] == [False, True, False]


def test_a_new_one_makes_room(rtl, monkeypatch):
    monkeypatch.setattr(library_cache, "MOST_BYTES", 20_000)
    places = [rtl(f"core-{number}", 7000, number) for number in range(6)]
    left = [path for path in places if path.exists()]
    assert left
    assert left == places[-len(left):]
    assert len(left) < 3


def test_what_a_process_uses_stays(rtl):
    """Even where another process empties the folder."""
    unused = rtl("unused", 1000, 5)
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", USES, "used"], cwd=ROOT, **streams) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"used\n"
        assert library_cache.trim(unused.parent, 0)[0] == 1
        assert not unused.exists()
        assert (unused.parent / "used/core.so").is_file()
        user.communicate(timeout=3600)
    assert library_cache.trim(unused.parent, 0) == (0, 0)


@pytest.mark.parametrize("mode", [0o777, 0o702])
def test_a_folder_that_others_can_write_is_made_again(rtl, mode):
    place = rtl("core", 10, 1)
    (place / "core.so").write_bytes(b"x" * 10)
    sums = library_cache._sums(place)
    (place / "sums.json").write_text(str(sums).replace("'", '"'))         # somebody who could write it would do that too
    place.chmod(mode)
    again = library_cache.kept("core", lambda folder: (folder / "core.so").write_bytes(bytes(10)))
    assert (again, (again / "core.so").read_bytes()) == (place, bytes(10))
    assert place.stat().st_mode & 0o777 == 0o700


def test_what_was_read_once_is_not_read_again_unless_it_changed(rtl, monkeypatch):
    """Long after it was written: at once, a file may be written again with the times that it had."""
    place, read, sums = rtl("core", 1000, 1), [], library_cache._sums
    monkeypatch.setattr(library_cache, "_sums", lambda folder: read.append(folder) or sums(folder))
    assert [library_cache._intact(place) for _ in range(2)] == [True, True]
    assert read == [place, place]
    monkeypatch.setattr(library_cache, "TICK", 0)
    assert [library_cache._intact(place) for _ in range(3)] == [True, True, True]
    assert read == [place] * 3
    (place / "core.so").write_bytes(bytes(999) + b"x")
    assert not library_cache._intact(place)
    assert read == [place] * 4


def test_what_a_process_uses_is_let_go_at_its_end_without_a_warning(tmp_path):
    ran = subprocess.run([sys.executable, "-W", "error", "-c", USES, "a"], cwd=ROOT, input="", capture_output=True, text=True,
                         env={**os.environ, "WUXING_CACHE": str(tmp_path)}, check=True, timeout=600)
    assert (ran.stdout, ran.stderr) == ("used\n", "")
