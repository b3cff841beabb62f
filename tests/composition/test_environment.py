"""A value from the environment is recorded as its interpolation but determines the identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.composition.environment import from_environment
from experiments.composition.hydra_config import checked
from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.identity.canonical import sha256_of_data
from experiments.identity.ingredients import Ingredients, ingredients_of
from experiments.redaction.hide import hidden
from tests.conftest import PROJECT, Program, run_folder

SECRET = "p/a ss:'@7"
WRITTEN = {
    "direct": "${oc.env:VALUE}",
    "in a text": "pre-${oc.env:VALUE}",
    "by another key": "${model.first}",
    "with a default": "${oc.env:VALUE,else}",
}


def configuration(model: dict[str, Any], *overrides: str) -> RunConfig:
    usual = ("data=digits", "tracking=none", "model._target_=own.Net")
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        config = compose("config", [*usual, *overrides], return_hydra_config=True)
    OmegaConf.set_struct(config, False)
    config.model.update(model)
    return checked(config)


def told(config: RunConfig) -> Ingredients:
    return ingredients_of(config, data_sha256="0" * 64, device="cpu")


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("place", ["value", "in a list", "below"])
def test_what_the_environment_gave_is_recorded_as_it_was_written(
    written: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALUE", SECRET)
    value = {"value": written, "in a list": [1, written], "below": {"x": {"y": written}}}[place]
    config = configuration({"first": "${oc.env:VALUE}", "own": value})
    public = config.public()["model"]
    assert public["own"] == value
    assert public["first"] == "${oc.env:VALUE}"
    assert SECRET not in str(config.leaves())
    assert SECRET not in str(told(config).public(config))
    assert SECRET in str(config.model.arguments()["own"])
    assert hidden(f"401 for {SECRET}") == "401 for ***"


def test_parts_taken_from_elsewhere_and_numbers_are_known_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VALUE", "12")
    config = {"a": {"x": ["${oc.env:VALUE}"]}, "b": "${a}", "c": "${oc.env:NOT_SET,1}", "e": None}
    config["d"] = "${oc.decode:${oc.env:VALUE}}"
    assert from_environment(OmegaConf.create(config)) == {
        ("a", "x", 0): "${oc.env:VALUE}",
        ("b",): "${a}",
        ("d",): "${oc.decode:${oc.env:VALUE}}",
    }


def test_the_value_decides_the_identity_and_not_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identities, files = [], []
    for secret in ("first secret", "second secret"):
        monkeypatch.setenv("VALUE", secret)
        for written in ("${oc.env:VALUE}", secret):
            config = configuration({"password": written})
            identities.append(told(config).identity)
            files.append(sha256_of_data(told(config).public(config)))
    assert identities[0] == identities[1] != identities[2] == identities[3]
    assert files[0] == files[1] != files[2] == files[3]


def test_a_default_is_recorded_as_the_value_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALUE", raising=False)
    assert configuration({"own": "${oc.env:VALUE,else}"}).public()["model"]["own"] == "else"


@pytest.mark.parametrize("key", ["seed", "optimizer.lr", "trainer.patience", "model.hidden"])
def test_a_mistake_is_said_without_the_value(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUE", SECRET)
    with pytest.raises(InputError, match=r"\$\{oc\.env:VALUE\}: it should") as caught:
        configuration({"_target_": "experiments.models.SimpleNet"}, f"{key}=${{oc.env:VALUE}}")
    assert SECRET not in str(caught.value)


def test_a_plain_address_is_kept_where_it_is_needed(offline: Program, tmp_path: Path) -> None:
    uri = "http://127.0.0.1:9"
    done = offline("tracking=mlflow", MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 0, done.stderr
    folder = run_folder(tmp_path)
    assert f'"store": "{uri}"' in (folder / "journal.jsonl").read_text()
    assert "uri: ${oc.env:MLFLOW_TRACKING_URI," in (folder / "config.yaml").read_text()


@pytest.mark.parametrize("name", ["outputs/${model.password}", "${hydra.job.override_dirname}"])
def test_no_folder_has_a_secret_in_its_name(offline: Program, tmp_path: Path, name: str) -> None:
    done = offline("model._target_=own.Net", "+model.password='cor/rect'", f"hydra.run.dir={name}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "would have a secret in its name; name another" in line
    assert "cor/rect" not in line
    assert not (tmp_path / "outputs").exists()
