"""Kills children that save checkpoints without a pause, each at a random moment.

Prints three counts: kills after which the newest whole checkpoint was older than the last reported
one, kills that left an incomplete file, and saved checkpoints.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from experiments.run.checkpoint import Checkpoints


def save_for_ever(folder: Path, told: int) -> None:
    """Save checkpoints, and report each through a pipe."""
    checkpoints = Checkpoints(folder)
    weights = torch.zeros(200_000)
    for step in range(1, 10**9):
        checkpoints.save(step, {"weights": weights.fill_(step), "step": step})
        os.write(told, step.to_bytes(8))


def last_number(descriptor: int) -> int:
    """Return the last step that was reported as saved."""
    said = b""
    while more := os.read(descriptor, 65536):
        said += more
    return int.from_bytes(said[-8:]) if said else 0


def main() -> None:
    """Kill as many children as the command line says."""
    base, rounds = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torn = partial = saved = 0
    for number in range(rounds):
        folder = base / str(number)
        folder.mkdir(parents=True)
        listen, tell = os.pipe()
        child = os.fork()
        if child == 0:
            save_for_ever(folder, tell)
        os.close(tell)
        time.sleep(random.uniform(0.01, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        promised = last_number(listen)
        os.close(listen)
        partial += any(folder.glob(".*.partial"))
        state = Checkpoints(folder).load()
        step = state["step"] if state else 0
        whole = state is None or bool((state["weights"] == step).all())
        saved += promised
        torn += not (whole and promised <= step <= promised + 1)
    print(torn, partial, saved)


if __name__ == "__main__":
    main()
