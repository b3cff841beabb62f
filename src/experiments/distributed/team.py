"""The exchanges of a run's processes in its training. N is the number of processes.

On one process each exchange returns what it was given. So the same code trains on any number.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from experiments.distributed.meeting import Meeting, meeting
from experiments.distributed.waiting import PATIENCE, wait_for
from experiments.distributed.world import World, world
from experiments.errors import ElsewhereError, RunError
from experiments.process.signals import Interrupted, asked, end_by_oneself

_DIMENSIONS = 16  # the most that a gathered tensor has
_TYPES = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


T = TypeVar("T")


class Team:
    """The processes of a run."""

    def __init__(self, place: World, met: Meeting | None = None) -> None:
        self.rank, self.size = place.rank, place.size
        self._met = met
        self.signal = 0
        """the signal by which all processes have agreed to stop; 0 for none"""

    @property
    def is_first(self) -> bool:
        """Whether this process records, saves and prints."""
        return self.rank == 0

    def check(self) -> None:
        """Stop if all processes have agreed to; they agree in an exchange, so at the same batch.

        Raises:
            Interrupted: one of them has got a signal.
        """
        if self.signal:
            raise Interrupted(self.signal)

    @property
    def asked(self) -> int:
        """The signal that this process has got, to be told to the others; 0 for none."""
        return asked() if self.size > 1 else 0

    def hear(self, signals: Iterable[float]) -> None:
        """Agree on the signals that the processes have told each other, in the order of ranks."""
        self.signal = self.signal or int(max(signals))

    def exchange(self, parts: Tensor) -> Tensor:
        """Send part r to rank r; return the parts for this process, in the order of ranks.

        Args:
            parts: (N, ...), contiguous.
        """
        if self.size == 1:
            return parts
        from torch.distributed import all_to_all_single

        found = torch.empty_like(parts)
        self.attempt(lambda: wait_for(all_to_all_single(found, parts, async_op=True), found.device))
        return found

    def gather(self, own: Tensor) -> Tensor:
        """Return the tensors of all processes, (N, ...), in the order of ranks.

        Args:
            own: this process's, (...), contiguous and of the same shape everywhere.
        """
        if self.size == 1:
            return own.unsqueeze(0)
        from torch.distributed import all_gather_into_tensor

        found = own.new_empty(self.size * own.numel())
        self.attempt(
            lambda: wait_for(all_gather_into_tensor(found, own.view(-1), async_op=True), own.device)
        )
        return found.view(self.size, *own.shape)

    def gather_outputs(self, own: Tensor | None, device: torch.device) -> list[Tensor]:
        """Return the tensors of those processes that have one, in the order of ranks.

        The processes also tell each other their signals.

        Args:
            own: this process's, of any shape and type; None if it has none.
            device: the device of all of them.

        Raises:
            RunError: a tensor has too many dimensions or an unusual type.
        """
        if self.size == 1:
            return [] if own is None else [own]
        told = [self.asked, -1, 0, *[0] * _DIMENSIONS]
        if own is not None:
            if own.dim() > _DIMENSIONS or own.dtype not in _TYPES:
                raise RunError(
                    f"model: outputs of type {own.dtype} with {own.dim()} dimensions cannot be "
                    "sent between processes; train with one process"
                )
            shape = [*own.shape, *[0] * (_DIMENSIONS - own.dim())]
            told = [self.asked, _TYPES.index(own.dtype), own.dim(), *shape]
        heads = self.gather(torch.tensor(told, device=device)).tolist()
        self.hear(head[0] for head in heads)
        forms = [
            (_TYPES[kind], shape[:dimensions]) for _, kind, dimensions, *shape in heads if kind >= 0
        ]
        sizes = [torch.Size(shape).numel() * kind.itemsize for kind, shape in forms]
        sent = torch.zeros(max(sizes, default=0), dtype=torch.uint8, device=device)
        if own is not None:
            content = _bytes_of(own)
            sent[: len(content)] = content
        everyone = self.gather(sent)
        given = [row for row, head in zip(everyone, heads, strict=True) if head[1] >= 0]
        return [
            row[:size].clone().view(kind).view(shape)
            for row, size, (kind, shape) in zip(given, sizes, forms, strict=True)
        ]

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give the tensors of rank 0 to all processes, in place; they have the same shapes."""
        if self.size == 1 or not tensors:
            return
        from torch.distributed import broadcast

        flat = torch.cat([_bytes_of(each) for each in tensors])
        self.attempt(lambda: wait_for(broadcast(flat, 0, async_op=True), flat.device))
        if not self.is_first:
            parts = torch.split(flat, [each.numel() * each.element_size() for each in tensors])
            for each, part in zip(tensors, parts, strict=True):
                each.copy_(part.clone().view(each.dtype).view(each.shape))

    def content_of_first(self, content: bytes, device: torch.device) -> bytes:
        """Return the bytes that rank 0 gives; those of the others do not count."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)], device=device)
        self.share([length])
        sent = torch.zeros(int(length), dtype=torch.uint8, device=device)
        if self.is_first and content:
            sent.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        self.share([sent] if len(sent) else [])
        return sent.cpu().numpy().tobytes()

    def attempt(self, exchange: Callable[[], T]) -> T:
        """Call a function that exchanges data, alone or with other computations; return its result.

        Raises:
            RunError: a process has ended meanwhile.
        """
        try:
            return exchange()
        except RuntimeError as error:
            from torch.distributed import DistError

            # Gloo raises no class of its own; its texts begin with the place in its source.
            if not isinstance(error, DistError) and "/gloo/" not in str(error):
                raise
            raise self._lost() from error

    def _lost(self) -> RunError:
        """Return the error for an exchange that has failed because a process has ended."""
        end_by_oneself()
        assert self._met is not None  # noqa: S101  (a team of one has no exchange)
        goes_on = "everything saved before is intact: repeat the command, which resumes the run"
        try:
            failure, speaks = self._met.failure(), self._met.speaks_first()
        except RuntimeError:  # without torchrun rank 0 holds the store
            return RunError(
                f"rank {self.rank} of {self.size}: rank 0 has ended, after a line if it could give "
                f"the reason; {goes_on}"
            )
        if failure is None and speaks:
            return RunError(
                f"rank {self.rank} of {self.size}: another process of the run has ended without a "
                f"word, such as one that was killed; {goes_on}"
            )
        return ElsewhereError(failure or "another process of the run was lost")


ALONE = Team(World())


def join(device: torch.device) -> Team:
    """Return the connected team of this run's processes, which all call this.

    Args:
        device: the device on which this process trains.
    """
    place = world()
    if place.size == 1:
        return ALONE
    from torch.distributed import init_process_group

    met = meeting()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    team = Team(place, met)
    team.attempt(
        lambda: init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=met.store,
            rank=place.rank,
            world_size=place.size,
            timeout=PATIENCE,
            device_id=device if device.type == "cuda" else None,
        )
    )
    return team


def leave() -> None:
    """Close the connections of `join`, if there are any."""
    if world().size > 1:
        from torch.distributed import destroy_process_group, is_initialized

        if is_initialized():
            gc.collect()  # a `DistributedDataParallel` in a circle would outlive its connections
            destroy_process_group()


def _bytes_of(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)
