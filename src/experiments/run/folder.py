"""Checks and clean-up of a run's folder: a refused run leaves none, and no run overwrites files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import InputError
from experiments.journal import NAME
from experiments.process.logs import LogFile
from experiments.provenance.origin import ORIGIN
from experiments.registry.integrity import WEIGHTS
from experiments.tracking import STATE


@contextmanager
def removed_if_refused(folder: Path | None) -> Iterator[None]:
    """Remove a new folder and its log if the command is refused, that is, on an `InputError`.

    The folder stays if a run was begun in it or if it holds other files.
    """
    try:
        yield
    except InputError:
        if folder is not None and not (folder / NAME).exists():
            _remove_log(folder)
            with contextlib.suppress(OSError):  # the folder holds other files
                folder.rmdir()
        raise


def _remove_log(folder: Path) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, LogFile) and handler.is_new:
            path = Path(handler.baseFilename)
            if path.parent == folder.absolute():
                root.removeHandler(handler)
                handler.close()
                path.unlink(missing_ok=True)


def check_free(folder: Path) -> None:
    """Check that a new run would overwrite nothing in its folder.

    Raises:
        InputError: the folder holds another run, or files with the names of a run's files.
    """
    if (folder / NAME).exists():
        raise InputError(f"hydra.run.dir={folder}: holds another run; name a new folder")
    there = [name for name in (*ORIGIN, WEIGHTS, STATE) if (folder / name).exists()]
    if there:
        raise InputError(
            f"hydra.run.dir={folder}: a run would overwrite {', '.join(there)} there; name a "
            "folder of its own"
        )
