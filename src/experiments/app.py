"""The composition root: a composed configuration becomes a trained, tested and recorded run."""

from __future__ import annotations

import getpass
import json
import logging
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback

from experiments import journal
from experiments.composition import Refused, checked
from experiments.errors import InputError
from experiments.redaction import without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from omegaconf import DictConfig

    from experiments.assembly import Parts
    from experiments.config import RunConfig
    from experiments.provenance import Commit
    from experiments.tracking import Recorder

_log = logging.getLogger(__name__)
_ROOM = 50_000_000  # bytes that should be free for a run's folder


class Preflight(Callback):
    """Refuses a run that cannot work before Hydra creates its folder."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check values, classes, device, data and folders."""
        try:
            _check_writable(config.hydra.run.dir)
            _assemble(checked(config))
        except Exception as error:
            raise Refused(error) from error


def run(cfg: DictConfig) -> float:
    """Train, test and record one run; return its objective.

    The objective is the last epoch's validation accuracy where there is a validation split, else
    the test accuracy; from 0 to 1.
    """
    config = checked(cfg)
    parts = _assemble(config)
    folder = Path(HydraConfig.get().runtime.output_dir)
    overrides = [without_passwords(override) for override in HydraConfig.get().overrides.task]

    from experiments.interruption import Interrupted, interruptible
    from experiments.provenance import commit
    from experiments.tracking import recording

    source = commit(Path(__file__).parent)
    with (
        interruptible() as check,
        recording(
            folder=folder,
            uri=config.tracking.uri,
            experiment=config.tracking.experiment,
            name=(" ".join(overrides) or "defaults")[:200],
            params=config.leaves(),
            tags=_tags(source, parts),
            dataset={
                "name": config.data.target.rpartition(".")[2],
                "digest": parts.splits.sha256[:32],
                "source": config.data.root,
            },
        ) as recorder,
    ):
        recorder.artifacts(*_write_origin(folder, config, overrides, source))
        try:
            return _train_and_test(config, parts, recorder, folder, check)
        except SystemExit as error:
            if isinstance(error, Interrupted):
                raise
            # A part of the user's must not end the run as if all were well.
            raise RuntimeError(f"a part of the run called sys.exit({error.code!r})") from error


def _assemble(config: RunConfig) -> Parts:
    if config.tracking.uri is not None:
        from experiments.tracking import sender

        sender(config.tracking.uri)  # MLflow is imported there while torch is imported here
    # Idle OpenMP threads spin for so many rounds before they sleep. With libgomp's own 300,000 an
    # epoch takes minutes once other processes want the cores; see benchmarks/contention.py.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    from experiments.assembly import assemble

    return assemble(config)


def _train_and_test(
    config: RunConfig,
    parts: Parts,
    recorder: Recorder,
    folder: Path,
    check: Callable[[], None],
) -> float:
    from experiments.checkpoint import save_weights
    from experiments.data import count_batches
    from experiments.progress import progress_bar
    from experiments.training import evaluate, fit

    trainer, splits = config.trainer, parts.splits
    objective = 0.0

    def log(metrics: Mapping[str, float], epoch: int) -> None:
        nonlocal objective
        objective = metrics.get("val_accuracy", 0.0)
        recorder.metrics(metrics, epoch)
        validation = "".join(
            f" {name}: {metrics[key]:.4f}"
            for key, name in (("val_loss", "Validation loss"), ("val_accuracy", "accuracy"))
            if key in metrics
        )
        _log.info("Epoch: %d Loss: %.3f%s", epoch, metrics["train_loss"], validation)

    batches = count_batches(splits.train, config.data.batch_size, trainer.limit_batches)
    with progress_bar(trainer.epochs * batches) as advance:

        def after_batch() -> None:
            check()
            advance()

        fit(
            model=parts.model,
            optimizer=parts.optimizer,
            schedule=parts.schedule,
            schedule_interval=config.schedule.interval,
            train=splits.train,
            validation=splits.validation,
            epochs=trainer.epochs,
            batch_size=config.data.batch_size,
            limit_batches=trainer.limit_batches,
            seed=config.seed,
            log=log,
            after_batch=after_batch,
        )
    test = evaluate(
        model=parts.model,
        split=splits.test,
        limit_batches=trainer.limit_batches,
        after_batch=check,
    )
    recorder.metrics({"test_loss": test.loss, "test_accuracy": test.accuracy}, trainer.epochs)
    recorder.tags({"weights_sha256": save_weights(parts.model, folder / "weights.safetensors")})
    recorder.artifacts("weights.safetensors")
    _log.info(
        "Accuracy of the network on the %d test images: %d %% (%.2f %%)",
        test.total,
        100 * test.correct / test.total,
        100 * test.correct / test.total,
    )
    _log.info("Everything about this run: %s", os.path.relpath(folder))
    return objective if splits.validation is not None else test.accuracy


def _tags(source: Commit | None, parts: Parts) -> dict[str, str]:
    import torch

    from experiments.provenance import version

    tags = {
        "data_sha256": parts.splits.sha256,
        "device": str(parts.device),
        "version.experiments": version("experiments"),
        "version.python": platform.python_version(),
        "version.torch": torch.__version__,
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    if source is not None:
        tags |= {
            "mlflow.source.git.commit": source.sha,
            "git_commit": source.sha,
            "git_dirty": str(source.dirty).lower(),
        }
    return tags


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _write_origin(
    folder: Path, config: RunConfig, overrides: list[str], source: Commit | None
) -> list[str]:
    """Write what the run was made from; return the files' names."""
    from experiments.provenance import environment

    files = {
        "config.yaml": yaml.safe_dump(config.public(), sort_keys=False).encode(),
        "overrides.yaml": yaml.safe_dump(overrides).encode(),
        "environment.json": json.dumps(environment(), indent=2).encode(),
    }
    if source is not None and source.dirty:
        files["git.patch"] = source.patch
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return list(files)


def _check_writable(run_dir: str) -> None:
    """Check that a run's folder can be made and filled, leaving nothing behind.

    Raises:
        InputError: it cannot.
    """
    if not run_dir:
        raise InputError("hydra.run.dir=: is empty; name a folder")
    folder = Path(run_dir)
    if (folder / journal.NAME).exists():
        raise InputError(f"hydra.run.dir={folder}: holds another run; name a new folder")
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"hydra.run.dir={folder}: cannot write in {existing} ({error.strerror}); name another "
            "folder, or make this one writable"
        ) from error
    free = shutil.disk_usage(existing).free
    if free < _ROOM:
        raise InputError(
            f"hydra.run.dir={folder}: {free:,} bytes are free in {existing} and {_ROOM:,} are "
            "needed; make room, or name another folder"
        )
