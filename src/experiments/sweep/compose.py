"""The configurations of a sweep's jobs from its values, without a composition for each job."""

from __future__ import annotations

import functools
import itertools
import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    RangeSweep,
)
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.composition.hydra_config import typed
from experiments.errors import InputError
from experiments.run import request

_TOLD = "hydra.job.env_set"
# Each job gets its own values.
NUMBER, SOURCE, PLANNED, VARIED = (
    f"{_TOLD}.{name}" for name in (request.NUMBER, request.SOURCE, request.PLANNED, request.VARIED)
)
_OF_EACH_JOB = (NUMBER, SOURCE, PLANNED, VARIED)


# The shared compositions, pickled: reading one takes a fourth of the time of `deepcopy`. They are
# no part of a loader, which a launcher sends with every job.
_composed: dict[tuple[str, ...], bytes] = {}


class SweepLoader(ConfigLoaderImpl):
    """Composes the jobs of a sweep; jobs with the same parts share one composition.

    Hydra takes 80 ms for each job, most of it for the parts, and few jobs have parts of their own.
    The other overrides of a job are applied to a copy of the shared composition.
    """

    def __init__(self, search_path: ConfigSearchPath) -> None:
        super().__init__(search_path)
        self._groups: dict[str, bool] = {}
        self._parts: IConfigRepository | None = None
        self._pickled: bytes | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return this loader for `pickle`; it is pickled once, and read once in each process.

        A launcher pickles it for every job, which would take as long as a composition.
        """
        if self._pickled is None:
            self._pickled = cloudpickle.dumps(self.__dict__)
        return _unpickled, (self._pickled,)

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: Sequence[str]
    ) -> DictConfig:
        """Return the configuration of a job, equal to the one that Hydra itself composes."""
        parsed = [_parsed(text) for text in sweep_overrides]
        values = [override for override in parsed if not self._chooses(master_config, override)]
        if any(override.type is not OverrideType.CHANGE for override in values):
            return super().load_sweep_config(master_config, list(sweep_overrides))
        choices = [override.input_line or "" for override in parsed if override not in values]
        config = self._base(master_config, tuple(choices))
        self._apply_overrides_to_config(values, config)
        _note(config, master_config, parsed)
        return config

    def settle(self, config: DictConfig, folder: Path) -> None:
        """Fix the sweep's folder in its configuration and in the configurations of all jobs."""
        OmegaConf.update(config, "hydra.sweep.dir", str(folder))
        with open_dict(config.hydra):
            config.hydra.overrides.hydra.append(as_override("hydra.sweep.dir", folder))
            config.hydra.overrides.hydra += [f"+{name}=''" for name in _OF_EACH_JOB]

    def _base(self, master_config: DictConfig, choices: tuple[str, ...]) -> DictConfig:
        key = (*typed(master_config.hydra.overrides.hydra), "", *choices)
        if key not in _composed:
            _composed[key] = pickle.dumps(super().load_sweep_config(master_config, list(choices)))
        config: DictConfig = pickle.loads(_composed[key])  # noqa: S301  (from the line above)
        return config

    def _chooses(self, master_config: DictConfig, override: Override) -> bool:
        """Return whether an override chooses a part rather than a value."""
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = self.parts(master_config).group_exists(key)
        return self._groups[key]

    def parts(self, master_config: DictConfig) -> IConfigRepository:
        """Return the parts that a sweep may choose, also from the folders of `hydra.searchpath`."""
        if self._parts is None:
            _, self._parts = self._parse_overrides_and_create_caching_repo(
                master_config.hydra.job.config_name, typed(master_config.hydra.overrides.hydra)
            )
        return self._parts


@functools.lru_cache(maxsize=1)
def _unpickled(content: bytes) -> SweepLoader:
    loader = SweepLoader.__new__(SweepLoader)
    loader.__dict__.update(pickle.loads(content))  # noqa: S301  (from `SweepLoader.__reduce__`)
    return loader


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Override:
    return OverridesParser.create().parse_override(text)


def _note(config: DictConfig, master_config: DictConfig, overrides: Sequence[Override]) -> None:
    """Write the overrides of a configuration into it, as Hydra does."""
    task = [override for override in overrides if not override.is_hydra_override()]
    hydra = [override for override in overrides if override.is_hydra_override()]
    names = config.hydra.job.config.override_dirname
    with open_dict(config.hydra):
        config.hydra.overrides.task = [override.input_line for override in task]
        config.hydra.overrides.hydra = [
            *typed(master_config.hydra.overrides.hydra),
            *(override.input_line for override in hydra),
        ]
        config.hydra.job.override_dirname = get_overrides_dirname(
            task,
            kv_sep=names.kv_sep,
            item_sep=names.item_sep,
            exclude_keys=names.exclude_keys,
        )


def expand(arguments: Sequence[str], loader: SweepLoader, *, at_most: int) -> list[tuple[str, ...]]:
    """Return the overrides of each job: all combinations of the values, the last key fastest.

    Raises:
        InputError: there are more jobs than `at_most`, a key has no values, or one has an interval.
    """
    overrides = {
        override.get_key_element(): override
        for override in OverridesParser.create(config_loader=loader).parse_overrides(
            list(arguments)
        )
    }
    sizes = {key: _size(override) for key, override in overrides.items()}
    for key, override in overrides.items():
        if sizes[key] == 0:
            raise InputError(f"{override.input_line}: has no values; name at least one")
    count = math.prod(sizes.values())
    if count > at_most:
        raise InputError(
            f"sweep.max_jobs={at_most}: this sweep has {count:,} jobs; repeat it with "
            f"sweep.max_jobs={count} if that is meant"
        )
    return list(itertools.product(*map(_alternatives, overrides.values())))


def _size(override: Override) -> int:
    value = override.value()
    if not override.is_sweep_override():
        return 1
    if isinstance(value, RangeSweep):
        numbers = value.range()
        if isinstance(numbers, range):
            return len(numbers)
        start, stop, step = map(float, (numbers.start, numbers.stop, numbers.step))
        return max(0, math.ceil((stop - start) / step))
    return len(value.list) if isinstance(value, ChoiceSweep) else len(_alternatives(override))


def _alternatives(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line or ""]
    if not override.is_discrete_sweep():
        raise InputError(
            f"{override.input_line}: an interval has endless values; name some, or write range()"
        )
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def as_override(key: str, value: object) -> str:
    """Return an override that sets a key to exactly this text."""
    return f"{key}={QuotedString(str(value), Quote.single).with_quotes()}"
