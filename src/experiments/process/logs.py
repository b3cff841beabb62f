"""Logging handlers that `conf/hydra/job_logging` names: to the screen, and to a run's own log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from hydra.core.utils import configure_log
from omegaconf import DictConfig

from experiments.files.safe_writes import open_to_append
from experiments.process.colour import ERROR, WARNING, in_colour
from experiments.redaction.hide import hidden


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Logs to the current `sys.stdout`, so that log lines and a progress bar share the screen.

    On a terminal a record is shown in the style that its `extra={"style": …}` names, and without
    one in the colour of its level.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out a record with `extra={"only_in_file": True}`."""
        return not getattr(record, "only_in_file", False) and bool(super().filter(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines to write."""
        text, style = super().format(record), getattr(record, "style", None)
        if record.levelno >= logging.WARNING:
            style = style or (ERROR if record.levelno >= logging.ERROR else WARNING)
        return in_colour(text, style, self.stream) if style else text

    @property
    def stream(self) -> TextIO:
        """The current `sys.stdout`."""
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        raise AttributeError("this handler follows sys.stdout")


class LogFile(logging.FileHandler):
    """Logs to a file, without secrets; on a full disk, lines appear on the screen only."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines to write."""
        return hidden(super().format(record))

    is_new = False
    """whether this handler made the file"""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        self.is_new = not path.exists()
        return TextIOWrapper(
            open_to_append(path), encoding="utf-8", errors="backslashreplace", write_through=True
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Ignore errors of the disk, since a run can train without its log."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def own_log(config: DictConfig) -> list[logging.Handler]:
    """Set up the logging of a job as Hydra does; return its file handlers without using them.

    Handlers for the console are dropped, because the console of a job is its log. `HydraConfig`
    must hold the configuration of the job.
    """
    configure_log(config.hydra.job_logging, config.hydra.verbose)
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    return [handler for handler in handlers if isinstance(handler, logging.FileHandler)]


@contextmanager
def restored_logging() -> Iterator[None]:
    """Give a script or a notebook its logging back after a run has set up its own.

    `logging.config` closes every handler that `logging` knows. So the handlers of the program are
    unknown to it meanwhile.
    """
    known, named = logging._handlerList, logging._handlers  # type: ignore[attr-defined]
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    before = [
        (each, each.level, each.disabled, each.propagate, each.handlers)
        for each in loggers
        if isinstance(each, logging.Logger)
    ]
    kept, names = known[:], dict(named)
    known.clear()
    named.clear()
    for logger, *_, handlers in before:
        logger.handlers = [] if logger is logging.root else handlers
    try:
        yield
    finally:
        logging.shutdown(known)
        known[:] = kept
        named.clear()
        named.update(names)
        for logger, level, disabled, propagate, handlers in before:
            logger.setLevel(level)
            logger.disabled, logger.propagate, logger.handlers = disabled, propagate, handlers
