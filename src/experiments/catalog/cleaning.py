"""Files and folders that nobody needs any more, listed before anything is deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.catalog.filters import chosen
from experiments.catalog.listing import Listing
from experiments.catalog.summary import Summary
from experiments.errors import InputError
from experiments.journal import Place
from experiments.journal.events import end_of
from experiments.registry.integrity import CHECKPOINTS
from experiments.registry.removal import DELETED, remove, remove_remains

Kind = Literal["superseded", "dead", "finished", "remains"]
REASONS: dict[Kind, str] = {
    "superseded": "is dead, and another run of its identity has finished",
    "dead": "is dead; the same command would resume it",
    "finished": "was asked for",
    "remains": "was left by a killed process",
}


@dataclass(frozen=True)
class Item:
    """A file or folder that may be deleted."""

    kind: Kind
    path: Path
    size: int
    """bytes, with everything in it"""
    run: Summary | None = None
    """the run in it, if any"""
    end: Place | None = None
    """the end of the run's journal when it was listed"""
    heir: Path | None = None
    """the folder of a finished run of the same identity, if any"""

    def delete(self, outputs: Path) -> None:
        """Delete it.

        Raises:
            InputError: a process uses it now, or it may not be deleted.
            RunError: the disk refuses.
        """
        if self.run is None or self.end is None:
            remove_remains(outputs, self.path)
        else:
            remove(outputs, self.path, self.run.identity, self.end, self.heir)


def needless(
    known: Listing, filters: Sequence[str], *, dead: bool = False, finished: bool = False
) -> list[Item]:
    """Return everything that may be deleted.

    Without a wish these are dead runs whose identity has a finished run, and remains of killed
    processes. A running run is never among them, nor a folder with another run in it.

    Args:
        known: all runs.
        filters: restrict the runs, as `chosen` takes them; with filters no remains are returned.
        dead: also all dead runs.
        finished: also finished and diverged runs; needs a filter.

    Raises:
        InputError: a filter is a mistake, or `finished` has none.
    """
    if finished and not filters:
        raise InputError(
            "--finished: would delete every finished run; name the runs by a filter, such as "
            "'test_accuracy<0.5', sweep=1f3a or id=05c8*"
        )
    finished_runs = {
        r.identity: r.folder for r in known.all if r.identity and _kind(r) == "finished"
    }
    folders = [*(each.folder for each in known.all), *(each.folder for each in known.damaged)]
    holding = {above for folder in folders for above in folder.parents}
    wanted = {"superseded": True, "dead": dead or "dead" in filters, "finished": finished}
    found = []
    for run in chosen(known.all, filters, known.sweeps):
        kind, heir = _kind(run), finished_runs.get(run.identity)
        if kind == "dead" and heir is not None:
            kind = "superseded"
        if kind is not None and wanted[kind] and run.folder not in holding:
            heir = None if heir == run.folder else heir
            end = end_of(run.folder)
            found.append(Item(kind, run.folder, _size(run.folder), run, end, heir))
    return found if filters else [*found, *_remains(known, {item.path for item in found})]


def _kind(run: Summary) -> Kind | None:
    if run.state == "running":
        return None
    return "dead" if run.state == "dead" else "finished"


def _remains(known: Listing, besides: set[Path]) -> Iterator[Item]:
    for run in known.all:
        if run.state == "running" or run.folder in besides:
            continue
        paths = list(run.folder.glob(".*.partial"))
        if run.state == "finished" and (run.folder / CHECKPOINTS).exists():
            paths.append(run.folder / CHECKPOINTS)
        yield from (Item("remains", path, _size(path)) for path in paths)
    for path in (known.folder / DELETED).glob("*"):
        yield Item("remains", path, _size(path))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files)
