"""The ingredients of two identities, compared: the reasons why two runs may differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.differences.record import Record
from experiments.identity.canonical import sha256_of_data
from experiments.identity.ingredients import BESIDE

_FEW = 4


def differences(a: Record, b: Record) -> list[str]:
    """Return the ingredients of the identity in which two runs differ, in words.

    If one of the runs has no usable identity.json, the parameters and tags are compared instead.
    """
    return [
        *_configuration(a, b),
        *(f"the source of {name}" for name in changed_sources(a, b)),
        *(["the commit"] if _only_commits_differ(a, b) else []),
        *(["the data"] if _differ(a.data_sha256, b.data_sha256) else []),
        *([f"the device ({a.device} → {b.device})"] if _differ(a.device, b.device) else []),
        *(
            f"the version of {name} ({a.versions[name]} → {b.versions[name]})"
            for name in a.versions.keys() & b.versions.keys()
            if _differ(a.versions[name], b.versions[name])
        ),
    ]


def changed_sources(a: Record, b: Record) -> list[str]:
    """Return the modules with different content, or that only one of two runs has."""
    if not a.source or not b.source:
        return []
    names = dict.fromkeys((*a.source, *b.source))
    return [name for name in names if a.source.get(name) != b.source.get(name)]


def changed_keys(a: Record, b: Record) -> list[str]:
    """Return the keys of the configuration that determine a result and have different values."""
    one, other = (_values(each) for each in (a, b))
    if not (a.ingredients and b.ingredients):
        one, other = (_parameters(each) for each in (a, b))
        both = one.keys() & other.keys()  # an older version records fewer keys
        one, other = ({key: each[key] for key in one if key in both} for each in (one, other))
    names = dict.fromkeys((*one, *other))
    return [
        key
        for key in names
        if key not in one or key not in other or not _are_equal(one[key], other[key])
    ]


def _only_commits_differ(a: Record, b: Record) -> bool:
    """Return whether the commits differ, and the modules of one of the runs are unknown."""
    return not (a.source and b.source) and _differ(a.commit or "", b.commit or "")


def in_words(names: list[str]) -> str:
    """Return some names as a phrase: the first few, and the number of others."""
    if len(names) > _FEW:
        return f"{', '.join(names[:_FEW])} and {len(names) - _FEW} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _configuration(a: Record, b: Record) -> list[str]:
    """Return the changed keys; those of a group with another choice are one entry."""
    found: dict[str, None] = {}
    for key in changed_keys(a, b):
        group = key.partition(".")[0]
        one, other = (each.summary.params.get(group) for each in (a, b))
        is_chosen = "." in key and one is not None and other is not None and one != other
        found[f"{group} ({one} → {other})" if is_chosen else key] = None
    return list(found)


def _are_equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal; the SHA-256 may stand for a value."""
    if _is_hashed(one) != _is_hashed(other):
        one, other = (
            each if _is_hashed(each) else {"sha256": sha256_of_data({"value": each})}
            for each in (one, other)
        )
    return bool(one == other)


def _is_hashed(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"sha256"}


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _values(run: Record) -> dict[str, Any]:
    return leaves(run.ingredients.get("config", {}))


def _parameters(run: Record) -> dict[str, Any]:
    return {key: value for key, value in run.summary.params.items() if _determines(key)}


def _determines(key: str) -> bool:
    group, _, name = key.partition(".")
    beside = BESIDE.get(group, ())
    return bool(name or group == "seed") and beside is not True and name not in beside


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """Return the values of nested data by dotted keys; a list is one value."""
    if not isinstance(value, Mapping) or _is_hashed(value) or (not value and key):
        return {key: value}
    found: dict[str, Any] = {}
    for name, entry in value.items():
        found |= leaves(entry, f"{key}.{name}" if key else str(name))
    return found
