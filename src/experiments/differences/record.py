"""The record of a run: its journal, and the files that describe its origin, as far as they last."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from experiments import journal
from experiments.catalog.summary import Summary
from experiments.journal import History

_PATCH = "git.patch"


@dataclass(frozen=True)
class Record:
    """A run and the files of its origin; a file that is lost or damaged counts as empty."""

    summary: Summary
    past: History
    config: Mapping[str, Any] = field(default_factory=dict)
    """config.yaml"""
    overrides: Sequence[str] = ()
    """overrides.yaml: the overrides as they were typed, secrets hidden"""
    ingredients: Mapping[str, Any] = field(default_factory=dict)
    """identity.json"""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """environment.json"""
    patch: bytes = b""
    """git.patch; empty if nothing was uncommitted"""
    missing: Mapping[str, str] = field(default_factory=dict)
    """the files that cannot be used, each with a sentence"""

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the run."""
        return self.summary.tags

    @property
    def commit(self) -> str | None:
        """The commit of the source; None if git did not tell it."""
        return self.tags.get("git_commit")

    @property
    def source(self) -> dict[str, str]:
        """The SHA-256 or the version of each module that determines the result."""
        return dict(self.ingredients.get("source", {}))

    @property
    def data_sha256(self) -> str:
        """The SHA-256 of the data; empty if it is not recorded."""
        return str(self.ingredients.get("data_sha256") or self.tags.get("data_sha256", ""))

    @property
    def device(self) -> str:
        """The kind of device, such as `cpu` or the name of a GPU."""
        return str(self.ingredients.get("device") or self.tags.get("device", ""))

    @property
    def versions(self) -> dict[str, str]:
        """The versions of Python and torch, which belong to the identity."""
        recorded = self.ingredients.get("versions")
        if recorded is None:
            told = {key: self.tags.get(f"version.{key}", "") for key in ("python", "torch")}
            recorded = {key: version.partition("+")[0] for key, version in told.items()}
        return dict(recorded)

    @property
    def packages(self) -> dict[str, str]:
        """The versions of all installed packages."""
        return dict(self.environment.get("packages", {}))


def record_of(run: Summary) -> Record:
    """Return the record of a run.

    Raises:
        InputError: its journal is damaged.
    """
    past = journal.history(run.folder)
    missing: dict[str, str] = {}

    def read(name: str, form: type, parse: Callable[[bytes], Any]) -> Any:
        path = run.folder / name
        try:
            content = parse(path.read_bytes())
        except OSError as error:
            missing[name] = f"{os.path.relpath(path)} cannot be read ({error.strerror})"
            return form()
        except (ValueError, yaml.YAMLError, RecursionError):
            content = None
        if not isinstance(content, form):
            missing[name] = f"{os.path.relpath(path)} is damaged"
            return form()
        return content

    return Record(
        run,
        past,
        config=read("config.yaml", dict, yaml.safe_load),
        overrides=[str(each) for each in read("overrides.yaml", list, yaml.safe_load)],
        ingredients=_checked(read("identity.json", dict, json.loads), missing, run.folder),
        environment=read("environment.json", dict, json.loads),
        patch=read(_PATCH, bytes, bytes) if _PATCH in past.artifacts else b"",
        missing=missing,
    )


def _checked(told: dict[str, Any], missing: dict[str, str], folder: Path) -> dict[str, Any]:
    forms = {"config": dict, "source": dict, "versions": dict, "data_sha256": str, "device": str}
    if told and not all(isinstance(told.get(key), form) for key, form in forms.items()):
        missing["identity.json"] = f"{os.path.relpath(folder / 'identity.json')} is damaged"
        return {}
    return told
