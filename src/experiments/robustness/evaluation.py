"""The evaluation of runs on a test set, clean and corrupted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.inference.trained import Trained
from experiments.robustness.corruptions import corrupted
from experiments.robustness.examples import Examples
from experiments.robustness.recorded import differs, recorded_accuracy
from experiments.robustness.scores import Scores, scores_of


@dataclass(frozen=True)
class Evaluation:
    """The scores of one run, or of several as an ensemble, on a test set."""

    data: str
    count: int
    """the number of images"""
    clean: Scores
    recorded: Sequence[float | None]
    """the test accuracy at the end of each run, if this is its own test set"""
    corrupted: Mapping[str, Mapping[int, Scores]]
    """by the kind of corruption and the severity"""
    notes: Sequence[str]

    @property
    def error(self) -> float:
        """The share of wrong answers to the clean images."""
        return 1 - self.clean.all.accuracy

    @property
    def means(self) -> Mapping[str, tuple[float, float]]:
        """The mean accuracy and loss of each kind of corruption, over its severities."""
        found = {}
        for name, scores in self.corrupted.items():
            values = [(each.all.accuracy, each.all.loss) for each in scores.values()]
            accuracy, loss = (math.fsum(each) / len(values) for each in zip(*values, strict=True))
            found[name] = (accuracy, loss)
        return found

    @property
    def mean_error(self) -> float | None:
        """The mean share of wrong answers over all kinds and severities; None without any."""
        means = [accuracy for accuracy, _ in self.means.values()]
        return 1 - math.fsum(means) / len(means) if means else None


def evaluate(
    runs: Sequence[Trained],
    examples: Examples,
    *,
    names: Sequence[str],
    severities: Sequence[int],
    seed: int,
) -> Evaluation:
    """Return the evaluation of runs.

    Args:
        runs: one, or several that share their classes.
        examples: the test set.
        names: of corruptions; may be empty.
        severities: 0 to 5.
        seed: of the corruptions' random numbers.

    Raises:
        InputError: the code of a model fails.
    """
    images, labels = examples.images, examples.labels
    clean = scores_of(runs, images, labels)
    recorded = [recorded_accuracy(run.folder) if examples.is_own else None for run in runs]
    notes = [examples.note] if examples.note else []
    for run, then, now in zip(runs, recorded, clean.runs, strict=True):
        if warning := differs(run.short, now.accuracy, then):
            notes.append(warning)
    return Evaluation(
        data=examples.data,
        count=len(labels),
        clean=clean,
        recorded=recorded,
        corrupted={
            name: {
                severity: scores_of(runs, corrupted(images, name, severity, seed), labels)
                for severity in severities
            }
            for name in names
        },
        notes=notes,
    )
