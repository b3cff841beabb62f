"""The facts about a launcher come from its YAML file, no matter how the launcher is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.errors import InputError
from experiments.sweep.launchers import About, about
from tests.conftest import PROJECT

WORKERS = "hydra/launcher@hydra.launcher.workers"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


def facts(*overrides: str, target: str | None = None) -> About:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", list(overrides), run_mode=_multirun())
        if target is not None:
            with open_dict(config):
                config.hydra.launcher = {"_target_": target}
        return about(loader, config)


def _multirun():  # type: ignore[no-untyped-def]
    from hydra.types import RunMode

    return RunMode.MULTIRUN


def test_the_file_states_them() -> None:
    found = facts("hydra/launcher=slurm")
    assert (found.remote, found.environment, found.extra) == (True, True, "slurm")


def test_they_follow_the_settings_of_the_launcher() -> None:
    assert facts("hydra/launcher=processes", "hydra.launcher.n_jobs=3").processes == 3
    assert not facts("hydra/launcher=ray_cluster").remote
    address = "hydra.launcher.ray.init.address=auto"
    assert facts("hydra/launcher=ray_cluster", address).remote


def test_a_plugin_s_own_configuration_has_those_of_its_class() -> None:
    assert facts("hydra/launcher=basic") == facts("hydra/launcher=sequential")
    assert facts("hydra/launcher=joblib", "hydra.launcher.n_jobs=5").processes == 5
    assert facts(target=SLURM) == facts("hydra/launcher=slurm")


def test_below_vectorized_they_are_those_of_its_workers() -> None:
    chosen = ("hydra/launcher=vectorized", f"{WORKERS}=processes")
    assert facts(*chosen, "hydra.launcher.workers.n_jobs=7").processes == 7
    assert facts("hydra/launcher=vectorized") == facts("hydra/launcher=basic")


def test_a_launcher_without_a_description_is_one_on_this_machine() -> None:
    assert facts(target="elsewhere.Launcher") == About()


def test_other_facts_are_refused() -> None:
    with pytest.raises(InputError, match="cores; it may have remote, environment"):
        facts("hydra/launcher=slurm", "+hydra.launcher.about.cores=4")


def test_no_launcher_is_handed_them(tmp_path: Path) -> None:
    from experiments.sweep.launchers import _instantiate

    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", ["hydra/launcher=sequential"], _multirun())
        before = OmegaConf.to_yaml(config)
        assert isinstance(config, DictConfig)
        from hydra.types import HydraContext

        context = HydraContext(loader, None)  # type: ignore[arg-type]
        launcher = _instantiate(context, lambda _: None, config, config.hydra.launcher)
        assert type(launcher).__name__ == "BasicLauncher"
        assert OmegaConf.to_yaml(config) == before
