"""The state of a run, from its last checkpoint to its end: what an epoch and the test change."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from torch import Tensor

from experiments.callbacks.moments import Moments, load_weights
from experiments.config import RunConfig
from experiments.data.batches import count_batches
from experiments.identity.measures import steer
from experiments.journal import Place
from experiments.process.colour import GOOD
from experiments.randomness import random_state, set_random_state
from experiments.registry.earlier import WARNING
from experiments.registry.integrity import CHECKPOINTS, WEIGHTS
from experiments.run.build import Parts
from experiments.run.callback_training import CallbackTraining
from experiments.run.checkpoint import check_can_hold, save_weights
from experiments.run.choose_gradients import gradients_of
from experiments.run.keep_in_step import check_agreement, names_of_first
from experiments.run.lines import epoch_line, place_of, test_line
from experiments.run.measure_again import measure_again
from experiments.run.profile import Profile
from experiments.run.restore import check_journal, loss_state, restore
from experiments.run.result_warning import is_finite, tags_of_divergence, warning_about
from experiments.run.shared_checkpoints import SharedCheckpoints
from experiments.tracking import Recorder
from experiments.tracking.current_run import end_active_run
from experiments.training.best_epoch import Best
from experiments.training.evaluation import Evaluation
from experiments.training.gradients import scaler_state
from experiments.training.marks import NO_MARKS, Marks
from experiments.training.position import Position

_log = logging.getLogger(__name__)


class Run:
    """A run's objects, its position in the training and its best epoch."""

    def __init__(
        self, config: RunConfig, parts: Parts, identity: str, recorder: Recorder, folder: Path
    ) -> None:
        self.config, self.parts = config, parts
        self._recorder, self._folder = recorder, folder
        trainer = config.trainer
        self.checkpoints = SharedCheckpoints(
            folder / CHECKPOINTS, identity, parts.team, parts.device
        )
        self.diverged = False
        self.position = Position()
        self._profile = None
        if trainer.profile is not None and parts.team.is_first:
            self._profile = Profile(trainer.profile, parts.device, recorder, folder)
        self.marks: Marks = self._profile or NO_MARKS
        self.gradients = gradients_of(config, parts, lambda: self.position, self.marks)
        self.saved: str | None = None
        """the place of the last checkpoint, in words"""
        name = trainer.monitor.removeprefix("val_")
        is_maximized = config.task.direction_of(name) == "maximize"
        self._best = Best(trainer.monitor, is_maximized, trainer.patience, trainer.min_delta)
        self._training = CallbackTraining(
            parts, lambda: self.position, recorder, folder, epochs=trainer.epochs
        )
        self.moments = Moments(parts.callbacks, self._training, end_active_run)
        self._best_weights: dict[str, Tensor] = {}
        self.metrics: Mapping[str, float] = {}
        """the metrics of the last epoch"""
        self._batches = count_batches(
            parts.splits.train, config.data.batch_size, trainer.limit_batches
        )
        self.steps = -(-self._batches // trainer.accumulate_grad_batches)
        """the number of optimizer steps of an epoch"""

    def restore(self) -> None:
        """Restore the last checkpoint, if there is one, and begin the callbacks.

        Raises:
            InputError: the checkpoint is not of this run, or the journal does not belong to it.
        """
        state = self.checkpoints.load()
        if state is None:
            self.moments.fit_start({})
            check_can_hold(self.moments.states())
            return
        if self.parts.team.is_first:
            check_journal(self._folder, state)
        restored = restore(
            self.checkpoints.folder,
            state,
            self.parts,
            self.gradients.scaler,
            (self.position, self._best),
            steered=steer(self.config),
            epochs=self.config.trainer.epochs,
            batches=self._batches,
            accumulate=self.config.trainer.accumulate_grad_batches,
        )
        self.position, self._best = restored.position, restored.best
        self._best_weights = restored.best_weights
        self.moments.fit_start(state["callbacks"]["states"])
        self._training.restore(state["callbacks"]["training"], Place(**state["journal"]))
        set_random_state(self.parts.device, state["random"])  # a callback may have drawn numbers
        self.saved = self._place
        _log.info("Resuming at %s", self.saved)

    @property
    def _place(self) -> str:
        return place_of(self.position, epochs=self.config.trainer.epochs, batches=self._batches)

    def profiling(self) -> AbstractContextManager[object]:
        """Return the context of a training, in which its first steps are profiled if asked for."""
        if self._profile is None:
            return nullcontext()
        return self._profile.running(self.config.trainer.epochs * self.steps - self.position.steps)

    def save(self) -> None:
        """Write a checkpoint of the run's present state."""
        self.checkpoints.save(
            self.position.steps,
            {
                "model": self.parts.model.state_dict(),
                "optimizer": self.parts.optimizer.state_dict(),
                "schedule": self.parts.schedule.state_dict(),
                "loss": loss_state(self.parts.task),
                "scaler": scaler_state(self.gradients.scaler),
                "callbacks": {
                    "training": self._training.state(),
                    "states": self.moments.states(),
                },
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

    def report(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Record an epoch's metrics, those of callbacks too, and print them in one line."""
        self.metrics = metrics
        self._recorder.metrics(self._training.taken(metrics), epoch)
        best = "val_loss" in metrics and self._best.is_improved_by(metrics)
        _log.info(epoch_line(metrics, epoch), extra={"style": GOOD if best else None})

    def after_epoch(self) -> None:
        """Check the last epoch for divergence and for the best metric, and save a checkpoint."""
        trainer, position = self.config.trainer, self.position
        epoch = position.epoch - 1
        self._training.stop_reason = check_agreement(
            self.parts.team, self.parts.model, self._training.stop_reason, epoch
        )
        if not self.diverged and not self._is_finite(self.metrics["train_loss"]):
            self.diverged = True
            self._recorder.tags(tags_of_divergence(epoch))
            _log.warning("Epoch %d: the loss or a weight is NaN or infinite", epoch)
        if self.diverged:
            position.stopped = trainer.stop_on_divergence
            return  # no checkpoint, so the last one is finite
        if "val_loss" in self.metrics and self._best.update(self.metrics, epoch):
            if trainer.save_best:
                with self.moments.evaluated_weights(self.parts.model):
                    weights = self.parts.model.state_dict()
                    self._best_weights = {key: value.clone() for key, value in weights.items()}
        elif "val_loss" in self.metrics and self._best.exhausted(epoch):
            position.stopped = True
            _log.info(
                "Stopped: %s has not improved since epoch %d", trainer.monitor, self._best.epoch
            )
        if self._training.stop_reason is not None and epoch < trainer.epochs:
            position.stopped = True
            _log.info("Stopped by a callback: %s", self._training.stop_reason)
        if epoch % trainer.checkpoint_every == 0 or epoch == trainer.epochs or position.stopped:
            self.save()

    def _is_finite(self, loss: float) -> bool:
        return is_finite(loss, self.parts.model.state_dict().values())

    def prepare_test(self, check: Callable[[], None]) -> bool:
        """Load the weights to be tested, and measure metrics that no epoch has measured on them.

        Args:
            check: called after every batch; raises `Interrupted` to stop.

        Returns:
            False for a diverged run, which is not tested.
        """
        if self.diverged:
            _log.warning("The run has diverged; it is tagged so, not tested, and keeps no model")
            return False
        if self.config.trainer.save_best and self._best_weights:
            self.parts.model.load_state_dict(self._best_weights)
        else:
            load_weights(self.parts.model, self.moments.weights(self.parts.model))
        self._validate(check)
        return True

    def _validate(self, check: Callable[[], None]) -> None:
        """Measure the metrics without any validation value, of a run resumed after its epochs."""
        has, epoch = self._recorder.result.metrics, self.position.epoch - 1
        lacking = [name for name in self.parts.task.metrics if f"val_{name}" not in has]
        if lacking := names_of_first(self.parts.team, lacking, self.parts.device):
            told = self.config, self.parts
            found = measure_again(lacking, "validation", *told, epoch=epoch, after_batch=check)
            self._recorder.metrics(found, epoch)

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
        metrics = test.named("test")
        self._training.test = self.parts.splits.test
        self.moments.test_end(metrics)
        self._recorder.metrics(self._training.taken(metrics), epoch)
        weights = self.parts.model.state_dict()
        if self.parts.team.is_first:
            sha256 = save_weights(weights, self._folder / WEIGHTS)
            self._recorder.tags({"weights_sha256": sha256})
            self._recorder.artifacts(WEIGHTS)
        warning = warning_about(test, self.parts.task, self.parts.splits.test.labels)
        _log.info(test_line(test), extra={"style": None if warning else GOOD})
        if warning:
            self._recorder.tags({WARNING: warning})
            _log.warning("The run ended %s", warning)
