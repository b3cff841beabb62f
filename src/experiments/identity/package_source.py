"""The source of this package that determines a run's result: what computes, not what it says.

Every module counts unless `BESIDE` gives the reason why it does not. So a new module counts until
somebody says otherwise. Of a module that counts, comments, docstrings, and the texts of errors, of
warnings and of the log do not; see docs/decisions/0015.
"""

from __future__ import annotations

import functools
import gc
import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from experiments.identity.known_parts import KnownParts

BESIDE: Mapping[str, str] = {
    "__init__": "the Python interface, which leads here",
    "__main__": "the command line of the other commands",
    "api": "leads from Python to a run",
    "app": "leads from Hydra to a run",
    "catalog": "reads the runs that there are",
    "cli": "the other commands",
    "composition": "composes the configuration, whose values count themselves",
    "config": "checks the configuration, whose values count themselves",
    "data.fetch": "fetches data, whose checksum counts",
    "data.files": "finds data, whose checksum counts",
    "delivery_process": "delivers to MLflow",
    "demo": "answers drawings with the models of finished runs",
    "differences": "reads the runs that there are",
    "distributed.meeting": "agrees on the begin and the end of a run",
    "distributed.together": "agrees on the begin and the end of a run",
    "distributed.waiting": "waits, and computes nothing",
    "errors": "the errors that end a run",
    "explaining": "explains finished runs",
    "exporting": "exports the models of finished runs",
    "files": "writes and locks files; the checksums of data and checkpoints are checked",
    "identity": "decides what counts; a change that finds another identity changes it anyway",
    "inference": "uses finished runs",
    "journal": "stores the reports of a run",
    "lanes.limits": "chooses the lanes; a lane has the identity of a run alone (decision 9)",
    "mlflow_plugin": "records a user's own calls of MLflow",
    "process": "signals, streams and processes",
    "provenance": "describes the machine and the commit",
    "redaction": "hides secrets in texts",
    "registry": "finds an earlier run of the identity",
    "report": "reads the runs that there are",
    "reproducing": "trains in other processes",
    "robustness": "tests finished runs",
    "run.describe_data": "describes the data for MLflow",
    "run.early_end": "explains the end of a run",
    "run.folder": "checks a run's folder",
    "run.follow": "leads a run in further processes; `run.train_and_test` trains",
    "run.lines": "prints lines",
    "run.load_model": "loads the model of a finished run",
    "run.measure": "measures the weights of a finished run",
    "run.prepare": "looks up an earlier run; `run.build` builds",
    "run.profile": "measures the time of steps",
    "run.progress": "draws the bar",
    "run.request": "reads the name and folder of a run",
    "run.result_warning": "judges a result",
    "run.session": "claims and records; `run.train_and_test` trains",
    "run.start_panel": "prints the facts of a run",
    "run.verify_resume": "trains in other processes",
    "sweep": "plans and launches jobs, and judges their results",
    "tracking": "records in MLflow",
    "training.steps_library": "builds and loads the compiled steps, whose source counts",
    "worker": "a process that calls what computes",
}
"""the modules and packages without effect on a result, each with the reason"""
COMPUTING = frozenset({"config.from_data"})
"""the modules of these packages that have one"""

_MODULE = (".py", ".pyc", ".so", ".cpp", ".h")


@functools.cache
def package_sha256() -> str:
    """Return the SHA-256 of everything that computes in this package, module names included."""
    digest, known = hashlib.sha256(), KnownParts()
    was_enabled = gc.isenabled()
    gc.disable()  # syntax trees are many objects, and a collection frees none of them
    try:
        for name, file in sorted(computing_modules(files("experiments"))):
            content = file.read_bytes()
            digest.update(f"{name}\0".encode())
            digest.update(known.sha256_of(content) if name.endswith(".py") else _sha256(content))
    finally:
        if was_enabled:
            gc.enable()
    known.keep()
    return digest.hexdigest()


def computing_modules(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    """Yield the modules that compute.

    Args:
        folder: the package, which may lie in an archive.

    Yields:
        The name of each, relative to the package, such as `training/loop.py`; and its file.
    """
    for name, file in _modules(folder, ""):
        steps = name.partition(".")[0].split("/")
        places = {".".join(steps[:depth]) for depth in range(1, len(steps) + 1)}
        if places & COMPUTING or not places & BESIDE.keys():
            yield name, file


def _modules(folder: Traversable, base: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        name = f"{base}{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _modules(entry, f"{name}/")
        elif entry.name.endswith(_MODULE):
            yield name, entry


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
