"""An identity changes with everything that determines a run's result, and with nothing else."""

from __future__ import annotations

import hashlib
import math
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from experiments.composition.hydra_config import checked
from experiments.config import RunConfig
from experiments.config.part import Part
from experiments.identity.canonical import sha256_of_data
from experiments.identity.ingredients import ingredients_of
from tests.conftest import PROJECT, command

Write = Callable[[str, str], Path]

BASE = ("data=digits", "tracking=none", "data.validation_size=100")
OPTIONS = [
    f"{group}={path.stem}"
    for group in ("model", "optimizer", "schedule")
    for path in sorted((PROJECT / "conf" / group).glob("*.yaml"))
]
BESIDE = {"device", "checkpoint_every", "profile"}  # keys of the trainer
MONITORING = {"monitor", "min_delta"}
PAIRS = [("epoch", "batch"), ("cos", "linear"), ("rel", "abs"), ("min", "max")]
OTHER = {"val_loss": "val_accuracy", None: 5, **dict(PAIRS), **{b: a for a, b in PAIRS}}


def configuration(*overrides: str) -> RunConfig:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return checked(compose("config", [*BASE, *overrides], return_hydra_config=True))


def of(config: RunConfig, *, data_sha256: str = "0" * 64, device: str = "cpu") -> str:
    return ingredients_of(config, data_sha256=data_sha256, device=device).identity


def other(value: Any) -> Any:
    """Return the closest other value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return math.nextafter(value, math.inf)
        case Part():
            *_, last = type(value).model_fields
            return value.model_copy(update={last: other(getattr(value, last))})
        case [*items]:
            return [*items[:-1], other(items[-1])]
    return OTHER.get(value, f"{value}X")


def changed(config: RunConfig, part: str, key: str) -> RunConfig:
    section = getattr(config, part)
    update = {key: True if key == "foreach" else other(getattr(section, key))}
    return config.model_copy(update={part: section.model_copy(update=update)})


@pytest.fixture(scope="module")
def base() -> RunConfig:
    return configuration()


def test_it_is_a_sha256_whatever_the_order_of_the_keys() -> None:
    assert sha256_of_data({"b": {"y": 1, "x": 2}, "a": 0}) == sha256_of_data(
        {"a": 0, "b": {"x": 2, "y": 1}}
    )
    expected = hashlib.sha256(b'{"a": 0}').hexdigest()
    assert sha256_of_data({"a": 0}) == expected


@pytest.mark.parametrize(
    "overrides",
    [
        "tracking=mlflow",
        "tracking=mlflow tracking.uri=http://me:secret@host:5000 tracking.experiment=other",
        "tracking.run_name=a tracking.note=b +tracking.tags.c=d",
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


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_every_process_finds_the_same_without_torch(base: RunConfig, hash_seed: str) -> None:
    program = (
        "import sys\n"
        "from hydra import compose, initialize_config_dir\n"
        "from experiments.composition.hydra_config import checked\n"
        "from experiments.identity.ingredients import ingredients_of\n"
        "with initialize_config_dir(sys.argv[1], version_base='1.3'):\n"
        "    config = checked(compose('config', sys.argv[2:], return_hydra_config=True))\n"
        "print(ingredients_of(config, data_sha256='0' * 64, device='cpu').identity)\n"
        "print(sorted({'torch', 'mlflow', 'numpy'} & set(sys.modules)))\n"
    )
    done = command(
        *(sys.executable, "-c", program, str(PROJECT / "conf"), *BASE),
        cwd=PROJECT,
        PYTHONHASHSEED=hash_seed,
    )
    assert done.stdout.splitlines() == [of(base), "[]"], done.stderr
