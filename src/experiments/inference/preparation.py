"""Pictures made like the images of a data set: channels, background, place and size.

This module needs only NumPy and Pillow: an exported model takes its text along.
"""

from __future__ import annotations

import logging
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Background = Literal["auto", "dark", "light"]
Pixels = NDArray[np.uint8]
FORMATS = {  # those of others would run programs, such as Ghostscript
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
_INK = 0.3  # of the brightest pixel: fainter ones are grains of paper, not the figure
_PAPER = 90  # per cent of the border are paper at least, also where a figure touches it
_ENOUGH = 200  # pixels of the longer side: a figure in them has more than the box


def read_pixels(path: str | Path) -> Pixels:
    """Return the pixels of the first frame of an image file, as `pixels_of`.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError: it is no image of `FORMATS`, is damaged or too large; the text says what to do.
    """
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # the error tells it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=tuple(FORMATS)) as image:
                return pixels_of(image)
    except UnidentifiedImageError as error:
        raise ValueError(
            "is not an image that Pillow can read; give a file such as a .png or .jpg"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"has too many pixels ({error}); make it smaller first") from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # of a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"the image is damaged ({error}); replace the file") from error


def pixels_of(image: Image.Image) -> Pixels:
    """Return the pixels of an image, (H, W) or (H, W, 3), turned as its camera says.

    A transparent picture gets a background as far from its ink as possible.

    Raises:
        ValueError: a pixel is NaN or infinite.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _of_deep(np.asarray(image).astype(np.float64))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        opacity = np.asarray(image.getchannel("A"), np.float64)
        ink = np.asarray(image.convert("RGB").convert("L"), np.float64)
        is_dark = (ink * opacity).sum() <= 127.5 * opacity.sum()
        paper = Image.new("RGBA", image.size, (255, 255, 255) if is_dark else (0, 0, 0))
        image = Image.alpha_composite(paper, image)
    return np.asarray(image.convert("L" if image.mode in {"1", "L", "LA"} else "RGB"))


def _of_deep(values: NDArray[np.float64]) -> Pixels:
    """Return bytes for values of more than 8 bits: 0 to 1, to 255, or to 65,535.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise ValueError("it has pixels that are NaN or infinite")
    top = next((each for each in (1.0, 255.0, 65_535.0) if values.max() <= each), values.max())
    scaled: Pixels = (values.clip(0) * (255 / top)).round().astype(np.uint8)
    return scaled


@dataclass(frozen=True)
class Preparation:
    """The way to make a picture like the images of a data set."""

    shape: tuple[int, int, int]
    """channels, height and width of the images"""
    is_light_on_dark: bool
    """whether grey images are light on dark"""
    box: int | None
    """the longer side of a figure, in pixels, where the data's authors cut figures out and centred
    them; None where they did not"""
    background: Background = "auto"
    """that of the pictures; auto takes the median of a picture's border"""

    def __call__(self, pixels: Pixels) -> tuple[Pixels, bool]:
        """Return an image, uint8 (C, H, W), and whether the picture was inverted for it.

        A grey image gets the data's background. A picture of the size of the images is not scaled.
        With a `box`, the figure of another one is cut out, scaled to the box, and put with its
        centre of mass into the middle, as the authors of MNIST did (LeCun, Cortes and Burges,
        "The MNIST database of handwritten digits").

        Args:
            pixels: uint8 (h, w) of grey values, or (h, w, 3) of colours.

        Raises:
            ValueError: the images have neither one channel nor three.
        """
        channels, height, width = self.shape
        if channels == 3:
            colours = _padded(Image.fromarray(pixels).convert("RGB"), width, height)
            return np.moveaxis(np.asarray(colours), 2, 0), False
        if channels != 1:
            raise ValueError(f"images of {channels} channels cannot be made from a picture")
        grey = np.asarray(Image.fromarray(pixels).convert("L"))
        is_inverted = self._is_dark_on_light(grey) == self.is_light_on_dark
        if is_inverted:
            grey = 255 - grey
        if grey.shape != (height, width):
            grey = self._fitted(grey)
        return grey[np.newaxis], is_inverted

    def _is_dark_on_light(self, grey: Pixels) -> bool:
        if self.background != "auto":
            return self.background == "light"
        return bool(_paper(grey) > (float(grey.min()) + float(grey.max())) / 2)

    def _fitted(self, grey: Pixels) -> Pixels:
        """Return a picture with the data's background, scaled and put in its place."""
        _, height, width = self.shape
        if self.box is None:
            return np.asarray(_padded(Image.fromarray(grey), width, height))
        light = _reduced(grey if self.is_light_on_dark else 255 - grey)
        ink = _ink(light)
        if not ink.any():
            fitted = np.zeros((height, width), np.uint8)
        else:
            rows, columns = (np.flatnonzero((ink > _INK).any(axis)) for axis in (1, 0))
            cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            fitted = _centred((255 * cut).round().astype(np.uint8), self.box, height, width)
        return fitted if self.is_light_on_dark else 255 - fitted


def _border(grey: Pixels) -> Pixels:
    return np.concatenate((grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]))


def _paper(grey: Pixels) -> float:
    """Return the brightness of a picture's border."""
    return float(np.median(_border(grey)))


def _reduced(light: Pixels) -> Pixels:
    """Return a large picture in few pixels, whose means have little of a camera's noise."""
    image = Image.fromarray(light)
    scale = _ENOUGH / max(image.size)
    if scale >= 1:
        return light
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BOX))


def _ink(light: Pixels) -> NDArray[np.float64]:
    """Return the ink of a light figure on a dark background, 0 to 1; paper has none.

    Uneven light and noise make paper as bright as the brighter parts of the border.
    """
    paper = float(np.percentile(_border(light), _PAPER))
    ink = (light.astype(np.float64) - paper).clip(0)
    return ink / ink.max() if ink.max() > 0 else ink


def _padded(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return an image scaled to a size; its border gives the colour of what is added."""
    if image.size == (width, height):
        return image
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    made = Image.new(image.mode, (width, height), _colour_of_border(image))
    place = ((width - size[0]) // 2, (height - size[1]) // 2)
    made.paste(image.resize(size, Image.Resampling.LANCZOS), place)
    return made


def _colour_of_border(image: Image.Image) -> int | tuple[int, ...]:
    channels = [round(_paper(np.asarray(channel))) for channel in image.split()]
    return channels[0] if len(channels) == 1 else tuple(channels)


def _centred(figure: Pixels, box: int, height: int, width: int) -> Pixels:
    """Return a figure scaled to a box, with its centre of mass in the middle of an image."""
    scale = box / max(figure.shape)
    size = (max(1, round(figure.shape[1] * scale)), max(1, round(figure.shape[0] * scale)))
    scaled = np.asarray(Image.fromarray(figure).resize(size, Image.Resampling.LANCZOS))
    made = np.zeros((height, width), np.uint8)
    if not scaled.any():
        return made  # less than a grain of ink
    weights = scaled * (255 / scaled.max())  # a thin pen is as bright as a thick one
    scaled = weights.round().astype(np.uint8)
    places = []
    for axis, room in ((0, height), (1, width)):
        mass = weights.sum(1 - axis)
        centre = (mass * np.arange(len(mass))).sum() / mass.sum()
        # A figure of uneven weight stays inside the image.
        first = int(np.clip(round((room - 1) / 2 - centre), 0, room - len(mass)))
        places.append(slice(first, first + len(mass)))
    made[places[0], places[1]] = scaled
    return made
