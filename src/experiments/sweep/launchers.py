"""Launchers: the one that a sweep has chosen, and the facts about it that a YAML file states.

The file is `conf/hydra/launcher_facts/CLASS.yaml`, named like the class of the launcher. So it
counts for every configuration of that class, also for those that come with a plugin.
"""

from __future__ import annotations

import copy
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from pydantic import ValidationError

from experiments.composition.hydra_config import typed
from experiments.config.types import Strict
from experiments.errors import InputError

_GROUP, _FACTS = "hydra/launcher", "hydra/launcher_facts"


class LauncherFacts(Strict):
    """The facts about a launcher; without a file, those of one on this machine."""

    remote: bool = False
    """whether jobs may run on other machines"""
    environment: bool = False
    """whether jobs on other machines have the environment of the sweep"""
    in_this_process: bool = False
    """whether jobs are called in the sweep's own process, one at a time"""
    processes: int | None = None
    """the number of jobs that run at once; None, or below 1, if nobody can tell"""
    extra: str | None = None
    """the extra of this project that installs it"""


def launcher_facts(loader: ConfigLoaderImpl, config: DictConfig) -> LauncherFacts:
    """Return the facts about the launcher that runs the jobs of a sweep.

    Its file may interpolate the settings of the launcher, as in `${oc.select:..n_jobs,null}`.

    Raises:
        InputError: there is no launcher, or a fact is wrong.
    """
    launcher = engine(config)
    name = str(launcher._target_).rpartition(".")[2]
    # With the folders of `hydra.searchpath`, which the loader's own repository lacks.
    _, repository = loader._parse_overrides_and_create_caching_repo(
        config.hydra.job.config_name, typed(config.hydra.overrides.hydra)
    )
    stated = repository.load_config(f"{_FACTS}/{name}")
    if stated is None:
        return LauncherFacts()
    inner = copy.deepcopy(config)
    settings: Any = OmegaConf.to_container(launcher, resolve=False)
    with open_dict(inner.hydra):
        inner.hydra.launcher = settings | {"facts": stated.config}
    values = OmegaConf.to_container(inner.hydra.launcher.facts, resolve=True)
    try:
        return LauncherFacts.model_validate(values)
    except ValidationError as error:
        (first, *_) = error.errors()
        key = ".".join(map(str, first["loc"])) or "its content"
        raise InputError(
            f"conf/{_FACTS}/{name}.yaml: {key}={first['input']}: {first['msg']}; mend the file, or "
            f"the setting of the launcher that it names; the facts are "
            f"{', '.join(LauncherFacts.model_fields)}"
        ) from error


def engine(config: DictConfig) -> DictConfig:
    """Return the settings of the launcher that runs the jobs, also if `vectorized` calls it.

    Raises:
        InputError: no launcher is chosen.
    """
    found, choice = config.hydra.launcher, _GROUP
    if isinstance(found, DictConfig) and "workers" in found:
        found, choice = found.workers, f"{_GROUP}@hydra.launcher.workers"
        if isinstance(found, DictConfig) and "workers" in found:
            raise InputError(
                f"{choice}: has workers itself; choose one without, such as {choice}=basic"
            )
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
        return Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
    except InputError:
        raise
    except Exception as error:
        advice = f"; pip install -c constraints.txt -e '.[{extra}]'" if extra else ""
        chosen = config.hydra.runtime.choices[_GROUP]
        raise InputError(f"{_GROUP}={chosen}: cannot be used ({error}){advice}") from error


def make_workers(context: HydraContext, task: TaskFunction, config: DictConfig) -> Launcher:
    """Return the launcher that another launcher uses for its jobs: `hydra.launcher.workers`."""
    inner = copy.deepcopy(config)
    with open_dict(inner.hydra):
        inner.hydra.launcher = engine(config)
    return Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task, config=inner
    )
