"""An edit of a class's source makes another run, or the class is refused."""

from __future__ import annotations

import importlib
import py_compile
import shutil
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.identity.ingredients import ingredients_of
from experiments.identity.package_source import package_sha256
from experiments.identity.sources import refuse_unseen, sources_of
from tests.conftest import PROJECT, Program, command, run_folder
from tests.identity.test_ingredients import configuration


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path; after a test its modules are forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def in_an_archive(folder: Path, text: str) -> None:
    with zipfile.ZipFile(folder / "own.zip", "w") as archive:
        archive.writestr("own_kit/__init__.py", "")
        archive.writestr("own_kit/net.py", text)
    path = str(folder / "own.zip")
    sys.path_importer_cache.pop(path, None)
    if path not in sys.path:
        sys.path.insert(0, path)


def without_source(folder: Path, text: str) -> None:
    (folder / "own_kit").mkdir(exist_ok=True)
    (folder / "net.py").write_text(text)
    py_compile.compile(str(folder / "net.py"), str(folder / "own_kit" / "net.pyc"), doraise=True)
    (folder / "net.py").unlink()


def as_an_extension(folder: Path, text: str) -> None:
    (folder / "own_kit").mkdir(exist_ok=True)
    (folder / "own_kit" / f"net{EXTENSION_SUFFIXES[0]}").write_text(text)


def in_a_package_without_init(folder: Path, text: str) -> None:
    (folder / "own_kit").mkdir(exist_ok=True)
    (folder / "own_kit" / "net.py").write_text(text)


def by_a_link(folder: Path, text: str) -> None:
    (folder / "own_kit").mkdir(exist_ok=True)
    (folder / "elsewhere.py").write_text(text)
    (folder / "own_kit" / "net.py").unlink(missing_ok=True)
    (folder / "own_kit" / "net.py").symlink_to(folder / "elsewhere.py")


def installed_by_a_link(folder: Path, text: str) -> None:
    (folder / "project" / "own_kit").mkdir(parents=True, exist_ok=True)
    (folder / "project" / "own_kit" / "net.py").write_text(text)
    (folder / "project" / "own_kit" / "__init__.py").touch()
    packages = folder / "site-packages"
    if not packages.exists():
        packages.mkdir()
        (packages / "own_kit").symlink_to(folder / "project" / "own_kit")
        sys.path.insert(0, str(packages))


def by_another_name(folder: Path, text: str) -> None:
    (folder / "own_kit").mkdir(exist_ok=True)
    (folder / "own_kit" / "net.py").write_text(
        "from own_kit import inner as here\nNet = here.Net\n"
    )
    (folder / "own_kit" / "inner.py").write_text(text)


WAYS = [
    in_an_archive,
    without_source,
    as_an_extension,
    in_a_package_without_init,
    by_a_link,
    installed_by_a_link,
    by_another_name,
]


@pytest.mark.parametrize("way", WAYS)
def test_an_edit_is_another_source_wherever_a_class_lies(
    folder: Path, way: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    way(folder, "class Net: x = 1\n")
    importlib.invalidate_caches()
    before = sources_of("own_kit.net.Net")
    assert "own_kit.net" in before
    way(folder, "class Net: x = 22\n")
    importlib.invalidate_caches()
    assert sources_of("own_kit.net.Net") != before


def test_this_package_in_an_archive_is_the_same_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.zip"
    source = PROJECT / "src"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((source / "experiments").rglob("*.*")):
            if file.suffix in {".py", ".cpp", ".h"}:
                archive.write(file, file.relative_to(source))
    expected = package_sha256()
    package_sha256.cache_clear()
    monkeypatch.setattr(
        "experiments.identity.package_source.files", lambda name: zipfile.Path(path, f"{name}/")
    )
    assert package_sha256() == expected
    package_sha256.cache_clear()


@pytest.mark.parametrize(
    "text", ["import __main__\n", "from __main__ import Layer\n", "import own_made\n"]
)
def test_a_module_that_leads_to_one_without_a_file_is_refused(
    folder: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "own_made", types.ModuleType("own_made"))
    (folder / "own_net.py").write_text(text)
    config = configuration("model._target_=own_net.Net")
    with pytest.raises(InputError, match=r"model._target_=own_net.Net: .* no module with a file"):
        ingredients_of(config, data_sha256="0", device="cpu")


def dynamic(folder: Path) -> type:
    (folder / "own_hidden.py").write_text("class Net: pass\n")
    (folder / "own_net.py").write_text(
        "import importlib\nNet = importlib.import_module('own_hidden').Net\n"
    )
    return importlib.import_module("own_net").Net


def inherited(folder: Path) -> type:
    dynamic(folder)
    (folder / "own_child.py").write_text("import own_net\nclass Net(own_net.Net): pass\n")
    return importlib.import_module("own_child").Net


def made(_: Path) -> type:
    module = types.ModuleType("own_made")
    sys.modules["own_made"] = module
    exec("class Net: pass", module.__dict__)
    return module.Net


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (dynamic, "own_hidden.Net: no import statement leads to its module"),
        (inherited, "own_hidden.Net: no import statement leads to its module"),
        (made, "own_made is no module with a file of its own"),
    ],
)
def test_a_class_that_no_statement_leads_to_is_refused(
    folder: Path, way: Callable[[Path], type], said: str
) -> None:
    cls = way(folder)
    with pytest.raises(InputError, match=said):
        refuse_unseen([cls], sources_of("own_net.Net", "own_child.Net"))


def test_classes_of_python_of_torch_and_of_packages_are_seen_by_their_versions() -> None:
    import torch
    import yaml

    refuse_unseen([torch.nn.Linear, dict, yaml.YAMLError, zipfile.ZipFile], {})


@pytest.mark.parametrize("multirun", [(), ("-m", "seed=0,1")])
def test_a_class_in_train_py_is_refused_before_anything_is_created(
    tmp_path: Path, root: str, multirun: tuple[str, ...]
) -> None:
    project, place = tmp_path / "project", tmp_path / "place"
    place.mkdir()
    shutil.copytree(PROJECT / "conf", project / "conf")
    own = "from experiments.models import SimpleNet\n\nclass Net(SimpleNet): pass\n\n"
    text = (PROJECT / "train.py").read_text()
    (project / "train.py").write_text(text.replace("@one_line", f"{own}@one_line"))
    program = (sys.executable, str(project / "train.py"), *multirun)
    usual = ("data=digits", f"data.root={root}", "tracking=none")
    done = command(*program, *usual, "model._target_=__main__.Net", cwd=place)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "model._target_=__main__.Net: __main__ is no module with a file of its own" in line
    assert list(place.iterdir()) == []


def test_a_model_beside_train_py_that_hides_its_layers_is_refused(
    offline: Program, tmp_path: Path
) -> None:
    (tmp_path / "own_layers.py").write_text("from torch import nn\nclass Layer(nn.Linear): pass\n")
    (tmp_path / "own_net.py").write_text(
        "from importlib import import_module\nfrom torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        layer = import_module('own_layers').Layer(784, 10)\n"
        "        super().__init__(nn.Flatten(), layer)\n"
    )
    chosen = ("model._target_=own_net.Net", "~model.hidden")
    done = offline(*chosen, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "own_layers.Layer: no import statement leads to its module" in done.stderr
    assert not (tmp_path / "outputs").exists()
    net = tmp_path / "own_net.py"
    net.write_text(f"import own_layers\n{net.read_text()}")
    done = offline(*chosen, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "own_layers" in (run_folder(tmp_path) / "identity.json").read_text()
