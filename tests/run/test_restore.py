"""An undamaged checkpoint that does not fit its run is refused before any of it is used."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.errors import InputError
from experiments.run.checkpoint import Checkpoints
from experiments.run.prepare import prepare
from tests.registry.test_integrity import config_of, execute, stopped


def changed(state: dict[str, Any], *path: Any, to: Any) -> Any:
    """Return a state with another value at a path."""
    inner: Any = state
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return state


WRONG = {
    "a list": lambda _: [1, 2],
    "nothing": lambda _: {},
    **{f"no {name}": lambda s, name=name: {k: s[k] for k in s if k != name} for name in (
        "model", "optimizer", "schedule", "random", "position", "best", "best_weights", "journal"
    )},
    "no epoch": lambda s: changed(s, "position", to={"steps": 1}),
    "an epoch too late": lambda s: changed(s, "position", "epoch", to=10**30),
    "an epoch of text": lambda s: changed(s, "position", "epoch", to="2"),
    "other steps": lambda s: changed(s, "position", "steps", to=1),
    "batches below none": lambda s: changed(s, "position", "batches", to=-1),
    "a model of numbers": lambda s: changed(s, "model", "fc1.weight", to=1.0),
    "another model": lambda s: changed(s, "model", "fc1.weight", to=torch.zeros(3)),
    "best weights of another": lambda s: changed(s, "best_weights", to={"x": torch.zeros(1)}),
    "a best of text": lambda s: changed(s, "best", to={"epoch": "1", "metrics": {}}),
    "an optimizer of text": lambda s: changed(s, "optimizer", to="sgd"),
    "no groups": lambda s: changed(s, "optimizer", "param_groups", to=[]),
    "a rate of text": lambda s: changed(s, "optimizer", "param_groups", 0, "lr", to="0.1"),
    "no rate": lambda s: changed(s, "optimizer", "param_groups", 0, to={"params": [0, 1, 2, 3]}),
    "other parameters": lambda s: changed(
        s, "optimizer", "param_groups", 0, "params", to=[0, 0, 0, 0]
    ),
    "momentum of another shape": lambda s: changed(
        s, "optimizer", "state", 0, "momentum_buffer", to=torch.zeros(1, 1)
    ),
    "momentum of whole numbers": lambda s: changed(
        s, "optimizer", "state", 0, "momentum_buffer", to=torch.zeros(4, 784, dtype=torch.int64)
    ),
    "momentum of text": lambda s: changed(s, "optimizer", "state", 0, "momentum_buffer", to="x"),
    "no momentum": lambda s: changed(s, "optimizer", "state", 0, to={}),
    "momentum of a parameter too many": lambda s: changed(s, "optimizer", "state", 9, to={}),
    "momentum of a name": lambda s: changed(s, "optimizer", "state", "fc1", to={}),
    "a schedule of text": lambda s: changed(s, "schedule", to="constant"),
    "a schedule of nothing": lambda s: changed(s, "schedule", to={}),
    "a schedule with a method": lambda s: changed(s, "schedule", "step", to=1),
    "a schedule without rates": lambda s: changed(s, "schedule", "base_lrs", to=[]),
    "no generators": lambda s: changed(s, "random", to=[]),
    "generators of text": lambda s: changed(s, "random", to=["x"]),
    "a short generator": lambda s: changed(s, "random", to=[torch.zeros(3, dtype=torch.uint8)]),
    "a place of text": lambda s: changed(s, "journal", to={"end": "x", "checksum": "y"}),
    "a place far away": lambda s: changed(s, "journal", to={"end": 2**80, "checksum": "y"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory, root: str) -> Path:
    outputs = tmp_path_factory.mktemp("halfway")
    stopped(config_of(outputs, root))
    return outputs


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_checkpoint_with_the_right_hash_and_the_wrong_structure_is_one_line(
    tmp_path: Path, root: str, halfway: Path, wrong: Callable[[dict[str, Any]], Any]
) -> None:
    shutil.copytree(halfway, tmp_path, dirs_exist_ok=True)
    config = config_of(tmp_path, root)
    prepared = prepare(config, str(tmp_path / "0"))
    checkpoints = Checkpoints(prepared.folder / "checkpoints", prepared.identity)
    state = checkpoints.load()
    assert state is not None
    checkpoints.save(9, wrong(state))
    with pytest.raises(InputError, match=r"train anew with force=true$"):
        execute(config)
