"""What the processes of a run compare or take from rank 0, so that none of them drifts away."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from experiments.distributed.team import Team
from experiments.errors import RunError


def check_agreement(
    team: Team, model: nn.Module, stop_reason: str | None, epoch: int
) -> str | None:
    """Check that all processes have the same weights; return whether and why rank 0 stops.

    They compare the sum of the bits of each weight and buffer, which costs little and differs if
    one bit does.

    Args:
        team: the processes.
        model: the model of this process.
        stop_reason: the reason for which a callback stops the training here; None if none does.
        epoch: the epoch that has ended.

    Raises:
        RunError: a process has other weights than rank 0.
    """
    if team.size == 1:
        return stop_reason
    weights = model.state_dict()
    sums = [_bits(value) for value in weights.values()]
    told = torch.stack([sums[0].new_tensor(stop_reason is not None), *sums])
    first, *others = team.gather(told).tolist()
    for rank, other in enumerate(others, start=1):
        for name, own, its in zip(weights, first[1:], other[1:], strict=True):
            if own != its:
                raise RunError(
                    f"epoch {epoch}: {name} differs between rank 0 and rank {rank}; a callback, "
                    "the optimizer or the model must not compute differently by time, process or "
                    "random numbers of its own: mend it and repeat the command"
                )
    stops = bool(first[0])
    return (stop_reason or "a callback of rank 0") if stops else None


def _bits(value: Tensor) -> Tensor:
    """Return the sum of a tensor's bytes at their places, int64."""
    content = value.detach().contiguous().reshape(-1).view(torch.uint8)
    if len(content) % 4 == 0:
        return content.view(torch.int32).sum(dtype=torch.int64)
    return content.sum(dtype=torch.int64)


def names_of_first(team: Team, names: Sequence[str], device: torch.device) -> list[str]:
    """Return the names that rank 0 gives; those of the others do not count."""
    if team.size == 1:
        return list(names)
    content = team.content_of_first(json.dumps(list(names)).encode(), device)
    found: list[str] = json.loads(content)
    return found
