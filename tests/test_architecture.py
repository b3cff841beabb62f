"""The rules of docs/design.md: the imports of each folder, the size of files, lazy imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import PROJECT, clean_environment

SOURCE = PROJECT / "src" / "experiments"
FILES = sorted(SOURCE.rglob("*.py"))
# A module imports only from its own folder and from the floors before its floor in this list.
FLOORS = (
    *("errors", "redaction", "files", "process"),
    *(
        "threads",
        "randomness",
        "distributed",
        "target_classes",
        "models",
        "config",
        "data",
        "tasks",
        "callbacks",
        "composition",
        "training",
    ),
    *("journal", "identity", "provenance", "registry", "tracking", "mlflow_plugin"),
    *("run", "delivery_process", "lanes", "worker", "sweep"),
    *("catalog", "inference", "robustness", "exporting", "differences"),
    *("reproducing", "report", "explaining", "demo"),
    *("app", "api", "cli"),
)
TORCH_ONLY = {
    "models",
    "threads",
    "randomness",
    "distributed",
    "training",
    "data",
    "tasks",
    "callbacks",
}
HEAVY = {"torch", "torchvision", "mlflow", "sklearn", "numpy", "pandas", "rich"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)


def imports(path: Path, *, everywhere: bool, typing: bool = False) -> Iterator[str]:
    """Yield the names that a file imports.

    Args:
        path: the file.
        everywhere: whether to include imports in functions, which importing the file does not run.
        typing: whether to include imports for type checking.
    """

    def visit(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield child.module or ""
                yield from (f"{child.module}.{alias.name}" for alias in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                if typing:
                    yield from visit(child)
            elif everywhere or not isinstance(child, ast.FunctionDef):
                yield from visit(child)

    yield from visit(ast.parse(path.read_text()))


def floor_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def packages(path: Path, *, everywhere: bool) -> set[str]:
    return {name.partition(".")[0] for name in imports(path, everywhere=everywhere)}


@pytest.mark.parametrize(
    "path",
    [
        *FILES,
        *SOURCE.rglob("*.cpp"),
        *SOURCE.rglob("*.h"),
        *(f for place in ("tests", "benchmarks") for f in (PROJECT / place).rglob("*.py")),
    ],
    ids=lambda path: str(path.relative_to(PROJECT)),
)
def test_no_file_outgrows_250_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250
    assert "utils" not in path.name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_import_leads_up(path: Path) -> None:
    if path.parent == SOURCE and path.stem.startswith("__"):
        return
    above = FLOORS[: FLOORS.index(floor_of(path)) + 1]
    own = [name.split(".") for name in imports(path, everywhere=True, typing=True)]
    used = {parts[1] for parts in own if parts[0] == "experiments" and len(parts) > 1}
    assert used <= set(above)


def test_there_is_no_circle() -> None:
    modules = {name_of(path).removesuffix(".__init__"): path for path in FILES}
    graph = {}
    for name, path in modules.items():
        found = set(imports(path, everywhere=True, typing=True))
        # `from a import b` yields a and a.b; b may be a module or a name in a.
        named = {each for each in found if not any(f"{each}." in other for other in found)}
        used = {each if each in modules else each.rpartition(".")[0] for each in named}
        graph[name] = (used & modules.keys()) - {name}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_few_modules_lie_flat() -> None:
    flat = [path for path in FILES if path.parent == SOURCE]
    assert len(flat) <= 8
    assert {floor_of(path) for path in FILES} - {"__init__", "__main__"} == set(FLOORS)


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES} - {SOURCE}), ids=name_of)
def test_tests_mirror_the_folders(folder: Path) -> None:
    assert any((PROJECT / "tests" / folder.name).glob("test_*.py"))


def test_train_py_is_a_sentence() -> None:
    assert len((PROJECT / "train.py").read_text().splitlines()) <= 25
    names = imports(PROJECT / "train.py", everywhere=True)
    own = {".".join(name.split(".")[:2]) for name in names if name.startswith("experiments")}
    # Signals are handled before the slow imports begin.
    assert own == {"experiments.app", "experiments.composition", "experiments.process"}


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if floor_of(path) in TORCH_ONLY or path.stem == "stack"],
    ids=name_of,
)
def test_models_data_and_training_know_only_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & {"hydra", "omegaconf", "pydantic", "mlflow"}


@pytest.mark.parametrize("path", [p for p in FILES if floor_of(p) == "config"], ids=name_of)
def test_config_never_imports_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & HEAVY


@pytest.mark.parametrize("path", [p for p in FILES if floor_of(p) == "tracking"], ids=name_of)
def test_tracking_never_imports_torch(path: Path) -> None:
    assert "torch" not in packages(path, everywhere=True)
    assert not packages(path, everywhere=False) & HEAVY


@pytest.mark.parametrize("path", [p for p in FILES if floor_of(p) == "sweep"], ids=name_of)
def test_a_sweep_s_own_process_never_imports_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & {"torch", "mlflow"}


@pytest.mark.parametrize("path", [p for p in FILES if floor_of(p) == "report"], ids=name_of)
def test_a_report_loads_torch_in_one_module_and_charts_when_they_are_drawn(path: Path) -> None:
    assert ("torch" in packages(path, everywhere=True)) == (path.stem == "mistakes")
    heavy = HEAVY | {"altair", "vl_convert", "jinja2"}
    assert not packages(path, everywhere=False) & heavy


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if floor_of(p) in {"catalog", "differences", "reproducing"}],
    ids=name_of,
)
def test_commands_about_runs_need_no_torch(path: Path) -> None:
    assert not packages(path, everywhere=True) & {"torch", "mlflow"}
    assert not packages(path, everywhere=False) & HEAVY


def test_only_a_sweep_loads_rich_before_it_draws() -> None:
    importers = {path for path in FILES if "rich" in packages(path, everywhere=False)}
    assert {floor_of(path) for path in importers} <= {"sweep"}


def test_few_modules_load_torch() -> None:
    importers = {
        name_of(path)
        for path in FILES
        if "experiments.run.load_torch" in set(imports(path, everywhere=True))
    }
    assert importers == {
        *("experiments.run.prepare", "experiments.api.process_state", "experiments.worker.server"),
        "experiments.inference.opening",
    }


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
    assert importers == {"experiments.run.train_and_test", "experiments.lanes.training"}


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
