"""An epoch of train.py's loop and of the same training in JAX, in turns.

The same: MNIST as bytes on the device, a shuffle of each epoch within the measured time, batches of
64 and a last one of 32, cross-entropy, SGD with momentum 0.9, float32. JAX compiles the whole epoch
to one scan (`benchmarks.jax_loop`); its first epoch, with the compilation, does not count, as ours
does not, which warms up. Both have the first two cores that this process may use: torch by its
number of threads, JAX by the affinity, from which XLA takes its number of threads.

`make bench-jax` makes JAX's environment, `.venv-jax`, and runs this.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.process import PROJECT
from benchmarks.ratios import TURNS, Ratio, Samples
from benchmarks.report import as_command, report, spread
from benchmarks.training import composed, epoch_seconds, trained
from experiments.run.build import load_splits

PYTHON = PROJECT / ".venv-jax" / "bin" / "python"
THREADS = 2
EPOCHS = 5  # the first of them warms up
OURS, JAX = "train.py's loop", "JAX's scan"
RATIOS = {"an epoch / JAX's": Ratio(OURS, JAX, aim=1.0)}
ALIKE = 0.1  # relative; other weights and shuffles change an epoch's loss less


def keep_arrays(file: Path) -> None:
    """Write MNIST's training split as NumPy arrays, as `benchmarks.jax_loop` takes them."""
    split = load_splits(composed()).train
    images = split.images.flatten(1).numpy()
    np.savez(file, images=images, labels=split.labels.numpy().astype(np.int32))


def theirs(file: Path) -> dict[str, Any]:
    """Train in JAX in a process of its own; return its seconds, losses and version."""
    command = (PYTHON, PROJECT / "benchmarks" / "jax_loop.py", file, str(EPOCHS))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measure() -> tuple[Samples, dict[str, list[float]], str]:
    """Return the median seconds of each turn, the losses of all epochs, and JAX's version."""
    seconds: dict[str, list[float]] = {OURS: [], JAX: []}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mnist.npz"
        keep_arrays(file)
        for _ in range(TURNS):
            told = trained(f"trainer.epochs={EPOCHS}", f"trainer.threads={THREADS}")
            seconds[OURS].append(statistics.median(epoch_seconds(told)[1:]))
            other = theirs(file)
            seconds[JAX].append(statistics.median(other["seconds"][1:]))
    ours = [told.points["train_loss", epoch] for epoch in range(1, EPOCHS + 1)]
    return seconds, {OURS: ours, JAX: other["losses"]}, other["jax"]


def main() -> str | None:
    """Measure and report; return a line if the two trainings are not the same."""
    if not PYTHON.exists():
        return f"{PYTHON.relative_to(PROJECT)}: is missing; `make bench-jax` makes it"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    seconds, losses, version = measure()
    rows = [
        (name, spread(values, "{:.3f}"), " ".join(f"{loss:.3f}" for loss in losses[name]))
        for name, values in seconds.items()
    ]
    header = ("MNIST, batch 64, 2 threads", "s per epoch", "losses of epochs 1 to 5")
    title = f"An epoch of SimpleNet in torch and in JAX {version}"
    report("jax_epoch", title, header, rows, seconds=seconds, ratios=RATIOS)
    apart = [abs(a / b - 1) for a, b in zip(losses[OURS], losses[JAX], strict=True)]
    if max(apart) > ALIKE:
        return f"jax_epoch: the losses differ by {max(apart):.0%}; these are two trainings"
    return None


if __name__ == "__main__":
    as_command(main, __doc__)
