"""A trial of the smallest piece of a batch, which would fail only at the end of the first epoch.

An example is batch normalisation, which cannot first_batch a single example.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sized

from torch import nn

from experiments.config import RunConfig
from experiments.data.batches import count_batches, first_batch
from experiments.data.splits import Split
from experiments.distributed.world import world
from experiments.errors import InputError, text_of
from experiments.randomness import random_state, set_random_state
from experiments.run.try_first_step import FEW, name_of
from experiments.tasks import Task
from experiments.training.precision import computing_in, outputs_of


def smallest_piece(config: RunConfig, train: Sized) -> int:
    """Return the number of examples of the smallest piece of a batch that is not empty.

    Args:
        config: the run's configuration.
        train: the training examples.
    """
    size, total = config.data.batch_size, len(train)
    batches = count_batches(train, size, config.trainer.limit_batches)
    last = min(size, total - (batches - 1) * size)
    return last // _pieces(config) or 1


def _pieces(config: RunConfig) -> int:
    return config.trainer.shards if config.trainer.strategy == "shards" else world().size


def try_smallest_piece(
    config: RunConfig, model: nn.Module, task: Task, train: Split, count: int
) -> None:
    """Try the forward pass and the loss of a copy of a model on the smallest piece of a batch.

    The generators stay as they are. Pieces as large as that of the first step's trial are not
    tried, nor are models that cannot be copied.

    Args:
        config: the run's configuration.
        model: the model, whose first step is possible.
        task: its task.
        train: the training split, on the model's device; any of its examples serve.
        count: the number of examples of the smallest piece.

    Raises:
        InputError: it fails.
    """
    pieces, device = _pieces(config), train.labels.device
    if count >= FEW:
        return
    try:
        trial, loss = copy.deepcopy(model), copy.deepcopy(task.loss)
    except Exception:  # noqa: BLE001  (the trial of the first step has told it)
        return
    before = random_state(device)
    images, labels = first_batch(train, count)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run repeats them
            targets = task.targets(images, labels)  # in float32, as in the training
            with computing_in(config.trainer.precision, device):
                loss(outputs_of(trial.train(), images), targets)
    except (Exception, SystemExit) as error:
        key = f"data.batch_size={config.data.batch_size}"
        if pieces > 1 and config.trainer.strategy == "shards":
            key = f"trainer.shards={pieces} with {key}"
        raise InputError(
            f"{key}: the smallest piece of a batch has {count} "
            f"{'example' if count == 1 else 'examples'}, with which {name_of(model)} fails "
            f"({type(error).__name__}: {text_of(error)}); choose another data.batch_size"
            f"{' or fewer trainer.shards' if pieces > 1 else ''}"
        ) from error
    finally:
        set_random_state(device, before)
