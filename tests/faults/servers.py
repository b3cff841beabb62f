"""HTTP servers that fail: they hang, or answer every request with one status."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def answer(self) -> None:
        if self.server.status is None:
            self.server.closing.wait()
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>no</html>")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    status: int | None
    closing: threading.Event

    def handle_error(self, *_: object) -> None:
        """Ignore errors: clients are expected to give up."""


@contextlib.contextmanager
def bad_server(status: int | None) -> Iterator[str]:
    """Serve on a port of the loopback; yield the address. With status None it never answers."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.status, server.closing = status, threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
