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
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from experiments.errors import RunError
from experiments.files.checksums import sha256_of
from experiments.files.locks import locked

_log = logging.getLogger(__name__)
_SOURCES = [Path(__file__).with_name(name) for name in ("chain_steps.cpp", "batch_reader.h")]
# A product and a sum in one instruction would round otherwise than torch's two kernels.
_EXACT = ("-fno-fast-math", "-ffp-contract=off")
_COMPILE = ("-O3", "-std=c++20", *_EXACT, "-fPIC", "-fopenmp", "-c")
# OpenMP is not linked: torch has loaded its own, and a second one would have threads of its own.
_LINK = ("-shared", "-ltorch_cpu", "-lc10")
_BUILDING = "building-"  # begins the names of folders
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
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / "lock"):  # beside no other build, and not twice
            if is_whole(target):
                return target
            for left in target.parent.glob(f"{_BUILDING}*"):  # by a build that was killed
                shutil.rmtree(left)
            with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=target.parent) as folder:
                built = _compiled(compiler, Path(folder))
                for other in target.parent.glob("chain_steps-*"):
                    other.unlink()
                _checksum(target).write_text(sha256_of(built))
                built.replace(target)
    except OSError as error:
        told = error.strerror or error
        raise RunError(
            f"{target.parent}: the compiled steps cannot be written there: {told}"
        ) from error
    return target


def is_whole(file: Path) -> bool:
    """Return whether there is a library with its checksum; a damaged one may kill a process."""
    checksum = _checksum(file)
    return file.is_file() and checksum.is_file() and checksum.read_text().strip() == sha256_of(file)


def _checksum(file: Path) -> Path:
    return file.with_suffix(".sha256")


def _compiled(compiler: list[str], folder: Path) -> Path:
    """Compile and link in a folder, load the library in a process of its own, and return it."""
    torch_folder = Path(torch.__file__).parent
    headers = torch_folder / "include"
    compiled, linked = folder / "steps.o", folder / "steps.so"
    paths = "-isystem", str(headers), "-isystem", str(headers / "torch/csrc/api/include")
    _run(folder, *compiler, str(_SOURCES[0]), *_COMPILE, *paths, "-o", str(compiled))
    where = str(compiled), "-L", str(torch_folder / "lib"), "-o", str(linked)
    _run(folder, *compiler, *where, *_LINK)
    if not linked.exists():
        raise RunError(f"{shlex.join(compiler)}: wrote no library; CXX should name GCC's g++")
    _run(folder, sys.executable, "-c", _LOAD, str(linked))
    return linked


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


def _run(folder: Path, *command: str) -> None:
    """Run a command, whose temporary files lie in a folder; a signal ends all its processes."""
    usual = os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)}
    try:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=usual,
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"{command[0]}: {error.strerror}") from error
    with process:
        try:
            _, errors = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        said = [line.strip() for line in errors.splitlines() if line.strip()]
        told = (
            [line for line in said if "error" in line.lower()] or said[-1:] or ["it says nothing"]
        )
        raise RunError(f"{command[0]} ended with exit code {process.returncode}: {told[0]}")


@functools.cache
def is_loaded() -> bool:
    """Load the library if it was built; return whether there is one that can be loaded."""
    try:
        file = library()
        if not file.exists():
            _log.debug("The steps of this model can be compiled: `experiments build`")
            return False
        if is_whole(file):
            torch.ops.load_library(file)  # type: ignore[no-untyped-call]
            return True
        problem = f"{file} is damaged"
    except OSError as error:
        problem = str(error)
    _log.warning(
        "The compiled steps cannot be loaded, so Python makes them: %s; repeat `experiments build`",
        problem,
    )
    return False
