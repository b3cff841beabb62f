"""The library of compiled steps: built by one command, found by what it was built from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.errors import RunError
from experiments.training import steps_library
from experiments.training.steps_library import build, is_loaded, is_whole, library


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the environment's folder another, which is empty."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path


@pytest.fixture
def fresh() -> Iterator[None]:
    """Let the library be looked for again, here and afterwards."""
    is_loaded.cache_clear()
    yield
    is_loaded.cache_clear()


@pytest.mark.parametrize(
    ("compiler", "told"),
    [
        ("no-such-compiler", "no C++ compiler was found as 'no-such-compiler'; install GCC"),
        ("", "no C++ compiler was found as ''; install GCC"),
        ("true", "true: wrote no library; CXX should name GCC's g++"),
        ("false", "false ended with exit code 1: it says nothing"),
        ('"', 'CXX=": No closing quotation; it should name a C++ compiler'),
    ],
)
def test_without_a_working_compiler_one_line_says_so(
    monkeypatch, elsewhere, compiler: str, told: str
) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(RunError, match=re.escape(told)):
        build()
    assert {file.name for file in elsewhere.rglob("*") if file.is_file()} <= {"lock"}
    assert not library().exists()


def test_the_command_says_the_same_with_exit_code_1(project: Path) -> None:
    program = (
        "import sys, tempfile; sys.prefix = tempfile.mkdtemp(); "
        "sys.argv = ['experiments', 'build']; "
        "from experiments.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"CXX": "no-such-compiler"},
        cwd=project,
    )
    assert done.returncode == 1
    assert "no C++ compiler was found as 'no-such-compiler'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_torch_or_source_has_another_library(monkeypatch, elsewhere) -> None:
    names = {library()}
    monkeypatch.setattr(torch, "__version__", "2.15.1")
    names.add(library())
    source = elsewhere / "chain_steps.cpp"
    source.write_text("// another")
    monkeypatch.setattr(steps_library, "_SOURCES", [source])
    names.add(library())
    assert len(names) == 3


def test_a_build_removes_what_another_left(monkeypatch, elsewhere) -> None:
    """A copier in place of the compiler and of Python, which would load the library."""
    copier = elsewhere / "c++"
    copier.write_text(
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do\n[ "$1" = -o ] && echo built > "$2"\nshift\ndone\n'
    )
    copier.chmod(0o755)
    monkeypatch.setenv("CXX", str(copier))
    monkeypatch.setattr(sys, "executable", str(copier))
    target = library()
    left = [target.parent / "building-1" / "steps.o", target.with_stem("chain_steps-0")]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert build() == target
    assert target.read_text() == "built\n"
    assert is_whole(target)
    assert {file.name for file in target.parent.iterdir()} <= {
        *(target.name, target.with_suffix(".sha256").name, "lock")
    }
    monkeypatch.setenv("CXX", "false")
    assert build() == target, "what is there is not built again"
    target.write_text("other")
    with pytest.raises(RunError, match="false ended with exit code 1"):
        build()


def test_a_damaged_library_costs_a_warning(elsewhere, caplog, fresh) -> None:
    file = library()
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    assert not is_loaded()
    assert "cannot be loaded, so Python makes them" in caplog.text
    assert "repeat `experiments build`" in caplog.text


def test_a_package_without_its_sources_has_none(monkeypatch, tmp_path: Path, fresh) -> None:
    monkeypatch.setattr(steps_library, "_SOURCES", [tmp_path / "archive.zip" / "steps.cpp"])
    assert not is_loaded()
