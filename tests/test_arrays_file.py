"""Arrays of NumPy: their names and shapes, never a pickle, and no memory before sizes are looked at."""
from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from golden_model.data import arrays_file, npy
from golden_model.data.datasets import available, encoded, read
from golden_model.data.reading import Collection, Reading
from golden_model.data.samples import Samples
from golden_model.data.splits import Split
from golden_model.errors import InputError
from letters import refusal

RANDOM = np.random.default_rng(5)
X, Y = RANDOM.normal(size=(40, 3)), np.array(list("abcd") * 10)


def saved(folder: Path, **arrays) -> Path:
    path = folder / "d.npz"
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(("x", "kind", "shape", "usual"), [
    (X, "table", (3,), "quantile"), (X.astype(np.float16), "table", (3,), "quantile"),
    (RANDOM.integers(0, 256, (40, 6, 5), np.uint8), "image", (6, 5), "range polarity"),
    (RANDOM.random((40, 6, 5, 3)), "image", (6, 5, 3), "range polarity"),
    (RANDOM.normal(size=(40, 6, 2)), "sequence", (6, 2), "minmax"),
    (np.asfortranarray(X), "table", (3,), "quantile")])
def test_shapes_say_what_samples_are(tmp_path, x, kind, shape, usual):
    samples = read(str(saved(tmp_path, X=x, y=Y)))
    assert (samples.kind, samples.shape, str(samples.usual_recipe)) == (kind, shape, usual)
    assert len(samples.test_labels) == 8
    data = encoded(samples)
    assert data.train_images.shape == (32, np.prod(shape))
    assert data.encoding.classes == ("a", "b", "c", "d")
    if kind == "sequence":
        assert len(data.encoding.knots) == 2              # one for each channel, whatever the frame
        trained = samples.train_values.reshape(-1, 2)
        assert [knots[0] for knots in data.encoding.knots] == trained.min(axis=0).tolist()
        assert data.image_shape == (6, 2)


def test_a_split_of_its_own_in_any_of_the_usual_names(tmp_path):
    for names in (("X_train", "y_train", "X_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")):
        path = saved(tmp_path, **dict(zip(names, (X[:30], Y[:30, None], X[30:], Y[30:]), strict=True)))
        samples = arrays_file.read_archive(path, "d", Reading())
        assert isinstance(samples, Samples)
        assert np.array_equal(samples.test_values, X[30:])
        assert not samples.divided
        with pytest.raises(InputError, match=refusal(f"{path} has a split of its own, so that --split must not be given; leave "
                                                     "it out, or save X and y")):
            arrays_file.read_archive(path, "d", Reading(split=Split()))


def test_a_folder_of_arrays_reads_like_an_archive(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    np.save(folder / "X.npy", X)
    assert not available(str(folder))
    np.save(folder / "y.npy", Y)
    assert available(str(folder))
    assert read(str(folder)).sha256 == read(str(saved(tmp_path, X=X, y=Y))).sha256


def test_groups_and_lengths_beside_them(tmp_path):
    x = RANDOM.normal(size=(40, 9, 2))
    path = saved(tmp_path, X=x, y=Y, person=np.arange(40) % 5, lengths=np.arange(40) % 4 + 6, other=np.zeros(3))
    with pytest.raises(InputError, match=refusal("recordings must have one number of frames, but have 6 to 9; give the number "
                                                 "of frames by --frames, as 32, or pad:32")):
        read(str(path))
    collection = arrays_file.read_archive(path, "d", Reading(frames="pad:8"))
    assert isinstance(collection, Collection)
    assert list(collection.columns) == ["person"]
    assert collection.values.shape == (40, 8, 2)
    assert np.array_equal(collection.values[0], x[0][[0, 1, 2, 3, 4, 5, 5, 5]])
    samples = read(str(path), Reading(frames="8", split=Split.parse("group:person")))
    assert len(samples.test_labels) == 8


def broken(folder: Path, content: bytes, name: str = "X.npy") -> Path:
    path = folder / "d.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("y.npy", npy_of(Y))
    return path


def npy_of(array, pickle=False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickle)
    return file.getvalue()


@pytest.mark.parametrize(("content", "sentence"), [
    (npy_of(np.array([{}, None]), True), ("must be numbers or texts, not Python objects, which could run code; save arrays of "
                                       "one type, of recordings that differ in length each in a file of its own")),
    (npy_of(X)[:-8], "must have 960 bytes after its header, not 952; save it anew by numpy.save"),
    (npy_of(X).replace(b"(40, 3)", b"(9**9,)"), None), (b"PK", None),
    (npy_of(X).replace(b"(40, 3), }   ", b"(4000000000, 3), }"[:13]), None),
    (npy_of(np.zeros(2, "M8[s]")), "must be numbers or texts, not datetime64[s]; convert them"),
    (npy_of(np.zeros(2, "c8")), "must be numbers or texts, not complex64; convert them"),
])
def test_a_file_is_data(tmp_path, content, sentence):
    path = broken(tmp_path, content)
    pattern = f"^'X' of {path} must be a .npy file with a valid header, but: "
    if sentence:
        pattern = refusal(f"'X' of {path} {sentence}")
    with pytest.raises(InputError, match=pattern):
        arrays_file.read_archive(path, "d", Reading())


def test_a_header_that_declares_more_than_there_is_takes_no_memory(tmp_path):
    """A terabyte, said in 13 characters."""
    header = npy_of(X).replace(b"'shape': (40, 3), }          ", b"'shape': (400000, 312500), } ")
    with pytest.raises(InputError, match=refusal("x must have 1000000000000 bytes after its header, not 960; save it anew by "
                                                 "numpy.save")):
        npy.read(io.BytesIO(header), len(header), "x")


@pytest.mark.parametrize(("arrays", "sentence"), [
    ({"X": X}, "{path} must have the arrays X and y, or X_train, y_train, X_test and y_test, not 'x'; rename them"),
    ({"X": X, "data": X, "y": Y}, ("{path} must have one array for x, but has several, 'data' among them; leave out all but "
                                  "one")),
    ({"X": X, "y": Y[:9]}, ("y of {path} must be one label for each of the 40 samples, not of shape (9,); save both from one "
                           "data set")),
    ({"X": X[:, :, None, None, None], "y": Y}, ("samples of {path} must be of shape (samples, values), (samples, height, "
                                               "width), (samples, height, width, channels) or (samples, frames, channels), not "
                                               "(40, 3, 1, 1, 1); reshape them")),
    ({"X": X[:, :, None], "y": Y, "lengths": np.full(40, 4)}, ("lengths must be the frames of each of the 40 recordings, 1 to "
                                                              "3, not int64 of shape (40,); count them anew")),
])
def test_what_is_no_data_set(tmp_path, arrays, sentence):
    path = saved(tmp_path, **arrays)
    with pytest.raises(InputError, match=refusal(sentence.format(path=path))):
        arrays_file.read_archive(path, "d", Reading())


def test_what_is_no_archive(tmp_path, monkeypatch):
    path = tmp_path / "d.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(InputError, match=refusal(f"{path} must be an .npz file that can be read, but: File is not a zip file; "
                                                 "save it anew by numpy.savez")):
        arrays_file.read_archive(path, "d", Reading())
    saved(tmp_path, X=X, y=Y)
    monkeypatch.setattr(arrays_file, "MOST_BYTES", 100)
    with pytest.raises(InputError, match=f"^{path} must have at most 100 bytes, unpacked, not [0-9]+; split it$"):
        arrays_file.read_archive(path, "d", Reading())
