"""A process that gives way has the lowest priority, in its session and with its session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TELL = """
import os
from pathlib import Path
from experiments.process.priority import give_way
give_way()
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text() if group.exists() else "nice 19")
"""


def test_a_process_and_its_session_go_last() -> None:
    before = os.nice(0)
    told = subprocess.run(
        [sys.executable, "-c", TELL],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        cwd=Path(__file__).parent,
    ).stdout
    assert told.startswith("19 ")
    assert told.rstrip().endswith("nice 19")
    assert os.nice(0) == before
