"""conf/task: the loss, the metrics and the objective of the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from experiments.config.part import Choice, Own, Part
from experiments.config.types import Finite

Direction = Literal["minimize", "maximize"]
LOSS = "loss"


class CrossEntropyLoss(Part):
    """Cross-entropy of logits and class labels."""

    CLASS = "torch.nn.CrossEntropyLoss"
    model_config = ConfigDict(extra="allow")

    label_smoothing: Annotated[Finite, Field(ge=0, le=1)] = Field(default=0.0, examples=[0.1])
    """the share of each label that is spread over all classes, 0 to 1"""


class Metric(Part):
    """A metric of the outputs on the validation and test examples."""

    model_config = ConfigDict(extra="allow")
    OWN_KEYS = frozenset({"direction"})

    direction: Direction = Field(examples=["maximize"])
    """whether a larger value is better (maximize) or a smaller one (minimize)"""


Loss = Annotated[Part, Choice(CrossEntropyLoss, own=Own)]
MetricName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class TaskPart(Part):
    """The class that makes targets of the data, with its loss, metrics and objective."""

    model_config = ConfigDict(extra="allow")
    OWN_KEYS = frozenset({"loss", "metrics", "objective"})

    loss: Loss
    """the function of outputs and targets that the training minimises"""
    metrics: dict[MetricName, Metric]
    """the metrics by name; each is recorded as val_<name> and test_<name>"""
    objective: str = Field(examples=["accuracy"])
    """the metric that ranks runs, the name of one in task.metrics, or loss"""

    @model_validator(mode="after")
    def _has_the_objective(self) -> TaskPart:
        metric = (self.model_extra or {}).get("metric")
        if isinstance(metric, Mapping) and "_target_" in metric:
            raise ValueError(
                "task.metric: a metric needs a name, such as f1; write "
                "+task/metric@task.metrics.f1=f1"
            )
        if LOSS in self.metrics:
            raise ValueError(
                f"task.metrics.{LOSS}: the loss is recorded under this name; choose another name"
            )
        if self.objective not in self.names:
            raise ValueError(
                f"task.objective={self.objective}: is no metric of this task; choose from "
                f"{', '.join(self.names)}, or add "
                f"+task/metric@task.metrics.{self.objective}={self.objective}"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which values are recorded: the loss, then the metrics."""
        return (LOSS, *self.metrics)

    def direction_of(self, name: str) -> Direction:
        """Return the direction in which the loss or a metric is better."""
        return "minimize" if name == LOSS else self.metrics[name].direction
