"""Artifacts that a user's code logs: files in the run's folder, recorded in its journal."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.async_logging.run_operations import RunOperations

from experiments.errors import RunError
from experiments.mlflow_plugin.entities import found
from experiments.tracking.artifact_names import check_name
from experiments.tracking.current_run import CurrentRun


class RunArtifacts(LocalArtifactRepository):
    """The artifacts of the current run."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        self._id = PurePosixPath(artifact_uri).name
        super().__init__(found(self._id).folder.as_uri(), tracking_uri, registry_uri)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Copy a file into the run's folder, and record it.

        Raises:
            RunError: a file of the run itself has the name, or the run has ended.
        """
        name = str(PurePosixPath(artifact_path or "", Path(local_file).name))
        run = found(self._id)
        check_name(name)
        super().log_artifact(local_file, artifact_path)
        if isinstance(run, CurrentRun):
            run.recorder.artifacts(name)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Copy the files below a folder into the run's folder, and record them.

        Raises:
            RunError: a file of the run itself has one of the names, or the run has ended.
        """
        names = [
            str(PurePosixPath(artifact_path or "", path.relative_to(local_dir).as_posix()))
            for path in sorted(Path(local_dir).rglob("*"))
            if path.is_file()
        ]
        run = found(self._id)
        for name in names:
            check_name(name)
        super().log_artifacts(local_dir, artifact_path)
        if names and isinstance(run, CurrentRun):
            run.recorder.artifacts(*names)

    def _log_artifact_async(
        self, filename: str, artifact_path: str | None = None, artifact: Any = None
    ) -> RunOperations:
        """Record it before this returns, since it cannot come after the end of the run."""
        operations = super()._log_artifact_async(filename, artifact_path, artifact)
        operations.wait()
        return operations

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Refuse it, since nothing that a run has reported is deleted."""
        raise RunError(f"MLflow: {artifact_path or os.sep}: a run's artifacts stay in its folder")
