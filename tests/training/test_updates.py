"""The updates equal those of torch to the bit, for one optimizer or for many at once."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import torch
from torch import nn

from experiments.models import SimpleNet
from experiments.training.updates import Updates, parameters_of
from tests.conftest import PROJECT, clean_environment

OPTIMIZERS = {
    "plain": lambda p: torch.optim.SGD(p, lr=0.1, fused=True),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, fused=True),
    "nesterov": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01, fused=True
    ),
    "maximize": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, maximize=True, fused=True),
    "not fused": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=False),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
    "amsgrad": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True, fused=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
}


class Partly(nn.Module):
    """Has a layer that no gradient reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(784, 10), nn.Linear(3, 3)

    def forward(self, x):
        return self.used(x.flatten(1))


def train(model: nn.Module, optimizer, step, steps: int = 4, schedule=None) -> None:
    torch.manual_seed(7)
    for _ in range(steps):
        images, labels = torch.randn(8, 1, 28, 28), torch.randint(10, (8,))
        nn.functional.cross_entropy(model(images), labels).backward()
        step()
        if schedule is not None:
            schedule()


def assert_the_same(first: torch.optim.Optimizer, second: torch.optim.Optimizer) -> None:
    for mine, theirs in zip(parameters_of(first), parameters_of(second), strict=True):
        assert torch.equal(mine, theirs)
        assert first.state[mine].keys() == second.state[theirs].keys()
        for name, value in first.state[mine].items():
            assert torch.equal(value, second.state[theirs][name]), name


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("model", [SimpleNet, Partly])
def test_a_step_is_torch_s_own(make, model) -> None:
    mine = model()
    theirs = copy.deepcopy(mine)
    ours, own = make(mine.parameters()), make(theirs.parameters())
    train(mine, ours, Updates([ours]).step)

    def step() -> None:
        own.step()
        own.zero_grad()

    train(theirs, own, step)
    assert_the_same(ours, own)
    # New objects that take over the state, as after a checkpoint, reach the same bits.
    train(mine, ours, Updates([ours]).step)
    train(theirs, own, step)
    assert_the_same(ours, own)


def test_hyperparameters_are_followed() -> None:
    mine = SimpleNet()
    theirs = copy.deepcopy(mine)
    results = []
    for model in (mine, theirs):
        optimizer = OPTIMIZERS["momentum"](model.parameters())
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        if model is mine:
            updates = Updates([optimizer])

            def follow(schedule=schedule, updates=updates) -> None:
                schedule.step()
                updates.refresh()

            train(model, optimizer, updates.step, schedule=follow)
        else:

            def step(optimizer=optimizer) -> None:
                optimizer.step()
                optimizer.zero_grad()

            train(model, optimizer, step, schedule=schedule.step)
        results.append(optimizer)
    assert_the_same(*results)


def test_many_optimizers_step_as_each_alone() -> None:
    models = [SimpleNet() for _ in OPTIMIZERS]
    alone = copy.deepcopy(models)
    many, single = (
        [make(model.parameters()) for make, model in zip(OPTIMIZERS.values(), each, strict=True)]
        for each in (models, alone)
    )
    updates, ones = Updates(many), [Updates([optimizer]) for optimizer in single]
    for _ in range(3):
        gradients = [[torch.randn_like(p) for p in parameters_of(each)] for each in many]
        updates.step_by(gradients)
        for one, each in zip(ones, gradients, strict=True):
            one.step_by([each])
    for mine, theirs in zip(many, single, strict=True):
        assert_the_same(mine, theirs)


def test_a_transposed_weight_is_stepped_as_it_lies() -> None:
    weight = torch.randn(3, 5).t().detach().requires_grad_()
    plain = weight.detach().contiguous().requires_grad_()
    gradient = torch.randn(5, 3)
    for parameter in (weight, plain):
        optimizer = OPTIMIZERS["momentum"]([parameter])
        updates = Updates([optimizer])
        for _ in range(2):
            parameter.grad = gradient.clone()
            updates.step()
    torch.testing.assert_close(weight, plain)


def test_a_run_never_loads_torch_s_compiler() -> None:
    program = (
        "import sys; from experiments.run.load_torch import load_torch; load_torch(); import torch;"
        "from experiments.training.updates import Updates; model = torch.nn.Linear(2, 2);"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True);"
        "torch.optim.lr_scheduler.StepLR(optimizer, step_size=1); updates = Updates([optimizer]);"
        "model(torch.ones(1, 2)).sum().backward(); updates.step();"
        "optimizer.load_state_dict(optimizer.state_dict()); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_torch_is_the_one_that_was_read() -> None:
    """For another version, compare two files with torch/optim, then move the bound in pyproject.

    In src/experiments/training/fused_kernels.py compare the arguments of torch._fused_sgd_ and
    _fused_adamw_; in src/experiments/training/updates.py compare __dynamo_disable, _opt_called,
    the names of the hooks, and grad_scale. This file and test_unusual_updates.py compare the
    results with torch's own steps.
    """
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (bound,) = (text for text in project["dependencies"] if re.match(r"torch\b", text))
    least, most = re.findall(r"(\d+)\.(\d+)", bound)
    installed = tuple(version("torch").split(".")[:2])
    assert tuple(map(int, least)) <= tuple(map(int, installed)) < tuple(map(int, most)), (
        f"torch {version('torch')} is installed and pyproject.toml says {bound}: "
        f"{test_torch_is_the_one_that_was_read.__doc__}"
    )
