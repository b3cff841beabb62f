"""A signal stops a run within a script, which has saved a checkpoint, and not the script itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.registry.integrity import CHECKPOINTS
from tests.api.conftest import COMMON
from tests.conftest import clean_environment
from tests.programs import cleaned_up, holding, release, wait_for_epoch, wait_until

SCRIPT = """
handlers = [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))]
caught = []
if "TERM" in os.environ.get("MINE", ""):
    signal.signal(signal.SIGTERM, lambda number, frame: caught.append(number))
overrides = [*OFFLINE, "trainer.epochs=4", "model._target_=own.Dropping"]

def go():
    return train(overrides, config_dir="../project/conf")

try:
    go()
except KeyboardInterrupt as error:
    told["raised"] = [type(error).__name__, str(error.__context__)]
except SystemExit as error:
    told["raised"] = [type(error).__name__, error.code]
print("GOES ON", flush=True)
sys.stdin.readline()
told["handler"] = str(signal.getsignal(signal.SIGINT))
told["caught"] = caught
told["metrics"] = go().metrics
print("TOLD", json.dumps(told))
"""


def begin(cwd: Path, root: str, hold: Path, **environment: str) -> subprocess.Popen[str]:
    (cwd / "script.py").write_text(COMMON + SCRIPT)
    started = subprocess.Popen(
        (sys.executable, "script.py"),
        cwd=cwd,
        env=clean_environment() | {"ROOT": root} | holding(hold, after=30) | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return cleaned_up(started)


def goes_on(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines of a script until it goes on after its run."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if line == "GOES ON\n":
            return lines
        lines.append(line)
    raise AssertionError(f"it ended: {lines}, {process.communicate()[1]}")


def end(process: subprocess.Popen[str], hold: Path) -> tuple[dict[str, object], str]:
    """Let a script go on to its end; return its `told` and its other lines."""
    release(hold)
    output, errors = process.communicate("\n", timeout=180)
    assert process.returncode == 0, errors
    lines, _, told = output.rpartition("TOLD ")
    return json.loads(told), lines


@pytest.mark.parametrize(
    ("number", "raised", "caught"),
    [
        (signal.SIGINT, ["KeyboardInterrupt", "None"], []),
        pytest.param(
            signal.SIGTERM,
            ["Interrupted", 128 + signal.SIGTERM],
            [signal.SIGTERM],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_signal_saves_a_checkpoint_and_the_same_call_resumes(
    number: int, raised, caught, place: Path, root: str, tmp_path: Path
) -> None:
    at = place / f"stopped{number}"
    at.mkdir()
    process = begin(at, root, tmp_path / "hold", MINE="TERM")
    wait_for_epoch(process, 1)
    process.send_signal(number)
    said = "".join(goes_on(process))
    assert "stopping; once more to stop at once" in said
    assert "Stopped; the checkpoint is in outputs/" in said
    (checkpoints,) = at.glob(f"outputs/*/*/{CHECKPOINTS}")
    assert [*checkpoints.glob("*.safetensors")]
    told, lines = end(process, tmp_path / "hold")
    assert told["raised"] == raised
    assert told["caught"] == caught
    assert told["handler"] == "<built-in function default_int_handler>"
    assert "Resuming at epoch " in lines
    assert "Epoch: 1 " not in lines
    assert "test_accuracy" in told["metrics"]  # type: ignore[operator]


def test_a_second_ctrl_c_ends_the_run_and_not_the_script(
    place: Path, root: str, tmp_path: Path
) -> None:
    at = place / "twice"
    at.mkdir()
    process = begin(at, root, tmp_path / "hold")
    wait_until(lambda: [*(tmp_path / "hold").glob("*.reached")])
    assert process.stdout is not None
    os.kill(process.pid, signal.SIGINT)
    while "once more to stop at once" not in process.stdout.readline():
        pass
    os.kill(process.pid, signal.SIGINT)
    goes_on(process)  # the checkpoint may be saved before the second signal is seen
    told, lines = end(process, tmp_path / "hold")
    assert told["raised"] == ["KeyboardInterrupt", "None"]
    assert "Resuming at epoch 2" in lines


@pytest.mark.slow
def test_sigterm_still_ends_a_script_that_does_not_handle_it(
    place: Path, root: str, tmp_path: Path
) -> None:
    at = place / "ended"
    at.mkdir()
    process = begin(at, root, tmp_path / "hold")
    wait_for_epoch(process, 1)
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert "Stopped; the checkpoint is in outputs/" in output
