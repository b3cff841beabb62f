"""Hydra and the logging of a program are its own again after a call."""

from __future__ import annotations

import logging
import logging.config
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import experiments
from experiments.process.logs import restored_logging
from tests.conftest import PROJECT

CONF = PROJECT / "conf"


def test_a_program_that_uses_hydra_goes_on_with_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("number: 1\n")
    with initialize_config_dir(str(tmp_path), job_name="mine", version_base="1.3"):
        mine = GlobalHydra.instance()
        assert experiments.compose(["seed=4"], config_dir=CONF).seed == 4
        assert GlobalHydra.instance() is mine
        assert compose("mine").number == 1
    assert not GlobalHydra.instance().is_initialized()
    assert sys.path.count(str(PROJECT)) == 1


def test_the_handlers_of_a_program_stay_open(tmp_path: Path) -> None:
    log = logging.getLogger("of a program")
    handler = logging.FileHandler(tmp_path / "log", mode="w")
    log.addHandler(handler)
    log.warning("before")
    roots = logging.root.handlers
    with restored_logging():
        assert logging.root.handlers == []
        logging.config.dictConfig({"version": 1, "root": {"level": "DEBUG", "handlers": []}})
        assert log.disabled
    log.warning("after")
    assert (tmp_path / "log").read_text() == "before\nafter\n"
    assert logging.root.handlers is roots
    log.removeHandler(handler)
    handler.close()
