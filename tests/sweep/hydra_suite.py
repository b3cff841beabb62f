"""Hydra's own test suite for launchers; test_vectorized.py runs it in a separate process.

The suite reloads Hydra's plugins many times, and so replaces classes that other tests hold.
"""

from __future__ import annotations

import pytest
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

from tests.conftest import PROJECT

# The suite's programs set no version_base.
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
