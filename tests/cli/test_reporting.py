"""`experiments report` writes a page, and refuses mistakes in one line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Lab

pytestmark = pytest.mark.xdist_group("lab")


def test_a_report_is_written_and_delivered(lab: Lab) -> None:
    run = lab.data("ls", "seed=7")[0]
    written, delivered = lab.output("report", run["id"][:8]).splitlines()
    assert written.startswith(f"{run['folder']}/report.html (")
    assert delivered == f"MLflow run {run['mlflow_id']} has it as the artifact report.html"
    assert "Test images" in (lab.folder / run["folder"] / "report.html").read_text()


@pytest.mark.slow
def test_a_report_is_told_as_json(lab: Lab) -> None:
    run = lab.data("ls", "seed=7")[0]
    file = lab.folder / run["folder"] / "report.html"
    told = lab.data("report", run["id"])
    assert told == {
        "file": f"{run['folder']}/report.html",
        "bytes": file.stat().st_size,
        "mlflow_ids": [run["mlflow_id"]],
        "problem": None,
    }
    elsewhere = lab.data("report", run["id"], "--output=mine.html")
    assert elsewhere == {**told, "file": "mine.html", "mlflow_ids": []}
    (lab.folder / "mlflow.db").write_bytes(b"no database")
    refused = lab.data("report", run["id"])
    assert refused["mlflow_ids"] == []
    assert refused["problem"].startswith("MLflow has not taken the report: ")
    assert refused["problem"].endswith(f"; `experiments sync {run['folder']}` delivers it")


def test_a_sweep_has_a_report(lab: Lab) -> None:
    sweep = lab.data("ls", "--sweeps")[0]
    (written,) = lab.output("report", sweep["folder"]).splitlines()
    assert "Learning curves" in (lab.folder / written.partition(" (")[0]).read_text()


def test_a_report_elsewhere_is_a_file_only(lab: Lab) -> None:
    run = lab.data("ls", "seed=7")[0]
    assert lab.output("report", run["id"][:8], "--output=mine.html").startswith("mine.html (")
    assert not (lab.folder / run["folder"] / "report.html").exists()


@pytest.mark.slow
def test_a_store_out_of_reach_is_a_warning(lab: Lab) -> None:
    run = lab.data("ls", "seed=7")[0]
    (lab.folder / "mlflow.db").write_bytes(b"no database")
    done = lab("report", run["id"][:8])
    assert done.returncode == 0
    assert done.stdout.startswith(f"{run['folder']}/report.html (")
    (line,) = done.stderr.splitlines()
    assert line.startswith("MLflow has not taken the report: ")
    assert line.endswith(f"; `experiments sync {run['folder']}` delivers it")


MISTAKES = {
    "nowhere": "nowhere: no run in outputs has an id that begins so",
    "outputs": "outputs: holds no run",
}


@pytest.mark.parametrize("reference", MISTAKES)
def test_an_unknown_run_is_refused(lab: Lab, reference: str) -> None:
    assert lab.error("report", reference).startswith(MISTAKES[reference])


def test_a_wrong_output_is_refused_before_anything_is_made(lab: Lab) -> None:
    run = lab.id_of("seed=7")
    assert lab.error("report", run, "--output=a.png") == (
        "--output=a.png: a report is HTML; end its name with .html"
    )
    assert lab.error("report", run, "--output=no/a.html") == (
        "--output=no/a.html: there is no folder no; make it first"
    )
