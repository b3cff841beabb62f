"""Pictures become like the images of MNIST, whatever their paper, size and place."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.strokes import drawings
from PIL import Image

from experiments.inference.preparation import Preparation

MNIST = Preparation((1, 28, 28), is_light_on_dark=True, box=20)
SCALED = Preparation((1, 28, 28), is_light_on_dark=True, box=None)
DRAWN = list(drawings(20))


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    mass = image.astype(float)
    return np.array([(mass.sum(1 - axis) * np.arange(28)).sum() for axis in (0, 1)]) / mass.sum()


@pytest.mark.parametrize("drawing", DRAWN, ids=lambda each: str(each.digit))
def test_a_figure_fills_the_box_and_its_mass_is_in_the_middle(drawing) -> None:
    image, is_inverted = MNIST(drawing.pixels)
    assert (image.shape, image.dtype) == ((1, 28, 28), np.uint8)
    assert is_inverted == (drawing.pixels[0, 0] > 127)
    rows, columns = (np.flatnonzero((image[0] > 25).any(axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in {19, 20}
    assert np.abs(centre_of_mass(image[0]) - 13.5).max() < 1
    assert image[0, 0].max() == 0


def test_the_place_and_the_paper_do_not_matter() -> None:
    figure = DRAWN[5].pixels
    dark = figure if figure[0, 0] < 127 else 255 - figure
    moved = np.pad(dark, ((60, 5), (0, 90)), constant_values=dark[0, 0])
    first, other = MNIST(dark)[0], MNIST(moved)[0]
    assert distance(first, other) < 12
    assert np.array_equal(MNIST(255 - moved)[0], other)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("drawing", DRAWN[:4], ids=lambda each: str(each.digit))
def test_noise_and_uneven_light_are_no_figure(drawing) -> None:
    chance = np.random.default_rng(0)
    grey = 128 + 0.5 * (drawing.pixels.astype(float) - 128)
    light = np.linspace(-10, 10, grey.shape[1]) + chance.normal(0, 8, grey.shape)
    scanned = (grey + light).clip(0, 255).astype(np.uint8)
    assert distance(MNIST(scanned)[0], MNIST(drawing.pixels)[0]) < 15


def test_a_thin_pen_is_as_bright_as_a_thick_one() -> None:
    picture = np.zeros((1500, 1500), np.uint8)
    picture[200:1300, 700:706] = 200
    assert MNIST(picture)[0].max() == 255
    picture[:] = 0
    picture[3, 3] = picture[1400, 1300] = 255
    assert MNIST(picture)[0].max() in {0, 255}


def test_an_image_of_the_data_is_taken_to_the_bit(digits) -> None:
    image = digits.test.images[0].numpy()
    for way in (MNIST, SCALED):
        same, was_inverted = way(image)
        assert np.array_equal(same[0], image)
        assert not was_inverted
        again, was_inverted = way(255 - image)
        assert np.array_equal(again[0], image)
        assert was_inverted


def test_the_user_decides_on_the_background() -> None:
    picture = np.zeros((28, 28), np.uint8)
    light = Preparation((1, 28, 28), is_light_on_dark=True, box=None, background="light")
    assert light(picture)[0].min() == 255
    assert not MNIST(picture)[0].any()
    of_paper = Preparation((1, 28, 28), is_light_on_dark=False, box=None)
    assert of_paper(picture)[0].min() == 255


def test_an_empty_picture_has_no_figure() -> None:
    for grey in (0, 128, 255):
        assert not MNIST(np.full((50, 40), grey, np.uint8))[0].any()


def test_colours_and_shapes_are_those_of_the_data() -> None:
    colours = Preparation((3, 32, 32), is_light_on_dark=True, box=None)
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[:] = (200, 100, 50)
    image, was_inverted = colours(picture)
    assert image.shape == (3, 32, 32)
    assert [int(channel.mean()) for channel in image] == [200, 100, 50]
    assert not was_inverted
    assert SCALED(picture)[0].shape == (1, 28, 28)
    with pytest.raises(ValueError, match="images of 5 channels cannot be made from a picture"):
        Preparation((5, 8, 8), is_light_on_dark=True, box=None)(picture)


def test_the_longer_side_decides_on_the_scale() -> None:
    picture = np.zeros((10, 40), np.uint8)
    picture[4:6, 2:38] = 255
    image, _ = SCALED(picture)
    assert set(np.flatnonzero((image[0] > 25).any(1))) <= {12, 13, 14, 15}
    assert np.ptp(np.flatnonzero((image[0] > 25).any(0))) + 1 in {25, 26, 27}
    assert np.array_equal(SCALED(np.asarray(Image.fromarray(picture).convert("RGB")))[0], image)
