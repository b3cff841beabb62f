"""A run's identity changes with everything in this package that computes, and with nothing else."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from experiments.config import RunConfig
from experiments.identity import computing_part, package_source
from experiments.identity.package_source import (
    BESIDE,
    computing_modules,
    package_sha256,
)
from experiments.identity.package_source import COMPUTING as EXCEPTIONS
from tests.conftest import PROJECT, clean_environment
from tests.identity.test_ingredients import configuration, of

SOURCE = PROJECT / "src" / "experiments"
COMPUTING = frozenset(
    name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    for name, _ in computing_modules(files("experiments"))
)

SILENT = {  # two contents of a module that compute the same
    "a comment": ("x = 1\n", "# why\n\n\nx = 1  # how\n"),
    "the docstring of a module": ('"""A."""\nx = 1', '"""B."""\nx = 1'),
    "the docstring of a function": ('def f():\n    """A."""', 'def f():\n    """B."""'),
    "the docstring of an attribute": ('x: int = 1\n"""A."""', 'x: int = 1\n"""B."""'),
    "the text of an error": ('raise InputError("a")', 'raise InputError("b")'),
    "a value in it": ('raise ValueError(f"a {x}") from e', 'raise ValueError(f"{y!r}") from e'),
    "the text of an error returned": ('return_(InputError(f"{x}"))', 'return_(InputError("b"))'),
    "an entry in the log": ('_log.info("a %s", x)', '_log.info("b: %s", x)'),
    "a warning": ('warnings.warn("a")', 'warnings.warn("b")'),
    "an explanation": ('with explained(f"{x}: a", "b"): x()', 'with explained(f"{y}", "c"): x()'),
}
COMPUTES = {  # two contents that do not
    "a number": ("x = 1", "x = 2"),
    "a name": ("x = a", "x = b"),
    "an operator": ("x = a < b", "x = a <= b"),
    "an attribute": ("x.backward()", "x.forward()"),
    "a text": ('seed_of("test")', 'seed_of("other")'),
    "a text in a text": ('x = f"a {b}"', 'x = f"c {b}"'),
    "a default": ("def f(x=1): ...", "def f(x=2): ..."),
    "a keyword": ("f(x=1)", "f(y=1)"),
    "the order": ("a()\nb()", "b()\na()"),
    "a block": ("if x:\n    a()\nb()", "if x:\n    a()\n    b()"),
    "a condition of an error": ("if x: raise E('a')", "if y: raise E('a')"),
    "the kind of an error": ("raise ValueError('a')", "raise TypeError('a')"),
    "a call in the log": ('_log.info("a", x())', '_log.info("a", y())'),
    "a number as a text": ("x = 1", "x = '1'"),
    "true and one": ("x = 1", "x = True"),
    "what is named as a kind of node": ("Pass", "pass"),
    "an empty list": ("f([], [1])", "f([[], 1])"),
}


@pytest.fixture(scope="module")
def base() -> RunConfig:
    return configuration()


_remembered_part = functools.cache(computing_part.computing_part)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of this package's source, in place of the package itself.

    The parts of its modules are remembered by their contents, because a test changes only one.
    """
    monkeypatch.setattr(computing_part, "computing_part", _remembered_part)
    folder = tmp_path / "experiments"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(package_source, "files", lambda _: folder)
    package_sha256.cache_clear()
    yield folder
    package_sha256.cache_clear()


def identity_after(base: RunConfig, file: Path, content: str) -> str:
    file.write_text(content)
    package_sha256.cache_clear()
    return of(base)


@pytest.mark.parametrize("contents", SILENT.values(), ids=SILENT)
def test_what_is_said_changes_no_identity(
    base: RunConfig, copied: Path, contents: tuple[str, str]
) -> None:
    one, other = (identity_after(base, copied / "training" / "new.py", each) for each in contents)
    assert one == other


@pytest.mark.parametrize("contents", COMPUTES.values(), ids=COMPUTES)
def test_what_computes_changes_the_identity(
    base: RunConfig, copied: Path, contents: tuple[str, str]
) -> None:
    one, other = (identity_after(base, copied / "training" / "new.py", each) for each in contents)
    assert one != other


@pytest.mark.parametrize(
    ("name", "text", "other"),
    [
        ("training/gradients.py", "backward()", "forward()"),
        ("training/evaluation.py", "eval", "train"),
        ("models.py", "F.relu", "F.gelu"),
        ("lanes/stack.py", "vmap", "map"),
        ("randomness.py", "sha256", "sha512"),
        ("run/load_torch.py", "denormal(True)", "denormal(False)"),
    ],
)
def test_a_changed_line_changes_the_identity(
    base: RunConfig, copied: Path, name: str, text: str, other: str
) -> None:
    before, content = of(base), (copied / name).read_text()
    assert text in content
    assert identity_after(base, copied / name, content.replace(text, other)) != before


def test_a_line_in_any_module_counts_if_the_module_computes_and_only_then(
    base: RunConfig, copied: Path
) -> None:
    before = of(base)
    for file in sorted(copied.rglob("*.py")):
        content = file.read_text()
        steps = file.relative_to(copied).with_suffix("").parts
        name = ".".join(steps).removesuffix(".__init__")
        changed = identity_after(base, file, f"{content}\nx = 1\n") != before
        assert changed == (name in COMPUTING), name
        file.write_text(content)
    assert {"training.loop", "lanes.training", "models", "tasks", "run.lifecycle"} < COMPUTING


def test_a_new_module_counts_and_so_does_its_name(base: RunConfig, copied: Path) -> None:
    seen = {of(base)}
    (copied / "models.py").rename(copied / "model.py")
    package_sha256.cache_clear()
    seen.add(of(base))
    (copied / "new.py").touch()
    package_sha256.cache_clear()
    seen.add(of(base))
    assert len(seen) == 3


def test_the_place_of_this_package_and_other_files_do_not_count(
    base: RunConfig, copied: Path
) -> None:
    moved = of(base)
    (copied / "training" / "__pycache__").mkdir()
    (copied / "training" / "__pycache__" / "loop.cpython-311.pyc").write_bytes(b"\0")
    (copied / "notes.txt").write_text("a")
    package_sha256.cache_clear()
    assert of(base) == moved
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package_source, "files", lambda _: SOURCE)
        package_sha256.cache_clear()
        assert of(base) == moved


def test_every_exception_exists_and_has_a_reason() -> None:
    for name, reason in BESIDE.items():
        place = SOURCE / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").exists(), name
        assert reason


OWN = """
import json, os, sys
from experiments.models import SimpleNet

class Net(SimpleNet):
    def forward(self, x):
        if not self.training:
            with open(f"{os.environ['LOADED']}/{os.getpid()}.json", "w") as file:
                json.dump([name for name in sys.modules if name.startswith("experiments.")], file)
        return super().forward(x)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, root: str) -> set[str]:
    """The modules of this package in the processes that evaluate a run alone, and two lanes."""
    folder = tmp_path_factory.mktemp("loaded")
    (folder / "own.py").write_text(OWN)
    usual = ("data=digits", f"data.root={root}", "trainer.epochs=1", "tracking=none")
    found: set[str] = set()
    lanes = ("-m", "hydra/launcher=vectorized", "hydra.launcher.lanes=2", "seed=1,2")
    for name, overrides in (("alone", ()), ("lanes", lanes)):
        told = folder / name
        told.mkdir()
        done = subprocess.run(
            [
                *(sys.executable, str(PROJECT / "train.py"), *overrides, *usual),
                *("model._target_=own.Net", "data.validation_size=100"),
            ],
            cwd=folder,
            env=clean_environment() | {"PYTHONPATH": str(folder), "LOADED": str(told)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        processes = [set(json.loads(file.read_text())) for file in told.iterdir()]
        assert any("experiments.training.loop" in each for each in processes)
        found |= set.union(*processes)
    assert "experiments.lanes.training" in found
    return {each.removeprefix("experiments.") for each in found}


def test_every_module_that_a_training_loads_counts_or_has_a_reason(loaded: set[str]) -> None:
    def has_reason(name: str) -> bool:
        steps = name.split(".")
        places = {".".join(steps[:depth]) for depth in range(1, len(steps) + 1)}
        return bool(places & BESIDE.keys()) and name not in EXCEPTIONS

    assert {name for name in loaded if not has_reason(name)} <= COMPUTING
    assert {name for name in loaded if has_reason(name)}.isdisjoint(COMPUTING)


def test_nothing_counts_that_no_training_loads(loaded: set[str]) -> None:
    by_name = {name for name in COMPUTING if name.partition(".")[0] in {"callbacks", "tasks"}}
    compiled = {name for name in COMPUTING if name.endswith((".cpp", ".h"))}
    assert COMPUTING - loaded - compiled <= by_name
    assert compiled == {"training.chain_steps.cpp", "training.batch_reader.h"}


def test_to_find_what_computes_takes_a_moment() -> None:
    took = []
    for _ in range(5):
        package_sha256.cache_clear()
        began = time.process_time()
        package_sha256()
        took.append(time.process_time() - began)
    assert min(took) < 0.1  # 0.03 on an idle machine
