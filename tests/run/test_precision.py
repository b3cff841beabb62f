"""Runs in mixed precision: resumed to the bit, near float32, with an identity of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.amp import GradScaler

from experiments.data.batches import batches
from experiments.errors import InputError
from experiments.identity.ingredients import ingredients_of
from experiments.run.build import assemble
from experiments.run.numerics import set_precision
from experiments.sweep.vectorized import _must_be_alone
from experiments.tasks import Classification
from experiments.training import gradients
from tests.run.test_lifecycle import assert_the_same, configuration, execute

SHORT = ("trainer.epochs=2", "trainer.limit_batches=7", "data.validation_size=100")
MIXED = ("bf16-mixed", "fp16-mixed")


@pytest.mark.parametrize(
    "optimizer", ["sgd_momentum", pytest.param("adamw", marks=pytest.mark.slow)]
)
def test_a_scaled_run_goes_on_to_the_bit_whatever_its_scale(
    tmp_path: Path, root: str, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """The scale falls and rises in these few steps, with accumulation and clipping."""
    rising = partial(GradScaler, init_scale=2.0**24, growth_interval=2)
    monkeypatch.setattr(gradients, "GradScaler", rising)
    more = ("trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=0.5")
    more += ("trainer.precision=fp16-mixed", f"optimizer={optimizer}")
    assert_the_same(configuration(root, *SHORT, *more), tmp_path, 2, 3)


@pytest.mark.parametrize("precision", MIXED)
def test_a_run_in_mixed_precision_ends_near_that_in_float32(
    tmp_path: Path, root: str, precision: str
) -> None:
    told = {}
    for each in ("float32", precision):
        config = configuration(root, "trainer.epochs=3", f"trainer.precision={each}")
        parts, history = execute(config, tmp_path / each)
        told[each] = history.metrics
        assert {value.dtype for value in parts.model.parameters()} == {torch.float32}
    assert told[precision]["test_loss"] != told["float32"]["test_loss"]
    assert told[precision]["test_loss"] == pytest.approx(told["float32"]["test_loss"], rel=0.02)


def test_the_precision_is_a_part_of_the_identity(root: str) -> None:
    settings = ["trainer.precision=float32", "trainer.matmul_precision=high"]
    settings += [f"trainer.precision={each}" for each in MIXED]
    found = {
        ingredients_of(configuration(root, each), data_sha256="", device="cpu").identity
        for each in settings
    }
    assert len(found) == len(settings)


def test_targets_are_computed_in_float32_as_in_an_evaluation(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, seen = Classification.targets, []

    def watched(task: Classification, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return targets(task, images, labels)

    monkeypatch.setattr(Classification, "targets", watched)
    parts = assemble(configuration(root, "trainer.precision=bf16-mixed"))  # tries a step
    first = next(batches(parts.splits.train, 64))
    gradients.Autograd(parts.model, parts.task, "bf16-mixed").add(*first, 1)
    assert seen == [False, False]


def test_lanes_compute_in_float32(root: str) -> None:
    assert _must_be_alone(configuration(root)) is None
    reason = _must_be_alone(configuration(root, "trainer.precision=bf16-mixed"))
    assert reason == "trainer.precision=bf16-mixed, and lanes compute in float32"


def test_a_device_that_cannot_compute_so_is_refused(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled, brain = (
        configuration(root, f"trainer.precision={each}").trainer for each in MIXED[::-1]
    )
    with pytest.raises(InputError, match=r"^trainer\.precision=fp16-mixed: .* the device is mps;"):
        set_precision(scaled, torch.device("mps"))
    old, current = torch.device("cuda:1"), [torch.device("cuda:0")]

    @contextmanager
    def on(device: torch.device) -> Iterator[None]:
        current.append(device)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: current[-1] != old)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old GPU")
    with pytest.raises(InputError, match=r"bf16-mixed: Old GPU has no bfloat16; choose fp16-mixed"):
        set_precision(brain, old)


def test_the_matrix_precision_holds_for_convolutions_too(root: str) -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        for name, allowed in (("high", True), ("highest", False)):
            config = configuration(root, f"trainer.matmul_precision={name}")
            set_precision(config.trainer, torch.device("cpu"))
            assert torch.get_float32_matmul_precision() == name
            assert torch.backends.cudnn.allow_tf32 is allowed
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
