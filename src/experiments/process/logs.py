"""Logging handlers that `conf/hydra/job_logging` names: to the screen, and to a run's own log."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from hydra.core.utils import configure_log
from omegaconf import DictConfig

from experiments.files.safe_writes import open_to_append
from experiments.redaction.hide import hidden


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Logs to what `sys.stdout` is now, so that lines and a progress bar share a screen."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        """The stream that `sys.stdout` is now."""
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        raise AttributeError("this handler follows sys.stdout")


class LogFile(logging.FileHandler):
    """Logs to a file for as long as the disk takes it, without secrets; the screen has the same."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines to write."""
        return hidden(super().format(record))

    is_new = False
    """whether the file was made by this handler"""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        self.is_new = not path.exists()
        return TextIOWrapper(
            open_to_append(path), encoding="utf-8", errors="backslashreplace", write_through=True
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Leave a full disk to what cannot go on without it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def own_log(config: DictConfig) -> list[logging.Handler]:
    """Set a job's logging up as Hydra does, and return its handlers in place of using them.

    Those are the ones that write to files: the console of a job is its log. `HydraConfig` must hold
    the job's configuration.
    """
    configure_log(config.hydra.job_logging, config.hydra.verbose)
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    return [handler for handler in handlers if isinstance(handler, logging.FileHandler)]
