"""The rules of the configuration; composition/test_hydra_config.py tests single bad values."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from experiments.config import check
from experiments.config.from_data import sizes_of
from experiments.config.model import SIZES
from experiments.errors import InputError, did_you_mean, shortened

VALUES = {
    "data": {
        "_target_": "experiments.data.Digits",
        "root": "~/data",
        "batch_size": 64,
        "validation_size": 0,
    },
    "model": {"_target_": "my_models.Net", "width": [1, 2]},
    "task": {
        "_target_": "experiments.tasks.Classification",
        "loss": {"_target_": "torch.nn.CrossEntropyLoss"},
        "metrics": {
            "accuracy": {"_target_": "experiments.tasks.Accuracy", "direction": "maximize"}
        },
        "objective": "accuracy",
    },
    "callbacks": {},
    "optimizer": {"_target_": "torch.optim.RMSprop", "alpha": 0.9},
    "schedule": {
        "_target_": "torch.optim.lr_scheduler.ConstantLR",
        "interval": "epoch",
        "factor": 1.0,
    },
    "trainer": {
        "epochs": 10,
        "device": "auto",
        "threads": 2,
        "deterministic": True,
        "precision": "float32",
        "matmul_precision": "highest",
        "compile": None,
        "limit_batches": None,
        "gradient_clip_val": None,
        "gradient_clip_algorithm": "norm",
        "accumulate_grad_batches": 1,
        "profile": None,
        "checkpoint_every": 1,
        "stop_on_divergence": True,
        "monitor": "val_loss",
        "patience": None,
        "min_delta": 0.0,
        "save_best": False,
        "shards": 1,
        "strategy": "shards",
    },
    "tracking": {
        "uri": "sqlite:///mlflow.db",
        "experiment": "mnist",
        "run_name": None,
        "tags": {},
        "note": None,
        "log_model": True,
        "register": None,
        "system_metrics": False,
    },
    "seed": 0,
    "force": False,
    "outputs": "outputs",
    "sweep": {"plan_only": False, "fail_fast": False, "max_jobs": 1000, "gpus_per_job": None},
}


def changed(**parts: object) -> dict[str, object]:
    return {key: parts.get(key, value) for key, value in VALUES.items()}


def test_a_user_s_own_class_keeps_its_arguments() -> None:
    config = check(VALUES)
    assert config.model.arguments() == {"width": [1, 2]}
    assert config.schedule.arguments() == {"factor": 1.0}
    assert config.data.arguments() == {"root": "~/data"}


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError):
        check(VALUES).seed = 1


def test_every_leaf_is_one_text() -> None:
    leaves = check(VALUES).leaves()
    assert leaves["model.width"] == "[1, 2]"
    assert leaves["trainer.deterministic"] == "true"
    assert leaves["trainer.limit_batches"] == "null"
    assert leaves["schedule.factor"] == "1.0"
    assert leaves["data._target_"] == "experiments.data.Digits"
    assert "tracking.uri" not in leaves
    assert "outputs" not in leaves


@pytest.mark.parametrize(
    "uri", ["http://me:secret@host:5000/x", "postgresql+psycopg2://me:secret@db/mlflow"]
)
def test_a_password_is_not_recorded(uri: str) -> None:
    config = check(changed(tracking=VALUES["tracking"] | {"uri": uri}))
    assert config.tracking.uri == uri
    assert "secret" not in str(config.leaves()) + str(config.public())
    assert "me:***@" in config.public()["tracking"]["uri"]


@pytest.mark.parametrize("key", ["data", "model", "optimizer", "schedule", "trainer"])
@pytest.mark.parametrize("value", [[1], 3, None])
def test_a_part_that_is_no_mapping_is_one_line(key: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^{key}=.*: it should be keys with values$"):
        check(changed(**{key: value}))


def test_further_mistakes_are_counted() -> None:
    with pytest.raises(InputError, match=r"\(2 more after this one\)$"):
        check(changed(seed=-1, trainer=VALUES["trainer"] | {"epochs": 0, "threads": 0}))


def test_did_you_mean() -> None:
    assert did_you_mean("momentun", ["momentum", "lr"]) == "did you mean momentum?"
    assert did_you_mean("xyz", ["momentum", "lr"]) == "choose from lr, momentum"
    assert did_you_mean("o.lrr", ["o.lr", "m.lr"]) == "did you mean o.lr?"
    assert did_you_mean("lr", ["o.lr", "t.epochs"]) == "did you mean o.lr?"
    assert did_you_mean("o.zzz", ["o.lr", "t.epochs"]) == "choose from o.lr"
    assert did_you_mean("o.zzz", ["o.lr", "o.lr", "o.m", "o.lr"]) == "choose from o.lr, o.m"
    assert did_you_mean("x", []) == "`python train.py --help` lists all parts and keys"
    assert did_you_mean("hydra.x", []) == "`python train.py --cfg hydra` lists all parts and keys"


def test_what_is_shortened_keeps_its_beginning_and_its_advice() -> None:
    said = f"model: refuses {'one two ' * 300}; set model.hidden to less"
    short = shortened(said, 200)
    assert 190 < len(short) <= 200
    assert short.startswith("model: refuses one two")
    assert short.endswith("; set model.hidden to less")
    assert set(short.split()) <= {*said.split(), "…"}  # whole words
    assert shortened(short, 200) == short
    assert len(shortened("x" * 300, 200)) <= 200


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"tags": {"mlflow.user": "me"}},
            "tracking.tags.mlflow.user: is a tag that",
        ),
        (
            {"tags": {"weights_sha256": "0"}},
            "tracking.tags.weights_sha256: is a tag that",
        ),
        ({"tags": {"a?b": "0"}}, "tracking.tags.a?b: is no name of a tag; MLflow takes 1 to 250"),
        ({"tags": {"": "0"}}, "tracking.tags.: is no name of a tag"),
        (
            {"tags": {"x": 42}},
            "tracking.tags.x=42: is no text; quote it for the shell",
        ),
        (
            {"tags": {"x": "0" * 8001}},
            "tracking.tags.x: has 8,001 characters, and",
        ),
        ({"tags": 3}, "tracking.tags=3: it should be keys with values (tags: texts by which"),
        ({"run_name": " "}, "tracking.run_name=' ': is blank; name the run, or leave"),
        ({"run_name": "x" * 201}, "it should have at most 200 characters (run_name: the name of"),
        ({"note": "x" * 4001}, "it should have at most 4000 characters (note: the description of"),
    ],
)
def test_a_name_tag_or_note_that_mlflow_would_refuse_is_refused_in_one_line(
    changed: dict[str, object], line: str
) -> None:
    tracking = VALUES["tracking"] | changed  # type: ignore[operator]
    with pytest.raises(InputError, match=re.escape(line)):
        check({**VALUES, "tracking": tracking})


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"loss": "focal"}, "task.loss=focal: names an option; write task/loss=focal"),
        (
            {"metrics": {"f1": "f1"}},
            "task.metrics.f1=f1: names an option; write +task/metric@task.metrics.f1=f1",
        ),
        (
            {"metric": {"_target_": "x.F1", "direction": "maximize"}},
            "task.metric: a metric needs a name, such as f1; write +task/metric@task.metrics.f1=f1",
        ),
    ],
)
def test_an_option_in_the_place_of_a_part_is_chosen_by_a_slash(
    part: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(said)}"):
        check(changed(task={**VALUES["task"], **part}))


def test_a_size_of_the_data_that_the_model_does_not_take_is_no_parameter() -> None:
    model = {"_target_": "my_models.Net", "inputs": None, "classes": 10, "depth": None}
    leaves = check(changed(model=model)).leaves()
    told = {key: value for key, value in leaves.items() if key.startswith("model.")}
    assert sizes_of((1, 1, 1), 1).keys() == SIZES
    assert told == {"model._target_": "my_models.Net", "model.classes": "10", "model.depth": "null"}
