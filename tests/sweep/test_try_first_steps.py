"""Faults that show only in building or stepping are refused before a job or a run begins."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from experiments.errors import InputError
from experiments.run.build import assemble
from experiments.worker.try_first_steps import try_choices
from tests.conftest import TRAIN, forked
from tests.identity.test_ingredients import configuration
from tests.sweep.conftest import Sweep
from tests.sweep.test_sweeps import plan_of

OWN = """
import os, signal
import torch
from torch import Tensor, nn
from experiments.models import SimpleNet

class Net(SimpleNet):
    def __init__(self, inputs, hidden, classes, fate="fine", dropout=0.0):
        super().__init__(inputs=inputs, hidden=hidden, classes=classes)
        self.fate, self.dropout = fate, nn.Dropout(dropout)

    def forward(self, x):
        logits = super().forward(x)
        if self.training and self.fate == "detached":
            return logits.detach()
        if self.training and self.fate == "half":
            return logits.to(torch.int64)
        if self.training and self.fate == "exit":
            raise SystemExit(0)
        if self.training and self.fate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return logits

class Stubborn(torch.optim.lr_scheduler.LRScheduler):
    def get_lr(self):
        if self.last_epoch > 0:
            raise KeyError("no second rate")
        return self.base_lrs
"""
WITHOUT = [f"~optimizer.{key}" for key in ("momentum", "dampening", "nesterov", "fused")]
FAILING = [
    (["+model.fate=detached"], "model: Net fails in its first step with RuntimeError: element 0"),
    (["+model.fate=half"], "task.loss: CrossEntropyLoss fails in its first step"),
    (["+model.fate=exit"], "model: Net fails in its first step with SystemExit: 0"),
    (["+model.dropout=2.0"], "model: Net refuses its arguments: dropout probability"),
    (
        ["optimizer._target_=torch.optim.SparseAdam", "~optimizer.weight_decay", *WITHOUT],
        "optimizer: SparseAdam fails in its first step with RuntimeError",
    ),
    (
        ["schedule._target_=own.Stubborn", "~schedule.factor"],
        "schedule: Stubborn fails in its first step with KeyError",
    ),
    (["model.classes=5"], "model: returns (2, 5) for 2 images, but the data has 10 classes"),
]


@pytest.fixture
def own(tmp_path: Path, root: str) -> Sweep:
    """Sweeps with the classes above."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "own.py").write_text(OWN)
    return Sweep(tmp_path, root)


def ran(sweep: Sweep, *overrides: str, multirun: bool) -> subprocess.CompletedProcess[str]:
    flags = ["-m"] if multirun else []
    usual = ["data=digits", f"data.root={sweep.root}", "trainer.epochs=1", "tracking=none"]
    return forked(
        *(TRAIN, *flags, *usual, "model._target_=own.Net", *overrides),
        cwd=sweep.folder,
        PYTHONPATH=str(sweep.folder / "plugins"),
    )


@pytest.mark.parametrize(
    ("overrides", "said", "multirun"),
    [
        *((*case, False) for case in FAILING[:2]),
        *(pytest.param(*case, False, marks=pytest.mark.slow) for case in FAILING[2:]),
        (*FAILING[0], True),
        *(pytest.param(*case, True, marks=pytest.mark.slow) for case in FAILING[1:3]),
    ],
)
def test_a_first_step_that_fails_is_one_line_and_nothing_is_created(
    own: Sweep, overrides: list[str], said: str, multirun: bool
) -> None:
    done = ran(own, *overrides, *(["seed=0,1"] if multirun else []), multirun=multirun)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {said}")
    assert {path.name for path in own.folder.iterdir()} == {"plugins"}


DIFFERENTIABLE = "optimizer.fused=false +optimizer.differentiable=true"
FURTHER = (
    ("+model.dropout=0.1,2.0", "job 1 (+model.dropout=2.0): model: Net refuses"),
    ("+model.fate=fine,detached", "job 1 (+model.fate=detached): model: Net fails"),
    (f"optimizer.momentum=0,0.5 {DIFFERENTIABLE}", "optimizer: SGD"),
)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("model.classes=10,5", "job 1 (model.classes=5): model.classes=5: the data has 10 classes"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in FURTHER),
        (
            "+model.fate=fine,kill",
            "job 1 (+model.fate=kill): when its first step was tried, its process was killed",
        ),
    ],
)
def test_one_bad_choice_among_good_ones_is_named_also_by_a_plan(
    own: Sweep, values: str, said: str
) -> None:
    done = ran(own, *values.split(), "sweep.plan_only=true", multirun=True)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert said in line
    assert {path.name for path in own.folder.iterdir()} == {"plugins"}


def test_a_plan_fetches_no_data_and_says_so(own: Sweep) -> None:
    (own.folder / "empty").mkdir()
    overrides = ("data=mnist", f"data.root={own.folder / 'empty'}", "seed=0,1")
    done = ran(own, *overrides, "sweep.plan_only=true", multirun=True)
    assert done.returncode == 0, done.stderr
    assert "2 jobs could not be tried before: their data is not on this machine" in done.stdout
    assert plan_of(done.stdout).startswith("2 jobs: 0 finished, 0 to resume, 2 new")
    assert not list((own.folder / "empty").iterdir())


def test_what_differs_in_numbers_alone_is_stepped_once(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.worker import try_first_steps as choices

    counted: Counter[str] = Counter()
    for name in ("build_model", "build_updates", "compute_gradients"):
        original = getattr(choices, name)

        def call(*arguments, name=name, original=original):
            counted[name] += 1
            return original(*arguments)

        monkeypatch.setattr(choices, name, call)
    base = ("data=digits", f"data.root={root}")
    configs = [
        configuration(*base, f"optimizer.lr={1 + number}", f"data.batch_size={64 + number % 2}")
        for number in range(20)
    ]
    configs[7] = configuration(*base, "optimizer.lr=0.1", "model.hidden=[9]")
    assert list(try_choices(configs)) == [None] * 20
    assert counted == {"build_model": 3, "build_updates": 20, "compute_gradients": 2}


SHARDS = "trainer.shards=16"


@pytest.mark.parametrize(
    ("model", "overrides", "line"),
    [
        (
            "Normed",
            (SHARDS,),  # the last batch has 28 examples
            f"{SHARDS} with data.batch_size=64: the smallest piece of a batch has 1 example, with "
            "which Normed fails (ValueError: ",
        ),
        (
            "Normed",
            ("data.batch_size=1499",),
            "data.batch_size=1499: the smallest piece of a batch has 1 example, with which Normed",
        ),
        ("Sparse", (SHARDS,), "model: the layer table has sparse gradients, which shards and"),
    ],
)
def test_what_the_pieces_of_batches_do_not_allow_is_refused(
    root: str, model: str, overrides: tuple[str, ...], line: str
) -> None:
    where = ("data=digits", f"data.root={root}", f"model._target_={__name__}.{model}")
    config = configuration(*where, "~model.hidden", "data.validation_size=0", *overrides)
    with pytest.raises(InputError) as raised:
        assemble(config)
    assert str(raised.value).startswith(line)
    (told,) = try_choices([config])
    assert told == str(raised.value)


@pytest.mark.parametrize("model", ["Dropping", "Transposed", "Exploding", "Normed", "Lazy"])
def test_trying_changes_no_bit_of_what_is_trained(root: str, model: str) -> None:
    module = __name__ if model in {"Normed", "Lazy"} else "tests.own_models"
    sizes = ("~model.hidden",) if module == __name__ else ()
    overrides = ("data=digits", f"data.root={root}", f"model._target_={module}.{model}", *sizes)
    config = configuration(*overrides, "optimizer=adamw", "schedule=onecycle")
    found = []
    for tried in (True, False):
        parts = assemble(config, tried=tried)
        weights = {key: value.clone() for key, value in parts.model.state_dict().items()}
        states = (parts.optimizer.state_dict(), parts.schedule.state_dict())
        calls = {key: value for key, value in vars(parts.model).items() if key == "calls"}
        numbers = torch.get_rng_state()
        found.append((weights, states, calls, numbers, parts.model.training))
        assert all(parameter.grad is None for parameter in parts.model.parameters())
    (weights, states, *rest), (other_weights, other_states, *other_rest) = found
    assert all(torch.equal(weights[key], other_weights[key]) for key in weights)
    assert str(states) == str(other_states)
    assert torch.equal(rest.pop(1), other_rest.pop(1))
    assert rest == other_rest


class Normed(nn.Sequential):
    """Has buffers that a training step changes."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.Linear(16, 10))


class Sparse(nn.Module):
    """Has a table with sparse gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.body = nn.Embedding(2, 2, sparse=True), nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.flatten(1))


class Lazy(nn.Sequential):
    """Creates its weights in the first forward pass."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.LazyLinear(16), nn.Dropout(), nn.LazyLinear(10))
