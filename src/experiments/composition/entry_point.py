"""The entry point: what ends a command is one line and an exit code, or a traceback of the job."""

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
    """Carries an error past Hydra, which would turn it into a warning or words of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def past_hydra(job: Callable[[DictConfig], float]) -> Callable[[DictConfig], float]:
    """Decorate a job: its errors reach `one_line_errors` without Hydra's words.

    Hydra would print the overrides as they were typed, passwords included.
    """

    @functools.wraps(job)
    def run(cfg: DictConfig) -> float:
        try:
            return job(cfg)
        except Exception as error:
            raise Refused(error) from error

    return run


def one_line_errors(main: Callable[[], Any]) -> Callable[[], Any]:
    """Decorate an entry point: the user's mistakes end it with one line and exit code 2.

    What stopped a run from outside, such as a full disk, is one line as well, with exit code 1.
    Any other exception prints its traceback from the job on, without Hydra's frames, and ends
    with exit code 1. HYDRA_FULL_ERROR=1 shows every traceback whole.
    """

    @functools.wraps(main)
    @guarded_output()
    def entry() -> Any:
        before = os.environ.get(_FULL_ERROR)
        os.environ[_FULL_ERROR] = "1"  # Hydra then raises what it would print in its own way
        try:
            check_arguments(sys.argv[1:])
            return main()
        except (Exception, Refused) as raised:  # noqa: BLE001  (the last resort; nothing is hidden)
            error = raised.error if isinstance(raised, Refused) else raised
            # What a run itself raises comes as Refused.
            line = TOO_DEEP if isinstance(raised, RecursionError) else in_one_line(error)
            if before == "1" or line is None:
                trace = error.__traceback__
                shown = trace if before == "1" else _from_the_job_on(trace)
                traceback.print_exception(error.with_traceback(shown))
            else:
                print(f"error: {line}", file=sys.stderr)  # noqa: T201
            sys.exit(1 if line is None or isinstance(error, RunError) else 2)
        except KeyboardInterrupt:  # raised in a launcher's process
            sys.exit(128 + signal.SIGINT)
        finally:
            if before is None:
                del os.environ[_FULL_ERROR]
            else:
                os.environ[_FULL_ERROR] = before

    return entry


def _from_the_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback below Hydra's frames, all of it where there are none."""
    below = trace
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).is_relative_to(_HYDRA):
            below = trace.tb_next
        trace = trace.tb_next
    return below
