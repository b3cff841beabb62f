"""Hydra's own suite for the launcher; test_vectorized.py runs it, in a process of its own.

It loads Hydra's plugins anew again and again, and with them the classes that other tests hold.
"""

from __future__ import annotations

import pytest
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

from tests.conftest import PROJECT

# The suite's programs say nothing of a version_base.
pytestmark = pytest.mark.filterwarnings(r"ignore:\s*Future Hydra versions will no longer change")
FOUND = f"hydra.searchpath=[file://{PROJECT / 'conf'}]"


@pytest.mark.parametrize(("launcher_name", "overrides"), [("vectorized", [FOUND])])
class TestLauncher(LauncherTestSuite):
    pass


@pytest.mark.parametrize(
    ("launcher_name", "overrides"),
    [("vectorized", [FOUND, "hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2"])],
)
class TestBatchedSweeper(BatchedSweeperTestSuite):
    pass


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=vectorized", FOUND])]
)
class TestIntegration(IntegrationTestSuite):
    pass
