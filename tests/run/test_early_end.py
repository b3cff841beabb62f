"""A run that ends early says where it can be resumed, and it is resumed there."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from experiments.config import RunConfig
from experiments.errors import InputError, RunError
from experiments.process.signals import Interrupted
from experiments.run.early_end import explained
from tests.run.test_lifecycle import configuration, execute, interrupting

FOLDER = Path("outputs/run")


@pytest.fixture(autouse=True)
def level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture(scope="module")
def config(root: str) -> RunConfig:
    return configuration(root)


@pytest.mark.parametrize(
    ("batch", "place"), [(1, "epoch 1, batch 2"), (24, "the end of epoch 1"), (73, "the test")]
)
def test_a_stopped_run_resumes_at_the_place_that_it_told(
    config: RunConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    place: str,
) -> None:
    """An epoch has 24 batches, and the run 3 epochs."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Interrupted):
        execute(config, Path("run"), interrupting(batch))
    assert caplog.messages[-1] == (
        f"Stopped; the checkpoint is in run/checkpoints, and the same command resumes it at {place}"
    )
    caplog.clear()
    execute(config, Path("run"))
    assert caplog.messages[0] == f"Resuming at {place}"


def test_without_a_checkpoint_of_the_epoch_the_one_before_is_told(
    root: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = configuration(root, "model._target_=tests.own_models.Exploding")
    with pytest.raises(Interrupted):
        execute(config, tmp_path, interrupting(30))  # the loss of epoch 2 is NaN, so not saved
    assert caplog.messages[-1].endswith("resumes it at epoch 2")


def test_before_the_first_checkpoint_nothing_is_resumed(
    config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Interrupted), explained(config, FOLDER, lambda: None):
        raise Interrupted(15)
    assert caplog.messages == [
        "Stopped before the first checkpoint; the same command begins it anew"
    ]


def test_force_would_begin_anew_so_it_is_left_out(
    root: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = configuration(root, "force=true")
    with pytest.raises(Interrupted), explained(config, FOLDER, lambda: "epoch 2"):
        raise Interrupted(15)
    assert caplog.messages[-1].endswith("the same command without force=true resumes it at epoch 2")


@pytest.mark.parametrize("raised", [ArithmeticError("odd"), SystemExit(0)], ids=repr)
def test_an_error_names_the_folder_and_the_way_to_continue(
    config: RunConfig, raised: BaseException
) -> None:
    with (
        pytest.raises((ArithmeticError, RuntimeError)) as caught,
        explained(config, FOLDER, lambda: "epoch 2, batch 8"),
    ):
        raise raised
    assert re.search(r"odd|called sys.exit\(0\)", str(caught.value))
    assert caught.value.__notes__ == [
        "Everything about this run: outputs/run",
        "As it is, the same command resumes it at epoch 2, batch 8; with edited source, unless "
        "only that of metrics was edited, it is a new run from epoch 1",
    ]


@pytest.mark.parametrize("raised", [InputError("wrong"), RunError("full")], ids=repr)
def test_an_error_with_advice_of_its_own_gets_no_other(
    config: RunConfig, raised: Exception
) -> None:
    with pytest.raises(type(raised)) as caught, explained(config, FOLDER, lambda: None):
        raise raised
    assert not hasattr(caught.value, "__notes__")


def test_an_edited_metric_begins_a_new_run_only_where_it_steers(root: str) -> None:
    steered = configuration(root, "data.validation_size=100", "trainer.save_best=true")
    with pytest.raises(ArithmeticError) as caught, explained(steered, FOLDER, lambda: "the test"):
        raise ArithmeticError
    assert caught.value.__notes__[-1].endswith(
        "at the test; with edited source it is a new run from epoch 1"
    )
