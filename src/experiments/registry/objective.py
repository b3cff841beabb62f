"""The objective of a run: the metric that ranks it; and measures, by which runs are compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from experiments.config.task import TaskPart

Direction = Literal["minimize", "maximize"]
OBJECTIVE, DIRECTION = "objective", "objective_direction"
"""the tags of a run with the name of its objective, and the direction in which it is better"""
_LARGE = 1e6


def sign_of(direction: Direction) -> int:
    """Return 1 if a larger value is better, -1 if a smaller one is."""
    return 1 if direction == "maximize" else -1


def is_share(metric: str) -> bool:
    """Return whether a metric is a share, 0 to 1, which is shown in per cent: an accuracy."""
    return metric.endswith("accuracy")


def shown(metric: str, value: float) -> str:
    """Return a metric's value as text, such as `97.54 %` or `0.08123`; empty for NaN."""
    if math.isnan(value):
        return ""
    return f"{100 * value:.2f} %" if is_share(metric) else _digits(value, 4)


def _digits(value: float, count: int) -> str:
    """Return a number with so many significant digits, below a million without an exponent."""
    if 10**count <= abs(value) < _LARGE:
        return f"{value:.0f}"
    return f"{value:#.{count}g}".removesuffix(".")


@dataclass(frozen=True)
class Measure:
    """A metric by which runs are compared, the direction in which it is better, and its forms."""

    name: str
    """its words, such as `validation accuracy`, or the key of a metric"""
    direction: Direction
    images: Literal["validation", "test"] | None = None
    """the images on which an objective is measured; None for another metric"""

    @property
    def is_share(self) -> bool:
        """Whether its values are shares, 0 to 1, which are shown in per cent."""
        return is_share(self.name)

    @property
    def sign(self) -> int:
        """1 if a larger value is better, -1 if a smaller one is."""
        return sign_of(self.direction)

    def goodness(self, value: float) -> float:
        """Return a number that is larger for a better value."""
        return self.sign * value

    @property
    def points(self) -> str:
        """The word after a difference of values."""
        return " points" if self.is_share else ""

    def shown(self, value: float) -> str:
        """Return a value as text; empty for NaN."""
        return shown(self.name, value)

    def difference(self, value: float) -> str:
        """Return a difference of values as text; of shares in points, such as `2.19`."""
        return f"{100 * value:.2f}" if self.is_share else _digits(value, 4)

    def deviation(self, value: float) -> str:
        """Return a standard deviation as text, without a unit; empty for NaN."""
        if math.isnan(value):
            return ""
        return f"{100 * value:.2f}" if self.is_share else _digits(value, 2)

    def figure(self, mean: float, deviation: float) -> str:
        """Return a mean and its standard deviation as text, such as `97.54 ± 0.12 %`."""
        if math.isnan(deviation):
            return self.shown(mean)
        unit = " %" if self.is_share else ""
        return f"{self.shown(mean).removesuffix(unit)} ± {self.deviation(deviation)}{unit}"

    def span(self, interval: tuple[float, float]) -> str:
        """Return an interval as text, such as `97.31 to 97.77 %`."""
        low, high = map(self.shown, interval)
        return f"{low.removesuffix(' %')} to {high}"


@dataclass(frozen=True)
class Objective:
    """The metric of its task, or the loss, that ranks a run."""

    name: str = "accuracy"
    direction: Direction = "maximize"

    @classmethod
    def of_task(cls, task: TaskPart) -> Objective:
        """Return the objective that a configuration chooses."""
        return cls(task.objective, task.direction_of(task.objective))

    @classmethod
    def of_tags(cls, tags: Mapping[str, str]) -> Objective:
        """Return the objective in a run's tags; accuracy for older runs, which tell none."""
        if OBJECTIVE not in tags:
            return cls()
        is_lower = tags.get(DIRECTION) == "minimize"
        return cls(tags[OBJECTIVE], "minimize" if is_lower else "maximize")

    @property
    def tags(self) -> dict[str, str]:
        """The tags that tell it."""
        return {OBJECTIVE: self.name, DIRECTION: self.direction}

    @property
    def sign(self) -> int:
        """1 if a larger value is better, -1 if a smaller one is."""
        return sign_of(self.direction)

    @property
    def keys(self) -> tuple[str, str, str]:
        """The metrics of a run that can tell it; the first that the run has is its value.

        They are that of the best epoch, that of the last, and with no validation images the test.
        """
        return f"best_val_{self.name}", f"val_{self.name}", f"test_{self.name}"

    def value(self, metrics: Mapping[str, float]) -> float:
        """Return its value among the last metrics of a run; NaN if the run has none."""
        return next((metrics[key] for key in self.keys if key in metrics), math.nan)

    def is_validated(self, metrics: Mapping[str, float]) -> bool:
        """Return whether a run with these metrics has measured it on validation images."""
        return f"val_{self.name}" in metrics

    def measure(self, *, validated: bool) -> Measure:
        """Return the measure of runs with validation images, or of runs without."""
        images: Literal["validation", "test"] = "validation" if validated else "test"
        return Measure(f"{images} {self.name}", self.direction, images)

    def beside(self, other: Objective) -> str:
        """Return its name, and its direction if another objective has the same name."""
        return self.name if self.name != other.name else f"{self.name}, {self.direction}d"


ACCURACY = Objective()
"""the objective of runs that tell none"""


def most_frequent(objectives: Iterable[Objective]) -> Objective:
    """Return the objective that most have, of equally many the first; accuracy without any."""
    counted = Counter(objectives).most_common(1)
    return counted[0][0] if counted else ACCURACY
