"""Signals at every moment of real processes: nothing is created too early, and no bit is lost."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import journal
from experiments.run.verify_resume import Evidence, compare, result
from tests.conftest import PROJECT
from tests.programs import finish, start, wait_until

OWN = PROJECT / "tests" / "signalling.py"
OVERRIDES = (
    *("trainer.epochs=3", "data.validation_size=100", "model._target_=signalling.Model"),
    *("optimizer._target_=signalling.Momentum", "data._target_=signalling.Data"),
    *(f"~optimizer.{key}" for key in ("momentum", "dampening", "nesterov", "fused")),
    "~optimizer.weight_decay",
)
Signalled = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def signalled(tmp_path: Path, root: str) -> Signalled:
    """Start a run with the parts of tests/signalling.py."""

    def begin(place: str, *overrides: str, signals: str = "") -> subprocess.Popen[str]:
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        shutil.copy(OWN, folder)
        return start(folder, root, "Slow", *OVERRIDES, *overrides, SIGNALS=signals, SLOW="0")

    return begin


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("import:1", "TERM"),
        pytest.param("data:2", "INT", marks=pytest.mark.slow),
        pytest.param("init:1", "HUP", marks=pytest.mark.slow),
        ("evaluate:1", "TERM"),
    ],
)
def test_in_start_up_it_ends_and_nothing_is_created(
    signalled: Signalled, tmp_path: Path, moment: str, name: str
) -> None:
    process = signalled("run", "tracking=none", signals=f"{moment}:{name}")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, f"SIG{name}")
    assert (output, errors) == ("", "")
    created = {path.name for path in (tmp_path / "run").iterdir()} - {"own.py", "__pycache__"}
    assert created == {OWN.name}


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="a PID namespace takes root"
)
@pytest.mark.parametrize(
    ("moment", "name"),
    [
        pytest.param("import:1", "TERM", marks=pytest.mark.slow),
        pytest.param("init:1", "INT", marks=pytest.mark.slow),
        ("train:30", "TERM"),
    ],
)
def test_pid_1_of_a_container_ends_too(
    signalled: Signalled, monkeypatch: pytest.MonkeyPatch, moment: str, name: str
) -> None:
    """The system has no default action for a signal to PID 1."""
    plain = subprocess.Popen

    def in_a_container(command, **options):
        return plain(("unshare", "--pid", "--fork", *command), **options)

    monkeypatch.setattr(subprocess, "Popen", in_a_container)
    process = signalled("run", "tracking=none", signals=f"{moment}:{name}")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, f"SIG{name}")
    assert errors == ""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, root: str) -> Evidence:
    """The result of a run that got no signal."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copy(OWN, folder)
    finish(start(folder, root, "Slow", *OVERRIDES))
    return result(folder)


@pytest.mark.parametrize(
    "signals",
    [
        "wait:1:TERM,TERM",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (
                "train:30:INT,INT",  # an epoch has 22 batches
                "step:130:TERM,INT",  # a step has 4 parameters: the middle of step 33
                "evaluate:3:TERM,HUP",  # the first call checks the model, then the validations
                "evaluate:5:INT,TERM",  # the test
                "fsync:8:TERM,TERM",
                "fsync:9:TERM,TERM",  # in a checkpoint
                "fsync:10:TERM,TERM",
            )
        ),
    ],
)
def test_a_second_signal_costs_no_bit(
    signalled: Signalled, tmp_path: Path, whole: Evidence, signals: str
) -> None:
    process = signalled("parts", signals=signals)
    _, errors = process.communicate(timeout=60)
    last = signals.rpartition(",")[2]
    assert process.returncode == 128 + getattr(signal, f"SIG{last}")
    assert errors == ""
    finish(signalled("parts"))
    # A process that outlives the command delivers the finished run.
    wait_until(lambda: compare(whole, result(tmp_path / "parts")) == [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "signals",
    [
        "train:30:HUP",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("wait:1:TERM", "evaluate:3:INT")),
    ],
)
def test_a_first_signal_late_in_a_run_costs_no_bit(
    signalled: Signalled, tmp_path: Path, whole: Evidence, signals: str
) -> None:
    process = signalled("parts", signals=signals)
    process.communicate(timeout=60)
    # A signal during the delivery leaves the run finished.
    name = signals.rpartition(":")[2]
    ended = 0 if signals.startswith("wait") else 128 + getattr(signal, f"SIG{name}")
    assert process.returncode == ended
    output = finish(signalled("parts"))
    assert ("Resuming at epoch 2, batch 8\n" in output) == signals.startswith("train")
    assert compare(whole, result(tmp_path / "parts")) == []


def test_a_terminal_that_is_closed_stops_the_run_with_a_checkpoint(
    tmp_path: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, its = pty.openpty()
    plain = subprocess.Popen

    def on_a_terminal(command, **options):
        terminal = dict.fromkeys(("stdin", "stdout", "stderr"), its)
        # `setsid --ctty` makes this the controlling terminal, which sends SIGHUP.
        return plain(("setsid", "--ctty", *command), **(options | terminal))

    monkeypatch.setattr(subprocess, "Popen", on_a_terminal)
    process = start(tmp_path, root, "Slow", "tracking=none", "trainer.epochs=1000")
    os.close(its)
    os.set_blocking(mine, False)

    def has_trained() -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(mine, 65536)
        return bool(list(tmp_path.glob("outputs/*/*/checkpoints/*")))

    wait_until(has_trained)
    os.close(mine)
    process.wait(timeout=60)
    assert process.returncode == 128 + signal.SIGHUP
    (run,) = (path.parent for path in tmp_path.glob(f"outputs/*/*/{journal.NAME}"))
    assert journal.history(run).status == "KILLED"
