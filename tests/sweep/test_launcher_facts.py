"""The facts about a launcher are stated in a YAML file, however it was chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import open_dict

from experiments.errors import InputError
from experiments.sweep.compose import SweepLoader
from experiments.sweep.launchers import LauncherFacts, launcher_facts
from tests.conftest import PROJECT
from tests.sweep.conftest import Sweep

WORKERS = "hydra/launcher@hydra.launcher.workers"


def facts(*overrides: str, target: str | None = None) -> LauncherFacts:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        loader = SweepLoader(GlobalHydra.instance().config_loader().get_search_path())
        config = loader.load_configuration("config", list(overrides), run_mode=RunMode.MULTIRUN)
        if target is not None:
            with open_dict(config):
                config.hydra.launcher = {"_target_": target}
        return launcher_facts(loader, config)


def test_the_file_of_the_class_states_them() -> None:
    found = facts("hydra/launcher=slurm")
    assert (found.remote, found.environment, found.extra) == (True, True, "slurm")
    assert facts("hydra/launcher=basic").in_this_process
    assert facts(target="hydra_plugins.of.mine.RayAWSLauncher").remote


def test_they_follow_the_settings_of_the_launcher() -> None:
    assert facts("hydra/launcher=processes", "hydra.launcher.n_jobs=3").processes == 3
    assert facts("hydra/launcher=joblib", "hydra.launcher.n_jobs=5").processes == 5
    assert not facts("hydra/launcher=ray_cluster").remote
    address = "hydra.launcher.ray.init.address=auto"
    assert facts("hydra/launcher=ray_cluster", address).remote


@pytest.mark.parametrize("name", ["JoblibLauncher", "RayLauncher"])
def test_a_setting_that_is_missing_is_none(name: str) -> None:
    found = facts(target=f"my.{name}")
    assert (found.remote, found.processes) == (False, None)


def test_below_vectorized_they_are_those_of_its_workers() -> None:
    chosen = ("hydra/launcher=vectorized", f"{WORKERS}=processes")
    assert facts(*chosen, "hydra.launcher.workers.n_jobs=7").processes == 7
    assert facts("hydra/launcher=vectorized") == facts("hydra/launcher=basic")


def test_a_launcher_without_a_file_is_one_on_this_machine() -> None:
    assert facts(target="elsewhere.Launcher") == LauncherFacts()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cores: 4", "OwnLauncher.yaml: cores=4: Extra inputs are not permitted; mend"),
        ("remote: perhaps", "OwnLauncher.yaml: remote=perhaps: Input should be a valid boolean"),
        ("processes: '4'", "OwnLauncher.yaml: processes=4: Input should be a valid integer"),
    ],
)
def test_a_wrong_fact_is_one_line(sweep: Sweep, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "conf/hydra/launcher_facts/OwnLauncher.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    chosen = ("hydra.launcher._target_=own.OwnLauncher", f"hydra.searchpath=[{tmp_path}/conf]")
    done = sweep.run("seed=0,1", *chosen, "tracking=none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not (sweep.folder / "outputs").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("hydra/launcher=processes", "n_jobs=0"), "hydra.launcher.n_jobs=0: it should not be 0"),
        (("hydra/launcher=processes", "n_jobs=two"), "n_jobs=two: Input should be a valid integer"),
        (
            ("hydra/launcher=vectorized", f"{WORKERS}=processes", "workers.n_jobs=0"),
            "hydra.launcher.workers.n_jobs=0: it should not be 0",
        ),
    ],
)
def test_a_wrong_setting_is_named_by_its_own_key(overrides: tuple[str, ...], message: str) -> None:
    *chosen, setting = overrides
    with pytest.raises(InputError) as refused:
        facts(*chosen, f"hydra.launcher.{setting}")
    assert message in str(refused.value)


def test_a_file_that_is_named_after_the_option_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hydra" / "launcher_facts" / "slurm.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("environment: false")
    searched = f"hydra.searchpath=[{tmp_path}]"
    with pytest.raises(InputError, match=r"/slurm\.yaml: has the name of .*; name it SlurmLaun"):
        facts("hydra/launcher=slurm", searched)
    assert facts("hydra/launcher=basic", searched).in_this_process


def test_a_program_that_is_missing_is_noticed_before_anything_is_created(sweep: Sweep) -> None:
    slurm = replace(sweep, launcher=("slurm",))
    done = slurm.run("seed=0,1", "tracking=none", PATH="")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: hydra/launcher=slurm: calls sbatch, which is not on the PATH")
    assert not (sweep.folder / "outputs").exists()


def test_no_launcher_and_workers_within_workers_are_refused() -> None:
    with pytest.raises(InputError, match="is no launcher"):
        facts("hydra.launcher=null")
    with pytest.raises(InputError, match="has workers itself; choose one without"):
        facts("hydra/launcher=vectorized", f"{WORKERS}=vectorized")


def test_no_advice_is_given_that_the_launcher_cannot_follow(sweep: Sweep) -> None:
    done = sweep.run("seed=0,1", "trainer.threads=2", "sweep.plan_only=true", "tracking=none")
    assert done.returncode == 0, done.stderr
    assert "trainer.threads=1" not in done.stdout
