"""The source of this package that determines a run's result: what computes, not what it says.

Every module counts unless `BESIDE` gives the reason why it does not. So a new module counts until
somebody says otherwise. Of a module that counts, comments, docstrings, and the texts of errors, of
warnings and of the log do not; see docs/decisions/0015.
"""

from __future__ import annotations

import ast
import functools
import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

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
    "differences": "reads the runs that there are",
    "errors": "the errors that end a run",
    "files": "writes and locks files; the checksums of data and checkpoints are checked",
    "identity": "decides what counts; a change that finds another identity changes it anyway",
    "journal": "stores the reports of a run",
    "lanes.limits": "chooses the number of lanes; a lane has the bits of a run alone",
    "mlflow_plugin": "records a user's own calls of MLflow",
    "process": "signals, streams and processes",
    "provenance": "describes the machine and the commit",
    "redaction": "hides secrets in texts",
    "registry": "finds an earlier run of the identity",
    "report": "reads the runs that there are",
    "reproducing": "trains in other processes",
    "run.describe_data": "describes the data for MLflow",
    "run.early_end": "explains the end of a run",
    "run.folder": "checks a run's folder",
    "run.lines": "prints lines",
    "run.load_model": "loads the model of a finished run",
    "run.measure": "measures the weights of a finished run",
    "run.prepare": "looks up an earlier run; `run.build` builds",
    "run.progress": "draws the bar",
    "run.request": "reads the name and folder of a run",
    "run.result_warning": "judges a result",
    "run.session": "claims and records; `run.train_and_test` trains",
    "run.start_panel": "prints the facts of a run",
    "run.verify_resume": "trains in other processes",
    "sweep": "plans and launches jobs, and judges their results",
    "tracking": "records in MLflow",
    "worker": "a process that calls what computes",
}
"""the modules and packages without effect on a result, each with the reason"""

_MODULE = (".py", ".pyc", ".so")
_LOGGERS = frozenset({"_log", "logging", "warnings"})
_EXPLAINING = frozenset({"did_you_mean", "explained", "misfit", "print"})


@functools.cache
def package_sha256() -> str:
    """Return the SHA-256 of everything that computes in this package, module names included."""
    digest = hashlib.sha256()
    was_enabled = gc.isenabled()
    gc.disable()  # syntax trees are many objects, and a collection frees none of them
    try:
        for name, file in sorted(computing_modules(files("experiments"))):
            content = file.read_bytes()
            computes = _computing(content) if name.endswith(".py") else content
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256(computes).digest())
    finally:
        if was_enabled:
            gc.enable()
    return digest.hexdigest()


def computing_modules(folder: Traversable, base: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the modules that compute.

    Args:
        folder: the package, which may lie in an archive, or a package in it.
        base: the name of this folder relative to the package, with a slash at its end.

    Yields:
        The name of each, relative to the package, such as `training/loop.py`; and its file.
    """
    for entry in folder.iterdir():
        name = f"{base}{entry.name}"
        if name.partition(".")[0].replace("/", ".") in BESIDE or entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from computing_modules(entry, f"{name}/")
        elif entry.name.endswith(_MODULE):
            yield name, entry


def _computing(content: bytes) -> bytes:
    """Return the part of a module that computes, as one text for each syntax tree."""
    told: list[str] = []
    _tell(ast.parse(content), told.append, is_message=False)
    return "\0".join(told).encode()


def _tell(node: ast.AST, tell: Callable[[str], None], *, is_message: bool) -> None:
    """Tell a syntax tree, without docstrings and without the texts in a message.

    `ast.NodeTransformer` and `ast.dump` would take four times as long.
    """
    is_message = is_message or _begins_message(node)
    kind = type(node)
    if is_message and (kind is ast.JoinedStr or _is_text(node)):
        tell("")  # an f-string with the values in it
        return
    tell(kind.__name__)
    for name in kind._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.expr_context):
            continue  # the place of a name tells it
        if isinstance(value, ast.AST):
            _tell(value, tell, is_message=is_message)
        elif isinstance(value, list):
            tell("[")
            for entry in value:
                if not isinstance(entry, ast.AST):
                    tell(repr(entry))
                elif not _is_docstring(entry):
                    _tell(entry, tell, is_message=is_message)
            tell("]")
        else:
            tell(repr(value))


def _begins_message(node: ast.AST) -> bool:
    """Return whether a node is an error, raised or not, or an entry in the log or on the screen."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Raise)
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in _EXPLAINING or called.id.endswith("Error")
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id in _LOGGERS
    )


def _is_docstring(node: ast.AST) -> bool:
    """Return whether a statement is a text alone: also the docstring of an attribute."""
    return isinstance(node, ast.Expr) and _is_text(node.value)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
