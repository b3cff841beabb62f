"""The commands that look at runs: `ls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Filters, Json, Outputs

if TYPE_CHECKING:
    from experiments.catalog.summary import Summary

_NEWEST = 20
# The columns that sweeps have beside those of their objective, if any has a value there.
_MEASURED = ("jobs", "jobs_finished", "best_mean")
_TOLD = ("sweep.best_setting",)
_SHOWN = {"id", "state", "name", "seconds", "begun"}
_LS_EXAMPLES = """Examples:

\b
  experiments ls                                   the newest runs
  experiments ls --best finished model=simplenet   the best first
  experiments ls 'test_accuracy>0.97' seed=0       by metrics and parameters
  experiments ls sweep=1f3a --sort optimizer.lr    the jobs of a sweep
  experiments ls running --json                    for programs
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=_LS_EXAMPLES)(ls)


def ls(
    filters: Filters = None,
    *,
    best: Annotated[
        bool, typer.Option("--best", help="The best first, by their objective.")
    ] = False,
    sort: Annotated[
        str | None, typer.Option(metavar="KEY", help="Ascending by a parameter or a metric.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Turn the order round.")] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option("-c", "--column", metavar="KEY", help="Show this key too; may be repeated."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "-n", "--limit", min=0, help=f"At most so many; 0 for all ({_NEWEST}; JSON: all)."
        ),
    ] = None,
    sweeps: Annotated[bool, typer.Option("--sweeps", help="List sweeps, not runs.")] = False,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """List runs, the newest first.

    --best goes by the objective of the runs, on validation images if a run has some, or else on
    test images.
    """
    from experiments.catalog.filters import check_key
    from experiments.catalog.listing import listing
    from experiments.catalog.order import ordered
    from experiments.catalog.rows import as_data
    from experiments.cli import tables

    known = listing(outputs)
    listed = known.sweeps if sweeps else known.runs
    found = ordered(listed, filters or (), known.sweeps, best=best, sort=sort, reverse=reverse)
    most = limit if limit is not None else 0 if as_json else _NEWEST
    shown = found[:most] if most else found
    if as_json:
        tables.print_json([as_data(run) for run in shown])
    else:
        for key in columns or ():
            check_key(key, found, f"--column={key}")
        _print_runs(shown, [*(columns or ()), *([sort] if sort else ())])
        if len(found) > len(shown):
            typer.echo(f"{len(found) - len(shown)} more; -n 0 lists all")
    tables.print_damaged(known.damaged)


def _print_runs(runs: Sequence[Summary], columns: Sequence[str]) -> None:
    from experiments.catalog import texts
    from experiments.catalog.filters import value_of
    from experiments.catalog.metrics import keys_of
    from experiments.cli import tables

    if not runs:
        typer.echo("no runs")
        return
    ranking = [*keys_of(each.ranked_by for each in runs), *_MEASURED]
    measured = (key for key in ranking if any(key in each.metrics for each in runs))
    told = (key for key in _TOLD if any(key in each.tags for each in runs))
    keys = [key for key in dict.fromkeys([*columns, *measured, *told]) if key not in _SHOWN]
    rows = (
        [
            *(run.short, run.state, run.name),
            *(run.params.get(key) or texts.as_text(value_of(run, key)) for key in keys),
            texts.as_duration((run.changed - run.begun) / 1000 if run.is_sweep else run.seconds),
            texts.as_time(run.begun),
        ]
        for run in runs
    )
    taken = ">time" if runs[0].is_sweep else ">seconds"
    tables.print_table(["id", "state", "name", *(f">{key}" for key in keys), taken, "begun"], rows)
