"""`train`: a run from a script or a notebook, exactly as `python train.py` trains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.api.entry_point import from_python
from experiments.api.loading import load_from
from experiments.api.own_modules import as_on_disk, targets_of
from experiments.api.process_state import like_a_new_process
from experiments.api.project import CONFIG, checked_overrides, composed, find_conf, hydra_in
from experiments.app import Finished, run
from experiments.catalog.summary import summary_of
from experiments.composition.hydra_config import checked
from experiments.distributed.together import alone
from experiments.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from experiments.run.prepare import Prepared


@dataclass(frozen=True)
class TrainedRun:
    """A finished run."""

    folder: Path | None
    """its folder, absolute; None if it was trained on another machine, and is only in MLflow"""
    identity: str
    """the hash of everything that determines its result"""
    mlflow_run_id: str | None
    """None if MLflow was not asked for, or has not taken it yet"""
    metrics: Mapping[str, float]
    """the last value of each metric, such as `test_accuracy`"""
    objective: float
    """the value that a sweep would rank; NaN if it diverged"""
    _project: Path = field(repr=False)

    @from_python
    def load(self) -> nn.Module:
        """Return its model as `experiments.load` does: on the CPU, in evaluation mode.

        Raises:
            InputError: it diverged, its folder is on another machine, or its files were changed.
        """
        return load_from(self._here(), self._project)

    @property
    def weights(self) -> dict[str, Tensor]:
        """Its final weights on the CPU, by the names in its model's `state_dict`.

        Raises:
            InputError: it diverged, its folder is on another machine, or its files were changed.
        """
        return _weights(self._here())

    def _here(self) -> Path:
        if self.folder is None:
            raise InputError(
                f"folder=None: the run is on another machine; load MLflow's model of its run "
                f"{self.mlflow_run_id}, or train it here with force=true"
            )
        return self.folder


@from_python
def train(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> TrainedRun:
    """Train, test and record one run as `python train.py` does; return it.

    A finished run is returned without training, and an interrupted one is resumed. The lines that
    the command prints are printed. Folders such as `outputs` are relative to the current folder.

    >>> from experiments import train
    >>> train(["optimizer.lr=0.1", "trainer.epochs=2"]).metrics["test_accuracy"]
    0.9645

    Args:
        overrides: those of the command line, such as `["optimizer.lr=0.1", "seed=1"]`.
        config_dir: the folder conf of the project; None looks for the one beside a train.py, in
            the current folder and above it.

    Raises:
        InputError: an override, a value, a file or a class is a mistake, or torchrun has started
            several processes; nothing was created.
        RunError: a cause outside the program stopped the run, such as a full disk.
        KeyboardInterrupt: Ctrl-C stopped the run, which has saved a checkpoint; the same call
            resumes it.
    """
    alone("experiments.train", "start train.py with torchrun for a run in several processes")
    given, conf = checked_overrides(overrides), find_conf(config_dir)
    with hydra_in(conf) as hydra:
        targets = targets_of(checked(composed(hydra, given)).model_dump())
        with as_on_disk(targets), like_a_new_process():
            try:
                done = hydra.run(CONFIG, run, given)
            except Finished as finished:
                return _finished(finished.prepared, conf.parent)
        assert done.hydra_cfg is not None  # noqa: S101  (a job has run)
        folder = Path(done.hydra_cfg.hydra.runtime.output_dir)
    return _trained(folder, done.return_value, conf.parent)


def _finished(prepared: Prepared, project: Path) -> TrainedRun:
    earlier = prepared.finished
    assert earlier is not None  # noqa: S101  (`Finished` says so)
    if earlier.folder is not None:
        return _trained(earlier.folder, earlier.objective, project)
    return TrainedRun(
        None, prepared.identity, earlier.run_id, earlier.metrics, earlier.objective, project
    )


def _trained(folder: Path, objective: float, project: Path) -> TrainedRun:
    summary = summary_of(folder)
    assert summary is not None  # noqa: S101  (the run has begun there)
    return TrainedRun(
        folder.absolute(),
        summary.identity,
        summary.mlflow_id,
        summary.metrics,
        objective,
        project,
    )


@from_python
def _weights(folder: Path) -> dict[str, Tensor]:
    with like_a_new_process():
        from experiments.run.load_model import load_weights

        return load_weights(folder)
