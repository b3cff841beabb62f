"""The folders of a sweep's jobs: one for each job, inside the sweep's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from experiments import journal
from experiments.errors import InputError
from experiments.files.folders import check_name
from experiments.tracking import STATE

if TYPE_CHECKING:
    from omegaconf import DictConfig

JOBS, VERDICT = "jobs.csv", "verdict.txt"
REPORTS = (JOBS, VERDICT)
"""the files that a sweep writes about its jobs"""
_OWN = frozenset({journal.NAME, STATE, *REPORTS})
_LONGEST_NAME = 255  # bytes


def check_unused(folder: Path) -> None:
    """Check that the folder of a new sweep holds nothing that the sweep would overwrite.

    Raises:
        InputError: the folder holds files of another sweep or run.
    """
    there = [name for name in sorted(_OWN) if (folder / name).exists()]
    if there:
        raise InputError(
            f"hydra.sweep.dir={os.path.relpath(folder)}: holds {', '.join(there)} of another "
            "sweep or run; name a new folder"
        )


def subdir_of(config: DictConfig) -> str:
    """Return a job's folder, relative to the sweep's folder.

    Raises:
        InputError: the path lies outside, is too long, or is one that the sweep itself uses.
    """
    from omegaconf import OmegaConf

    subdir = str(OmegaConf.select(config, "hydra.sweep.subdir"))
    said, parts = f"hydra.sweep.subdir={subdir}", PurePath(subdir).parts
    if not parts or ".." in parts or PurePath(subdir).is_absolute():
        raise InputError(
            f"{said}: is no folder inside the sweep's; name one, such as ${{hydra.job.num}}, and "
            "move them all with hydra.sweep.dir"
        )
    if parts[0].startswith(".") or parts[0] in _OWN:
        raise InputError(f"{said}: {parts[0]} is the sweep's own; name another folder")
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
        raise InputError(
            f"{said}: is too long for a folder's name; leave keys out, as in "
            "'hydra.job.config.override_dirname.exclude_keys=[seed]'"
        )
    check_name("hydra.sweep.subdir", subdir)
    return str(PurePath(subdir))


def check_apart(subdirs: Mapping[int, str]) -> None:
    """Check that no two jobs share a folder, and that none lies inside another's.

    Args:
        subdirs: each job's relative folder by its number.

    Raises:
        InputError: two jobs share a folder, or one lies inside another's.
    """
    first: dict[PurePath, int] = {}
    for number, subdir in subdirs.items():
        other = first.setdefault(PurePath(subdir), number)
        if other != number:
            raise InputError(
                f"hydra.sweep.subdir={subdir}: jobs {other} and {number} would share it; "
                "leave it at ${hydra.job.num}, or name the keys that differ in it"
            )
    for path, number in first.items():
        for parent in path.parents:
            if parent in first:
                raise InputError(
                    f"hydra.sweep.subdir={path}: job {number} would lie in the folder of job "
                    f"{first[parent]}; leave it at ${{hydra.job.num}}, or name folders side by side"
                )
