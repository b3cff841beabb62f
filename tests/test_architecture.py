"""The house rules of docs/design.md: who imports whom, how large a file grows, what is lazy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, clean_environment

SOURCE = PROJECT / "src" / "experiments"
FILES = sorted(SOURCE.rglob("*.py"))
TORCH_ONLY = {"models.py", "randomness.py", "stack.py", "training", "training.py", "data"}
HEAVY = {"torch", "torchvision", "mlflow", "sklearn", "numpy", "pandas", "rich"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)


def imports(path: Path, *, everywhere: bool) -> Iterator[str]:
    """Yield what a file imports: anywhere, or only what importing the file imports."""

    def visit(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield child.module or ""
                yield from (f"{child.module}.{alias.name}" for alias in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            elif everywhere or not isinstance(child, ast.FunctionDef):
                yield from visit(child)

    yield from visit(ast.parse(path.read_text()))


def packages(path: Path, *, everywhere: bool) -> set[str]:
    return {name.partition(".")[0] for name in imports(path, everywhere=everywhere)}


@pytest.mark.parametrize(
    "path",
    [*FILES, *(f for place in ("tests", "benchmarks") for f in (PROJECT / place).rglob("*.py"))],
    ids=lambda path: str(path.relative_to(PROJECT)),
)
def test_no_file_outgrows_250_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250
    assert "utils" not in path.name


def test_train_py_is_a_sentence() -> None:
    assert len((PROJECT / "train.py").read_text().splitlines()) <= 25
    names = imports(PROJECT / "train.py", everywhere=True)
    own = {".".join(name.split(".")[:2]) for name in names if name.startswith("experiments")}
    # Signals are handled before what takes long to import.
    assert own == {"experiments.app", "experiments.composition", "experiments.process"}


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if TORCH_ONLY & set(path.relative_to(SOURCE).parts)],
    ids=name_of,
)
def test_models_data_and_training_know_only_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & {"hydra", "omegaconf", "pydantic", "mlflow"}


@pytest.mark.parametrize("path", [p for p in FILES if "config" in p.parts], ids=name_of)
def test_config_never_imports_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & HEAVY


@pytest.mark.parametrize("path", [p for p in FILES if "tracking" in p.parts], ids=name_of)
def test_tracking_never_imports_torch(path: Path) -> None:
    assert "torch" not in packages(path, everywhere=True)
    assert not packages(path, everywhere=False) & HEAVY


@pytest.mark.parametrize("path", [p for p in FILES if "sweep" in p.parts], ids=name_of)
def test_a_sweep_s_own_process_never_imports_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & {"torch", "mlflow"}


def test_only_the_worker_and_runs_load_torch() -> None:
    importers = {
        name_of(path)
        for path in FILES
        if "experiments.run.load_torch" in set(imports(path, everywhere=True))
    }
    assert importers == {"experiments.run.prepare", "experiments.worker.process"}


@pytest.mark.parametrize("name", ["experiments_sweeper", "experiments_launcher"])
def test_plugins_are_thin_shells(name: str) -> None:
    plugin = SOURCE.parent / "hydra_plugins" / f"{name}.py"
    assert packages(plugin, everywhere=False) <= {
        *("hydra", "omegaconf", "__future__", "collections", "typing")
    }


def test_only_what_leads_runs_and_lanes_trains() -> None:
    importers = {
        name_of(path)
        for path in FILES
        if "experiments.training.loop" in set(imports(path, everywhere=True))
    }
    assert importers == {"experiments.run.lifecycle", "experiments.lanes.training"}


@pytest.mark.parametrize("arguments", ["--help", "--cfg job", "--cfg hydra", "--info defaults"])
def test_looking_loads_neither_torch_nor_mlflow(arguments: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(PROJECT / "train.py"), *arguments.split()],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in loaded
    assert not loaded & (HEAVY | {"pydantic"})
    assert list(tmp_path.iterdir()) == []
