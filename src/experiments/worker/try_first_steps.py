"""A trial of each distinct choice of a sweep's parts: built and stepped before a job begins.

A model is kept while consecutive jobs have the same one. Every optimizer and schedule is built,
which is cheap and finds errors in their values. If several differ only in real numbers, only the
first is stepped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from experiments.composition.hydra_errors import in_one_line
from experiments.config import RunConfig
from experiments.data.splits import Splits, hold_out
from experiments.errors import InputError
from experiments.identity.canonical import canonical
from experiments.run.build import build_model, build_updates, count_steps, load_splits
from experiments.run.build_task import build_callbacks, build_task
from experiments.run.compiling import obstacle
from experiments.run.processes import check_dense
from experiments.run.try_first_step import FEW, compute_gradients, step
from experiments.run.try_smallest_piece import smallest_piece, try_smallest_piece
from experiments.tasks import Task


def try_choices(configs: Sequence[RunConfig]) -> Iterator[str | None]:
    """Yield each configuration's error in one line, None if its training can begin.

    Configurations with the same data and model should be neighbours: the last model is kept.
    """
    trials = _Trials()
    for config in configs:
        try:
            trials.run(config)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (reported; the others are tried)
            yield in_one_line(error) or f"{type(error).__name__}: {error}"
        else:
            yield None


class _Trials:
    """Trials of first steps, which share the last model."""

    def __init__(self) -> None:
        self._last: tuple[str, nn.Module] | None = None
        self._stepped: set[str] = set()

    def run(self, config: RunConfig) -> None:
        """Build the parts of a configuration, and try a step if none of the same form was tried.

        Raises:
            InputError: a part cannot be built, or its first step fails.
        """
        splits = load_splits(config)
        task = build_task(config.task, splits)
        build_callbacks(config)
        outputs = task.outputs(splits)
        told = [splits.sha256, config.model.model_dump(), config.trainer.device, outputs]
        key = canonical(told)
        model = self._model(key, config, task, splits)
        training = range(len(splits.train) - config.data.validation_size)
        updates = build_updates(config, model, count_steps(config, training))
        tried = config.optimizer, config.schedule, config.task
        check_dense(config.trainer, model)
        parts = [_form(part.model_dump()) for part in tried]
        trainer, data = config.trainer, config.data
        few = min(FEW, smallest_piece(config, training))
        kinds = [key, parts, trainer.deterministic, trainer.precision, few]
        if trainer.compile is not None:  # each shape of a batch is compiled apart
            shapes = [data.batch_size, data.validation_size, trainer.limit_batches, trainer.shards]
            kinds += [trainer.compile, shapes]
        kind = canonical(kinds)
        if kind not in self._stepped:
            compute_gradients(model, task, splits.train, trainer.precision)
            step(*updates)
            try_smallest_piece(config, model, task, splits.train, few)
            if trainer.compile is not None:
                _try_compiled(config, model, task, splits)
            self._stepped.add(kind)

    def _model(self, key: str, config: RunConfig, task: Task, splits: Splits) -> nn.Module:
        if self._last is None or self._last[0] != key:
            self._last = None  # freed before the next is built: models may be large
            self._last = key, build_model(config, task, splits)[0]
        return self._last[1]


def _form(value: Any) -> Any:
    """Return nested data with each real number other than 0 replaced by the same text."""
    match value:
        case dict():
            return {str(key): _form(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_form(entry) for entry in value]
        case float():
            return "a number" if value else 0
    return value


def _try_compiled(config: RunConfig, model: nn.Module, task: Task, splits: Splits) -> None:
    """Refuse what cannot be compiled: the plan has the identities of compiled runs."""
    held_out = hold_out(splits, config.data.validation_size, config.seed)
    reason = obstacle(config, model, task, held_out)
    if reason is not None:
        raise InputError(
            f"trainer.compile={config.trainer.compile}: {reason}; set trainer.compile=null"
        )
