"""The commands about one run: `show` and `tail`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, Run

if TYPE_CHECKING:
    from experiments.catalog.described import Description

_LAST = 10
_SHOW_EXAMPLES = """Examples:

\b
  experiments show 05c8                               the beginning of an id
  experiments show outputs/2026-11-28/09-18-48_c6cf5b  a folder
  experiments show 05c8 --json                        for programs
"""
_TAIL_EXAMPLES = """Examples:

\b
  experiments tail 05c8          the last lines, then each new line until the run ends
  experiments tail 05c8 -n 100   more lines
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=_SHOW_EXAMPLES)(show)
    app.command(epilog=_TAIL_EXAMPLES)(tail)


def show(run: Run, *, as_json: Json = False, outputs: Outputs = OUTPUTS) -> None:
    """Show a run or a sweep in detail.

    It prints the result, the origin, the configuration, the epochs and the files.
    """
    from experiments.catalog.described import describe, parts_of
    from experiments.catalog.find import find
    from experiments.catalog.rows import as_data
    from experiments.catalog.texts import as_number
    from experiments.cli import tables

    found = describe(find(run, outputs))
    if as_json:
        more = {"epochs": found.epochs, "files": found.files, "command": found.command}
        tables.print_json(as_data(found.run) | more)
        return
    tables.print_facts(dict(_facts(found)))
    if found.run.params:
        typer.echo("\nConfiguration")
        tables.print_facts(parts_of(found.run.params))
    _print_epochs(found.epochs)
    if found.run.metrics:
        typer.echo("\nLast values")
        values = sorted(found.run.metrics.items())
        tables.print_facts({key: as_number(value) for key, value in values})
    if found.verdict:
        typer.echo(f"\n{found.verdict}")


def _facts(found: Description) -> Iterator[tuple[str, str]]:
    from experiments.catalog.described import versions_of
    from experiments.catalog.texts import as_duration, as_time

    run = found.run
    yield from {"name": run.name, "state": run.state}.items()
    if run.reason:
        yield "reason", run.reason
    yield from {"id": run.id, "identity": run.identity}.items()
    yield "folder", os.path.relpath(run.folder)
    yield "begun", f"{as_time(run.begun)} on {run.host}"
    if not run.is_sweep:
        yield "training", as_duration(run.seconds)
    if run.sweeps:
        yield "sweep", ", ".join(run.sweeps)
    if run.mlflow_id:
        yield "MLflow", f"run {run.mlflow_id} in experiment {run.experiment}"
    if commit := run.tags.get("git_commit"):
        changed = ", with uncommitted changes" if run.tags.get("git_dirty") == "true" else ""
        yield "commit", commit + changed
    yield from (
        (key, run.tags[key]) for key in ("data_sha256", "device", "lanes") if key in run.tags
    )
    yield "versions", versions_of(run)
    yield "files", ", ".join(name for name, is_there in found.files.items() if is_there)
    if found.missing:
        them = "them" if len(found.missing) > 1 else "it"
        yield "deleted", f"{', '.join(found.missing)}; the run recorded {them}"
    if found.command:
        yield "command", found.command
    for link in found.links:
        title, _, address = link.partition(": ")
        yield title.lower(), address


def _print_epochs(epochs: Sequence[Mapping[str, float]]) -> None:
    from experiments.catalog.texts import as_number
    from experiments.cli.tables import print_table

    trained = [each for each in epochs if "epoch_seconds" in each]
    keys = list(dict.fromkeys(key for each in trained for key in each if key != "epoch"))
    if trained:
        cut = f", the last {_LAST} of {len(trained)}" if len(trained) > _LAST else ""
        typer.echo(f"\nEpochs{cut}")
        print_table(
            [">epoch", *(f">{key}" for key in keys)],
            [
                [f"{each['epoch']:.0f}", *(as_number(each.get(key)) for key in keys)]
                for each in trained[-_LAST:]
            ],
        )


def tail(
    run: Run,
    *,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, help="So many lines at the beginning.")
    ] = _LAST,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Print the end of a run's log, and each new line until the run ends."""
    from experiments.catalog.find import find_run
    from experiments.catalog.follow import follow

    found = find_run(run, outputs)
    for line in follow(found.folder, lines):
        typer.echo(line)
    ended = find_run(str(found.folder), outputs)
    if ended.state != "finished":
        why = f" ({ended.reason})" if ended.reason else ""
        typer.echo(f"{found.short} is {ended.state}{why}", err=True)
