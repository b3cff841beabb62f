"""The command `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import OUTPUTS, Filters, Json, Outputs

if TYPE_CHECKING:
    from experiments.catalog.groups import Grouping

_NEWEST = 20
_EXAMPLES = """Examples:

\b
  experiments compare                                      all runs, by all keys that differ
  experiments compare sweep=1f3a --group-by optimizer.lr   one key of a sweep
  experiments compare model=convnet --metric test_loss     another metric
  experiments compare sweep=1f3a --plot lr.png             also as a picture
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(compare)


def compare(
    filters: Filters = None,
    *,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            "-g", "--group-by", metavar="KEY", help="Compare the values of this key; repeatable."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("-m", "--metric", help="Compare this metric, such as test_loss.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw it: .png, .svg, .pdf, .html or .json."),
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=0, help="Show at most so many groups; 0 for all.")
    ] = _NEWEST,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Compare groups of runs by a metric.

    It prints mean, spread and interval, and whether a lead is more than noise.

    Runs that differ in the seed alone form a group, or runs with the same values of --group-by.
    The metric is the objective of the runs, on validation images if they have some, or else on test
    images. A smaller value of another metric is better if the task of the runs tells so, or if its
    name ends in loss, error or seconds.
    """
    from experiments.catalog.filters import chosen
    from experiments.catalog.groups import grouped
    from experiments.catalog.listing import listing
    from experiments.cli.tables import print_damaged, print_json

    known = listing(outputs)
    runs = chosen(known.runs, filters or (), known.sweeps)
    found = grouped(
        runs, group_by and [key for text in group_by for key in text.split(",")], metric
    )
    shown = limit or len(found.groups)
    if plot is not None:
        _draw(found, plot, shown)
    if as_json:
        print_json(_as_data(found))
    else:
        _print(found, shown)
    print_damaged(known.damaged)


def _draw(found: Grouping, file: Path, limit: int) -> None:
    from experiments.report.charts import means_chart, save
    from experiments.report.sweep_charts import means

    save(means_chart(means(found, limit), found.measure.name), file)


def _as_data(found: Grouping) -> dict[str, Any]:
    from experiments.catalog.judged import against_best, statements

    return {
        "metric": found.measure.name,
        "direction": found.measure.direction,
        "group_by": list(found.keys),
        "groups": [
            {
                "values": dict(group.values),
                "mean": group.mean,
                "std": group.deviation,
                "n": len(group.numbers),
                "interval": found.intervals[place],
                "diverged": group.diverged,
                "against_best": against_best(found, place) or None,
                "runs": [run.id for run in group.runs.values()],
            }
            for place, group in enumerate(found.groups)
        ],
        "statements": list(statements(found)),
    }


def _print(found: Grouping, limit: int) -> None:
    from experiments.catalog.judged import against_best, interval_of, mean_of, statements
    from experiments.cli.tables import print_table

    print_table(
        [">", "group", f">{found.measure.name}", ">n", "95 % interval", "against the best"],
        [
            [
                f"{place + 1}.",
                group.name or "all runs",
                mean_of(found, group),
                f"{len(group.numbers)}" + (f" ({group.diverged} diverged)" * bool(group.diverged)),
                interval_of(found, place),
                against_best(found, place),
            ]
            for place, group in enumerate(found.groups[:limit])
        ],
    )
    if len(found.groups) > limit:
        typer.echo(f"{len(found.groups) - limit} more groups; -n 0 shows all")
    for sentence in statements(found):
        typer.echo(sentence)
