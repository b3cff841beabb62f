"""The server answers this machine's own page, and refuses everything else in one line."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from experiments.demo.recogniser import SIDE
from tests.conftest import EXPERIMENTS, command

BINARY = {"Content-Type": "application/octet-stream"}
DRAWING = bytes(SIDE * SIDE)


def ask(
    address: str, body: bytes, headers: dict[str, str], *, chunked: bool = False
) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)) as here:
        content = iter([body]) if chunked else body
        here.request("POST", "/answer", content, headers, encode_chunked=chunked)
        answer = here.getresponse()
        return answer.status, answer.read().decode()


def test_a_drawing_is_answered(address: str) -> None:
    status, text = ask(address, DRAWING, BINARY | {"Host": "localhost:80"})
    answer = json.loads(text)
    assert status == 200
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert answer["label"] == np.argmax(answer["probabilities"])


@pytest.mark.parametrize(
    ("body", "headers", "chunked", "status", "said"),
    [
        (DRAWING, {"Host": "evil.example"}, False, 400, "Invalid host header"),
        (DRAWING, {"Content-Type": "text/plain"}, False, 415, "send application/octet-stream"),
        (DRAWING + b"1", {}, False, 413, "the body is larger than 12,544 bytes"),
        (DRAWING + b"1", {"Transfer-Encoding": "chunked"}, True, 413, "larger than 12,544 bytes"),
        (DRAWING[1:], {}, False, 400, "the body has 12,543 bytes; send 112 x 112"),
    ],
    ids=["host", "type", "large", "chunked", "small"],
)
def test_other_requests_are_refused(
    address: str, body: bytes, headers: dict[str, str], chunked: bool, status: int, said: str
) -> None:
    found, text = ask(address, body, BINARY | headers, chunked=chunked)
    assert found == status
    assert said in text


def test_a_client_that_leaves_in_the_middle_of_a_drawing_says_nothing(address: str) -> None:
    host, port = urlsplit(address).hostname, urlsplit(address).port
    head = f"POST /answer HTTP/1.1\r\nHost: {host}\r\nContent-Type: {BINARY['Content-Type']}\r\n"
    with socket.create_connection((host, port), timeout=60) as client:
        client.sendall(f"{head}Content-Length: {len(DRAWING)}\r\n\r\n".encode() + DRAWING[:100])
    assert ask(address, DRAWING, BINARY)[0] == 200  # the fixture sees that stderr stays empty


def test_the_page_may_load_nothing_from_elsewhere_nor_be_framed(address: str) -> None:
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)) as here:
        here.request("GET", "/")
        policy = here.getresponse().headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_other_addresses_of_this_machine_do_not_listen(address: str) -> None:
    port = urlsplit(address).port
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_a_port_in_use_is_refused_in_one_line(address: str, folder: Path) -> None:
    port = urlsplit(address).port
    done = command(EXPERIMENTS, "demo", str(folder), f"--port={port}", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: --port={port}: cannot be used (Address already in use)")
    assert f"--port={port + 1}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
