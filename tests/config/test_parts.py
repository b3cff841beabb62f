"""The declared parts have the arguments and the defaults of their classes."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from experiments.config import check
from experiments.config.model import Model
from experiments.config.optimizer import Optimizer
from experiments.config.part import Choice, Part
from experiments.config.schedule import Nested, Schedule
from experiments.config.task import Loss
from experiments.errors import InputError
from tests.config.test_config import VALUES, changed

GIVEN = {"params", "optimizer", "last_epoch", "epochs", "steps_per_epoch"}
"""arguments that the program gives: a schedule begins with the run, and has its steps"""
LEFT_TO_THE_PROGRAM = {"fused", "mode"}  # our defaults; the fused kernel is the fast one


def declared() -> list[type[Part]]:
    found: dict[str, type[Part]] = {}
    for annotation in (Model, Optimizer, Schedule, Nested, Loss):
        (choice,) = (note for note in get_args(annotation) if isinstance(note, Choice))
        found |= {target: choice.schema_of(target) for target in choice.targets}
    return list(found.values())


def class_of(part: type[Part]) -> Any:
    module, _, name = part.CLASS.rpartition(".")
    return getattr(importlib.import_module(module), name)


def arguments_of(part: type[BaseModel]) -> set[str]:
    return part.model_fields.keys() - {"target", "interval"}


@pytest.mark.parametrize("part", declared(), ids=lambda part: part.CLASS)
def test_a_part_has_the_arguments_of_its_class(part: type[Part]) -> None:
    parameters = inspect.signature(class_of(part)).parameters.keys() - GIVEN
    is_open = part.model_config.get("extra") == "allow"  # checked when it is built
    assert arguments_of(part) <= parameters
    assert is_open or arguments_of(part) == parameters


@pytest.mark.parametrize("part", declared(), ids=lambda part: part.CLASS)
def test_an_argument_that_is_left_out_has_the_default_of_the_class(part: type[Part]) -> None:
    parameters = inspect.signature(class_of(part)).parameters
    for name in arguments_of(part) - LEFT_TO_THE_PROGRAM:
        ours, theirs = part.model_fields[name], parameters[name].default
        if ours.is_required():
            assert theirs is inspect.Parameter.empty
        elif ours.default is not None:  # null: from the data, or the steps of the run
            default = list(theirs) if isinstance(theirs, tuple) else theirs
            assert ours.default == pytest.approx(default) if default is not None else None


SGD = {"_target_": "torch.optim.SGD"}
ADAMW = {"_target_": "torch.optim.AdamW"}


@pytest.mark.parametrize(
    ("part", "default"),
    [
        (SGD, {"lr": 0.001}),
        (SGD, {"maximize": False, "foreach": None, "differentiable": False}),
        (SGD, {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}),
        (SGD, {"fused": True}),
        (ADAMW, {"amsgrad": False, "capturable": False, "betas": [0.9, 0.999]}),
    ],
)
def test_a_default_that_is_written_changes_nothing(
    part: dict[str, Any], default: dict[str, Any]
) -> None:
    left_out, written = (
        check(changed(optimizer=each)).model_dump() for each in (part, part | default)
    )
    assert left_out == written


def test_a_part_of_a_few_keys_is_whole_and_fast() -> None:
    optimizer = check(changed(optimizer=SGD | {"lr": 0.1})).optimizer
    assert optimizer.arguments() == {
        "lr": 0.1,
        **dict.fromkeys(("momentum", "dampening", "weight_decay"), 0.0),
        "nesterov": False,
        "fused": True,
    }
    more = check(changed(optimizer=SGD | {"lr": 0.1, "maximize": True})).optimizer
    assert more.arguments()["maximize"] is True


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (SGD | {"amsgrad": True}, "optimizer: SGD takes no amsgrad; it takes fused, foreach, diff"),
        (ADAMW | {"amsgard": True}, "optimizer.amsgard: unknown key; did you mean optimizer.amsgr"),
        (ADAMW | {"amsgrad": 1}, "optimizer.amsgrad=1: it should be a valid boolean (amsgrad: "),
        (SGD | {"foreach": True}, "optimizer.foreach=true: is another way than optimizer.fused=tr"),
        (SGD | {"lr": 0}, "optimizer.lr=0: it should be greater than 0 (lr: the learning rate; "),
    ],
)
def test_a_wrong_argument_is_one_line(optimizer: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        check(changed(optimizer=optimizer))
    assert str(caught.value).startswith(said)


TASK = VALUES["task"]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            {"loss": {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 2}},
            "task.loss.label_smoothing=2: it should be less than or equal to 1 (label_smoothing: "
            "the share of each label that is spread over all classes, 0 to 1; for example "
            "task.loss.label_smoothing=0.1)",
        ),
        (
            {"metrics": {"accuracy": {"_target_": "a.B"}}},
            "task.metrics.accuracy.direction: is missing; give it a value (direction: whether a "
            "larger value is better (maximize) or a smaller one (minimize); for example "
            "task.metrics.accuracy.direction=maximize)",
        ),
        (
            {"metrics": {"top-5": {"_target_": "a.B", "direction": "maximize"}}},
            "task.metrics.top-5: is no name; write letters, digits and _, and begin with a letter",
        ),
        ({"metrics": {"top5": 3}}, "task.metrics.top5=3: it should be keys with values"),
        ({"loss": 3}, "task.loss=3: it should be keys with values"),
        ({"loss": {}}, "task.loss._target_: is missing; give it a value"),
    ],
)
def test_a_mistake_in_a_nested_part_names_its_key(task: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        check(changed(task=TASK | task))
    assert str(caught.value).startswith(said)


def test_all_targets_are_told_with_their_keys() -> None:
    schedule = {
        "_target_": "torch.optim.lr_scheduler.SequentialLR",
        "interval": "epoch",
        "milestones": [1],
        "schedulers": [
            {"_target_": "torch.optim.lr_scheduler.LinearLR"},
            {"_target_": "torch.optim.lr_scheduler.LambdaLR", "lr_lambda": {"_target_": "my.f"}},
        ],
    }
    targets = check(changed(schedule=schedule)).targets()
    assert targets["schedule.schedulers.1.lr_lambda"] == "my.f"
    assert targets["schedule.schedulers.0"] == "torch.optim.lr_scheduler.LinearLR"
    assert {"data", "model", "optimizer", "schedule", "task", "task.loss"} < targets.keys()
