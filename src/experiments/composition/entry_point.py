"""The entry point: an error ends a command with one line, or with a traceback of the job."""

from __future__ import annotations

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from experiments.composition.arguments import check_arguments
from experiments.composition.hydra_errors import TOO_DEEP, in_one_line
from experiments.errors import RunError
from experiments.process.streams import guarded_output

if TYPE_CHECKING:
    from types import TracebackType

_FULL_ERROR = "HYDRA_FULL_ERROR"
_HYDRA = Path(hydra.__file__).parent


class Refused(BaseException):
    """Carries an error past Hydra, which would replace it by a warning or a text of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def past_hydra(job: Callable[[DictConfig], float]) -> Callable[[DictConfig], float]:
    """Decorate a job so that its errors reach `one_line_errors` without the text of Hydra.

    Hydra would print the overrides as the user typed them, passwords included.
    """

    @functools.wraps(job)
    def run(cfg: DictConfig) -> float:
        try:
            return job(cfg)
        except Exception as error:
            raise Refused(error) from error

    return run


def one_line_errors(main: Callable[[], Any]) -> Callable[[], Any]:
    """Decorate an entry point so that a mistake of the user prints one line, with exit code 2.

    A cause outside the program, such as a full disk, prints one line as well, with exit code 1.
    Any other exception prints its traceback, without the frames of Hydra and above, and ends with
    exit code 1. HYDRA_FULL_ERROR=1 shows every traceback whole.
    """

    @functools.wraps(main)
    @guarded_output()
    def entry() -> Any:
        before = os.environ.get(_FULL_ERROR)
        os.environ[_FULL_ERROR] = "1"  # Hydra then raises errors instead of printing them
        try:
            check_arguments(sys.argv[1:])
            return main()
        except (Exception, Refused) as raised:  # noqa: BLE001  (the last resort; nothing is hidden)
            error = raised.error if isinstance(raised, Refused) else raised
            # An error that a run itself raises comes as Refused.
            line = TOO_DEEP if isinstance(raised, RecursionError) else in_one_line(error)
            if before == "1" or line is None:
                trace = error.__traceback__
                shown = trace if before == "1" else _from_the_job_on(trace)
                traceback.print_exception(error.with_traceback(shown))
            else:
                print(f"error: {line}", file=sys.stderr)  # noqa: T201
            sys.exit(1 if line is None or isinstance(error, RunError) else 2)
        except KeyboardInterrupt:  # raised in the process of a launcher
            sys.exit(128 + signal.SIGINT)
        finally:
            if before is None:
                del os.environ[_FULL_ERROR]
            else:
                os.environ[_FULL_ERROR] = before

    return entry


def _from_the_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback below the frames of Hydra; all of it if there are none."""
    below = trace
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).is_relative_to(_HYDRA):
            below = trace.tb_next
        trace = trace.tb_next
    return below
