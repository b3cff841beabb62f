"""A run's identity changes with the source of the user's modules, and with no other source."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from experiments.identity import sources
from experiments.identity.ingredients import ingredients_of
from experiments.identity.sources import sources_of
from tests.identity.test_ingredients import configuration, of

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes a module into a folder on Python's path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        return path

    return written


# A user's module, its content, and the module that this content makes part of the run.
REACHED = [
    ("my_net", "", "my_net.py"),
    ("my_net", "import my_helper", "my_helper.py"),
    ("my_net", "import os, my_helper as h", "my_helper.py"),
    ("my_net", "from my_helper import x", "my_helper.py"),
    ("my_net", "from my_helper import *", "my_helper.py"),
    ("my_net", "import my_kit.layers", "my_kit/layers.py"),
    ("my_net", "import my_kit.layers", "my_kit/__init__.py"),
    ("my_net", "from my_kit import layers", "my_kit/layers.py"),
    ("my_net", "from my_kit.layers import x", "my_kit/layers.py"),
    ("my_net", "from my_kit.layers import x", "my_kit/__init__.py"),
    ("my_net", "from my_kit.deep.layers import x", "my_kit/deep/__init__.py"),
    ("my_net", "def f():\n    import my_helper", "my_helper.py"),
    ("my_net", "class A:\n    def f(self):\n        from my_kit import layers", "my_kit/layers.py"),
    ("my_net", "try:\n    import my_helper\nexcept ImportError:\n    pass", "my_helper.py"),
    ("my_net", "import my_chain", "my_helper.py"),
    ("my_kit.net", "", "my_kit/__init__.py"),
    ("my_kit.net", "from . import layers", "my_kit/layers.py"),
    ("my_kit.net", "from .layers import x", "my_kit/layers.py"),
    ("my_kit.net", "def f():\n    from .layers import x", "my_kit/layers.py"),
    ("my_kit.net", "from .deep import layers", "my_kit/deep/layers.py"),
    ("my_kit.deep.net", "from . import layers", "my_kit/deep/layers.py"),
    ("my_kit.deep.net", "from .. import layers", "my_kit/layers.py"),
    ("my_kit.deep.net", "from ..layers import x", "my_kit/layers.py"),
    ("my_kit.deep.net", "import my_kit.layers", "my_kit/layers.py"),
    ("my_kit.deep.net", "from ... import nowhere\nfrom .layers import x", "my_kit/deep/layers.py"),
]


def populate(write: Write) -> None:
    for name in ("my_helper", "my_kit/__init__", "my_kit/layers", "my_kit/deep/__init__"):
        write(f"{name}.py", "x = 0\n")
    write("my_kit/deep/layers.py", "x = 0\n")
    write("my_chain.py", "import my_helper, my_round\n")
    write("my_round.py", "import my_chain\n")
    write("my_other.py", "x = 0\n")
    write("my_kit/other.py", "x = 0\n")


@pytest.mark.parametrize(("module", "says", "reached"), REACHED)
def test_a_user_s_module_and_what_it_imports_count(
    write: Write, module: str, says: str, reached: str
) -> None:
    populate(write)
    own = write(f"{module.replace('.', '/')}.py", f"{says}\n")
    config = configuration(f"model._target_={module}.Net")
    before = of(config)
    path = own.parents[module.count(".")] / reached
    path.write_text(f"{path.read_text()}#\n")
    assert of(config) != before


@pytest.mark.parametrize("unrelated", ["my_other.py", "my_kit/other.py", "my_kit/deep/layers.py"])
def test_a_module_beside_it_does_not_count(write: Write, unrelated: str) -> None:
    populate(write)
    write("my_kit/net.py", "import my_helper\nfrom . import layers\nimport nowhere.at.all\n")
    config = configuration("model._target_=my_kit.net.Net")
    before = of(config)
    write(unrelated, "x = 1\n")
    assert of(config) == before


@pytest.mark.parametrize("part", ["data", "model", "optimizer", "schedule"])
def test_a_user_s_class_counts_in_every_part(write: Write, part: str) -> None:
    write("my_net.py", "x = 0\n")
    config = configuration(f"{part}._target_=my_net.Class")
    before = of(config)
    write("my_net.py", "x = 1\n")
    assert of(config) != before


def test_what_a_package_takes_from_its_modules_counts(write: Write) -> None:
    write("my_kit/__init__.py", "from .net import Net\n")
    write("my_kit/net.py", "class Net: pass\n")
    config = configuration("model._target_=my_kit.Net")
    before = of(config)
    write("my_kit/net.py", "class Net: x = 1\n")
    assert of(config) != before


def test_no_module_of_the_user_s_is_imported(write: Write) -> None:
    write("my_kit/__init__.py", "raise RuntimeError\n")
    write("my_kit/net.py", "import my_helper\nraise RuntimeError\n")
    write("my_helper.py", "import torch\nraise RuntimeError\n")
    before = set(sys.modules)
    seen = ingredients_of(
        configuration("model._target_=my_kit.net.Net"), data_sha256="0", device="cpu"
    ).source
    assert set(seen) == {"experiments", "my_kit", "my_kit.net", "my_helper"}
    assert not {name for name in sys.modules if name.startswith("my_")} - before


def test_an_installed_package_is_its_version(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources_of("rich.progress.Progress") == {"rich": metadata.version("rich")}
    write("my_net.py", "import rich.table\nfrom yaml import safe_load\n")
    seen = sources_of("my_net.Net")
    assert set(seen) == {"my_net", "rich", "yaml"}
    assert seen["yaml"] == f"PyYAML {metadata.version('pyyaml')}"
    before = of(config := configuration("model._target_=my_net.Net"))
    monkeypatch.setattr(sources, "_version_of", lambda _: "0")
    assert of(config) != before


def test_python_torch_and_this_package_stand_for_themselves(write: Write) -> None:
    write("my_net.py", "import json, collections.abc, torch.nn\nfrom experiments import models\n")
    assert set(sources_of("my_net.Net", "torch.optim.SGD", "collections.Counter")) == {"my_net"}


@pytest.mark.parametrize("target", ["nowhere.Net", "Net", "", "my_net.nowhere.Net"])
def test_what_is_not_there_is_left_to_whoever_builds_it(write: Write, target: str) -> None:
    write("my_net.py", "x = 0\n")
    assert set(sources_of(target)) <= {"my_net"}


def test_a_package_without_init_counts(write: Write) -> None:
    write("my_space/net.py", "from . import layers\n")
    write("my_space/layers.py", "x = 0\n")
    assert set(sources_of("my_space.net.Net")) == {"my_space.net", "my_space.layers"}


def test_a_package_comes_before_a_module_of_its_name(write: Write) -> None:
    write("my_kit/__init__.py", "")
    write("my_kit/both.py", "import nowhere\n")
    write("my_kit/both/__init__.py", "import my_helper\n")
    write("my_helper.py", "")
    assert "my_helper" in sources_of("my_kit.both.Net")


def test_a_library_of_models_counts_by_its_version() -> None:
    seen = sources_of("torchvision.models.ResNet")
    assert seen == {"torchvision": metadata.version("torchvision")}


def test_a_module_that_cannot_be_parsed_counts_all_the_same(write: Write) -> None:
    write("my_net.py", "try:\n    import my_broken\nexcept SyntaxError:\n    pass\n")
    write("my_broken.py", "def\n")
    before = sources_of("my_net.Net")
    write("my_broken.py", "def '\\d'\n")
    assert sources_of("my_net.Net") != before


def test_keys_of_any_kind_are_told_apart() -> None:
    maps = [{1: "a", "x": "b"}, {"1": "a", "x": "b"}, {1: "b", "x": "a"}, {True: "a", "x": "b"}]
    config = configuration("model._target_=my_net.Net", "+model.map={1:a,x:b}")
    models = [config.model.model_copy(update={"map": each}) for each in maps]
    assert len({of(config.model_copy(update={"model": model})) for model in models}) == 4


def test_a_module_named_like_one_of_python_s_counts(write: Write) -> None:
    write("my_kit/__init__.py", "")
    write("nturl2path.py", "class Net: pass\n")  # no module imports it on this system
    assert set(sources_of("nturl2path.Net")) == {"nturl2path"}
