"""The profile of a few training steps: a trace, and a table of where the time goes."""

from __future__ import annotations

import gzip
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from experiments.files.safe_writes import make_folder, write_all, write_atomically
from experiments.tracking import Recorder
from experiments.tracking.artifact_names import PROFILE
from experiments.training.marks import BACKWARD, DATA, FORWARD, OPTIMIZER, Marks

_log = logging.getLogger(__name__)

_WARM_UP = 5  # steps before the profiled ones: allocations, planned kernels, compilation
_ROWS, _TOP = 40, 3
_STEP = "ProfilerStep*"


class Profile(Marks):
    """Profiles the first steps of this process, after a warm-up of five.

    The steps compute the same bits as without a profile, and take a little longer.
    """

    def __init__(self, steps: int, device: torch.device, recorder: Recorder, folder: Path) -> None:
        self._asked, self._steps, self._device = steps, steps, device
        self._recorder, self._folder = recorder, folder
        self._profiler: Any = None
        self._done = 0

    @contextmanager
    def running(self, left: int) -> Iterator[None]:
        """Profile a training; write the profile as soon as its steps are done, or at the end.

        Args:
            left: the number of its steps. A profile that lasts to the last of them ends there, so
                that the last evaluation and checkpoint are not in it.
        """
        self._steps = max(1, min(self._asked, left - _WARM_UP))
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it reports its start and end otherwise
        activities = [ProfilerActivity.CPU]
        activities += [ProfilerActivity.CUDA] if self._device.type == "cuda" else []
        self._profiler = profile(
            activities=activities,
            schedule=schedule(wait=_WARM_UP - 1, warmup=1, active=self._steps, repeat=1),
            acc_events=True,
        )
        self._profiler.start()
        try:
            yield
            if self._profiler is not None:
                self._end()
        finally:
            if self._profiler is not None:
                self._profiler.stop()

    def phase(self, name: str) -> AbstractContextManager[object]:
        """Return the context of a phase."""
        return record_function(name) if self._profiler is not None else super().phase(name)

    def batches(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches; to make one is a phase."""
        while True:
            with self.phase(DATA):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def end_step(self) -> None:
        """End an optimizer step."""
        if self._profiler is None:
            return
        self._done += 1
        if self._done == _WARM_UP + self._steps:
            self._end()
        else:
            self._profiler.step()

    def _end(self) -> None:
        """Stop the profiler, and write what it has seen."""
        profiler, self._profiler = self._profiler, None
        profiler.stop()
        count = self._done - _WARM_UP
        if count < 1:
            _log.warning(
                "No profile: the training had %d steps, and the first %d are the warm-up",
                self._done,
                _WARM_UP,
            )
            return
        folder = self._folder / PROFILE
        make_folder(folder)
        averages = profiler.key_averages()
        by = "self_cpu_time_total" if self._device.type != "cuda" else "self_device_time_total"
        summary = shares(averages, count)
        table = averages.table(sort_by=by, row_limit=_ROWS, max_name_column_width=60)
        write_all(folder, {"table.txt": f"{summary}\n\n{table}\n".encode()})
        staged = folder / ".trace.json"
        profiler.export_chrome_trace(str(staged))
        write_atomically(folder / "trace.json.gz", gzip.compress(staged.read_bytes(), mtime=0))
        staged.unlink()
        self._recorder.artifacts(f"{PROFILE}/table.txt", f"{PROFILE}/trace.json.gz")
        _log.info("%s", summary)
        place, why = os.path.relpath(folder), ""
        if count < self._asked:
            had = f"the training had {self._done} steps here, {_WARM_UP} of them as the warm-up"
            why = f"; {count} of {self._asked} steps, as {had}"
        said = "Profile: %s/table.txt; ui.perfetto.dev opens %s/trace.json.gz%s"
        _log.info(said, place, place, why)


def shares(averages: Sequence[Any], steps: int) -> str:
    """Return where the time of profiled steps went, in one line.

    Args:
        averages: torch's averages of events by name, with times in microseconds.
        steps: the number of steps.
    """
    times = {each.key: each.cpu_time_total for each in averages if each.is_user_annotation}
    whole = times.pop(_STEP)
    parts = {name: times.get(name, 0.0) for name in (DATA, FORWARD, BACKWARD, OPTIMIZER)}
    parts["other"] = whole - sum(parts.values())
    told = ", ".join(f"{name} {value / whole:.0%}" for name, value in parts.items())
    operations = [each for each in averages if not each.is_user_annotation]
    operations.sort(key=lambda each: -each.self_cpu_time_total)
    top = ", ".join(f"{e.key} {e.self_cpu_time_total / whole:.0%}" for e in operations[:_TOP])
    line = f"{steps} steps of {whole / steps / 1000:.3f} ms: {told}; most time in {top}"
    on_device = [each for each in operations if each.self_device_time_total > 0]
    if on_device:
        on_device.sort(key=lambda each: -each.self_device_time_total)
        busy = sum(each.self_device_time_total for each in on_device)
        top = ", ".join(f"{e.key} {e.self_device_time_total / busy:.0%}" for e in on_device[:_TOP])
        line += f"; the GPU computes for {busy / whole:.0%} of the time, most in {top}"
    return line
