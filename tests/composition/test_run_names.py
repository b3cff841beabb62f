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
        (["+model.token=${oc.env:EXPERIMENTS_SECRET_MODEL_TOKEN}"], "token#1"),
        (["+model.token=$\\{oc.env\\:EXPERIMENTS_SECRET_MODEL_TOKEN_2\\}"], "token#2"),
        (["+model.token_2=${oc.env:EXPERIMENTS_SECRET_MODEL_TOKEN_2_2}"], "token_2#2"),
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


def test_a_given_name_comes_before_the_varied_values_alone() -> None:
    overrides = ["optimizer.lr=0.1", "seed=1", "model=convnet"]
    assert run_name(overrides, (), "base") == "base"
    assert run_name(overrides, ("seed",), "base") == "base: s1"
    assert run_name(overrides, ("optimizer.lr", "seed"), "base") == "base: lr=0.1 s1"
    long = [run_name(["optimizer.lr=0.1", f"seed={seed}"], ("seed",), "x" * 200) for seed in (0, 1)]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 200
