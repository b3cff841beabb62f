"""From the command line to a checked configuration, and its mistakes in one line."""

from __future__ import annotations

import functools
import os
import secrets
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.composition.arguments import check_arguments
from experiments.composition.environment import from_environment
from experiments.composition.hydra_errors import TOO_DEEP, in_one_line
from experiments.errors import InputError, RunError
from experiments.process.streams import guarded_output
from experiments.redaction.hide import keep_secrets_of

if TYPE_CHECKING:
    from types import TracebackType

    from experiments.config import RunConfig

_FULL_ERROR = "HYDRA_FULL_ERROR"
_LONGEST_NAME = 200  # bytes; file systems take 255
_HYDRA = Path(hydra.__file__).parent

# Two commands begun in the same second need two folders; a sweep's jobs share the cached value.
OmegaConf.register_new_resolver(
    "unique", lambda: secrets.token_hex(3), use_cache=True, replace=True
)

OmegaConf.register_new_resolver("workers", lambda threads: workers(threads), replace=True)


def workers(threads: int) -> int:
    """Return how many processes of so many threads find cores of their own here, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)  # what a container or a scheduler leaves us
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return max(1, cores // threads)


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


def checked(cfg: DictConfig) -> RunConfig:
    """Resolve and check a composed configuration; Hydra's own part is left aside.

    Raises:
        InputError: a value is missing, an interpolation leads nowhere, or a check failed.
    """
    from experiments.config import check

    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    try:
        values = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(in_one_line(error)) from error
    except RecursionError as error:
        raise InputError(TOO_DEEP) from error
    if not isinstance(values, dict):
        raise TypeError(f"a configuration is a mapping, not {type(values).__name__}")
    written = from_environment(own)
    told = {str(key): value for key, value in values.items()}
    keep_secrets_of(told, written)
    return check(told, written)


def check_hydra(config: DictConfig) -> None:
    """Check what is Hydra's own in a composed configuration.

    Raises:
        InputError: it would not work with this project's.
    """
    hydra = config.hydra
    if hydra.job.chdir:
        raise InputError(
            "hydra.job.chdir=true: the folders that the configuration names lie where the command "
            "is given; leave it false"
        )
    if hydra.output_subdir is not None:
        raise InputError(
            f"hydra.output_subdir={hydra.output_subdir}: Hydra would write passwords there; leave "
            "it null: a run writes its config.yaml and overrides.yaml without them"
        )


def log_of(config: DictConfig) -> str:
    """Return the name of a run's log, which lies in its folder.

    Raises:
        InputError: it would lie elsewhere, or cannot be a file's name.
    """
    name = str(config.hydra.job.name)
    if not name or name != Path(name).name or len(os.fsencode(name)) > _LONGEST_NAME:
        raise InputError(
            f"hydra.job.name={name}: names the log in the run's folder; give it a short name "
            "without a /"
        )
    return f"{name}.log"


def typed(overrides: Any) -> list[str]:
    """Return overrides as they were typed; a loop over them would resolve what they interpolate."""
    return cast("list[str]", OmegaConf.to_container(overrides, resolve=False))


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
