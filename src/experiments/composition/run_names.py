"""The names of runs: the overrides in few words, such as `lr=0.01 sgd_momentum s1`.

A choice of a part is named by the option alone, a value by the last part of its key, a seed by `s`
and its number, and a secret by its number in the sweep, `token#2`. A key or option that would be
ambiguous beside another is named in full.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence

from experiments.config.run import WITHOUT_EFFECT

_NOISE = (*WITHOUT_EFFECT, "hydra")
_LONGEST = 200  # characters; a warning may be added
DEFAULTS = "defaults"
"""the name of a run without overrides"""


SECRETS = "EXPERIMENTS_SECRET"
"""the beginning of the names of environment variables that hold typed secrets"""


def environment_name(prefix: str, key: str) -> str:
    """Return the name of the environment variable for the first value of a key."""
    return f"{prefix}_{re.sub(r'[^A-Z0-9]+', '_', key.upper())}"


def key_of(override: str) -> str:
    """Return the key of an override, without the signs by which Hydra adds and removes keys."""
    return override.lstrip("+~").partition("=")[0]


def value_of(override: str) -> str:
    """Return the value of an override as it was typed; `removed` for `~key`."""
    if override.startswith("~"):
        return "removed"
    return override.partition("=")[2]


def is_noise(override: str) -> bool:
    """Return whether an override changes no result of a run, so that no name needs it."""
    return key_of(override).partition("@")[0].partition(".")[0].partition("/")[0] in _NOISE


def is_of_sweep(override: str) -> bool:
    """Return whether an override sets a key of a sweep, which a single run does not have."""
    return key_of(override).partition(".")[0] == "sweep"


def short_names(overrides: Sequence[str]) -> list[str]:
    """Return the short names of overrides in their order, each distinct beside the others.

    Overrides that change no result of a run are left out.
    """
    told = list(dict.fromkeys(text for text in overrides if not is_noise(text)))
    short = [_short(text) for text in told]
    counts = Counter(_head(text) for text in short)
    return [
        brief if counts[_head(brief)] == 1 else f"{key_of(text)}={value_of(text)}"
        for text, brief in zip(told, short, strict=True)
    ]


def run_name(
    overrides: Sequence[str], varied: Collection[str] = (), given: str | None = None
) -> str:
    """Return the name of a run: its overrides, those of the varied keys first.

    If the user gives a name, only the overrides of the varied keys follow it:
    `baseline: lr=0.1 s0`. MLflow's databases take 250 characters. A longer name is cut and gets a
    digest, so that different names stay different.

    Args:
        overrides: the overrides, without secrets.
        varied: the keys that vary between the jobs of a sweep; empty for a run of its own.
        given: the name that the user gives, without secrets; None if there is none.
    """
    if given is None:
        ordered = sorted(overrides, key=lambda text: key_of(text) not in varied)
        name = " ".join(short_names(ordered)) or DEFAULTS
    else:
        own = short_names([text for text in overrides if key_of(text) in varied])
        name = ": ".join(filter(None, (given, " ".join(own))))
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{name[: _LONGEST - 9]} … {digest}"


def _short(override: str) -> str:
    key, value = key_of(override), value_of(override)
    told = value.replace("\\", "")  # Hydra escapes the values of a sweep
    variable = f"${{oc.env:{environment_name(SECRETS, key)}"
    if told.startswith(variable) and told.endswith("}"):
        count = told.removeprefix(variable).strip("_}") or "1"
        return f"{key.rpartition('.')[2]}#{count}"
    if key == "seed":
        return f"s{value}"
    if "." not in key and not override.startswith("~"):
        return value
    return f"{key.rpartition('.')[2]}={value}"


def _head(name: str) -> str:
    return name.partition("=")[0]
