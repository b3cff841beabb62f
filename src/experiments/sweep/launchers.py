"""Launchers: which one a sweep has chosen, and where it runs jobs."""

from __future__ import annotations

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from experiments.errors import InputError

_EXTRAS = {
    "hydra_joblib_launcher": "joblib",
    "hydra_ray_launcher": "ray",
    "hydra_submitit": "slurm",
}


def make_launcher(context: HydraContext, task: TaskFunction, config: DictConfig) -> Launcher:
    """Return the launcher that a configuration chooses.

    Raises:
        InputError: it cannot be used, perhaps for a package that is not installed.
    """
    target = str(engine(config)._target_)
    try:
        return Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
    except InputError:
        raise
    except Exception as error:
        missing = [extra for name, extra in _EXTRAS.items() if name in target]
        advice = f"; pip install -c constraints.txt -e '.[{missing[0]}]'" if missing else ""
        chosen = config.hydra.runtime.choices["hydra/launcher"]
        raise InputError(f"hydra/launcher={chosen}: cannot be used ({error}){advice}") from error


def engine(master: DictConfig) -> DictConfig:
    """Return the settings of the launcher that runs the jobs, be it by way of `vectorized`.

    Raises:
        InputError: there is none.
    """
    found, choice = master.hydra.launcher, "hydra/launcher"
    if isinstance(found, DictConfig) and "workers" in found:
        found, choice = found.workers, "hydra/launcher@hydra.launcher.workers"
    if not isinstance(found, DictConfig) or "_target_" not in found:
        raise InputError(f"{choice}={found}: is no launcher; choose one, such as {choice}=basic")
    return found


def inherits_environment(master: DictConfig) -> bool:
    """Return whether jobs have the sweep's environment: Slurm's do, a Ray cluster's do not."""
    return is_local(master) or str(engine(master)._target_).endswith("SlurmLauncher")


def is_local(master: DictConfig) -> bool:
    """Return whether all jobs run on this machine."""
    launcher = engine(master)
    elsewhere = OmegaConf.select(launcher, "ray.init.address") is not None
    target = str(launcher._target_)
    return not elsewhere and not target.endswith(("SlurmLauncher", "RayAWSLauncher"))


def trains_here(config: DictConfig) -> bool:
    """Return whether the worker of this process trains jobs, or is asked about lanes."""
    target = str(engine(config)._target_)
    return target.endswith(".BasicLauncher") or engine(config) is not config.hydra.launcher
