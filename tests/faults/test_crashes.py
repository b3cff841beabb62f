"""Runs killed by `kill -9` at random moments end with the result of an unkilled run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments import journal
from experiments.run.verify_resume import compare, result
from tests.programs import children_of, finish, start, wait_for_epoch, wait_until

CONFIGURATIONS = {
    "sgd with momentum, dropout": ("Dropping",),
    "AdamW, one cycle": ("Dropping", "optimizer=adamw", "schedule=onecycle"),
    "validation, best weights": (
        *("Dropping", "data.validation_size=200", "trainer.save_best=true"),
        "trainer.monitor=val_accuracy",
    ),
    "steps, a checkpoint every 3 epochs": (
        *("Slow", "optimizer=sgd", "schedule=step", "schedule.step_size=2"),
        "trainer.checkpoint_every=3",
    ),
    "early stopping, cosine": (
        *("Dropping", "schedule=cosine", "data.validation_size=200", "trainer.patience=3"),
        "optimizer.lr=0.1",
    ),
}


@pytest.mark.faults
@pytest.mark.row("crash resume")
def test_killed_at_20_random_moments(tmp_path: Path, root: str, record_property) -> None:
    """Each of 5 runs is killed 4 times, the second time together with its delivery process."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    differences, points = [], 0
    for number, (model, *overrides) in enumerate(CONFIGURATIONS.values()):
        whole, parts = tmp_path / f"whole{number}", tmp_path / f"parts{number}"
        usual = (root, model, *overrides, "trainer.epochs=10")
        finish(start(whole, *usual, SLOW="0"))
        for kill in range(4):
            process = start(parts, *usual, SLOW="0.02")  # an epoch takes half a second
            wait_until(lambda parts=parts: list(parts.glob(f"outputs/*/*/{journal.NAME}")))
            time.sleep(moments.uniform(0, 2.5) + 2 * (kill > 0))
            victims = [process.pid, *(children_of(process.pid) if kill == 1 else ())]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            process.communicate()
        finish(start(parts, *usual, SLOW="0"))
        expected, found = result(whole), result(parts)
        differences += compare(expected, found)
        points += len(expected.points)
    record_property(
        "figure",
        f"20 kills of 5 runs: {len(differences)} differences in weights, {points} points and "
        "MLflow runs",
    )
    assert differences == []


@pytest.mark.faults
@pytest.mark.row("torn checkpoint")
def test_killed_during_100_saves(tmp_path: Path, record_property) -> None:
    program = Path(__file__).parent / "kill_while_saving.py"
    done = subprocess.run(
        (sys.executable, str(program), str(tmp_path), "100"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    torn, partial, saved = map(int, done.stdout.split())
    record_property(
        "figure",
        f"100 kills during {saved} saves, {partial} of them in the middle of a write: {torn} torn",
    )
    assert torn == 0
    assert partial > 0  # else no kill interrupted a write
    assert saved > 100


@pytest.mark.faults
@pytest.mark.row("preemption")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_durable_checkpoint_within_2_s(
    tmp_path: Path, root: str, record_property, number: signal.Signals
) -> None:
    finish(start(tmp_path / "whole", root, "Dropping", "trainer.epochs=12", SLOW="0"))
    saved, ended = [], []
    folder = tmp_path / "parts"
    for _ in range(5):
        process = start(folder, root, "Dropping", "trainer.epochs=12", SLOW="0.02")
        wait_for_epoch(process, len(saved) + 2)
        time.sleep(0.2)
        before = set(folder.glob("outputs/*/*/checkpoints/*"))
        began = time.monotonic()
        process.send_signal(number)
        wait_until(lambda: set(folder.glob("outputs/*/*/checkpoints/*.safetensors")) - before)  # noqa: B023
        saved.append(time.monotonic() - began)
        process.communicate(timeout=60)
        ended.append(time.monotonic() - began)
    finish(start(folder, root, "Dropping", "trainer.epochs=12", SLOW="0"))
    assert compare(result(tmp_path / "whole"), result(folder)) == []
    record_property(
        "figure",
        f"{number.name} in the middle of an epoch, n=5: checkpoint durable after at most "
        f"{max(saved):.2f} s, process ended with status KILLED in MLflow after {max(ended):.2f} s; "
        "continued to the same bits with the same run id and folder",
    )
    assert max(saved) <= 2
