"""Unusual parameters, gradients and optimizers step exactly as with torch's own step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from experiments.training.updates import Updates, parameters_of
from tests.training.test_updates import OPTIMIZERS, assert_the_same


def parameters(*shapes: tuple[int, ...]) -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


def strided() -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(5, 6)[:, ::2]), nn.Parameter(torch.randn(4))]


def one_row() -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(5, 1).t()), nn.Parameter(torch.randn(1, 4))]


def mixed() -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(3).double())]


def complex_() -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(3, dtype=torch.complex64))]


PARAMETERS = {
    "plain": lambda: parameters((3, 4), (5,), (0, 2), ()),
    "strided view": strided,
    "one row": one_row,
    "channels last": lambda: [
        nn.Parameter(torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last))
    ],
    "mixed types": mixed,
    "half": lambda: [nn.Parameter(each.data.bfloat16()) for each in parameters((3, 4), (5,))],
    "complex": complex_,
    "frozen": lambda: [each.requires_grad_(each.dim() == 2) for each in parameters((3, 4), (5,))],
}


class Own(torch.optim.SGD):
    """A subclass with a step of its own."""

    def step(self, closure=None):
        super().step(closure)
        super().step(closure)


class Cautious(torch.optim.AdamW):
    pass


UNUSUAL = OPTIMIZERS | {
    "subclass of SGD": lambda p: Own(p, lr=0.1, momentum=0.9, fused=True),
    "subclass of AdamW": lambda p: Cautious(p, lr=0.1, fused=True),
    "lr as a tensor": lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.1), fused=True),
    "lr as a whole number": lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, fused=True),
    "foreach": lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True),
    "capturable": lambda p: torch.optim.AdamW(p, lr=0.1, capturable=True, fused=True),
}


def gradients_of(given: list[nn.Parameter], step: int, missing) -> list[torch.Tensor | None]:
    torch.manual_seed(step)
    there = [torch.randn_like(each) if each.requires_grad else None for each in given]
    return [None if missing(step, number) else each for number, each in enumerate(there)]


def never(step: int, number: int) -> bool:
    return False


def sometimes(step: int, number: int) -> bool:
    """Whether a gradient is missing: number 0 has its first in step 2, and none in step 4."""
    return (number == 0 and step in {0, 1, 4}) or (number == 1 and step == 3)


def unfused(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        group["fused"] = False


def stepped(make, given, missing, *, ours: bool, by: bool = False, unfuse: bool = False):
    """Step six times, ours or torch's own; a second optimizer takes over the state at step 3."""
    optimizer = make(given)
    if unfuse:
        unfused(optimizer)
    updates = Updates([optimizer])
    for step in range(6):
        if step == 3:  # as after a checkpoint
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = make(given)
            optimizer.load_state_dict(state)
            updates = Updates([optimizer])
        gradients = gradients_of(given, step, missing)
        if by and ours:
            updates.step_by([gradients])
            continue
        for parameter, gradient in zip(given, gradients, strict=True):
            parameter.grad = gradient
        if ours:
            updates.step()
            assert all(parameter.grad is None for parameter in given)
        else:
            optimizer.step()
    return optimizer


@pytest.mark.parametrize("by", [False, True], ids=["alone", "as a lane"])
@pytest.mark.parametrize("make", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.parametrize("kind", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_of_every_kind(kind, make, by: bool) -> None:
    if kind in {strided, complex_} and make is UNUSUAL["capturable"]:
        pytest.skip("torch has no capturable step on the CPU but the fused one")
    mine, theirs = kind(), kind()
    # torch's fused kernels overwrite memory beside a weight with gaps, and refuse complex numbers.
    by_places = kind not in {strided, complex_}
    expected = stepped(make, theirs, never, ours=False, unfuse=not by_places)
    found = stepped(make, mine, never, ours=True, by=by)
    assert found.param_groups[0].get("fused") == make(mine).param_groups[0].get("fused")
    assert_the_same(found, expected)


def by_itself(make, given, number: int) -> torch.optim.Optimizer:
    """Step one of the parameters with an optimizer of its own, on torch's own step."""
    optimizer = make([given[number]])
    for step in range(6):
        given[number].grad = gradients_of(given, step, sometimes)[number]
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("by", [False, True], ids=["alone", "as a lane"])
@pytest.mark.parametrize("make", (OPTIMIZERS | {"one": UNUSUAL["lr as a tensor"]}).values())
def test_a_parameter_that_has_a_gradient_only_sometimes(make, by: bool) -> None:
    mine = parameters((3, 4), (5,), (2,))
    found = stepped(make, mine, sometimes, ours=True, by=by)
    for number, parameter in enumerate(mine):
        theirs = parameters((3, 4), (5,), (2,))
        expected = by_itself(make, theirs, number)
        assert torch.equal(parameter, theirs[number])
        for name, value in expected.state[theirs[number]].items():
            assert torch.equal(found.state[parameter][name], value)


@pytest.mark.parametrize("when", ["global", "the optimizer's"])
@pytest.mark.parametrize("make", [OPTIMIZERS["momentum"], OPTIMIZERS["adamw"]])
def test_a_hook_is_called_from_when_it_is_there_to_when_it_is_gone(make, when: str) -> None:
    given, theirs = parameters((3, 4)), parameters((3, 4))
    optimizer, own = make(given), make(theirs)
    updates, calls = Updates([optimizer]), []
    handle = None
    for step in range(6):
        if step == 2 and when == "global":
            handle = register_optimizer_step_pre_hook(lambda *_: calls.append(1))
        elif step == 2:
            handle = optimizer.register_step_post_hook(lambda *_: calls.append(1))
        if step == 4 and handle is not None:
            handle.remove()
        (given[0].grad,) = gradients_of(given, step, never)
        updates.step()
    assert len(calls) == 2
    for step in range(6):
        (theirs[0].grad,) = gradients_of(theirs, step, never)
        own.step()
    assert_the_same(optimizer, own)


@pytest.mark.parametrize("make", [OPTIMIZERS["momentum"], OPTIMIZERS["adamw"]])
def test_a_group_and_another_storage_in_the_middle(make) -> None:
    results = []
    for ours in (True, False):
        given, more = parameters((3, 4)), parameters((5,))
        optimizer = make(given)
        updates = Updates([optimizer])
        for step in range(6):
            if step == 2:
                optimizer.add_param_group({"params": more, "lr": 0.3})
                given += more
            if step == 4:  # as in a model that clips its weights
                given[0].data = given[0].data.clamp(-0.5, 0.5)
            for parameter, gradient in zip(given, gradients_of(given, step, never), strict=True):
                parameter.grad = gradient
            updates.step() if ours else optimizer.step()
        results.append(optimizer)
    assert_the_same(*results)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.1, fused=True),
        lambda p: torch.optim.SparseAdam(p, lr=0.1),
    ],
    ids=["SGD", "fused SGD", "SparseAdam"],
)
def test_a_sparse_gradient_stays_sparse(make) -> None:
    results, layouts = [], set()
    for ours in (True, False):
        torch.manual_seed(0)
        embedding = nn.Embedding(7, 3, sparse=True)
        optimizer = make(embedding.parameters())
        updates = Updates([optimizer])
        if not ours:
            unfused(optimizer)
        else:
            optimizer.register_step_pre_hook(
                lambda *_, e=embedding: layouts.add(e.weight.grad.layout)
            )
        for step in range(4):
            embedding(torch.tensor([step, 5])).pow(2).sum().backward()
            updates.step() if ours else (optimizer.step(), optimizer.zero_grad())
        results.append(optimizer)
    mine, theirs = (parameters_of(optimizer)[0] for optimizer in results)
    assert torch.equal(mine, theirs)
    for name, value in results[1].state[theirs].items():
        torch.testing.assert_close(results[0].state[mine][name], value, rtol=0, atol=0)
    assert layouts == {torch.sparse_coo}


def test_what_torch_refuses_it_refuses_in_its_own_words() -> None:
    (given,) = parameters((3, 4))
    given.grad = torch.ones(3, 4)
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients"):
        Updates([torch.optim.SparseAdam([given])]).step()
    expanded = nn.Parameter(torch.ones(3, 1).expand(3, 4))
    expanded.grad = torch.ones(3, 4)
    with pytest.raises(RuntimeError, match="single memory location"):
        Updates([OPTIMIZERS["momentum"]([expanded])]).step()
