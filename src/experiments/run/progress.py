"""The progress bar of a run, which is shown only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from experiments.run.lines import loss

if TYPE_CHECKING:
    from experiments.training.position import Position

_REDRAW_SECONDS = 0.1
_WIDE = 60  # columns; fewer leave no room for the metrics, which the lines above the bar have


@contextmanager
def progress_bar(
    position: Position,
    metrics: Callable[[], Mapping[str, float]],
    *,
    epochs: int,
    batches: int,
) -> Iterator[Callable[[], None]]:
    """Show the bar of a run on a terminal; yield a function to call after every batch.

    Args:
        position: the run's position, which the training advances.
        metrics: returns the metrics of the last epoch, empty before its end.
        epochs: the number of epochs of the run.
        batches: the number of batches in an epoch.
    """
    if not sys.stdout.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(soft_wrap=True, highlight=False)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True)
    is_wide = console.width >= _WIDE
    with Progress(*columns, console=console, transient=True) as progress:

        def description() -> str:
            return _in_short(position.epoch, epochs, metrics() if is_wide else {})

        task = progress.add_task(description(), total=epochs * batches, completed=position.steps)
        shown = 0.0

        def advance() -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= _REDRAW_SECONDS:
                shown = now
                progress.update(task, completed=position.steps, description=description())

        yield advance


def _in_short(epoch: int, epochs: int, metrics: Mapping[str, float]) -> str:
    """Return the current epoch, and the loss and the first validation metric of the last one."""
    told = [f"epoch {min(epoch, epochs)}/{epochs}"]
    told += [f"loss {loss(metrics['train_loss'])}"] if "train_loss" in metrics else []
    names = [key for key in metrics if key.startswith("val_") and key != "val_loss"]
    told += [f"{key.removeprefix('val_')} {metrics[key]:.4f}" for key in names[:1]]
    return " ".join(told)
