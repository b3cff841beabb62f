"""The server of the page: on the loopback address, with two routes and no state."""

from __future__ import annotations

import base64
import socket

import numpy as np
import torch
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from experiments.demo.page import Page
from experiments.demo.recogniser import SIDE, Answer, Recogniser
from experiments.errors import InputError
from experiments.process.loopback import HOST

_BYTES = SIDE * SIDE
_BINARY = "application/octet-stream"
_ENDING_SECONDS = 1  # for an answer in flight when the server ends
# A page elsewhere may send a form to this server, but no body of this type without asking first.
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def serve(recogniser: Recogniser, page: Page, listening: socket.socket) -> None:
    """Serve the page until a signal, which is raised again at the end.

    Args:
        recogniser: it answers the drawings.
        page: the page.
        listening: a socket of the loopback address.
    """
    torch.set_num_threads(1)  # one image is answered no faster by several
    config = uvicorn.Config(
        application(recogniser, page),
        access_log=False,
        http="h11",
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_ENDING_SECONDS,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listening])


def application(recogniser: Recogniser, page: Page) -> Starlette:
    """Return the application: `GET /` is the page, `POST /answer` takes the bytes of a drawing.

    It refuses a `Host` other than this machine, since a name that leads here would let a foreign
    page read the answers (DNS rebinding).
    """

    async def show(_request: Request) -> Response:
        return HTMLResponse(page.html, headers={**_HEADERS, "Content-Security-Policy": page.policy})

    async def answer(request: Request) -> Response:
        if request.headers.get("Content-Type") != _BINARY:
            return _refusal(415, f"Content-Type: send {_BINARY}")
        body = b""
        try:
            async for part in request.stream():
                body += part
                if len(body) > _BYTES:
                    return _refusal(413, f"the body is larger than {_BYTES:,} bytes")
        except ClientDisconnect:
            return _refusal(400, "the body ends too early")  # nobody reads it
        if len(body) != _BYTES:
            return _refusal(400, f"the body has {len(body):,} bytes; send {SIDE} x {SIDE}")
        try:
            found = recogniser(np.frombuffer(body, np.uint8).reshape(SIDE, SIDE))
        except InputError as error:  # of the model's own code
            return _refusal(500, str(error))
        return JSONResponse(_as_data(found), headers=_HEADERS)

    routes = [Route("/", show), Route("/answer", answer, methods=["POST"])]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=routes, middleware=[hosts])


def _refusal(status: int, reason: str) -> Response:
    return PlainTextResponse(reason, status, headers=_HEADERS)


def _as_data(answer: Answer) -> dict[str, object]:
    """Return an answer for JSON; pixels as base64, rows first, channels last."""
    attribution = (127 * answer.attribution).round().astype(np.int8)
    return {
        "label": answer.label,
        "probabilities": answer.probabilities,
        "image": base64.b64encode(np.moveaxis(answer.image, 0, 2).tobytes()).decode(),
        "attribution": base64.b64encode(attribution.tobytes()).decode(),
    }
