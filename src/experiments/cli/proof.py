"""The commands that prove what the project promises: `verify-resume` and `reproduce`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Outputs, Run
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.reproducing.reproduce import Reproduced

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
    outputs: Outputs = OUTPUTS,
) -> None:
    """Train a run again, from its own commit, uncommitted changes and configuration.

    The code is checked out into a worktree outside this folder, which is removed afterwards. The
    installed packages are used as they are now. An OVERRIDE replaces a recorded one: it names
    another place of the data, or gives a secret that is hidden in the record.

    With --verify, an equal run is deleted, and a different one is kept in outputs/reproduced.
    """
    from experiments.catalog.find import find_run
    from experiments.reproducing.reproduce import remove
    from experiments.reproducing.reproduce import reproduce as reproduced

    found = reproduced(find_run(run, outputs), overrides or [], outputs, typer.echo, keep=keep)
    is_equal = _print_verdict(found) if verify else _print_result(found)
    folder = found.again.summary.folder
    if verify and is_equal and not keep:
        remove(folder)
    else:
        typer.echo(f"The reproduced run: {os.path.relpath(folder)}")
    if not is_equal:
        raise typer.Exit(1)


def _print_verdict(found: Reproduced) -> bool:
    """Print the comparison; return whether the results are equal."""
    from experiments.cli.differences import print_section
    from experiments.differences.section import Section, counted
    from experiments.reproducing.verdict import verdict

    told = verdict(found.record, found.again)
    metrics = counted(len(told.rows), "metric")
    print_section(Section("compared", f"{metrics}; a is the run, b its repetition", told.rows))
    typer.echo(f"\n{told.sentence}")
    reasons = [*found.changed, *(() if told.is_equal else found.lacking)]
    if not (told.is_equal or reasons):
        typer.echo("Everything recorded was restored, so the training itself is not deterministic")
    for sentence in reasons:
        typer.echo(f"Not as then: {sentence}")
    return told.is_equal


def _print_result(found: Reproduced) -> bool:
    """Print the objectives; return whether the training has ended like the run."""
    one, other = (each.summary for each in (found.record, found.again))
    then, now = (f"{each.state}, {each.objective:.4f}" for each in (one, other))
    typer.echo(f"Reproduced: {now} (recorded: {then}); --verify compares all points and weights")
    for sentence in found.changed:
        typer.echo(f"Not as then: {sentence}")
    return other.state == one.state or one.state == "dead"
