"""Pictures of any size and mode, from files, folders and tables, as arrays of pixels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, unreadable
from experiments.inference.preparation import FORMATS, Pixels, read_pixels

_ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
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
        files = sorted(each for each in path.rglob("*") if _is_image(each))
        if not files:
            raise InputError(f"{path}: the folder holds no image, such as a .png or .jpg")
        yield from map(_picture, files)
    elif path.suffix.lower() == _TABLE:
        yield from _rows(path, shape)
    else:
        yield _picture(path)


def _is_image(path: Path) -> bool:
    is_hidden = path.name.startswith(".")  # such as the ._ files of a Mac
    return path.suffix.lower() in _ENDINGS and not is_hidden and path.is_file()


def _picture(path: Path) -> Picture:
    try:
        return Picture(str(path), read_pixels(path))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file or folder") from error
    except OSError as error:
        raise unreadable(error, path) from error


def _rows(path: Path, shape: tuple[int, int, int]) -> Iterator[Picture]:
    import pandas as pd

    needed = shape[0] * shape[1] * shape[2]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.reader(file), [])
        numbered = first == [str(place) for place in range(len(first))]  # by pandas
        has_titles = numbered or not all(_is_number(cell) or not cell for cell in first)
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
