"""The model of a finished run, with the facts of its configuration that its use needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from experiments import journal
from experiments.catalog.summary import SHORT
from experiments.data.batches import normalise
from experiments.errors import InputError
from experiments.inference.class_names import class_names
from experiments.inference.code import edited_modules
from experiments.randomness import derive, seed_all
from experiments.run.describe_data import image_shape
from experiments.run.load_model import load_model, load_settings
from experiments.target_classes import build, explained, resolve
from experiments.tasks import Classification, Task
from experiments.tracking.tag_names import NAME
from experiments.training.evaluation import EVALUATION_BATCH
from experiments.training.precision import Precision, computing_in, outputs_of

_OF_TASK = frozenset({"_target_", "loss", "metrics", "objective"})  # the others are arguments


@dataclass(frozen=True)
class Trained:
    """A finished run's model on the CPU, in evaluation mode, and the facts of its use."""

    folder: Path
    id: str
    """the id of the run's journal"""
    name: str
    """the name of the run"""
    model: nn.Module
    """takes normalised images, float32 (B, C, H, W)"""
    shape: tuple[int, int, int]
    """channels, height and width of its images"""
    settings: Mapping[str, Any]
    """the resolved configuration"""
    data: str
    """the name of the class of its data set, such as `MNIST`"""
    data_sha256: str
    task: Task
    """makes the targets of its labels; it has neither loss nor metrics"""

    edited: Sequence[str]
    """the user's modules of the model's class that have changed since the training"""

    @property
    def classifies(self) -> bool:
        """Whether its outputs are logits of classes."""
        return isinstance(self.task, Classification)

    @property
    def short(self) -> str:
        """The beginning of the id, as lists show it."""
        return self.id[:SHORT]

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.settings["seed"])

    @property
    def precision(self) -> Precision:
        """The precision that the run computed in; runs of older versions computed in float32."""
        found: Precision = self.settings["trainer"].get("precision", "float32")
        return found

    def logits(self, images: Tensor, precision: Precision | None = None) -> Tensor:
        """Return the model's outputs, in batches, as the test of the run computes them.

        Args:
            images: bytes (N, C, H, W) or (N, H, W), on the CPU.
            precision: another precision than that of the run.

        Returns:
            float32 (N, K), logits of K classes if the model classifies.

        Raises:
            InputError: the model's own code fails.
        """
        seed_all(derive(self.seed, "test"))  # as the run itself did
        with (
            explained("model: to answer images", "bring back the code of the run"),
            torch.no_grad(),
            computing_in(precision or self.precision, images.device),
        ):
            parts = map(normalise, torch.split(images, EVALUATION_BATCH))
            return torch.cat([outputs_of(self.model, part) for part in parts])

    def targets(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the targets of the run's task, such as the classes, for bytes and their labels.

        Raises:
            InputError: the task's own code fails.
        """
        parts = zip(
            torch.split(images, EVALUATION_BATCH),
            torch.split(labels, EVALUATION_BATCH),
            strict=True,
        )
        with explained("task: to make targets", "bring back the code of the run"):
            return torch.cat([self.task.targets(normalise(some), told) for some, told in parts])

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the softmax of `logits`, float32 (N, K).

        Raises:
            InputError: the run is no classifier, or as `logits`.
        """
        self.check_classifies()
        return self.logits(images).softmax(1)

    def check_classifies(self) -> None:
        """Check that the outputs are logits of classes.

        Raises:
            InputError: the run has another task.
        """
        if not self.classifies:
            raise InputError(
                f"{self.short}: its task is {self.settings['task']['_target_']}, whose outputs "
                "are no classes; name a run with task=classification"
            )

    def names(self, classes: int) -> Sequence[str]:
        """Return a name for each of so many classes."""
        return class_names(self.settings["data"]["_target_"], classes)


def load_trained(folder: Path) -> Trained:
    """Return the model of the run in a folder.

    A class of the user's must be importable; see `sys.path`.

    Raises:
        InputError: the run has no weights, a file is damaged, or a class cannot be used.
    """
    past = journal.history(folder)
    settings = load_settings(folder)
    given = {key: value for key, value in settings["task"].items() if key not in _OF_TASK}
    task = build("task", resolve("task", str(settings["task"]["_target_"]), Task), {}, given)
    return Trained(
        folder=folder,
        id=str(past.start["id"]),
        name=past.tags.get(NAME, str(past.start["name"])),
        model=load_model(folder),
        shape=image_shape(past),
        settings=settings,
        data=str(settings["data"]["_target_"]).rpartition(".")[2],
        data_sha256=str(past.start["tags"].get("data_sha256", "")),
        task=task,
        edited=edited_modules(folder, str(settings["model"]["_target_"])),
    )
