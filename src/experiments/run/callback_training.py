"""The training that callbacks see: a run's objects, and a way to its journal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.callbacks import Training
from experiments.errors import RunError
from experiments.files.safe_writes import make_folder
from experiments.journal import Place
from experiments.tracking import Recorder
from experiments.tracking.artifact_names import check_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.run.build import Parts
    from experiments.training.position import Position

_KEY = re.compile(r"[\w\-. /]+")  # the names that MLflow takes


class CallbackTraining(Training):
    """The training of a run, for its callbacks."""

    def __init__(
        self,
        parts: Parts,
        position: Callable[[], Position],
        recorder: Recorder,
        folder: Path,
        *,
        epochs: int,
    ) -> None:
        self.model, self.optimizer = parts.model, parts.optimizer
        self.schedule, self.task = parts.schedule, parts.task
        self.train, self.validation = parts.splits.train, parts.splits.validation
        self.test, self.epochs = None, epochs
        self._position, self._recorder, self._folder = position, recorder, folder
        self.stop_reason: str | None = None
        self.is_first = parts.team.is_first

    @property
    def epoch(self) -> int:
        """The current epoch, counted from 1; after the last epoch trained it is that one."""
        position = self._position()
        is_over = position.stopped or position.epoch > self.epochs
        return position.epoch - 1 if is_over else position.epoch

    @property
    def step(self) -> int:
        """The number of optimizer steps since the first epoch."""
        return self._position().steps

    def log(self, metrics: Mapping[str, float]) -> None:
        """Record metrics at the current epoch; the last value of a name counts.

        Raises:
            ValueError: MLflow takes no metric of a name.
        """
        for name, value in metrics.items():
            if not _KEY.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name of a metric; use letters, digits and _ - . / or spaces"
                )
            self._recorder.keep_for_epoch({name: float(value)})

    def log_figure(self, figure: Figure, name: str) -> None:
        """Save a figure of matplotlib in the run's folder, and record it as an artifact."""
        check_name(name)
        if self.is_first:
            figure.savefig(self._place(name))
            self._recorder.artifacts(name)

    def log_artifact(self, file: Path, name: str) -> None:
        """Copy a file into the run's folder under a name, and record it as an artifact."""
        check_name(name)
        if self.is_first:
            shutil.copyfile(file, self._place(name))
            self._recorder.artifacts(name)

    def stop(self, reason: str) -> None:
        """End the training after the current epoch; the test follows."""
        self.stop_reason = reason

    def taken(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return metrics together with those that the user's code has logged, which begin anew.

        Raises:
            RunError: a callback has logged one of the metrics' names.
        """
        logged = self._recorder.values_of_epoch()
        if clash := sorted(logged.keys() & metrics.keys()):
            raise RunError(
                f"callbacks: one logs {', '.join(clash)}, which the run itself records; choose "
                "another name"
            )
        return {**metrics, **logged}

    def state(self) -> dict[str, Any]:
        """Return the part of a checkpoint that is not of one callback."""
        return {"logged": self._recorder.state(), "stop_reason": self.stop_reason}

    def restore(self, state: Mapping[str, Any], place: Place) -> None:
        """Restore a state, after the callbacks have begun in this process.

        Args:
            state: as `state` returned it.
            place: the end of the journal when the checkpoint was saved.
        """
        self._recorder.restore(state["logged"], place)
        self.stop_reason = state["stop_reason"] or self.stop_reason

    def _place(self, name: str) -> Path:
        """Return the path of an artifact, in a folder that exists."""
        path = self._folder / name
        make_folder(path.parent)
        return path
