"""The composition root: a composed configuration becomes a trained, tested and recorded run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from experiments import job
from experiments.composition import Refused, check_hydra, checked, past_hydra
from experiments.errors import InputError
from experiments.redaction import hidden_data

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from experiments.claims import Earlier
    from experiments.config import RunConfig
    from experiments.preparation import Prepared
    from experiments.provenance import Commit
    from experiments.tracking import Recorder

_log = logging.getLogger(__name__)


_prepared: Prepared | None = None  # from the check before Hydra makes the folder to the run


class Preflight(Callback):
    """Refuses a run that cannot work, and reports a finished one, before Hydra makes a folder."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check values, classes, device, data, folders and tracking; look for an earlier run."""
        global _prepared
        from experiments.preparation import prepare

        try:
            check_hydra(config)
            _prepared = prepare(checked(config), config.hydra.run.dir)
        except Exception as error:
            raise Refused(error) from error
        if _prepared.finished:
            print(_report(_prepared.finished, _prepared.config))  # noqa: T201  (no folder, so no log)
            raise SystemExit(0)
        with read_write(config), open_dict(config):
            OmegaConf.update(config, "hydra.run.dir", str(_prepared.folder))


@past_hydra
def run(cfg: DictConfig) -> float:
    """Train, test and record one run; return its objective.

    The objective is the validation accuracy of the epoch that is tested where there is a validation
    split, else the test accuracy; from 0 to 1, and NaN for a run that diverged. A run that is
    finished is not trained again, and one that was interrupted is continued: see
    `experiments.claims`.
    """
    global _prepared
    config = checked(cfg)
    prepared, _prepared = _prepared, None
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
    from experiments.preparation import prepare

    hydra = HydraConfig.get()
    prepared = prepare(config, hydra.runtime.output_dir, ask=not _told(job.DELIVERED))
    _refuse_edited(prepared)
    if prepared.finished:
        _log.info(_report(prepared.finished, config))
    return prepared


def objective_of(prepared: Prepared) -> float:
    """Return what a run that has ended came to."""
    from experiments.claims import look_up

    ended = look_up(Path(prepared.config.outputs), prepared.identity, prepared.folder)
    return ended.objective if ended else float("nan")


def _told(name: str) -> str:
    """Return what a sweep has told its job; nothing outside a sweep."""
    return HydraConfig.get().job.env_set.get(name, "")


def _refuse_edited(prepared: Prepared) -> None:
    """Refuse a job whose source is not the one that its sweep was planned with.

    Its worker may have imported the one and would record the other.
    """
    from experiments.identity import source_sha256

    planned = _told(job.SOURCE)
    if planned and planned != source_sha256(prepared.ingredients):
        raise InputError(
            "the source was edited after the sweep was planned; repeat the command to plan it anew"
        )


def _report(finished: Earlier, config: RunConfig) -> str:
    from experiments.tracking import run_id_of

    places = []
    if finished.folder is not None:
        places.append(os.path.relpath(finished.folder))
    run_id = finished.run_id or (finished.folder and run_id_of(finished.folder))
    if run_id:
        places.append(f"MLflow run {run_id}")
    result = "it diverged"
    if not finished.diverged:
        result = f"test accuracy {100 * finished.metrics['test_accuracy']:.2f} %"
    later = ""
    if config.tracking.uri is not None and not run_id:
        later = f"; `experiments sync {places[0]} --uri {config.tracking.uri}` takes it to MLflow"
    return f"Finished before: {result} ({', '.join(places)}); force=true trains it anew{later}"


@contextmanager
def recorded(prepared: Prepared, source: Commit | None) -> Iterator[Recorder]:
    """Claim and record a run while it is trained, and tidy its folder when it has ended."""
    from experiments import journal
    from experiments.claims import claimed
    from experiments.identity import without_secrets
    from experiments.lifecycle import tidy
    from experiments.provenance import tags, write_origin
    from experiments.tracking import parent_of, recording

    config, parts, folder = prepared.config, prepared.parts, prepared.folder
    hydra = HydraConfig.get()
    overrides = hidden_data(OmegaConf.to_container(hydra.overrides.task))
    if prepared.warning:
        _log.warning(prepared.warning)
    outputs = Path(config.outputs)
    with claimed(outputs, prepared.identity, folder, earlier=prepared.here) as opened:
        past = journal.history(folder)
        with recording(
            journal=opened,
            past=past,
            uri=config.tracking.uri,
            identity=prepared.identity,
            experiment=config.tracking.experiment,
            name=(" ".join(overrides) or "defaults")[:200],
            params=config.leaves(),
            tags=tags(source) | {"data_sha256": parts.splits.sha256, "device": str(parts.device)},
            dataset={
                "name": config.data.target.rpartition(".")[2],
                "digest": parts.splits.sha256[:32],
                "source": config.public()["data"]["root"],
            },
            parent=parent_of(Path(hydra.sweep.dir)) if hydra.mode is RunMode.MULTIRUN else None,
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
    from experiments.interruption import Interrupted, interruptible
    from experiments.lifecycle import train_and_test
    from experiments.provenance import commit

    source = commit(Path(__file__).parent)
    with interruptible() as check, recorded(prepared, source) as recorder:
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
