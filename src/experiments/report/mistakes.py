"""The answers of a finished run's model to the test images; the only module that needs torch."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.composition.hydra_errors import in_one_line
from experiments.errors import InputError, unreadable

if TYPE_CHECKING:
    from torch import Tensor

    from experiments.data.splits import Splits

_WORST = 24


@dataclass(frozen=True)
class Mistake:
    """A test image with a wrong answer."""

    number: int
    """its place in the test set"""
    image: str
    """a PNG as a `data:` address"""
    truth: int
    answer: int
    confidence: float
    """the model's probability of its answer, 0 to 1"""


@dataclass(frozen=True)
class Answers:
    """The answers to the test images."""

    counts: tuple[tuple[int, ...], ...]
    """a row for each class, with the number of each answer"""
    worst: tuple[Mistake, ...]
    """wrong answers, the most confident first"""

    @property
    def total(self) -> int:
        """The number of images."""
        return sum(map(sum, self.counts))

    @property
    def correct(self) -> int:
        """The number of right answers."""
        return sum(row[place] for place, row in enumerate(self.counts))


def answers_of(folder: Path, data_sha256: str) -> Answers:
    """Let a finished run's model answer the test images again.

    Args:
        folder: the run's folder, with `config.yaml` and the weights.
        data_sha256: the checksum of the run's data.

    Raises:
        InputError: the weights are missing or damaged, the data is not here or has changed, or the
            model's code cannot be used any more.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from experiments.run.load_model import load_model

    model = load_model(folder)
    try:
        loaded = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=True)
    except (OSError, OmegaConfBaseException) as error:
        raise InputError(f"{folder / 'config.yaml'}: {in_one_line(error)}") from error
    assert isinstance(loaded, dict)  # noqa: S101  (the configuration was checked)
    settings: Mapping[Any, Any] = loaded
    try:
        splits = _data(settings["data"])
    except OSError as error:
        raise unreadable(error, Path(error.filename or settings["data"]["root"])) from error
    if splits.sha256 != data_sha256:
        raise InputError(
            f"data.root={settings['data']['root']}: the data there is not the data of the run; "
            "restore the files"
        )
    return _answers(model, splits, settings)


def _data(settings: Mapping[str, Any]) -> Splits:
    from experiments.config import DataPart
    from experiments.data.datasets import shipped
    from experiments.data.splits import load

    known, root = shipped(settings["_target_"]), str(settings["root"])
    if known is not None and not known.is_fetched(root):
        raise InputError(
            f"data.root={root}: the files of the data set are not there, and a report fetches "
            "nothing; restore them"
        )
    cls: type = known or _own(settings["_target_"])
    own = {"_target_", *DataPart.OWN_KEYS}
    return load(cls, {str(key): value for key, value in settings.items() if key not in own})


def _own(target: str) -> type:
    from torch.utils.data import Dataset

    from experiments.data.datasets import IdxImages
    from experiments.target_classes import resolve

    found: type = resolve("data", target, Dataset, IdxImages)
    return found


def _answers(model: Any, splits: Splits, settings: Mapping[Any, Any]) -> Answers:
    import torch

    from experiments.data.batches import batches
    from experiments.randomness import derive, seed_all
    from experiments.target_classes import explained
    from experiments.training.evaluation import EVALUATION_BATCH

    test, limit = splits.test, settings["trainer"]["limit_batches"]
    classes = int(max(splits.train.labels.max(), test.labels.max())) + 1
    seed_all(derive(int(settings["seed"]), "test"))  # as the run itself did
    found: list[Tensor] = []
    with explained("model: to answer the test images", "bring back the code of the run"):
        with torch.no_grad():
            found = [model(images) for images, _ in batches(test, EVALUATION_BATCH, limit=limit)]
        shares, answers = torch.cat(found).softmax(1).max(1)
    labels = test.labels[: len(answers)]
    classes = max(classes, int(answers.max()) + 1)
    counts = torch.bincount(labels * classes + answers, minlength=classes**2)
    wrong = (answers != labels).nonzero().flatten()
    worst = wrong[shares[wrong].argsort(descending=True, stable=True)][:_WORST]
    mistakes = [
        Mistake(
            number,
            _as_png(test.images[number]),
            int(labels[number]),
            int(answers[number]),
            float(shares[number]),
        )
        for number in worst.tolist()
    ]
    table = counts.reshape(classes, classes).tolist()
    return Answers(tuple(tuple(row) for row in table), tuple(mistakes))


def _as_png(image: Tensor) -> str:
    """Return an image, uint8 (H, W) or (C, H, W), as a `data:` address."""
    from PIL import Image

    if image.dim() == 3:  # three channels are colours; of others the first is shown
        image = image.permute(1, 2, 0) if image.shape[0] == 3 else image[0]
    file = io.BytesIO()
    Image.fromarray(image.contiguous().numpy()).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
