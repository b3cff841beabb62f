"""The commands that prove what the project promises: `verify-resume` and `reproduce`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, Run
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.reproducing.reproduce import Reproduced
    from experiments.reproducing.verdict import Verdict

_REPRODUCE_EXAMPLES = """Examples:

\b
  experiments reproduce 3f2a                       train it again, into outputs/reproduced
  experiments reproduce 3f2a --verify              and prove that the result is the same
  experiments reproduce 3f2a data.root=/mnt/data   with the data in another place
"""

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[OVERRIDE]...", help="As for train.py, such as optimizer=adamw."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("verify-resume")(verify_resume)
    app.command(epilog=_REPRODUCE_EXAMPLES)(reproduce)


def verify_resume(
    overrides: Overrides = None,
    kills: Annotated[int, typer.Option(help="How often to kill.")] = 3,
) -> None:
    """Prove on this machine that a killed and resumed run gives the same bits."""
    from experiments.run.verify_resume import verify_resume as verified

    if kills < 1:
        raise InputError(f"--kills={kills}: it should be at least 1")
    if not verified(overrides or [], kills, typer.echo):
        raise typer.Exit(1)


def reproduce(
    run: Run,
    overrides: Overrides = None,
    *,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare the result to the bit; exit code 1 if it differs."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the restored code, and the reproduced run.")
    ] = False,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Train a run again, from its own commit, uncommitted changes and configuration.

    The code is checked out into a worktree outside this folder, which is removed afterwards. The
    installed packages are used as they are now. An OVERRIDE replaces a recorded one: it names
    another place of the data, or gives a secret that is hidden in the record.

    With --verify, an equal run is deleted, and a different one is kept in outputs/reproduced. With
    --json, the progress is printed to the standard error.
    """
    from experiments.catalog.find import find_run
    from experiments.reproducing.reproduce import remove
    from experiments.reproducing.reproduce import reproduce as reproduced
    from experiments.reproducing.verdict import verdict

    say = partial(typer.echo, err=as_json)
    found = reproduced(find_run(run, outputs), overrides or [], outputs, say, keep=keep)
    told = verdict(found.record, found.again) if verify else None
    is_removed = told is not None and told.is_equal and not keep
    folder = None if is_removed else os.path.relpath(found.again.summary.folder)
    if as_json:
        from experiments.cli.tables import print_json

        print_json({**_as_data(found, told), "folder": folder})
    else:
        _print(found, told)
        if folder:
            typer.echo(f"The reproduced run: {folder}")
    if is_removed:
        remove(found.again.summary.folder)
    if not (told.is_equal if told else _has_ended_alike(found)):
        raise typer.Exit(1)


def _as_data(found: Reproduced, told: Verdict | None) -> dict[str, Any]:
    """Return plain data; the comparison is null without --verify."""
    a, b = found.record, found.again
    shas = {key: each.tags.get("weights_sha256") for key, each in (("a", a), ("b", b))}
    return {
        "id": a.summary.id,
        "equal": told and told.is_equal,
        "sentence": told and told.sentence,
        "metrics": told and told.rows,
        "weights": {**shas, "equal": shas["a"] == shas["b"]},
        "lacking": found.lacking,
        "changed": found.changed,
    }


def _print(found: Reproduced, told: Verdict | None) -> None:
    reasons = list(found.changed)
    if told:
        _print_verdict(told)
        reasons += [] if told.is_equal else found.lacking
        if not (told.is_equal or reasons):
            typer.echo(
                "Everything recorded was restored, so the training itself is not deterministic"
            )
    else:
        then, now = (
            f"{each.summary.state}, {each.summary.objective:.4f}"
            for each in (found.record, found.again)
        )
        compared = "--verify compares all points and weights"
        typer.echo(f"Reproduced: {now} (recorded: {then}); {compared}")
    for sentence in reasons:
        typer.echo(f"Not as then: {sentence}")


def _print_verdict(told: Verdict) -> None:
    from experiments.cli.differences import print_section
    from experiments.differences.section import Section, counted

    metrics = counted(len(told.rows), "metric")
    print_section(Section("compared", f"{metrics}; a is the run, b its repetition", told.rows))
    typer.echo(f"\n{told.sentence}")


def _has_ended_alike(found: Reproduced) -> bool:
    then, now = (each.summary.state for each in (found.record, found.again))
    return now == then or then == "dead"
