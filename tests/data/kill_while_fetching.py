"""Let 8 processes fetch the same slow data set and kill them at a random moment, 20 times.

Prints the number of rounds, and the number of rounds that damaged the files.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from experiments.data import Digits, fetch


def slowly(staging: Path) -> None:
    """Write the digits in small pieces, so that a kill hits a half-written file."""
    fetch.SCIKIT_LEARN.deliver(staging)
    for name in fetch.FILES:
        content = (staging / name).read_bytes()
        with (staging / name).open("wb", buffering=0) as file:
            for start in range(0, len(content), len(content) // 10 + 1):
                file.write(content[start : start + len(content) // 10 + 1])
                time.sleep(0.005)


class Slow(Digits):
    """The digits from a slow source."""

    SOURCES = (fetch.Source("a slow source", slowly),)


def main(root: Path) -> None:
    """Run the rounds and print the counts."""
    rng = random.Random(0)
    slowly_once = root / "reference"
    slowly_once.mkdir()
    slowly(slowly_once)
    whole = {name: (slowly_once / name).read_bytes() for name in fetch.FILES}
    folder = root / "Slow" / "raw"
    damaged = 0
    for _ in range(20):
        if rng.random() < 0.5:
            shutil.rmtree(folder, ignore_errors=True)
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                Slow(root=str(root), train=True)
                os._exit(0)
            children.append(child)
        time.sleep(rng.uniform(0, 0.3))
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
        there = {path.name: path.read_bytes() for path in folder.glob("t*-ubyte")}
        damaged += any(whole[name] != content for name, content in there.items())
        Slow(root=str(root), train=True)  # the next run finds or fetches valid data
        if list(folder.glob(".fetching-*")):
            damaged += 1
    print(f"20 rounds, {damaged} damaged")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
