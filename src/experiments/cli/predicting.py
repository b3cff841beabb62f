"""The command `predict`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, RunOrSweep

if TYPE_CHECKING:
    from experiments.inference.predict import Prediction, Predictions
    from experiments.inference.trained import Trained

_EXAMPLES = """Examples:

\b
  experiments predict 05c8 digit.png               one picture, of any size and mode
  experiments predict 05c8 scans/ --json           all pictures below a folder
  experiments predict 05c8 test.csv                a table: a line of pixels for each picture
  experiments predict SWEEP digit.png              the runs of a sweep's best setting together
"""
_LINES = 100  # more take longer to print than to predict
_SHOWN = 3  # so many classes of each picture


class _Background(StrEnum):
    auto = "auto"
    dark = "dark"
    light = "light"


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(predict)


def predict(
    run: RunOrSweep,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE|FOLDER|CSV...", help="The pictures."),
    ],
    *,
    background: Annotated[
        _Background,
        typer.Option(help="That of the pictures; auto looks at the border of each."),
    ] = _Background.auto,
    centre: Annotated[
        bool,
        typer.Option(help="Cut figures out and centre them, as MNIST's authors did."),
    ] = True,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Tell the classes of pictures, with their probabilities.

    The pictures are made like the images that the run was trained on: grey or coloured, light on
    dark, of their size. A picture of that size is taken as it is, apart from its background.

    Of a sweep, the runs of its best setting answer together, by the mean of their probabilities.
    """
    from experiments.inference.opening import open_models

    members = open_models(run, outputs)
    from experiments.inference.pictures import read_pictures
    from experiments.inference.predict import predict as predicted

    pictures = read_pictures(images, members[0].shape)
    found = predicted(members, pictures, background.value, centre=centre)
    (_print_json if as_json else _print)(members, found)


def _print(members: Sequence[Trained], found: Predictions) -> None:
    from experiments.catalog.texts import as_share
    from experiments.cli.tables import print_table

    if len(members) > 1:
        said = ", ".join(member.short for member in members)
        typer.echo(f"The mean of {len(members)} runs: {said}", err=True)
    inverted = sum(each.inverted for each in found.all)
    if inverted:
        number = "the picture" if len(found.all) == 1 else f"{inverted} of {len(found.all)}"
        typer.echo(
            f"Inverted {number}: the background differs from the data's; --background decides",
            err=True,
        )
    if blank := [each.picture for each in found.all if each.is_blank]:
        more = f" and {len(blank) - 1} more" if len(blank) > 1 else ""
        typer.echo(f"{blank[0]}{more}: no figure was found, so the answer means nothing", err=True)
    print_table(
        ("image", "class", ">probability", "next"),
        [
            (each.picture, each.name, as_share(max(each.probabilities), 1), _next(each, found))
            for each in found.all[:_LINES]
        ],
    )
    if len(found.all) > _LINES:
        typer.echo(f"{len(found.all) - _LINES:,} more; --json tells all")
    if found.accuracy is not None:
        known = sum(each.truth is not None for each in found.all)
        typer.echo(f"\nAccuracy on {known:,} images with a label: {as_share(found.accuracy)}")


def _next(each: Prediction, found: Predictions) -> str:
    from experiments.catalog.texts import as_share

    ranked = sorted(range(len(found.names)), key=lambda label: -each.probabilities[label])
    return ", ".join(
        f"{found.names[label]} {as_share(each.probabilities[label], 1)}"
        for label in ranked[1:_SHOWN]
    )


def _print_json(members: Sequence[Trained], found: Predictions) -> None:
    from experiments.cli.tables import print_json

    print_json(
        {
            "runs": [member.id for member in members],
            "classes": list(found.names),
            "accuracy": found.accuracy,
            "predictions": [_as_data(each) for each in found.all],
        }
    )


def _as_data(each: Prediction) -> dict[str, Any]:
    return {
        "image": each.picture,
        "class": each.name,
        "label": each.label,
        "probability": max(each.probabilities),
        "probabilities": list(each.probabilities),
        "inverted": each.inverted,
        "blank": each.is_blank,
        "truth": each.truth,
    }
