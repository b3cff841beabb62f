"""Names of runs: short, distinct, and without overrides that change no result."""

from __future__ import annotations

import itertools

import pytest

from experiments.composition.run_names import key_of, run_name, short_names, value_of


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "defaults"),
        (["optimizer.lr=0.01", "optimizer=sgd_momentum", "seed=1"], "lr=0.01 sgd_momentum s1"),
        (["+optimizer.nesterov=true"], "nesterov=true"),
        (["~optimizer.momentum"], "momentum=removed"),
        (["model.hidden=[64,32]"], "hidden=[64,32]"),
        (["+experiment=article_plain"], "article_plain"),
        (["force=true", "outputs=x", "tracking=none", "tracking.uri=y"], "defaults"),
        (["hydra/launcher=basic", "sweep.max_jobs=2", "hydra.job.name=a"], "defaults"),
        (["optimizer.lr=0.1", "schedule.lr=0.2"], "optimizer.lr=0.1 schedule.lr=0.2"),
        (["model=small", "data=small"], "model=small data=small"),
    ],
)
def test_a_name_tells_the_overrides_in_few_words(overrides: list[str], name: str) -> None:
    assert run_name(overrides) == name


def test_different_overrides_have_different_names() -> None:
    values = itertools.product(("sgd", "adamw"), ("sgd", "adamw"), ("1", "2"), ("1", "2"))
    names = [
        run_name([f"optimizer={a}", f"schedule={b}", f"optimizer.step={c}", f"schedule.step={d}"])
        for a, b, c, d in values
    ]
    assert len(set(names)) == len(names)


def test_short_names_come_in_the_order_of_the_overrides() -> None:
    assert short_names(["seed=3", "trainer.epochs=2"]) == ["s3", "epochs=2"]


def test_a_key_and_its_value() -> None:
    assert (key_of("++a.b=c=d"), value_of("++a.b=c=d")) == ("a.b", "c=d")
