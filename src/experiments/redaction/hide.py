"""Keep secrets out of everything that is written or shown.

Every text that leaves the process passes `hidden`: the journal, the files beside it, logs, outcomes
and the output of Python code (`experiments.process.streams`). `hidden` hides everything with the
form of a secret (`forms`) and the secrets that the process knows. The process knows the values of
environment variables with a telling name, passwords in addresses that any variable holds, and the
texts given to `remember`.
"""

from __future__ import annotations

import functools
import html
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from experiments.redaction.secret_forms import (
    HIDDEN,
    is_secret,
    names_a_secret,
    passwords_in,
    without_secrets,
    without_secrets_in_code,
)

Path = tuple[object, ...]
"""the keys, and indices into lists, that lead to a value"""

# Shown to the user, who needs them to find places and parts; an address without its secrets.
_TOLD = frozenset(
    {
        *(("outputs",), ("data", "root"), ("tracking", "uri"), ("tracking", "experiment")),
        *(("tracking", "run_name"), ("trainer", "device"), ("seed",)),
        *((part, "_target_") for part in ("data", "model", "optimizer", "schedule")),
    }
)

_kept: set[str] = set()


def hidden(text: str) -> str:
    """Return a text with every known secret, and every text with the form of one, hidden."""
    return without_secrets(_without_known(text))


def hidden_data(value: Any) -> Any:
    """Return nested data with the secrets in all its texts hidden; keys do not change."""
    return _hidden_data(value, _known())


def _hidden_data(value: Any, known: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        return without_secrets(known.sub(HIDDEN, value) if known else value)
    if isinstance(value, Mapping):
        return {key: _hidden_data(entry, known) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden_data(entry, known) for entry in value]
    return value


def hidden_patch(patch: bytes) -> bytes:
    """Return a patch with every secret hidden; in a program, only string literals and addresses.

    If something was hidden, a line at the end says so, because the patch may not apply then.
    """
    text = _without_known(patch.decode(errors="surrogateescape"))
    files = re.split(r"(?m)^(?=diff --git )", text)
    found = "".join(map(_hidden_in_file, files)).encode(errors="surrogateescape")
    return found if found == patch else found + b"secrets are hidden above\n"


def _hidden_in_file(changes: str) -> str:
    header, _, _ = changes.partition("\n")
    is_code = header.rstrip('"').endswith(".py")
    return without_secrets_in_code(changes) if is_code else without_secrets(changes)


def remember(*secrets: str) -> None:
    """Make `hidden` hide these texts from now on, except texts too short to be distinctive."""
    _kept.update(filter(_is_telling, secrets))


def remember_secrets_of(values: Mapping[str, Any], from_environment: Collection[Path]) -> None:
    """Keep the values of a configuration that are secret by their keys or by their origin."""
    for path, leaf in _leaves(values):
        if isinstance(leaf, str) and "://" in leaf:
            remember(*passwords_in(leaf))
        came = any(path[:depth] in from_environment for depth in range(1, len(path) + 1))
        if is_secret(path, leaf) or (came and path not in _TOLD and isinstance(leaf, str)):
            remember(str(leaf))


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        entries: Any = value.items()
    elif isinstance(value, list | tuple):
        entries = enumerate(value)
    else:
        yield path, value
        return
    for key, entry in entries:
        yield from _leaves(entry, (*path, key))


def _without_known(text: str) -> str:
    known = _known()
    return known.sub(HIDDEN, text) if known else text


def _known() -> re.Pattern[str] | None:
    """Return the pattern of the secrets that the process knows now; None if it knows none."""
    known = frozenset(_kept).union(filter(_is_telling, _in_environment()))
    return _pattern(known) if known else None


def _in_environment() -> Iterator[str]:
    # Read anew each time: a user's module may load a .env file at any moment.
    # Another thread may remove a variable meanwhile, as Hydra does at the end of each job.
    for name in list(os.environ):
        value = os.environ.get(name, "")
        if names_a_secret(name):
            yield value
        if "://" in value:
            yield from passwords_in(value)


@functools.lru_cache(maxsize=1024)
def _is_telling(value: str) -> bool:
    """Return whether a value is long and rare enough to be replaced in every text.

    A plain word or number needs 6 characters, because shorter ones are common (`X_KEY=1`,
    `USE_TOKEN=false`); with other characters among them, 4 are enough. The path of an existing file
    is no secret (`SSH_KEY=/home/me/.ssh/id_rsa`, `PWD`), although its content may be one.
    """
    least = 6 if re.fullmatch(r"[\w.+-]*", value) else 4
    return len(value.strip()) >= least and not (value.startswith("/") and os.path.exists(value))  # noqa: PTH110  (PWD may be longer than a path may be)


@functools.lru_cache(maxsize=64)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    forms = {form for secret in secrets for form in _forms(secret) if form}
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))


@functools.lru_cache(maxsize=1024)
def _forms(secret: str) -> frozenset[str]:
    """Return a secret as it is and as addresses, JSON, Python, YAML, shells and Hydra write it."""
    written = {secret, secret.strip(), " ".join(secret.split())}
    written |= {quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    written |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    written |= {repr(secret)[1:-1], ascii(secret)[1:-1], str(secret.encode(errors="replace"))[2:-1]}
    written |= {secret.replace("'", change) for change in ("''", r"\'", "'\"'\"'")}
    written |= {secret.replace('"', r"\""), secret.replace("\\", "\\\\")}
    written.add(re.sub(r"([\\()\[\]{}:=,\s])", r"\\\1", secret))
    lines = secret.splitlines()
    written |= {line for line in lines if len(lines) > 1 and _is_telling(line)}
    return frozenset(written)
