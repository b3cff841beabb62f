"""Exports in the model registry of MLflow, with the run that they come from."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import journal
from experiments.catalog.summary import Summary
from experiments.config.tracking import REGISTRY_NAME
from experiments.delivery_process.logged_models import create, finish, version_of
from experiments.delivery_process.sync import sync_one, with_login
from experiments.errors import InputError, RunError
from experiments.tracking.copies import Copies
from experiments.tracking.destinations import Copy
from experiments.tracking.problems import problem_of
from experiments.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from experiments.exporting.source import Source

FORMATS = ("mlflow", "onnx")
"""the formats that MLflow's registry takes"""


@dataclass(frozen=True)
class Registered:
    """A version in the registry."""

    name: str
    version: str
    model_id: str
    """the id of the logged model"""
    run_id: str
    """the id of its run in MLflow"""


def destination_of(run: Summary, kind: str, name: str) -> Copy:
    """Return the copy of a run in MLflow that gets the export; deliver what the store lacks.

    Args:
        run: the run.
        kind: the format.
        name: the name in the registry.

    Raises:
        InputError: the registry takes no such format or name, or the run is not in MLflow.
        RunError: the store does not take the run.
    """
    if kind not in FORMATS:
        raise InputError(
            f"--register={name}: MLflow registers --format={' or --format='.join(FORMATS)}, "
            f"not --format={kind}"
        )
    if not re.fullmatch(REGISTRY_NAME, name):
        raise InputError(
            f"--register={name}: a name in the registry holds a letter or digit, none of / : @ ', "
            "and no .. at its beginning; for example --register=digits"
        )
    synced = sync_one(run.folder)
    if synced.outcome == "failed":
        raise RunError(f"--register={name}: MLflow has not taken the run: {synced.said}")
    copy = Copies(run.folder).last
    if copy is None or copy.run_id is None:
        raise InputError(
            f"--register={name}: the run is not in MLflow; `experiments sync "
            f"{os.path.relpath(run.folder)} --uri URI` delivers it, for example to "
            "sqlite:///mlflow.db"
        )
    return copy


def register(source: Source, folder: Path, kind: str, name: str, copy: Copy) -> Registered:
    """Log an export for its run in MLflow, unless it is there, and give it a version.

    Args:
        source: the run.
        folder: the export.
        kind: its format, one of `FORMATS`.
        name: the name in the registry.
        copy: the run's copy in MLflow.

    Raises:
        InputError: the store refuses it; the export stays.
        RunError: the store fails; the export stays.
    """
    store = with_login(copy.destination.store)
    try:
        client = connect(store)
        run = client.get_run(str(copy.run_id))
        model_id = _logged(client, run, source, folder, kind)
        version = version_of(client, name, [model_id], run.info.run_id)
    except Exception as error:
        problem = problem_of(error, store)
        kept = f"the export is in {os.path.relpath(folder)} and not registered: {problem.text}"
        raise (InputError if problem.mistake else RunError)(kept) from error
    return Registered(name, version, model_id, run.info.run_id)


def _logged(client: MlflowClient, run: Run, source: Source, folder: Path, kind: str) -> str:
    """Return the id of the run's logged model in a format; log or complete it if needed."""
    from mlflow.entities import LoggedModelStatus
    from mlflow.models import Model
    from mlflow.models.model import MLMODEL_FILE_NAME

    name = f"export-{kind}"
    mine = f"source_run_id = '{run.info.run_id}'"
    found = client.search_logged_models([run.info.experiment_id], mine)
    ours = {model.status: str(model.model_id) for model in found if model.name == name}
    if whole := ours.get(LoggedModelStatus.READY):
        return whole  # of the same weights
    model_id = ours.get(LoggedModelStatus.PENDING) or create(client, run, name)
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / name
        if kind == "onnx":
            _save_onnx(source, folder, path)
        else:
            shutil.copytree(folder, path)
        form = Model.load(path)
        form.run_id = run.info.run_id
        form.model_id = form.model_uuid = model_id
        form.save(path / MLMODEL_FILE_NAME)
        client.log_model_artifacts(model_id, str(path))
    finish(client, run, model_id, journal.history(source.trained.folder))
    return model_id


def _save_onnx(source: Source, folder: Path, path: Path) -> None:
    """Save the ONNX file of an export as MLflow does, to a new folder."""
    import mlflow.onnx
    import onnx

    from experiments.delivery_process.model_folder import signature_of
    from experiments.exporting.as_onnx import NAME
    from experiments.provenance.origin import version

    images = source.examples.numpy()
    mlflow.onnx.save_model(
        onnx.load_model(folder / NAME),
        str(path),
        signature=signature_of(images, source.expected[: len(images)].numpy()),
        input_example=images,
        pip_requirements=[f"{each}=={version(each)}" for each in ("onnx", "onnxruntime", "numpy")],
        metadata=source.description,
    )
