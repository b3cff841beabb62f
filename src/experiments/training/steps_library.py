"""The library with the compiled steps of chains: where it lies, how it is built and loaded.

It lies in the Python environment whose torch it was built for. Its name holds a checksum of its
source, of torch and of the way it is built, so that no other library is ever loaded.
"""

from __future__ import annotations

import hashlib
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

_SOURCES = [Path(__file__).with_name(name) for name in ("chain_steps.cpp", "batch_reader.h")]
# A product and a sum in one instruction would round otherwise than torch's two kernels.
_COMPILE = ("-O3", "-std=c++20", "-ffp-contract=off", "-fPIC", "-fopenmp", "-c")
# OpenMP is not linked: torch has loaded its own, and a second one would have threads of its own.
_LINK = ("-shared", "-ltorch_cpu", "-lc10")


def library() -> Path:
    """Return where the library lies, or would lie."""
    told: list[object] = [*(each.read_bytes() for each in _SOURCES), torch.__version__]
    told += [torch.version.git_version, platform.machine(), _COMPILE, _LINK]
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    return Path(sys.prefix) / "lib" / "experiments" / f"chain_steps-{digest}.so"


def build() -> Path:
    """Compile the library and return where it lies.

    Raises:
        RunError: there is no compiler, it fails, its library cannot be loaded or written.
    """
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if not compiler or shutil.which(compiler[0]) is None:
        raise RunError(
            f"no C++ compiler was found as {shlex.join(compiler)!r}; install one, such as Debian's "
            "package g++, or name it in the variable CXX"
        )
    target, torch_folder = library(), Path(torch.__file__).parent
    headers = torch_folder / "include"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            compiled, linked = Path(folder) / "steps.o", Path(folder) / "steps.so"
            paths = "-isystem", str(headers), "-isystem", str(headers / "torch/csrc/api/include")
            _run(*compiler, str(_SOURCES[0]), *_COMPILE, *paths, "-o", str(compiled))
            where = str(compiled), "-L", str(torch_folder / "lib"), "-o", str(linked)
            _run(*compiler, *where, *_LINK)
            _load(linked)
            linked.replace(target)
    except OSError as error:
        raise RunError(f"{target}: cannot be written or loaded: {error}") from error
    return target


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
        raise RunError(f"{command[0]} ended with exit code {done.returncode}: {said[0].strip()}")


def is_loaded() -> bool:
    """Load the library if it was built; return whether there is one.

    Raises:
        RunError: it cannot be loaded.
    """
    if hasattr(torch.ops.chain_steps, "sgd"):
        return True
    file = library()
    if not file.exists():
        return False
    try:
        _load(file)
    except OSError as error:
        raise RunError(
            f"{file}: cannot be loaded: {error}; delete it or repeat `experiments build`"
        ) from error
    return True


def _load(file: Path) -> None:
    torch.ops.load_library(file)  # type: ignore[no-untyped-call]
