"""Many steps of a chain in one call of compiled code, with the bits of the same steps in Python.

A step of a small model is a few dozen kernels of microseconds each, and Python takes as long as the
kernels between them. `experiments build` builds the same calls of the same kernels from C++.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer

from experiments.data.batches import normalise
from experiments.data.splits import Split
from experiments.tasks import Task, has_labels_as_targets, is_plain_cross_entropy
from experiments.threads import ThreadChoice
from experiments.training.chain_gradients import (
    LARGE,
    LONGEST_SUM,
    ChainGradients,
    with_all_threads,
)
from experiments.training.fused_kernels import kernel_of
from experiments.training.gradients import Autograd, Gradients
from experiments.training.steps_library import is_loaded
from experiments.training.updates import Updates

_log = logging.getLogger(__name__)
_AT_ONCE = 16  # batches, at most; between two calls signals are handled and progress is shown
_WORK = 2**28  # products of an example with a parameter, at most: hundredths of a second
_PYTHON = 2  # steps of a trial; after the first one an optimizer's kernel call is planned anew


def compiled_steps(
    gradients: Gradients, updates: Updates, optimizer: Optimizer, split: Split, batch_size: int
) -> CompiledSteps | None:
    """Return the compiled steps of a run, after a trial against those in Python.

    Args:
        gradients: those of the run.
        updates: those of the run.
        optimizer: the run's.
        split: the training split.
        batch_size: B.

    Returns:
        None if the run is of another kind, nothing was built, or the trial finds other bits.
    """
    if (
        not isinstance(gradients, ChainGradients)
        or not gradients.has_short_sums
        or batch_size > LONGEST_SUM
        or kernel_of(optimizer) is None
        or not _is_plain(gradients.autograd.task)
        or not _can_be_read(split)
        or _work(gradients, batch_size) > _WORK  # Python's time is nothing beside such a step
        or not all(each.is_contiguous() for each in gradients.autograd.model.parameters())
        or not is_loaded()
    ):
        return None
    if not _has_the_bits(gradients, optimizer, split, batch_size):
        return None
    _log.debug("The steps of this run are compiled, where nothing sees each of them")
    return CompiledSteps(gradients, updates, split, batch_size, ThreadChoice().call)


class CompiledSteps:
    """The steps of a chain of linear layers that is trained by the plain cross-entropy."""

    def __init__(
        self,
        chain: ChainGradients,
        updates: Updates,
        split: Split,
        batch_size: int,
        call: Callable[[Callable[[], None]], None],
    ) -> None:
        """Take the parts; `call` makes a call with a number of threads."""
        self._chain, self._updates, self._call = chain, updates, call
        self._split, self._batch_size = split, batch_size
        self._linears = [layer.linear for layer in chain.layers]
        self._at_once = min(_WORK // _work(chain, batch_size), _AT_ONCE) * batch_size

    def are_ready(self) -> bool:
        """Return whether the next step repeats the last one, which Python made, on other numbers.

        So the first steps of an optimizer and a step after a schedule's are Python's, and all steps
        of a model or a loss to which a callback has done more than change the values of weights.
        """
        call = self._updates.only_call()
        return (
            call is not None
            and self._chain.is_unchanged()
            and _is_plain(self._chain.autograd.task)
            and sorted(map(id, call.parameters)) == sorted(map(id, self._parameters()))
            and all(each.is_contiguous() for each in call.parameters)
        )

    def take(self, places: Tensor, total: Tensor) -> Iterator[int]:
        """Step by batches of examples; yield the number of batches after every few of them.

        Args:
            places: of the examples in the data set, int64.
            total: float32 (), to which the losses of the batches are added.
        """
        call = self._updates.only_call()
        assert call is not None, "are_ready() has returned True"  # noqa: S101
        order = {id(parameter): n for n, parameter in enumerate(call.parameters)}
        found = [order[id(parameter)] for parameter in self._parameters()]
        states = [[kind[n] for n in found] for kind in call.states]
        states += [[]] * (call.kernel.kinds - len(states))
        hyperparameters = dict(call.hyperparameters)
        hyperparameters.pop("is_first_step", None)
        compiled = getattr(torch.ops.chain_steps, call.kernel.compiled).default
        weights, biases = zip(*((each.weight, each.bias) for each in self._linears), strict=True)
        activations = [layer.activation or "" for layer in self._chain.layers]
        chain = weights, biases, activations, LARGE
        for some in torch.split(places, self._at_once):
            data = self._split.images, self._split.labels, some, self._batch_size
            self._call(partial(compiled, *data, *chain, total, *states, **hyperparameters))
            yield -(-len(some) // self._batch_size)

    def _parameters(self) -> list[Tensor]:
        return [parameter for linear in self._linears for parameter in linear.parameters()]


def _work(chain: ChainGradients, batch_size: int) -> int:
    return batch_size * sum(each.numel() for each in chain.autograd.model.parameters())


def _is_plain(task: Task) -> bool:
    return (
        has_labels_as_targets(task)
        and is_plain_cross_entropy(task.loss)
        and not task.loss.label_smoothing  # type: ignore[attr-defined]
    )


def _can_be_read(split: Split) -> bool:
    images, labels = split.images, split.labels
    return (
        (images.dtype, images.device.type) == (torch.uint8, "cpu")
        and (labels.dtype, labels.dim()) == (torch.int64, 1)
        and images.is_contiguous()
        and labels.is_contiguous()
    )


def _has_the_bits(
    chain: ChainGradients, optimizer: Optimizer, split: Split, batch_size: int
) -> bool:
    """Return whether steps of all sizes of an epoch have the bits of Python's, tried on copies.

    They are tried with one thread and with all, since a run may change between these. A line tells
    of other bits; an optimizer that takes several calls has no compiled steps, and needs none.
    """
    whole, last = torch.arange(min(len(split), batch_size)), torch.arange(len(split) % batch_size)
    batches = [whole] * (_PYTHON + 2) + [last] * bool(len(last))
    told = chain, optimizer, split, batches
    mine, threads = _stepped(*told, python=len(batches)), torch.get_num_threads()
    for number in {1, threads}:
        torch.set_num_threads(number)
        its = _stepped(*told, python=_PYTHON)
        torch.set_num_threads(threads)
        if not its:
            return False
        if not all(map(_have_equal_bits, mine, its)):
            _log.warning(
                "The compiled steps round otherwise than Python's here, so Python makes the steps "
                "of this run: the same results, more slowly"
            )
            return False
    return True


def _have_equal_bits(one: Tensor, other: Tensor) -> bool:
    """Return whether tensors are equal, NaN included."""
    return torch.equal(*(each.detach().reshape(-1).view(torch.uint8) for each in (one, other)))


def _stepped(
    chain: ChainGradients, optimizer: Optimizer, split: Split, batches: list[Tensor], *, python: int
) -> list[Tensor]:
    """Return the loss, parameters and states of a copy after steps, the first of them in Python."""
    told = chain.autograd.model, chain.layers, optimizer
    model, layers, optimizer = copy.deepcopy(told)
    mine = ChainGradients(Autograd(model, chain.autograd.task), layers)
    updates, total = Updates([optimizer]), torch.zeros(())
    for batch in batches[:python]:
        images, labels = split.at(batch)
        total += mine.add(normalise(images), labels, 1)
        updates.step()
    if rest := batches[python:]:
        steps = CompiledSteps(mine, updates, split, len(batches[0]), with_all_threads)
        if not steps.are_ready():
            return []
        list(steps.take(split.places(torch.cat(rest)), total))
    states = [state for each in optimizer.state.values() for state in each.values()]
    return [total, *model.parameters(), *filter(torch.is_tensor, states)]
