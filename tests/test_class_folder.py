"""Folders with one sub-folder a class: pictures and recordings, their groups, and parts that are there already."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from golden_model.data import image_folder, recordings
from golden_model.data.datasets import available, encoded, load, read
from golden_model.data.reading import Reading
from golden_model.data.splits import Split
from golden_model.errors import InputError
from letters import refusal

RANDOM = np.random.default_rng(6)


def pictures(folder: Path, shape=(8, 6), count=10, part="", ending=".png", person=lambda place: "") -> Path:
    """Ten pictures of each of two classes; those of ``bright`` are so."""
    for label, least in (("dark", 0), ("bright", 128)):
        for place in range(count):
            path = folder / part / label / person(place) / f"{place:02}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((RANDOM.integers(0, 128, shape) + least).astype(np.uint8)).save(path)
    return folder


def waves(folder: Path, lengths=(7, 7), ending=".csv", channels=2) -> Path:
    """Recordings of two classes, of lengths between these."""
    for label, step in (("slow", 0.1), ("fast", 1.0)):
        for place in range(10):
            frames = np.sin(step * np.arange(lengths[0] + place % (lengths[1] - lengths[0] + 1)))[:, None] + np.arange(channels)
            path = folder / label / f"p{place % 5}" / f"{place}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if ending == ".npy":
                np.save(path, frames)
            else:
                separator = {".csv": ",", ".tsv": "\t", ".txt": " "}[ending]
                np.savetxt(path, frames, fmt="%.17g", delimiter=separator, header=separator.join("xyz"[:channels]), comments="")
    return folder


# ----------------------------------------------------------------- pictures

@pytest.mark.parametrize(("shape", "ending"), [((8, 6), ".png"), ((8, 6, 3), ".png"), ((8, 6), ".bmp"), ((8, 6), ".pgm")])
def test_pictures_are_their_bytes(tmp_path, shape, ending):
    folder = pictures(tmp_path / "p", shape, ending=ending)
    assert available(str(folder))
    samples = read(str(folder), Reading(split=Split(rule="all")))
    assert samples.shape == shape
    assert list(samples.train_labels) == ["bright"] * 10 + ["dark"] * 10           # folders by name, files by name
    assert np.array_equal(samples.train_values[11], np.asarray(Image.open(folder / "dark" / f"01{ending}")))
    data = encoded(samples)
    assert (data.image_shape, data.depth) == ((8, 6), 3 if len(shape) == 3 else 1)
    assert data.first(test=3).train_images.shape == (20, np.prod(shape))


def test_sizes_differ_until_one_is_said(tmp_path, monkeypatch):
    folder = pictures(pictures(tmp_path / "p"), (12, 10, 3), 12)
    Image.fromarray(np.full((8, 6), 7, np.uint8)).save(folder / "dark" / "00.png")
    with pytest.raises(InputError, match=refusal(f"pictures of {folder} must have one size, but there are 2, among them 8x6 "
                                                 "and 12x10; give the one they are resized to by --size, as 28x28x1")):
        read(str(folder))
    grey = read(str(folder), Reading(size="4x5x1", split=Split(rule="all")))
    assert grey.shape == (4, 5)
    assert np.all(grey.train_values[12] == 7)             # the first dark one: nothing but 7
    assert read(str(folder), Reading(size="4x5x3")).shape == (4, 5, 3)
    monkeypatch.setattr(image_folder, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="^pictures of .* must have at most 100 bytes together, not 480; give a smaller "
                                         "--size$"):
        read(str(folder), Reading(size="4x5x1"))


def test_parts_and_groups(tmp_path):
    folder = pictures(pictures(tmp_path / "p", part="train"), count=3, part="test")
    samples = read(str(folder))
    assert (len(samples.train_labels), len(samples.test_labels), samples.divided) == (20, 6, False)
    with pytest.raises(InputError, match=refusal(f"folder {folder} has a split of its own, train and test, so that --split "
                                                 "must not be given; leave it out")):
        read(str(folder), Reading(split=Split()))
    persons = pictures(tmp_path / "q", person=lambda place: f"person{place % 5}")
    assert len(read(str(persons), Reading(split=Split.parse("group:group"))).test_labels) == 4
    waves(persons)
    with pytest.raises(InputError, match="^folder .* must have either pictures or recordings, but has both, .*; take them "
                                         "apart$"):
        read(str(persons))


def test_what_is_no_picture(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "p")
    path = folder / "dark" / "03.png"
    good = path.read_bytes()
    path.write_bytes(b"GIF89a and no more")
    with pytest.raises(InputError, match=f"^{path} must be a picture that can be read, but: .*; save it anew or remove it$"):
        read(str(folder))
    path.write_bytes(good[:-30])
    with pytest.raises(InputError, match=f"^{path} must be a picture that can be read, but: .*; save it anew or remove it$"):
        read(str(folder))
    path.write_bytes(good)
    monkeypatch.setattr(image_folder, "MOST_PIXELS", 40)
    with pytest.raises(InputError, match="^.* must have at most 40 pixels, not 6x8; make it smaller$"):
        read(str(folder))


# ----------------------------------------------------------------- recordings

@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".npy"])
def test_recordings_in_their_spellings(tmp_path, ending):
    samples = read(str(waves(tmp_path / "w", ending=ending)), Reading(split=Split(rule="all")))
    assert (samples.kind, samples.shape) == ("sequence", (7, 2))
    assert np.array_equal(samples.train_values[0][:, 1], 1 + np.sin(np.arange(7.0)))
    assert list(samples.train_labels) == ["fast"] * 10 + ["slow"] * 10
    assert len(read(str(tmp_path / "w"), Reading(split=Split.parse("group:group"))).test_labels) == 4
    assert load(str(tmp_path / "w")).image_shape == (7, 2)


def test_unequal_lengths_need_a_rule(tmp_path):
    folder = waves(tmp_path / "w", (5, 9))
    with pytest.raises(InputError, match=refusal("recordings must have one number of frames, but have 5 to 9; give the number "
                                                 "of frames by --frames, as 32, or pad:32")):
        read(str(folder))
    for frames, shape in (("6", (6, 2)), ("pad:11", (11, 2))):
        assert read(str(folder), Reading(frames=frames)).shape == shape


def test_frames_between_frames():
    old = np.array([[0.0, 5], [10, 5], [20, 7]])
    assert recordings.resampled(old, 5).tolist() == [[0, 5], [5, 5], [10, 5], [15, 6], [20, 7]]
    assert recordings.resampled(old, 2).tolist() == [[0, 5], [20, 7]]
    assert recordings.resampled(old, 1).tolist() == [[0, 5]]
    assert recordings.resampled(old[:1], 3).tolist() == [[0, 5]] * 3
    assert recordings.padded(old, 5).tolist() == [[0, 5], [10, 5], [20, 7], [20, 7], [20, 7]]
    assert recordings.padded(old, 2).tolist() == old[:2].tolist()
    assert np.array_equal(recordings.resampled(old, 3), old)


@pytest.mark.parametrize(("text", "sentence"), [
    ("1,2\n3,x\n", "must have numbers, but frame 2 has 'x'; mend it"),
    ("1,2\n3\n", "must have 2 values in each line, but frame 2 has 1; mend it"),
    ("1,2,3\n", "must have 2 channels, as the recordings before it, not 3; take all from one instrument"),
    ("x,y\n", ("must be numbers of shape (frames, channels), 1 to 65536 and 1 to 4096 of them, not float64 of shape (0, 0); "
              "save it so")),
])
def test_what_is_no_recording(tmp_path, text, sentence):
    folder = waves(tmp_path / "w")
    path = folder / "slow" / "p4" / "9.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=refusal(f"{path} {sentence}")):
        read(str(folder))


def test_a_folder_whose_files_are_in_no_class(tmp_path):
    """What a newcomer does first: all pictures in one folder."""
    for number in range(3):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{number}.png")
    with pytest.raises(InputError, match=refusal(
            f"folder {tmp_path} must have a sub-folder with pictures or recordings for each class, or X.npy and y.npy, or the "
            "four IDX files of a data set, but none of these is among its 3 entries; sort pictures or recordings into "
            "sub-folders, one for each class")):
        read(str(tmp_path))
