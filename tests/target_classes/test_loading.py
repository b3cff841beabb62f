"""No part of a configuration makes torch unpickle an object, or loads a model that is unseen."""

from __future__ import annotations

import copy
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config import check
from experiments.errors import InputError
from experiments.run.build import assemble
from experiments.target_classes import resolve_loss, resolve_metric, resolve_model
from tests.run.test_lifecycle import configuration
from tests.target_classes.test_gadgets import PLACES, Evil

PARTS = "tests.target_classes.unpickling_parts"
UNPICKLING = {
    "model": ("Model", "made"),
    "task.loss": ("Loss",),
    "task.metrics.own": ("Metric",),
    "callbacks.own": ("Watching",),
    "optimizer": ("Optimizer",),
    "schedule": ("Schedule",),
}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plant a file that writes another, which is returned, when it is unpickled."""
    file = tmp_path / "executed"
    torch.save(Evil(file), tmp_path / "evil.pt")
    monkeypatch.setenv("PICKLED", str(tmp_path / "evil.pt"))
    return file


@pytest.fixture(scope="module")
def base(root: str) -> dict[str, Any]:
    return configuration(root).model_dump()


@pytest.mark.parametrize(
    ("key", "name"), [(key, name) for key, names in UNPICKLING.items() for name in names]
)
def test_no_part_unpickles_an_object_while_it_is_built(
    key: str, name: str, base: dict[str, Any], planted: Path
) -> None:
    values = copy.deepcopy(base)
    PLACES[key](values, {"_target_": f"{PARTS}.{name}"})
    with pytest.raises(
        InputError, match=f"^{key}: {name} loads a pickled object, and .* save a state_dict"
    ):
        assemble(check(values))
    assert not planted.exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    importlib.import_module(PARTS).unpickle()
    assert planted.exists()  # so the parts are real


@pytest.mark.parametrize(
    "name",
    [
        "image.LearnedPerceptualImagePatchSimilarity",
        "image.fid.FrechetInceptionDistance",
        "image.kid.KernelInceptionDistance",
        "image.inception.InceptionScore",
        "image.mifid.MemorizationInformedFrechetInceptionDistance",
        "functional.image.dists.DISTSNetwork",
        "functional.image.lpips._LPIPS",
        "functional.image.lpips.Alexnet",
    ],
)
def test_a_model_in_a_library_s_metric_is_refused_by_name(name: str) -> None:
    target = f"torchmetrics.{name}"
    resolvers: dict[str, Callable[[str, str], object]] = {
        "model": resolve_model,
        "task.loss": resolve_loss,
    }
    if "functional" not in name:
        resolvers["task.metrics.own"] = resolve_metric
    for key, resolve in resolvers.items():
        with pytest.raises(InputError) as caught:
            resolve(key, target)
        assert str(caught.value) == (
            f"{key}._target_={target}: is not allowed; its part of torchmetrics loads models whose "
            "weights the run's identity cannot see; choose another, or write a class of your own"
        )


def test_the_other_metrics_of_images_are_allowed() -> None:
    for name in ("image.StructuralSimilarityIndexMeasure", "image.PeakSignalNoiseRatio"):
        assert resolve_metric("task.metrics.own", f"torchmetrics.{name}")
    assert resolve_loss("task.loss", "torchmetrics.functional.image.total_variation")
