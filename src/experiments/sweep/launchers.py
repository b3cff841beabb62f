"""The launcher that a sweep has chosen, and the facts about it that its YAML file states.

A file in `conf/hydra/launcher` states them under `about`, which is removed before the launcher is
made. A configuration that comes with a plugin, such as `submitit_local`, states none. Its facts
come from the file in `conf/hydra/launcher` that names the same class.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.errors import InputError

_GROUP = "hydra/launcher"


@dataclass(frozen=True)
class About:
    """The facts about a launcher; the defaults describe a launcher on this machine."""

    remote: bool = False
    """whether jobs may run on other machines"""
    environment: bool = True
    """whether remote jobs have the environment of the sweep"""
    in_this_process: bool = False
    """whether jobs are called in the sweep's own process"""
    processes: int | None = None
    """the number of jobs that run at the same time; None if it is unknown"""
    extra: str | None = None
    """the extra of this project that installs the launcher"""


def about(loader: ConfigLoaderImpl, config: DictConfig) -> About:
    """Return the facts about the launcher that runs the jobs of a sweep.

    Raises:
        InputError: no launcher is chosen, or its YAML file states unknown facts.
    """
    launcher = engine(config)
    stated = launcher.get("about")
    if stated is None:
        stated = _stated_of_class(loader, str(launcher._target_))
        # The facts may interpolate settings of the launcher, so they are resolved beside them.
        config = copy.deepcopy(config)
        settings: Any = OmegaConf.to_container(launcher, resolve=False)
        settings["about"] = stated
        with open_dict(config.hydra):
            if "workers" in config.hydra.launcher:
                config.hydra.launcher.workers = settings
            else:
                config.hydra.launcher = settings
        stated = engine(config).about
    facts: Any = OmegaConf.to_container(stated, resolve=True)
    try:
        return About(**facts)
    except TypeError as error:
        known = ", ".join(About.__dataclass_fields__)
        raise InputError(
            f"{_GROUP}: about of {launcher._target_} has {', '.join(map(str, facts))}; it may have "
            f"{known}"
        ) from error


def _stated_of_class(loader: ConfigLoaderImpl, target: str) -> Any:
    """Return the unresolved facts in the YAML file that names a class; empty if none does."""
    repository = loader.repository
    for name in repository.get_group_options(_GROUP):
        found: Any = repository.load_config(f"{_GROUP}/{name}")
        if found.config.get("_target_") == target and "about" in found.config:
            return OmegaConf.to_container(found.config.about, resolve=False)
    return {}


def engine(config: DictConfig) -> DictConfig:
    """Return the settings of the launcher that runs the jobs, also if `vectorized` calls it.

    Raises:
        InputError: no launcher is chosen.
    """
    found, choice = config.hydra.launcher, _GROUP
    if isinstance(found, DictConfig) and "workers" in found:
        found, choice = found.workers, f"{_GROUP}@hydra.launcher.workers"
    if not isinstance(found, DictConfig) or "_target_" not in found:
        raise InputError(f"{choice}={found}: is no launcher; choose one, such as {choice}=basic")
    return found


def make_launcher(
    context: HydraContext, task: TaskFunction, config: DictConfig, extra: str | None
) -> Launcher:
    """Return the launcher that a configuration chooses.

    Args:
        context: Hydra's context.
        task: the function that the launcher calls for each job.
        config: the sweep's composed configuration.
        extra: the extra of this project that installs the launcher.

    Raises:
        InputError: the launcher cannot be used, for example because its package is not installed.
    """
    try:
        return _instantiate(context, task, config, config.hydra.launcher)
    except InputError:
        raise
    except Exception as error:
        advice = f"; pip install -c constraints.txt -e '.[{extra}]'" if extra else ""
        chosen = config.hydra.runtime.choices[_GROUP]
        raise InputError(f"{_GROUP}={chosen}: cannot be used ({error}){advice}") from error


def make_workers(context: HydraContext, task: TaskFunction, config: DictConfig) -> Launcher:
    """Return the launcher that another launcher uses for its jobs: `hydra.launcher.workers`."""
    return _instantiate(context, task, config, engine(config))


def _instantiate(
    context: HydraContext, task: TaskFunction, config: DictConfig, launcher: DictConfig
) -> Launcher:
    config = copy.deepcopy(config)
    with open_dict(config.hydra):
        config.hydra.launcher = launcher
        if "about" in launcher:
            del config.hydra.launcher.about
    return Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task, config=config
    )
