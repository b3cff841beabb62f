"""The model of a finished run as a logged model of MLflow, and as a version in its registry.

This needs torch and takes seconds, so it is done after the command has ended; nobody waits for it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments import journal
from experiments.files.locks import locked
from experiments.journal import History
from experiments.provenance.origin import version
from experiments.tracking.copies import Copies
from experiments.tracking.destinations import Copy
from experiments.tracking.mlflow_run import storable
from experiments.tracking.store import address

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

NAME = "model"
"""the name of the logged model in its run, so that `runs:/ID/model` names it"""
_NICE = 19  # the lowest priority, since the next command may be training already
_EXAMPLES = 2  # of one image, torch.export would take the batch size for fixed


def log_models(client: MlflowClient, uri: str, folder: Path) -> list[str]:
    """Log and register the model of a finished run at each copy that lacks it.

    Args:
        client: a client to the store.
        uri: the store's tracking address.
        folder: the run's folder.

    Returns:
        The ids of the logged models.

    Raises:
        InputError: the run's files are damaged.
        MlflowException: the store fails.
    """
    if not any(copy.lacks_model for copy in Copies(folder).in_store(address(uri))):
        return []
    past = journal.history(folder)
    if past.status != "FINISHED" or "weights_sha256" not in past.tags:
        return []  # a diverged run keeps no weights
    with locked(folder / ".model.lock"):
        copies = Copies(folder).in_store(address(uri))
        lacking = [copy for copy in copies if copy.complete and copy.lacks_model]
        return [_provide(client, uri, past, copy) for copy in lacking]


def _provide(client: MlflowClient, uri: str, past: History, copy: Copy) -> str:
    model_id = copy.model_id
    if model_id is None:
        model_id = _log(client, uri, past, str(copy.run_id))
        _note(past.folder, copy, model_id=model_id)
    if copy.wishes.register is not None:
        _register(client, copy, model_id)
        _note(past.folder, copy, registered=copy.wishes.register)
    return model_id


def _note(folder: Path, copy: Copy, **changes: str) -> None:
    copies = Copies(folder)
    with copies.alone():
        for each in copies:
            if each.run_id == copy.run_id:
                copies.change(each, **changes)
                return


def _log(client: MlflowClient, uri: str, past: History, run_id: str) -> str:
    """Log a run's model as a graph of torch.export, without pickle; return the model's id."""
    os.nice(_NICE - os.nice(0))
    import mlflow
    import mlflow.pytorch
    import torch
    from mlflow.models import Model

    from experiments.run.load_model import load_model

    experiment_id = client.get_run(run_id).info.experiment_id
    if (earlier := _logged_before(client, experiment_id, run_id)) is not None:
        return earlier
    torch.set_num_threads(1)
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=experiment_id)
    model = load_model(past.folder)
    images = np.zeros((_EXAMPLES, *_shape_of_images(past)), np.float32)
    with torch.no_grad():
        info = Model.log(
            artifact_path=None,
            name=NAME,
            flavor=mlflow.pytorch,
            run_id=run_id,
            step=max(step for _, step in past.points),  # of the test, whose metrics the model gets
            pytorch_model=model,
            signature=_signature(images, model(torch.from_numpy(images)).numpy()),
            input_example=images,
            pip_requirements=[f"{name}=={version(name)}" for name in ("torch", "numpy")],
            serialization_format="pt2",
        )
    return str(info.model_id)


def _logged_before(client: MlflowClient, experiment_id: str, run_id: str) -> str | None:
    """Return the model of a run that an earlier process has logged; delete half of one."""
    from mlflow.entities import LoggedModelStatus

    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    for model in found:
        if model.name == NAME and model.status == LoggedModelStatus.READY:
            return str(model.model_id)
        client.delete_logged_model(model.model_id)
    return None


def _shape_of_images(past: History) -> tuple[int, ...]:
    """Return (C, H, W), as the journal describes the run's images."""
    schema = json.loads(past.start["dataset"]["schema"])["mlflow_tensorspec"]
    (_, *shape) = json.loads(schema["features"])[0]["tensor-spec"]["shape"]
    return tuple(shape) if len(shape) == 3 else (1, *shape)


def _signature(images: np.ndarray, logits: np.ndarray) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    inputs, outputs = (
        Schema([TensorSpec(array.dtype, (-1, *array.shape[1:]))]) for array in (images, logits)
    )
    return ModelSignature(inputs=inputs, outputs=outputs)


def _register(client: MlflowClient, copy: Copy, model_id: str) -> None:
    """Give a model a version in the registry, unless it has one, and its alias."""
    from mlflow.exceptions import MlflowException

    name, source = storable(str(copy.wishes.register)), f"models:/{model_id}"
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = client.search_model_versions(f"run_id = '{copy.run_id}'")
    found = [each.version for each in known if each.name == name and each.source == source]
    if not found:
        made = client.create_model_version(name, source, run_id=copy.run_id, model_id=model_id)
        found = [made.version]
    if copy.wishes.alias is not None:
        client.set_registered_model_alias(name, copy.wishes.alias, found[0])
