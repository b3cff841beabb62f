"""A port of this machine belongs to one process, and a refusal proposes one that can be used."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

import pytest

from experiments.errors import InputError
from experiments.process import loopback
from experiments.process.loopback import HOST, PORTS, bound

AT = "--port=5051"


def test_a_port_is_taken_from_the_first_moment_on() -> None:
    with bound(0, "nobody") as first:
        port = first.getsockname()[1]
        with pytest.raises(InputError) as caught:
            bound(port, "another demo is open there")
        assert str(caught.value).startswith(
            f"--port={port}: cannot be used (Address already in use); perhaps another demo is open "
            "there; otherwise name another port, such as --port="
        )
        with socket.create_connection((HOST, port), timeout=60):
            pass  # it listens


def test_a_port_that_is_proposed_can_be_used() -> None:
    with bound(0, "nobody") as first, contextlib.ExitStack() as stack:
        port = first.getsockname()[1]
        with contextlib.suppress(InputError):  # another program may have it
            stack.enter_context(bound(port + 1, "nobody"))
        with pytest.raises(InputError) as caught:
            bound(port, "another demo is open there")
        proposed = int(str(caught.value).rpartition("=")[2])
        assert proposed not in {port, port + 1}
        bound(proposed, "nobody").close()


@pytest.mark.parametrize(
    ("port", "reason", "said"),
    [
        (
            5050,
            errno.EADDRINUSE,
            "; perhaps it is open; otherwise name another port, such as " + AT,
        ),
        (PORTS - 1, errno.EADDRINUSE, "otherwise name another port, such as --port=65534"),
        (80, errno.EACCES, "(Permission denied); name a port from 1024 on, such as --port=1104"),
        (5050, errno.EADDRNOTAVAIL, "requested address); name another port, such as " + AT),
    ],
)
def test_the_advice_fits_the_reason(
    monkeypatch: pytest.MonkeyPatch, port: int, reason: int, said: str
) -> None:
    class Refused(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(loopback.socket, "socket", Refused)
    with pytest.raises(InputError) as caught:
        bound(port, "it is open")
    assert str(caught.value).endswith(said)
