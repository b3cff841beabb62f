"""Attributions, weights and images as pictures: blue is for, orange is against."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from experiments.report.mistakes import as_png, encoded
from experiments.report.theme import LIGHT

_POSITIVE, _NEGATIVE = (46, 122, 212), (226, 98, 40)  # clear on light and on dark paper
_GAP = 2  # pixels between the cells of a grid
_SCALE = 4  # of a cell of a figure
_TEXT = 13  # height of letters in pixels
_LINE = 20


def heat(values: Tensor) -> Image.Image:
    """Return numbers as colours: the larger the number, the less transparent.

    Args:
        values: float (H, W); the largest absolute value gets the full colour.
    """
    top = float(values.abs().max()) or 1.0
    colours = torch.tensor([_NEGATIVE, _POSITIVE], dtype=torch.uint8)[(values > 0).long()]
    opacity = (values.abs() / top * 255).round().to(torch.uint8).unsqueeze(2)
    return Image.fromarray(torch.cat([colours, opacity], 2).numpy())


def heat_png(values: Tensor) -> bytes:
    """Return `heat` as a PNG."""
    return encoded(heat(values))


def image_of(image: Tensor) -> Image.Image:
    """Return an image of a data set, uint8 (H, W) or (C, H, W), as `report.mistakes` shows it."""
    return Image.open(io.BytesIO(as_png(image)))


def grid(cells: Tensor) -> Image.Image:
    """Return the heat of numbers (N, H, W) in a grid; all share one scale."""
    count, height, width = cells.shape
    across = min(count, max(1, round(math.sqrt(count * 2 * height / width))))
    down = -(-count // across)
    large = torch.zeros(down * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP)
    for number, cell in enumerate(cells):
        top, left = (number // across) * (height + _GAP), (number % across) * (width + _GAP)
        large[top : top + height, left : left + width] = cell
    return heat(large)


def on_paper(image: Image.Image, scale: int = _SCALE) -> Image.Image:
    """Return an image enlarged, on the paper of the light theme."""
    size = (image.width * scale, image.height * scale)
    large = image.convert("RGBA").resize(size, Image.Resampling.NEAREST)
    return Image.alpha_composite(Image.new("RGBA", size, LIGHT.paper), large).convert("RGB")


def table(titles: Sequence[str], rows: Sequence[tuple[str, Sequence[Image.Image]]]) -> bytes:
    """Return the PNG of rows of images of one size, with a title for each column and row."""
    font = ImageFont.load_default(_TEXT)
    size = rows[0][1][0].size
    scale = max(1, round(28 * _SCALE / max(size)))
    width, height = (scale * side + 12 for side in size)
    margin = 12 + max(math.ceil(font.getlength(text)) for text, _ in rows)
    column = max(width, 12 + max(math.ceil(font.getlength(title)) for title in titles))
    whole = (margin + column * len(titles), _LINE + height * len(rows))
    page = Image.new("RGB", whole, LIGHT.paper)
    draw = ImageDraw.Draw(page)
    for place, title in enumerate(titles):
        draw.text((margin + column * place, 2), title, LIGHT.ink, font)
    for line, (text, images) in enumerate(rows):
        top = _LINE + height * line
        draw.text((6, top + height // 2 - _TEXT), text, LIGHT.ink, font)
        for place, image in enumerate(images):
            page.paste(on_paper(image, scale), (margin + column * place, top))
    return encoded(page)
