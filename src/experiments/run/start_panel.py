"""The panel that shows the facts of a run before its training, only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.composition.run_names import run_name, short_names
from experiments.data.batches import count_batches

if TYPE_CHECKING:
    from experiments.config import RunConfig
    from experiments.run.build import Parts

_CONSTANT = "torch.optim.lr_scheduler.ConstantLR"


def print_start_panel(
    config: RunConfig, parts: Parts, overrides: Sequence[str], folder: Path, *, resumes: str | None
) -> None:
    """Print the facts of a run in a panel if stdout is a terminal.

    Args:
        config: the run's configuration.
        parts: the run's objects.
        overrides: the overrides, without secrets.
        folder: the run's folder.
        resumes: the place where the run resumes, such as `epoch 3, batch 8`; None for a new run.
    """
    if not sys.stdout.isatty():
        return
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts(config, parts, overrides, folder, resumes=resumes).items():
        table.add_row(name, Text(value))
    Console(highlight=False).print(Panel(table, expand=False))


def facts(
    config: RunConfig, parts: Parts, overrides: Sequence[str], folder: Path, *, resumes: str | None
) -> dict[str, str]:
    """Return the facts of a run in few words, by name; the arguments are the panel's."""
    trainer, splits = config.trainer, parts.splits
    parameters = sum(each.numel() for each in parts.model.parameters())
    optimizer, lr = _class(config.optimizer.target), parts.optimizer.defaults.get("lr")
    device = str(parts.device)
    if parts.device_kind != device:
        device += f" ({parts.device_kind})"
    sizes = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    told = [f"{len(split):,} {name}" for name, split in sizes.items() if split is not None]
    batches = count_batches(splits.train, config.data.batch_size, trainer.limit_batches)
    found = {
        "model": f"{_class(config.model.target)}, {parameters:,} parameters",
        "optimizer": optimizer if lr is None else f"{optimizer}, learning rate {float(lr):g}",
    }
    if config.schedule.target != _CONSTANT or config.schedule.arguments().get("factor") != 1:
        interval = config.schedule.interval
        found["schedule"] = f"{_class(config.schedule.target)}, a step per {interval}"
    found |= {
        "device": f"{device}, {trainer.threads} thread{'s' if trainer.threads > 1 else ''}",
        "data": f"{_class(config.data.target)}: {', '.join(told)} images",
        "epochs": f"{trainer.epochs} of {batches:,} batches, batch size {config.data.batch_size}",
    }
    if parts.team.size > 1:
        found["processes"] = f"{parts.team.size}, strategy {trainer.strategy}"
    if trainer.shards > 1:
        found["shards"] = f"{trainer.shards} of each batch"
    if short_names(overrides):
        found["overrides"] = run_name(overrides)
    found["folder"] = os.path.relpath(folder)
    if resumes:
        found["resumes"] = f"at {resumes}"
    return found


def _class(target: str) -> str:
    return target.rpartition(".")[2]
