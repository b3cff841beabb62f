"""Tests of the construction of a run's objects from its configuration."""

from __future__ import annotations

import pytest
import torch

from experiments.config import check
from experiments.errors import InputError
from experiments.models import SimpleNet
from experiments.run.build import Parts, assemble
from tests.config.test_config import VALUES

MODEL = {"_target_": "experiments.models.SimpleNet", "inputs": 25, "hidden": [8], "classes": 4}
SGD = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "fused": True}
OPTIMIZER = {"_target_": "torch.optim.SGD", "lr": 0.1, **SGD}
ONECYCLE = {"max_lr": 1.0, "pct_start": 0.5, "cycle_momentum": False, "interval": "batch"}
DATA = {
    "_target_": "tests.data.test_splits.Own",
    "root": ".",
    "batch_size": 7,
    "validation_size": 0,
}


def assembled(**parts: object) -> Parts:
    values = VALUES | {"model": MODEL, "optimizer": OPTIMIZER, "data": DATA}
    return assemble(check(values | parts))


def test_the_initial_weights_derive_from_the_seed_alone() -> None:
    first = assembled().model.fc1.weight
    torch.manual_seed(99)
    assert torch.equal(assembled().model.fc1.weight, first)
    assert not torch.equal(assembled(seed=1).model.fc1.weight, first)


def test_a_schedule_that_asks_for_the_steps_of_the_run_gets_them() -> None:
    schedule = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", **ONECYCLE}
    parts = assembled(schedule=schedule)
    assert parts.schedule.total_steps == 10 * 6  # 10 epochs of 40 examples in batches of 7
    assert parts.optimizer.param_groups[0]["momentum"] == 0.0


def test_a_batch_larger_than_a_user_s_data_set_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.batch_size=41: there are 40 examples"):
        assembled(data=DATA | {"batch_size": 41})


def test_on_the_cpu_determinism_needs_no_switch() -> None:
    assembled()
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"optimizer": {"_target_": "torch.optim.LBFGS", "lr": 0.1}},
            "optimizer: LBFGS.step asks for closure",
        ),
        (
            {"model": {"_target_": "tests.run.test_build.Extra"}},
            "model: Extra's state has _extra_state, which is no tensor",
        ),
    ],
)
def test_what_cannot_be_trained_or_continued_is_refused_before(parts, said: str) -> None:
    with pytest.raises(InputError, match=said):
        assembled(**parts)


class Extra(SimpleNet):
    def __init__(self) -> None:
        super().__init__(inputs=25, hidden=[8], classes=4)

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 1}
