"""A run is deleted whole, with its entry in the index, unless it was trained since."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.catalog.cleaning import Item, needless
from experiments.catalog.listing import listing
from experiments.errors import InputError
from experiments.journal import Journal
from experiments.registry.identities import claimed, look_up

IDENTITY = "ab" * 32


def train(outputs: Path, name: str, status: str | None = None, identity: str = IDENTITY) -> Path:
    """Write the journal of a run, in place of an earlier one in the index."""
    folder = outputs / name
    folder.mkdir(parents=True)
    earlier = look_up(outputs, identity, folder)
    with claimed(outputs, identity, folder, earlier=earlier) as opened:
        fields = {"params": {}, "tags": {}, "experiment": "e", "host": "h", "pid": 1}
        opened.write("start", id=name * 32, identity=identity, name=name, **fields)
        if status:
            opened.write("metrics", metrics={"test_accuracy": 0.5}, step=1)
            opened.write("end", status=status)
    return folder


def items(outputs: Path, **wishes: bool) -> list[Item]:
    return needless(listing(outputs), (), **wishes)


def test_a_run_that_was_trained_since_it_was_listed_stays(tmp_path: Path) -> None:
    folder = train(tmp_path, "a")
    (item,) = items(tmp_path, dead=True)
    with Journal(folder) as opened:
        opened.write("continue", host="h", pid=1)
        opened.write("end", status="FINISHED")
    with pytest.raises(InputError, match="was trained since it was listed"):
        item.delete(tmp_path)
    assert [run.state for run in listing(tmp_path).runs] == ["finished"]


def test_a_run_that_is_trained_now_stays(tmp_path: Path) -> None:
    folder = train(tmp_path, "a")
    (item,) = items(tmp_path, dead=True)
    with Journal(folder), pytest.raises(InputError, match="a process is training it now"):
        item.delete(tmp_path)


def test_the_finished_run_takes_the_place_of_a_superseded_one(tmp_path: Path) -> None:
    finished = train(tmp_path, "a", "FINISHED")
    train(tmp_path, "b")  # as with force=true, killed
    (item,) = items(tmp_path)
    assert (item.kind, item.heir) == ("superseded", finished)
    item.delete(tmp_path)
    found = look_up(tmp_path, IDENTITY, tmp_path / "new")
    assert found is not None
    assert (found.state, found.folder) == ("finished", finished)


def test_runs_of_version_0_1_0_have_no_identity_in_common(tmp_path: Path) -> None:
    train(tmp_path, "a", "FINISHED")
    for name in ("c", "d"):
        (tmp_path / name).mkdir()
        with Journal(tmp_path / name) as opened:
            opened.write("start", name=name, params={}, tags={}, experiment="e", host="h", pid=1)
            if name == "c":
                opened.write("end", status="FINISHED")
    assert items(tmp_path) == []
    (item,) = items(tmp_path, dead=True)
    item.delete(tmp_path)
    assert not (tmp_path / "d").exists()


def test_remains_of_a_run_that_is_trained_again_stay(tmp_path: Path) -> None:
    folder = train(tmp_path, "a", "FINISHED")
    (folder / ".weights.safetensors.partial").touch()
    (item,) = items(tmp_path)
    with Journal(folder), pytest.raises(InputError, match="a process is training it now"):
        item.delete(tmp_path)
    item.delete(tmp_path)
    item.delete(tmp_path)  # as by two commands at once
    assert not (folder / ".weights.safetensors.partial").exists()
