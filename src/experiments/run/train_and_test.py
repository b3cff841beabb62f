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
from experiments.run.gradient_clip import gradient_clip
from experiments.run.lifecycle import Run
from experiments.run.progress import progress_bar
from experiments.run.start_panel import print_start_panel
from experiments.tracking import Recorder
from experiments.training.evaluation import evaluate
from experiments.training.loop import fit


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
        check: called after every batch, or a few compiled steps; raises `Interrupted` to stop,
            which saves a checkpoint.

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
            _train(run, check)
            if run.prepare_test(check):
                (test,) = evaluate(
                    models=[parts.model],
                    seeds=[derive(config.seed, "test")],
                    task=parts.task,
                    split=parts.splits.test,
                    limit_batches=config.trainer.limit_batches,
                    after_batch=check,
                    team=parts.team,
                    precision=config.trainer.precision,
                )
                run.keep(test)
        except Interrupted:
            run.save_within_epoch()
            raise
    return recorder.result


def _train(run: Run, check: Callable[[], None]) -> None:
    """Train from the present position to the last epoch, or until an early stop."""
    config, parts, position = run.config, run.parts, run.position
    trainer, splits = config.trainer, parts.splits
    shown = progress_bar(position, lambda: run.metrics, epochs=trainer.epochs, batches=run.steps)
    with shown as advance, run.profiling():

        def after_batch() -> None:
            check()
            advance()

        fit(
            model=parts.model,
            task=parts.task,
            optimizer=parts.optimizer,
            schedule=parts.schedule,
            schedule_interval=config.schedule.interval,
            monitor=trainer.monitor,
            train=splits.train,
            validation=splits.validation,
            epochs=trainer.epochs,
            batch_size=config.data.batch_size,
            accumulate=trainer.accumulate_grad_batches,
            clip=gradient_clip(parts.model, trainer),
            limit_batches=trainer.limit_batches,
            seed=config.seed,
            position=position,
            moments=run.moments,
            gradients=run.gradients,
            precision=trainer.precision,
            marks=run.marks,
            log=run.report,
            after_epoch=run.after_epoch,
            after_batch=after_batch,
            team=parts.team,
        )


def tidy(folder: Path, result: Result) -> None:
    """Delete the checkpoints of a run that has ended, unless it diverged."""
    if not result.diverged:
        Checkpoints(folder / CHECKPOINTS).remove()
