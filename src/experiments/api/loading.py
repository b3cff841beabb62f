"""`load`: the model of a finished run, ready to use."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.api.entry_point import from_python
from experiments.api.process_state import like_a_new_process
from experiments.api.project import find_conf, importable
from experiments.catalog.find import find_run
from experiments.errors import InputError

if TYPE_CHECKING:
    from torch import nn


@from_python
def load(
    run: str | Path,
    *,
    outputs: str | Path = "outputs",
    config_dir: str | Path | None = None,
) -> nn.Module:
    """Return the model of a finished run on the CPU, in evaluation mode.

    It takes normalised images, float32 (B, C, H, W), and returns what its class returns: logits,
    float32 (B, K), for a classifier.

    Args:
        run: its folder, or the beginning of its id, of its identity or of its MLflow run id, as the
            command `experiments` takes it.
        outputs: the folder of all runs.
        config_dir: the folder conf of the project whose modules hold the class of the model; None
            looks for the one beside a train.py, in the current folder and above it.

    Raises:
        InputError: there is no such run, it has no weights, or its class cannot be used; the text
            is one line.
    """
    found = find_run(str(run), Path(outputs))
    return load_from(found.folder, _project(config_dir))


def load_from(folder: Path, project: Path | None) -> nn.Module:
    """Return the model of the run in a folder, with a class that may lie in a project's folder.

    Raises:
        InputError: the run has no weights, or its class cannot be used.
    """
    with like_a_new_process(), nullcontext() if project is None else importable(project):
        from experiments.run.load_model import load_model

        return load_model(folder)


def _project(config_dir: str | Path | None) -> Path | None:
    try:
        return find_conf(config_dir).parent
    except InputError:
        if config_dir is not None:
            raise
        return None  # the class of the model may be an installed one
