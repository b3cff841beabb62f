"""Jobs of a sweep as lanes: each is prepared, recorded, saved and tested as if it were alone."""

from __future__ import annotations

import logging
import resource
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from omegaconf import DictConfig

from experiments.composition.hydra_config import checked
from experiments.config import RunConfig
from experiments.lanes.lane import Lane
from experiments.lanes.training import fit_lanes
from experiments.process.logs import own_log
from experiments.process.signals import Interrupted, interruptible
from experiments.randomness import derive
from experiments.run.lifecycle import Run
from experiments.run.request import number_of, request_of
from experiments.run.session import prepare_job, recorded
from experiments.tracking import Recorder
from experiments.tracking.current_run import refused
from experiments.training.evaluation import evaluate


class LeftOutError(Exception):
    """The stack has failed; the job must be trained alone, from its present state."""


class Job:
    """A job that is trained as a lane."""

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        self.number = number_of(config.hydra)
        self.objective: float | None = None
        self.error: BaseException | None = None
        """the reason why it has ended without an objective"""
        self._exits = ExitStack()
        self._handlers: list[logging.Handler] = []
        self._recorder: Recorder | None = None
        self._run: Run | None = None
        self._checked: RunConfig | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has an objective or an error."""
        return self.objective is not None or self.error is not None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Work for this job: with its configuration and log, and so that an error ends it alone."""
        root = logging.getLogger()
        HydraConfig.instance().set_config(self.config)
        for handler in self._handlers:
            root.addHandler(handler)
        try:
            with env_override(self.config.hydra.job.env_set):
                yield
        except Interrupted:
            raise
        except BaseException as error:  # noqa: BLE001  (ends this job, and is reported)
            self.end(error)
        finally:
            for handler in self._handlers:
                root.removeHandler(handler)

    def check(self) -> None:
        """Check its configuration, before a run changes environment variables that it names."""
        HydraConfig.instance().set_config(self.config)
        with self.at_work():
            self._checked = checked(self.config)

    def begin(self, lanes: int) -> None:
        """Prepare it and open its run, unless an earlier run is finished.

        Args:
            lanes: the number of lanes of the stack, for the run's tag.
        """
        HydraConfig.instance().set_config(self.config)
        self._handlers = own_log(self.config)
        with self.at_work():
            request = request_of(self.config.hydra)
            assert self._checked is not None  # noqa: S101  (a job that fails the check has ended)
            prepared = prepare_job(self._checked, request)
            if prepared.finished:
                self.objective = prepared.finished.objective
                return
            self._recorder = self._exits.enter_context(recorded(prepared, request))
            self._recorder.tags({"lanes": str(lanes)})
            told = prepared.config, prepared.parts, prepared.identity
            self._run = Run(*told, self._recorder, prepared.folder)
            self._run.restore()

    @property
    def run(self) -> Run:
        """Its run; only for a job that has begun."""
        assert self._run is not None  # noqa: S101  (called for jobs that have begun)
        return self._run

    def lane(self) -> Lane:
        """Return its lane: the objects and settings that the training loop needs."""
        run, config, parts = self.run, self.run.config, self.run.parts
        return Lane(
            model=parts.model,
            task=parts.task,
            optimizer=parts.optimizer,
            schedule=parts.schedule,
            schedule_interval=config.schedule.interval,
            monitor=config.trainer.monitor,
            train=parts.splits.train,
            validation=parts.splits.validation,
            epochs=config.trainer.epochs,
            seed=config.seed,
            position=run.position,
            log=self._guarded(run.report),
            after_epoch=self._guarded(run.after_epoch),
            gradients=run.gradients,
        )

    def _guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return a function whose errors end this job and no other lane."""

        def call(*arguments: Any) -> None:
            if self.error is None:
                with self.at_work():
                    function(*arguments)
            if self.error is not None:
                self.run.position.stopped = True

        return call

    def save_within_epoch(self) -> None:
        """Write a checkpoint in the middle of an epoch, if it has begun."""
        with self.at_work():
            if self._run is not None:
                self._run.save_within_epoch()

    def end(self, error: BaseException | None = None) -> None:
        """Close its run with the status that belongs to the error, if any."""
        recorder, self._recorder = self._recorder, None
        self.error = error or self.error
        told = (type(error), error, error.__traceback__) if error else (None, None, None)
        try:
            self._exits.__exit__(*told)
        except BaseException as raised:  # noqa: BLE001  (the given error, or a worse one)
            self.error = raised
        if self.error is None and recorder is not None:
            self.objective = recorder.result.objective


def run_lanes(configs: Sequence[DictConfig]) -> Iterator[Job]:
    """Train jobs as lanes of a stack; yield each job once it has ended, failed ones too.

    A job that fails ends alone. If the stack itself fails, the jobs left end with `LeftOutError`,
    and their runs can be resumed. On SIGINT and SIGTERM they save a checkpoint and end with
    `Interrupted`; on the second signal the process ends.

    Args:
        configs: the jobs' configurations with Hydra's part; they agree in all that lanes share.
    """
    _allow_many_files()
    pending = [Job(config) for config in configs]
    with interruptible() as check:
        error: BaseException | None = None
        try:
            for each in pending:
                each.check()
            for each in list(pending):
                check()
                if not each.has_ended:
                    each.begin(len(configs))
                if each.has_ended:
                    pending.remove(each)
                    yield each
            for each in _train(list(pending), check):
                pending.remove(each)
                yield each
        except Interrupted as interrupted:
            error = interrupted
            for each in _left(pending):
                each.save_within_epoch()
        except (Exception, SystemExit) as failure:  # noqa: BLE001  (each job is then trained alone)
            traceback.print_exception(failure)
            error = LeftOutError(f"{type(failure).__name__}: {failure}")
        yield from _end(pending, error)


def _train(jobs: Sequence[Job], check: Callable[[], None]) -> Iterator[Job]:
    if not jobs:
        return
    lanes = [each.lane() for each in jobs]
    by_lane = {id(lane): each for lane, each in zip(lanes, jobs, strict=True)}
    config = jobs[0].run.config
    with refused():
        for leaving in fit_lanes(
            lanes,
            batch_size=config.data.batch_size,
            limit_batches=config.trainer.limit_batches,
            after_batch=check,
        ):
            yield from _test([by_lane[id(lane)] for lane in leaving], check)


def _test(jobs: Sequence[Job], check: Callable[[], None]) -> Iterator[Job]:
    """Test jobs that have left the stack on shared batches, and end them."""
    tested = []
    for each in _left(jobs):
        with each.at_work():
            if each.run.prepare_test(check):
                tested.append(each)
    if tested:
        first = tested[0].run
        results = evaluate(
            models=[each.run.parts.model for each in tested],
            task=first.parts.task,
            seeds=[derive(each.run.config.seed, "test") for each in tested],
            split=first.parts.splits.test,
            limit_batches=first.config.trainer.limit_batches,
            after_batch=check,
        )
        for each, result in zip(tested, results, strict=True):
            with each.at_work():
                each.run.keep(result)
    yield from _end(jobs)


def _end(jobs: Sequence[Job], error: BaseException | None = None) -> Iterator[Job]:
    for each in jobs:
        if not each.has_ended:
            with each.at_work():
                each.end(error)
        yield each


def _left(jobs: Sequence[Job]) -> list[Job]:
    return [each for each in jobs if not each.has_ended]


def _allow_many_files() -> None:
    """Raise the limit on open files to its maximum, because every lane holds a few."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
