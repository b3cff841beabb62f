"""An identity changes with what determines a run's result, and with nothing else."""

from __future__ import annotations

import hashlib
import importlib
import math
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from experiments import identity
from experiments.composition import checked
from experiments.config import RunConfig
from experiments.identity import _sources_of, identity_of, ingredients
from tests.conftest import PROJECT, command

Write = Callable[[str, str], Path]

BASE = ("data=digits", "tracking=none", "data.validation_size=100")
OPTIONS = [
    f"{group}={path.stem}"
    for group in ("model", "optimizer", "schedule")
    for path in sorted((PROJECT / "conf" / group).glob("*.yaml"))
]
BESIDE = {"device", "checkpoint_every"}  # of the trainer's keys
MONITORING = {"monitor", "min_delta"}
OTHER = {"epoch": "batch", "batch": "epoch", "val_loss": "val_accuracy", None: 5}


def configuration(*overrides: str) -> RunConfig:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return checked(compose("config", overrides=[*BASE, *overrides]))


def of(config: RunConfig, *, data_sha256: str = "0" * 64, device: str = "cpu") -> str:
    return identity_of(ingredients(config, data_sha256=data_sha256, device=device))


def other(value: Any) -> Any:
    """Return a value of the same kind that is as close as can be."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return math.nextafter(value, math.inf)
        case [*items]:
            return [*items[:-1], other(items[-1])]
    return OTHER.get(value, f"{value}X")


def changed(config: RunConfig, part: str, key: str) -> RunConfig:
    section = getattr(config, part)
    update = {key: other(getattr(section, key))}
    return config.model_copy(update={part: section.model_copy(update=update)})


@pytest.fixture(scope="module")
def base() -> RunConfig:
    return configuration()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write modules into a folder that Python imports from."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        return path

    return written


def test_it_is_a_sha256_whatever_the_order_of_the_keys() -> None:
    assert identity_of({"b": {"y": 1, "x": 2}, "a": 0}) == identity_of(
        {"a": 0, "b": {"x": 2, "y": 1}}
    )
    expected = hashlib.sha256(b'{"a": 0}').hexdigest()
    assert identity_of({"a": 0}) == expected


@pytest.mark.parametrize(
    "overrides",
    [
        "tracking=mlflow",
        "tracking=mlflow tracking.uri=http://me:secret@host:5000 tracking.experiment=other",
        "outputs=elsewhere",
        "force=true",
        "data.root=/elsewhere",
        "trainer.device=cpu",
        "trainer.device=cuda:1",
        "trainer.checkpoint_every=7",
        "trainer.monitor=val_accuracy",
        "trainer.min_delta=0.5",
    ],
)
def test_where_and_how_to_look_changes_nothing(base: RunConfig, overrides: str) -> None:
    assert of(configuration(*overrides.split())) == of(base)


@pytest.mark.parametrize(
    ("spelling", "same"),
    [
        ("optimizer.lr=1", "optimizer.lr=1.0"),
        ("optimizer.lr=1e-3", "optimizer.lr=0.001"),
        ("optimizer=sgd optimizer.momentum=0.9", "optimizer=sgd_momentum"),
        ("trainer=debug", "trainer.epochs=1 trainer.limit_batches=5"),
        ("model.hidden=[128]", "model.hidden.0=128"),
    ],
)
def test_however_a_value_is_spelled_it_is_the_same(spelling: str, same: str) -> None:
    assert of(configuration(*spelling.split())) == of(configuration(*same.split()))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_value_of_a_part_counts_to_its_last_bit(option: str) -> None:
    config, part = configuration(option), option.partition("=")[0]
    keys = type(getattr(config, part)).model_fields.keys() - {"target"}
    identities = [of(config), *(of(changed(config, part, key)) for key in keys)]
    assert len(set(identities)) == len(keys) + 1


def test_every_other_value_counts(base: RunConfig) -> None:
    trainer = type(base.trainer).model_fields.keys() - BESIDE - MONITORING
    keys = [("trainer", key) for key in sorted(trainer)]
    keys += [("data", key) for key in ("batch_size", "validation_size")]
    assert {"epochs", "threads", "patience", "save_best", "limit_batches"} < trainer
    identities = [of(base), *(of(changed(base, part, key)) for part, key in keys)]
    identities.append(of(base.model_copy(update={"seed": 1})))
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("part", ["data", "model", "optimizer", "schedule"])
def test_which_class_it_is_counts(base: RunConfig, part: str) -> None:
    elsewhere = [of(configuration(f"{part}._target_=nowhere.{name}")) for name in ("A", "B")]
    assert len({of(base), *elsewhere}) == 3


@pytest.mark.parametrize("asked", ["trainer.patience=3", "trainer.save_best=true"])
@pytest.mark.parametrize("key", sorted(MONITORING))
def test_how_to_monitor_counts_where_something_is_monitored(asked: str, key: str) -> None:
    config = configuration(asked)
    assert of(changed(config, "trainer", key)) != of(config)


def test_the_data_and_the_kind_of_device_count(base: RunConfig) -> None:
    identities = {of(base), of(base, data_sha256="1" * 64), of(base, device="NVIDIA H100")}
    assert len(identities) == 3


def test_the_versions_of_torch_and_python_count(
    base: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities = [of(base)]
    version = metadata.version
    with monkeypatch.context() as patch:
        patch.setattr(metadata, "version", lambda name: "0" if name == "torch" else version(name))
        identities.append(of(base))
    with monkeypatch.context() as patch:
        patch.setattr(platform, "python_version", lambda: "3.99.0")
        identities.append(of(base))
    assert len(set(identities)) == 3
    assert of(base) == identities[0]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of this package's source, taken for the package itself."""
    folder = tmp_path / "experiments"
    shutil.copytree(
        PROJECT / "src" / "experiments", folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(identity, "__file__", str(folder / "identity.py"))
    identity._package_sha256.cache_clear()
    yield folder
    identity._package_sha256.cache_clear()


@pytest.mark.parametrize("name", ["training.py", "data/idx.py", "tracking/__init__.py"])
def test_the_source_of_this_package_counts(base: RunConfig, copied: Path, name: str) -> None:
    before = of(base)
    with (copied / name).open("a") as file:
        file.write("#\n")
    identity._package_sha256.cache_clear()
    assert of(base) != before


def test_the_names_of_this_package_s_files_count(base: RunConfig, copied: Path) -> None:
    seen = {of(base)}
    (copied / "training.py").rename(copied / "trainings.py")
    identity._package_sha256.cache_clear()
    seen.add(of(base))
    (copied / "new.py").touch()
    identity._package_sha256.cache_clear()
    seen.add(of(base))
    assert len(seen) == 3


def test_the_place_of_this_package_and_what_is_no_source_do_not_count(
    base: RunConfig, copied: Path
) -> None:
    moved = of(base)
    (copied / "__pycache__").mkdir()
    (copied / "__pycache__" / "training.cpython-311.pyc").write_bytes(b"\0")
    (copied / "notes.txt").write_text("a")
    identity._package_sha256.cache_clear()
    assert of(base) == moved
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "__file__", str(PROJECT / "src" / "experiments" / "identity.py"))
        identity._package_sha256.cache_clear()
        assert of(base) == moved


# A user's module, what it says, and the module that this makes part of the run.
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
    sources = ingredients(
        configuration("model._target_=my_kit.net.Net"), data_sha256="0", device="cpu"
    )["source"]
    assert set(sources) == {"experiments", "my_kit", "my_kit.net", "my_helper"}
    assert not {name for name in sys.modules if name.startswith("my_")} - before


def test_an_installed_package_is_its_version(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sources_of("rich.progress.Progress") == {"rich": metadata.version("rich")}
    write("my_net.py", "import rich.table\nfrom yaml import safe_load\n")
    sources = _sources_of("my_net.Net")
    assert set(sources) == {"my_net", "rich", "yaml"}
    assert sources["yaml"] == f"PyYAML {metadata.version('pyyaml')}"
    before = of(config := configuration("model._target_=my_net.Net"))
    monkeypatch.setattr(identity, "_version_of", lambda _: "0")
    assert of(config) != before


def test_python_torch_and_this_package_stand_for_themselves(write: Write) -> None:
    write("my_net.py", "import json, collections.abc, torch.nn\nfrom experiments import models\n")
    assert set(_sources_of("my_net.Net", "torch.optim.SGD", "collections.Counter")) == {"my_net"}


@pytest.mark.parametrize("target", ["nowhere.Net", "Net", "", "my_net.nowhere.Net"])
def test_what_is_not_there_is_left_to_whoever_builds_it(write: Write, target: str) -> None:
    write("my_net.py", "x = 0\n")
    assert set(_sources_of(target)) <= {"my_net"}


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_every_process_finds_the_same_without_torch(base: RunConfig, hash_seed: str) -> None:
    program = (
        "import sys\n"
        "from hydra import compose, initialize_config_dir\n"
        "from experiments.composition import checked\n"
        "from experiments.identity import identity_of, ingredients\n"
        "with initialize_config_dir(sys.argv[1], version_base='1.3'):\n"
        "    config = checked(compose('config', overrides=sys.argv[2:]))\n"
        "print(identity_of(ingredients(config, data_sha256='0' * 64, device='cpu')))\n"
        "print(sorted({'torch', 'mlflow', 'numpy'} & set(sys.modules)))\n"
    )
    done = command(
        *(sys.executable, "-c", program, str(PROJECT / "conf"), *BASE),
        cwd=PROJECT,
        PYTHONHASHSEED=hash_seed,
    )
    assert done.stdout.splitlines() == [of(base), "[]"], done.stderr
