"""Every shipped configuration composes, validates, and can be built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from experiments.composition.hydra_config import checked
from experiments.config import RunConfig
from experiments.redaction.hide import hidden
from tests.conftest import PROJECT

CONF = PROJECT / "conf"
GROUPS = (
    *("data", "model", "task", "task/loss", "optimizer", "schedule", "callbacks"),
    *("trainer", "tracking", "experiment"),
)
OPTIONS = [
    f"{group}={path.stem}" for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))
]
METRICS = sorted(path.stem for path in (CONF / "task" / "metric").iterdir())
IN_TASKS = {"accuracy", "mae", "r2"}  # conf/task/*.yaml choose them, so `+` would be twice
OPTIONS += [f"+task/metric@task.metrics.{name}={name}" for name in METRICS if name not in IN_TASKS]


@pytest.fixture(autouse=True)
def hydra_config(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_NAME"):
        monkeypatch.delenv(name, raising=False)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", list(overrides), return_hydra_config=True)


def test_the_issue_s_groups_are_there() -> None:
    for option in (
        *("data=mnist", "data=fashion_mnist", "data=kmnist", "data=digits"),
        *("model=simplenet", "model=convnet"),
        *("optimizer=sgd", "optimizer=sgd_momentum", "optimizer=adamw"),
        *("schedule=constant", "schedule=step", "schedule=cosine", "schedule=onecycle"),
        *("trainer=default", "trainer=debug", "tracking=mlflow", "tracking=none"),
        *("experiment=article", "experiment=article_plain"),
    ):
        assert option in OPTIONS


def needed(option: str) -> list[str]:
    """Return the overrides without which an option cannot be used."""
    if option.endswith("=mse"):
        return ["task=regression"]
    return ["data.validation_size=100"] if option == "schedule=plateau" else []


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_validates(option: str) -> None:
    assert isinstance(checked(composed(option, *needed(option))), RunConfig)


@pytest.mark.parametrize("option", [name for name in OPTIONS if not name.startswith("data=")])
def test_every_option_can_be_built(option: str, root: str) -> None:
    from experiments.run.build import assemble

    data = ("data=digits", f"data.root={root}", *needed(option))
    parts = assemble(checked(composed(option, *data)))
    assert parts.schedule.optimizer is parts.optimizer


@pytest.mark.parametrize("option", [name for name in OPTIONS if name.startswith("data=")])
def test_every_data_set_s_class_is_there(option: str) -> None:
    from torch.utils.data import Dataset

    from experiments.data.datasets import IdxImages
    from experiments.target_classes import resolve

    assert resolve("data", checked(composed(option)).data.target, Dataset, IdxImages).__doc__


def test_the_default_is_the_article_s_complete_example() -> None:
    default, article = checked(composed()), checked(composed("experiment=article"))
    assert default == article
    leaves = default.leaves()
    assert leaves["model.hidden"] == "[128]"
    assert leaves["optimizer.lr"] == "0.01"
    assert leaves["optimizer.momentum"] == "0.9"
    assert leaves["data.batch_size"] == "64"
    assert leaves["trainer.epochs"] == "10"
    assert leaves["data.root"] == "~/.pytorch/MNIST_data/"
    assert leaves["data.validation_size"] == "0"
    assert leaves["trainer.device"] == "auto"
    assert leaves["seed"] == "0"
    assert default.tracking.uri == "sqlite:///mlflow.db"
    assert default.tracking.experiment == "mnist"
    assert default.tracking.log_model


def test_the_plain_experiment_differs_in_momentum_alone() -> None:
    article = checked(composed("experiment=article")).leaves()
    plain = checked(composed("experiment=article_plain")).leaves()
    differing = {key for key in article if article[key] != plain[key]}
    assert differing == {"optimizer.momentum"}
    assert float(plain["optimizer.momentum"]) == 0


def test_the_environment_names_the_tracking_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert checked(composed()).tracking.uri == "http://127.0.0.1:5000"


@pytest.mark.parametrize("tracking", ["tracking=mlflow", "tracking=none"])
def test_each_data_set_has_an_experiment_of_its_own(tracking: str) -> None:
    for option in OPTIONS:
        group, _, name = option.partition("=")
        if group == "data":
            assert checked(composed(option, tracking)).tracking.experiment == name


def test_runs_of_a_few_batches_stay_apart() -> None:
    debug = checked(composed("trainer=debug", "data=digits"))
    assert (debug.tracking.experiment, debug.outputs) == ("debug", "outputs/debug")
    named = checked(composed("trainer=debug", "tracking.experiment=mine", "outputs=here"))
    assert (named.tracking.experiment, named.outputs) == ("mine", "here")


def test_the_environment_names_the_experiment_and_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    monkeypatch.setenv("MLFLOW_RUN_NAME", "their-run")
    tracking = checked(composed()).tracking
    assert (tracking.experiment, tracking.run_name) == ("theirs", "their-run")
    assert hidden("their-run of theirs") == "their-run of theirs"  # a name is no secret
    tracking = checked(composed("tracking.experiment=mine", "tracking.run_name=my-run")).tracking
    assert (tracking.experiment, tracking.run_name) == ("mine", "my-run")
