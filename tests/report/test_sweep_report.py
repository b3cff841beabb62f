"""The report of a sweep agrees with its verdict, tells its failures, and needs no end."""

from __future__ import annotations

import errno
import html
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.report.sweep_report import sweep_report
from tests.conftest import command
from tests.report.conftest import Sweeps, found

pytestmark = pytest.mark.xdist_group("sweeps")


def text_of(page: str) -> str:
    """Return the text that a reader sees, in one line."""
    body = page.partition("<main>")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_ranked_table_has_the_figures_of_the_verdict(sweeps: Sweeps) -> None:
    text = text_of(sweep_report(found(sweeps.good)))
    verdict = (sweeps.good / "verdict.txt").read_text()
    ranked = re.findall(r"^ +\d+\. ([\d.]+) ± ([\d.]+) %, (.*?) \(n=(\d)\)", verdict, re.MULTILINE)
    assert len(ranked) == 4
    places = [text.index(" ".join((mean, spread, n, span))) for mean, spread, span, n in ranked]
    assert places == sorted(places)
    statement = next(line for line in verdict.splitlines() if "cannot be told apart" in line)
    assert statement.strip() in text
    shares = re.findall(r"(\S+) explains (\d+ %)", verdict)[:2]
    assert all(f"{key} explains {share}" in text for key, share in shares)
    assert "8 jobs: 8 finished" in text
    assert "All jobs have finished." in text
    assert "seed=0,1" in text.partition("Repeat")[2]


def test_failures_are_grouped_with_the_last_lines_of_a_log(sweeps: Sweeps) -> None:
    text = text_of(sweep_report(found(sweeps.bad)))
    assert "4 jobs: 2 finished, 1 of them diverged, 2 not finished" in text
    assert "jobs 2 and 3 ArithmeticError: in the middle of training (own.py" in text
    assert "Traceback (most recent call last)" in text
    assert "+model.fate=raise" in text.partition("Job 2, not finished")[2]
    assert "so there are no effects to show" in text  # one setting is left to compare


def test_an_interrupted_sweep_has_a_report(sweeps: Sweeps) -> None:
    text = text_of(sweep_report(found(sweeps.bad)))
    (sweeps.bad / "jobs.csv").unlink()
    journal = sweeps.bad / "journal.jsonl"
    begun = journal.read_text().splitlines(keepends=True)[:2]
    journal.write_text("".join(begun))
    interrupted = text_of(sweep_report(found(sweeps.bad)))
    assert "the sweep was interrupted, and this report holds its jobs up to now" in interrupted
    assert "jobs 2 and 3 ArithmeticError: in the middle of training (own.py" in interrupted
    assert interrupted.partition("4 jobs with")[2].count("finished") == text.partition(
        "4 jobs with"
    )[2].count("finished")
    shutil.rmtree(sweeps.bad / "2")  # its worker died before the run began
    assert "4 jobs: 2 finished" in text_of(sweep_report(found(sweeps.bad)))
    for number in "013":
        shutil.rmtree(sweeps.bad / number)
    assert "No job has finished yet" in text_of(sweep_report(found(sweeps.bad)))


def test_jobs_of_a_moved_project_are_found(
    sweeps: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # jobs.csv has paths as seen from the folder of the command
    assert "8 jobs: 8 finished" in text_of(sweep_report(found(sweeps.good)))


def test_a_damaged_table_is_one_error(sweeps: Sweeps) -> None:
    (sweeps.good / "jobs.csv").write_text("job,state\nx,y\n")
    with pytest.raises(InputError, match=r"jobs\.csv: is damaged"):
        sweep_report(found(sweeps.good))


def test_a_damaged_job_is_counted_apart_and_its_damage_told(sweeps: Sweeps) -> None:
    with (sweeps.bad / "0" / "journal.jsonl").open("r+") as journal:
        journal.write("?")
    damaged = "4 jobs: 1 finished, 1 of them diverged, 2 not finished, 1 damaged"
    for table in ("jobs.csv", None):
        text = text_of(sweep_report(found(sweeps.bad)))
        assert damaged in text
        reason = text.partition("Not finished, or damaged job 0, damaged ")[2].partition(";")[0]
        assert re.fullmatch(r"\S*outputs/bad/0/journal\.jsonl: is damaged \(.*\)", reason)
        if table:
            (sweeps.bad / table).unlink()  # an interrupted sweep has none


def test_a_closed_folder_counts_as_damaged(sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, sweep, scandir = sweeps.bad / "0", found(sweeps.bad), os.scandir

    def refusing(place: Path):  # a mode would not stop the superuser
        if Path(place) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return scandir(place)

    (closed / "journal.jsonl").unlink()
    (closed / "journal.jsonl").mkdir()  # cannot be read either
    (sweeps.bad / "jobs.csv").unlink()
    monkeypatch.setattr(os, "scandir", refusing)
    text = text_of(sweep_report(sweep))
    assert "4 jobs: 1 finished, 1 of them diverged, 2 not finished, 1 damaged" in text
    assert "bad/0/journal.jsonl: cannot be read" in text


def test_secrets_are_hidden(sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_TEST_PASSWORD", "sgd_momentum")
    page = sweep_report(found(sweeps.good))
    assert "sgd_momentum" not in page


def test_no_torch_is_loaded(sweeps: Sweeps) -> None:
    program = (
        "import sys; from pathlib import Path; from experiments.catalog.summary import summary_of\n"
        "from experiments.report.keep import page_of\n"
        "page_of(summary_of(Path(sys.argv[1]))); assert not {'torch', 'mlflow'} & set(sys.modules)"
    )
    done = command(sys.executable, "-c", program, str(sweeps.good), cwd=sweeps.folder)
    assert done.returncode == 0, done.stderr
