"""Keep a report: in the folder of its run, in the run's journal, and in MLflow."""

from __future__ import annotations

from pathlib import Path

from experiments import journal
from experiments.catalog.summary import Summary
from experiments.delivery_process.sync import Synced, sync_one
from experiments.files.locks import locked
from experiments.files.safe_writes import write_atomically
from experiments.journal import History, InUseError, Journal
from experiments.report.page import NAME
from experiments.report.run_report import run_report
from experiments.report.sweep_report import sweep_report

_LOCK = ".report.lock"


def page_of(run: Summary) -> str:
    """Return the page about a run or a sweep.

    Raises:
        InputError: a journal or a table of the sweep cannot be read.
    """
    return sweep_report(run) if run.is_sweep else run_report(run)


def keep(run: Summary, page: str) -> Synced:
    """Write a report into the folder of its run, and deliver it to each copy in MLflow.

    The status of the run does not change. While a process trains the run, the report is only a
    file. If several processes keep a report of a run at once, each waits for the one before.

    Args:
        run: the run or sweep.
        page: its page, which replaces an earlier one.

    Returns:
        The outcome of the delivery.

    Raises:
        InputError: the folder cannot be written.
        RunError: the disk refuses the file.
    """
    with locked(run.folder / _LOCK):
        write_atomically(run.folder / NAME, page.encode())
        past = journal.history(run.folder)
        if not past.is_sealed:
            said = "MLflow does not get it: version 0.1.0 wrote the journal, which is closed"
            return Synced(run.folder, "had no need", said)
        if original := _original_of(past):
            said = f"MLflow does not get it: this is a copy of {original}, whose report it would be"
            return Synced(run.folder, "had no need", said)
        try:
            with Journal(run.folder) as opened:
                opened.write("artifacts", names=[NAME])
        except InUseError:
            return Synced(run.folder, "still running")
        return sync_one(run.folder)


def _original_of(past: History) -> Path | None:
    """Return the folder that a run was copied from; None if it was not copied."""
    before = Path(past.start.get("folder") or past.folder)
    if before.absolute() == past.folder.absolute() or not (before / journal.NAME).exists():
        return None
    return before if journal.history(before).start == past.start else None
