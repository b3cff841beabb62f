"""The report of a run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from experiments import journal
from experiments.catalog.described import Description, describe, parts_of, versions_of
from experiments.catalog.summary import Summary
from experiments.catalog.texts import as_duration, as_number, as_size, as_time
from experiments.errors import InputError, unreadable
from experiments.registry.objective import is_share, shown
from experiments.report.machine import machine_of
from experiments.report.page import NAME, render
from experiments.report.points import Curve, curves_of
from experiments.report.run_charts import confusion_matrix, curves_of_run
from experiments.report.sweep_jobs import last_lines
from experiments.robustness.recorded import differs as accuracy_differs

if TYPE_CHECKING:
    import altair as alt

    from experiments.report.mistakes import Answers

_MATRIX = 40  # classes
_CLASSES = "experiments.tasks.Classification"
_STATES = {
    "finished": "Finished",
    "running": "This run is still being trained; the report holds its journal up to now",
    "diverged": "This run diverged, so it has no result and keeps no weights",
    "dead": "This run ended without a result; its command resumes it",
}


def run_report(run: Summary) -> str:
    """Return the page about a run: of a dead or diverged run too.

    Raises:
        InputError: its journal cannot be read.
    """
    described = describe(run)
    of_run = curves_of(journal.history(run.folder).points)
    drawn: dict[str, alt.TopLevelMixin] = {}
    legends: dict[str, list[str]] = {}
    for name, (chart, names) in curves_of_run(of_run, run.ranked_by.name).items():
        drawn[f"curve-{len(legends)}"] = chart
        legends[name] = names
    answers, problem = _answers(run)
    if answers is not None and len(answers.counts) <= _MATRIX:
        drawn["confusion"] = confusion_matrix(answers.counts)
    differs = ""
    if answers is not None:
        accuracy = answers.correct / answers.total
        differs = accuracy_differs("The model", accuracy, run.metrics.get("test_accuracy"))
    return render(
        "run.html",
        drawn,
        title=run.name,
        state=_STATES[run.state],
        is_finished=run.state == "finished",
        reason="" if run.diverged else run.reason,
        place=os.path.relpath(run.folder),
        facts=list(_facts(run)),
        result=_result(run),
        legends=legends,
        not_finite=_not_finite(of_run),
        answers=answers,
        classes=_by_class(answers) if answers else [],
        answers_problem=problem,
        differs=differs,
        log=last_lines(run.folder) if run.state in {"dead", "diverged"} else [],
        config_parts=parts_of(run.params),
        config=_config(run),
        origin=_origin(run),
        time={
            "training": f"{as_duration(run.seconds)} in {_epochs(described)}",
            **machine_of(run.folder, run),
        },
        files=list(_files(described)),
        command=described.command,
        links=[tuple(link.split(": ", 1)) for link in described.links],
    )


def _facts(run: Summary) -> Iterator[str]:
    yield f"Begun {as_time(run.begun)} on {run.host}"
    yield f"experiment {run.experiment}"
    yield f"id {run.short}"
    if run.sweeps:
        yield f"a job of sweep {run.sweeps[-1][:8]}"


def _result(run: Summary) -> list[tuple[str, str]]:
    """Return the last values that tell a result, the objective first, with their names."""
    objective = run.ranked_by
    best, on_validation, on_test = objective.keys
    told = {on_test: f"test {objective.name}"}
    told |= {key: f"test {name}" for key, name in _named("test_", run)}
    told |= {best: f"validation {objective.name} of the best epoch"}
    told |= {on_validation: f"validation {objective.name}"}
    told |= {key: f"validation {name}" for key, name in _named("val_", run)}
    told |= {"train_loss": "training loss"}
    values = {name: (key, run.metrics.get(key, math.nan)) for key, name in told.items()}
    return [
        (name, shown(key, value) if is_share(key) else as_number(value))
        for name, (key, value) in values.items()
        if math.isfinite(value)
    ]


def _named(prefix: str, run: Summary) -> Iterator[tuple[str, str]]:
    """Yield the metrics of a run that begin so, and their names; the loss comes first."""
    found = [key for key in run.metrics if key.startswith(prefix)]
    for key in sorted(found, key=lambda key: (key != f"{prefix}loss", key)):
        yield key, key.removeprefix(prefix)


def _not_finite(of_run: Mapping[str, Curve]) -> list[str]:
    """Return a statement about each curve with values that no figure can show."""
    found = []
    for key, curve in of_run.items():
        steps = [step for step, value in curve.items() if not math.isfinite(value)]
        if steps and key != "epoch_seconds":
            number = f"{len(steps)} epochs" if len(steps) > 1 else "one epoch"
            found.append(f"{key} is NaN or infinite in {number}, first in epoch {min(steps)}")
    return found


def _answers(run: Summary) -> tuple[Answers | None, str]:
    """Return the answers to the test images, and the reason if there are none.

    A task without classes has neither.
    """
    if run.state != "finished" or run.params.get("task._target_", _CLASSES) != _CLASSES:
        return None, ""
    from experiments.report.mistakes import answers_of

    try:
        return answers_of(run.folder), ""
    except InputError as error:
        return None, str(error)


def _by_class(answers: Answers) -> list[tuple[str, int, str, str]]:
    """Return each class, its images, its share of right answers and its usual mistake."""
    rows = []
    for truth, row in enumerate(answers.counts):
        total = sum(row)
        wrong = {answer: count for answer, count in enumerate(row) if answer != truth and count}
        usual = max(wrong, key=lambda answer: wrong[answer], default=None)
        said = "" if usual is None else f"{usual} ({wrong[usual]})"
        rows.append((str(truth), total, f"{100 * row[truth] / total:.1f} %" if total else "", said))
    return rows


def _epochs(described: Description) -> str:
    count = sum("epoch_seconds" in each for each in described.epochs)
    return f"{count} epoch{'' if count == 1 else 's'}"


def _config(run: Summary) -> str:
    path = run.folder / "config.yaml"
    if not path.exists():
        return ""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return str(unreadable(error, path))


def _origin(run: Summary) -> dict[str, str]:
    told: dict[str, Any] = {"identity": run.identity, "commit": run.tags.get("git_commit")}
    if run.tags.get("git_dirty") == "true":
        told["commit"] += ", with uncommitted changes (git.patch)"
    told["git"] = run.tags.get("git_problem")
    told["data"] = run.tags.get("data_sha256") and f"SHA-256 {run.tags['data_sha256']}"
    told["weights"] = run.tags.get("weights_sha256") and f"SHA-256 {run.tags['weights_sha256']}"
    told["versions"] = versions_of(run)
    return {key: text for key, text in told.items() if text}


def _files(described: Description) -> Iterator[tuple[str, str]]:
    """Yield the files that the run recorded, with their sizes."""
    for name, is_there in described.files.items():
        if name == NAME:
            continue  # this page
        path = described.run.folder / name
        yield name, as_size(path.stat().st_size) if is_there else "deleted"
