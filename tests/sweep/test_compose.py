"""The fast composition of jobs equals Hydra's own composition."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

import experiments.composition.hydra_config  # noqa: F401  (for its resolvers)
from experiments.errors import InputError
from experiments.sweep.compose import SweepLoader, _composed, expand
from tests.conftest import PROJECT

JOBS = [
    (),
    ("seed=1",),
    ("optimizer.lr=0.5", "seed=2"),
    ("optimizer=adamw", "optimizer.lr=0.5"),
    ("optimizer.lr=0.5", "optimizer=adamw"),
    ("model=convnet", "experiment=offline", "trainer.epochs=3"),
    ("experiment=article_plain", "optimizer.lr=1e-3"),
    ("model.hidden=[3,4]", "trainer.limit_batches=null"),
    ("+model.extra=1", "model.extra=2", "seed=3"),
    ("~schedule.interval", "seed=4"),
    ("++seed=5",),
    ("schedule=step", "schedule.step_size=2", "hydra.sweep.subdir='a b'"),
    ("tracking.experiment='it\\'s'", "data.root='/a b/c'"),
]


@pytest.fixture
def loader() -> Iterator[SweepLoader]:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        _composed.clear()  # as in another process
        known = GlobalHydra.instance().config_loader()
        yield SweepLoader(known.get_search_path())


def master(loader: SweepLoader) -> DictConfig:
    return loader.load_configuration("config", ["seed=0,1"], RunMode.MULTIRUN)


def plain(config: DictConfig) -> object:
    return OmegaConf.to_container(config)  # unresolved: ${now:} and ${unique:} differ each time


@pytest.mark.parametrize("overrides", JOBS, ids=lambda overrides: " ".join(overrides) or "none")
def test_a_job_is_what_hydra_composes(loader: SweepLoader, overrides: tuple[str, ...]) -> None:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    config = master(loader)
    slow = plain(ConfigLoaderImpl.load_sweep_config(loader, config, list(overrides)))
    loader.load_sweep_config(config, overrides[:1])  # the shared composition must stay as it is
    assert plain(loader.load_sweep_config(config, overrides)) == slow
    assert plain(loader.load_sweep_config(config, overrides)) == slow


@pytest.mark.parametrize(
    "typed",
    [
        "hydra.sweep.subdir=${hydra.job.num}",
        "hydra.sweep.subdir=${hydra.job.override_dirname}",
        "hydra.job.name=job_${seed}",
        "hydra.run.dir=${outputs}/${optimizer.lr}",
    ],
)
def test_what_an_override_of_hydra_s_interpolates_is_left_to_each_job(
    loader: SweepLoader, typed: str
) -> None:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    config = loader.load_configuration("config", ["seed=0,1", typed], RunMode.MULTIRUN)
    slow = plain(ConfigLoaderImpl.load_sweep_config(loader, config, ["seed=1"]))
    assert plain(loader.load_sweep_config(config, ["seed=1"])) == slow


def test_jobs_share_timestamps_and_no_values(loader: SweepLoader) -> None:
    config = master(loader)
    assert config.hydra.sweep.dir  # resolved now, so that it is the same for all jobs
    first, second = (loader.load_sweep_config(config, [f"seed={seed}"]) for seed in (1, 2))
    assert first.hydra.sweep.dir == second.hydra.sweep.dir == config.hydra.sweep.dir
    OmegaConf.update(first, "optimizer.lr", 9.0)
    assert second.optimizer.lr == 0.01


def test_an_unknown_key_is_refused(loader: SweepLoader) -> None:
    with pytest.raises(ConfigCompositionException):
        loader.load_sweep_config(master(loader), ["seed=1", "optimizer.lrr=1"])


def test_it_can_be_sent_to_another_process(loader: SweepLoader) -> None:
    config = master(loader)
    here = loader.load_sweep_config(config, ["seed=1"])
    there = pickle.loads(pickle.dumps(loader))
    assert plain(there.load_sweep_config(config, ["seed=1"])) == plain(here)


def test_all_combinations_in_hydra_s_order(loader: SweepLoader) -> None:
    jobs = expand(["seed=range(2)", "model=glob(*)", "trainer.epochs=3"], loader, at_most=4)
    assert jobs == [
        ("seed=0", "model=convnet", "trainer.epochs=3"),
        ("seed=0", "model=simplenet", "trainer.epochs=3"),
        ("seed=1", "model=convnet", "trainer.epochs=3"),
        ("seed=1", "model=simplenet", "trainer.epochs=3"),
    ]


def test_what_is_given_twice_counts_once(loader: SweepLoader) -> None:
    assert expand(["seed=0,1", "seed=2"], loader, at_most=10) == [("seed=2",)]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["seed=range(1000000)"], "1,000,000"),
        (["seed=range(0,2000000000,2)", "optimizer.lr=0.1,0.2"], "2,000,000,000"),
        (["optimizer.lr=range(0,10,0.01)", "seed=0,1"], "2,000"),
    ],
)
def test_a_slip_of_the_finger_is_counted_not_made(
    loader: SweepLoader, arguments: list[str], count: str
) -> None:
    with pytest.raises(InputError, match=f"sweep.max_jobs=1000: this sweep has {count} jobs"):
        expand(arguments, loader, at_most=1000)


def test_no_values_are_refused(loader: SweepLoader) -> None:
    with pytest.raises(InputError, match="seed=range\\(0\\): has no values"):
        expand(["seed=range(0)", "optimizer.lr=0.1,0.2"], loader, at_most=10)


def test_an_interval_is_refused(loader: SweepLoader) -> None:
    with pytest.raises(InputError, match="an interval has endless values"):
        expand(["optimizer.lr=interval(0,1)"], loader, at_most=10)
