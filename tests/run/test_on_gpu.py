"""What only a GPU can show: the same bits, resumed runs, precision, lanes, no wait in a step."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from experiments.data.batches import batches
from experiments.lanes.limits import examine
from experiments.models import SimpleNet
from experiments.run.build import assemble
from experiments.run.choose_gradients import gradients_of
from experiments.run.gradient_clip import gradient_clip
from experiments.training import loop
from experiments.training.gradients import Autograd
from experiments.training.position import Position
from experiments.training.updates import Updates
from tests.run.test_lifecycle import assert_the_same, configuration, execute
from tests.training.test_updates import OPTIMIZERS
from tests.training.test_updates import assert_the_same as assert_equal_states

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
DEVICE = "cuda"
SHORT = (f"trainer.device={DEVICE}", "trainer.epochs=2", "data.validation_size=100")
KINDS = {
    "float32": (),
    "adamw, convnet": ("model=convnet", "optimizer=adamw", "trainer.limit_batches=8"),
    "tf32": ("trainer.matmul_precision=high",),
    "bf16-mixed": ("trainer.precision=bf16-mixed",),
    "fp16-mixed": (
        *("trainer.precision=fp16-mixed", "optimizer=adamw"),
        *("trainer.gradient_clip_val=1", "trainer.accumulate_grad_batches=2"),
    ),
    "compiled": ("trainer.compile=default",),
    "CUDA graphs": ("trainer.compile=reduce-overhead", "trainer.precision=bf16-mixed"),
}


@pytest.mark.parametrize("more", KINDS.values(), ids=KINDS)
def test_a_run_has_the_same_bits_twice_and_when_it_is_resumed(
    tmp_path: Path, root: str, more: tuple[str, ...]
) -> None:
    config = configuration(root, *SHORT, *more)
    parts, history = execute(config, tmp_path / "first")
    assert parts.device.type == DEVICE
    assert history.metrics["test_accuracy"] > 0.5
    assert_the_same(config, tmp_path, 3, 4)
    files = [tmp_path / name / "weights.safetensors" for name in ("first", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_lanes_compute_what_each_computes_alone(root: str) -> None:
    for model in ("simplenet", "convnet"):
        config = configuration(root, *SHORT, f"model={model}")
        assert examine(config, 4) == 4  # compares a stack with its lanes, and raises if they differ


@pytest.mark.parametrize("name", ["plain", "momentum", "nesterov", "adamw", "amsgrad"])
def test_updates_are_torch_s_own(name: str) -> None:
    mine = SimpleNet().to(DEVICE)
    theirs = copy.deepcopy(mine)
    ours, own = (OPTIMIZERS[name](model.parameters()) for model in (mine, theirs))
    updates = Updates([ours])
    for _ in range(4):
        for parameter, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            parameter.grad = torch.randn_like(parameter)
            other.grad = parameter.grad.clone()
        updates.step()
        own.step()
    assert_equal_states(ours, own)


@pytest.mark.parametrize("more", KINDS.values(), ids=KINDS)
def test_no_step_waits_for_the_device(
    root: str, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    config = configuration(root, *SHORT, *more)
    parts, position = assemble(config), Position()
    gradients = gradients_of(config, parts, lambda: position)
    size, steps = config.data.batch_size, []
    whole = len(parts.splits.train) // size  # a smaller batch would be compiled anew

    def watch() -> None:
        steps.append(1)
        if len(steps) > 3:  # the first compile, plan the updates and record CUDA graphs
            torch.cuda.set_sync_debug_mode("error")  # a wait raises

    def value_of(total: torch.Tensor) -> float:  # the one wait, at the end of the epoch
        torch.cuda.set_sync_debug_mode("default")
        return float(total)

    monkeypatch.setattr(loop, "value_of", value_of)
    try:
        loop.train_epoch(
            model=parts.model,
            gradients=gradients,
            updates=Updates([parts.optimizer], gradients.scaler),
            schedule=parts.schedule,
            split=parts.splits.train,
            batch_size=size,
            accumulate=config.trainer.accumulate_grad_batches,
            clip=gradient_clip(parts.model, config.trainer),
            limit_batches=min(whole, config.trainer.limit_batches or whole),
            seed=0,
            position=position,
            after_batch=watch,
        )
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(steps) > 5
    assert position.batches > 16 or config.trainer.limit_batches  # 16 batches are made at once


def test_gradients_in_mixed_precision_are_near_those_in_float32(root: str) -> None:
    parts = assemble(configuration(root, *SHORT))
    images, labels = next(batches(parts.splits.train, 64))
    found = []
    for precision in ("float32", "bf16-mixed"):
        Autograd(parts.model, parts.task, precision).add(images, labels, 1)
        found.append(torch.cat([each.grad.flatten() for each in parts.model.parameters()]))
        parts.model.zero_grad()
    assert not torch.equal(*found)
    assert torch.dist(*found) < 0.05 * found[0].norm()
