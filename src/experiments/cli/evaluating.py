"""The command `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, RunOrSweep
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.inference.trained import Trained
    from experiments.robustness.evaluation import Evaluation
    from experiments.robustness.scores import Score, Scores

_EXAMPLES = """Examples:

\b
  experiments evaluate 05c8                                    on its own test set
  experiments evaluate 05c8 --corruptions all                  and with noise, blur, rotation, …
  experiments evaluate 05c8 --corruptions rotate --severity 3  one kind, one strength
  experiments evaluate 05c8 --data digits data.root=/mnt/data  on other data of conf/data
  experiments evaluate SWEEP                                   a sweep's best setting as ensemble
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(evaluate)


def evaluate(
    run: RunOrSweep,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OVERRIDE]...", help="For --data, such as data.root=/mnt/data."),
    ] = None,
    *,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="The test set of other data, a file of conf/data."),
    ] = None,
    corruptions: Annotated[
        str, typer.Option(metavar="all|NAME,...", help="Corrupt the images too.")
    ] = "",
    severity: Annotated[
        list[int] | None, typer.Option(metavar="1..5", help="(default: each of them)")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the corruptions (default: 0).")] = None,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Evaluate a run's weights: on its own test set, on other data, on corrupted images.

    The mean corruption error is the mean share of wrong answers over all kinds and strengths. Of a
    sweep, the runs of its best setting answer together, by the mean of their probabilities.
    """
    severities = _checked(severity, corruptions)
    if seed is not None and not corruptions:
        raise InputError(f"--seed={seed}: is for --corruptions; add --corruptions all")
    seed = seed or 0
    settings = _settings(data or [], overrides or [])
    from experiments.inference.opening import open_models

    members = open_models(run, outputs)
    from experiments.robustness.corruptions import check_names
    from experiments.robustness.evaluation import evaluate as evaluated
    from experiments.robustness.examples import other_examples, own_examples

    for member in members:
        member.check_classifies()
    names = check_names(corruptions.split(",")) if corruptions else []
    sets = [other_examples(members[0], each) for each in settings] or [own_examples(members[0])]
    found = [
        evaluated(members, examples, names=names, severities=severities, seed=seed)
        for examples in sets
    ]
    if as_json:
        _print_json(members, found, seed)
        return
    for place, each in enumerate(found):
        if place:
            typer.echo()
        _print(members, each, seed)


def _checked(severity: Sequence[int] | None, corruptions: str) -> list[int]:
    """Return the severities, in order.

    Raises:
        InputError: there is no such severity, or nothing that has one.
    """
    if severity and not corruptions:
        raise InputError(f"--severity={severity[0]}: is for --corruptions; add --corruptions all")
    for each in severity or ():
        if not 1 <= each <= 5:
            raise InputError(f"--severity={each}: choose 1, 2, 3, 4 or 5")
    return sorted(set(severity or range(1, 6)))


def _settings(names: Sequence[str], overrides: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the configuration of each data set.

    Raises:
        InputError: there is no such data set, or an override is a mistake.
    """
    if not names:
        if overrides:
            raise InputError(
                f"{overrides[0]}: is for --data, which names other data; add --data NAME, or leave "
                "it out"
            )
        return []
    from experiments.api.composing import compose
    from experiments.api.project import find_conf

    try:
        conf = find_conf(None)
    except InputError as error:
        raise InputError(
            f"--data={names[0]}: neither this folder nor one above it has a train.py with a folder "
            "conf beside it; change to the project's folder"
        ) from error
    found: list[Mapping[str, Any]] = []
    for name in names:
        part = compose([f"data={name}", *overrides], config_dir=conf).data
        found.append({"_target_": part.target, **part.arguments()})
    return found


def _print(members: Sequence[Trained], found: Evaluation, seed: int) -> None:
    from experiments.catalog.texts import as_share
    from experiments.cli.tables import print_facts, print_table

    who = members[0].short if len(members) == 1 else f"ensemble of {len(members)} runs"
    typer.echo(f"{who}, test set of {found.data}, {found.count:,} images")
    print_facts(dict(_clean(members, found)))
    for line in found.notes:
        typer.echo(line, err=True)
    if not found.corrupted:
        return
    severities = list(next(iter(found.corrupted.values())))
    typer.echo(f"\nAccuracy in % by severity, seed {seed}")
    rows = []
    for name, scores in found.corrupted.items():
        shown = [_percent(scores[each].all.accuracy) for each in severities]
        mean, loss = found.means[name]
        rows.append([name, *shown, _percent(mean), f"{loss:.3f}"])
    columns = ["corruption", *(f">{each}" for each in severities), ">mean", ">mean loss"]
    print_table(columns, rows)
    worst = as_share(found.mean_error or 0.0)
    typer.echo(f"\nMean corruption error {worst}, error without corruption {as_share(found.error)}")


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _clean(members: Sequence[Trained], found: Evaluation) -> list[tuple[str, str]]:
    from experiments.catalog.texts import as_share

    clean = found.clean
    if len(members) == 1:
        recorded = found.recorded[0]
        was = "" if recorded is None else f" (at the end of the run {as_share(recorded)})"
        return [
            ("accuracy", f"{as_share(clean.all.accuracy)}{was}"),
            ("loss", f"{clean.all.loss:.4f}"),
        ]
    gain = 100 * (clean.all.accuracy - clean.mean)
    return [
        ("mean of the runs", f"{as_share(clean.mean)}"),
        ("best run", f"{as_share(clean.best)}"),
        ("ensemble", f"{as_share(clean.all.accuracy)}, {gain:+.2f} points against the mean"),
        ("loss", f"{clean.all.loss:.4f}, mean of the runs {clean.mean_loss:.4f}"),
    ]


def _print_json(members: Sequence[Trained], found: Sequence[Evaluation], seed: int) -> None:
    from experiments.cli.tables import print_json

    print_json(
        {
            "runs": [member.id for member in members],
            "seed": seed,
            "sets": [
                {
                    "data": each.data,
                    "images": each.count,
                    "notes": list(each.notes),
                    "recorded_accuracy": list(each.recorded),
                    "clean": _scores(each.clean),
                    "corruptions": {
                        name: {str(severity): _scores(one) for severity, one in scores.items()}
                        for name, scores in each.corrupted.items()
                    },
                    "mean_corruption_error": each.mean_error,
                }
                for each in found
            ],
        }
    )


def _scores(scores: Scores) -> dict[str, Any]:
    return {**_score(scores.all), "runs": [_score(each) for each in scores.runs]}


def _score(score: Score) -> dict[str, float]:
    return {"accuracy": score.accuracy, "loss": score.loss}
