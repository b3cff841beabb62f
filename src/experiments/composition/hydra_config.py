"""Turn a configuration that Hydra has composed into a checked one; mistakes become one line."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.composition.environment import from_environment
from experiments.composition.hydra_errors import TOO_DEEP, in_one_line
from experiments.errors import InputError
from experiments.process.gpus import visible_gpus
from experiments.redaction.hide import remember_secrets_of

if TYPE_CHECKING:
    from experiments.config import RunConfig

_LONGEST_NAME = 200  # bytes; the limit of file systems is 255

# Two commands begun in one second need two folders; the jobs of a sweep share the cached value.
OmegaConf.register_new_resolver(
    "unique", lambda: secrets.token_hex(3), use_cache=True, replace=True
)
OmegaConf.register_new_resolver("is_set", lambda value: value is not None, replace=True)
OmegaConf.register_new_resolver(
    "chosen", lambda group, *, _root_: _chosen(group, _root_), replace=True
)
OmegaConf.register_new_resolver("workers", lambda *given: workers(*given), replace=True)
OmegaConf.register_new_resolver("gpus_per_job", lambda *given: gpus_per_job(*given), replace=True)
OmegaConf.register_new_resolver(
    "gpus_per_node", lambda *given: gpus_per_job(*given, is_here=False) or None, replace=True
)


def workers(threads: object, device: str = "cpu", gpus: object = None) -> int:
    """Return the number of processes that fit this machine, at least 1.

    Values that are no whole numbers above 0 count as 1: the check of the configuration, which comes
    later, names them.

    Args:
        threads: the number of threads of each, which get cores of their own.
        device: the device of each; if it is any GPU and there are GPUs, they get their own.
        gpus: the number of GPUs of each; None for one.
    """
    allowed = getattr(os, "sched_getaffinity", None)  # a container or a scheduler may limit us
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    found = visible_gpus() if device in {"auto", "cuda"} else ()
    by_gpus = len(found) // _count(gpus) if found else cores
    return max(1, min(cores // _count(threads), by_gpus))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def gpus_per_job(
    device: str, wanted: int | None, address: str | None = None, *, is_here: bool = True
) -> int:
    """Return the number of GPUs for a job.

    Args:
        device: its device; one on the CPU gets none.
        wanted: the number that is asked for. None for one if this machine has one, and the job may
            have it and runs here; otherwise for none.
        address: that of a cluster elsewhere, where the job runs; None for this machine.
        is_here: whether the job runs on this machine.
    """
    if device in {"cpu", "mps"}:
        return 0
    if wanted is not None:
        return wanted
    may_have_one = is_here and address is None and device in {"auto", "cuda"}
    return min(1, len(visible_gpus())) if may_have_one else 0


def _chosen(group: str, root: Any) -> str:
    """Resolve `${chosen:data}`: the option that a group has in a configuration.

    `${hydra:runtime.choices.data}` would be the choice of the process, and a sweep's process
    composes the configurations of all jobs.
    """
    if "hydra" not in root and not HydraConfig.initialized():
        raise ValueError(
            "Hydra's part, which names the choices, is missing; compose it with "
            "return_hydra_config=True"
        )
    hydra = root.hydra if "hydra" in root else HydraConfig.get()
    return str(hydra.runtime.choices[group])


def checked(cfg: DictConfig) -> RunConfig:
    """Resolve and check a composed configuration; Hydra's own part is left out.

    Raises:
        InputError: a value is missing, an interpolation leads nowhere, or a check failed.
    """
    from experiments.config import check

    try:
        values = dict(_resolved(cfg))
    except OmegaConfBaseException as error:
        raise InputError(in_one_line(error)) from error
    except RecursionError as error:
        raise InputError(TOO_DEEP) from error
    written = from_environment(cfg)
    remember_secrets_of(values, written)
    return check(values, written)


def _resolved(cfg: DictConfig) -> Iterator[tuple[str, Any]]:
    for key in _own_keys(cfg):
        value = cfg[key]
        if OmegaConf.is_config(value):
            value = OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
        yield key, value


def _own_keys(cfg: DictConfig) -> list[str]:
    return [str(key) for key in cfg if key != "hydra"]


def own(cfg: DictConfig) -> DictConfig:
    """Return a composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(cfg, _own_keys(cfg))


def check_hydra(config: DictConfig) -> None:
    """Check Hydra's own part of a composed configuration.

    Raises:
        InputError: a setting does not work with this project, or one of a sweep is given to a
            single run.
    """
    from experiments.composition.run_names import is_of_sweep

    hydra = config.hydra
    if hydra.job.chdir:
        raise InputError(
            "hydra.job.chdir=true: the folders of the configuration are relative to the folder of "
            "the command; leave it false"
        )
    if hydra.output_subdir is not None:
        raise InputError(
            f"hydra.output_subdir={hydra.output_subdir}: Hydra would write passwords there; leave "
            "it null: a run writes its config.yaml and overrides.yaml without them"
        )
    for text in typed(hydra.overrides.task) if hydra.mode is not RunMode.MULTIRUN else ():
        if is_of_sweep(text):
            raise InputError(
                f"{text}: has no effect on a single run; leave it out, or add -m for a sweep"
            )


def log_of(config: DictConfig) -> str:
    """Return the file name of the log of a run, which lies in the folder of the run.

    Raises:
        InputError: the name leads to another folder, or cannot be a file name.
    """
    name = str(config.hydra.job.name)
    if not name or name != Path(name).name or len(os.fsencode(name)) > _LONGEST_NAME:
        raise InputError(
            f"hydra.job.name={name}: names the log in the run's folder; give it a short name "
            "without a /"
        )
    return f"{name}.log"


def typed(overrides: Any) -> list[str]:
    """Return overrides as they were typed; a loop over them would resolve their interpolations."""
    return cast("list[str]", OmegaConf.to_container(overrides, resolve=False))
