"""The project that a call concerns: its conf/, its modules, and Hydra at work in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig

from experiments.composition.arguments import check_arguments
from experiments.errors import InputError
from experiments.process.logs import restored_logging
from experiments.provenance.origin import PROJECT

CONFIG, JOB = "config", "train"
"""the names that train.py gives to Hydra: of the configuration, and of the log"""
_GLOBAL = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)


def find_conf(config_dir: str | Path | None) -> Path:
    """Return the folder conf of the project, by an absolute path.

    Args:
        config_dir: the folder; None looks for one beside a train.py, in the current folder and
            above it.

    Raises:
        InputError: there is none.
    """
    if config_dir is not None:
        if not (Path(config_dir) / f"{CONFIG}.yaml").is_file():
            raise InputError(
                f"config_dir={config_dir}: has no {CONFIG}.yaml; name the folder conf beside "
                "train.py"
            )
        return Path(config_dir).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        conf = folder / "conf"
        if (folder / "train.py").is_file() and (conf / f"{CONFIG}.yaml").is_file():
            return conf
    raise InputError(
        f"config_dir=None: neither {here} nor a folder above it has a train.py with a "
        f"conf/{CONFIG}.yaml beside it; give config_dir, the folder conf of the project"
    )


def checked_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a call as a list.

    Raises:
        InputError: it is no list of texts, or one of them is an option of the command.
    """
    example = 'give a list such as ["optimizer.lr=0.1", "seed=1"]'
    if isinstance(overrides, str) or not isinstance(overrides, Sequence):
        raise InputError(f"overrides={overrides!r}: is no list of texts; {example}")
    for each in overrides:
        if not isinstance(each, str):
            raise InputError(f"overrides: {each!r} is no text; {example}")
        if each.startswith("-"):
            raise InputError(
                f"overrides: {each} is an option of the command `python train.py`; {example} "
                "without options"
            )
    check_arguments(overrides)
    return list(overrides)


@contextmanager
def hydra_in(conf: Path) -> Iterator[Hydra]:
    """Yield Hydra as train.py has it, in the project of a folder conf.

    Hydra's own state and the logging are the caller's again afterwards.
    """
    before = {cls: Singleton._instances.pop(cls, None) for cls in _GLOBAL}
    project = PROJECT.set(conf.parent)
    try:
        with (
            restored_logging(),
            importable(conf.parent),
            initialize_config_dir(str(conf), job_name=JOB, version_base="1.3"),
        ):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None  # noqa: S101  (Hydra has just made it)
            yield hydra
    finally:
        PROJECT.reset(project)
        for cls, instance in before.items():
            Singleton._instances.pop(cls, None)
            if instance is not None:
                Singleton._instances[cls] = instance


@contextmanager
def importable(project: Path) -> Iterator[None]:
    """Look for modules in the project's folder first, as train.py does.

    Later, the folder comes last: a class may import a module when it is first used.
    """
    folder = str(project)
    sys.path[:] = [folder, *(each for each in sys.path if each != folder)]
    try:
        yield
    finally:
        sys.path[:] = [*(each for each in sys.path if each != folder), folder]


def composed(hydra: Hydra, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration of one run, with Hydra's own part.

    Raises:
        InputError: it is one of a sweep.
        HydraException: it cannot be composed.
    """
    config = hydra.compose_config(CONFIG, list(overrides), RunMode.RUN)
    if config.hydra.mode is RunMode.MULTIRUN:
        raise InputError(
            "hydra.mode=MULTIRUN: a call trains one run; sweep with `python train.py -m`, or call "
            "train for each combination"
        )
    return config
