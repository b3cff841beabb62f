"""The composition root: a composed configuration becomes a trained, tested and recorded run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from experiments.composition.hydra_config import (
    Refused,
    check_hydra,
    checked,
    log_of,
    past_hydra,
    typed,
)
from experiments.errors import InputError, shortened
from experiments.files.folders import removed_if_refused
from experiments.process.signals import keep
from experiments.redaction.hide import hidden_data
from experiments.run import job

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from experiments.config import RunConfig
    from experiments.registry.claims import Earlier
    from experiments.run.prepare import Prepared
    from experiments.tracking import Recorder

_log = logging.getLogger(__name__)


_prepared: Prepared | None = None  # from the check before Hydra makes the folder to the run


class Preflight(Callback):
    """Refuses a run that cannot work, and reports a finished one, before Hydra makes a folder."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check values, classes, device, data, folders and tracking; look for an earlier run."""
        global _prepared
        from experiments.run.prepare import prepare

        try:
            check_hydra(config)
            log_of(config)
            _prepared = prepare(checked(config), config.hydra.run.dir)
        except Exception as error:
            raise Refused(error) from error
        if _prepared.finished:
            print(_report(_prepared.finished, _prepared.config))  # noqa: T201  (no folder, so no log)
            raise SystemExit(0)
        with read_write(config), open_dict(config):
            OmegaConf.update(config, "hydra.run.dir", str(_prepared.folder))
        keep()  # from here on there is a folder, and so there is to be a run in it


@past_hydra
def run(cfg: DictConfig) -> float:
    """Train, test and record one run; return its objective.

    The objective is the validation accuracy of the epoch that is tested where there is a validation
    split, else the test accuracy; from 0 to 1, and NaN for a run that diverged. A run that is
    finished is not trained again, and one that was interrupted is continued: see
    `experiments.registry.claims`.
    """
    global _prepared
    config = checked(cfg)
    prepared, _prepared = _prepared, None
    hydra = HydraConfig.get()
    own_folder = Path(hydra.runtime.output_dir) if hydra.mode is RunMode.RUN else None
    with removed_if_refused(own_folder):  # not a job's: its sweep's verdict names its log
        if prepared is None or prepared.config != config:
            prepared = prepare_job(config)
        if prepared.finished:
            return prepared.finished.objective
        _train(prepared)
    return objective_of(prepared)


def prepare_job(config: RunConfig) -> Prepared:
    """Prepare a job of a sweep, in the words of its own log.

    Raises:
        InputError: it cannot be run, or the source was edited after the sweep was planned.
    """
    from experiments.run.prepare import prepare
    from experiments.tracking import parent_of

    hydra = HydraConfig.get()
    prepared = prepare(config, hydra.runtime.output_dir, planned=bool(_told(job.DELIVERED)))
    _refuse_edited(prepared)
    _note_planned(prepared)
    if prepared.finished:
        parent = parent_of(Path(hydra.sweep.dir)) if hydra.mode is RunMode.MULTIRUN else None
        delivered = bool(_told(job.DELIVERED))
        _log.info(_report(prepared.finished, config, parent=parent, delivered=delivered))
    return prepared


def objective_of(prepared: Prepared) -> float:
    """Return what a run that has ended came to."""
    from experiments.registry.claims import look_up

    ended = look_up(Path(prepared.config.outputs), prepared.identity, prepared.folder)
    return ended.objective if ended else float("nan")


def _told(name: str) -> str:
    """Return what a sweep has told its job; nothing outside a sweep."""
    return HydraConfig.get().job.env_set.get(name, "")


def _refuse_edited(prepared: Prepared) -> None:
    """Refuse a job whose source is not the one that its sweep was planned with.

    Its worker may have imported the one and would record the other.
    """
    from experiments.identity.ingredients import source_sha256

    planned = _told(job.SOURCE)
    if planned and planned != source_sha256(prepared.ingredients):
        raise InputError(
            "the source was edited after the sweep was planned; repeat the command to plan it anew"
        )


def _note_planned(prepared: Prepared) -> None:
    """Let a sweep that could not know the device find the run that its plan has led to."""
    from experiments.identity.ingredients import identity_of
    from experiments.registry.claims import note_planned

    planned, config = _told(job.PLANNED), prepared.config
    if planned == prepared.identity:
        return  # whoever claims the run enters it
    folder = prepared.finished.folder if prepared.finished else prepared.folder
    if folder is None or planned != identity_of(
        prepared.ingredients | {"device": config.trainer.device}
    ):
        return
    note_planned(Path(config.outputs), planned, prepared.identity, folder)


def _report(
    finished: Earlier,
    config: RunConfig,
    *,
    parent: Mapping[str, str] | None = None,
    delivered: bool = False,
) -> str:
    """Return a line about a finished run, which is then also where the configuration wants it.

    Args:
        finished: the run.
        config: what asks for it.
        parent: the sweep that asks for it, if any.
        delivered: whether another process takes it to MLflow.
    """
    from experiments.tracking import record_again, run_id_of, what_to_do

    folder, tracking = finished.folder, config.tracking
    run_id, later = finished.run_id, ""
    if folder is not None and tracking.uri is not None and not delivered:
        run_id, problem = record_again(folder, tracking.uri, tracking.experiment, parent)
        if problem is not None:
            later = f"; MLflow has not taken all of it: {what_to_do(problem, folder)}"
    elif folder is not None:
        run_id = run_id_of(folder)
    places = [] if folder is None else [os.path.relpath(folder)]
    places += [f"MLflow run {run_id}"] if run_id else []
    result = "it diverged"
    if not finished.diverged:
        result = f"test accuracy {100 * finished.metrics['test_accuracy']:.2f} %"
    return f"Finished before: {result} ({', '.join(places)}); force=true trains it anew{later}"


@contextmanager
def recorded(prepared: Prepared) -> Iterator[Recorder]:
    """Claim and record a run while it is trained, and tidy its folder when it has ended."""
    from experiments import journal
    from experiments.identity.ingredients import without_secrets
    from experiments.provenance.origin import commit_of_command, tags, write_origin
    from experiments.registry.claims import claimed
    from experiments.run.lifecycle import tidy
    from experiments.tracking import parent_of, recording

    config, parts, folder = prepared.config, prepared.parts, prepared.folder
    hydra = HydraConfig.get()
    overrides = hidden_data(typed(hydra.overrides.task))
    if prepared.warning:
        _log.warning(prepared.warning)
    sweep = Path(hydra.sweep.dir) if hydra.mode is RunMode.MULTIRUN else None
    source = commit_of_command(sweep)
    if source is not None and source.problem is not None:
        _log.warning("Without the whole state of the source: %s", source.problem)
    outputs = Path(config.outputs)
    with claimed(outputs, prepared.identity, folder, earlier=prepared.here) as opened:
        past = journal.history(folder)
        with recording(
            journal=opened,
            past=past,
            uri=config.tracking.uri,
            identity=prepared.identity,
            experiment=config.tracking.experiment,
            name=shortened(" ".join(overrides) or "defaults", 200),
            params=config.leaves(),
            tags=tags(source) | {"data_sha256": parts.splits.sha256, "device": str(parts.device)},
            dataset={
                "name": config.data.target.rpartition(".")[2],
                "digest": parts.splits.sha256[:32],
                "source": config.public()["data"]["root"],
            },
            parent=parent_of(sweep) if sweep else None,
            delivered=bool(_told(job.DELIVERED)),
        ) as recorder:
            if not past.artifacts:
                ingredients = without_secrets(prepared.ingredients, config)
                origin = write_origin(folder, config.public(), overrides, ingredients, source)
                recorder.artifacts(*origin)
            yield recorder
        tidy(folder)
    _log.info("Everything about this run: %s", os.path.relpath(folder))


def _train(prepared: Prepared) -> None:
    from experiments.process.signals import Interrupted, interruptible
    from experiments.run.lifecycle import train_and_test

    with interruptible() as check, recorded(prepared) as recorder:
        try:
            train_and_test(
                config=prepared.config,
                parts=prepared.parts,
                recorder=recorder,
                folder=prepared.folder,
                check=check,
            )
        except SystemExit as error:
            if isinstance(error, Interrupted):
                raise
            # A part of the user's must not end the run as if all were well.
            raise RuntimeError(f"a part of the run called sys.exit({error.code!r})") from error
