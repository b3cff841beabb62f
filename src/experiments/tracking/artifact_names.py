"""Names of artifacts: paths below a run's folder, beside the files of the run itself."""

from __future__ import annotations

from pathlib import PurePosixPath

from experiments import journal
from experiments.errors import RunError
from experiments.provenance.origin import ORIGIN
from experiments.registry.integrity import CHECKPOINTS, WEIGHTS
from experiments.tracking.copies import STATE

PROFILE = "profile"
"""the folder of the profile of a few training steps"""
_OWN = frozenset(
    {journal.NAME, *ORIGIN, CHECKPOINTS, WEIGHTS, STATE, PROFILE}
    | {"train.log", "report.html", "explain"}
)


def check_name(name: str) -> None:
    """Check the name of an artifact.

    Raises:
        RunError: it is no path below the run's folder, or the run itself has a file of that name.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise RunError(f"artifact {name}: should be a path below the run's folder, as plots/a.png")
    if path.parts[0] in _OWN:
        raise RunError(
            f"artifact {name}: the run has a {path.parts[0]} of its own; choose another name"
        )
