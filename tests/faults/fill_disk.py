"""Runs train.py on a small tmpfs and fills it after the second epoch.

Prints the exit code and all output, and copies the content of the tmpfs to another folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.programs import start, wait_for_epoch


def main() -> None:
    """Mount the tmpfs, start the run, fill the disk, copy the files."""
    mount, kept, root = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(mount)), check=True)
    process = start(mount, root, "Slow", "trainer.epochs=8", "tracking=none")
    wait_for_epoch(process, 2)
    with (mount / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass
    output, errors = process.communicate(timeout=120)
    print(process.returncode)
    print(output + errors, end="")
    (mount / "filler").unlink()
    shutil.copytree(mount, kept)


if __name__ == "__main__":
    main()
