"""A full disk: a tmpfs, filled while the run trains."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import journal
from experiments.run.checkpoint import Checkpoints
from tests.programs import finish, start

# In a mount namespace of its own, so that the tmpfs ends with the process.
NAMESPACE = ("unshare", "--map-root-user", "--mount")


def has_namespaces() -> bool:
    """Return whether this machine allows namespaces, to mount a tmpfs."""
    try:
        done = subprocess.run((*NAMESPACE, "true"), capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.mark.faults
@pytest.mark.row("disk full")
@pytest.mark.skipif(not has_namespaces(), reason="needs `unshare` and the right to mount a tmpfs")
def test_on_a_full_disk_the_last_checkpoint_stays_whole(
    tmp_path: Path, root: str, record_property
) -> None:
    program = Path(__file__).parent / "fill_disk.py"
    mount, kept = tmp_path / "full", tmp_path / "kept"
    mount.mkdir()
    done = subprocess.run(
        (*NAMESPACE, sys.executable, str(program), str(mount), str(kept), root),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    code, *lines = done.stdout.splitlines()
    assert code == "1"
    last = lines[-1]
    assert re.fullmatch(
        r"error: outputs/\S+: the disk is full: [\d,]+ bytes are needed and [\d,]+ are free; .*",
        last,
    ), lines
    assert "Traceback" not in done.stdout
    (folder,) = (path.parent for path in kept.glob("outputs/2*/*/checkpoints"))
    identity = journal.history(folder).start["identity"]
    state = Checkpoints(folder / "checkpoints", identity).load()
    assert state is not None
    assert "Resuming at epoch" in finish(
        start(kept, root, "Slow", "trainer.epochs=8", "tracking=none", SLOW="0")
    )
    step = state["position"]["steps"]
    record_property(
        "figure",
        f"a tmpfs filled in epoch 2: exit code 1 and one line, “{last.removeprefix('error: ')[:90]}"
        f"…”; the checkpoint of step {step} loads, and the run continues from it elsewhere",
    )
