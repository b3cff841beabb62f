"""The course of a run, from its last checkpoint to its end: train, save, stop, test."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from experiments.config import RunConfig
from experiments.data.batches import count_batches
from experiments.process.colour import GOOD
from experiments.process.signals import Interrupted
from experiments.randomness import derive, random_state
from experiments.registry.earlier import WARNING, Result
from experiments.registry.integrity import CHECKPOINTS, WEIGHTS
from experiments.run.build import Parts
from experiments.run.checkpoint import Checkpoints, save_weights
from experiments.run.early_end import explained
from experiments.run.lines import accuracy_line, epoch_line, place_of
from experiments.run.progress import progress_bar
from experiments.run.restore import check_journal, restore
from experiments.run.result_warning import is_finite, tags_of_divergence, warning_about
from experiments.run.start_panel import print_start_panel
from experiments.tracking import Recorder
from experiments.training.best_epoch import Best
from experiments.training.evaluation import Evaluation, evaluate
from experiments.training.loop import Position, fit

_log = logging.getLogger(__name__)


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
            if run.prepare_test():
                (test,) = evaluate(
                    models=[parts.model],
                    seeds=[derive(config.seed, "test")],
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


class Run:
    """A run's objects, its position in the training and its best epoch."""

    def __init__(
        self, config: RunConfig, parts: Parts, identity: str, recorder: Recorder, folder: Path
    ) -> None:
        self.config, self.parts = config, parts
        self._recorder, self._folder = recorder, folder
        trainer = config.trainer
        self.checkpoints = Checkpoints(folder / CHECKPOINTS, identity)
        self.diverged = False
        self.position = Position()
        self.saved: str | None = None
        """the place of the last checkpoint, in words"""
        self._best = Best(trainer.monitor, trainer.patience, trainer.min_delta)
        self._best_weights: dict[str, Tensor] = {}
        self._metrics: Mapping[str, float] = {}
        self._batches = count_batches(
            parts.splits.train, config.data.batch_size, trainer.limit_batches
        )

    def restore(self) -> None:
        """Restore the last checkpoint, if there is one.

        Raises:
            InputError: the checkpoint is not of this run, or the journal does not belong to it.
        """
        state = self.checkpoints.load()
        if state is None:
            return
        check_journal(self._folder, state)
        restored = restore(
            self.checkpoints.folder,
            state,
            self.parts,
            (self.position, self._best),
            epochs=self.config.trainer.epochs,
            batches=self._batches,
        )
        self.position, self._best = restored.position, restored.best
        self._best_weights = restored.best_weights
        self.saved = self._place
        _log.info("Resuming at %s", self.saved)

    @property
    def _place(self) -> str:
        return place_of(self.position, epochs=self.config.trainer.epochs, batches=self._batches)

    def save(self) -> None:
        """Write a checkpoint of the run's present state."""
        self.checkpoints.save(
            self.position.steps,
            {
                "model": self.parts.model.state_dict(),
                "optimizer": self.parts.optimizer.state_dict(),
                "schedule": self.parts.schedule.state_dict(),
                "random": random_state(self.parts.device),
                "position": dataclasses.asdict(self.position),
                "journal": dataclasses.asdict(self._recorder.place),
                "best": {"epoch": self._best.epoch, "metrics": self._best.metrics},
                "best_weights": self._best_weights,
            },
        )
        self.saved = self._place

    def save_within_epoch(self) -> None:
        """Write a checkpoint in the middle of an epoch if the loss and all weights are finite."""
        if self.position.batches and not self.diverged and self._is_finite(self.position.loss):
            self.save()

    def train(self, check: Callable[[], None]) -> None:
        """Train from the present position to the last epoch, or until an early stop."""
        config, parts, position = self.config, self.parts, self.position
        trainer, splits = config.trainer, parts.splits
        shown = progress_bar(
            position, lambda: self._metrics, epochs=trainer.epochs, batches=self._batches
        )
        with shown as advance:

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
                position=position,
                log=self.report,
                after_epoch=self.after_epoch,
                after_batch=after_batch,
            )

    def report(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Record an epoch's metrics and print them in one line."""
        self._metrics = metrics
        self._recorder.metrics(metrics, epoch)
        best = "val_loss" in metrics and self._best.is_improved_by(metrics)
        _log.info(epoch_line(metrics, epoch), extra={"style": GOOD if best else None})

    def after_epoch(self) -> None:
        """Check the last epoch for divergence and for the best metric, and save a checkpoint."""
        trainer, position = self.config.trainer, self.position
        epoch = position.epoch - 1
        if not self.diverged and not self._is_finite(self._metrics["train_loss"]):
            self.diverged = True
            self._recorder.tags(tags_of_divergence(epoch))
            _log.warning("Epoch %d: the loss or a weight is NaN or infinite", epoch)
        if self.diverged:
            position.stopped = trainer.stop_on_divergence
            return  # no checkpoint, so the last one is finite
        if "val_loss" in self._metrics and self._best.update(self._metrics, epoch):
            if trainer.save_best:
                weights = self.parts.model.state_dict()
                self._best_weights = {key: value.clone() for key, value in weights.items()}
        elif "val_loss" in self._metrics and self._best.exhausted(epoch):
            position.stopped = True
            _log.info(
                "Stopped: %s has not improved since epoch %d", trainer.monitor, self._best.epoch
            )
        if epoch % trainer.checkpoint_every == 0 or epoch == trainer.epochs or position.stopped:
            self.save()

    def _is_finite(self, loss: float) -> bool:
        return is_finite(loss, self.parts.model.state_dict().values())

    def prepare_test(self) -> bool:
        """Load the best weights if they are to be tested; return False for a diverged run."""
        if self.diverged:
            _log.warning("The run has diverged; it is tagged so, not tested, and keeps no model")
            return False
        if self.config.trainer.save_best and self._best_weights:
            self.parts.model.load_state_dict(self._best_weights)
        return True

    def keep(self, test: Evaluation) -> None:
        """Record the test metrics, and save the weights."""
        epoch = self.position.epoch - 1
        if self.config.trainer.save_best and self._best_weights:
            best = {f"best_{key}": value for key, value in self._best.metrics.items()}
            self._recorder.metrics({"best_epoch": float(self._best.epoch), **best}, epoch)
        elif self.config.trainer.save_best:
            monitor = self.config.trainer.monitor
            _log.warning(
                "%s was NaN or infinite in every epoch; the last weights are kept", monitor
            )
        self._recorder.metrics({"test_loss": test.loss, "test_accuracy": test.accuracy}, epoch)
        weights = self.parts.model.state_dict()
        sha256 = save_weights(weights, self._folder / WEIGHTS)
        self._recorder.tags({"weights_sha256": sha256})
        self._recorder.artifacts(WEIGHTS)
        warning = warning_about(test, self.parts.splits.test.labels)
        _log.info(accuracy_line(test), extra={"style": None if warning else GOOD})
        if warning:
            self._recorder.tags({WARNING: warning})
            _log.warning("The run ended %s", warning)
