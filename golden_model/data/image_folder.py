"""Pictures in files, which Pillow reads; ``golden_model.data.class_folder`` says which ones, and of what class."""
from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data.reading import Collection, Reading
from golden_model.errors import InputError, ToolError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MOST_PIXELS = 1 << 26                     # of one picture as it is stored
MOST_BYTES = 1 << 30                      # of all pictures as they are read


def read(folder: Path, name: str, reading: Reading, listed: Sequence[tuple[str, Path]]) -> Collection:
    """The pictures that are listed, each with its class.

    A picture is grey (height, width) if all are, else red, green and blue (height, width, 3). They must have one size, unless
    ``reading.size`` says to which they are resized: bilinear, each side by itself, with the mean over what a point covers where
    a picture is made smaller.

    Raises
    ------
    InputError
        Names the picture, what it must be, what was found, and the remedy.
    ToolError
        If Pillow is not installed.
    """
    shape = reading.image_shape()
    if shape is None:
        shapes = {path: _shape(path) for _, path in listed}
        sizes = sorted({shape[:2] for shape in shapes.values()})
        if len(sizes) > 1:
            raise InputError(f"pictures of {folder} must have one size, but there are {len(sizes)}, among them "
                             f"{sizes[0][0]}x{sizes[0][1]} and {sizes[-1][0]}x{sizes[-1][1]}; give the one they are resized to "
                             f"by --size, as 28x28x1")
        shape = (*sizes[0], max(shape[2] for shape in shapes.values()))
    if (total := len(listed) * shape[0] * shape[1] * shape[2]) > MOST_BYTES:
        raise InputError(f"pictures of {folder} must have at most {MOST_BYTES} bytes together, not {total}; give a smaller "
                         f"--size")
    values = np.empty((len(listed), *shape), np.uint8)
    for place, (_, path) in enumerate(listed):
        values[place] = _pixels(path, shape)
    return Collection(name=name, kind="image", values=values[..., 0] if shape[2] == 1 else values,
                      labels=[label for label, _ in listed], source=f"{len(listed):,} pictures in {folder.name}")


def _opened(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ToolError("pictures must be read by the package Pillow, which is not installed; pip install pillow") from None
    try:
        with warnings.catch_warnings(action="ignore"):        # of sizes, which are looked at here
            picture = Image.open(path, formats=FORMATS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} must be a picture that can be read, but: {str(error)[:200]}; save it anew or remove "
                         f"it") from None
    if picture.width * picture.height > MOST_PIXELS:
        picture.close()
        raise InputError(f"{path} must have at most {MOST_PIXELS} pixels, not {picture.width}x{picture.height}; make it "
                         f"smaller")
    return picture


def _shape(path: Path) -> tuple[int, int, int]:
    """Height, width, and 1 channel or 3; the pixels are not read."""
    with _opened(path) as picture:
        return picture.height, picture.width, 1 if picture.mode in ("1", "L", "LA", "I", "I;16", "F") else 3


def _pixels(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    from PIL import Image
    with _opened(path) as picture:
        try:
            deep = picture.mode.startswith("I") or picture.mode == "F"
            grey = picture.point(lambda value: value / 257).convert("L") if picture.mode == "I;16" else picture
            if deep and picture.mode != "I;16":
                raise InputError(f"{path} must have 8 or 16 bits a channel, not the mode {picture.mode}; save it anew")
            converted = grey.convert("L" if shape[2] == 1 else "RGB")
            if converted.size != (shape[1], shape[0]):
                converted = converted.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{path} must be a picture that can be read, but: {str(error)[:200]}; save it anew or remove "
                             f"it") from None
        return np.asarray(converted, np.uint8).reshape(shape)
