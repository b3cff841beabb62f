"""A whole run: restore, train, test, and leave the right files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.config import RunConfig
from experiments.process.signals import Interrupted
from experiments.randomness import derive
from experiments.registry.earlier import Result
from experiments.registry.integrity import CHECKPOINTS
from experiments.run.build import Parts
from experiments.run.checkpoint import Checkpoints
from experiments.run.early_end import explained
from experiments.run.lifecycle import Run
from experiments.run.start_panel import print_start_panel
from experiments.tracking import Recorder
from experiments.training.evaluation import evaluate


def train_and_test(
    *,
    config: RunConfig,
    parts: Parts,
    identity: str,
    overrides: Sequence[str],
    recorder: Recorder,
    folder: Path,
    check: Callable[[], None],
) -> Result:
    """Train and test a run, from its last checkpoint if it has one; return its result.

    Args:
        config: the run's configuration.
        parts: the run's objects, as `assemble` returns them.
        identity: the hash of everything that determines the result; checkpoints hold it too.
        overrides: the overrides without secrets, to be shown.
        recorder: receives the run's reports.
        folder: the run's folder.
        check: called after every batch; raises `Interrupted` to stop, which saves a checkpoint.

    Raises:
        InputError: the checkpoint cannot be used.
        RunError: a file cannot be written.
        RuntimeError: a part of the run called `sys.exit`.
    """
    run = Run(config, parts, identity, recorder, folder)
    run.restore()
    print_start_panel(config, parts, overrides, folder, resumes=run.saved)
    with explained(config, folder, lambda: run.saved):
        try:
            run.train(check)
            if run.prepare_test(check):
                (test,) = evaluate(
                    models=[parts.model],
                    seeds=[derive(config.seed, "test")],
                    task=parts.task,
                    split=parts.splits.test,
                    limit_batches=config.trainer.limit_batches,
                    after_batch=check,
                )
                run.keep(test)
        except Interrupted:
            run.save_within_epoch()
            raise
    return recorder.result


def tidy(folder: Path, result: Result) -> None:
    """Delete the checkpoints of a run that has ended, unless it diverged."""
    if not result.diverged:
        Checkpoints(folder / CHECKPOINTS).remove()
