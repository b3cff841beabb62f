"""Callbacks in a run: resumed to the bit, named when they fail, evaluated by their weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from experiments import journal
from experiments.errors import InputError, RunError
from experiments.process.signals import Interrupted
from experiments.training.evaluation import evaluate
from tests.own_tasks import Averaging
from tests.run.test_lifecycle import assert_the_same, configuration, execute, interrupting

OWN = "+callbacks.own._target_=tests.own_tasks."


@pytest.mark.parametrize("batches", [(1,), (24, 3, 9), (25, 24)])
@pytest.mark.parametrize(
    "overrides",
    [
        f"{OWN}WeightedTogether",
        f"{OWN}Averaging data.validation_size=300 trainer.save_best=true",
        f"{OWN}Averaging +callbacks.two._target_=tests.own_tasks.WeightedTogether",
        "task.loss._target_=tests.own_tasks.Remembering ~task.loss.label_smoothing",
        "trainer.gradient_clip_val=0.5 trainer.accumulate_grad_batches=3",
        "trainer.accumulate_grad_batches=5 schedule=onecycle",
    ],
)
def test_interrupted_and_resumed_to_the_bit(
    tmp_path: Path, root: str, overrides: str, batches: tuple[int, ...]
) -> None:
    if "accumulate" in overrides:
        batches = tuple(-(-batch // 5) for batch in batches)
    assert_the_same(configuration(root, *overrides.split()), tmp_path, *batches)


def test_the_given_weights_are_evaluated_and_kept_and_the_own_ones_are_trained(
    tmp_path: Path, root: str
) -> None:
    overrides = ("data.validation_size=300", "trainer.epochs=2")
    parts, history = execute(configuration(root, *overrides, f"{OWN}Averaging"), tmp_path / "a")
    _, plain = execute(configuration(root, *overrides), tmp_path / "b")
    kept = load_file(tmp_path / "a" / "weights.safetensors")
    averaging = parts.callbacks["own"]
    assert isinstance(averaging, Averaging)
    for name, value in averaging.weights().items():
        assert torch.equal(kept[name], value)
    for epoch in (1, 2):  # the evaluation in between leaves the training as it is
        assert history.points["train_loss", epoch] == plain.points["train_loss", epoch]
        assert history.points["val_loss", epoch] != plain.points["val_loss", epoch]
    (test,) = evaluate(
        models=[parts.model],
        seeds=[0],
        task=parts.task,
        split=parts.splits.test,
        limit_batches=None,
        after_batch=lambda: None,
    )
    assert test.named("test").items() <= history.metrics.items()


@pytest.mark.parametrize(
    "moment",
    ["on_fit_start", "on_before_step", "on_batch_end", "on_epoch_end", "on_test_end", "state_dict"],
)
def test_one_that_raises_is_named(tmp_path: Path, root: str, moment: str) -> None:
    config = configuration(root, f"{OWN}Raising", f"+callbacks.own.moment={moment}")
    with pytest.raises(RunError) as raised:
        execute(config, tmp_path)
    line = str(raised.value)
    assert line.startswith(f"callbacks.own: Raising.{moment} raised LookupError: no luck at")
    assert "\n" not in line


def test_one_that_raises_has_its_frames_in_the_log_alone(offline, tmp_path: Path) -> None:
    failed = offline(f"{OWN}Raising", "+callbacks.own.moment=on_epoch_end")
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("error: callbacks.own: Raising.on_epoch_end raised LookupError: no luck")
    assert "own_tasks.py:" in line
    (log,) = tmp_path.glob("outputs/*/*/train.log")
    assert "Traceback" in log.read_text()
    assert "in on_epoch_end" in log.read_text()
    assert "Traceback" not in failed.stdout


def test_one_can_stop_the_run(tmp_path: Path, root: str) -> None:
    config = configuration(root, "trainer.epochs=5", f"{OWN}Stopping", "+callbacks.own.epoch=2")
    _, history = execute(config, tmp_path)
    assert max(step for key, step in history.points if key == "train_loss") == 2
    assert "test_accuracy" in history.metrics


def test_two_that_give_weights_are_refused(tmp_path: Path, root: str) -> None:
    config = configuration(
        root, f"{OWN}Averaging", "+callbacks.two._target_=tests.own_tasks.Averaging"
    )
    with pytest.raises(RunError, match=r"callbacks\.own and callbacks\.two both give the weights"):
        execute(config, tmp_path)


def test_what_is_no_callback_is_refused(tmp_path: Path, root: str) -> None:
    config = configuration(root, "+callbacks.own._target_=tests.own_tasks.Focal")
    with pytest.raises(InputError, match=r"^callbacks\.own\._target_=.*is not allowed"):
        execute(config, tmp_path)


def test_a_state_that_no_checkpoint_can_hold_is_told_at_once(tmp_path: Path, root: str) -> None:
    config = configuration(root, f"{OWN}Unsaveable")
    with pytest.raises(RunError, match=r"^callbacks\.own: no checkpoint can hold its state: x is"):
        execute(config, tmp_path)


def test_a_moment_that_is_never_called_is_refused(tmp_path: Path, root: str) -> None:
    config = configuration(root, f"{OWN}Misspelt")
    said = r"^callbacks\.own: Misspelt\.on_train_epoch_end would never be called; did you mean on_"
    with pytest.raises(InputError, match=said):
        execute(config, tmp_path)


def test_a_resumed_run_logs_as_one_that_was_not_and_the_test_counts_last(
    tmp_path: Path, root: str
) -> None:
    stopping = ("+callbacks.stop._target_=tests.own_tasks.Stopping", "+callbacks.stop.epoch=2")
    config = configuration(root, f"{OWN}Telling", *stopping)
    for batch in (30, 19):  # an epoch has 24 batches; the second stop is in the test
        with pytest.raises(Interrupted):
            execute(config, tmp_path, interrupting(batch))
    _, history = execute(config, tmp_path)
    told = {point: v for point, v in history.points.items() if point[0] in {"begun", "last"}}
    assert told == {("begun", 1): 1.0, ("last", 1): 1.0, ("last", 2): -1.0}
    assert history.points["tested_at", 2] == 2.0
    events, _ = journal.read(tmp_path)
    assert sum("begun" in event.get("metrics", {}) for event in events) == 1
