"""The IDX format: wrong content gets its sentence before memory is taken, and damage is refused or harmless."""
import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.data.idx import read
from golden_model.errors import InputError
from letters import idx, refusal

LABELS = idx(np.arange(10, dtype=np.uint8))


SIZE = "must hold 1 to 1073741824 bytes of labels, but its header declares"
MAGIC = "must begin with the magic number 00 00 08 01 of labels, not"


@pytest.mark.parametrize(("content", "message"), [
    (b"", "must begin with a header of 8 bytes, but has only 0; get it anew"),
    (LABELS[:7], "must begin with a header of 8 bytes, but has only 7; get it anew"),
    (LABELS[:-1], "must hold 10 bytes for the 10 labels of its header, but has only 9; get it anew"),
    (LABELS[:8], "must hold 10 bytes for the 10 labels of its header, but has only 0; get it anew"),
    (LABELS + b"\0", "must hold 10 bytes for the 10 labels of its header, but has more; get it anew"),
    (LABELS[:4] + bytes(4), f"{SIZE} 0; get it anew or split it"),
    (LABELS[:4] + b"\xff\xff\xff\xff" + bytes(100), f"{SIZE} 4294967295; get it anew or split it"),
    (idx(np.zeros((2, 3, 4), np.uint8)), f"{MAGIC} 00 00 08 03; put the right file there"),
    (b"\0\0\x0d\x01" + LABELS[4:], f"{MAGIC} 00 00 0d 01; put the right file there"),
    (b"<html>", f"{MAGIC} 3c 68 74 6d; put the right file there"),
])
def test_wrong_content(tmp_path: Path, content: bytes, message: str) -> None:
    plain, packed = tmp_path / "labels", tmp_path / "labels.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for path in (plain, packed):
        with pytest.raises(InputError, match=refusal(f"{path} {message}")):
            read(path, 1)


def test_images_that_declare_more_than_there_may_be(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + bytes(100))
    with pytest.raises(InputError, match=refusal(
            f"{path} must hold 1 to 1073741824 bytes of images, but its header declares 4294967295x4294967295x4294967295; "
            f"get it anew or split it")):
        read(path, 3)


def test_wrong_gzip(tmp_path: Path) -> None:
    packed, path = gzip.compress(LABELS, mtime=0), tmp_path / "labels.gz"
    broken = bytearray(packed)
    broken[-8] ^= 1                                       # the CRC-32 of the content
    remedy = "rename it without .gz if it is plain, else get it anew"
    for content, message in (
            (LABELS, f"must be a gzip file (bytes 1f 8b), but begins with 00 00; {remedy}"),
            (b"", f"must be a gzip file (bytes 1f 8b), but begins with nothing; {remedy}"),
            (packed[:-9], "must be a complete gzip file, but it is truncated; get it anew"),
            (packed[:-1], "must be a complete gzip file, but it is truncated; get it anew"),
            (packed[:2] + b"\x09", "must be a complete gzip file, but it is truncated; get it anew"),
            (packed + b"x", "must be a file that can be read, but: Not a gzipped file (b'x'); get it anew")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=refusal(f"{path} {message}")):
            read(path, 1)
    path.write_bytes(broken)
    with pytest.raises(InputError, match="^" + re.escape(f"{path} must be a file that can be read, but: CRC check failed")):
        read(path, 1)
    plain = tmp_path / "labels"
    plain.write_bytes(packed)
    with pytest.raises(InputError, match=refusal(
            f"{plain} must begin with the magic number 00 00 08 01 of labels, not 1f 8b 08 00; rename it with .gz, it is "
            f"packed")):
        read(plain, 1)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=refusal(f"{path} must be a file that can be read, but: {reason}; get it anew")):
            read(path, 1)


@pytest.mark.parametrize("declared", [100, 1 << 30])
@pytest.mark.parametrize("packed", [False, True])
def test_memory_follows_the_file_not_the_header(tmp_path: Path, declared: int, packed: bool) -> None:
    """A header may declare a GiB of a short file, a gzip bomb may unpack to 64 MiB of a short declaration."""
    path = tmp_path / ("bomb.gz" if packed else "bomb")
    content = b"\0\0\x08\x01" + declared.to_bytes(4, "big") + bytes((64 << 20) if declared == 100 else 1000)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    result = "more" if declared == 100 else "only 1000"
    del content
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=refusal(
                f"{path} must hold {declared} bytes for the {declared} labels of its header, but has {result}; get it anew")):
            read(path, 1)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.data(), st.booleans())
def test_any_damage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, packed: bool) -> None:
    """Bytes changed, cut off or added: what is read is what the file says, or an ``InputError``, no other exception."""
    whole = np.arange(48, dtype=np.uint8).reshape(4, 3, 4)
    content = bytearray(gzip.compress(idx(whole), mtime=0) if packed else idx(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    content = content[:data.draw(st.integers(0, len(content)))] + data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / ("damaged.gz" if packed else "damaged")
    path.write_bytes(content)
    try:
        result = read(path, 3)
    except InputError as error:
        message = str(error)
    else:                                                 # a checksum tells all damage to packed contents
        assert np.array_equal(result, whole) if packed else idx(result) == content
        return
    assert message.startswith(f"{path} must ")
