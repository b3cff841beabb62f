"""Checkpoints of a run that several processes train: rank 0 has the files, all read them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.distributed.team import Team
from experiments.run.checkpoint import Checkpoints


class SharedCheckpoints(Checkpoints):
    """The checkpoints of a run, whose processes need not share a file system."""

    def __init__(self, folder: Path, identity: str, team: Team, device: torch.device) -> None:
        super().__init__(folder, identity)
        self._team, self._device = team, device

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint on rank 0, as `Checkpoints` does; return the folder elsewhere."""
        return super().save(step, state) if self._team.is_first else self.folder

    def load(self) -> dict[str, Any] | None:
        """Return the newest undamaged state that rank 0 has, None if none was saved.

        Raises:
            InputError: all are damaged, or one is undamaged but unusable for this run or version.
        """
        found = self.newest() if self._team.is_first else None
        path, content = found or (self.folder, b"")
        content = self._team.content_of_first(content, self._device)
        return self.read(path, content) if content else None
