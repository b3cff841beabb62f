"""The arguments compose the recorded configuration, whatever the restored conf/ gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from omegaconf import OmegaConf

from experiments.differences.record import Record
from experiments.errors import InputError, RunError
from experiments.reproducing.arguments import Arguments, arguments_for, written
from experiments.reproducing.training import Ended
from tests.catalog.made_up import summary

COMPOSED: dict[str, Any] = {
    "optimizer": {"lr": 0.1, "momentum": 0.9},
    "data": {"root": "/data"},
    "width": "${oc.env:WIDTH,3}",
    "tracking": {"uri": "sqlite:///x"},
    "outputs": "outputs",
}


def arguments(
    config: dict[str, Any],
    overrides: Sequence[str] = (),
    given: Sequence[str] = (),
    composed: dict[str, Any] = COMPOSED,
    conf: Path = Path("nowhere"),
) -> Arguments:
    from experiments.journal import History

    printed = Ended(0, OmegaConf.to_yaml(OmegaConf.create(composed)).splitlines())
    record = Record(summary(), History(conf), config=config, overrides=overrides)
    return arguments_for(record, given, conf, lambda _: printed)


def test_an_equal_configuration_needs_no_further_value() -> None:
    same = {**COMPOSED, "tracking": {"uri": "other"}, "outputs": "elsewhere"}
    found = arguments(same, ["optimizer.lr=0.1", "tracking=mlflow", "outputs=x", "force=true"])
    assert found.overrides == ["optimizer.lr=0.1", "tracking.uri=null"]
    assert found.from_config == []


def test_values_that_conf_does_not_give_come_from_the_record() -> None:
    config = {
        "optimizer": {"lr": 0.3, "betas": [0.9, 0.99]},
        "data": {"root": "/data"},
        "width": "3",
    }
    found = arguments(config)
    assert set(found.overrides) >= {
        *("++optimizer.lr=0.3", "~optimizer.momentum", "++optimizer.betas=[0.9,0.99]")
    }
    assert set(found.from_config) == {"optimizer.lr", "optimizer.momentum", "optimizer.betas"}


def test_what_the_environment_gives_and_secrets_stay_as_composed() -> None:
    config = {**COMPOSED, "optimizer": {"lr": "***", "momentum": 0.9}}
    assert arguments(config).from_config == []


def test_a_choice_without_its_file_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "there.yaml").touch()
    overrides = ["experiment=there", "+experiment=mine"]
    found = arguments(COMPOSED, overrides, conf=tmp_path)
    assert found.dropped == ["+experiment=mine"]
    assert "experiment=there" in found.overrides


def test_a_relative_root_of_the_data_is_found_from_the_worktree() -> None:
    composed = COMPOSED | {"data": {"root": "my data"}}
    found = arguments({}, ["seed=1"], composed=composed)
    assert f"data.root='{Path.cwd()}/my data'" in found.overrides


def test_a_given_override_replaces_the_recorded_one() -> None:
    found = arguments(COMPOSED, ["optimizer.lr=0.1", "+token=***"], ["+token=x", "optimizer.lr=1"])
    assert found.overrides[:2] == ["+token=x", "optimizer.lr=1"]
    assert found.from_config == []


def test_a_hidden_value_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"the value of model\.token is a secret"):
        arguments(COMPOSED, ["+model.token=***"])


def test_a_refusal_is_told() -> None:
    from experiments.journal import History

    record = Record(summary(), History(Path()), overrides=["seed=1"])
    refused = Ended(2, ["error: model=nope: choose from convnet, simplenet"])
    with pytest.raises(RunError, match="refuses its overrides: model=nope: choose"):
        arguments_for(record, (), Path("nowhere"), lambda _: refused)


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -1.5, 1e-05, "a b", "it's", "back\\", "1", "null", [1, "x,y"], {"a": 1}],
)
def test_hydra_reads_what_is_written(value: Any) -> None:
    def plain(parsed: Any) -> Any:
        if isinstance(parsed, QuotedString):
            return parsed.text
        return [plain(each) for each in parsed] if isinstance(parsed, list) else parsed

    parsed = OverridesParser.create().parse_override(f"key={written(value)}")
    assert plain(parsed._value) == value
