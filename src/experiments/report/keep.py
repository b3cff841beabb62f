"""Keep a report: in the folder of its run, in the run's journal, and in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from experiments import journal
from experiments.catalog.summary import Summary
from experiments.delivery_process.sync import Synced, sync_one
from experiments.files.locks import locked
from experiments.files.safe_writes import make_folder, write_atomically
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
    """Write a report into the folder of its run, as `keep_files` does."""
    return keep_files(run, {NAME: page.encode()})


def keep_files(run: Summary, files: Mapping[str, bytes]) -> Synced:
    """Write files about a run into its folder, and deliver them to each copy in MLflow.

    The status of the run does not change. While a process trains the run, they are only files. If
    several processes keep files of a run at once, each waits for the one before.

    Args:
        run: the run or sweep.
        files: contents by their paths below the folder; they replace earlier ones.

    Returns:
        The outcome of the delivery.

    Raises:
        InputError: the folder cannot be written.
        RunError: the disk refuses the file.
    """
    with locked(run.folder / _LOCK):
        write_files(run.folder, files)
        past = journal.history(run.folder)
        if not past.is_sealed:
            said = "MLflow does not get it: version 0.1.0 wrote the journal, which is closed"
            return Synced(run.folder, "had no need", said)
        if original := _original_of(past):
            said = f"MLflow does not get it: this is a copy of {original}, to which it would belong"
            return Synced(run.folder, "had no need", said)
        try:
            with Journal(run.folder) as opened:
                opened.write("artifacts", names=list(files))
        except InUseError:
            return Synced(run.folder, "still running")
        return sync_one(run.folder)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below an existing folder; the folders of their paths are made.

    Raises:
        InputError: a folder cannot be written, or a link lies in its place.
        RunError: the disk refuses a file.
    """
    for name, content in files.items():
        path = folder / name
        if path.parent != folder:
            make_folder(path.parent)
        write_atomically(path, content)


def _original_of(past: History) -> Path | None:
    """Return the folder that a run was copied from; None if it was not copied."""
    before = Path(past.start.get("folder") or past.folder)
    if before.absolute() == past.folder.absolute() or not (before / journal.NAME).exists():
        return None
    return before if journal.history(before).start == past.start else None
