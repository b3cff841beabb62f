"""Jobs of a sweep for tests that need no composition."""

from __future__ import annotations

from pathlib import Path

from experiments.config import check
from experiments.registry.earlier import Earlier
from experiments.sweep.jobs import Job, Kind
from tests.config.test_config import VALUES, changed


def job(number: int, *varied: str, epochs: int = 10, finished: float | None = None) -> Job:
    """Return a new job of some epochs, or a finished one with an accuracy, 0 to 1."""
    kind: Kind = "new" if finished is None else "finished"
    earlier = None
    if finished is not None:
        earlier = Earlier("finished", Path("elsewhere"), "", 0, {"test_accuracy": finished})
    return Job(
        number=number,
        overrides=varied,
        config=check(changed(trainer=VALUES["trainer"] | {"epochs": epochs})),
        identity=f"{number}",
        source="",
        knows_device=True,
        kind=kind,
        earlier=earlier,
        subdir=f"{number}",
        log="train.log",
        twin=None,
        varied=varied,
    )
