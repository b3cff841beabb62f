"""Ports of this machine that no other machine reaches."""

from __future__ import annotations

import socket

from experiments.errors import InputError

HOST = "127.0.0.1"
PORTS = 2**16


def bound(port: int, guess: str) -> socket.socket:
    """Return a socket at a port of the loopback address, which the caller closes.

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
    except OSError as error:
        made.close()
        raise InputError(
            f"--port={port}: cannot be used ({error.strerror}); perhaps {guess}; otherwise name "
            f"another port, such as --port={port + 1}"
        ) from error
    return made
