"""An identity has one run, and a run has one process."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.journal import Journal
from experiments.registry.identities import claimed, look_up

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def begin(outputs: Path, identity: str, name: str, status: str | None, **tags: str) -> Path:
    """Leave the files of a run, as its process would."""
    folder = outputs / name
    folder.mkdir(parents=True)
    with claimed(outputs, identity, folder, earlier=look_up(outputs, identity, folder)) as opened:
        opened.write("start", identity=identity, host=platform.node(), pid=os.getpid())
        opened.write("metrics", metrics={"val_accuracy": 0.5, "test_accuracy": 0.75}, step=1)
        opened.write("tags", tags=tags)
        if status is not None:
            opened.write("end", status=status)
    return folder


def test_killed_as_it_begins_a_run_is_resumed_in_its_folder(outputs: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from experiments.registry import identities\n"
        "def opened(folder):\n"
        "    (folder / 'journal.jsonl').touch()\n"
        "    os._exit(9)\n"
        "identities.Journal = opened\n"
        "outputs, identity, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])\n"
        "identities.claimed(outputs, identity, folder, earlier=None).__enter__()\n"
    )
    first = outputs / "first"
    first.mkdir(parents=True)
    done = subprocess.run([sys.executable, "-c", program, outputs, ONE, first], check=False)
    assert done.returncode == 9
    found = look_up(outputs, ONE, outputs / "second")
    assert found is not None
    assert (found.state, found.folder) == ("dead", first)


def test_a_folder_in_use_leaves_the_index_as_it_was(outputs: Path) -> None:
    before = begin(outputs, ONE, "one", "FAILED")
    (outputs / "busy").mkdir()
    earlier = look_up(outputs, ONE, outputs / "busy")
    with (
        Journal(outputs / "busy"),
        pytest.raises(InputError, match="another run is writing there"),
        claimed(outputs, ONE, outputs / "busy", earlier=earlier),
    ):
        raise AssertionError
    found = look_up(outputs, ONE, outputs / "other")
    assert found is not None
    assert found.folder == before
    (outputs / "second").mkdir()
    with (
        Journal(outputs / "second"),
        pytest.raises(InputError),
        claimed(outputs, TWO, outputs / "second", earlier=look_up(outputs, TWO, outputs / "x")),
    ):
        raise AssertionError
    assert not (outputs / ".identities" / TWO).exists()


def test_there_is_none_at_first(outputs: Path) -> None:
    assert look_up(outputs, ONE, outputs / "new") is None


@pytest.mark.parametrize(
    ("status", "state"),
    [("FINISHED", "finished"), ("FAILED", "dead"), ("KILLED", "dead"), (None, "dead")],
)
def test_a_run_that_ended_is_found_from_any_folder(
    outputs: Path, status: str | None, state: str
) -> None:
    folder = begin(outputs, ONE, "first", status)
    earlier = look_up(outputs, ONE, outputs / "new")
    assert earlier is not None
    assert (earlier.state, earlier.folder) == (state, folder)
    assert (earlier.host, earlier.pid) == (platform.node(), os.getpid())
    assert earlier.metrics["test_accuracy"] == 0.75
    assert look_up(outputs, TWO, outputs / "new") is None


def test_a_run_is_found_in_its_own_folder_without_the_index(outputs: Path, tmp_path: Path) -> None:
    folder = begin(outputs, ONE, "first", "FINISHED")
    earlier = look_up(tmp_path / "elsewhere", ONE, folder)
    assert earlier is not None
    assert earlier.state == "finished"
    assert look_up(tmp_path / "elsewhere", TWO, folder) is None


def test_the_outputs_can_be_moved(outputs: Path) -> None:
    begin(outputs, ONE, "first", "FINISHED")
    moved = outputs.rename(outputs.with_name("moved"))
    earlier = look_up(moved, ONE, moved / "new")
    assert earlier is not None
    assert earlier.folder == moved / "first"


def test_a_run_whose_folder_was_deleted_is_none(outputs: Path) -> None:
    folder = begin(outputs, ONE, "first", "FINISHED")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert look_up(outputs, ONE, outputs / "new") is None


def test_while_it_is_trained_nobody_else_may(outputs: Path) -> None:
    folder = outputs / "first"
    folder.mkdir(parents=True)
    with claimed(outputs, ONE, folder, earlier=None) as opened:
        assert look_up(outputs, ONE, outputs / "new").state == "alive"
        opened.write("start", identity=ONE, host=platform.node(), pid=os.getpid())
        earlier = look_up(outputs, ONE, outputs / "new")
        assert earlier is not None
        with pytest.raises(InputError) as caught:
            earlier.refuse_alive()
        assert f"by process {os.getpid()} on {platform.node()}" in str(caught.value)
        with (
            pytest.raises(InputError, match="being trained"),
            claimed(outputs, ONE, outputs / "new", earlier=None),
        ):
            pass
    earlier = look_up(outputs, ONE, outputs / "new")
    assert earlier is not None
    assert earlier.state == "dead"
    earlier.refuse_alive()


def test_what_changed_since_it_was_looked_up_is_not_overrun(outputs: Path) -> None:
    begin(outputs, ONE, "first", "FINISHED")
    with (
        pytest.raises(InputError, match="just now"),
        claimed(outputs, ONE, outputs / "new", earlier=None),
    ):
        pass


def test_a_folder_that_another_run_writes_is_refused(outputs: Path) -> None:
    folder = outputs / "first"
    folder.mkdir(parents=True)
    with Journal(folder), pytest.raises(InputError), claimed(outputs, ONE, folder, earlier=None):
        pass


def test_a_damaged_entry_is_said(outputs: Path) -> None:
    begin(outputs, ONE, "first", "FINISHED")
    (outputs / ".identities" / ONE).write_text('{"folder": ')
    with pytest.raises(InputError, match=rf"{ONE}: is damaged .* delete it"):
        look_up(outputs, ONE, outputs / "new")


def test_a_diverged_run_has_no_rank(outputs: Path) -> None:
    begin(outputs, ONE, "finite", "FINISHED")
    begin(outputs, TWO, "diverged", "FINISHED", diverged="true")
    finite, diverged = (look_up(outputs, each, outputs / "new") for each in (ONE, TWO))
    assert finite is not None
    assert diverged is not None
    assert finite.objective == 0.5
    assert math.isnan(diverged.objective)


def test_of_many_at_once_one_trains(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from experiments.registry.identities import claimed, look_up\n"
        "from experiments.errors import InputError\n"
        "outputs, folder = Path(sys.argv[1]), Path(sys.argv[1]) / sys.argv[2]\n"
        "folder.mkdir(parents=True)\n"
        "sys.stdin.read()\n"
        f"identity = '{ONE}'\n"
        "try:\n"
        "    with claimed(outputs, identity, folder, earlier=None) as journal:\n"
        "        journal.write('start', identity=identity)\n"
        "        time.sleep(1)\n"
        "        journal.write('end', status='FINISHED')\n"
        "    print('trained')\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    processes = [
        subprocess.Popen(
            (sys.executable, "-c", program, str(tmp_path / "outputs"), str(number)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert said.count("trained") == 1
    others = [line for line in said if line != "trained"]
    assert all("being trained" in line or "just now" in line for line in others)
    entry = json.loads((tmp_path / "outputs" / ".identities" / ONE).read_text())
    assert entry["folder"] == str(said.index("trained"))
