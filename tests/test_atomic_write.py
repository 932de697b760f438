"""What was there before survives whatever interrupts the writing, and nothing is left over."""
import errno
import os
import re
import resource
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from golden_model.errors import InputError
from golden_model.storage.atomic_write import write_atomically

REMEDY = "what was there before is unchanged, choose another place or mend this one"


def sentence(path: Path, reason: str) -> str:
    return "^" + re.escape(f"{path} must be a file that can be written, but: {reason}; {REMEDY}") + "$"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    return path


def raising(error: BaseException) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error
    return call


def test_new_file_and_replacement(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, "five elements: 五行")
    assert path.read_text(encoding="utf-8") == "five elements: 五行"
    write_atomically(str(path), b"\0new\r\n")
    assert path.read_bytes() == b"\0new\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_follow_umask_or_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    before = os.umask(0o027)
    try:
        write_atomically(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        write_atomically(path, b"2")
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_symbolic_link_stays_and_its_file_is_replaced(file: Path) -> None:
    link = file.with_name("latest.npz")
    link.symlink_to(file.name)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


def test_name_of_full_length(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".npz")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_write_that_the_system_refuses_half_way(file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(InputError, match=sentence(file, os.strerror(errno.EFBIG))):
            write_atomically(file, bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
def test_full_disk(file: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(os, call, raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with pytest.raises(InputError, match=sentence(file, "No space left on device")):
        write_atomically(file, b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_full_device() -> None:
    path = Path("/dev/full")
    with pytest.raises(InputError, match=sentence(path, "No space left on device")):
        write_atomically(path, b"new")
    assert stat.S_ISCHR(path.stat().st_mode)              # still the device, not a file of its name


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
def test_interrupt_while_writing(file: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(os, call, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(file, b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"through")
    reader.join()
    assert received == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_places_that_cannot_be_written(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=sentence(tmp_path / "none" / "x", "No such file or directory")):
        write_atomically(tmp_path / "none" / "x", b"")
    with pytest.raises(InputError, match=sentence(tmp_path, "Is a directory")):
        write_atomically(tmp_path, b"")
    with pytest.raises(InputError, match=sentence(file / "x", "Not a directory")):
        write_atomically(file / "x", b"")
    with pytest.raises(InputError, match="embedded null"):
        write_atomically(tmp_path / "a\0b", b"")
    monkeypatch.setattr(os, "access", lambda *_: False)   # the tests may run as one who may write everything
    with pytest.raises(InputError, match=sentence(file, "it is read-only")):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
