"""Points that a resumed run reports once more, because its journal is newer than its checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from experiments import journal
from experiments.journal.events import redefined_by


class Repeats:
    """The points that a run has in its journal already, each as often as it is there.

    A run that is trained again from a checkpoint reports the same points in the same order. So each
    is skipped as often as the journal has it, and a value after these at the same step is new.
    """

    def __init__(self, left: Mapping[tuple[str, int], int] | None = None) -> None:
        self._left = Counter(left or {})

    @classmethod
    def since(cls, folder: Path, end: int = 0, state: Sequence[Sequence[Any]] = ()) -> Self:
        """Return the points in a journal from a byte offset on.

        Args:
            folder: the run's folder.
            end: the offset: the end of the journal when the checkpoint was saved.
            state: the points before it that the run had not reported again by then.

        Raises:
            InputError: the journal is damaged.
        """
        repeats = cls({(str(key), int(step)): int(count) for key, step, count in state})
        for event in journal.read(folder, end)[0]:
            repeats.forget(redefined_by(event))
            if event["event"] == "metrics":
                repeats._left.update((key, event["step"]) for key in event["metrics"])
        return repeats

    def take(self, key: str, step: int) -> bool:
        """Return whether a point is a repeated one, which then counts once less."""
        is_repeated = self._left[key, step] > 0
        if is_repeated:
            self._left[key, step] -= 1
        return is_repeated

    def forget(self, keys: Collection[str]) -> None:
        """Take the points of some metrics for new ones."""
        for point in [each for each in self._left if each[0] in keys]:
            del self._left[point]

    def state(self) -> list[tuple[str, int, int]]:
        """Return the points that are left, for a checkpoint."""
        return [(key, step, count) for (key, step), count in self._left.items() if count]
