"""The command `demo`."""

from __future__ import annotations

import signal
import webbrowser
from typing import Annotated

import typer

from experiments.cli.options import OUTPUTS, Outputs, RunOrSweep
from experiments.process.loopback import HOST, PORTS, bound
from experiments.process.signals import Interrupted

_PORT = 5050
_EXAMPLES = """Examples:

\b
  experiments demo 05c8                   the page of a run
  experiments demo SWEEP                  the runs of a sweep's best setting together
  experiments demo 05c8 --port 0          at any free port
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(demo)


def demo(
    run: RunOrSweep,
    *,
    port: Annotated[
        int, typer.Option(min=0, max=PORTS - 1, help="The port; 0 for any free one.")
    ] = _PORT,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address only.")
    ] = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Open a page where one draws, and sees what the model answers and why.

    The page is served on this machine only, until Ctrl-C.
    """
    with bound(port, "another demo is open there") as listening:
        from experiments.inference.opening import open_models

        members = open_models(run, outputs)
        from experiments.demo.page import page
        from experiments.demo.recogniser import Recogniser
        from experiments.demo.server import serve

        recogniser = Recogniser(members)
        made = page(recogniser)
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        typer.echo(f"Draw at {address} (Ctrl-C ends it)")
        if not no_browser:
            webbrowser.open(address)
        try:
            serve(recogniser, made, listening)
        except Interrupted as stopped:
            if stopped.signal != signal.SIGINT:
                raise
