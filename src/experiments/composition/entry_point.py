"""The entry point: an error ends a command with one line, or with a traceback of the job."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from experiments.composition.arguments import check_arguments
from experiments.composition.hydra_errors import TOO_DEEP, in_one_line
from experiments.composition.quick_start import spare_repeated_work
from experiments.composition.tracebacks import (
    is_whole,
    place_in_user_code,
    print_traceback,
    raised_by_hydra,
)
from experiments.distributed.together import refusing_together
from experiments.distributed.world import keep_one_voice
from experiments.errors import RunError
from experiments.process.colour import print_error
from experiments.process.streams import guarded_output


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


def told(raised: BaseException) -> tuple[BaseException, str | None]:
    """Return the error that a command ended with, and its line; None if it needs a traceback.

    Args:
        raised: the exception that came past Hydra.
    """
    error = raised.error if isinstance(raised, Refused) else raised
    # An error that a run itself raises comes as Refused.
    line = TOO_DEEP if isinstance(raised, RecursionError) else in_one_line(error)
    place = place_in_user_code(error) if line is not None else None
    return error, f"{line} ({place})" if place else line


def one_line_errors(main: Callable[[], Any]) -> Callable[[], Any]:
    """Decorate an entry point so that a mistake of the user prints one line, with exit code 2.

    A cause outside the program, such as a full disk, prints one line as well, with exit code 1.
    Any other exception prints its traceback, as `print_traceback` shortens it, and ends with exit
    code 1. HYDRA_FULL_ERROR=1 shows every traceback whole.
    """

    @functools.wraps(main)
    @guarded_output()
    @raised_by_hydra()
    def entry() -> Any:
        try:
            keep_one_voice()
            with refusing_together():
                check_arguments(sys.argv[1:])
                spare_repeated_work()
                return main()
        except (Exception, Refused) as raised:  # noqa: BLE001  (the last resort; nothing is hidden)
            error, line = told(raised)
            if line is None or is_whole():
                print_traceback(error)
            else:
                print_error(line)
            sys.exit(1 if line is None or isinstance(error, RunError) else 2)
        except KeyboardInterrupt:  # raised in the process of a launcher
            sys.exit(128 + signal.SIGINT)

    return entry
