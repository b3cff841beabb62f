"""Launchers: the one that a sweep has chosen, and the facts about it that a YAML file states.

The file is `conf/hydra/launcher_facts/CLASS.yaml`, named like the class of the launcher. So it
counts for every configuration of that class, also for those that come with a plugin.
"""

from __future__ import annotations

import copy
import re
import shutil
from typing import Annotated, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from pydantic import AfterValidator, ValidationError
from pydantic_core import PydanticCustomError

from experiments.config.types import Strict
from experiments.errors import InputError
from experiments.sweep.compose import SweepLoader

_GROUP, _FACTS = "hydra/launcher", "hydra/launcher_facts"
_SETTING = r"\$\{oc\.select:\.\.([\w.]+)"  # in a fact that is a setting of the launcher


def _not_0(number: int) -> int:
    if number == 0:
        raise PydanticCustomError("zero", "it should not be 0, because no job would run")
    return number


class LauncherFacts(Strict):
    """The facts about a launcher; without a file, those of one on this machine."""

    remote: bool = False
    """whether jobs may run on other machines"""
    environment: bool = False
    """whether jobs on other machines have the environment of the sweep"""
    in_this_process: bool = False
    """whether jobs are called in the sweep's own process, one at a time"""
    processes: Annotated[int, AfterValidator(_not_0)] | None = None
    """the number of jobs that run at once; None, or below 0, if nobody can tell"""
    extra: str | None = None
    """the extra of this project that installs it"""
    program: str | None = None
    """the program that it calls to launch jobs"""


def launcher_facts(loader: SweepLoader, config: DictConfig) -> LauncherFacts:
    """Return the facts about the launcher that runs the jobs of a sweep.

    Its file may interpolate the settings of the launcher, as in `${oc.select:..n_jobs,null}`.

    Raises:
        InputError: there is no launcher, or a fact or the name of its file is wrong.
    """
    launcher, option = engine(config), config.hydra.runtime.choices.get(_group(config))
    name = str(launcher._target_).rpartition(".")[2]
    parts = loader.parts(config)
    if option not in {None, name} and parts.config_exists(f"{_FACTS}/{option}"):
        raise InputError(
            f"conf/{_FACTS}/{option}.yaml: has the name of an option; name it {name}.yaml, like "
            "the launcher's class"
        )
    stated = parts.load_config(f"{_FACTS}/{name}")
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
        file, key = f"conf/{_FACTS}/{name}.yaml", ".".join(map(str, first["loc"]))
        wrong = f"{key or 'its content'}={first['input']}: {first['msg']}"
        written = OmegaConf.to_container(stated.config, resolve=False)
        source = re.match(_SETTING, str(written.get(key))) if isinstance(written, dict) else None
        if source is not None:
            setting = f"{_key(config)}.{source[1]}={first['input']}: {first['msg']}"
            raise InputError(f"{setting}; {file} has {key} from it") from error
        facts = ", ".join(LauncherFacts.model_fields)
        raise InputError(f"{file}: {wrong}; mend the file; the facts are {facts}") from error


def check_program(config: DictConfig, facts: LauncherFacts) -> None:
    """Check that this machine has the program that a launcher calls.

    Raises:
        InputError: it is not on the PATH.
    """
    if facts.program is not None and shutil.which(facts.program) is None:
        group = _group(config)
        raise InputError(
            f"{group}={config.hydra.runtime.choices.get(group)}: calls {facts.program}, which is "
            "not on the PATH of this machine; give the command on a machine that has it, or choose "
            "another launcher"
        )


def engine(config: DictConfig) -> DictConfig:
    """Return the settings of the launcher that runs the jobs, also if `vectorized` calls it.

    Raises:
        InputError: no launcher is chosen.
    """
    found, choice = OmegaConf.select(config, _key(config)), _group(config)
    if not isinstance(found, DictConfig) or "_target_" not in found:
        raise InputError(f"{choice}={found}: is no launcher; choose one, such as {choice}=basic")
    if "workers" in found:
        raise InputError(
            f"{choice}: has workers itself; choose one without, such as {choice}=basic"
        )
    return found


def _key(config: DictConfig) -> str:
    """Return the key of the launcher that runs the jobs."""
    launcher = config.hydra.launcher
    has_workers = isinstance(launcher, DictConfig) and "workers" in launcher
    return "hydra.launcher.workers" if has_workers else "hydra.launcher"


def _group(config: DictConfig) -> str:
    """Return the group that the launcher that runs the jobs is chosen from."""
    key = _key(config)
    return _GROUP if key == "hydra.launcher" else f"{_GROUP}@{key}"


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
