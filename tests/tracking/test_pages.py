"""The pages of the MLflow UI in a real browser, opened by the links that a sweep prints."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.conftest import EXPERIMENTS, clean_environment, command
from tests.programs import cleaned_up, provide_database
from tests.tracking.conftest import TRAIN, usual

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A container's user may be root, for whom Chromium has no sandbox.
SANDBOX = [] if os.getuid() else ["--no-sandbox"]
JOBS = 8
CELLS = """() => {
    const rows = {};
    for (const row of document.querySelectorAll("[role=row][row-index]"))
        for (const cell of row.querySelectorAll("[col-id]"))
            (rows[row.getAttribute("row-index")] ??= {})[cell.getAttribute("col-id")] =
                cell.innerText;
    return rows;
}"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a project's runs with `experiments ui`; yield the address that it prints."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [EXPERIMENTS, "ui", "--no-browser", f"--port={port}"],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    cleaned_up(process)
    assert process.stdout is not None
    yield process.stdout.readline().strip().removeprefix("Experiment digits: ")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    with closing(socket.socket()) as probe:  # nothing is left that listens
        assert probe.connect_ex(("127.0.0.1", port))


@contextmanager
def browser() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SANDBOX)
        yield chromium.new_page(viewport={"width": 1600, "height": 1200})
        chromium.close()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_links_of_a_sweep_show_the_jobs_best_first_and_the_verdict(
    tmp_path: Path, root: str
) -> None:
    options = ("hydra/launcher=vectorized", "data.validation_size=200")
    varied = ("optimizer.lr=0.001,0.1", "optimizer=sgd,sgd_momentum", "seed=0,1")
    provide_database(tmp_path, ())
    done = command(*TRAIN, "-m", *usual(root), *options, *varied, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    compare, verdict = re.findall(r"^(?:Compare|Verdict): (\S+)", done.stdout, re.MULTILINE)
    best = re.findall(r"^   1\. .*\)  (.*)$", done.stdout, re.MULTILINE)[0]
    with served(tmp_path) as page_of_all, browser() as page:
        base = page_of_all.partition("/#/")[0]

        def there(link: str) -> str:
            return base + link.removeprefix("http://127.0.0.1:5000")

        page.goto(there(compare))
        page.get_by_text(f"{JOBS} matching runs").wait_for()
        rows = [row for _, row in sorted(page.evaluate(CELLS).items(), key=lambda i: int(i[0]))]
        assert len(rows) == JOBS
        names = [row["attributes.`Run Name`"].splitlines()[-1] for row in rows]
        assert len({name.partition(" digits")[0] for name in names}) == JOBS
        accuracies = [float(row["metrics.`val_accuracy`"]) for row in rows]
        assert accuracies == sorted(accuracies, reverse=True)
        for key in ("params.`optimizer.lr`", "params.`optimizer`", "params.`seed`"):
            assert len({row[key] for row in rows}) == 2
        assert all(float(row["metrics.`test_accuracy`"]) > 0 for row in rows)

        page.goto(there(verdict))
        page.get_by_role("cell", name=best, exact=True).first.wait_for()
        page.get_by_text(re.compile("cannot be told apart|is worse|are worse")).first.wait_for()

        page.goto(page_of_all)
        page.get_by_text("sweep: lr=0.001,0.1").first.wait_for()
