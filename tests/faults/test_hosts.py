"""Two machines, as namespaces of mounts and host names, that share only a tracking store."""

from __future__ import annotations

import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.tracking.lease import LEASE_SECONDS
from experiments.tracking.store import connect
from experiments.tracking.tag_names import HEARTBEAT
from tests.faults.test_disks import NAMESPACE, has_namespaces
from tests.programs import children_of, start, wait_for_epoch, wait_until

# Another host name, and an empty file system in place of the first machine's folders.
ELSEWHERE = """
set -e
hostname elsewhere
mount -t tmpfs tmpfs "$1"
shift
exec "$@"
"""


def start_elsewhere(here: Path, folder: Path, program: list[str]) -> subprocess.Popen[str]:
    """Start a run's program in a folder of the other machine."""
    return subprocess.Popen(
        (*NAMESPACE, "--uts", "sh", "-c", ELSEWHERE, "sh", str(here), *program),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "SLOW": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.faults
@pytest.mark.row("run stuck RUNNING")
@pytest.mark.skipif(not has_namespaces(), reason="needs `unshare` and the right to mount a tmpfs")
def test_a_lease_keeps_other_machines_away_until_it_runs_out(
    tmp_path: Path, root: str, record_property
) -> None:
    here, there, store = (tmp_path / name for name in ("here", "there", "store"))
    store.mkdir()
    uri = f"sqlite:///{store}/mlflow.db"
    usual = ("trainer.epochs=300", f"tracking.uri={uri}", "trainer.limit_batches=1")
    process = start(here, root, "Slow", *usual, SLOW="0.3")
    wait_for_epoch(process, 2)
    start(there, root, "Slow", "--help").communicate()  # writes the model's module there
    program = [*map(str, process.args)]  # type: ignore[union-attr]
    wait_until(lambda: statuses(uri) == ["RUNNING"])

    refused = start_elsewhere(here, there, program)
    _, errors = refused.communicate(timeout=60)
    assert refused.returncode == 2, errors
    assert f"by process {process.pid} on {platform.node()}" in errors
    assert not (there / "outputs").exists()

    for pid in (*children_of(process.pid), process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    refused = start_elsewhere(here, there, program)
    assert "is being trained" in refused.communicate(timeout=60)[1]
    assert statuses(uri) == ["RUNNING"]

    with sqlite3.connect(store / "mlflow.db") as database:  # time passes
        past = int((time.time() - LEASE_SECONDS - 1) * 1000)
        database.execute("UPDATE tags SET value = ? WHERE key = ?", (past, HEARTBEAT))
    database.close()
    begun = start_elsewhere(here, there, program)
    output, errors = begun.communicate(timeout=120)
    assert begun.returncode == 0, errors
    assert "Epoch: 1 " in output
    assert sorted(statuses(uri)) == ["FINISHED", "KILLED"]
    record_property(
        "figure",
        "another machine (namespaces) with the same store: refused naming host and process while "
        f"the lease is good, even after kill -9; {LEASE_SECONDS:.0f} s later the dead run is marked"
        " and the command runs",
    )


def statuses(uri: str) -> list[str]:
    client = connect(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run.info.status for run in client.search_runs(experiments)]


if sys.platform != "linux":
    pytestmark = pytest.mark.skip(reason="namespaces are Linux's")
