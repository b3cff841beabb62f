"""A broken standard stream changes neither the result of a run nor its record."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import journal
from tests.conftest import (
    EXPERIMENTS,
    PROJECT,
    Program,
    cases,
    clean_environment,
    command,
    run_folder,
)
from tests.programs import cleaned_up, provide_database, start, wait_for_epoch
from tests.sweep.conftest import runs

CLOSED = {
    "no output": ">&-",
    "no errors": "2>&-",
    "no input": "<&-",
    "nothing at all": "<&- >&- 2>&-",
    "a full disk": ">/dev/full 2>/dev/full",
}


def through_a_shell(
    arguments: list[str], redirection: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    program = ("sh", "-c", f'exec "$0" "$@" {redirection}')
    return command(*program, *arguments, cwd=cwd, **environment)


def train(root: str, *overrides: str) -> list[str]:
    program = [sys.executable, str(PROJECT / "train.py")]
    return [*program, *overrides, "data=digits", f"data.root={root}", "trainer=debug"]


def assert_recorded(folder: Path, status: str = "FINISHED") -> None:
    (run,) = runs(folder)
    assert run.info.status == status
    assert journal.history(run_folder(folder)).status == status
    assert "Accuracy of the network" in (run_folder(folder) / "train.log").read_text()


@pytest.mark.row("lost output")
@pytest.mark.parametrize(
    "redirection", cases({name: (how,) for name, how in reversed(CLOSED.items())}, usual=1)
)
def test_a_run_needs_no_stream(tmp_path: Path, root: str, redirection: str) -> None:
    provide_database(tmp_path, ())
    done = through_a_shell(train(root), redirection, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert_recorded(tmp_path)


@pytest.mark.row("lost output")
@pytest.mark.parametrize("kind", ["pipe", pytest.param("terminal", marks=pytest.mark.slow)])
def test_a_run_goes_on_when_its_reader_is_gone(tmp_path: Path, root: str, kind: str) -> None:
    reader, writer = os.pipe() if kind == "pipe" else pty.openpty()
    provide_database(tmp_path, ())
    (tmp_path / "errors").touch()
    with (tmp_path / "errors").open("r+") as errors:
        process = cleaned_up(
            subprocess.Popen(
                train(root, "trainer.epochs=3"),
                cwd=tmp_path,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=errors,
                text=True,
            )
        )
        os.close(writer)
        shown = b""
        while b"Epoch: 1" not in shown:
            shown += os.read(reader, 4096)
        os.close(reader)
        assert process.wait(60) == 0
        assert errors.read() == ""
    assert_recorded(tmp_path)


def test_a_run_that_fails_says_so_by_its_exit_code_alone(tmp_path: Path, root: str) -> None:
    for redirection in CLOSED.values():
        done = through_a_shell(train(root, "optimizer.lr=-1"), redirection, tmp_path)
        assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        *(pytest.param((flag, "all"), marks=pytest.mark.slow) for flag in ("--cfg", "--info")),
    ],
)
def test_looking_may_be_cut_short(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    program = [sys.executable, str(PROJECT / "train.py"), *arguments]
    done = through_a_shell(program, "| head -n 1", tmp_path)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["nothing at all", pytest.param("a full disk", marks=pytest.mark.slow)]
)
def test_sync_needs_no_stream(offline: Program, tmp_path: Path, how: str) -> None:
    assert offline("tracking.uri=http://127.0.0.1:9").returncode == 0
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    done = through_a_shell([EXPERIMENTS, "sync", "--uri", uri], CLOSED[how], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert_recorded(tmp_path)


def test_a_closed_descriptor_is_given_to_no_file(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys\n"
        "from experiments.process.streams import settle\n"
        "settle()\n"
        "settle()\n"
        "file = open('kept', 'w')\n"
        "assert file.fileno() > 2\n"
        "subprocess.run(['sh', '-c', 'echo printed; echo said >&2; cat'], check=True)\n"
        "print('lost')\n"
        "sys.stdout.close()\n"
        "print('still no error')\n"
        "assert sys.stdin.read() == ''\n"
        "file.write('whole')\n"
    )
    done = through_a_shell([sys.executable, "-c", program], "<&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "kept").read_text() == "whole"


def test_a_pipe_that_is_full_is_waited_for(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from experiments.process.streams import settle\n"
        "settle()\n"
        "os.set_blocking(1, False)\n"
        "for number in range(50_000):\n"
        "    print(number, flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [str(number).encode() for number in range(50_000)]
    assert done.stderr == b""


def test_a_model_s_own_output_stops_nothing(tmp_path: Path, root: str) -> None:
    process = start(tmp_path, root, "Talking", "trainer.epochs=2", PYTHONIOENCODING="ascii")
    wait_for_epoch(process, 1)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == ""
    assert_recorded(tmp_path)
