"""The list of runs: each journal once, wherever it lies, and read again only if it has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments import journal
from experiments.catalog import listing as module
from experiments.catalog.filters import chosen
from experiments.catalog.listing import listing
from experiments.catalog.summary import Summary
from experiments.tracking import give
from experiments.tracking.tag_names import NAME


def write(folder: Path, number: int, *, view: object = None, status: str | None = None) -> Path:
    folder.mkdir(parents=True)
    with journal.Journal(folder) as opened:
        opened.write(
            "start",
            id=f"{number:032x}",
            identity=f"{number:064x}",
            store=None,
            experiment="mnist",
            name=f"run {number}",
            params={"seed": "0"},
            tags={},
            dataset=None,
            view=view,
            parent=None,
            host="h",
            pid=1,
        )
        opened.write("metrics", metrics={"epoch_seconds": 1.5, "test_accuracy": 0.5}, step=1)
        opened.write("metrics", metrics={"epoch_seconds": 2.5, "test_accuracy": 0.6}, step=2)
        if status:
            opened.write("end", status=status)
    return folder


def names(outputs: Path) -> list[str]:
    return [run.name for run in listing(outputs).runs]


def test_runs_are_found_at_any_depth_but_not_among_artifacts(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    write(tmp_path / "deep" / "in" / "two", 2)
    write(tmp_path / "mlflow" / "abc" / "artifacts" / "copy", 3)
    write(tmp_path / "checkpoints", 4)  # a user may name a run so
    assert sorted(names(tmp_path)) == ["run 1", "run 2", "run 4"]


@pytest.mark.parametrize("apart", ["reproduced", "debug"])
def test_runs_that_are_kept_apart_are_listed_by_their_own_folder(
    tmp_path: Path, apart: str
) -> None:
    write(tmp_path / "day" / "one", 1)
    write(tmp_path / apart / "day" / "two", 2)
    assert names(tmp_path) == ["run 1"]
    assert names(tmp_path / apart) == ["run 2"]


def test_a_name_that_was_given_after_the_end_is_the_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", 1, status="FINISHED")
    (before,) = listing(tmp_path).runs
    give(folder, {NAME: "better"})
    (run,) = listing(tmp_path).runs
    assert (run.name, run.state, run.changed) == ("better", "finished", before.changed)


def test_a_summary_has_the_last_metrics_and_the_time_of_all_epochs(tmp_path: Path) -> None:
    write(tmp_path / "one", 1, status="FINISHED")
    (run,) = listing(tmp_path).runs
    assert run.metrics == {"epoch_seconds": 2.5, "test_accuracy": 0.6}
    assert (run.seconds, run.state) == (4.0, "finished")
    assert Summary.of_data(run.folder, run.as_data()) == run


def test_only_changed_journals_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        write(tmp_path / str(number), number)
    first = listing(tmp_path)
    read: list[Path] = []
    real = module.summary_of
    monkeypatch.setattr(module, "summary_of", lambda folder: read.append(folder) or real(folder))
    assert listing(tmp_path) == first
    assert read == []
    with journal.Journal(tmp_path / "2") as opened:
        opened.write("end", status="FINISHED")
    assert [run.state for run in listing(tmp_path).runs] == ["dead", "finished"]
    assert read == [tmp_path / "2"]


def test_an_open_journal_is_a_running_run(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    assert [run.state for run in listing(tmp_path).runs] == ["dead"]
    with journal.Journal(tmp_path / "one"):
        assert [run.state for run in listing(tmp_path).runs] == ["running"]
    assert [run.state for run in listing(tmp_path).runs] == ["dead"]


def test_a_sweep_s_table_names_jobs_that_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = Path("outputs")
    write(outputs / "one", 1, status="FINISHED")
    write(outputs / "two", 2, status="FINISHED")
    sweep = write(outputs / "sweep", 3, view={"metrics": [], "params": []}, status="FINISHED")
    (sweep / "jobs.csv").write_text("job,state,folder\n0,,outputs/one\n1,,outputs/gone\n")
    for place in (tmp_path, tmp_path.parent):  # wherever the command is given
        monkeypatch.chdir(place)
        known = listing(tmp_path / "outputs")
        jobs = chosen(known.runs, [f"sweep={known.sweeps[0].id}"], known.sweeps)
        assert [run.name for run in jobs] == ["run 1"]


@pytest.mark.parametrize("table", [b"job,place\n0,x\n", b"job,state,folder\n0\n", b"\xff\xfe\n"])
def test_a_damaged_table_hides_no_run(tmp_path: Path, table: bytes) -> None:
    sweep = write(tmp_path / "sweep", 3, view={"metrics": [], "params": []})
    write(sweep / "0", 1)
    (sweep / "jobs.csv").write_bytes(table)
    known = listing(tmp_path)
    assert [run.name for run in known.all] == ["run 3", "run 1"]
    assert ["jobs.csv: is damaged" in each.reason for each in known.damaged] == [True]


@pytest.mark.parametrize(
    "content", ['{"event": "start"}\n', '{"event": "start", "name": 3, "tags": []}\n']
)
def test_a_start_of_another_form_is_damage(tmp_path: Path, content: str) -> None:
    write(tmp_path / "one", 1)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "journal.jsonl").write_text(content)
    known = listing(tmp_path)
    assert [run.name for run in known.runs] == ["run 1"]
    assert ["is damaged" in each.reason for each in known.damaged] == [True]


def test_remains_beside_an_empty_journal_are_damage(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "journal.jsonl").touch()
    assert listing(tmp_path).damaged == []
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "journal.jsonl").touch()
    (tmp_path / "two" / "weights.safetensors").touch()
    assert ["is empty" in each.reason for each in listing(tmp_path).damaged] == [True]


def test_a_folder_that_cannot_be_read_hides_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one", 1)
    write(tmp_path / "two", 2)
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "two":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    known = listing(tmp_path)
    assert [run.name for run in known.runs] == ["run 1"]
    assert ["cannot be read (Permission denied)" in d.reason for d in known.damaged] == [True]


def test_reproduced_runs_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    write(tmp_path / "reproduced" / "1f", 2)
    assert names(tmp_path) == ["run 1"]


def test_without_its_memory_each_journal_is_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one", 1)
    (tmp_path / ".catalog.json").mkdir()  # so that the file cannot be written, even by root
    read: list[Path] = []
    real = module.summary_of
    monkeypatch.setattr(module, "summary_of", lambda folder: read.append(folder) or real(folder))
    for _ in range(2):
        assert names(tmp_path) == ["run 1"]
    assert read == [tmp_path / "one"] * 2
