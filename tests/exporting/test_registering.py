"""A registered export is a version in MLflow, linked to its run; MLflow loads and serves it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow.tracking._tracking_service.utils import _use_tracking_uri

from experiments.catalog.summary import Summary
from experiments.errors import InputError
from experiments.exporting.export import export
from experiments.exporting.registering import destination_of, register
from experiments.exporting.source import Source
from experiments.tracking.store import connect
from tests.conftest import clean_environment
from tests.programs import wait_until

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all


@pytest.mark.parametrize("kind", ["mlflow", pytest.param("onnx", marks=pytest.mark.slow)])
def test_a_version_is_linked_to_its_run_and_made_once(
    source: Source, run: Summary, made: Path, kind: str, tmp_path: Path
) -> None:
    copy = destination_of(run, kind, kind)
    folder = export(source, kind, tmp_path / kind).folder
    versions = {register(source, folder, kind, kind, copy) for _ in range(2)}
    (version,) = versions
    uri = f"sqlite:///{made}/mlflow.db"
    client = connect(uri)
    (known,) = client.search_model_versions(f"name = '{kind}'")
    assert (known.version, known.run_id) == (1, run.mlflow_id)
    logged = client.get_logged_model(version.model_id)
    assert (logged.source_run_id, logged.name) == (run.mlflow_id, f"export-{kind}")
    assert {metric.key for metric in logged.metrics} >= {"test_accuracy"}
    with _use_tracking_uri(uri):
        model = mlflow.pyfunc.load_model(f"models:/{kind}/1")
    answers = model.predict(source.images.numpy())
    logits = answers["logits"] if kind == "onnx" else answers
    np.testing.assert_allclose(logits, source.expected, atol=1e-4)


def test_what_cannot_be_registered_is_told(
    run: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="MLflow registers --format=mlflow or --format=onnx, not"):
        destination_of(run, "safetensors", "digits")
    for name in ("a/b", "a:b", "a@b", "anna's", " ", ".", "..a"):
        with pytest.raises(InputError, match=r"^--register=.*: a name in the registry holds"):
            destination_of(run, "mlflow", name)


def test_a_refusing_store_keeps_the_export(
    source: Source, run: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = destination_of(run, "mlflow", "refused")
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    def refuse(*_: object) -> None:
        raise MlflowException("no", error_code=PERMISSION_DENIED)

    monkeypatch.setattr("experiments.exporting.registering.version_of", refuse)
    monkeypatch.setattr("experiments.exporting.registering._logged", lambda *_: "m-1")
    with pytest.raises(InputError, match="is in kept and not registered: tracking"):
        register(source, Path("kept"), "mlflow", "refused", copy)


def test_a_run_without_mlflow_says_how_to_deliver_it(run: Summary, tmp_path: Path) -> None:
    events = (run.folder / "journal.jsonl").read_bytes()
    (tmp_path / "journal.jsonl").write_bytes(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.exporting.registering.Copies", lambda _: _Nowhere())
        with pytest.raises(
            InputError, match=r"the run is not in MLflow; `experiments sync .* --uri"
        ):
            destination_of(run, "mlflow", "digits")


class _Nowhere:
    last = None


@pytest.mark.slow  # the server takes more than ten seconds to begin
def test_mlflow_serves_the_export(source: Source, tmp_path: Path) -> None:
    folder = export(source, "mlflow", tmp_path / "model").folder
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    beside = Path(sys.executable).parent  # MLflow starts uvicorn by its name
    serve = subprocess.Popen(
        [
            *(beside / "mlflow", "models", "serve", "--env-manager", "local"),
            *("--port", str(port), "--model-uri", str(folder)),
        ],
        env=clean_environment() | {"PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: _is_there(port), seconds=120)
        body = json.dumps({"inputs": source.images[:3].tolist()}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = torch.tensor(json.load(response)["predictions"])
    finally:
        os.killpg(serve.pid, signal.SIGTERM)
        serve.wait()
    torch.testing.assert_close(answer, source.expected[:3])


def _is_there(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
