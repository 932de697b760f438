"""Changes of images as a sensor might make them: inverted, moved, flipped, covered in part, rotated. The images given stay
as they are.

Images are uint8 (n, height * width), rows one after the other, as in ``golden_model.data.datasets``; where their points have
several bytes, ``inverted``, ``moved``, ``shift``, ``flipped`` and ``erased`` take (n, height * width * bytes).
"""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

Bytes = npt.NDArray[np.uint8]
FRACTION = 8                              # bits to which the places between pixels are rounded


def inverted(images: Bytes) -> Bytes:
    """Black for white: 255 - byte. Any shape."""
    return np.bitwise_not(images)


def moved(images: Bytes, image_shape: tuple[int, int], down: int, right: int) -> Bytes:
    """Every image moved by so many pixels, which may be negative; zeros move in.

    ``images`` (images, pixels).

    Raises
    ------
    InputError
        If nothing of an image would be left.
    """
    height, width = image_shape
    if abs(down) >= height or abs(right) >= width:
        raise InputError(f"images of {height}x{width} must be moved by less than their size, not by {down} down and "
                         f"{right} right")
    square = images.reshape(len(images), height, width, images.shape[1] // (height * width))
    result = np.zeros_like(square)
    part = square[:, max(0, -down):height - max(0, down), max(0, -right):width - max(0, right)]
    result[:, max(0, down):height + min(0, down), max(0, right):width + min(0, right)] = part
    return result.reshape(images.shape)


def shift(images: Bytes, image_shape: tuple[int, int], random: np.random.Generator, most: int = 1) -> Bytes:
    """Every image moved by its own random offset, -``most``..``most`` pixels down and right; zeros move in.

    Parameters
    ----------
    images : uint8 (n, height * width); it stays as it is
    image_shape : height and width
    random : drawn from once per call: ``integers`` of shape (n, 2)
    most : 0 or more, less than height and width
    """
    height, width = image_shape
    if not 0 <= most < min(height, width):
        raise InputError(f"images of {height}x{width} must be shifted by at most 0 to {min(height, width) - 1} pixels, "
                         f"not {most}")
    offsets = random.integers(-most, most + 1, (len(images), 2))
    result = np.zeros_like(images)
    for down in range(-most, most + 1):
        for right in range(-most, most + 1):
            choice = np.flatnonzero((offsets[:, 0] == down) & (offsets[:, 1] == right))
            result[choice] = moved(images[choice], image_shape, down, right)
    return result


def flipped(images: Bytes, image_shape: tuple[int, int], random: np.random.Generator) -> Bytes:
    """Half of the images, each by a toss of its own, as in a mirror: left for right.

    Parameters
    ----------
    images : uint8 (n, height * width); it stays as it is
    image_shape : height and width
    random : drawn from once per call: ``integers(0, 2)`` of shape (n,), 1 for an image that is flipped
    """
    height, width = image_shape
    tosses = random.integers(0, 2, len(images))
    square = images.reshape(len(images), height, width, images.shape[1] // (height * width)).copy()
    square[tosses == 1] = square[tosses == 1, :, ::-1]
    return square.reshape(images.shape)


def erased(images: Bytes, image_shape: tuple[int, int], random: np.random.Generator, most: int) -> Bytes:
    """Half of the images, each by a toss of its own, covered in part by a rectangle of zeros: its height and its
    width of 1 to ``most`` points, all sizes as likely as each other, and then all places within the image.

    Parameters
    ----------
    images : uint8 (n, height * width); it stays as it is
    image_shape : height and width
    random : drawn from four times per call: tosses ``integers(0, 2)`` of shape (n,), 1 for an image of which a part is erased,
        sizes ``integers(1, most + 1)`` of shape (n, 2), height and width, and for top and left in turn ``integers`` of shape
        (n,), from 0 to the last place from which the rectangle fits
    most : 1 to the lesser of height and width
    """
    height, width = image_shape
    check_erased(image_shape, most, least=1)
    tosses = random.integers(0, 2, len(images))
    sizes = random.integers(1, most + 1, (len(images), 2))
    top = random.integers(0, height + 1 - sizes[:, 0])
    left = random.integers(0, width + 1 - sizes[:, 1])
    rows, columns = np.arange(height), np.arange(width)
    of_rows = (rows >= top[:, None]) & (rows < (top + sizes[:, 0])[:, None]) & (tosses == 1)[:, None]
    of_columns = (columns >= left[:, None]) & (columns < (left + sizes[:, 1])[:, None])
    result = images.reshape(len(images), height, width, images.shape[1] // (height * width)).copy()
    result[of_rows[:, :, None] & of_columns[:, None, :]] = 0
    return result.reshape(images.shape)


def check_erased(image_shape: tuple[int, int], most: int, *, least: int = 0) -> None:
    """Raise an ``InputError`` unless rectangles with sides of up to ``most`` points fit into an image; 0 erases nothing."""
    if not least <= most <= min(image_shape):
        raise InputError(f"rectangles erased from images of {image_shape[0]}x{image_shape[1]} must have sides of at most "
                         f"{least} to {min(image_shape)} pixels, not {most}")


def rotated(images: Bytes, image_shape: tuple[int, int], degrees: float | npt.NDArray[np.float64]) -> Bytes:
    """Every image turned counterclockwise about its centre, all by the same angle or each by its own of (n,).

    A pixel is the bilinear mean of the four around the place it comes from, which is rounded to 1/256 of a pixel; what comes
    from outside is zero. The mean is exact and rounded half up.

    Raises
    ------
    InputError
        If there are neither one angle nor as many as images.
    """
    height, width = image_shape
    angles = np.asarray(degrees, np.float64)
    if angles.shape not in ((), (len(images),)):
        raise InputError(f"angles must be one, or one for each of {len(images)} images, not of shape {angles.shape}")
    if angles.ndim == 0:
        return _rotated(images, height, width, float(angles))
    result = np.zeros_like(images)
    for angle in np.unique(angles):
        choice = np.flatnonzero(angles == angle)
        result[choice] = _rotated(images[choice], height, width, float(angle))
    return result


def _rotated(images: Bytes, height: int, width: int, degrees: float) -> Bytes:
    one = 1 << FRACTION
    rows, columns = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    from_row = np.rint(one * (cosine * rows + sine * columns + (height - 1) / 2)).astype(np.int64).ravel()
    from_column = np.rint(one * (cosine * columns - sine * rows + (width - 1) / 2)).astype(np.int64).ravel()
    square = np.zeros((len(images), height + 2, width + 2), np.int64)            # a frame of zeros around it
    square[:, 1:-1, 1:-1] = images.reshape(-1, height, width)
    row, column = from_row >> FRACTION, from_column >> FRACTION
    below, beside = from_row & one - 1, from_column & one - 1
    total = np.zeros((len(images), height * width), np.int64)
    for down, weight_down in ((0, one - below), (1, below)):
        for right, weight_right in ((0, one - beside), (1, beside)):
            at = np.clip(row + down + 1, 0, height + 1), np.clip(column + right + 1, 0, width + 1)
            total += square[:, at[0], at[1]] * (weight_down * weight_right)
    return (total + (1 << 2 * FRACTION - 1) >> 2 * FRACTION).astype(np.uint8)
