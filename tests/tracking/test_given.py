"""The name, tags and note that a user gives a run reach MLflow, also after the run's end."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments import journal
from experiments.errors import RunError
from experiments.journal import Journal
from experiments.registry.earlier import WARNING
from experiments.tracking import give
from experiments.tracking.delivery import Delivery
from experiments.tracking.tag_names import FAILURE, NAME, NOTE, USER_NOTE
from tests.tracking.conftest import begin

GIVEN = {"ticket": "42", USER_NOTE: "# A try"}


def ended(folder: Path, identity: str, *tags: dict[str, str], status: str = "FINISHED") -> None:
    with Journal(folder) as opened:
        begin(opened, identity, tags=GIVEN)
        opened.write("metrics", metrics={"epoch_seconds": 1.0}, step=1)
        for each in tags:
            opened.write("tags", tags=each)
        opened.write("end", status=status)


def told(client: MlflowClient, uri: str, folder: Path) -> tuple[str, str, dict[str, str], int]:
    """Deliver a run; return its name, status, tags and end in MLflow."""
    delivery = Delivery(folder, uri)
    delivery.deliver(client, abandoned=True)
    assert delivery.complete
    run = client.get_run(str(delivery.run_id))
    return run.info.run_name, run.info.status, run.data.tags, run.info.end_time


def test_a_finished_run_gets_another_name_tag_and_note_and_stays_as_it_ended(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path
) -> None:
    ended(tmp_path, identity)
    name, status, tags, end = told(client, uri, tmp_path)
    assert (name, status, tags["ticket"], tags[NOTE]) == ("n", "FINISHED", "42", "# A try")
    changed = journal.history(tmp_path).changed
    give(tmp_path, {NAME: "better", "ticket": "43", USER_NOTE: "# Another"})
    again = told(client, uri, tmp_path)
    assert again[:2] == ("better", "FINISHED")
    assert (again[2]["ticket"], again[2][NOTE]) == ("43", "# Another")
    assert again[3] == end
    assert journal.history(tmp_path).changed == changed


def test_a_tag_that_a_run_has_is_not_written_again(tmp_path: Path, identity: str) -> None:
    ended(tmp_path, identity)
    size = (tmp_path / journal.NAME).stat().st_size
    give(tmp_path, GIVEN | {NAME: "n"})
    give(tmp_path, {})
    assert (tmp_path / journal.NAME).stat().st_size == size


def test_a_journal_that_is_being_written_is_left_alone(tmp_path: Path, identity: str) -> None:
    ended(tmp_path, identity)
    with Journal(tmp_path), pytest.raises(RunError, match="another process writes its journal"):
        give(tmp_path, {NAME: "better"})


def test_a_warning_keeps_its_place_before_a_name_and_a_note(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path
) -> None:
    ended(tmp_path, identity, {WARNING: "diverged: the loss is NaN"})
    for new in ({}, {NAME: "better", USER_NOTE: "# Another"}):
        give(tmp_path, new)
        name, _, tags, _ = told(client, uri, tmp_path)
        assert name == f"diverged: {new.get(NAME, 'n')}"
        note = new.get(USER_NOTE, GIVEN[USER_NOTE])
        assert tags[NOTE] == f"**Diverged: the loss is NaN.**\n\n{note}"


def test_a_note_outlives_a_failure(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path
) -> None:
    ended(tmp_path, identity, {FAILURE: "no space"}, status="FAILED")
    assert told(client, uri, tmp_path)[2][NOTE] == "**Failed:** no space\n\n# A try"
    with Journal(tmp_path) as opened:
        opened.write("continue", host="here", pid=1, store=None)
        opened.write("end", status="FINISHED")
    assert told(client, uri, tmp_path)[2][NOTE] == "# A try"
