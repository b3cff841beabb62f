"""A run that is interrupted at any batch and resumed ends like an uninterrupted run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from experiments import journal
from experiments.composition.hydra_config import checked
from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.journal import History, Journal
from experiments.process.signals import Interrupted
from experiments.randomness import seed_all
from experiments.run.build import Parts, assemble
from experiments.run.train_and_test import tidy, train_and_test
from experiments.tracking import Recorder
from tests.conftest import PROJECT


def configuration(root: str, *overrides: str) -> RunConfig:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        base = ("data=digits", f"data.root={root}", "tracking=none", "trainer.epochs=3")
        return checked(compose("config", [*base, *overrides], return_hydra_config=True))


def execute(
    config: RunConfig, folder: Path, check: Callable[[], None] = lambda: None
) -> tuple[Parts, History]:
    """Train and test as the program does, from the last checkpoint if there is one."""
    folder.mkdir(exist_ok=True)
    parts = assemble(config)
    seed_all(12345)  # the result must not depend on the process's initial state
    with Journal(folder) as opened:
        recorder = Recorder(opened, journal.history(folder), None)
        result = train_and_test(
            config=config,
            parts=parts,
            identity="0" * 64,
            overrides=(),
            recorder=recorder,
            folder=folder,
            check=check,
        )
    tidy(folder, result)
    return parts, journal.history(folder)


def interrupting(batch: int) -> Callable[[], None]:
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == batch:
            raise Interrupted(15)

    return check


def without_times(history: History) -> dict[tuple[str, int], float]:
    return {key: value for key, value in history.points.items() if key[0] != "epoch_seconds"}


def assert_the_same(config: RunConfig, tmp_path: Path, *batches: int) -> None:
    _, whole = execute(config, tmp_path / "whole")
    for batch in batches:
        with pytest.raises(Interrupted):
            execute(config, tmp_path / "parts", interrupting(batch))
    _, parts = execute(config, tmp_path / "parts")
    assert without_times(parts) == without_times(whole)
    weights = [tmp_path / name / "weights.safetensors" for name in ("parts", "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not (tmp_path / "parts" / "checkpoints").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        "optimizer=sgd",
        "optimizer=sgd_momentum optimizer.nesterov=true schedule=step schedule.step_size=1",
        "optimizer=adamw schedule=onecycle",
        "optimizer=sgd_momentum schedule=cosine optimizer.weight_decay=0.01",
        "optimizer=adamw model._target_=tests.own_models.Dropping",
        "model._target_=tests.own_models.Drawing data.validation_size=300",
        "model._target_=tests.own_models.Transposed",
        "model._target_=tests.own_models.Transposed optimizer=adamw",
        "optimizer._target_=tests.own_models.Master ~optimizer.momentum ~optimizer.dampening "
        "~optimizer.nesterov ~optimizer.fused ~optimizer.weight_decay",
        "optimizer._target_=torch.optim.RMSprop ~optimizer.momentum ~optimizer.dampening "
        "~optimizer.nesterov ~optimizer.fused",
    ],
)
@pytest.mark.parametrize("batches", [(1,), (24, 3, 9), (25, 24)])
def test_interrupted_and_continued_to_the_bit(
    tmp_path: Path, root: str, overrides: str, batches: tuple[int, ...]
) -> None:
    assert_the_same(configuration(root, *overrides.split()), tmp_path, *batches)


@pytest.mark.parametrize(
    "batches",
    [(24, 3, 9), *(pytest.param(each, marks=pytest.mark.slow) for each in ((1,), (25, 24)))],
)
def test_convolutions_are_continued_to_the_bit(
    tmp_path: Path, root: str, batches: tuple[int, ...]
) -> None:
    config = configuration(root, "model=convnet", "trainer.limit_batches=24")
    assert_the_same(config, tmp_path, *batches)


@pytest.mark.parametrize("batch", [22, 23, 24, 46, 69, 70])
def test_also_while_validating_and_testing(tmp_path: Path, root: str, batch: int) -> None:
    """An epoch has 22 batches of training and 1 of validation; batch 70 belongs to the test."""
    overrides = ("data.validation_size=100", "schedule=step", "schedule.step_size=1")
    config = configuration(root, *overrides, "trainer.save_best=true")
    assert_the_same(config, tmp_path, batch)


def test_without_a_checkpoint_in_between_it_begins_where_the_last_one_is(
    tmp_path: Path, root: str
) -> None:
    config = configuration(root, "trainer.checkpoint_every=2")
    seen = []

    def killed() -> None:  # as kill -9 would, without saving
        seen.append(len(list((tmp_path / "parts" / "checkpoints").glob("*.safetensors"))))
        if len(seen) == 24 * 2 + 5:
            raise MemoryError

    with pytest.raises(MemoryError):
        execute(config, tmp_path / "parts", killed)
    assert seen[24 + 5] == 0
    assert seen[-1] == 1
    _, whole = execute(config, tmp_path / "whole")
    _, parts = execute(config, tmp_path / "parts")
    assert without_times(parts) == without_times(whole)


def test_a_recorded_epoch_that_is_trained_again_is_recorded_once(tmp_path: Path, root: str) -> None:
    config = configuration(root, "trainer.checkpoint_every=3")

    def killed() -> None:
        if ("train_loss", 2) in journal.history(tmp_path / "run").points:
            raise MemoryError

    with pytest.raises(MemoryError):
        execute(config, tmp_path / "run", killed)
    execute(config, tmp_path / "run")
    events, _ = journal.read(tmp_path / "run")
    steps = [event["step"] for event in events if "train_loss" in event.get("metrics", {})]
    assert steps == [1, 2, 3]


def test_early_stopping_keeps_the_best_weights(tmp_path: Path, root: str) -> None:
    overrides = (
        *("data.validation_size=200", "trainer.epochs=200", "trainer.patience=2"),
        *("trainer.monitor=val_accuracy", "trainer.save_best=true", "optimizer.lr=0.1"),
    )
    parts, history = execute(configuration(root, *overrides), tmp_path / "run")
    accuracies = {step: v for (key, step), v in history.points.items() if key == "val_accuracy"}
    last = max(accuracies)
    best = int(history.metrics["best_epoch"])
    assert last < 200
    assert last == best + 2
    assert accuracies[best] == max(accuracies.values())
    assert best == min(e for e, value in accuracies.items() if value == accuracies[best])
    assert history.metrics["best_val_accuracy"] == accuracies[best]
    assert ("test_accuracy", last) in history.points

    until_best = tuple(o for o in overrides if "patience" not in o and "epochs" not in o)
    config = configuration(root, *until_best, f"trainer.epochs={best}")
    same, _ = execute(config, tmp_path / "until_best")
    for name, value in same.model.state_dict().items():
        assert torch.equal(parts.model.state_dict()[name], value)


def test_without_any_validation_number_the_last_weights_are_kept(tmp_path: Path, root: str) -> None:
    overrides = ("data.validation_size=100", "trainer.save_best=true", "trainer.monitor=val_loss")
    blind = "model._target_=tests.own_models.Blind"
    _, history = execute(configuration(root, *overrides, blind), tmp_path)
    assert "test_accuracy" in history.metrics
    assert "best_epoch" not in history.metrics


def test_early_stopping_survives_an_interruption(tmp_path: Path, root: str) -> None:
    overrides = ("data.validation_size=200", "trainer.patience=1", "optimizer.lr=0.1")
    config = configuration(root, *overrides, "trainer.epochs=100", "trainer.save_best=true")
    assert_the_same(config, tmp_path, 30, 50)


def test_a_diverged_run_ends_early_and_keeps_its_last_finite_checkpoint(
    tmp_path: Path, root: str
) -> None:
    config = configuration(root, "model._target_=tests.own_models.Exploding")
    _, history = execute(config, tmp_path)
    assert history.tags["diverged"] == "true"
    assert history.tags["diverged_epoch"] == "2"
    assert max(step for _, step in history.points) == 2
    assert "test_accuracy" not in history.metrics
    assert "weights_sha256" not in history.tags
    (kept,) = (tmp_path / "checkpoints").iterdir()
    assert kept.name.startswith(f"{24:09d}-")


def test_a_diverged_run_goes_on_if_told_to(tmp_path: Path, root: str) -> None:
    target = "model._target_=tests.own_models.Exploding"
    config = configuration(root, target, "trainer.stop_on_divergence=false")
    _, history = execute(config, tmp_path)
    assert history.tags["diverged_epoch"] == "2"
    assert max(step for _, step in history.points) == 3
    assert "test_accuracy" not in history.metrics


def test_an_interrupted_epoch_with_nan_is_not_saved(tmp_path: Path, root: str) -> None:
    config = configuration(root, "model._target_=tests.own_models.Exploding")
    with pytest.raises(Interrupted):
        execute(config, tmp_path, interrupting(30))
    (kept,) = (tmp_path / "checkpoints").iterdir()
    assert kept.name.startswith(f"{24:09d}-")


def test_the_checkpoint_of_another_architecture_is_refused(tmp_path: Path, root: str) -> None:
    config = configuration(root)
    with pytest.raises(Interrupted):
        execute(config, tmp_path, interrupting(30))
    model = config.model.model_copy(update={"hidden": [64]})
    with pytest.raises(InputError, match=r"another architecture \(fc1.bias is 128 there and 64"):
        execute(config.model_copy(update={"model": model}), tmp_path)
