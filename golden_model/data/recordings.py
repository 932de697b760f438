"""Recordings: frames of some channels, one after the other; and how those of unequal length become equally long.

The rule is stated in docs/data.md, because who feeds a chip must follow it too.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data import npy, table_file
from golden_model.data.categories import MISSING
from golden_model.data.reading import MOST_FRAMES, Collection, Reading
from golden_model.errors import InputError
from golden_model.sections import brief

Reals = npt.NDArray[np.float64]
SUFFIXES = (".npy", ".csv", ".tsv", ".txt")
MOST_CHANNELS = 4096
MOST_BYTES = 1 << 28                      # of a file
ASK = "give the number of frames by --frames, as 32, or pad:32"


def resampled(frames: Reals, length: int) -> Reals:
    """Frames (old, channels) as (length, channels): frame j is the linear mean of the two around the place j (old - 1) /
    (length - 1), a + (b - a) t, each operation rounded to float64; of one frame wanted it is the first."""
    old = len(frames)
    steps = np.arange(length, dtype=np.int64) * (old - 1)
    first, rest = np.divmod(steps, max(length - 1, 1))
    t = (rest / max(length - 1, 1))[:, None]
    second = np.minimum(first + 1, old - 1)
    between: Reals = frames[first] + (frames[second] - frames[first]) * t
    return between


def padded(frames: Reals, length: int) -> Reals:
    """Frames (old, channels) as (length, channels): cut at the end, or the last one repeated."""
    return frames[np.minimum(np.arange(length), len(frames) - 1)]


RULES = {"resample": resampled, "pad": padded}


def of_length(values: npt.NDArray[Any], lengths: npt.NDArray[Any] | None, reading: Reading) -> npt.NDArray[Any]:
    """Recordings (samples, frames, channels) that were filled up to the longest, all with the frames that are wanted.

    ``lengths`` (samples,): the frames of each that count; None: all of them.

    Raises
    ------
    InputError
        If they differ and nobody says how many frames there should be, or ``lengths`` are not theirs.
    """
    if lengths is None:
        lengths = np.full(len(values), values.shape[1])
    if lengths.shape != values.shape[:1] or lengths.dtype.kind not in "iu" \
            or not 1 <= lengths.min() <= lengths.max() <= values.shape[1]:
        raise InputError(f"lengths must be the frames of each of the {len(values)} recordings, 1 to {values.shape[1]}, not "
                         f"{lengths.dtype} of shape {lengths.shape}; count them anew")
    return equal([values[place, :length] for place, length in enumerate(lengths.tolist())], reading)


def equal(recordings: Sequence[npt.NDArray[Any]], reading: Reading) -> npt.NDArray[Any]:
    """Recordings of (frames, channels) as one array (samples, frames, channels)."""
    rule_and_length, there = reading.length(), sorted({len(each) for each in recordings})
    if rule_and_length is None:
        if len(there) > 1:
            raise InputError(f"recordings must have one number of frames, but have {there[0]} to {there[-1]}; {ASK}")
        return np.stack(recordings)
    rule, length = rule_and_length
    if length * recordings[0].shape[1] * len(recordings) > 1 << 28:
        raise InputError(f"recordings must have at most {1 << 28} values together, not {len(recordings)} times "
                         f"{length}x{recordings[0].shape[1]}; give fewer --frames")
    return np.stack([RULES[rule](each.astype(np.float64), length) for each in recordings])


def read(folder: Path, name: str, reading: Reading, listed: Sequence[tuple[str, Path]]) -> Collection:
    """The recordings that are listed, each with its class, a file each: ``.npy`` (frames, channels), or text with a line for
    each frame, as ``.csv``, ``.tsv`` or ``.txt`` (blanks between the values), with a header or without.

    Raises
    ------
    InputError
        Names the file, what it must be, what was found, and the remedy.
    """
    recordings, channels = [], None
    for _, path in listed:
        frames = _frames(path)
        if frames.shape[1] != (channels := channels or frames.shape[1]):
            raise InputError(f"{path} must have {channels} channels, as the recordings before it, not {frames.shape[1]}; take "
                             "all from one instrument")
        recordings.append(frames)
    return Collection(name=name, kind="sequence", frames=reading.frame_rule, values=equal(recordings, reading),
                      labels=[label for label, _ in listed],
                      source=f"{len(listed):,} recordings in {folder.name}")


def _frames(path: Path) -> Reals:
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise InputError(f"{path} must have at most {MOST_BYTES} bytes, not {size}; cut the recording")
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                frames = npy.read(file, size, str(path))
        else:
            frames = _text(path)
    except UnicodeDecodeError:
        raise InputError(f"{path} must be text in UTF-8, but is not; save it so") from None
    except OSError as error:
        raise InputError(f"{path} must be a file that can be read, but: {error.strerror}; give yourself the right to, or copy "
                         "it") from None
    if frames.ndim == 1:
        frames = frames[:, None]
    if frames.ndim != 2 or not 1 <= len(frames) <= MOST_FRAMES or not 1 <= frames.shape[1] <= MOST_CHANNELS \
            or frames.dtype.kind not in "iufb":
        raise InputError(f"{path} must be numbers of shape (frames, channels), 1 to {MOST_FRAMES} and 1 to {MOST_CHANNELS} of "
                         f"them, not {frames.dtype} of shape {frames.shape}; save it so")
    return frames.astype(np.float64)


def _text(path: Path) -> Reals:
    separator = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    lines = [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    if separator == "," and lines and lines[0].count(";") > lines[0].count(","):
        separator = ";"
    rows = [[each.strip() for each in line.split(separator)] for line in lines]
    if rows and not any(map(table_file.is_number, rows[0])):                       # a header
        rows = rows[1:]
    frames = np.empty((len(rows), len(rows[0]) if rows else 0))
    for place, row in enumerate(rows):
        if len(row) != frames.shape[1]:
            raise InputError(f"{path} must have {frames.shape[1]} values in each line, but frame {place + 1} has {len(row)}; "
                             f"mend it")
        for channel, text in enumerate(row):
            if not table_file.is_number(text) and text.lower() not in MISSING:
                raise InputError(f"{path} must have numbers, but frame {place + 1} has {brief(text)}; mend it")
            frames[place, channel] = float(text) if table_file.is_number(text) else np.nan
    return frames
