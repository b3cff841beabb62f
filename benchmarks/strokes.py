"""Digits drawn by a script: strokes in several styles, with the variation of a hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Stroke = Sequence[tuple[float, float]]
"""points (x, y) that the pen passes, in a box of width 0.7 and height 1; y grows downwards"""
_FINE = 4  # so many pixels are drawn for one, so that edges are smooth
_STEPS = 12  # of a curve between two points


def _arc(
    x: float, y: float, wide: float, high: float, begin: float, end: float
) -> list[tuple[float, float]]:
    """Return points on an ellipse, between two angles in degrees; 0 is right, 90 down."""
    angles = np.radians(np.linspace(begin, end, 9))
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


STYLES: dict[int, Sequence[Sequence[Stroke]]] = {
    0: [
        [_arc(0.35, 0.5, 0.33, 0.5, -90, 270)],
        [_arc(0.35, 0.5, 0.25, 0.5, -60, 300)],
        [_arc(0.35, 0.5, 0.33, 0.48, -120, -480)],
    ],
    1: [
        [[(0.35, 0.0), (0.35, 0.5), (0.35, 1.0)]],
        [[(0.15, 0.22), (0.38, 0.0), (0.38, 0.5), (0.38, 1.0)]],
        [[(0.45, 0.0), (0.35, 0.5), (0.25, 1.0)]],
    ],
    2: [
        [
            [*_arc(0.35, 0.28, 0.3, 0.28, -170, 40), (0.3, 0.75), (0.05, 1.0)],
            [(0.05, 1.0), (0.68, 1.0)],
        ],
        [
            [
                *_arc(0.33, 0.25, 0.27, 0.25, -160, 50),
                (0.1, 0.95),
                (0.2, 0.85),
                (0.45, 0.97),
                (0.7, 0.92),
            ]
        ],
    ],
    3: [
        [[*_arc(0.3, 0.25, 0.28, 0.25, -150, 90), *_arc(0.3, 0.74, 0.33, 0.26, -90, 150)]],
        [
            [(0.05, 0.03), (0.6, 0.03)],
            [(0.6, 0.03), (0.3, 0.4)],
            [*_arc(0.3, 0.7, 0.33, 0.3, -90, 140)],
        ],
    ],
    4: [
        [
            [(0.15, 0.0), (0.05, 0.5), (0.12, 0.58), (0.65, 0.55)],
            [(0.52, 0.1), (0.5, 0.55), (0.46, 1.0)],
        ],
        [
            [(0.5, 0.0), (0.25, 0.35), (0.02, 0.66)],
            [(0.02, 0.66), (0.7, 0.66)],
            [(0.5, 0.0), (0.5, 1.0)],
        ],
    ],
    5: [
        [
            [(0.62, 0.02), (0.12, 0.02)],
            [(0.12, 0.02), (0.1, 0.42)],
            [(0.1, 0.42), *_arc(0.3, 0.68, 0.33, 0.3, -80, 150)],
        ],
        [
            [(0.15, 0.05), (0.12, 0.4), *_arc(0.28, 0.7, 0.32, 0.28, -85, 145)],
            [(0.15, 0.04), (0.65, 0.0)],
        ],
    ],
    6: [
        [[(0.55, 0.0), (0.2, 0.3), (0.06, 0.65), *_arc(0.35, 0.72, 0.29, 0.26, 160, -190)]],
        [[(0.4, 0.0), (0.15, 0.35), (0.08, 0.7), *_arc(0.32, 0.75, 0.24, 0.24, 170, -170)]],
    ],
    7: [
        [[(0.03, 0.04), (0.66, 0.04)], [(0.66, 0.04), (0.42, 0.45), (0.25, 1.0)]],
        [
            [(0.03, 0.06), (0.64, 0.02)],
            [(0.64, 0.02), (0.4, 0.5), (0.3, 1.0)],
            [(0.2, 0.5), (0.58, 0.48)],
        ],
    ],
    8: [
        [[*_arc(0.35, 0.25, 0.25, 0.25, 90, 450), *_arc(0.35, 0.75, 0.3, 0.25, -90, -450)]],
        [
            [
                (0.58, 0.12),
                *_arc(0.35, 0.22, 0.24, 0.21, -40, -200),
                (0.35, 0.45),
                *_arc(0.36, 0.76, 0.27, 0.23, -30, 180),
                (0.2, 0.62),
                (0.45, 0.38),
                (0.58, 0.14),
            ]
        ],
    ],
    9: [
        [[*_arc(0.34, 0.27, 0.28, 0.27, 0, -350), (0.62, 0.3), (0.58, 0.7), (0.5, 1.0)]],
        [
            [*_arc(0.32, 0.25, 0.26, 0.25, -10, -345), (0.6, 0.15)],
            [(0.6, 0.15), (0.56, 0.6), *_arc(0.28, 0.75, 0.29, 0.25, 10, 140)],
        ],
    ],
}


@dataclass(frozen=True)
class Drawing:
    """A drawn digit."""

    digit: int
    pixels: NDArray[np.uint8]
    """grey values (H, W)"""


def drawings(number: int, seed: int = 0) -> Iterator[Drawing]:
    """Yield drawn digits: each digit as often, in pens, sizes, slants, places and papers by chance.

    A third is light on dark, and the canvas has 100 to 400 pixels a side.
    """
    chance = np.random.default_rng(seed)
    for each in range(number):
        digit = each % 10
        yield Drawing(digit, draw(moved(strokes_of(digit, chance), chance), chance))


def strokes_of(digit: int, chance: np.random.Generator) -> list[NDArray[np.float64]]:
    """Return the strokes of a digit in one of its styles, each point moved a little."""
    style = STYLES[digit][int(chance.integers(len(STYLES[digit])))]
    return [
        _smooth(np.array(stroke) + chance.normal(0, 0.018, (len(stroke), 2))) for stroke in style
    ]


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points on the Catmull-Rom spline through some (Catmull and Rom, 1974)."""
    if len(points) == 2:
        return points
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, np.newaxis]
    found = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        found.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.concatenate([*found, points[-1:]])


def moved(
    strokes: Sequence[NDArray[np.float64]], chance: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Return strokes with the size, width, slant, tilt and place of a hand, within 0 to 1."""
    size, narrow = chance.uniform(0.35, 0.8), chance.uniform(0.8, 1.15)
    slant, tilt = chance.uniform(-0.05, 0.3), math.radians(chance.uniform(-9, 9))
    turn = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
    shear = np.array([[narrow, 0], [-slant, 1]])
    placed = [(stroke - [0.35, 0.5]) @ shear @ turn * size for stroke in strokes]
    points = np.concatenate(placed)
    low, high = points.min(0), points.max(0)
    margin = 0.06
    room = np.maximum(1 - 2 * margin - (high - low), 0)
    offset = margin - low + chance.uniform(0, 1, 2) * room
    return [stroke + offset for stroke in placed]


def draw(strokes: Sequence[NDArray[np.float64]], chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return a canvas with strokes, which lie within 0 to 1, as grey values (H, W)."""
    side = int(chance.integers(100, 401))
    pen = chance.uniform(0.03, 0.09) * side
    paper, ink = (20, 235) if chance.random() < 1 / 3 else (240, 25)
    paper, ink = (int(np.clip(each + chance.normal(0, 10), 0, 255)) for each in (paper, ink))
    canvas = Image.new("L", (side * _FINE,) * 2, paper)
    pencil = ImageDraw.Draw(canvas)
    radius = pen * _FINE / 2
    for stroke in strokes:
        points = [tuple(point) for point in stroke * side * _FINE]
        pencil.line(points, fill=ink, width=round(pen * _FINE), joint="curve")
        for x, y in points:
            pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX))
