"""Put restored code in place of the project's present code on Python's path.

Python imports a module of this name at every start, and so in every process that a run starts. A
copy of this file lies alone in a folder of PYTHONPATH. The variable EXPERIMENTS_RESTORED holds the
top folders of the present and of the restored repository, and the folder of the restored project.

The present code may be on the path by an editable install, or by PYTHONPATH. Both copies on one
path would mix, because Hydra scans each folder `hydra_plugins`.
"""

import json
import os
import sys

_INSTALLED = ("site-packages", "dist-packages")
_STANDARD_LIBRARY = os.path.dirname(os.path.realpath(os.__file__))  # noqa: PTH120  (early)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def _restored(entry: str, *, top: str, code: str, project: str) -> str | None:
    """Return the entry of the path to use instead; None for none."""
    path = os.path.realpath(entry)
    is_python_s = _is_below(path, _STANDARD_LIBRARY) or path.endswith(".zip")
    if _is_below(path, code) or is_python_s or any(name in path for name in _INSTALLED):
        return entry
    if _is_below(path, top):
        return code + path[len(top) :]
    has_own = os.path.exists(f"{project}/src/experiments/__init__.py")  # noqa: PTH110  (early)
    is_other = os.path.exists(f"{path}/experiments/__init__.py")  # noqa: PTH110  (early)
    return None if has_own and is_other else entry


def _restore_path() -> None:
    folders = json.loads(os.environ["EXPERIMENTS_RESTORED"])
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120  (early)
    entries = [entry for entry in sys.path if os.path.realpath(entry) != here]
    restored = (_restored(entry, **folders) for entry in entries)
    sys.path[:] = list(dict.fromkeys(entry for entry in restored if entry is not None))


def _import_the_other() -> None:
    """Import the module of this name that this one hides, such as a distribution's."""
    this = sys.modules.pop(__name__)
    try:
        __import__(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, this)


if "EXPERIMENTS_RESTORED" in os.environ:
    _restore_path()
    _import_the_other()
