"""From the command line to a checked configuration, and Hydra's errors in one line."""

from __future__ import annotations

import functools
import os
import secrets
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
import yaml
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from experiments.errors import InputError, RunError, did_you_mean
from experiments.interpolations import from_environment
from experiments.redaction import guarded_output, hidden, keep_secrets_of

if TYPE_CHECKING:
    from types import TracebackType

    from experiments.config import RunConfig

_FULL_ERROR = "HYDRA_FULL_ERROR"
_HYDRA = Path(hydra.__file__).parent
_LONGEST_LINE = 1000  # characters; a library's own message may hold a whole stack

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
        raise InputError(_interpolation(error)) from error
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
    if config.hydra.job.chdir:
        raise InputError(
            "hydra.job.chdir=true: the folders that the configuration names lie where the command "
            "is given; leave it false"
        )


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
            return main()
        except (Exception, Refused) as raised:  # noqa: BLE001  (the last resort; nothing is hidden)
            error = raised.error if isinstance(raised, Refused) else raised
            line = in_one_line(error)
            if before == "1" or line is None:
                trace = error.__traceback__
                shown = trace if before == "1" else _from_the_job_on(trace)
                traceback.print_exception(error.with_traceback(shown))
            else:
                said = " ".join(hidden(line).split())[:_LONGEST_LINE]
                print(f"error: {said}", file=sys.stderr)  # noqa: T201
            sys.exit(1 if line is None or isinstance(error, RunError) else 2)
        except KeyboardInterrupt:  # before the training, which handles it itself
            sys.exit(128 + signal.SIGINT)
        finally:
            if before is None:
                del os.environ[_FULL_ERROR]

    return entry


def in_one_line(error: BaseException) -> str | None:
    """Return what the user can put right, or None where that takes a traceback."""
    match error:
        case InputError() | RunError():
            return str(error)
        case OverrideParseException():
            return _not_an_override(error)
        case MissingConfigException(missing_cfg_file=str(missing), options=options):
            return _no_such_config(missing, options)
        case ConfigCompositionException():
            return _composition(error)
        case yaml.MarkedYAMLError(problem_mark=mark) if mark:
            place = f"{mark.name!s}, line {mark.line + 1}, column {mark.column + 1}"
            return f"{place}: {error.problem}; mend the YAML there"
        case OmegaConfBaseException():
            return _interpolation(error)
        case ValueError() if str(error).startswith("Config group override"):
            return f"{error}; name an option, such as model=simplenet"
    return None


def _not_an_override(error: OverrideParseException) -> str:
    lines = [line for line in error.message.splitlines() if " at '" in line or ": " in line]
    reason = f" ({lines[0]})" if lines else ""
    advice = "close its brackets, or quote it"
    if "=" not in error.override and error.override[:1] not in {"~", "-"}:
        advice = f"write key=value, for example {error.override.lstrip('+')}=1"
    return f"{error.override}: is not a valid override{reason}; {advice}"


def _composition(error: ConfigCompositionException) -> str:
    cause = error.__cause__
    first = str(error).splitlines()[0]
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
        advice = did_you_mean(str(cause.full_key), _known_keys(cause))
        return f"{cause.full_key}: unknown key; {advice}"
    if first.startswith("Ambiguous value"):
        override = first.partition("'")[2].rstrip("'")
        key, _, values = override.partition("=")
        as_list = f"; a list is written {key}=[{values}]" if "." in key else ""
        return f"{override}: several values for one run; add -m to sweep over them{as_list}"
    if "multirun" in first:
        return f"{first}; add -m to sweep"
    return f"{first} {cause or ''}"


def _known_keys(error: OmegaConfBaseException) -> list[str]:
    """Return all keys of the two levels that the configuration has."""
    node = error.parent_node
    if not isinstance(node, DictConfig):
        return []
    root = node._get_root()
    groups = {str(key): root._get_node(key) for key in root if key != "hydra"}
    inner = [
        f"{name}.{key}"
        for name, group in groups.items()
        if isinstance(group, DictConfig)
        for key in map(str, group)
    ]
    return [*groups, *inner]


def _no_such_config(missing: str, options: Sequence[str] | None) -> str:
    group, _, name = missing.rpartition("/")
    if options:
        return f"{group}={name}: there is no such option; {group} is one of {', '.join(options)}"
    return f"{missing}: there is no such file in conf/; name one without .yaml"


def _interpolation(error: OmegaConfBaseException) -> str:
    reason = str(error.msg or error).splitlines()[0]
    node = error.child_node
    written = f"={node._value()}" if isinstance(node, Node) else ""
    if error.full_key is None:  # --cfg hydra --resolve, which sees nothing outside hydra
        return f"{reason}: it is outside of what is shown; use --cfg all"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}: has no value; set it on the command line"
    return f"{error.full_key}{written}: cannot be resolved: {reason}; set it to a value"


def _from_the_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback below Hydra's frames, all of it where there are none."""
    below = trace
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).is_relative_to(_HYDRA):
            below = trace.tb_next
        trace = trace.tb_next
    return below
