"""Compilation of a run's model by torch.compile, which is tried before anything of the run exists.

`nn.Module.compile` leaves the names of the weights as they are. Each shape of a batch is compiled
apart: code for any shape would depend on the shapes that came before, so a resumed run would have
other bits. Inductor keeps its code in the folder that TORCHINDUCTOR_CACHE_DIR names, by default
`torchinductor_USER` in the system's folder for temporary files.
"""

from __future__ import annotations

import copy
import logging
import sys
import warnings
from typing import Any

import torch
from torch import nn

from experiments.config import RunConfig
from experiments.data.batches import count_batches, first_batch
from experiments.data.splits import Splits
from experiments.errors import text_of
from experiments.randomness import random_state, set_random_state
from experiments.run.lines import COMPILING
from experiments.tasks import Loss, Task
from experiments.training.evaluation import EVALUATION_BATCH
from experiments.training.precision import computing_in, outputs_of

# A run has up to six shapes of batches, by training and evaluation. Where torch's limit of 8 is
# reached, or after an error that it suppresses, it would go on without compilation, and so with
# other bits.
_SETTINGS: dict[tuple[str, str], Any] = {
    ("torch._dynamo.config", "recompile_limit"): 64,
    ("torch._dynamo.config", "fail_on_recompile_limit_hit"): True,
    ("torch._dynamo.config", "suppress_errors"): False,
}
_original: dict[tuple[str, str], Any] = {}
_FOREIGN = logging.getLogger("torch.utils.cpp_extension")


def compile_model(model: nn.Module, config: RunConfig) -> None:
    """Compile a model's forward pass at its first call, in the mode that a configuration names.

    The compiler forgets the code of all models of this process, so each is compiled again at its
    next call. Its limits hold for all of them together.
    """
    import torch._dynamo
    import torch._inductor.config

    torch._dynamo.reset()
    is_deterministic = config.trainer.deterministic  # no choice of kernels by measurement
    inductor = {("torch._inductor.config", "deterministic"): is_deterministic}
    for (module, name), value in (_SETTINGS | inductor).items():
        _original.setdefault((module, name), getattr(sys.modules[module], name))
        setattr(sys.modules[module], name, value)
    _FOREIGN.addFilter(_is_of_use)
    model.compile(mode=config.trainer.compile, dynamic=False)


def obstacle(config: RunConfig, model: nn.Module, task: Task, splits: Splits) -> str | None:
    """Try a compiled copy of a model on each shape of a run's batches, and its gradients.

    A line on standard output tells it first. The generators stay as they are.

    Args:
        config: the run's configuration, whose `trainer.compile` is not null.
        model: a model whose first step is possible without compilation.
        task: its task.
        splits: those of the run.

    Returns:
        In few words, the reason why it cannot be compiled; None if it can.
    """
    from torch._dynamo.utils import counters

    print(COMPILING, flush=True)  # noqa: T201  (no log before a run)
    before = random_state(splits.train.labels.device)
    try:
        with warnings.catch_warnings():  # the run repeats them
            warnings.simplefilter("ignore")
            trial, loss = copy.deepcopy(model), copy.deepcopy(task.loss)
            compile_model(trial, config)
            known = counters["stats"]["unique_graphs"]
            _try_shapes(trial, loss, config, task, splits)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (it is told, and nothing is compiled)
        line = next((each for each in text_of(error).splitlines() if each.strip()), "")
        return f"{type(error).__name__}: {line.strip()}"
    finally:
        set_random_state(splits.train.labels.device, before)
    if counters["stats"]["unique_graphs"] == known:
        return "torch compiles no part of it; TORCH_COMPILE_DISABLE or TORCHDYNAMO_DISABLE may be 1"
    return None


def _try_shapes(
    trial: nn.Module, loss: Loss, config: RunConfig, task: Task, splits: Splits
) -> None:
    precision, limit = config.trainer.precision, config.trainer.limit_batches
    trial.train()
    of_training = sizes(len(splits.train), config.data.batch_size, limit)
    shards = config.trainer.shards
    for size in sorted({-(-(each - at) // shards) for each in of_training for at in range(shards)}):
        if size == 0:
            continue  # a batch may have fewer examples than shards
        images, labels = first_batch(splits.train, size)
        targets = task.targets(images, labels)
        with computing_in(precision, images.device):
            value = loss(outputs_of(trial, images), targets)
        value.backward()  # type: ignore[no-untyped-call]
    trial.eval()
    evaluated = [split for split in (splits.validation, splits.test) if split is not None]
    tried: set[int] = set()
    for split in evaluated:
        for size in sizes(len(split), EVALUATION_BATCH, limit) - tried:
            images, _ = first_batch(split, size)
            with torch.no_grad(), computing_in(precision, images.device):
                outputs_of(trial, images)
            tried.add(size)


def sizes(examples: int, batch_size: int, limit: int | None) -> set[int]:
    """Return the sizes of the batches of a split with so many examples."""
    count = count_batches(range(examples), batch_size, limit)
    return {min(batch_size, examples - at * batch_size) for at in (0, count - 1)}


def restore_settings() -> None:
    """Give torch's compiler the settings that it had before `compile_model`."""
    for (module, name), value in _original.items():
        setattr(sys.modules[module], name, value)
    _original.clear()
    _FOREIGN.removeFilter(_is_of_use)


def _is_of_use(record: logging.LogRecord) -> bool:
    """Return whether a user can act on a warning; not on that about CUDA on a machine without."""
    return not str(record.msg).startswith("No CUDA runtime is found")
