"""Compilation of a run's model by torch.compile, which is tried before anything of the run exists.

`nn.Module.compile` leaves the names of the weights as they are. Each shape of a batch is compiled
apart: code for any shape would depend on the shapes that came before, so a resumed run would have
other bits. Inductor keeps its code in the folder that TORCHINDUCTOR_CACHE_DIR names, by default
`torchinductor_USER` in the system's folder for temporary files.
"""

from __future__ import annotations

import copy
import sys
import warnings
from typing import Any

import torch
from torch import nn

from experiments.config import RunConfig
from experiments.data.batches import normalise
from experiments.data.splits import Split
from experiments.errors import text_of
from experiments.randomness import random_state, set_random_state
from experiments.tasks import Task
from experiments.training.precision import computing_in, outputs_of

# A run has up to six shapes of batches, by training and evaluation. Where torch's limit of 8 is
# reached, it would go on without compilation, and so with other bits.
_SETTINGS: dict[tuple[str, str], Any] = {
    ("torch._dynamo.config", "recompile_limit"): 64,
    ("torch._dynamo.config", "fail_on_recompile_limit_hit"): True,
}
_original: dict[tuple[str, str], Any] = {}


def compile_model(model: nn.Module, config: RunConfig) -> None:
    """Compile a model's forward pass at its first call, in the mode that a configuration names."""
    import torch._dynamo
    import torch._inductor.config

    torch._dynamo.reset()
    is_deterministic = config.trainer.deterministic  # no choice of kernels by measurement
    inductor = {("torch._inductor.config", "deterministic"): is_deterministic}
    for (module, name), value in (_SETTINGS | inductor).items():
        _original.setdefault((module, name), getattr(sys.modules[module], name))
        setattr(sys.modules[module], name, value)
    model.compile(mode=config.trainer.compile, dynamic=False)


def obstacle(config: RunConfig, model: nn.Module, task: Task, train: Split) -> str | None:
    """Try a compiled step of a copy of a model; return in few words why it cannot be compiled.

    The generators stay as they are.

    Args:
        config: the run's configuration, whose `trainer.compile` is not null.
        model: a model whose first step is possible without compilation.
        task: its task.
        train: the training split, whose first batch is taken.
    """
    device = train.labels.device
    before = random_state(device)
    count = min(config.data.batch_size, len(train))
    taken, labels = train.at(torch.arange(count, device=device))
    images = normalise(taken)
    try:
        with warnings.catch_warnings():  # the run repeats them
            warnings.simplefilter("ignore")
            trial, loss = copy.deepcopy(model), copy.deepcopy(task.loss)
            compile_model(trial, config)
            with computing_in(config.trainer.precision, device):
                outputs = outputs_of(trial.train(), images)
                value = loss(outputs, task.targets(images, labels))
            value.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad(), computing_in(config.trainer.precision, device):
                outputs_of(trial.eval(), images)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (it is told, and nothing is compiled)
        line = next((each for each in text_of(error).splitlines() if each.strip()), "")
        return f"{type(error).__name__}: {line.strip()}"
    finally:
        set_random_state(device, before)
    return None


def restore_settings() -> None:
    """Give torch's compiler the settings that it had before `compile_model`."""
    for (module, name), value in _original.items():
        setattr(sys.modules[module], name, value)
    _original.clear()
