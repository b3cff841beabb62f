"""A run on the digits, and one server of its page, which end with Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.inference.trained import Trained
from tests.conftest import EXPERIMENTS, PROJECT, clean_environment


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, root: str) -> Trained:
    from experiments import train
    from experiments.inference.trained import load_trained

    outputs = tmp_path_factory.mktemp("demo")
    data = ("data=digits", f"data.root={root}", "trainer.epochs=5", "optimizer=adamw")
    run = train([*data, "tracking=none", f"outputs={outputs}"], config_dir=PROJECT / "conf")
    return load_trained(run.folder)


@pytest.fixture(scope="session")
def address(trained: Trained) -> Iterator[str]:
    """The address of a server that runs as a user would start it; Ctrl-C ends it silently."""
    process = subprocess.Popen(
        [EXPERIMENTS, "demo", str(trained.folder), "--no-browser", "--port=0"],
        cwd=trained.folder.parent,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        (found,) = re.findall(r"^Draw at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)$", line)
        yield found
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder(trained: Trained) -> Path:
    return trained.folder
