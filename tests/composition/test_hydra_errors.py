"""Typical mistakes in overrides lead to the override that was meant."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir

from experiments.composition.hydra_errors import in_one_line
from tests.conftest import PROJECT

MISTAKES = {
    "a metric without a name": (
        "task/metric=f1",
        "task/metric=f1: each needs a name; write +task/metric@task.metrics.f1=f1",
    ),
    "an argument of a nested part": (
        "task.loss.label_smothing=0.1",
        "task.loss.label_smothing: unknown key; did you mean task.loss.label_smoothing?",
    ),
    "an argument without its file": (
        "task.loss.weight=[1]",
        "+task.loss.weight=… gives an argument of CrossEntropyLoss that its file does not name",
    ),
    "a callback by value": ("callbacks.ema=ema", "choose a callback by callbacks=ema"),
    "a null group": (
        "optimizer=null",
        "optimizer=null: names no option; name an option, such as model=simplenet",
    ),
    "a null key": (
        "~model.inputs",
        "~model.inputs: there is no such key, or it is null, which is the same; leave",
    ),
    "another value": (
        "~optimizer.lr=3",
        "~optimizer.lr: the value of 'optimizer.lr' is 0.01 and not 3; write ~optimizer.lr alone",
    ),
    "a group that is not in the defaults": (
        "hydra/launcher_facts=BasicLauncher",
        "nothing is chosen from hydra/launcher_facts so far; write +hydra/launcher_facts=BasicL",
    ),
}


@pytest.mark.parametrize(("override", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_names_the_override_that_was_meant(override: str, message: str) -> None:
    with (
        initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"),
        pytest.raises(Exception, match=r".") as caught,
    ):
        compose("config", [override])
    assert message in str(in_one_line(caught.value))
