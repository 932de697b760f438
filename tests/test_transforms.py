"""Changes of images: values by hand, what they undo, and scipy's rotation as an oracle."""
from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from golden_model.data.datasets import load
from golden_model.data.transforms import erased, flipped, inverted, moved, rotated, shift
from golden_model.errors import InputError

SHAPE = (3, 4)
TRAIN, HEIGHT, WIDTH = 30, 6, 5
IMAGES = np.arange(1, 25, dtype=np.uint8).reshape(2, 12)


def test_black_is_white_and_back():
    assert inverted(np.array([[0, 1, 128, 255]], np.uint8)).tolist() == [[255, 254, 127, 0]]
    assert np.array_equal(inverted(inverted(IMAGES)), IMAGES)


def test_an_image_moves_and_zeros_move_in():
    assert moved(IMAGES, SHAPE, 1, 0)[0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert moved(IMAGES, SHAPE, -1, 2)[0].tolist() == [0, 0, 5, 6, 0, 0, 9, 10, 0, 0, 0, 0]
    assert np.array_equal(moved(IMAGES, SHAPE, 0, 0), IMAGES)


@pytest.mark.parametrize("most", [0, 1, 2, 4])
def test_shift_moves_each_image_by_its_offset(most):
    images = np.random.default_rng(1).integers(0, 256, (TRAIN, HEIGHT * WIDTH), np.uint8)
    before = images.copy()
    after = shift(images, (HEIGHT, WIDTH), np.random.default_rng(5), most)
    assert np.array_equal(images, before)
    offsets = np.random.default_rng(5).integers(-most, most + 1, (TRAIN, 2))
    assert len(np.unique(offsets)) == 2 * most + 1
    for image, result, (down, right) in zip(before, after, offsets, strict=True):
        square, expected = image.reshape(HEIGHT, WIDTH), np.zeros((HEIGHT, WIDTH), np.uint8)
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if 0 <= y - down < HEIGHT and 0 <= x - right < WIDTH:
                    expected[y, x] = square[y - down, x - right]
        assert np.array_equal(result.reshape(HEIGHT, WIDTH), expected)
    assert (after.dtype, after.shape) == (np.uint8, before.shape)


def test_each_toss_turns_an_image_left_for_right_with_its_channels_in_place():
    class Drawn:
        def integers(self, low, high, size):
            assert (low, high, size) == (0, 2, 2)
            return np.array([0, 1])
    before = IMAGES.copy()
    assert flipped(IMAGES, SHAPE, Drawn()).tolist() == [
        IMAGES[0].tolist(), [16, 15, 14, 13, 20, 19, 18, 17, 24, 23, 22, 21]]
    assert flipped(IMAGES, (3, 2), Drawn())[1].tolist() == [15, 16, 13, 14, 19, 20, 17, 18, 23, 24, 21, 22]
    assert np.array_equal(IMAGES, before)


def test_a_toss_covers_a_part_of_an_image_with_its_channels():
    """The second of two images, from the second row and the second column, two rows high and one column wide."""
    class Drawn:
        def __init__(self):
            self.answers = iter([((0, 2, 2), [0, 1]), ((1, 4, (2, 2)), [[3, 3], [2, 1]]), ((0, [1, 2]), [0, 1]),
                                 ((0, [2, 4]), [0, 1])])

        def integers(self, *arguments):
            expected, answer = next(self.answers)
            assert tuple(each.tolist() if isinstance(each, np.ndarray) else each for each in arguments) == expected
            return np.array(answer)

    before = IMAGES.copy()
    assert erased(IMAGES, SHAPE, Drawn(), 3).tolist() == [
        IMAGES[0].tolist(), [13, 14, 15, 16, 17, 0, 19, 20, 21, 0, 23, 24]]
    assert np.array_equal(IMAGES, before)
    both = np.stack([IMAGES, IMAGES], 2).reshape(2, 24)              # two bytes a point
    for byte in range(2):
        assert erased(both, SHAPE, Drawn(), 3)[1, byte::2].tolist() == [13, 14, 15, 16, 17, 0, 19, 20, 21, 0, 23, 24]


def test_half_of_the_images_are_covered_everywhere_alike():
    images = np.full((4000, HEIGHT * WIDTH), 255, np.uint8)
    covered = (erased(images, (HEIGHT, WIDTH), np.random.default_rng(5), 2) == 0).reshape(-1, HEIGHT, WIDTH)
    assert 0.47 < covered.any((1, 2)).mean() < 0.53
    assert covered.any(2).sum(1).max() == covered.any(1).sum(1).max() == 2
    assert covered.mean(0).min() > 0.01                              # corners are met least: by 2 %


@pytest.mark.parametrize("most", [0, 6])
def test_what_is_erased_fits_into_the_image(most):
    with pytest.raises(InputError, match=f"^rectangles erased from images of 6x5 must have sides of at most 1 to 5 pixels, "
                                         f"not {most}$"):
        erased(np.zeros((2, HEIGHT * WIDTH), np.uint8), (HEIGHT, WIDTH), np.random.default_rng(0), most)


@pytest.mark.parametrize("most", [-1, 5])
def test_shift_out_of_the_image(most):
    with pytest.raises(InputError, match=f"^images of 6x5 must be shifted by at most 0 to 4 pixels, not {most}$"):
        shift(np.zeros((2, HEIGHT * WIDTH), np.uint8), (HEIGHT, WIDTH), np.random.default_rng(0), most)


@given(st.integers(-2, 2), st.integers(-3, 3))
def test_moving_is_what_shifting_at_random_does_to_each_image(down, right):
    class Drawn:
        def integers(self, low, high, size):
            return np.tile([down, right], (size[0], 1))

    most = max(abs(down), abs(right))
    if most < 3:
        assert np.array_equal(moved(IMAGES, SHAPE, down, right), shift(IMAGES, SHAPE, Drawn(), most))


def test_quarter_turns_are_exact():
    square = IMAGES[:, :9]
    for turns in range(-4, 5):
        reference = np.rot90(square.reshape(-1, 3, 3), turns, axes=(1, 2)).reshape(-1, 9)
        assert np.array_equal(rotated(square, (3, 3), 90 * turns), reference)
    assert np.array_equal(rotated(IMAGES, SHAPE, 180), IMAGES[:, ::-1])


@pytest.mark.parametrize("degrees", [-30.0, 10.0, 45.0])
def test_rotation_is_that_of_scipy_to_rounding(degrees):
    images = load("digits").train_images[:20] // 17 * 16
    reference = ndimage.rotate(images.reshape(-1, 8, 8).astype(float), degrees, axes=(2, 1), reshape=False, order=1,
                            mode="grid-constant")
    assert np.abs(rotated(images, (8, 8), degrees).reshape(-1, 8, 8) - reference).max() < 4


def test_each_image_may_have_its_own_angle():
    angles = np.array([90.0, 20.0])
    outcome = rotated(IMAGES, SHAPE, angles)
    for image, angle, result in zip(IMAGES, angles, outcome, strict=True):
        assert np.array_equal(result, rotated(image[None], SHAPE, angle)[0])


def test_images_that_are_given_stay_as_they_are():
    before = IMAGES.copy()
    for result in (inverted(IMAGES), moved(IMAGES, SHAPE, 1, 1), rotated(IMAGES, SHAPE, 30.0)):
        assert result.dtype == np.uint8
        assert result.shape == IMAGES.shape
        assert not np.shares_memory(result, IMAGES)
    assert np.array_equal(IMAGES, before)


@pytest.mark.parametrize(("call", "text"), [
    (lambda: moved(IMAGES, SHAPE, 3, 0), "images of 3x4 must be moved by less than their size, not by 3 down and 0 right"),
    (lambda: moved(IMAGES, SHAPE, 0, -4), "images of 3x4 must be moved by less than their size, not by 0 down and -4 right"),
    (lambda: rotated(IMAGES, SHAPE, np.zeros(3)),
     "angles must be one, or one for each of 2 images, not of shape (3,)")])
def test_what_cannot_be_done_is_one_sentence(call, text):
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        call()
