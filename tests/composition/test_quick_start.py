"""Hydra composes once where nothing can set its mode, and gives the same results."""

import shutil
from pathlib import Path

import pytest
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra

from experiments.api.project import hydra_in
from experiments.composition.quick_start import may_set_mode

CONF = Path(__file__).parents[2] / "conf"
MODES = {
    "in the main file": ("config.yaml", "hydra:\n  mode: MULTIRUN\n"),
    "dotted": ("config.yaml", "hydra.mode: MULTIRUN\n"),
    "in braces": ("config.yaml", "hydra: {mode: MULTIRUN}\n"),
    "in a group of Hydra's": ("hydra/sweeper/other.yaml", "mode: MULTIRUN\n"),
    "in a package of Hydra's": ("model/other.yaml", "# @package hydra\nmode: MULTIRUN\n"),
    "in another place by the list of defaults": (
        "model/other.yaml",
        "defaults: [/data/mnist@hydra]\n",
    ),
    "in another place, by a longer name": (
        "model/other.yaml",
        "defaults: [/data/mnist@_global_.hydra]\n",
    ),
    "in another folder": ("model/other.yaml", "hydra: {searchpath: [file:///x]}\n"),
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONF, tmp_path / "conf"))


def may_set(conf: Path, *overrides: str) -> bool:
    with hydra_in(conf) as hydra:
        return may_set_mode(hydra, overrides)


def test_the_shipped_configuration_leaves_the_mode_open(conf: Path) -> None:
    assert not may_set(conf, "optimizer.lr=0.1", "model=convnet", "hydra/launcher=processes")


@pytest.mark.parametrize("name", MODES)
def test_a_file_that_may_set_the_mode_is_noticed(conf: Path, name: str) -> None:
    file, text = MODES[name]
    old = (conf / file).read_text() if (conf / file).exists() else ""
    (conf / file).write_text(f"{old}\n{text}")
    assert may_set(conf)


def test_a_file_that_cannot_be_read_and_a_circle_leave_it_to_hydra(conf: Path) -> None:
    link = conf / "model" / ".#simplenet.yaml"
    link.symlink_to("nobody@nowhere")  # Emacs makes such links beside files with unsaved edits
    assert may_set(conf)
    link.unlink()
    (conf / "again").symlink_to(conf)
    assert may_set(conf)


@pytest.mark.parametrize(
    "override",
    [
        "hydra.mode=RUN",
        "++hydra.mode=RUN",
        "hydra={mode: RUN}",
        "+data@hydra=mnist",
        "+a@_global_.hydra=b",
    ],
)
def test_an_override_that_may_set_the_mode_is_noticed(conf: Path, override: str) -> None:
    assert may_set(conf, override)


def test_hydra_still_has_what_is_spared() -> None:
    assert callable(Hydra.get_mode)
    assert callable(Hydra.list_all_config_groups)
    assert not GlobalHydra.instance().is_initialized()
