"""Errors of a tracking store, in one line: mistakes of the user, and passing problems."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from experiments.errors import InputError, shortened
from experiments.redaction.hide import hidden
from experiments.redaction.secret_forms import without_passwords
from experiments.tracking.logins import denial, refusal

_LONGEST = 400  # characters; MLflow quotes whole stacks


@dataclass(frozen=True)
class Problem:
    """A store that cannot be used."""

    text: str
    """the problem and its remedy, in one line, without a password"""
    mistake: bool
    """whether the user has to act; otherwise the store may answer later"""


NO_MLFLOW = "there is a server, but it is no MLflow; check the host and the port"

# By a pattern for the error's class, code and message. The first match counts.
_MISTAKES: dict[str, str | Callable[[str], str]] = {
    r"unsupported URI '[^']*'": (
        "is no kind of address; write sqlite:///mlflow.db, http://host:5000 or the like"
    ),
    r"valid JSON format|^ParseError": NO_MLFLOW,
    r"filesystem tracking backend": (
        "is a path, and MLflow no longer keeps runs in folders; write sqlite:///mlflow.db"
    ),
    r"Invalid (url|IPv6)|Failed to parse|Could not parse|Invalid SQLite URL|No host supplied": (
        "is no complete address; write sqlite:///mlflow.db, http://host:5000 or the like"
    ),
    r"SSLError": "the server speaks no TLS, or its certificate is not trusted; is it http://?",
    r"NameResolutionError": "there is no host of that name; check the spelling and the network",
    r"UNAUTHENTICATED": refusal,
    r"PERMISSION_DENIED": denial,
    r"ENDPOINT_NOT_FOUND": (
        "there is a server, but MLflow is not under this address (404); check the path"
    ),
    r"out-of-date database schema": (
        "the database is from another version of MLflow; back it up, then run "
        "`mlflow db upgrade {uri}`"
    ),
    r"file is not a database": "the file is not a database; name another file",
    r"No module named '[^']*'": (
        "the database's driver is missing; install the package that provides it"
    ),
    r"unable to open database file|readonly database": (
        "the database cannot be opened for writing; check the permissions of it and its folder"
    ),
    r"disk image is malformed": (
        "the database is damaged; restore it, or move it away, and `experiments sync --rebuild` "
        "makes it again from outputs/"
    ),
    r"must be in the 'active' state": (
        "the run was deleted in MLflow; `experiments sync --rebuild` restores it, and delivers the "
        "rest"
    ),
}
_PASSING: dict[str, str | Callable[[str], str]] = {
    r"Connection refused": "nothing listens there (connection refused)",
    r"ConnectTimeout|Read timed out|ReadTimeout": "the server does not answer in time",
    r"too many 5\d\d error": "the server answers with an error of its own (5xx)",
    r"RESOURCE_DOES_NOT_EXIST": (
        "the store has lost the run; `experiments sync --rebuild` delivers all of it again"
    ),
    r"database is locked": "the database is locked by another program",
}


def problem_of(error: Exception, uri: str) -> Problem:
    """Return the problem that an error of a store shows."""
    if isinstance(error, InputError):
        return Problem(str(error), mistake=True)
    said = " ".join(f"{type(error).__name__} {getattr(error, 'error_code', '')}: {error}".split())
    shown = without_passwords(uri)
    for known, mistake in ((_MISTAKES, True), (_PASSING, False)):
        for pattern, advice in known.items():
            if re.search(pattern, said):
                text = advice.format(uri=shown) if isinstance(advice, str) else advice(uri)
                return Problem(f"tracking.uri={shown}: {text}", mistake)
    return Problem(f"tracking.uri={shown}: {shortened(hidden(said), _LONGEST)}", mistake=False)
