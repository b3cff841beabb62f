"""The command `export`."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, Run

if TYPE_CHECKING:
    from experiments.exporting.export import Exported
    from experiments.exporting.registering import Registered

_EXAMPLES = """Examples:

\b
  experiments export 05c8 --format onnx                   a graph that needs no PyTorch
  experiments export 05c8 --format onnx --quantize int8   a quarter of the size as well
  experiments export 05c8 --format mlflow --register digits   a version in MLflow's registry
  experiments export 05c8 --format safetensors --output weights/
"""


class _Format(StrEnum):
    mlflow = "mlflow"
    onnx = "onnx"
    torch_export = "torch_export"
    safetensors = "safetensors"


class _Quantisation(StrEnum):
    int8 = "int8"


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(export)


def export(
    run: Run,
    *,
    kind: Annotated[_Format, typer.Option("--format", help="The format.")],
    quantize: Annotated[
        _Quantisation | None,
        typer.Option(help="Of onnx: add a model of 8 bits, and measure its accuracy."),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of mlflow and onnx: add a version to MLflow's registry."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The folder to make (default: export/FORMAT there)."),
    ] = None,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Write a run's model in a format that other programs load.

    It takes images as the data set has them, bytes; the normalisation is part of the model (not of
    safetensors, which are weights). Before it is done, the written model answers all images of the
    test as the run does. Made again, it replaces the earlier export of its run and format.
    """
    from experiments.catalog.find import find_run
    from experiments.exporting.place import check_can_export
    from experiments.inference.opening import open_model

    found = find_run(run, outputs)
    place = output or found.folder / "export" / kind
    check_can_export(kind, place, found.id, int8=quantize is not None)
    trained = open_model(found)
    copy = None
    if register is not None:
        from experiments.exporting import registering

        copy = registering.destination_of(found, kind, register)
    from experiments.exporting.export import export as exported
    from experiments.exporting.source import source_of

    source = source_of(found, trained)
    done = exported(source, kind, place, int8=quantize is not None)
    version = None
    if copy is not None and register is not None:
        version = registering.register(source, place, kind, register, copy)
    (_print_json if as_json else _print)(done, version)


def _print(done: Exported, version: Registered | None) -> None:
    from experiments.catalog.texts import as_share, as_size
    from experiments.exporting.check import BATCHES

    place = os.path.relpath(done.folder)
    typer.echo(f"{place} ({as_size(sum(done.files.values()))}): {', '.join(done.files)}")
    *sizes, last = BATCHES
    agreement = done.agreement
    typer.echo(
        f"Checked: the answers to all {agreement.images:,} test images, in batches of "
        f"{', '.join(map(str, sizes))} and {last}, differ from the run's by at most "
        f"{agreement.largest:.2g} ({agreement.relative:.1g} of an image's largest output)"
    )
    if done.int8_accuracy is not None and done.accuracy is not None:
        typer.echo(
            f"Accuracy on them: {as_share(done.int8_accuracy)} with 8 bits, "
            f"{as_share(done.accuracy)} in full precision"
        )
    if version is not None:
        typer.echo(
            f"Registered as {version.name}, version {version.version}, of the MLflow run "
            f"{version.run_id}"
        )


def _print_json(done: Exported, version: Registered | None) -> None:
    from dataclasses import asdict

    from experiments.cli.tables import print_json

    told = asdict(done) | {"folder": os.path.relpath(done.folder)}
    print_json(told | {"registered": version and asdict(version)})
