"""One MLflow database for the tests of tracking."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from experiments.tracking.store import connect


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="session")
def client(uri: str) -> MlflowClient:
    return connect(uri)
