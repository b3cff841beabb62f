"""The data that a finished run was trained on, or other data for its model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from experiments.config import DataPart
from experiments.data.batches import count_batches
from experiments.data.datasets import IdxImages, shipped
from experiments.data.splits import Splits, load
from experiments.errors import InputError, unreadable
from experiments.inference.trained import Trained
from experiments.target_classes import resolve
from experiments.training.evaluation import EVALUATION_BATCH


def data_of(trained: Trained) -> Splits:
    """Return the data of a run: the whole training set, and the test set.

    Raises:
        InputError: the data is not here, or has changed.
    """
    splits = load_data(trained.settings["data"])
    if splits.sha256 != trained.data_sha256:
        raise InputError(
            f"data.root={trained.settings['data']['root']}: the data there is not the data of the "
            "run; restore the files"
        )
    return splits


def examples_of(trained: Trained) -> tuple[Tensor, Tensor]:
    """Return the images that a run was tested on, and their targets; those of classes are labels.

    Raises:
        InputError: the data is not here, or has changed.
    """
    test = data_of(trained).test
    limit = trained.settings["trainer"]["limit_batches"]
    seen = min(len(test), count_batches(test, EVALUATION_BATCH, limit) * EVALUATION_BATCH)
    images = test.images[:seen]
    return images, trained.targets(images, test.labels[:seen])


def load_data(settings: Mapping[str, Any], *, fetch: bool = False) -> Splits:
    """Return the training and test set of a configuration's group `data`.

    Args:
        settings: the group's values.
        fetch: whether to fetch missing files of a shipped data set.

    Raises:
        InputError: the files are not there or damaged, or the class cannot be used.
    """
    target, root = str(settings["_target_"]), str(settings["root"])
    known = shipped(target)
    if known is not None and not fetch and not known.is_fetched(root):
        raise InputError(
            f"data.root={root}: the files of the data set are not there, and only training "
            "fetches them; restore them"
        )
    cls: type = known or resolve("data", target, Dataset, IdxImages)
    own = {"_target_", *DataPart.OWN_KEYS}
    try:
        return load(cls, {str(key): value for key, value in settings.items() if key not in own})
    except OSError as error:
        raise unreadable(error, Path(error.filename or root)) from error
