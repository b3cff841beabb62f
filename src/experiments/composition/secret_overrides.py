"""Keep secrets out of the overrides for launchers, which may write them to files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.composition.environment import nodes
from experiments.composition.run_names import SECRETS, environment_name
from experiments.errors import InputError
from experiments.redaction.hide import hidden
from experiments.redaction.secret_forms import HIDDEN, is_secret, names_a_secret


def without_secrets(config: DictConfig, arguments: Sequence[str], *, reached: bool) -> list[str]:
    """Return the overrides of a sweep without secrets, and remove these from its configuration.

    A typed secret moves to an environment variable of this process, which the jobs inherit. In the
    override, an interpolation takes its place.

    Args:
        config: the composed configuration of the sweep.
        arguments: the overrides as they were typed.
        reached: whether the environment of this process reaches the jobs.

    Raises:
        InputError: the environment does not reach the jobs, or a job could not take the secret
            from it.
    """
    # Unresolved, because each job resolves its interpolations itself.
    hydra: Any = OmegaConf.to_container(config.hydra)
    job, typed = hydra["job"], hydra["overrides"]
    for override in typed["hydra"]:
        if hidden(override) != override:
            raise InputError(_advice(override, "a launcher may write it to a file"))
    for name, value in job["env_set"].items():
        is_named = names_a_secret(name) and "${" not in str(value)
        if is_named or hidden(str(value)) != str(value):
            raise InputError(
                f"hydra.job.env_set.{name}: a launcher may write it to a file; leave it out, as "
                "jobs have the environment of the sweep"
            )
    safe = to_environment(arguments)
    for before, after in zip(arguments, safe, strict=True):
        if before != after and not reached:
            raise InputError(
                _advice(before, "the jobs do not inherit the environment of the sweep")
            )
    conceal(config)
    with read_write(config), open_dict(config):
        config.hydra.overrides.task = to_environment(typed["task"])
        config.hydra.job.override_dirname = hidden(job["override_dirname"])
        config.hydra.sweeper.params = {}  # the arguments hold them
    return safe


def _advice(override: str, reason: str) -> str:
    key = override.lstrip("+").partition("=")[0]
    return (
        f"{hidden(override)}: holds a secret, and {reason}; set an environment variable on the "
        f"machine of the jobs, and write {key}='${{oc.env:NAME}}'"
    )


def to_environment(overrides: Any) -> list[str]:
    """Return overrides with their secrets moved to the environment of this process."""
    return [_moved(text) if _holds_secret(text) else text for text in overrides]


def conceal(config: DictConfig) -> None:
    """Hide the secrets outside Hydra's part of a composed configuration that is no longer used."""
    for path, container, node in nodes(config, without="hydra"):
        if node._is_interpolation() or node._is_missing():
            continue
        value = node._value()
        shown = hidden(value) if isinstance(value, str) else value
        if is_secret(path, value):
            shown = HIDDEN
        if shown != value:
            with read_write(container):
                container[path[-1]] = shown


def _holds_secret(text: str) -> bool:
    key, _, value = text.lstrip("+").partition("=")
    if "/" in key or ("." not in key and "{" not in value and "://" not in value):
        return False  # it chooses a part
    typed = "${" not in value and is_secret(tuple(key.split(".")), value)
    return typed or hidden(text) != text


def _moved(text: str) -> str:
    override = OverridesParser.create().parse_override(text)
    head = text.partition("=")[0]
    if override.type is OverrideType.DEL:
        return head
    if not override.is_discrete_sweep():
        return f"{head}={_variable(override, text.partition('=')[2])}"
    key = override.key_or_group
    values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    safe = [_moved(value) if _holds_secret(value) else value for value in values]
    return f"{head}={','.join(each.partition('=')[2] for each in safe)}"


def _variable(override: Override, written: str) -> str:
    """Set an environment variable to the value of an override; return the interpolation for it."""
    value, key = override.value(), override.key_or_group
    if "${" in written:
        raise InputError(_advice(f"{key}={written}", "an interpolation beside it"))
    # The user sees an address, but not its password.
    is_told = "://" in written and not names_a_secret(key.rpartition(".")[2])
    base = environment_name("EXPERIMENTS" if is_told else SECRETS, key)
    content = value if isinstance(value, str) else written
    name, count = base, 1
    while os.environ.get(name, content) != content:
        count += 1
        name = f"{base}_{count}"
    os.environ[name] = content
    found = f"${{oc.env:{name}}}"
    return found if isinstance(value, str) else f"'${{oc.decode:{found}}}'"
