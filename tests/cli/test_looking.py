"""`experiments ls` and `show` on real runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import experiments
from tests.cli.conftest import Lab

pytestmark = pytest.mark.xdist_group("lab")


def test_every_run_is_listed_once_with_its_state(made_lab: Lab) -> None:
    runs = made_lab.data("ls")
    assert sorted(run["state"] for run in runs) == ["dead", "diverged", *["finished"] * 5]
    assert len({run["id"] for run in runs}) == 7
    table = made_lab.output("ls")
    assert table.splitlines()[0].split()[:3] == ["id", "state", "name"]
    assert [line.split()[0] for line in table.splitlines()[1:]] == [run["id"][:8] for run in runs]


def test_the_best_come_first_on_request(made_lab: Lab) -> None:
    found = [run["metrics"]["test_accuracy"] for run in made_lab.data("ls", "--best", "finished")]
    assert found == sorted(found, reverse=True)
    (worst,) = made_lab.data("ls", "finished", "--best", "--reverse", "-n", "1")
    assert worst["metrics"]["test_accuracy"] == found[-1]


def test_sweeps_are_listed_apart_and_lead_to_their_jobs(made_lab: Lab) -> None:
    (sweep,) = made_lab.data("ls", "--sweeps")
    jobs = made_lab.data("ls", f"sweep={sweep['id'][:6]}", "--sort", "optimizer.lr")
    assert [job["params"]["optimizer.lr"] for job in jobs] == [0.01, 0.01, 0.1, 0.1]
    assert all(job["sweep"] == sweep["id"] for job in jobs)


def test_a_dataframe_has_the_same_runs(made_lab: Lab) -> None:
    listed = made_lab.data("ls", "seed=0")
    found = experiments.runs("seed=0", outputs=made_lab.folder / "outputs")
    assert list(found["id"]) == [run["id"] for run in listed]
    finished = found[found["state"] == "finished"]
    means = finished.groupby("optimizer.lr")["test_accuracy"].mean()
    assert dict(means) == {
        run["params"]["optimizer.lr"]: run["metrics"]["test_accuracy"]
        for run in listed
        if run["state"] == "finished"
    }


def test_a_list_is_cut_and_says_so(made_lab: Lab) -> None:
    lines = made_lab.output("ls", "-n", "2").splitlines()
    assert (len(lines), lines[-1]) == (4, "5 more; -n 0 lists all")


def test_each_id_and_the_folder_name_a_run(made_lab: Lab) -> None:
    run = made_lab.data("show", made_lab.id_of("seed=7"))
    assert run["mlflow_id"] is not None
    for name in (run["id"][:6], run["identity"][:12], run["mlflow_id"], run["folder"]):
        assert made_lab.data("show", name) == run
    assert [each["epoch"] for each in run["epochs"]] == [1, 2]
    assert run["epochs"][-1]["test_accuracy"] == run["metrics"]["test_accuracy"]


def test_show_prints_the_facts(made_lab: Lab) -> None:
    text = made_lab.output("show", made_lab.id_of("seed=7"))
    facts = dict(line.split(None, 1) for line in text.splitlines() if line.startswith("  "))
    assert facts["state"] == "finished"
    assert "seed=7" in facts["command"]
    assert "lr=0.01" in facts["optimizer"]
    assert "weights.safetensors" in facts["files"]


def test_show_of_a_sweep_has_its_verdict(made_lab: Lab) -> None:
    (sweep,) = made_lab.data("ls", "--sweeps")
    text = made_lab.output("show", sweep["id"])
    assert "The best by test accuracy:" in text
    assert "optimizer.lr=0.01,0.1" in text


def test_a_deleted_file_is_named(lab: Lab) -> None:
    run = lab.data("show", lab.id_of("seed=7"))
    (lab.folder / run["folder"] / "weights.safetensors").unlink()
    text = lab.output("show", run["id"])
    assert "weights.safetensors; the run recorded it" in text
    assert lab.data("show", run["id"])["files"]["weights.safetensors"] is False


def test_a_changed_journal_is_read_again(lab: Lab) -> None:
    run = lab.id_of("dead")
    journal = lab.folder / lab.data("show", run)["folder"] / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:200] + b"\n")
    done = lab("ls", "--json")
    assert run not in {each["id"] for each in json.loads(done.stdout)}
    assert "damaged: " in done.stderr
    assert str(journal.relative_to(lab.folder)) in done.stderr
    assert "journal.jsonl: is damaged" in lab.error("show", str(journal.parent))


@pytest.mark.parametrize("cache", [b"", b"{}", b'{"form": 1, "runs": 3}', b"\xff"])
def test_a_damaged_memory_costs_nothing_but_time(lab: Lab, cache: bytes) -> None:
    before = lab.data("ls")
    (lab.folder / "outputs" / ".catalog.json").write_bytes(cache)
    assert lab.data("ls") == before


MISTAKES = {
    "show zzzz": "zzzz: no run in outputs has an id that begins so; the newest are ",
    "show 1": "1: is too short for an id; give at least 3",
    "show outputs": "outputs: holds no run, since there is no journal.jsonl",
    "show outputs/none": "outputs/none: there is no such folder",
    "show": "Missing argument 'RUN'",
    "tail outputs": "outputs: holds no run",
    "ls --outputs nowhere": "nowhere: there is no such folder; name the folder of the runs",
    "ls --best --sort seed": "--sort=seed: --best is an order too",
    "ls --sort sead": "--sort=sead: no run has sead; did you mean seed?",
    "ls --sort monkey": "--sort=monkey: no run has monkey; the metrics are",
    "compare --group-by nokey": "--group-by=nokey: no run has nokey",
    "ls -c sead": "--column=sead: no run has sead; did you mean seed?",
    "ls unfinished": "unfinished: is no filter; give a state",
    "compare --metric test_lost": "--metric=test_lost: no run has it; choose from ",
    "compare --group-by model.hiden": "--group-by=model.hiden: no run has model.hiden; did you",
    "compare dead": "none of 1 runs has a result to compare",
    "clean --finished": "--finished: would delete every finished run",
    "lss": "No such command 'lss'",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_line(made_lab: Lab, text: str) -> None:
    assert made_lab.error(*text.split()).startswith(MISTAKES[text])


@pytest.mark.parametrize("arguments", ["ls", "compare", "show --help", "ls --json"])
def test_looking_loads_no_torch(made_lab: Lab, arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "experiments", *arguments.split()],
        cwd=made_lab.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "experiments.cli.main" in loaded
    assert not loaded & {"torch", "mlflow", "altair"}
