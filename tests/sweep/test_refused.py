"""A sweep that is refused leaves nothing behind."""

from __future__ import annotations

import pytest

from tests.sweep.conftest import Sweep


@pytest.mark.slow
def test_of_sweeps_begun_at_once_the_refused_ones_leave_nothing(sweep: Sweep) -> None:
    started = [sweep.start("seed=1,2", SLOW="0.02") for _ in range(3)]
    ended = [process.communicate(timeout=170) for process in started]
    assert {process.returncode for process in started} <= {0, 2}, ended
    assert "Traceback" not in "".join(errors for _, errors in ended)
    assert len(sweep.folders) == 1
    assert len(list((sweep.folder / "outputs" / ".identities").glob("[0-9a-f]*"))) == 3


def test_outputs_that_are_no_folder_are_said_before_the_plan(sweep: Sweep) -> None:
    (sweep.folder / "outputs").symlink_to("nowhere")
    done = sweep.run("seed=1,2")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "outputs: it is a link that leads nowhere; name another folder" in line


def test_weights_that_were_altered_are_no_result_of_a_sweep(sweep: Sweep) -> None:
    assert sweep.run("seed=1,2", "tracking=none").returncode == 0
    (folder,) = sweep.folders
    (folder / "1" / "weights.safetensors").write_bytes(b"")
    done = sweep.run("seed=1,2", "tracking=none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "1/weights.safetensors: is damaged" in line
    assert sweep.folders == [folder]
