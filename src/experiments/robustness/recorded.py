"""The accuracy that a run recorded at its end, beside that of today."""

from __future__ import annotations

from pathlib import Path

from experiments import journal
from experiments.catalog.texts import as_share

_SAME = 1e-9  # accuracies that differ by less differ by a rounding error


def recorded_accuracy(folder: Path) -> float | None:
    """Return the test accuracy at the end of the run in a folder; None if it has none."""
    return journal.history(folder).metrics.get("test_accuracy")


def differs(who: str, now: float, recorded: float | None) -> str:
    """Return a warning if a model does not answer as it did at the end of its run.

    Args:
        who: the model, at the beginning of a sentence.
        now: its test accuracy, 0 to 1.
        recorded: that at the end of the run; None if there is none, so that nothing differs.
    """
    if recorded is None or abs(recorded - now) < _SAME:
        return ""
    return (
        f"{who} now has a test accuracy of {as_share(now)}, and at the end of the run it had "
        f"{as_share(recorded)}: its code, torch or the machine is another one"
    )
