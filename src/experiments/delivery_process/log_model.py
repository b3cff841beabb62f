"""The model of a finished run as a logged model of MLflow, and as a version in its registry.

This needs torch and takes seconds, so it is done after the command has ended; nobody waits for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments import journal
from experiments.delivery_process.logged_models import create, finish, version_of
from experiments.delivery_process.model_folder import EXAMPLES, save_model
from experiments.errors import InputError, shortened, text_of
from experiments.files.locks import locked
from experiments.journal import History
from experiments.tracking.copies import Copies
from experiments.tracking.destinations import Copy
from experiments.tracking.spelling import storable
from experiments.tracking.store import address
from experiments.tracking.tag_names import MODEL_PROBLEM

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NAME = "model"
"""the name of the logged model in its run, so that `runs:/ID/model` names it"""


def log_models(client: MlflowClient, uri: str, folder: Path) -> list[str]:
    """Log and register the model of a finished run at each copy that lacks it.

    Args:
        client: a client to the store.
        uri: the store's tracking address.
        folder: the run's folder.

    Returns:
        The ids of the logged models.

    Raises:
        InputError: the run's files are damaged, or the model cannot be logged.
        MlflowException: the store fails.
    """
    past = journal.history(folder)
    if past.status != "FINISHED" or "weights_sha256" not in past.tags:
        return []  # a diverged run keeps no weights
    with locked(folder / ".model.lock"):
        copies = Copies(folder).in_store(address(uri))
        lacking = [copy for copy in copies if copy.complete and copy.lacks_model]
        models = [copy.model_id for copy in copies if copy.model_id]
        return [_provide(client, past, copy, models) for copy in lacking]


def _provide(client: MlflowClient, past: History, copy: Copy, models: Sequence[str]) -> str:
    """Log and register the model of a copy; `models` are those of all copies."""
    # `runs:/ID/model` finds only a model that was logged for this run.
    model_id = copy.model_id or _logged(client, past, copy)
    _note(past.folder, copy, model_id=model_id)
    if copy.wishes.register is not None:
        _register(client, copy, [model_id, *models])
        _note(past.folder, copy, registered=copy.wishes.register)
    return model_id


def _note(folder: Path, copy: Copy, **changes: str) -> None:
    copies = Copies(folder)
    with copies.alone():
        for each in copies:
            if each.run_id == copy.run_id:
                copies.change(each, **changes)
                return


def _logged(client: MlflowClient, past: History, copy: Copy) -> str:
    """Return the id of a run's logged model, which is logged or completed if needed.

    An earlier process may have logged it, or half of it. Half of a model is not deleted, because a
    server permits that to few users.
    """
    from mlflow.entities import LoggedModelStatus

    run = client.get_run(str(copy.run_id))
    mine = f"source_run_id = '{copy.run_id}'"
    found = client.search_logged_models([run.info.experiment_id], mine)
    ours = {model.status: str(model.model_id) for model in found if model.name == NAME}
    whole = ours.get(LoggedModelStatus.READY)
    return whole or _log(client, past, copy, run, ours.get(LoggedModelStatus.PENDING))


def _log(client: MlflowClient, past: History, copy: Copy, run: Run, half: str | None) -> str:
    """Log a run's model as a graph of torch.export, without pickle; return the model's id.

    Raises:
        InputError: torch.export cannot trace the model; the run has a tag with the reason.
    """
    import torch
    from mlflow.models import Model
    from mlflow.models.model import MLMODEL_FILE_NAME

    from experiments.run.describe_data import image_shape
    from experiments.run.load_model import load_model

    torch.set_num_threads(1)
    model = load_model(past.folder)
    form = Model(run_id=run.info.run_id)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        try:
            images = np.zeros((EXAMPLES, *image_shape(past)), np.float32)
            save_model(model, images, path, form)
        except OSError:  # of the disk, not of the model
            raise
        except Exception as error:
            reason = shortened(f"{type(error).__name__}: {text_of(error).splitlines()[0]}", 300)
            client.set_tag(run.info.run_id, MODEL_PROBLEM, storable(reason))
            _note(past.folder, copy, model_problem=reason)
            raise InputError(
                f"model: torch.export cannot trace it, so MLflow does not get it ({reason})"
            ) from error
        model_id = half or create(client, run, NAME)
        form.model_id = form.model_uuid = model_id
        form.save(path / MLMODEL_FILE_NAME)
        client.log_model_artifacts(model_id, str(path))
    finish(client, run, model_id, past)
    return model_id


def _register(client: MlflowClient, copy: Copy, models: Sequence[str]) -> None:
    """Give the first of a run's models a version, unless one of them has it, and its alias."""
    name = storable(str(copy.wishes.register))
    found = version_of(client, name, models, str(copy.run_id))
    if copy.wishes.alias is not None:
        client.set_registered_model_alias(name, copy.wishes.alias, found)
