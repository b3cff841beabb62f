"""A run whose metrics or objective change keeps its weights, and no curve of two definitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import journal
from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.journal import History
from experiments.process.signals import Interrupted
from experiments.registry.earlier import MEASURES, REDEFINED
from experiments.run.prepare import prepare
from experiments.run.request import Request
from experiments.run.session import recorded, with_metrics
from experiments.run.train_and_test import train_and_test
from tests.registry.test_integrity import config_of
from tests.run.test_lifecycle import interrupting

F1 = ("data.validation_size=300", "+task/metric@task.metrics.f1=f1")
MACRO, MICRO = (f"task.metrics.f1.average={kind}" for kind in ("macro", "micro"))


def train(config: RunConfig, check: Callable[[], None] = lambda: None) -> float:
    """Train as the program does, and return the objective."""
    folder = f"{config.outputs}/run"
    prepared = prepare(config, folder)
    Path(folder).mkdir(parents=True, exist_ok=True)
    request = Request((), folder)
    with recorded(prepared, request) as recorder:
        return train_and_test(
            config=config,
            parts=prepared.parts,
            identity=prepared.identity,
            overrides=(),
            recorder=recorder,
            folder=prepared.folder,
            check=check,
        ).objective


def curve(past: History, key: str) -> dict[int, float]:
    return {step: value for (name, step), value in past.points.items() if name == key}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, root: str) -> History:
    """A run of two epochs that had the metric of the second definition from the first."""
    folder = tmp_path_factory.mktemp("whole")
    train(config_of(folder, root, *F1, MICRO))
    return journal.history(folder / "run")


# An epoch has 3 batches of training and 1 of validation.
@pytest.mark.parametrize("batch", [9, pytest.param(6, marks=pytest.mark.slow)])
def test_a_resumed_run_has_only_points_of_its_last_definition(
    tmp_path: Path, root: str, whole: History, batch: int
) -> None:
    with pytest.raises(Interrupted):
        train(config_of(tmp_path, root, *F1, MACRO), interrupting(batch))
    config = config_of(tmp_path, root, *F1, MICRO, "task.objective=f1")
    objective = train(config)
    past = journal.history(tmp_path / "run")
    assert past.metrics.keys() == whole.metrics.keys()
    assert curve(past, "val_f1") == {2: whole.points["val_f1", 2]}
    assert past.metrics["test_f1"] == whole.metrics["test_f1"]
    assert objective == whole.metrics["val_f1"]
    assert past.tags["weights_sha256"] == whole.tags["weights_sha256"]
    assert json.loads(past.tags[MEASURES]) == json.loads(whole.start["tags"][MEASURES])
    assert past.tags[REDEFINED] == "f1"
    again = prepare(config, f"{tmp_path}/run")
    assert again.finished
    assert not again.unmeasured


def test_a_finished_run_measured_again_keeps_no_point_of_before(
    tmp_path: Path, root: str, whole: History
) -> None:
    train(config_of(tmp_path, root, *F1, MACRO))
    before = journal.history(tmp_path / "run")
    assert curve(before, "val_f1").keys() == {1, 2}
    asked = prepare(config_of(tmp_path, root, *F1, MICRO), f"{tmp_path}/run")
    found = with_metrics(asked).finished
    assert found is not None
    past = journal.history(tmp_path / "run")
    assert curve(past, "val_f1") == {2: whole.points["val_f1", 2]}
    assert found.metrics == past.metrics
    assert past.metrics["test_f1"] == whole.metrics["test_f1"] != before.metrics["test_f1"]
    assert curve(past, "val_accuracy") == curve(before, "val_accuracy")
    assert past.tags[REDEFINED] == "f1"


def test_a_metric_that_fails_on_a_finished_run_is_named(tmp_path: Path, root: str) -> None:
    train(config_of(tmp_path, root))
    before = (tmp_path / "run" / journal.NAME).read_bytes()
    picky = (
        "+task.metrics.own._target_=tests.own_tasks.few",
        "+task.metrics.own.direction=minimize",
    )
    asked = prepare(config_of(tmp_path, root, *picky), f"{tmp_path}/run")
    said = (
        r"^task\.metrics\.own: cannot be measured on the test images: .*too many; mend it and rep"
    )
    with pytest.raises(InputError, match=said):
        with_metrics(asked)
    assert (tmp_path / "run" / journal.NAME).read_bytes() == before
