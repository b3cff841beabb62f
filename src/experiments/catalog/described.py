"""A run in detail: its origin, its epochs, its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from experiments import journal
from experiments.catalog.summary import Summary
from experiments.catalog.varied import place_of
from experiments.registry.integrity import WEIGHTS
from experiments.sweep.failures import command
from experiments.sweep.folders import VERDICT
from experiments.tracking.links import links_for_run, links_for_sweep

_OVERRIDES = "overrides.yaml"


@dataclass(frozen=True)
class Description:
    """A run or a sweep in detail."""

    run: Summary
    epochs: Sequence[Mapping[str, float]]
    """the metrics of each step, with the step itself as `epoch`"""
    files: Mapping[str, bool]
    """the files that it recorded, and whether each is there"""
    command: str | None
    """the command that trains it; None if it is not known"""
    links: Sequence[str]
    verdict: str
    """the text of a sweep's verdict; empty for a run, and before the end of a sweep"""

    @property
    def missing(self) -> list[str]:
        """The recorded files that were deleted."""
        return [name for name, is_there in self.files.items() if not is_there]


def describe(run: Summary) -> Description:
    """Describe a run or a sweep.

    Raises:
        InputError: its journal is damaged.
    """
    past = journal.history(run.folder)
    steps: dict[int, dict[str, float]] = {}
    for (key, step), value in sorted(past.points.items(), key=lambda point: point[0][1]):
        steps.setdefault(step, {"epoch": step})[key] = value
    names = sorted(past.artifacts)
    if "weights_sha256" in past.tags and WEIGHTS not in names:
        names.append(WEIGHTS)
    return Description(
        run,
        epochs=[] if run.is_sweep else list(steps.values()),
        files={name: (run.folder / name).exists() for name in names},
        command=command_of(run),
        links=links_for_sweep(run.folder) if run.is_sweep else links_for_run(run.folder),
        verdict=_verdict(run),
    )


def versions_of(run: Summary) -> str:
    """Return the versions of Python, torch and this package that trained a run, in one line."""
    names = [name for name in ("python", "torch", "experiments") if f"version.{name}" in run.tags]
    return ", ".join(f"{name} {run.tags[f'version.{name}']}" for name in names)


def parts_of(params: Mapping[str, str]) -> dict[str, str]:
    """Return the values of each part of a configuration in one line, its chosen file first."""
    parts: dict[str, list[str]] = {}
    for key, text in params.items():
        part, _, name = place_of(key).partition(".")
        values = parts.setdefault(part, [])
        values.insert(len(values) if name else 0, f"{name}={text}" if name else text)
    return {part: " ".join(values) for part, values in sorted(parts.items())}


def command_of(run: Summary) -> str | None:
    """Return the command that trains a run or a sweep; None if it is not known."""
    if run.is_sweep:
        return run.tags.get("sweep.command")
    try:
        overrides: Any = yaml.safe_load((run.folder / _OVERRIDES).read_bytes())
    except (OSError, yaml.YAMLError):
        return None
    return command(*map(str, overrides)) if isinstance(overrides, list) else None


def _verdict(run: Summary) -> str:
    path = run.folder / VERDICT
    return path.read_text().rstrip() if run.is_sweep and path.exists() else ""
