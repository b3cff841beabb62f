"""A kept report is an artifact of its run, which stays as it was."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

from experiments import journal
from experiments.catalog.described import describe
from experiments.errors import InputError
from experiments.journal import Journal
from experiments.registry.identities import look_up
from experiments.report.keep import keep, keep_files, write_files
from experiments.report.page import NAME
from experiments.tracking.copies import Copies, ask_for
from experiments.tracking.store import connect
from tests.conftest import command
from tests.report.conftest import Sweeps, found
from tests.tracking.conftest import TRAIN

pytestmark = pytest.mark.xdist_group("sweeps")


def store(sweeps: Sweeps) -> tuple[str, MlflowClient]:
    uri = f"sqlite:///{sweeps.folder}/mlflow.db"
    return uri, connect(uri)


def copy_of(folder: Path, client: MlflowClient) -> Run:
    last = Copies(folder).last
    assert last is not None
    return client.get_run(str(last.run_id))


def test_mlflow_has_the_last_report_and_its_run_is_unchanged(sweeps: Sweeps) -> None:
    uri, client = store(sweeps)
    count = len(client.search_runs(["1"]))
    for folder in (sweeps.good, sweeps.good / "0"):
        run = found(folder)
        before = copy_of(folder, client)
        for page in ("first", "second"):
            kept = keep(found(folder), page)
            assert (kept.outcome, kept.said) == ("delivered", f"MLflow run {before.info.run_id}")
            place = download_artifacts(
                run_id=before.info.run_id, artifact_path=NAME, tracking_uri=uri
            )
            assert Path(place).read_text() == (folder / NAME).read_text() == page
        after = copy_of(folder, client)
        assert after.info == before.info
        assert after.data.tags == before.data.tags
        assert found(folder) == run
    assert len(client.search_runs(["1"])) == count


def test_files_in_a_folder_are_kept_there(sweeps: Sweeps) -> None:
    uri, client = store(sweeps)
    folder = sweeps.good / "2"
    files = {"told/a.txt": b"one", "told/b.txt": b"two"}
    assert keep_files(found(folder), files).outcome == "delivered"
    run_id = copy_of(folder, client).info.run_id
    for name, content in files.items():
        place = download_artifacts(run_id=run_id, artifact_path=name, tracking_uri=uri)
        assert Path(place).read_bytes() == (folder / name).read_bytes() == content


def test_each_copy_gets_the_report(sweeps: Sweeps) -> None:
    uri, client = store(sweeps)
    folder = sweeps.good / "3"  # MLflow remembers the places of artifacts for the run of job 0
    ask_for(folder, uri, "elsewhere", None)
    assert keep(found(folder), "page").outcome == "delivered"
    copies = list(Copies(folder))
    assert len(copies) == 2
    for copy in copies:
        names = [file.path for file in client.list_artifacts(str(copy.run_id))]
        assert NAME in names
        assert client.get_run(str(copy.run_id)).info.status == "FINISHED"


def test_a_killed_run_stays_killed(sweeps: Sweeps) -> None:
    _, client = store(sweeps)
    folder = sweeps.good / "0"
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[:4]))
    (folder / "mlflow.json").unlink()
    assert keep(found(folder), "first").outcome == "delivered"
    before = copy_of(folder, client)
    assert before.info.status == "KILLED"
    assert keep(found(folder), "second").outcome == "delivered"
    assert copy_of(folder, client).info == before.info
    assert before.info.end_time == journal.read(folder)[0][3]["time"]


def test_the_identity_still_finds_its_run(sweeps: Sweeps) -> None:
    for folder in (sweeps.good / "0", sweeps.bad / "1", sweeps.bad / "2"):
        identity = found(folder).identity
        before = look_up(Path("outputs"), identity, folder)
        keep(found(folder), "page")
        now = look_up(Path("outputs"), identity, folder)
        assert before is not None
        assert now == before
        assert now.metrics == before.metrics


def test_reports_at_once_wait_for_each_other(sweeps: Sweeps) -> None:
    pages = [str(number) * 1_000_000 for number in range(6)]
    run = found(sweeps.bad / "0")
    with ThreadPoolExecutor(len(pages)) as threads:
        kept = list(threads.map(lambda page: keep(run, page), pages))
    assert [each.outcome for each in kept] == ["had no need"] * len(pages)
    assert (run.folder / NAME).read_text() in pages


def test_a_run_in_training_has_a_file_only(sweeps: Sweeps) -> None:
    folder = sweeps.bad / "2"
    with Journal(folder):
        kept = keep(found(folder), "page")
    assert kept.outcome == "still running"
    assert (folder / NAME).read_text() == "page"
    assert NAME not in journal.history(folder).artifacts


def test_a_run_without_mlflow_has_a_file_only(sweeps: Sweeps) -> None:
    assert keep(found(sweeps.bad), "page").outcome == "had no need"
    assert NAME in journal.history(sweeps.bad).artifacts  # so `experiments sync --uri` delivers it


def test_a_report_is_written_when_the_store_is_out_of_reach(sweeps: Sweeps) -> None:
    (sweeps.folder / "mlflow.db").write_bytes(b"no database")
    kept = keep(found(sweeps.good), "page")
    assert kept.outcome == "failed"
    assert "mlflow.db" in kept.said
    assert (sweeps.good / NAME).read_text() == "page"


def test_a_run_that_died_before_its_origin_records_it_when_resumed(sweeps: Sweeps) -> None:
    folder = sweeps.good / "1"
    command_of_job = str(describe(found(folder)).command).split()[2:]
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(lines[0])
    for name in ("mlflow.json", "config.yaml", "weights.safetensors"):
        (folder / name).unlink()
    keep(found(folder), "page")
    done = command(*TRAIN, *command_of_job, cwd=sweeps.folder)
    assert done.returncode == 0, done.stderr
    assert {"config.yaml", NAME} <= journal.history(folder).artifacts
    assert found(folder).state == "finished"


def test_the_report_of_a_copy_does_not_replace_that_of_the_original(sweeps: Sweeps) -> None:
    run = found(sweeps.good / "0")
    original = Path(journal.history(run.folder).start["folder"])
    shutil.copytree(run.folder, original)  # until now, the run was moved
    try:
        kept = keep(run, "<p>copied</p>")
    finally:
        shutil.rmtree(original)
    assert (kept.outcome, kept.said) == (
        "had no need",
        f"MLflow does not get it: this is a copy of {original}, to which it would belong",
    )
    assert (run.folder / NAME).read_text() == "<p>copied</p>"
    assert NAME not in journal.history(run.folder).artifacts


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "explain").symlink_to("foreign")
    with pytest.raises(InputError, match="explain: is a link; remove it"):
        write_files(tmp_path, {"explain/index.html": b"page"})
    assert list((tmp_path / "foreign").iterdir()) == []
