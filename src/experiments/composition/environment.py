"""Find the values of a configuration that come from the environment, and their interpolations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.resolvers import oc

_read: list[str] = []  # the variables that interpolations read since the last clear


def _env(name: str, *default: Any) -> str | None:
    """Resolve `${oc.env:name,default}` as OmegaConf does, and note the variable if it is set."""
    if name in os.environ:
        _read.append(name)
    return oc.env(name, *default)


OmegaConf.register_new_resolver("oc.env", _env, replace=True)


def from_environment(config: DictConfig) -> dict[tuple[object, ...], str]:
    """Return the interpolations that read a set environment variable, by the keys to them.

    Hydra's own part is left out.

    They may read it directly, through another key, or inside a longer text. An interpolation that
    takes its default is not one of them.

    Args:
        config: a configuration whose interpolations can all be resolved.
    """
    found = {}
    for path, container, node in nodes(config, without="hydra"):
        if not node._is_interpolation():
            continue
        _read.clear()
        value = container[path[-1]]
        if OmegaConf.is_config(value):
            OmegaConf.to_container(value, resolve=True)
        if _read:
            found[path] = str(node._value())
    return found


def nodes(
    container: Any, path: tuple[object, ...] = (), *, without: str | None = None
) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Yield each value of a configuration, unresolved: (its keys, its container, its node).

    Args:
        container: the configuration, or a part of it.
        path: the keys to the part.
        without: a key of the container that is left out.
    """
    if container._is_none() or container._is_missing():
        return
    keys = range(len(container)) if isinstance(container, ListConfig) else list(container.keys())
    for key in keys:
        if key == without:
            continue
        node = container._get_node(key)
        if isinstance(node, DictConfig | ListConfig) and not node._is_interpolation():
            yield from nodes(node, (*path, key))
        else:
            yield (*path, key), container, node
