"""Schedules that nest, call a function or look at a metric: their rates, errors and resumption."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from experiments.errors import InputError
from experiments.run.build import assemble
from tests.run.test_lifecycle import assert_the_same, configuration, execute

TORCH = "torch.optim.lr_scheduler"
LAMBDA = (
    f"schedule={{_target_:{TORCH}.LambdaLR,interval:epoch,"
    "lr_lambda:{_target_:tests.own_schedules.halving}}"
)
PLATEAU = "schedule=plateau data.validation_size=300 schedule.patience=0 trainer.epochs=6"


def nested(name: str, *parts: str, more: str = "") -> str:
    schedulers = ",".join(f"{{_target_:{part}}}" for part in parts)
    return f"schedule={{_target_:{TORCH}.{name},interval:epoch,schedulers:[{schedulers}]{more}}}"


CHAINED = nested("ChainedScheduler", f"{TORCH}.LinearLR", f"{TORCH}.ExponentialLR,gamma:0.5")
OWN = nested(
    "SequentialLR",
    "tests.own_schedules.Falling",
    "tests.own_schedules.Falling",
    more=",milestones:[1]",
)


def only(override: str) -> tuple[str, ...]:
    """Replace the schedule, whose file has keys of another class, by one that is written whole."""
    if not override.startswith("schedule={"):
        return tuple(override.split())
    return ("~schedule", f"+{override}")


def rates(root: str, *overrides: str, steps: int) -> list[float]:
    parts = assemble(configuration(root, *overrides))
    found = []
    for _ in range(steps):
        found.append(parts.optimizer.param_groups[0]["lr"])
        parts.optimizer.step()
        parts.schedule.step()
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "overrides",
    [
        "schedule=warmup_cosine trainer.epochs=4",
        "schedule=warmup_cosine schedule.interval=batch schedule.milestones=[30]",
        LAMBDA,
        CHAINED,
        OWN,
        PLATEAU,
    ],
)
def test_interrupted_and_resumed_to_the_bit(
    tmp_path: Path, root: str, overrides: str, seed: int
) -> None:
    batches = random.Random(seed).sample(range(1, 35), 2)
    assert_the_same(configuration(root, *only(overrides)), tmp_path, *batches)


@pytest.mark.parametrize(
    ("interval", "epochs", "milestone", "steps"), [("epoch", 6, 2, 6), ("batch", 2, 10, 48)]
)
def test_the_cosine_takes_the_steps_that_the_rise_leaves(
    root: str, interval: str, epochs: int, milestone: int, steps: int
) -> None:
    found = rates(
        root,
        *("schedule=warmup_cosine", f"schedule.interval={interval}", "optimizer.lr=1"),
        *(f"trainer.epochs={epochs}", f"schedule.milestones=[{milestone}]"),
        steps=steps,
    )
    rise = [0.1 + 0.9 * step / milestone for step in range(milestone)]
    left = steps - milestone
    fall = [(1 + math.cos(math.pi * step / left)) / 2 for step in range(left)]
    assert found == pytest.approx([*rise, *fall])


def test_a_function_of_the_step_gives_the_factor(root: str) -> None:
    every = LAMBDA.replace("halving", "halving,every:3")
    found = rates(root, *only(every), "optimizer.lr=1", steps=7)
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_a_plateau_follows_the_direction_of_the_metric(tmp_path: Path, root: str) -> None:
    overrides = ("schedule=plateau", "data.validation_size=300", "schedule.factor=0.5")
    modes = {}
    for monitor in ("val_loss", "val_accuracy"):
        config = configuration(root, *overrides, f"trainer.monitor={monitor}")
        modes[monitor] = assemble(config).schedule.mode
        assert config.leaves()["schedule.mode"] == modes[monitor]
    assert modes == {"val_loss": "min", "val_accuracy": "max"}
    never = ("schedule.patience=0", "schedule.threshold=9", "schedule.threshold_mode=abs")
    config = configuration(root, *overrides, *never[:2], f"+{never[2]}")
    _, history = execute(config, tmp_path / "run")
    seen = [history.points["lr", epoch] for epoch in (1, 2, 3)]
    assert seen == pytest.approx([0.01, 0.01, 0.005])


def with_inner(**inner: object) -> str:
    keys = "".join(f",{name}:{value}" for name, value in inner.items())
    return nested(
        "SequentialLR", f"{TORCH}.LinearLR{keys}", f"{TORCH}.LinearLR", more=",milestones:[1]"
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ("schedule=plateau",),
            "schedule=plateau: looks at val_accuracy, and there is no validation split; set "
            "data.validation_size, for example to 5000",
        ),
        (
            ("schedule=plateau", "schedule.interval=batch", "data.validation_size=300"),
            "schedule.interval=batch: ReduceLROnPlateau looks at a metric of each epoch; use "
            "schedule.interval=epoch",
        ),
        (
            ("schedule=warmup_cosine", "trainer.epochs=2"),
            "schedule.milestones=[2]: the schedule has 2 steps, so that its last part would never "
            "begin; set schedule.milestones=[1], more trainer.epochs, or schedule.interval=batch, "
            "which counts batches",
        ),
        (
            ("schedule=warmup_cosine", "schedule.milestones=[2,4]"),
            "schedule.milestones=[2, 4]: 2 schedules need 1 milestones, the steps at which a "
            "schedule begins",
        ),
        (
            only(with_inner(start_factor=2)),
            "schedule.schedulers.0.start_factor=2: it should be less than or equal to 1 "
            "(start_factor: the factor of the first step; for example "
            "schedule.schedulers.0.start_factor=0.1)",
        ),
        (
            only(with_inner(start_facto=1)),
            "schedule.schedulers.0.start_facto: unknown key; did you mean "
            "schedule.schedulers.0.start_factor? (~schedule.schedulers.0.start_facto removes it)",
        ),
        (
            only(with_inner(interval="epoch")),
            "schedule.schedulers.0: LinearLR takes no interval; it takes start_factor, "
            "end_factor, total_iters; add to the command: ~schedule.schedulers.0.interval",
        ),
        (
            only(nested("ChainedScheduler", f"{TORCH}.ReduceLROnPlateau")),
            f"schedule.schedulers.0._target_={TORCH}.ReduceLROnPlateau: cannot be nested, since "
            "it looks at a metric; choose another class",
        ),
        (
            only(LAMBDA.replace("halving", "halving,evry:1")),
            "schedule.lr_lambda.evry: unknown key; did you mean schedule.lr_lambda.every? "
            "(~schedule.lr_lambda.evry removes it)",
        ),
        (
            only(LAMBDA.replace("halving", "without_step")),
            "schedule.lr_lambda: without_step() -> 'float' is called with 1 positional arguments "
            "and no other: too many positional arguments; mend the function, or its arguments",
        ),
        (
            only(LAMBDA.replace("halving", "of_two")),
            "schedule.lr_lambda.other: is missing, and of_two needs it; add to the command: "
            "+schedule.lr_lambda.other=…",
        ),
        (
            ("schedule=onecycle", "+schedule.total_steps=5"),
            "schedule.total_steps=5: the schedule has 72 steps; set it to 72, or leave it out",
        ),
    ],
)
def test_a_mistake_is_one_line(root: str, overrides: Sequence[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        assemble(configuration(root, *overrides))
    assert str(caught.value) == said


def test_a_class_of_the_user_s_gets_the_number_of_its_steps(root: str) -> None:
    overrides = ("schedule=onecycle", "schedule.interval=batch", "+schedule.div_factor=10")
    parts = assemble(configuration(root, *overrides, "schedule.max_lr=1"))
    assert isinstance(parts.schedule, torch.optim.lr_scheduler.OneCycleLR)
    assert parts.schedule.total_steps == 3 * 24
    assert parts.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
