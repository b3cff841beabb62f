"""The end of a run by a signal or an error: its lines name the folder and the way to continue."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError, RunError
from experiments.identity.measures import steer
from experiments.process.signals import Interrupted
from experiments.registry.integrity import CHECKPOINTS

if TYPE_CHECKING:
    from experiments.config import RunConfig

_log = logging.getLogger(__name__)


@contextmanager
def explained(config: RunConfig, folder: Path, saved: Callable[[], str | None]) -> Iterator[None]:
    """Explain the end of a run by a signal in its log, and an error in notes of the error.

    Args:
        config: the run's configuration.
        folder: the run's folder.
        saved: returns the place of the last checkpoint in words; None before the first one.

    Raises:
        RuntimeError: a part of the run called `sys.exit`.
    """
    try:
        yield
    except Interrupted:
        _log.info(_stopped(config, folder, saved()))
        raise
    except (InputError, RunError) as error:  # one line, with advice of its own
        if error.__cause__ is not None:  # its frames are for the log
            _log.error("%s", error, exc_info=error.__cause__, extra={"only_in_file": True})
        raise
    except SystemExit as error:
        # An exit in a user's class must not look like a finished run.
        failure = RuntimeError(f"a part of the run called sys.exit({error.code!r})")
        _annotate(failure, config, folder, saved())
        raise failure from error
    except Exception as error:
        _annotate(error, config, folder, saved())
        raise


def _stopped(config: RunConfig, folder: Path, saved: str | None) -> str:
    if saved is None:
        return f"Stopped before the first checkpoint; {_next(config, saved)}"
    place = os.path.relpath(folder / CHECKPOINTS)
    return f"Stopped; the checkpoint is in {place}, and {_next(config, saved)}"


def _annotate(error: Exception, config: RunConfig, folder: Path, saved: str | None) -> None:
    """Add notes to an error, which Python prints below its traceback."""
    error.add_note(f"Everything about this run: {os.path.relpath(folder)}")
    error.add_note(
        f"As it is, {_next(config, saved)}; with edited source{_but_metrics(config)} it is a new "
        "run from epoch 1"
    )


def _but_metrics(config: RunConfig) -> str:
    """Return the exception of metrics, which belong to the identity only if they steer the run."""
    return "" if steer(config) else ", unless only that of metrics was edited,"


def _next(config: RunConfig, saved: str | None) -> str:
    """Return the effect of the next command; `force` in it would begin a new run."""
    command = "the same command without force=true" if config.force else "the same command"
    if saved is None:
        return f"{command} begins it anew"
    return f"{command} resumes it at {saved}"
