"""Identity: the SHA-256 of everything that determines a run's result.

Its ingredients are the configuration, without keys that do not change the result; the source of
the modules of this package that compute, of the user's classes and of the modules that they import
(the version, for installed packages); the data's checksum; the kind of device; and the versions of
torch and Python. Two runs with the same identity have the same result, so one of them is enough.

This module imports neither torch nor the user's classes: a sweep's plan is made without them.
"""

from __future__ import annotations

import functools
import platform
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from experiments.distributed.world import world
from experiments.errors import InputError
from experiments.identity.canonical import plain, sha256_of_data
from experiments.identity.measures import measures_of, steer
from experiments.identity.package_source import package_sha256
from experiments.identity.sources import sources_of

if TYPE_CHECKING:
    from experiments.config import RunConfig

BESIDE: dict[str, Any] = {
    "force": True,
    "outputs": True,
    "sweep": True,
    "tracking": True,
    "data": {"root"},
    "trainer": {"device", "checkpoint_every", "profile"},
}
"""the keys that do not change the result; the data's checksum stands for `data.root`"""
_STEERING = {"trainer": ("monitor", "min_delta"), "task": ("metrics", "objective")}
"""the keys without effect on the weights of a run that no metric steers"""
_BESIDE_IDENTITY = frozenset({"measures", "measured_by"})


@dataclass(frozen=True)
class Ingredients:
    """Everything that determines a run's result, as plain data."""

    config: dict[str, Any]
    """the values that determine the result"""
    source: dict[str, str]
    """the SHA-256 of this package, as far as it computes, and of the user's modules; the version of
    installed packages"""
    data_sha256: str
    """the SHA-256 of the training and test data"""
    device: str
    """the kind of device, such as `cpu` or a GPU's name"""
    measures: dict[str, str] = field(default_factory=dict, compare=False)
    """the SHA-256 of each metric, which is no part of the identity"""
    measured_by: frozenset[str] = field(default_factory=frozenset, compare=False)
    """the modules of metrics that are no part of `source`"""
    versions: dict[str, str] = field(
        default_factory=lambda: {
            "python": platform.python_version(),
            "torch": metadata.version("torch"),
        }
    )

    @functools.cached_property
    def identity(self) -> str:
        """The SHA-256 of all ingredients."""
        told = asdict(self)
        return sha256_of_data({key: told[key] for key in told.keys() - _BESIDE_IDENTITY})

    @property
    def source_sha256(self) -> str:
        """The SHA-256 of `source`."""
        return sha256_of_data(self.source)

    def on(self, device: str) -> Ingredients:
        """Return the ingredients of the same run on another kind of device."""
        return replace(self, device=device)

    def public(self, config: RunConfig) -> dict[str, Any]:
        """Return the ingredients in a form that may be written to files.

        The SHA-256 replaces each secret and each value from the environment. So two files still
        show whether two runs have the same value.

        Args:
            config: the run's configuration.
        """
        told = {key: value for key, value in asdict(self).items() if key != "measured_by"}
        shown = plain(config.public())
        shown["trainer"]["strategy"] = self.config["trainer"]["strategy"]  # with its processes
        return told | {"config": _hashed(self.config, shown)}


def ingredients_of(config: RunConfig, *, data_sha256: str, device: str) -> Ingredients:
    """Return the ingredients of a run.

    Args:
        config: the run's configuration.
        data_sha256: the checksum of the training and test data.
        device: the kind of device, such as `cpu` or a GPU's name.

    Raises:
        InputError: the source of a class cannot be found.
    """
    values = config.model_dump(exclude=BESIDE)
    if config.trainer.strategy == "ddp":  # an all-reduce adds in another order for each number
        size = world().size
        values["trainer"]["strategy"] = f"ddp on {size} processes" if size > 1 else "shards"
    if not steer(config):
        for group, keys in _STEERING.items():
            for key in keys:
                del values[group][key]
    source = {"experiments": package_sha256()}
    of_metrics: dict[str, str] = {}
    for part, target in config.targets().items():
        try:
            found = sources_of(target)
        except InputError as error:
            raise InputError(f"{part}._target_={target}: {error}") from error
        is_beside = part.startswith("task.metrics.") and "metrics" not in values["task"]
        (of_metrics if is_beside else source).update(found)
    return Ingredients(
        plain(values), source, data_sha256, device, measures_of(config), frozenset(of_metrics)
    )


def _hashed(value: Any, public: Any) -> Any:
    if value == public:
        return value
    if isinstance(value, dict) and isinstance(public, dict):
        return {key: _hashed(entry, public[key]) for key, entry in value.items()}
    if isinstance(value, list) and isinstance(public, list):
        return [_hashed(*pair) for pair in zip(value, public, strict=True)]
    return {"sha256": sha256_of_data({"value": value})}
