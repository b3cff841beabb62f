"""A run has the same bits on any number of processes, and one record."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from experiments import journal
from experiments.journal.points import without_times
from experiments.run.verify_resume import result
from tests.conftest import PROJECT, cases, clean_environment, run_folder
from tests.distributed.processes import TORCHRUN, train_together
from tests.programs import wait_until

NORMAL = ("model._target_=own.Normal", "model.hidden=[32]", "optimizer.lr=0.05")
EVERYTHING = (
    *NORMAL,
    *("trainer.epochs=6", "trainer.shards=4", "data.batch_size=61", "data.validation_size=150"),
    *("trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=1.0", "trainer.patience=1"),
    *("schedule=plateau", "callbacks=[ema,grad_norm]", "trainer.save_best=true"),
)


def test_torchrun_gives_the_bits_of_one_process(tmp_path: Path, root: str) -> None:
    overrides = ("trainer.epochs=2", "trainer.shards=4")
    alone = train_together(tmp_path / "alone", root, 1, *overrides)
    folder = tmp_path / "together"
    folder.mkdir()
    done = subprocess.run(
        (
            *(*TORCHRUN, "--nproc-per-node=2", str(PROJECT / "train.py"), "data=digits"),
            *(f"data.root={root}", "tracking=none", "trainer.threads=1", *overrides),
        ),
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Accuracy of the network") == 1
    together = journal.history(run_folder(folder))
    assert together.tags["weights_sha256"] == alone.tags["weights_sha256"]
    assert together.start["identity"] == alone.start["identity"]
    assert without_times(together.points) == without_times(alone.points)


@pytest.mark.parametrize(
    ("count", "overrides"),
    cases({"all parts on two": (2, EVERYTHING), "all parts on four": (4, EVERYTHING)}, usual=1),
)
def test_dropout_batch_normalisation_and_early_stops_are_the_same(
    tmp_path: Path, root: str, count: int, overrides: tuple[str, ...]
) -> None:
    alone, together = (
        train_together(tmp_path / str(number), root, number, *overrides) for number in (1, count)
    )
    assert together.tags["weights_sha256"] == alone.tags["weights_sha256"]
    assert without_times(together.points) == without_times(alone.points)
    assert {"best_epoch", "val_accuracy"} <= {name for name, _ in alone.points}
    assert ("val_loss", 6) not in alone.points  # it has stopped early
    (folder,) = (tmp_path / str(count)).glob("outputs/2*/*")  # not one for each process
    kept = {path.relative_to(folder) for path in folder.rglob("*")}
    assert kept == {path.relative_to(alone.folder) for path in alone.folder.rglob("*")}


@pytest.mark.slow
def test_random_numbers_in_an_evaluation_are_the_same(tmp_path: Path, root: str) -> None:
    overrides = ("model._target_=own.Restless", "trainer.epochs=1", "trainer.shards=2")
    alone, together = (
        train_together(tmp_path / str(number), root, number, *overrides, "data.validation_size=300")
        for number in (1, 2)
    )
    assert without_times(together.points) == without_times(alone.points)


@pytest.mark.slow
def test_mlflow_has_one_run(tmp_path: Path, root: str) -> None:
    overrides = ("trainer.epochs=1", "trainer.shards=2", "tracking=mlflow")
    train_together(tmp_path, root, 2, *overrides)
    wait_until(lambda: result(tmp_path).stored)
    assert len(result(tmp_path).run_ids) == 1


@pytest.mark.parametrize(
    "overrides",
    cases(
        {
            "plain": (("data.batch_size=61",),),
            "steps of two batches": (("data.batch_size=61", "trainer.accumulate_grad_batches=2"),),
            "fewer examples than processes": (("data.batch_size=111", "data.validation_size=167"),),
        },
        usual=1,
    ),
)
def test_ddp_is_close_and_another_run(
    tmp_path: Path, root: str, overrides: tuple[str, ...]
) -> None:
    overrides = ("trainer.epochs=2", *overrides)
    alone = train_together(tmp_path / "alone", root, 1, *overrides)
    together = train_together(tmp_path / "together", root, 2, *overrides, "trainer.strategy=ddp")
    assert together.start["identity"] != alone.start["identity"]
    for epoch in (1, 2):
        loss = alone.points["train_loss", epoch]
        assert together.points["train_loss", epoch] == pytest.approx(loss, rel=1e-4)
