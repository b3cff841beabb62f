"""Pictures of any size and mode, from files, folders and tables, as arrays of pixels."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from experiments.errors import InputError, unreadable
from experiments.inference.preparation import Pixels, pixels_of

_FORMATS = {  # those of others would run programs, such as Ghostscript
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
_ENDINGS = tuple(ending for endings in _FORMATS.values() for ending in endings)
_TABLE = ".csv"
_LABEL = "label"


@dataclass(frozen=True)
class Picture:
    """A picture, and where it comes from."""

    name: str
    pixels: Pixels
    """(H, W) of grey values or (H, W, 3) of colours; of a table (C, H, W)"""
    is_exact: bool = False
    """whether the pixels are those of the run's data set, row by row, and nothing is to change"""
    label: int | None = None
    """its class, if a table tells"""


def read_pictures(paths: Sequence[Path], shape: tuple[int, int, int]) -> list[Picture]:
    """Return the pictures of image files, of all image files below folders, and of CSV tables.

    A table has a row for each picture, with the C x H x W bytes of its pixels, and perhaps a line
    of titles and a first column `label`.

    Args:
        paths: the files and folders.
        shape: channels, height and width of the pictures in a table.

    Raises:
        InputError: a path does not exist, or is no image.
    """
    return [picture for path in paths for picture in _pictures(path, shape)]


def _pictures(path: Path, shape: tuple[int, int, int]) -> Iterator[Picture]:
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in _ENDINGS)
        if not files:
            raise InputError(f"{path}: the folder holds no image, such as a .png or .jpg")
        yield from (Picture(str(file), read_pixels(file)) for file in files)
    elif path.suffix.lower() == _TABLE:
        yield from _rows(path, shape)
    else:
        yield Picture(str(path), read_pixels(path))


def read_pixels(path: Path) -> Pixels:
    """Return the pixels of the first frame of an image file, as `preparation.pixels_of` does.

    Raises:
        InputError: the file does not exist, cannot be read or is no image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=tuple(_FORMATS)) as image:
                return pixels_of(image)
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: is not an image that Pillow can read; give a file such as a .png or .jpg, a "
            "folder of them, or a .csv table of pixels"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{path}: has too many pixels ({error}); make it smaller first") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file or folder") from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's of a file cut short
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(error, path) from error
        raise InputError(f"{path}: the image is damaged ({error}); replace the file") from error


def _rows(path: Path, shape: tuple[int, int, int]) -> Iterator[Picture]:
    import pandas as pd

    needed = shape[0] * shape[1] * shape[2]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.reader(file), [])
        has_titles = not any(_is_number(cell) for cell in first)
        table = pd.read_csv(path, header=0 if has_titles else None)
        values = table.to_numpy(np.float64)
    except OSError as error:
        raise unreadable(error, path) from error
    except (ValueError, csv.Error) as error:  # pandas' errors of parsing are ValueErrors, too
        raise InputError(
            f"{path}: is no table of numbers ({' '.join(str(error).split())}); give a line of "
            f"{needed} pixels, 0 to 255, for each picture"
        ) from error
    if len(values) == 0:
        raise InputError(f"{path}: has no rows; give a line of {needed} pixels for each picture")
    labels = None
    if values.shape[1] == needed + 1:
        _check_rows(path, values[:, :1], _LABEL, "whole numbers from 0 on", np.inf)
        labels, values = values[:, 0].astype(np.int64).tolist(), values[:, 1:]
    if values.shape[1] != needed:
        raise InputError(
            f"{path}: has {values.shape[1]} columns; the run's pictures have "
            f"{' x '.join(map(str, shape))} = {needed} pixels, after a column {_LABEL} if there "
            "is one"
        )
    _check_rows(path, values, "pixel", "whole numbers from 0 to 255", 255)
    for number, row in enumerate(values.astype(np.uint8).reshape(-1, *shape)):
        label = None if labels is None else labels[number]
        yield Picture(f"{path}:{number + 1}", row, is_exact=True, label=label)


def _check_rows(
    path: Path, values: NDArray[np.float64], kind: str, allowed: str, most: float
) -> None:
    """Check that the cells of a table are whole numbers from 0 to `most`.

    Raises:
        InputError: one is not.
    """
    is_right = (values >= 0) & (values <= most) & (values == values.round()) & np.isfinite(values)
    if not is_right.all():
        row, column = np.argwhere(~is_right)[0]
        raise InputError(
            f"{path}: row {row + 1} has the {kind} {values[row, column]:g}; give {allowed}"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
