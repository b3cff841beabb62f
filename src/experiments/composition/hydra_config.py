"""From the command line to a checked configuration, and its mistakes in one line."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.composition.environment import from_environment
from experiments.composition.hydra_errors import TOO_DEEP, in_one_line
from experiments.errors import InputError
from experiments.redaction.hide import keep_secrets_of

if TYPE_CHECKING:
    from experiments.config import RunConfig

_LONGEST_NAME = 200  # bytes; file systems take 255

# Two commands begun in the same second need two folders; a sweep's jobs share the cached value.
OmegaConf.register_new_resolver(
    "unique", lambda: secrets.token_hex(3), use_cache=True, replace=True
)
OmegaConf.register_new_resolver("is_set", lambda value: value is not None, replace=True)
OmegaConf.register_new_resolver("workers", lambda threads: workers(threads), replace=True)


def workers(threads: int) -> int:
    """Return how many processes of so many threads find cores of their own here, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)  # what a container or a scheduler leaves us
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return max(1, cores // threads)


def checked(cfg: DictConfig) -> RunConfig:
    """Resolve and check a composed configuration; Hydra's own part is left aside.

    Raises:
        InputError: a value is missing, an interpolation leads nowhere, or a check failed.
    """
    from experiments.config import check

    given = own(cfg)
    try:
        values = OmegaConf.to_container(given, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(in_one_line(error)) from error
    except RecursionError as error:
        raise InputError(TOO_DEEP) from error
    if not isinstance(values, dict):
        raise TypeError(f"a configuration is a mapping, not {type(values).__name__}")
    written = from_environment(given)
    told = {str(key): value for key, value in values.items()}
    keep_secrets_of(told, written)
    return check(told, written)


def own(cfg: DictConfig) -> DictConfig:
    """Return a composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


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
