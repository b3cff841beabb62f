"""The login of requests to a server, as MLflow's client finds it.

It sends the user and password of the address, or else those of the environment or of
~/.mlflow/credentials, or else a token.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from experiments.redaction.secret_forms import without_passwords

_SET = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


@dataclass(frozen=True)
class Login:
    """A login, without its secret."""

    whose: str
    """the user, in words"""
    place: str
    """the place of user and password, in words"""


def login_to(uri: str) -> Login | None:
    """Return the login of requests to an address; None if they carry none."""
    if user := re.match(r"https?://([^/@]*):\*\*\*@", without_passwords(uri), re.IGNORECASE):
        return Login(f"user {user[1]}", "the user and password in the address")
    from mlflow.utils.credentials import read_mlflow_creds

    name, password = read_mlflow_creds()
    if name and password:
        place = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or ~/.mlflow/credentials"
        return Login(f"user {name}", place)
    if os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return Login("the owner of MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_TOKEN")
    return None


def refusal(uri: str) -> str:
    """Return the message about a server that knows no such login (401)."""
    login = login_to(uri)
    if login is None:
        return f"the server asks for a login (401); {_SET}"
    return f"the server refuses the login of {login.whose} (401); check {login.place}"


def denial(uri: str) -> str:
    """Return the message about a server that does not permit a request (403)."""
    return (
        f"the server does not let {whose(uri)} in (403); ask its administrator for the permission"
    )


def whose(uri: str) -> str:
    """Return the user who sends requests to an address, in words."""
    login = login_to(uri)
    return login.whose if login else "a user without a login"
