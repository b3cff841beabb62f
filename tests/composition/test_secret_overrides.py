"""Secrets in the overrides of a sweep reach its jobs through the environment."""

from __future__ import annotations

import os

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from experiments.composition.secret_overrides import conceal, to_environment
from experiments.errors import InputError
from tests.sweep.conftest import Sweep, sweep

__all__ = ["sweep"]  # a fixture


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))


def value_of(override: str) -> object:
    _, _, text = override.partition("=")
    (parsed,) = OverridesParser.create().parse_overrides([f"value={text}"])
    config = OmegaConf.create({"value": parsed.value()})
    return OmegaConf.to_container(config, resolve=True)["value"]


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("+model.password=hunter2", "hunter2"),
        ("+model.password='a b:\"/@'", 'a b:"/@'),
        ("+model.password=123456", 123456),
        ("+model.login={user:me,password:x}", {"user": "me", "password": "x"}),
        ("+model.tokens=[a,b]", ["a", "b"]),
        ("tracking.uri='http://me:p w/@host'", "http://me:p w/@host"),
    ],
)
def test_a_job_gets_the_value_that_was_typed(typed: str, value: object) -> None:
    (safe,) = to_environment([typed])
    assert typed.partition("=")[2].strip("'") not in safe
    assert value_of(safe) == value
    assert to_environment([safe]) == [safe]


def test_each_of_several_values_has_a_variable_of_its_own() -> None:
    (safe,) = to_environment(["+model.password=one secret,null,'two, secret'"])
    one, null, two = safe.partition("=")[2].split(",")
    assert null == "null"
    assert [value_of(f"={text}") for text in (one, two)] == ["one secret", "two, secret"]


@pytest.mark.parametrize(
    "typed",
    [
        *("optimizer.lr=0.1,0.2", "+model.max_tokens=128", "secrets=vault", "data/key=own"),
        *("+model.password=${oc.env:DBPW}", "tracking.uri=sqlite:///x.db", "seed=range(3)"),
    ],
)
def test_what_is_no_secret_stays_as_it_was_typed(typed: str) -> None:
    assert to_environment([typed]) == [typed]


def test_a_secret_beside_an_interpolation_is_refused() -> None:
    with pytest.raises(InputError, match=r"tracking\.uri=http://me:\*\*\*@\$\{oc\.env:HOST\}"):
        to_environment(["tracking.uri=http://me:hunter2@${oc.env:HOST}"])


def test_a_composed_configuration_is_concealed_but_for_interpolations() -> None:
    own = {
        "password": "x",
        "url": "http://me:pw@host",
        "kept": "${oc.env:X}",
        "more": [{"key": "y"}],
    }
    config = OmegaConf.create({"model": own, "hydra": {"password": "z"}})
    OmegaConf.set_readonly(config, True)
    conceal(config)
    assert OmegaConf.to_container(config) == {
        "model": {
            "password": "***",
            "url": "http://me:***@host",
            "kept": "${oc.env:X}",
            "more": [{"key": "***"}],
        },
        "hydra": {"password": "z"},
    }


@pytest.mark.parametrize(
    "overrides",
    [
        (
            "+model.password=hunter2",
            "hydra/launcher=ray_cluster",
            "hydra.launcher.ray.init.address=auto",
        ),
        ("+hydra.job.env_set.DBPW=hunter2",),
        ("hydra.sweep.subdir='${model.password}'", "+model.password=hunter2,hunter22"),
    ],
    ids=["cluster", "env_set", "folder"],
)
def test_what_would_be_written_all_the_same_is_refused(
    sweep: Sweep, overrides: tuple[str, ...]
) -> None:
    done = sweep.run(*overrides, "tracking=none")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "secret" in line or "leave it out" in line
    assert "hunter" not in line
    assert not (sweep.folder / "outputs").exists()
