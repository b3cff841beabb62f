"""A module belongs to Python, a package or the user by the place of its file."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pydantic

from experiments.files.owners import owner_of


def test_the_place_of_a_file_decides(tmp_path: Path) -> None:
    assert owner_of(json.__file__) == "python"
    assert owner_of(pydantic.__file__) == "package"
    assert owner_of(__file__) == "user"
    assert owner_of(tmp_path / "json" / "__init__.py") == "user"


def test_a_link_belongs_to_the_owner_of_its_file(tmp_path: Path) -> None:
    source, packages = tmp_path / "own.py", tmp_path / "site-packages"
    source.touch()
    packages.mkdir()
    (packages / "own.py").symlink_to(source)
    (packages / "other.py").touch()
    assert owner_of(packages / "own.py") == "user"
    assert owner_of(packages / "other.py") == "package"
    (tmp_path / "lib").symlink_to(sysconfig.get_path("stdlib"))
    assert owner_of(tmp_path / "lib" / "json" / "__init__.py") == "python"
