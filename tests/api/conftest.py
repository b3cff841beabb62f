"""A project in a folder of its own, and scripts that call it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, command
from tests.programs import OWN

COMMON = """
import json, logging, os, random, signal, sys
from pathlib import Path
os.environ.pop("GOMP_SPINCOUNT", None)
import numpy, sklearn.datasets, torch, torchmetrics  # some set variables for themselves
from experiments import InputError, RunError, compose, load, train

DIGITS = ["data=digits", f"data.root={os.environ['ROOT']}", "data.validation_size=100"]
OFFLINE = [*DIGITS, "tracking=none"]
told = {}
"""
"""the beginning of a script; its end prints `told`"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a project, and a folder `elsewhere` beside it."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "elsewhere").mkdir()
    (folder / "project" / "notebooks").mkdir(parents=True)
    shutil.copytree(PROJECT / "conf", folder / "project" / "conf")
    shutil.copy(PROJECT / "train.py", folder / "project")
    (folder / "project" / "own.py").write_text(OWN)
    return folder


def told_by(script: str, cwd: Path, root: str, **environment: str) -> Any:
    """Run a script that lies in its current folder; return its `told`."""
    (cwd / "script.py").write_text(f"{COMMON}\n{script}\nprint('TOLD', json.dumps(told))\n")
    done = command(sys.executable, "script.py", cwd=cwd, ROOT=root, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines, _, told = done.stdout.rpartition("TOLD ")
    return json.loads(told) | {"lines": lines.splitlines()}
