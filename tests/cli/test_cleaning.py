"""`experiments clean` deletes nothing unasked, and a deleted run is as if it had never been."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Lab
from tests.conftest import TRAIN, forked
from tests.programs import finish, holding, release, start, wait_for_epoch

pytestmark = pytest.mark.xdist_group("lab")


def state_of(folder: Path) -> dict[Path, bytes]:
    memory = (".catalog.json", ".catalog.lock")
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in memory)
    return {path: path.read_bytes() for path in paths}


@pytest.mark.parametrize("arguments", ["", "--dead", "--finished seed=0", "dead --dead --json"])
def test_without_a_yes_nothing_is_deleted(lab: Lab, arguments: str) -> None:
    before = state_of(lab.folder)
    done = lab("clean", *arguments.split())
    assert done.returncode == 0
    assert state_of(lab.folder) == before


def test_there_is_nothing_to_delete_at_first(lab: Lab) -> None:
    assert lab.output("clean") == "nothing to delete\n"


def test_a_dead_run_goes_only_on_request_and_no_other_run_with_it(lab: Lab) -> None:
    dead = lab.id_of("dead")
    before = {run["id"] for run in lab.data("ls")}
    assert lab.output("clean", "--yes") == "nothing to delete\n"
    text = lab.output("clean", "--dead", "--yes")
    assert dead[:8] in text
    assert "deleted 1 run, " in text
    assert {run["id"] for run in lab.data("ls")} == before - {dead}


def test_a_deleted_run_is_trained_anew(lab: Lab, root: str) -> None:
    (run,) = lab.data("ls", "seed=0", "optimizer.lr=0.1")
    folder = lab.folder / run["folder"]
    assert "deleted 1 run" in lab.output("clean", "--finished", f"id={run['id']}", "--yes")
    assert not folder.exists()
    assert not list((lab.folder / "outputs" / ".deleted").iterdir())
    overrides = ("data=digits", f"data.root={root}", "tracking=none", "trainer.epochs=2")
    done = forked(TRAIN, *overrides, "optimizer.lr=0.1", cwd=lab.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Finished before" not in done.stdout
    assert lab.id_of("seed=0", "optimizer.lr=0.1") != run["id"]


def test_a_sweep_with_a_run_in_it_stays(lab: Lab) -> None:
    (sweep,) = lab.data("ls", "--sweeps")
    assert lab.output("clean", "--finished", f"id={sweep['id']}", "--yes") == "nothing to delete\n"


def test_remains_of_killed_processes_are_found(lab: Lab) -> None:
    folder = lab.folder / lab.data("show", lab.id_of("seed=7"))["folder"]
    (folder / ".weights.safetensors.partial").write_bytes(b"half")
    (folder / "checkpoints").mkdir()
    aside = lab.folder / "outputs" / ".deleted" / "old"
    aside.mkdir(parents=True)
    (aside / "journal.jsonl").write_text("")
    text = lab.output("clean", "--yes")
    assert "deleted 3 remains of killed processes" in text
    assert not aside.exists()
    assert not (folder / "checkpoints").exists()
    assert lab.data("show", lab.id_of("seed=7"))["state"] == "finished"


def test_a_running_run_stays(lab: Lab, root: str) -> None:
    held = holding(lab.folder, after=30)
    process = start(lab.folder, root, "Slow", "seed=5", "tracking=none", "trainer.epochs=3", **held)
    wait_for_epoch(process, 1)
    assert lab.data("ls", "running")[0]["params"]["seed"] == 5
    assert lab.output("clean", "--dead", "--finished", "seed=5", "--yes") == "nothing to delete\n"
    release(lab.folder)
    finish(process)
