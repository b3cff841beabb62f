"""The library with the compiled steps of chains: where it lies, how it is built and loaded.

It lies in the Python environment whose torch it was built for. Its name holds a checksum of its
source, of torch and of the way it is built, so that one of another version is not loaded.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from experiments.errors import RunError

_log = logging.getLogger(__name__)
_SOURCES = [Path(__file__).with_name(name) for name in ("chain_steps.cpp", "batch_reader.h")]
# A product and a sum in one instruction would round otherwise than torch's two kernels.
_EXACT = ("-fno-fast-math", "-ffp-contract=off")
_COMPILE = ("-O3", "-std=c++20", *_EXACT, "-fPIC", "-fopenmp", "-c")
# OpenMP is not linked: torch has loaded its own, and a second one would have threads of its own.
_LINK = ("-shared", "-ltorch_cpu", "-lc10")
_LOAD = "import sys, torch; torch.ops.load_library(sys.argv[1])"


def library() -> Path:
    """Return where the library lies, or would lie."""
    told: list[object] = [*(each.read_bytes() for each in _SOURCES), torch.__version__]
    told += [torch.version.git_version, platform.machine(), _COMPILE, _LINK]
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    return Path(sys.prefix) / "lib" / "experiments" / f"chain_steps-{digest}.so"


def build() -> Path:
    """Compile the library, in place of any other of this environment; return where it lies.

    Raises:
        RunError: there is no compiler, it fails, or its library cannot be loaded or written.
    """
    compiler, target = _compiler(), library()
    torch_folder = Path(torch.__file__).parent
    headers = torch_folder / "include"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            compiled, linked = Path(folder) / "steps.o", Path(folder) / "steps.so"
            paths = "-isystem", str(headers), "-isystem", str(headers / "torch/csrc/api/include")
            _run(*compiler, str(_SOURCES[0]), *_COMPILE, *paths, "-o", str(compiled))
            where = str(compiled), "-L", str(torch_folder / "lib"), "-o", str(linked)
            _run(*compiler, *where, *_LINK)
            _run(sys.executable, "-c", _LOAD, str(linked))
            linked.replace(target)
        for other in target.parent.glob("chain_steps-*.so"):
            if other != target:
                other.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error}") from error
    return target


def _compiler() -> list[str]:
    if platform.system() != "Linux":
        raise RunError("the compiled steps are built on Linux only; elsewhere Python makes them")
    given = os.environ.get("CXX", "c++")
    try:
        compiler = shlex.split(given)
    except ValueError as error:
        raise RunError(f"CXX={given}: {error}; it should name a C++ compiler, as g++") from error
    if not compiler or shutil.which(compiler[0]) is None:
        raise RunError(
            f"no C++ compiler was found as {given!r}; install GCC, such as Debian's package g++, "
            "or name it in the variable CXX"
        )
    return compiler


def _run(*command: str) -> None:
    english = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=english)
    except OSError as error:
        raise RunError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = (
            [line for line in said if "error" in line.lower()] or said[-1:] or ["it says nothing"]
        )
        raise RunError(f"{command[0]} ended with exit code {done.returncode}: {told[0]}")


@functools.cache
def is_loaded() -> bool:
    """Load the library if it was built; return whether there is one that can be loaded."""
    try:
        file = library()
        if not file.exists():
            return False
        torch.ops.load_library(file)  # type: ignore[no-untyped-call]
    except OSError as error:
        _log.warning(
            "The compiled steps cannot be loaded, so Python makes them: %s; repeat "
            "`experiments build`",
            error,
        )
        return False
    return True
