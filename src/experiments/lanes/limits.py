"""The number of lanes of a stack: by memory, after a check that a stack is correct and faster."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.config import RunConfig
from experiments.data.batches import first_batch
from experiments.lanes.stack import DRAWS, CannotStackError, Stack, layouts_of
from experiments.randomness import have_moved, random_state
from experiments.run.build import Parts, assemble
from experiments.run.restore import loss_state
from experiments.tasks import Task
from experiments.training.chain_gradients import chain_gradients
from experiments.training.gradients import Autograd

_CACHE = 32 * 2**20  # bytes; larger caches are shared with other processes
_MOST = 256
_COPIES = 4  # of the weights' bytes: weights, gradients and two states of the optimizer
_REPEATS = 5
_AGREE = {"rtol": 1e-3, "atol": 1e-5}


def examine(config: RunConfig, wanted: int | None) -> int:
    """Return the number of jobs like this one to train as a stack.

    This is the user's number, if there is one. Otherwise it is the largest number from 2 to 256 of
    lanes that fit into memory. On a CPU their weights, gradients, optimizer states and batches fit
    into the processor's last cache, up to 32 MiB. On a GPU they fit into half of its free memory,
    together with the tensors that backward needs.

    Args:
        config: the configuration of one of the jobs.
        wanted: the user's number of lanes; None chooses it by this rule, and measures whether a
            stack is faster.

    Raises:
        CannotStackError: the model cannot be stacked, gives other results in a stack, or, if
            `wanted` is None, is not faster in one.
        InputError: the job cannot be run.
    """
    parts = assemble(config)
    images, labels = first_batch(parts.splits.train, config.data.batch_size)
    autograd = Autograd(parts.model, parts.task)
    is_chain = chain_gradients(autograd, images, labels) is not None
    _check_sameness(parts.model, parts.task, images, labels)
    if wanted is not None:
        return wanted
    lanes = max(2, min(_MOST, _room(parts.device) // _bytes_of_a_lane(parts, images, labels)))
    if is_chain:  # each lane computes as if it were alone
        return lanes
    alone = _seconds(lambda: _step_alone(parts.model, parts.task, images, labels))
    models = _variants(parts.model, lanes)
    stack = Stack(models, parts.task, layouts_of(models, parts.task, images, labels))
    together = _seconds(lambda: stack.gradients(stack.losses(images, labels))) / lanes
    if together > alone:
        raise CannotStackError(
            f"a stack is no faster: a step takes {1e3 * together:.1f} ms a lane in one of {lanes} "
            f"and {1e3 * alone:.1f} ms alone; hydra.launcher.lanes={lanes} stacks all the same"
        )
    return lanes


def _check_sameness(model: nn.Module, task: Task, images: Tensor, labels: Tensor) -> None:
    """Check that two models with different weights give the same results in a stack and alone."""
    before, loss_before = random_state(images.device), copy.deepcopy(loss_state(task))
    alone, stacked = _variants(model, 2), _variants(model, 2)
    stack = Stack(stacked, task, layouts_of(stacked, task, images, labels))
    stack.train()
    losses = stack.losses(images, labels)
    rows = stack.gradients(losses)
    if have_moved(images.device, before):
        raise CannotStackError(DRAWS)
    changed = zip(loss_before.values(), loss_state(task).values(), strict=True)
    if not all(torch.equal(*pair) for pair in changed):
        raise CannotStackError("its loss keeps a state of its own, and lanes would share it")
    for lane, (one, other) in enumerate(zip(alone, stacked, strict=True)):
        loss, gradients = _step_alone(one, task, images, labels)
        pairs = [(losses[lane], loss)]
        for row, gradient in zip(rows[lane], gradients, strict=True):
            if row is not None and gradient is not None:
                pairs.append((row, gradient))
            elif row is not gradient:
                raise CannotStackError("its model has other gradients in a stack than alone")
        pairs += zip(other.buffers(), one.buffers(), strict=True)
        if not all(torch.allclose(a, b, **_AGREE, equal_nan=True) for a, b in pairs):
            raise CannotStackError("its model computes something else in a stack than alone")


def _variants(model: nn.Module, count: int) -> list[nn.Module]:
    """Return copies of a model with different weights; the first has the model's own."""
    copies = [copy.deepcopy(model) for _ in range(count)]
    for number, each in enumerate(copies):
        for parameter in each.parameters():
            parameter.data.mul_(1 - number / (2 * count))
    return copies


def _step_alone(
    model: nn.Module, task: Task, images: Tensor, labels: Tensor
) -> tuple[Tensor, Sequence[Tensor | None]]:
    model.train()
    loss = task.loss(model(images), task.targets(images, labels))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = iter(torch.autograd.grad(loss, trained, allow_unused=True))
    return loss, [next(found) if p.requires_grad else None for p in model.parameters()]


def _bytes_of_a_lane(parts: Parts, images: Tensor, labels: Tensor) -> int:
    weights = sum(value.nbytes for value in parts.model.parameters())
    if parts.device.type == "cpu":
        return _COPIES * weights + images.nbytes
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    model = copy.deepcopy(parts.model)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _step_alone(model, parts.task, images, labels)
    return _COPIES * weights + images.nbytes + 2 * kept


def _room(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return min(_CACHE, _last_cache() or _CACHE)


def _last_cache() -> int | None:
    """Return the bytes of the processor's last cache; None if the system does not list it."""
    found = None
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        size = (index / "size").read_text().strip()
        found = int(size[:-1]) * {"K": 2**10, "M": 2**20}[size[-1]]
    return found


def _seconds(step: Callable[[], object]) -> float:
    """Return the seconds of a step: the median of a few, after one step to warm up."""
    taken = []
    for _ in range(_REPEATS + 1):
        began = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])
