"""Ports of this machine that no other machine reaches."""

from __future__ import annotations

import errno
import socket

from experiments.errors import InputError

HOST = "127.0.0.1"
PORTS = 2**16
_NEAR = 20  # ports
_RESERVED = 1024  # ports, the first, that most systems keep for the administrator


def bound(port: int, guess: str) -> socket.socket:
    """Return a socket that listens at a port of the loopback address; the caller closes it.

    Args:
        port: the port; 0 for any free one.
        guess: the likely reason why the port is in use, without "perhaps".

    Raises:
        InputError: the port cannot be used.
    """
    # asyncio turns Nagle's algorithm off, which delays small answers by about 40 ms, only where
    # the protocol is named.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
        made.listen()  # with SO_REUSEADDR, a second socket is refused only once the first listens
    except OSError as error:
        made.close()
        advice = f"name another port, such as --port={_free_near(port)}"
        if error.errno == errno.EADDRINUSE:
            advice = f"perhaps {guess}; otherwise {advice}"
        elif error.errno == errno.EACCES and port < _RESERVED:
            advice = f"name a port from {_RESERVED} on, such as --port={port + _RESERVED}"
        raise InputError(f"--port={port}: cannot be used ({error.strerror}); {advice}") from error
    return made


def _free_near(port: int) -> int:
    """Return a port near another that can be used; if none can, one beside it."""
    near: list[int] = [*range(port + 1, min(port + _NEAR, PORTS)), port - 1]
    return next((each for each in near if _is_free(each)), near[0])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
            tried.listen()
        except OSError:
            return False
    return True
